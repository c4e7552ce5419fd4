/* SPDX-License-Identifier: MPL-2.0 */
/* What the tests of the plan share: a folder that does not exist, and short ways to plans. */
#ifndef ZN_TESTS_PLAN_TEST_H
#define ZN_TESTS_PLAN_TEST_H

#include "test.h"

#include "base/alloc.h"
#include "plan/dataset.h"
#include "plan/plan.h"
#include "record/value.h"

/* Stands in for the file system: "none*" matches nothing, "broken*" cannot be read, everything else
 * is three files with the pattern's suffix. */
static inline zonda_err fake_glob(const char *pattern, zn_paths *out, zonda_error *error) {
    if (strncmp(pattern, "none", 4) == 0) {
        return zn_error_set(error, ZONDA_ERR_NO_MATCH, "no file matches %s", pattern);
    }
    if (strncmp(pattern, "broken", 6) == 0) {
        return zn_error_set(error, ZONDA_ERR_IO, "cannot read %s", pattern);
    }
    const char *suffix = strrchr(pattern, '*') == NULL ? "" : strrchr(pattern, '*') + 1;
    for (int i = 0; i < 3; i++) {
        ZN_GROW(out->items, out->count, out->capacity);
        out->items[out->count++] = zn_format("data/%c%s", 'a' + i, suffix);
    }
    return ZONDA_OK;
}

/* Files with "huge" in their path are large, "gone" ones cannot be looked up. */
static inline zonda_err fake_size(const char *path, uint64_t *out, zonda_error *error) {
    if (strstr(path, "gone") != NULL) {
        return zn_error_set(error, ZONDA_ERR_IO, "cannot look up %s", path);
    }
    *out = strstr(path, "huge") != NULL ? UINT64_C(1) << 40 : 1000;
    return ZONDA_OK;
}

/* Records end a byte behind every multiple. */
static inline zonda_err fake_cut(const char *path, char separator, uint64_t every,
                                 zn_file_cuts *out, zonda_error *error) {
    (void)separator;
    uint64_t size = 0;
    zonda_err err = fake_size(path, &size, error);
    for (uint64_t at = every + 1; err == ZONDA_OK && at < size; at += every) {
        ZN_GROW(out->items, out->count, out->capacity);
        out->items[out->count++] = at;
    }
    return err;
}

static inline char *fake_folder(zonda_error *error) {
    (void)error;
    return zn_strdup("/the/folder");
}

static const zn_plan_files fake_files = {
    .glob = fake_glob, .size = fake_size, .cut_csv = fake_cut, .folder = fake_folder
};

/* Plans and consumes a dataset. */
static inline zn_plan *plan_of(zonda_dataset *dataset, zonda_error *error) {
    zn_plan *plan = zn_plan_new(dataset, NULL, 0, &fake_files, error);
    zonda_dataset_destroy(&dataset);
    return plan;
}

static inline zn_plan *good_plan_of(zonda_dataset *dataset) {
    zonda_error error = { 0 };
    zn_plan *plan = plan_of(dataset, &error);
    if (plan == NULL) {
        fail_msg("%s: %s", zonda_err_name(error.code), error.text);
    }
    return plan;
}

/* The error that the plan of a dataset has; consumes it. */
static inline zonda_error bad_plan_of(zonda_dataset *dataset) {
    zonda_error error = { 0 };
    zn_plan *plan = plan_of(dataset, &error);
    assert_null(plan);
    return error;
}

/* The dataset of the numbers 1, 2, 3. */
static inline zonda_dataset *one_two_three(void) {
    return zonda_from_list("\x01\x02\x03", 3);
}

#endif
