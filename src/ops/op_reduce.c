/* SPDX-License-Identifier: MPL-2.0 */
/* The halves of reduce. In a shard: fold from the identity, or from the first record where there is
 * none; a shard without records gives nothing, so that the identity is not counted once per empty
 * shard. Over the shards: fold from the first result; the identity only stands in when there is no
 * result at all. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/function.h"
#include "ops/op_list.h"
#include "record/value.h"

enum {
    KEEP_BYTES_MAX = ZN_MIB
};

typedef struct fold {
    zn_function *function;
    zn_bytes identity; /* no bytes: none */
    uint64_t records;
    zn_buf value; /* accumulated; empty: nothing yet */
    zn_buf next;
} fold;

static zonda_err open_fold(zn_op *op, zonda_error *error) {
    zn_function *function = NULL;
    zonda_err err = zn_function_bind(op, "function", ZN_CALL_FOLD, &function, error);
    if (err != ZONDA_OK) {
        return err;
    }
    fold *self = ZN_NEW(fold);
    self->function = function;
    zn_value_field(op->args, zn_bytes_of_text("identity"), &self->identity);
    op->state = self;
    return ZONDA_OK;
}

static void close_fold(zn_op *op) {
    fold *self = op->state;
    if (self == NULL) {
        return;
    }
    zn_function_unbind(&self->function);
    zn_buf_free(&self->value);
    zn_buf_free(&self->next);
    free(self);
    op->state = NULL;
}

static zonda_err begin_fold(zn_op *op, zonda_task *task, zonda_error *error) {
    fold *self = op->state;
    self->records = 0;
    zn_buf_reset(&self->value, KEEP_BYTES_MAX);
    zn_buf_reset(&self->next, KEEP_BYTES_MAX);
    return zn_function_begin(self->function, task, error);
}

static zonda_err begin_shard(zn_op *op, zonda_task *task, zonda_error *error) {
    zonda_err err = begin_fold(op, task, error);
    fold *self = op->state;
    zn_buf_append(&self->value, self->identity.data, self->identity.len);
    return err;
}

static zonda_err push_record(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    fold *self = op->state;
    self->records++;
    if (self->value.len == 0) {
        zn_buf_append(&self->value, record.data, record.len);
        return ZONDA_OK;
    }
    self->next.len = 0;
    zn_bytes args[2] = { zn_buf_bytes(&self->value), record };
    zonda_err err = zn_function_call(self->function, task, args, &self->next, NULL, error);
    if (err == ZONDA_OK) {
        zn_buf old = self->value;
        self->value = self->next;
        self->next = old;
    }
    return err;
}

static zonda_err end_shard(zn_op *op, zonda_task *task, zonda_error *error) {
    fold *self = op->state;
    zn_function_end(self->function, task);
    if (self->records == 0) {
        return ZONDA_OK;
    }
    return zn_op_emit(op, task, zn_buf_bytes(&self->value), error);
}

static zonda_err end_total(zn_op *op, zonda_task *task, zonda_error *error) {
    fold *self = op->state;
    zn_function_end(self->function, task);
    zn_bytes result = self->records > 0 ? zn_buf_bytes(&self->value) : self->identity;
    return result.len == 0 ? ZONDA_OK : zn_op_emit(op, task, result, error);
}

static void abort_fold(zn_op *op, zonda_task *task) {
    fold *self = op->state;
    zn_function_end(self->function, task);
}

static const zn_op_runtime reduce_shard_runtime = {
    .open = open_fold,
    .close = close_fold,
    .begin = begin_shard,
    .push = push_record,
    .end = end_shard,
    .abort = abort_fold,
};

static const zn_op_runtime reduce_total_runtime = {
    .open = open_fold,
    .close = close_fold,
    .begin = begin_fold,
    .push = push_record,
    .end = end_total,
    .abort = abort_fold,
};

static const zn_arg_def reduce_args[] = {
    { .name = "local",
      .type = ZN_ARG_FUNCTION,
      .use = ZN_ARG_POSITIONAL,
      .doc = "gets the accumulated value and a record, gives the next accumulated value" },
    { .name = "global",
      .type = ZN_ARG_FUNCTION,
      .use = ZN_ARG_OPTIONAL,
      .doc = "the same over the results of the shards; without it `local`" },
    { .name = "identity",
      .type = ZN_ARG_VALUE,
      .use = ZN_ARG_OPTION,
      .doc = "start in every shard, and the result when there is nothing" },
};

const zn_op_def zn_op_reduce = { .name = "reduce",
                                 .op_class = ZN_OP_FOLD,
                                 ZN_ARGS(reduce_args),
                                 .doc =
                                     "one record from all, first per shard, then over the shards" };

static const zn_arg_def reduce_half_args[] = {
    { .name = "function",
      .type = ZN_ARG_FUNCTION,
      .use = ZN_ARG_POSITIONAL,
      .doc = "gets the accumulated value and a record" },
    { .name = "identity",
      .type = ZN_ARG_VALUE,
      .use = ZN_ARG_OPTION,
      .doc = "the result when there is nothing" },
};

const zn_op_def zn_op_reduce_shard = { .name = "reduce_shard",
                                       .op_class = ZN_OP_INNER,
                                       ZN_ARGS(reduce_half_args),
                                       .runtime = &reduce_shard_runtime,
                                       .doc = "one record from those of the shard" };

const zn_op_def zn_op_reduce_total = { .name = "reduce_total",
                                       .op_class = ZN_OP_INNER,
                                       ZN_ARGS(reduce_half_args),
                                       .runtime = &reduce_total_runtime,
                                       .doc = "one record from the results of all shards" };
