/* SPDX-License-Identifier: MPL-2.0 */
/* map, flat_map and filter: a user function on each record. What the function gives for one record
 * is emitted before the next record comes, so nothing piles up but the answer to one record. */
#include <stdlib.h>

#include "base/alloc.h"
#include "ops/function.h"
#include "ops/op_list.h"

enum {
    KEEP_BYTES_MAX = 1024 * 1024 /* an answer larger than this gives its memory back */
};

typedef struct mapper {
    zn_function *function;
    zn_buf out;
} mapper;

static zonda_err open_form(zn_op *op, zn_call_form form, zonda_error *error) {
    zn_function *function = NULL;
    zonda_err err = zn_function_bind(op, "function", form, &function, error);
    if (err != ZONDA_OK) {
        return err;
    }
    mapper *self = ZN_NEW(mapper);
    self->function = function;
    op->state = self;
    return ZONDA_OK;
}

static zonda_err open_map(zn_op *op, zonda_error *error) {
    return open_form(op, ZN_CALL_MAP, error);
}

static zonda_err open_flat_map(zn_op *op, zonda_error *error) {
    return open_form(op, ZN_CALL_FLAT_MAP, error);
}

static zonda_err open_filter(zn_op *op, zonda_error *error) {
    return open_form(op, ZN_CALL_FILTER, error);
}

static void close_function(zn_op *op) {
    mapper *self = op->state;
    if (self == NULL) {
        return;
    }
    zn_function_unbind(&self->function);
    zn_buf_free(&self->out);
    free(self);
    op->state = NULL;
}

static zonda_err begin_function(zn_op *op, zonda_task *task, zonda_error *error) {
    mapper *self = op->state;
    return zn_function_begin(self->function, task, error);
}

static zonda_err end_function(zn_op *op, zonda_task *task, zonda_error *error) {
    (void)error;
    mapper *self = op->state;
    zn_function_end(self->function, task);
    return ZONDA_OK;
}

static void abort_function(zn_op *op, zonda_task *task) {
    mapper *self = op->state;
    zn_function_end(self->function, task);
}

static zonda_err call(mapper *self, zonda_task *task, zn_bytes record, zonda_error *error) {
    zn_buf_reset(&self->out, KEEP_BYTES_MAX);
    return zn_function_call(self->function, task, &record, &self->out, NULL, error);
}

static zonda_err push_map(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    mapper *self = op->state;
    zonda_err err = call(self, task, record, error);
    return err != ZONDA_OK ? err : zn_op_emit(op, task, zn_buf_bytes(&self->out), error);
}

static zonda_err push_flat_map(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    mapper *self = op->state;
    zonda_err err = call(self, task, record, error);
    return err != ZONDA_OK ? err : zn_op_emit_all(op, task, zn_buf_bytes(&self->out), error);
}

static zonda_err push_filter(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    mapper *self = op->state;
    bool truth = false;
    zonda_err err = zn_function_call(self->function, task, &record, NULL, &truth, error);
    if (err != ZONDA_OK || !truth) {
        return err;
    }
    return zn_op_emit(op, task, record, error);
}

#define AROUND_FUNCTION                                                                            \
    .close = close_function, .begin = begin_function, .end = end_function, .abort = abort_function

static const zn_op_runtime map_runtime = { .open = open_map, .push = push_map, AROUND_FUNCTION };

static const zn_op_runtime flat_map_runtime = { .open = open_flat_map,
                                                .push = push_flat_map,
                                                AROUND_FUNCTION };

static const zn_op_runtime filter_runtime = { .open = open_filter,
                                              .push = push_filter,
                                              AROUND_FUNCTION };

static const zn_arg_def map_args[] = {
    { .name = "function",
      .type = ZN_ARG_FUNCTION,
      .use = ZN_ARG_POSITIONAL,
      .doc = "gets a record, gives a record" },
};

const zn_op_def zn_op_map = { .name = "map",
                              .op_class = ZN_OP_NARROW,
                              ZN_ARGS(map_args),
                              .runtime = &map_runtime,
                              .doc = "one record for each" };

static const zn_arg_def flat_map_args[] = {
    { .name = "function",
      .type = ZN_ARG_FUNCTION,
      .use = ZN_ARG_POSITIONAL,
      .block = true,
      .doc = "gets a record, gives any number of records" },
};

const zn_op_def zn_op_flat_map = { .name = "flat_map",
                                   .op_class = ZN_OP_NARROW,
                                   ZN_ARGS(flat_map_args),
                                   .runtime = &flat_map_runtime,
                                   .doc = "any number of records for each" };

static const zn_arg_def filter_args[] = {
    { .name = "function",
      .type = ZN_ARG_FUNCTION,
      .use = ZN_ARG_POSITIONAL,
      .doc = "gets a record; false and nil drop it" },
};

const zn_op_def zn_op_filter = { .name = "filter",
                                 .op_class = ZN_OP_NARROW,
                                 ZN_ARGS(filter_args),
                                 .runtime = &filter_runtime,
                                 .doc = "the records for which the function is true" };
