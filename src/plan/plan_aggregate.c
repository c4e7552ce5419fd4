/* SPDX-License-Identifier: MPL-2.0 */
/* The plan of aggregate: aggregate_shard makes rows of states, aggregate_rows shuffles them, both
 * at the end of the stage of the input; aggregate_total makes the results. With a key there are as
 * many shards as the user says or the input has; without one there is one shard, also of a dataset
 * without any. */
#include "plan/arguments.h"
#include "plan/plan_wide.h"
#include "record/value.h"

/* What both halves get. */
static zonda_err put_half(zn_buf *out, zn_bytes given, zonda_error *error) {
    zn_arguments args = { 0 };
    zn_arguments_copy(&args, "exprs", given, "exprs");
    zn_arguments_copy(&args, "by", given, "by");
    return zn_arguments_finish(&args, out, error);
}

static zonda_err put_rows(zn_buf *out, uint64_t shards, zonda_error *error) {
    zn_arguments args = { 0 };
    zn_arguments_text(&args, "mode", "hash");
    zn_arguments_uint(&args, "shards", shards > 0 ? shards : 1);
    zn_arguments_text(&args, "keep", "rows");
    return zn_arguments_finish(&args, out, error);
}

zonda_err zn_plan_add_aggregate(zn_plan_build *build, const zonda_dataset *node,
                                zonda_error *error) {
    zn_bytes args = zn_buf_bytes(&node->args);
    zn_bytes by;
    bool grouped = zn_value_field(args, zn_bytes_of_text("by"), &by);
    uint64_t shards = grouped ? zn_plan_wide_shards(args, build->draft.tasks) : 1;
    zn_buf half = { 0 };
    zn_buf rows = { 0 };
    zonda_err err = put_half(&half, args, error);
    if (err == ZONDA_OK) {
        err = put_rows(&rows, shards, error);
    }
    if (err == ZONDA_OK) {
        zn_wide_input input;
        zn_plan_add_op(build, "aggregate_shard", zn_buf_bytes(&half), node->op->name);
        err = zn_plan_end_wide(build, "aggregate_rows", zn_buf_bytes(&rows), NULL, "partition",
                               &input, error);
        if (err == ZONDA_OK) {
            zn_plan_begin_wide(build, "aggregate_total", zn_buf_bytes(&half), node->op->name,
                               &input, 1, shards);
        }
    }
    zn_buf_free(&half);
    zn_buf_free(&rows);
    return err;
}
