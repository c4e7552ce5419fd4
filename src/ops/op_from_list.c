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
    return zn_op_emit(op, task, zn_inputs_item(op->state, zn_op_shard(op, task)), error);
}

static const zn_op_runtime from_list_runtime = {
    .open = open_list,
    .close = close_list,
    .run = run_list,
};

static const zn_arg_def list_args[] = {
    { .name = "items",
      .type = ZN_ARG_VALUES,
      .use = ZN_ARG_POSITIONAL,
      .doc = "the records; each is a shard" },
};

const zn_op_def zn_op_from_list = { .name = "from_list",
                                    .op_class = ZN_OP_SOURCE,
                                    ZN_ARGS(list_args),
                                    .runtime = &from_list_runtime,
                                    .doc = "the given records, each a shard" };
