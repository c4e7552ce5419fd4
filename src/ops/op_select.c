/* SPDX-License-Identifier: MPL-2.0 */
/* Keeps some fields of each record, in the given order; what a record does not have is left out. A
 * path "a.b" takes field b of field a and keeps it under the whole path as its name, so that "a.id"
 * and "b.id" do not collide. Works on the bytes: values are copied, never decoded. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/narrow.h"
#include "ops/op_list.h"
#include "record/value.h"

typedef struct selection {
    uint32_t count;
    zn_bytes *paths;  /* without the repeated ones */
    zn_bytes *values; /* of the record at hand; no bytes: not there */
    bool has_dots;    /* in some path; else one pass finds all fields */
    zn_buf out;
} selection;

static bool has_path(const selection *self, zn_bytes path) {
    for (uint32_t i = 0; i < self->count; i++) {
        if (zn_bytes_equal(self->paths[i], path)) {
            return true;
        }
    }
    return false;
}

static zonda_err open_select(zn_op *op, zonda_error *error) {
    zn_bytes fields;
    if (!zn_value_field(op->args, zn_bytes_of_text("fields"), &fields)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "select has no fields");
    }
    zn_cursor cursor = zn_cursor_of(fields);
    uint32_t given = zn_cursor_read(&cursor).count;
    selection *self = ZN_NEW(selection);
    self->paths = zn_calloc(given, sizeof *self->paths);
    self->values = zn_calloc(given, sizeof *self->values);
    for (uint32_t i = 0; i < given; i++) {
        zn_bytes path = zn_cursor_read(&cursor).bytes;
        if (!has_path(self, path)) {
            self->paths[self->count++] = path;
            self->has_dots = self->has_dots || (path.len > 0 && memchr(path.data, '.', path.len));
        }
    }
    op->state = self;
    return ZONDA_OK;
}

static void close_select(zn_op *op) {
    selection *self = op->state;
    if (self == NULL) {
        return;
    }
    free(self->paths);
    free(self->values);
    zn_buf_free(&self->out);
    free(self);
    op->state = NULL;
}

/* Fills in the values; returns how many are there. */
static uint32_t find_values(selection *self, zn_bytes record) {
    if (!self->has_dots) {
        zn_value_fields(record, self->paths, self->count, self->values);
    }
    uint32_t found = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->has_dots) {
            self->values[i].len = 0;
            zn_value_path(record, self->paths[i], &self->values[i]);
        }
        found += self->values[i].len > 0;
    }
    return found;
}

static zonda_err push_record(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    selection *self = op->state;
    zonda_err err = zn_narrow_check_map(op, record, error);
    if (err != ZONDA_OK) {
        return err;
    }
    uint32_t found = find_values(self, record);
    self->out.len = 0;
    zn_put_map(&self->out, found);
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->values[i].len > 0) {
            zn_put_string(&self->out, self->paths[i]);
            zn_buf_append(&self->out, self->values[i].data, self->values[i].len);
        }
    }
    /* "a" and "a.b" together may double a record. */
    err = zn_narrow_check_size(op, self->out.len, error);
    return err != ZONDA_OK ? err : zn_op_emit(op, task, zn_buf_bytes(&self->out), error);
}

static const zn_op_runtime select_runtime = {
    .open = open_select,
    .close = close_select,
    .push = push_record,
};

static const zn_arg_def select_args[] = {
    { .name = "fields",
      .type = ZN_ARG_TEXTS,
      .use = ZN_ARG_POSITIONAL,
      .doc = "fields to keep, in this order; a.b is field b of field a, kept under the name a.b" },
};

const zn_op_def zn_op_select = { .name = "select",
                                 .op_class = ZN_OP_NARROW,
                                 ZN_ARGS(select_args),
                                 .runtime = &select_runtime,
                                 .doc = "only the given fields of each record" };
