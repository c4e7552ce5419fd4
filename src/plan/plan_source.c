/* SPDX-License-Identifier: MPL-2.0 */
/* Sources of a plan: how many shards there are, and what differs from shard to shard. What differs
 * (list items, paths) becomes one blob, an array with an element per shard, so that a stage of many
 * tasks is still a small body. Patterns of files are resolved here, once, so that every task of
 * every attempt sees the same files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"
#include "ops/format.h"
#include "plan/plan_build.h"
#include "record/value.h"

enum {
    RANGE_SHARDS_DEFAULT = 64
};

/* Appends the map `args` without the key `without` and with "inputs" = `digest`. */
static void put_args_with_inputs(zn_buf *out, zn_bytes args, const char *without,
                                 zn_digest digest) {
    zn_cursor cursor = zn_cursor_of(args);
    uint32_t pairs = zn_cursor_read(&cursor).count;
    zn_buf kept = { 0 };
    uint32_t count = 1;
    for (uint32_t i = 0; i < pairs; i++) {
        zn_bytes key = zn_cursor_skip(&cursor);
        zn_bytes value = zn_cursor_skip(&cursor);
        if (without == NULL ||
            !zn_bytes_equal(zn_value_head(key).bytes, zn_bytes_of_text(without))) {
            zn_buf_append(&kept, key.data, key.len);
            zn_buf_append(&kept, value.data, value.len);
            count++;
        }
    }
    zn_put_map(out, count);
    zn_buf_append(out, kept.data, kept.len);
    zn_put_text(out, "inputs");
    zn_put_binary(out, zn_digest_bytes(&digest));
    zn_buf_free(&kept);
}

/* Adds the source with its inputs as a blob. */
static zonda_err add_with_inputs(zn_plan_build *build, const zonda_dataset *source,
                                 const char *without, zn_bytes inputs, zonda_error *error) {
    zn_digest digest;
    char what[ZN_NAME_BYTES_MAX];
    snprintf(what, sizeof what, "the inputs of %s", source->op->name);
    zonda_err err = zn_plan_add_blob(build, what, inputs, &digest, error);
    if (err == ZONDA_OK) {
        zn_buf args = { 0 };
        put_args_with_inputs(&args, zn_buf_bytes(&source->args), without, digest);
        zn_plan_add_op(build, source->op->name, zn_buf_bytes(&args), true);
        zn_buf_free(&args);
    }
    return err;
}

static zonda_err add_list(zn_plan_build *build, const zonda_dataset *source, zonda_error *error) {
    zn_bytes items = { 0 };
    if (!zn_value_field(zn_buf_bytes(&source->args), zn_bytes_of_text("items"), &items)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "from_list has no items");
    }
    build->draft.tasks = zn_value_head(items).count;
    return add_with_inputs(build, source, "items", items, error);
}

static zonda_err add_range(zn_plan_build *build, const zonda_dataset *source, zonda_error *error) {
    zn_bytes given = zn_buf_bytes(&source->args);
    uint64_t n = 0;
    uint64_t shards = 0;
    if (!zn_value_field_uint(given, "n", &n)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "from_range has no n");
    }
    zn_value_field_uint(given, "shards", &shards);
    if (shards == 0) {
        shards = n < RANGE_SHARDS_DEFAULT ? n : RANGE_SHARDS_DEFAULT;
    }
    build->draft.tasks = n == 0 ? 0 : shards;
    zn_buf args = { 0 };
    zn_put_map(&args, 2);
    zn_put_text(&args, "n");
    zn_put_uint(&args, n);
    zn_put_text(&args, "shards");
    zn_put_uint(&args, shards);
    zn_plan_add_op(build, source->op->name, zn_buf_bytes(&args), true);
    zn_buf_free(&args);
    return ZONDA_OK;
}

