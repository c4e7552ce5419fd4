/* SPDX-License-Identifier: MPL-2.0 */
/* Wide operators with one input whose records are shuffled as they are: group_by, deduplicate, sort
 * and reshard. A function says how the records of each are keyed and partitioned; the rest is
 * alike: <op>_shard, the end of the stage, <op>_total. */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "plan/arguments.h"
#include "plan/plan_wide.h"
#include "record/value.h"

/* Writes the arguments of <op>_shard; `shards` is how many there will be. */
typedef void put_shuffle(zn_arguments *out, zn_bytes args, uint64_t shards);

static void put_hash(zn_arguments *out, zn_bytes args, uint64_t shards, const char *keep) {
    zn_arguments_copy(out, "by", args, "key");
    zn_arguments_text(out, "mode", "hash");
    zn_arguments_uint(out, "shards", shards);
    zn_arguments_text(out, "keep", keep);
}

static void put_group_by(zn_arguments *out, zn_bytes args, uint64_t shards) {
    zn_bytes combine;
    bool combines = zn_value_field(args, zn_bytes_of_text("combine"), &combine);
    put_hash(out, args, shards, combines ? "function" : "all");
    zn_arguments_copy(out, "combine", args, "combine");
    zn_arguments_copy(out, "sort_by", args, "sort_by");
    zn_arguments_copy(out, "descending", args, "descending");
}

static void put_deduplicate(zn_arguments *out, zn_bytes args, uint64_t shards) {
    put_hash(out, args, shards, "first");
}

static void put_sort(zn_arguments *out, zn_bytes args, uint64_t shards) {
    (void)shards;
    zn_arguments_copy(out, "by", args, "by");
    zn_arguments_copy(out, "descending", args, "descending");
    zn_arguments_text(out, "mode", "range");
}

static void put_reshard(zn_arguments *out, zn_bytes args, uint64_t shards) {
    (void)args;
    (void)shards;
    zn_arguments_text(out, "mode", "bytes");
}

typedef struct shuffled {
    const char *op;
    put_shuffle *put;
    const char *by;       /* how the next stage reads; see ops/exchange.h */
    const char *function; /* argument that <op>_total gets; NULL: none */
    const char *wanted; /* without this argument the operator does nothing; NULL: it always does */
} shuffled;

static const shuffled operators[] = {
    { "group_by", put_group_by, "partition", "reduce", NULL },
    { "deduplicate", put_deduplicate, "partition", NULL, NULL },
    { "sort", put_sort, "range", NULL, NULL },
    { "reshard", put_reshard, "bytes", NULL, "n" },
};

static const shuffled *find_operator(const char *op) {
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (strcmp(operators[i].op, op) == 0) {
            return &operators[i];
        }
    }
    ZN_UNREACHABLE();
}

static zonda_err end_stage(zn_plan_build *build, const shuffled *op, zn_bytes given,
                           uint64_t shards, zn_wide_input *input, zonda_error *error) {
    char name[ZN_NAME_BYTES_MAX];
    snprintf(name, sizeof name, "%s_shard", op->op);
    zn_arguments args = { 0 };
    zn_buf map = { 0 };
    op->put(&args, given, shards > 0 ? shards : 1);
    zonda_err err = zn_arguments_finish(&args, &map, error);
    if (err == ZONDA_OK) {
        err = zn_plan_end_wide(build, name, zn_buf_bytes(&map), op->op, op->by, input, error);
    }
    zn_buf_free(&map);
    return err;
}

static zonda_err begin_stage(zn_plan_build *build, const shuffled *op, zn_bytes given,
                             uint64_t shards, const zn_wide_input *input, zonda_error *error) {
    char name[ZN_NAME_BYTES_MAX];
    snprintf(name, sizeof name, "%s_total", op->op);
    zn_arguments args = { 0 };
    zn_buf map = { 0 };
    if (op->function != NULL) {
        zn_arguments_copy(&args, op->function, given, op->function);
    }
    zonda_err err = zn_arguments_finish(&args, &map, error);
    if (err == ZONDA_OK) {
        zn_plan_begin_wide(build, name, zn_buf_bytes(&map), op->op, input, 1, shards);
    }
    zn_buf_free(&map);
    return err;
}

zonda_err zn_plan_add_shuffled(zn_plan_build *build, const zonda_dataset *node,
                               zonda_error *error) {
    const shuffled *op = find_operator(node->op->name);
    zn_bytes args = zn_buf_bytes(&node->args);
    zn_bytes value;
    if (op->wanted != NULL && !zn_value_field(args, zn_bytes_of_text(op->wanted), &value)) {
        return ZONDA_OK;
    }
    uint64_t shards = zn_plan_wide_shards(args, build->draft.tasks);
    zn_wide_input input;
    zonda_err err = end_stage(build, op, args, shards, &input, error);
    return err == ZONDA_OK ? begin_stage(build, op, args, shards, &input, error) : err;
}
