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

const zn_op_runtime zn_run_map = { .open = open_map, .push = push_map, AROUND_FUNCTION };

const zn_op_runtime zn_run_flat_map = { .open = open_flat_map,
                                        .push = push_flat_map,
                                        AROUND_FUNCTION };

const zn_op_runtime zn_run_filter = { .open = open_filter, .push = push_filter, AROUND_FUNCTION };
