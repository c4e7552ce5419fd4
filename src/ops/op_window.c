/* SPDX-License-Identifier: MPL-2.0 */
/* Lists of n records in a row. Windows do not reach over the end of a shard; the last one of a
 * shard may be shorter. A window is a record: it must stay below the size limit of records, which
 * also bounds what is kept here, and being a list it is one level deeper than what is in it. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/narrow.h"
#include "ops/op_list.h"
#include "ops/window.h"
#include "record/value.h"

enum {
    KEEP_BYTES_MAX = ZN_MIB,
    HEAD_BYTES_MAX = 5 /* of an array */
};

void zn_window_reset(zn_window *window) {
    window->count = 0;
    zn_buf_reset(&window->records, KEEP_BYTES_MAX);
    zn_buf_reset(&window->list, KEEP_BYTES_MAX);
}

void zn_window_free(zn_window *window) {
    zn_buf_free(&window->records);
    zn_buf_free(&window->list);
}

zonda_err zn_window_add(zn_window *window, const zn_op *op, zn_bytes record, zonda_error *error) {
    zonda_err err =
        zn_narrow_check_size(op, window->records.len + record.len + HEAD_BYTES_MAX, error);
    if (err == ZONDA_OK) {
        zn_buf_append(&window->records, record.data, record.len);
        window->count++;
    }
    return err;
}

zonda_err zn_window_emit(zn_window *window, zn_op *op, zonda_task *task, zonda_error *error) {
    if (window->count == 0) {
        return ZONDA_OK;
    }
    window->list.len = 0;
    zn_put_array(&window->list, window->count);
    zn_buf_append(&window->list, window->records.data, window->records.len);
    window->count = 0;
    window->records.len = 0;
    zonda_err err = zn_value_check(zn_buf_bytes(&window->list), error);
    if (err != ZONDA_OK) {
        error->permanent = true;
        return err;
    }
    return zn_op_emit(op, task, zn_buf_bytes(&window->list), error);
}

typedef struct windowing {
    uint64_t size;
    zn_window window;
} windowing;

static zonda_err open_window(zn_op *op, zonda_error *error) {
    uint64_t size = 0;
    if (!zn_value_field_uint(op->args, "n", &size) || size == 0) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "window has no valid n");
    }
    windowing *self = ZN_NEW(windowing);
    self->size = size;
    op->state = self;
    return ZONDA_OK;
}

static void close_window(zn_op *op) {
    windowing *self = op->state;
    if (self == NULL) {
        return;
    }
    zn_window_free(&self->window);
    free(self);
    op->state = NULL;
}

static zonda_err begin_window(zn_op *op, zonda_task *task, zonda_error *error) {
    (void)task;
    (void)error;
    windowing *self = op->state;
    zn_window_reset(&self->window);
    return ZONDA_OK;
}

static zonda_err push_record(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    windowing *self = op->state;
    zonda_err err = zn_window_add(&self->window, op, record, error);
    if (err != ZONDA_OK || self->window.count < self->size) {
        return err;
    }
    return zn_window_emit(&self->window, op, task, error);
}

static zonda_err end_window(zn_op *op, zonda_task *task, zonda_error *error) {
    windowing *self = op->state;
    return zn_window_emit(&self->window, op, task, error);
}

static const zn_op_runtime window_runtime = {
    .open = open_window,
    .close = close_window,
    .begin = begin_window,
    .push = push_record,
    .end = end_window,
};

static const zn_arg_def window_args[] = {
    { .name = "n",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_POSITIONAL,
      .min = 1,
      .max = UINT32_MAX,
      .doc = "how many records are in a window" },
};

const zn_op_def zn_op_window = { .name = "window",
                                 .op_class = ZN_OP_NARROW,
                                 ZN_ARGS(window_args),
                                 .runtime = &window_runtime,
                                 .doc = "lists of records in a row, per shard" };