/* The files of a pattern; none at all where that is allowed. */
static zonda_err find_paths(zn_plan_build *build, zn_bytes args, zn_paths *paths,
                            zonda_error *error) {
    zn_bytes text = { 0 };
    bool empty_ok = false;
    if (!zn_value_field_text(args, "glob", &text) ||
        (text.len > 0 && memchr(text.data, 0, text.len) != NULL)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the pattern of files is missing or has a NUL");
    }
    zn_value_field_bool(args, "empty_ok", &empty_ok);
    char *pattern = zn_strndup((const char *)text.data, text.len);
    zonda_error found = { 0 };
    zonda_err err = build->glob(pattern, paths, &found);
    free(pattern);
    if (err == ZONDA_ERR_NO_MATCH && empty_ok) {
        return ZONDA_OK;
    }
    if (err != ZONDA_OK) {
        *error = found;
    }
    return err;
}

/* A format that nobody knows is a mistake whatever files there are. */
static zonda_err check_given_format(zn_bytes args, zonda_error *error) {
    zn_bytes format = { 0 };
    zn_bytes glob = { 0 };
    if (!zn_value_field_text(args, "format", &format) ||
        !zn_value_field_text(args, "glob", &glob)) {
        return ZONDA_OK;
    }
    const char *found = NULL;
    char *pattern = zn_strndup((const char *)glob.data, glob.len);
    zonda_err err = zn_read_format(pattern, format, &found, error);
    free(pattern);
    return err;
}

/* A file that cannot be read as anything known is a mistake to hear of now, not in a task. */
static zonda_err check_formats(zn_bytes args, const zn_paths *paths, zonda_error *error) {
    zn_bytes format = { 0 };
    zn_value_field_text(args, "format", &format);
    zonda_err err = ZONDA_OK;
    for (size_t i = 0; i < paths->count && err == ZONDA_OK; i++) {
        const char *found = NULL;
        err = zn_read_format(paths->items[i], format, &found, error);
    }
    return err;
}

static zonda_err add_files(zn_plan_build *build, const zonda_dataset *source, zonda_error *error) {
    zn_bytes args = zn_buf_bytes(&source->args);
    zn_paths paths = { 0 };
    zn_buf inputs = { 0 };
    bool reads = strcmp(source->op->name, "read") == 0;
    zonda_err err = reads ? check_given_format(args, error) : ZONDA_OK;
    if (err == ZONDA_OK) {
        err = find_paths(build, args, &paths, error);
    }
    if (err == ZONDA_OK && reads) {
        err = check_formats(args, &paths, error);
    }
    if (err == ZONDA_OK && paths.count > ZN_STAGE_TASKS_MAX) {
        err = zn_error_set(error, ZONDA_ERR_LIMIT, "%zu files match, at most %u are possible",
                           paths.count, (unsigned)ZN_STAGE_TASKS_MAX);
    }
    if (err == ZONDA_OK) {
        zn_put_array(&inputs, (uint32_t)paths.count);
        for (size_t i = 0; i < paths.count; i++) {
            zn_put_text(&inputs, paths.items[i]);
        }
        build->draft.tasks = paths.count;
        err = add_with_inputs(build, source, NULL, zn_buf_bytes(&inputs), error);
    }
    zn_buf_free(&inputs);
    zn_paths_free(&paths);
    return err;
}

zonda_err zn_plan_add_source(zn_plan_build *build, const zonda_dataset *source,
                             zonda_error *error) {
    static const struct {
        const char *name;
        zonda_err (*add)(zn_plan_build *build, const zonda_dataset *source, zonda_error *error);
    } sources[] = {
        { "from_list", add_list },
        { "from_range", add_range },
        { "from_files", add_files },
        { "read", add_files },
    };
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        if (strcmp(sources[i].name, source->op->name) == 0) {
            return sources[i].add(build, source, error);
        }
    }
    return zn_error_set(error, ZONDA_ERR_UNSUPPORTED, "the planner does not know the source %s",
                        source->op->name);
}
