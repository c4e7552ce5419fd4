/* SPDX-License-Identifier: MPL-2.0 */
/* The end of the right side of a broadcast join: gives the key of each record, as a binary, and
 * behind it the record. Keys with nil match nothing, so they are not given. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/key_source.h"
#include "ops/op_list.h"
#include "record/key.h"
#include "record/value.h"

typedef struct rows {
    zn_key_source *keys;
    bool only_keys;
    zn_buf key;
    zn_buf value; /* the key as a value */
} rows;

static zonda_err open_rows(zn_op *op, zonda_error *error) {
    zn_key_source *keys = NULL;
    zonda_err err = zn_key_source_bind(op, "by", &keys, error);
    if (err != ZONDA_OK) {
        return err;
    }
    rows *self = ZN_NEW(rows);
    self->keys = keys;
    zn_value_field_bool(op->args, "only_keys", &self->only_keys);
    op->state = self;
    return ZONDA_OK;
}

static void close_rows(zn_op *op) {
    rows *self = op->state;
    if (self == NULL) {
        return;
    }
    zn_key_source_unbind(&self->keys);
    zn_buf_free(&self->key);
    zn_buf_free(&self->value);
    free(self);
    op->state = NULL;
}

static zonda_err begin_rows(zn_op *op, zonda_task *task, zonda_error *error) {
    rows *self = op->state;
    return zn_key_source_begin(self->keys, task, error);
}

static zonda_err push_record(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    rows *self = op->state;
    self->key.len = 0;
    self->value.len = 0;
    zonda_err err = zn_key_source_put(self->keys, task, record, &self->key, error);
    if (err != ZONDA_OK) {
        zn_error_prefix(error, "right side: ");
        return err;
    }
    if (zn_key_has_nil(zn_buf_bytes(&self->key))) {
        return ZONDA_OK;
    }
    zn_put_binary(&self->value, zn_buf_bytes(&self->key));
    err = zn_op_emit(op, task, zn_buf_bytes(&self->value), error);
    return err != ZONDA_OK || self->only_keys ? err : zn_op_emit(op, task, record, error);
}

static void let_go(zn_op *op, zonda_task *task) {
    rows *self = op->state;
    zn_key_source_end(self->keys, task);
    zn_buf_reset(&self->key, ZN_MIB);
    zn_buf_reset(&self->value, ZN_MIB);
}

static zonda_err end_rows(zn_op *op, zonda_task *task, zonda_error *error) {
    (void)error;
    let_go(op, task);
    return ZONDA_OK;
}

static const zn_op_runtime rows_runtime = {
    .open = open_rows,
    .close = close_rows,
    .begin = begin_rows,
    .push = push_record,
    .end = end_rows,
    .abort = let_go,
};

static const zn_arg_def rows_args[] = {
    { .name = "by",
      .type = ZN_ARG_KEY,
      .use = ZN_ARG_POSITIONAL,
      .doc = "the key of the right side" },
    { .name = "only_keys",
      .type = ZN_ARG_BOOL,
      .use = ZN_ARG_OPTION,
      .doc = "records are not wanted" },
};

const zn_op_def zn_op_join_rows = { .name = "join_rows",
                                    .op_class = ZN_OP_INNER,
                                    ZN_ARGS(rows_args),
                                    .runtime = &rows_runtime,
                                    .doc = "each record behind its key" };
