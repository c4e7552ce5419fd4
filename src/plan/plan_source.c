/* SPDX-License-Identifier: MPL-2.0 */
/* Sources of a plan: how many shards there are, and what differs from shard to shard. What differs
 * (list items, paths) becomes one blob, an array with an element per shard, so that a stage of many
 * tasks is still a small body. Those of files: plan_files.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"
#include "plan/plan_build.h"
#include "record/value.h"

enum {
    RANGE_SHARDS_DEFAULT = 64
};

void zn_plan_put_args(zn_buf *out, zn_bytes args, const char *name, const char *text) {
    zn_cursor cursor = zn_cursor_of(args);
    uint32_t pairs = zn_cursor_read(&cursor).count;
    zn_buf kept = { 0 };
    uint32_t count = 0;
    for (uint32_t i = 0; i < pairs; i++) {
        zn_bytes key = zn_cursor_skip(&cursor);
        zn_bytes value = zn_cursor_skip(&cursor);
        if (name == NULL || !zn_bytes_equal(zn_value_head(key).bytes, zn_bytes_of_text(name))) {
            zn_buf_append(&kept, key.data, key.len);
            zn_buf_append(&kept, value.data, value.len);
            count++;
        }
    }
    zn_put_map(out, text == NULL ? count : count + 1);
    zn_buf_append(out, kept.data, kept.len);
    if (text != NULL) {
        zn_put_text(out, name);
        zn_put_text(out, text);
    }
    zn_buf_free(&kept);
}

zonda_err zn_plan_add_inputs(zn_plan_build *build, const zonda_dataset *source, zn_bytes args,
                             zn_bytes inputs, zonda_error *error) {
    zn_digest digest;
    char what[ZN_NAME_BYTES_MAX];
    snprintf(what, sizeof what, "the inputs of %s", source->op->name);
    zonda_err err = zn_plan_add_blob(build, what, inputs, &digest, error);
    if (err != ZONDA_OK) {
        return err;
    }
    zn_cursor cursor = zn_cursor_of(args);
    zn_buf all = { 0 };
    zn_put_map(&all, zn_cursor_read(&cursor).count + 1);
    zn_buf_append(&all, cursor.at, (size_t)(cursor.end - cursor.at));
    zn_put_text(&all, "inputs");
    zn_put_binary(&all, zn_digest_bytes(&digest));
    zn_plan_add_op(build, source->op->name, zn_buf_bytes(&all), source->op->name);
    zn_buf_free(&all);
    return ZONDA_OK;
}

static zonda_err add_list(zn_plan_build *build, const zonda_dataset *source, zonda_error *error) {
    zn_bytes items = { 0 };
    if (!zn_value_field(zn_buf_bytes(&source->args), zn_bytes_of_text("items"), &items)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "from_list has no items");
    }
    build->draft.tasks = zn_value_head(items).count;
    zn_buf args = { 0 };
    zn_plan_put_args(&args, zn_buf_bytes(&source->args), "items", NULL);
    zonda_err err = zn_plan_add_inputs(build, source, zn_buf_bytes(&args), items, error);
    zn_buf_free(&args);
    return err;
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
    zn_plan_add_op(build, source->op->name, zn_buf_bytes(&args), source->op->name);
    zn_buf_free(&args);
    return ZONDA_OK;
}

zonda_err zn_plan_add_source(zn_plan_build *build, const zonda_dataset *source,
                             zonda_error *error) {
    static const struct {
        const char *name;
        zonda_err (*add)(zn_plan_build *build, const zonda_dataset *source, zonda_error *error);
    } sources[] = {
        { "from_list", add_list },
        { "from_range", add_range },
        { "from_files", zn_plan_add_files },
        { "read", zn_plan_add_files },
    };
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        if (strcmp(sources[i].name, source->op->name) == 0) {
            return sources[i].add(build, source, error);
        }
    }
    return zn_error_set(error, ZONDA_ERR_UNSUPPORTED, "the planner does not know the source %s",
                        source->op->name);
}
