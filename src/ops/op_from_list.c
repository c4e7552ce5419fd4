/* SPDX-License-Identifier: MPL-2.0 */
/* Source of given records: shard i is item i of the blob that the planner made of the list. The
 * record is pushed as it lies in the blob, nothing is copied. */
#include "ops/inputs.h"
#include "ops/op_list.h"

static zonda_err open_list(zn_op *op, zonda_error *error) {
    op->state = zn_inputs_open(op, error);
    return op->state == NULL ? error->code : ZONDA_OK;
}

static void close_list(zn_op *op) {
    zn_inputs *inputs = op->state;
    zn_inputs_destroy(&inputs);
    op->state = NULL;
}

static zonda_err run_list(zn_op *op, zonda_task *task, zonda_error *error) {
    return zn_op_emit(op, task, zn_inputs_item(op->state, task->attempt.task), error);
}

const zn_op_runtime zn_run_from_list = {
    .open = open_list,
    .close = close_list,
    .run = run_list,
};
