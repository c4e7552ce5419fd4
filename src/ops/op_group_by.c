/* SPDX-License-Identifier: MPL-2.0 */
/* group_by: records are partitioned by the hash of their key and sorted by key, then by `sort_by`;
 * a shard of the output merges its partition of all shards of the input and reduces one group after
 * another. Nothing of a group is kept: the reducer pulls its records from the merge, and what it
 * gives goes on at once. */
#include <stdlib.h>

#include "base/alloc.h"
#include "ops/exchange.h"
#include "ops/group.h"
#include "ops/op_list.h"
#include "ops/shuffle.h"
#include "record/value.h"

typedef struct reducer {
    zn_exchange *exchange;
    zn_function *function;
    zn_op *op;
    zonda_task *task; /* the running one */
} reducer;

static void close_reducer(zn_op *op) {
    reducer *self = op->state;
    if (self == NULL) {
        return;
    }
    zn_exchange_destroy(&self->exchange);
    zn_function_unbind(&self->function);
    free(self);
    op->state = NULL;
}

static zonda_err open_reducer(zn_op *op, zonda_error *error) {
    reducer *self = ZN_NEW(reducer);
    self->op = op;
    op->state = self;
    zonda_err err = zn_function_bind(op, "reduce", ZN_CALL_GROUP, &self->function, error);
    if (err != ZONDA_OK) {
        return err;
    }
    self->exchange = zn_exchange_new(op, error);
    return self->exchange == NULL ? error->code : ZONDA_OK;
}

static zonda_err begin_reducer(zn_op *op, zonda_task *task, zonda_error *error) {
    reducer *self = op->state;
    self->task = task;
    return zn_function_begin(self->function, task, error);
}

static zonda_err pull_row(void *context, zn_row *row, bool *found, zonda_error *error) {
    reducer *self = context;
    return zn_exchange_next(self->exchange, self->task, row, NULL, found, error);
}

static zonda_err emit_value(void *context, zn_bytes key, zn_bytes value, zonda_error *error) {
    (void)key;
    reducer *self = context;
    return zn_op_emit(self->op, self->task, value, error);
}

static zonda_err run_reducer(zn_op *op, zonda_task *task, zonda_error *error) {
    reducer *self = op->state;
    zonda_err err = zn_exchange_begin(self->exchange, task, error);
    if (err == ZONDA_OK) {
        err = zn_group_run(self->function, task, pull_row, emit_value, self, error);
    }
    zn_exchange_end(self->exchange, task);
    return err;
}

static zonda_err end_reducer(zn_op *op, zonda_task *task, zonda_error *error) {
    (void)error;
    reducer *self = op->state;
    zn_function_end(self->function, task);
    return ZONDA_OK;
}

static void abort_reducer(zn_op *op, zonda_task *task) {
    reducer *self = op->state;
    zn_function_end(self->function, task);
}

static const zn_op_runtime group_by_total_runtime = {
    .open = open_reducer,
    .close = close_reducer,
    .begin = begin_reducer,
    .end = end_reducer,
    .abort = abort_reducer,
    .run = run_reducer,
};

static zonda_err check_order(const zn_op_def *op, zn_bytes args, zonda_error *error) {
    zn_bytes sort_by;
    bool descending = false;
    if (zn_value_field_bool(args, "descending", &descending) && descending &&
        !zn_value_field(args, zn_bytes_of_text("sort_by"), &sort_by)) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "argument \"descending\" of %s is the order of \"sort_by\", which is "
                            "not given",
                            op->name);
    }
    return ZONDA_OK;
}

static const zn_arg_def group_by_args[] = {
    { .name = "key",
      .type = ZN_ARG_KEY,
      .use = ZN_ARG_POSITIONAL,
      .doc = "field, fields or function whose equal values make a group" },
    { .name = "reduce",
      .type = ZN_ARG_FUNCTION,
      .use = ZN_ARG_POSITIONAL,
      .block = true,
      .doc = "gets the key, an iterator of the group (rows) and emit" },
    { .name = "sort_by",
      .type = ZN_ARG_KEY,
      .use = ZN_ARG_OPTION,
      .doc = "order of the records in a group; else that of the dataset" },
    { .name = "descending",
      .type = ZN_ARG_BOOL,
      .use = ZN_ARG_OPTION,
      .doc = "turns `sort_by` round: the largest first" },
    { .name = "combine",
      .type = ZN_ARG_FUNCTION,
      .use = ZN_ARG_OPTION,
      .block = true,
      .doc =
          "as `reduce`, before records are sent, on any part of a group: what it gives, `reduce` "
          "and itself can take again" },
    ZN_WIDE_SHARDS_ARG,
};

const zn_op_def zn_op_group_by = { .name = "group_by",
                                   .op_class = ZN_OP_WIDE,
                                   ZN_ARGS(group_by_args),
                                   .check = check_order,
                                   .doc = "a function over the records of each key" };

const zn_op_def zn_op_group_by_shard = { .name = "group_by_shard",
                                         .op_class = ZN_OP_INNER,
                                         ZN_SHUFFLE_ARGS,
                                         .runtime = &zn_shuffle_runtime,
                                         .doc = "groups the records of a shard" };

static const zn_arg_def group_by_total_args[] = {
    { .name = "reduce",
      .type = ZN_ARG_FUNCTION,
      .use = ZN_ARG_POSITIONAL,
      .doc = "gets the key, an iterator of the group (rows) and emit" },
};

const zn_op_def zn_op_group_by_total = { .name = "group_by_total",
                                         .op_class = ZN_OP_INNER,
                                         ZN_ARGS(group_by_total_args),
                                         .runtime = &group_by_total_runtime,
                                         .doc = "a function over the groups of all shards" };
