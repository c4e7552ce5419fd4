/* SPDX-License-Identifier: MPL-2.0 */
/* A user function that sees a shard as a whole: records go in one by one, with its state kept from
 * one to the next, and any number of records come out, at any time up to the end of the shard. What
 * it gives goes on at once, so only the function itself can let something pile up. It is called at
 * the end of every shard, also of one without records. A function that wants no more records has
 * the source stopped, unless a sink in between needs them all. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/function.h"
#include "ops/op_list.h"

enum {
    KEEP_BYTES_MAX = ZN_MIB /* an answer larger than this gives its memory back */
};

typedef struct sharder {
    zn_function *function;
    zn_buf out;
    bool is_done; /* wants no more of the shard */
} sharder;

static zonda_err open_function(zn_op *op, zonda_error *error) {
    zn_function *function = NULL;
    zonda_err err = zn_function_bind(op, "function", ZN_CALL_SHARD, &function, error);
    if (err != ZONDA_OK) {
        return err;
    }
    sharder *self = ZN_NEW(sharder);
    self->function = function;
    op->state = self;
    return ZONDA_OK;
}

static void close_function(zn_op *op) {
    sharder *self = op->state;
    if (self == NULL) {
        return;
    }
    zn_function_unbind(&self->function);
    zn_buf_free(&self->out);
    free(self);
    op->state = NULL;
}

static zonda_err begin_shard(zn_op *op, zonda_task *task, zonda_error *error) {
    sharder *self = op->state;
    self->is_done = false;
    return zn_function_begin(self->function, task, error);
}

static zonda_err push_record(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    sharder *self = op->state;
    if (self->is_done) {
        return zn_op_enough(op, task, error);
    }
    bool more = true;
    zn_buf_reset(&self->out, KEEP_BYTES_MAX);
    zonda_err err = zn_function_call(self->function, task, &record, &self->out, &more, error);
    if (err != ZONDA_OK) {
        return err;
    }
    self->is_done = !more;
    err = zn_op_emit_all(op, task, zn_buf_bytes(&self->out), error);
    return err == ZONDA_OK && self->is_done ? zn_op_enough(op, task, error) : err;
}

static zonda_err end_shard(zn_op *op, zonda_task *task, zonda_error *error) {
    sharder *self = op->state;
    zn_buf_reset(&self->out, KEEP_BYTES_MAX);
    zonda_err err = zn_function_finish(self->function, task, &self->out, error);
    if (err != ZONDA_OK) {
        return err;
    }
    zn_function_end(self->function, task);
    return zn_op_emit_all(op, task, zn_buf_bytes(&self->out), error);
}

static void abort_shard(zn_op *op, zonda_task *task) {
    sharder *self = op->state;
    zn_function_end(self->function, task);
}

static const zn_op_runtime map_shard_runtime = {
    .open = open_function,
    .close = close_function,
    .begin = begin_shard,
    .push = push_record,
    .end = end_shard,
    .abort = abort_shard,
};

static const zn_arg_def map_shard_args[] = {
    { .name = "function",
      .type = ZN_ARG_FUNCTION,
      .use = ZN_ARG_POSITIONAL,
      .block = true,
      .doc = "gets an iterator of the shard (items), its index and total (shard), and emit" },
};

const zn_op_def zn_op_map_shard = { .name = "map_shard",
                                    .op_class = ZN_OP_NARROW,
                                    ZN_ARGS(map_shard_args),
                                    .runtime = &map_shard_runtime,
                                    .doc = "a function over each shard as a whole" };
