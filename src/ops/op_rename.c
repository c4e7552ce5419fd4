/* SPDX-License-Identifier: MPL-2.0 */
/* Gives fields of each record other names, in place: order and values stay. Names are those of the
 * record's own fields, dots have no meaning. All happens at once, so two fields can swap names. A
 * field that is not there is left out; a new name that another field has and keeps is an error,
 * because one of the two would be lost. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/narrow.h"
#include "ops/op_list.h"
#include "record/value.h"

/* Names of people in messages are cut. */
enum {
    SHOWN_BYTES_MAX = 64
};

typedef struct renaming {
    uint32_t count;
    zn_bytes *wanted; /* new names */
    zn_bytes *names;  /* the old name for each */
    bool *found;      /* in the record at hand */
    zn_buf out;
} renaming;

static zonda_err open_rename(zn_op *op, zonda_error *error) {
    zn_bytes fields;
    if (!zn_value_field(op->args, zn_bytes_of_text("fields"), &fields)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "rename has no fields");
    }
    zn_cursor cursor = zn_cursor_of(fields);
    renaming *self = ZN_NEW(renaming);
    self->count = zn_cursor_read(&cursor).count;
    self->wanted = zn_calloc(self->count, sizeof *self->wanted);
    self->names = zn_calloc(self->count, sizeof *self->names);
    self->found = zn_calloc(self->count, sizeof *self->found);
    for (uint32_t i = 0; i < self->count; i++) {
        self->wanted[i] = zn_cursor_read(&cursor).bytes;
        self->names[i] = zn_cursor_read(&cursor).bytes;
    }
    op->state = self;
    return ZONDA_OK;
}

static void close_rename(zn_op *op) {
    renaming *self = op->state;
    if (self == NULL) {
        return;
    }
    free(self->wanted);
    free(self->names);
    free(self->found);
    zn_buf_free(&self->out);
    free(self);
    op->state = NULL;
}

/* The place of a key in a list of names, or `count`. */
static uint32_t place_of(const renaming *self, const zn_bytes *names, zn_value key) {
    uint32_t i = 0;
    while (i < self->count &&
           (key.type != ZN_VALUE_STRING || !zn_bytes_equal(names[i], key.bytes))) {
        i++;
    }
    return i;
}

/* A new name must not meet a field that keeps its name. */
static zonda_err check_clash(const renaming *self, zn_bytes record, zonda_error *error) {
    zn_cursor cursor = zn_cursor_of(record);
    for (uint32_t left = zn_cursor_read(&cursor).count; left > 0; left--) {
        zn_value key = zn_value_head(zn_cursor_skip(&cursor));
        zn_cursor_skip(&cursor);
        uint32_t taken = place_of(self, self->wanted, key);
        if (taken == self->count || !self->found[taken] ||
            place_of(self, self->names, key) < self->count) {
            continue;
        }
        zn_bytes old = self->names[taken];
        zn_error_set(
            error, ZONDA_ERR_USER, "cannot rename \"%.*s\": the record has a field \"%.*s\"",
            (int)(old.len < SHOWN_BYTES_MAX ? old.len : SHOWN_BYTES_MAX), (const char *)old.data,
            (int)(key.bytes.len < SHOWN_BYTES_MAX ? key.bytes.len : SHOWN_BYTES_MAX),
            (const char *)key.bytes.data);
        error->permanent = true;
        return ZONDA_ERR_USER;
    }
    return ZONDA_OK;
}

static void copy_renamed(renaming *self, zn_bytes record) {
    zn_cursor cursor = zn_cursor_of(record);
    uint32_t pairs = zn_cursor_read(&cursor).count;
    self->out.len = 0;
    zn_put_map(&self->out, pairs);
    for (uint32_t i = 0; i < self->count; i++) {
        self->found[i] = false;
    }
    for (uint32_t i = 0; i < pairs; i++) {
        zn_bytes key = zn_cursor_skip(&cursor);
        zn_bytes value = zn_cursor_skip(&cursor);
        uint32_t place = place_of(self, self->names, zn_value_head(key));
        if (place < self->count) {
            self->found[place] = true;
            zn_put_string(&self->out, self->wanted[place]);
        } else {
            zn_buf_append(&self->out, key.data, key.len);
        }
        zn_buf_append(&self->out, value.data, value.len);
    }
}

static zonda_err push_record(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    renaming *self = op->state;
    zonda_err err = zn_narrow_check_map(op, record, error);
    if (err != ZONDA_OK) {
        return err;
    }
    copy_renamed(self, record);
    err = check_clash(self, record, error);
    if (err == ZONDA_OK) {
        err = zn_narrow_check_size(op, self->out.len, error);
    }
    return err != ZONDA_OK ? err : zn_op_emit(op, task, zn_buf_bytes(&self->out), error);
}

static const zn_op_runtime rename_runtime = {
    .open = open_rename,
    .close = close_rename,
    .push = push_record,
};

static const zn_arg_def rename_args[] = {
    { .name = "fields",
      .type = ZN_ARG_NAMES,
      .use = ZN_ARG_POSITIONAL,
      .doc = "the new name of each field and its old one: new=old" },
};

const zn_op_def zn_op_rename = { .name = "rename",
                                 .op_class = ZN_OP_NARROW,
                                 ZN_ARGS(rename_args),
                                 .runtime = &rename_runtime,
                                 .doc = "other names for fields, which keep place and value" };
