/* SPDX-License-Identifier: MPL-2.0 */
/* Lists of records in a row that a user function delimits. It gets a state and a record and says
 * whether the record still belongs to the window, and what the next state is. If it does not, the
 * window is closed, the state starts again at init, and the record, which opens the next window, is
 * applied to it; what the function says to an opening record about going on does not matter. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/function.h"
#include "ops/op_list.h"
#include "ops/window.h"
#include "record/value.h"

enum {
    KEEP_BYTES_MAX = ZN_MIB
};

typedef struct windowing {
    zn_function *function;
    zn_bytes init;
    zn_window window;
    zn_buf state;
    zn_buf next;
} windowing;

static zonda_err open_window(zn_op *op, zonda_error *error) {
    static const uint8_t nil[] = { 0xc0 };
    zn_function *function = NULL;
    zonda_err err = zn_function_bind(op, "function", ZN_CALL_WINDOW, &function, error);
    if (err != ZONDA_OK) {
        return err;
    }
    windowing *self = ZN_NEW(windowing);
    self->function = function;
    self->init = (zn_bytes){ .data = nil, .len = sizeof nil };
    zn_value_field(op->args, zn_bytes_of_text("init"), &self->init);
    op->state = self;
    return ZONDA_OK;
}

static void close_window(zn_op *op) {
    windowing *self = op->state;
    if (self == NULL) {
        return;
    }
    zn_function_unbind(&self->function);
    zn_window_free(&self->window);
    zn_buf_free(&self->state);
    zn_buf_free(&self->next);
    free(self);
    op->state = NULL;
}

static zonda_err begin_window(zn_op *op, zonda_task *task, zonda_error *error) {
    windowing *self = op->state;
    zn_window_reset(&self->window);
    zn_buf_reset(&self->state, KEEP_BYTES_MAX);
    zn_buf_append(&self->state, self->init.data, self->init.len);
    return zn_function_begin(self->function, task, error);
}

/* Applies the function to a state, and keeps the next one. */
static zonda_err apply(windowing *self, zonda_task *task, zn_bytes state, zn_bytes record,
                       bool *go_on, zonda_error *error) {
    zn_bytes args[] = { state, record };
    zn_buf_reset(&self->next, KEEP_BYTES_MAX);
    zonda_err err = zn_function_call(self->function, task, args, &self->next, go_on, error);
    if (err == ZONDA_OK) {
        zn_buf old = self->state;
        self->state = self->next;
        self->next = old;
    }
    return err;
}

static zonda_err push_record(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    windowing *self = op->state;
    bool go_on = true;
    zonda_err err = apply(self, task, zn_buf_bytes(&self->state), record, &go_on, error);
    if (err == ZONDA_OK && !go_on && self->window.count > 0) {
        err = zn_window_emit(&self->window, op, task, error);
        if (err == ZONDA_OK) {
            err = apply(self, task, self->init, record, &go_on, error);
        }
    }
    return err != ZONDA_OK ? err : zn_window_add(&self->window, op, record, error);
}

static zonda_err end_window(zn_op *op, zonda_task *task, zonda_error *error) {
    windowing *self = op->state;
    zn_function_end(self->function, task);
    return zn_window_emit(&self->window, op, task, error);
}

static void abort_window(zn_op *op, zonda_task *task) {
    windowing *self = op->state;
    zn_function_end(self->function, task);
}

static const zn_op_runtime window_by_runtime = {
    .open = open_window,
    .close = close_window,
    .begin = begin_window,
    .push = push_record,
    .end = end_window,
    .abort = abort_window,
};

static const zn_arg_def window_by_args[] = {
    { .name = "function",
      .type = ZN_ARG_FUNCTION,
      .use = ZN_ARG_POSITIONAL,
      .pair = true,
      .doc = "gets the state (a) and a record; gives whether to go on, and the next state" },
    { .name = "init",
      .type = ZN_ARG_VALUE,
      .use = ZN_ARG_OPTIONAL,
      .doc = "the state that each window begins with; nil if not given" },
};

const zn_op_def zn_op_window_by = { .name = "window_by",
                                    .op_class = ZN_OP_NARROW,
                                    ZN_ARGS(window_by_args),
                                    .runtime = &window_by_runtime,
                                    .doc = "lists of records in a row, until a function says no" };
