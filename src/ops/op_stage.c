/* SPDX-License-Identifier: MPL-2.0 */
/* Source of a later stage: all results of an earlier one, in task order. */
#include <inttypes.h>

#include "base/limits.h"
#include "ops/op_list.h"
#include "ops/stage_results.h"
#include "record/value.h"

/* The state is what reads the stage; NULL: it had no shards. */
static zonda_err open_stage(zn_op *op, zonda_error *error) {
    bool empty = false;
    uint64_t stage = 0;
    zn_value_field_bool(op->args, "empty", &empty);
    if (!empty && (!zn_value_field_uint(op->args, "stage", &stage) || stage > ZN_STAGES_MAX)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the source does not say which stage to read");
    }
    if (op->shard_count != 1) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "a stage that reads all results of another has one task, not %" PRIu64,
                            op->shard_count);
    }
    op->state = empty ? NULL : zn_stage_results_new(op, (zn_stage_id){ (uint32_t)stage });
    return ZONDA_OK;
}

static void close_stage(zn_op *op) {
    zn_stage_results *results = op->state;
    if (results != NULL) {
        zn_stage_results_destroy(&results);
        op->state = NULL;
    }
}

/* The running task, for the callback. */
typedef struct pushing {
    zn_op *op;
    zonda_task *task;
} pushing;

static zonda_err push_record(void *context, zn_bytes record, zonda_error *error) {
    const pushing *push = context;
    return zn_op_emit(push->op, push->task, record, error);
}

static zonda_err run_stage(zn_op *op, zonda_task *task, zonda_error *error) {
    pushing push = { .op = op, .task = task };
    return op->state == NULL ? ZONDA_OK
                             : zn_stage_results_read(op->state, push_record, &push, error);
}

static const zn_op_runtime stage_runtime = {
    .open = open_stage,
    .close = close_stage,
    .run = run_stage,
};

static const zn_arg_def stage_args[] = {
    { .name = "stage",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_OPTION,
      .max = ZN_STAGES_MAX,
      .doc = "index of the stage whose results are read" },
    { .name = "empty",
      .type = ZN_ARG_BOOL,
      .use = ZN_ARG_OPTION,
      .doc = "that stage had no shards" },
};

const zn_op_def zn_op_stage = { .name = "stage",
                                .op_class = ZN_OP_INNER,
                                ZN_ARGS(stage_args),
                                .runtime = &stage_runtime,
                                .doc = "all results of an earlier stage" };
