/* SPDX-License-Identifier: MPL-2.0 */
/* What the tests over a cluster in this process share: a cluster with a folder, and
 * short ways to results. */
#ifndef ZN_TESTS_RUNTIME_LOCAL_FIXTURE_H
#define ZN_TESTS_RUNTIME_LOCAL_FIXTURE_H

#include "test.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zonda/zonda.h>

#include "base/alloc.h"
#include "local_functions.h"
#include "record/json.h"

/* The cluster of a test, and a folder for its files. */
typedef struct local_fixture {
    zonda_cluster *cluster;
    char folder[64];
} local_fixture;

static inline int open_fixture(void **state) {
    zonda_error error = { 0 };
    local_fixture *made = ZN_NEW(local_fixture);
    snprintf(made->folder, sizeof made->folder, "/tmp/zonda-test-XXXXXX");
    assert_non_null(mkdtemp(made->folder));
    zonda_local_options options = { .slots = 2, .scratch = made->folder };
    made->cluster = zonda_cluster_open_local(&options, &error);
    assert_ok(error.code, error);
    assert_non_null(made->cluster);
    *state = made;
    return 0;
}

static inline size_t remove_files(const char *folder) {
    size_t count = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            char *path = zn_format("%s/%s", folder, entry->d_name);
            remove(path);
            free(path);
            count++;
        }
    }
    closedir(dir);
    return count;
}

static inline int close_fixture(void **state) {
    local_fixture *made = *state;
    zonda_cluster_close(&made->cluster);
    remove_files(made->folder);
    assert_int_equal(rmdir(made->folder), 0);
    free(made);
    return 0;
}

static inline zonda_dataset *items(const char *json) {
    return zonda_from_json(json);
}

/* Executes and consumes the dataset. */
static inline zonda_result *run(local_fixture *fixture, zonda_dataset *dataset) {
    zonda_error error = { 0 };
    zonda_result *result = zonda_execute(fixture->cluster, dataset, NULL, &error);
    zonda_dataset_destroy(&dataset);
    assert_ok(error.code, error);
    assert_non_null(result);
    return result;
}

/* The records of a result as one line of JSON texts. Free it. */
static inline char *read_all(zonda_result *result) {
    zn_buf out = { 0 };
    zonda_error error = { 0 };
    const void *record = NULL;
    size_t bytes = 0;
    bool got = true;
    for (;;) {
        assert_ok(zonda_result_next(result, &record, &bytes, &got, &error), error);
        if (!got) {
            break;
        }
        if (out.len > 0) {
            zn_buf_append_byte(&out, ' ');
        }
        zn_bytes value = { .data = record, .len = bytes };
        assert_ok(zn_json_write(value, &out, &error), error);
    }
    zn_buf_append_byte(&out, 0);
    return (char *)out.data;
}

static inline void expect(local_fixture *fixture, zonda_dataset *dataset, const char *records) {
    zonda_result *result = run(fixture, dataset);
    char *text = read_all(result);
    assert_string_equal(text, records);
    free(text);
    zonda_result_destroy(&result);
}

static inline int64_t counter_of(const zonda_result *result, const char *name) {
    size_t count = 0;
    const zonda_counter *counters = zonda_result_counters(result, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(counters[i].name, name) == 0) {
            return counters[i].sum;
        }
    }
    return -1;
}

#define WITH_CLUSTER(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

#endif
