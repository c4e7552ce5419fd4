/* SPDX-License-Identifier: MPL-2.0 */
/* A join inside the stage of its left side. The right side is a stage of its own that ends with
 * join_rows, which gives each record behind its key, so that a key that cannot be made is an error
 * of that stage, at its file and line. Every slot reads that stage once into a table, before the
 * first task that it runs of the left one. Records come in the order of the left side. Right
 * records without a partner cannot be in the result, because no task knows what the others have
 * met.
 *
 * The table stays from task to task and is charged to the slot's account for as long as the
 * stage is open; what the account refuses lies in a temporary file. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/join_record.h"
#include "ops/join_table.h"
#include "ops/key_source.h"
#include "ops/op_list.h"
#include "ops/stage_results.h"
#include "record/key.h"
#include "record/value.h"

enum {
    KEEP_BYTES_MAX = ZN_MIB
};

typedef struct broadcast {
    zn_join_record *record;
    zn_key_source *keys;       /* of the left side */
    zn_stage_results *results; /* NULL: the right side has no shards */
    zn_join_table *table;      /* NULL: not read yet */
    zn_buf key;
    bool has_key; /* while the right side is read: its record comes next */
    /* The running call, for callbacks. */
    zn_op *op;
    zonda_task *task;
    zn_bytes left;
} broadcast;

static void close_broadcast(zn_op *op) {
    broadcast *self = op->state;
    if (self == NULL) {
        return;
    }
    zn_join_table_destroy(&self->table);
    zn_stage_results_destroy(&self->results);
    zn_key_source_unbind(&self->keys);
    zn_join_record_unbind(&self->record);
    zn_buf_free(&self->key);
    free(self);
    op->state = NULL;
}

static zonda_err open_broadcast(zn_op *op, zonda_error *error) {
    uint64_t stage = 0;
    bool empty = false;
    zn_value_field_bool(op->args, "empty", &empty);
    if (!empty && !zn_value_field_uint(op->args, "stage", &stage)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the join does not say which stage to read");
    }
    broadcast *self = ZN_NEW(broadcast);
    op->state = self;
    self->op = op;
    zonda_err err = zn_join_record_bind(op, &self->record, error);
    if (err == ZONDA_OK && zn_join_how_keeps_right(zn_join_record_how(self->record))) {
        err = zn_error_set(error, ZONDA_ERR_PLAN, "a broadcast join cannot keep right records");
    }
    if (err == ZONDA_OK) {
        err = zn_key_source_bind(op, "by", &self->keys, error);
    }
    if (err == ZONDA_OK && !empty) {
        self->results = zn_stage_results_new(op, (zn_stage_id){ (uint32_t)stage });
    }
    return err;
}

static bool has_pairs(const broadcast *self) {
    return zn_join_how_has_pairs(zn_join_record_how(self->record));
}

/* Takes what join_rows gives: a key, and behind it the record if there are to be pairs. */
static zonda_err add_right(void *context, zn_bytes value, zonda_error *error) {
    broadcast *self = context;
    if (self->has_key) {
        self->has_key = false;
        return zn_join_table_add(self->table, zn_buf_bytes(&self->key), value, error);
    }
    zn_value head = zn_value_head(value);
    if (head.type != ZN_VALUE_BINARY) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "the right side has a record without a key");
    }
    if (!has_pairs(self)) {
        return zn_join_table_add(self->table, head.bytes, (zn_bytes){ 0 }, error);
    }
    self->key.len = 0;
    zn_buf_append(&self->key, head.bytes.data, head.bytes.len);
    self->has_key = true;
    return ZONDA_OK;
}

static zonda_err read_right(broadcast *self, zonda_error *error) {
    self->has_key = false;
    zonda_err err = self->results == NULL
                        ? ZONDA_OK
                        : zn_stage_results_read(self->results, add_right, self, error);
    if (err == ZONDA_OK && self->has_key) {
        err = zn_error_set(error, ZONDA_ERR_CORRUPT, "the right side has a key without a record");
    }
    if (err == ZONDA_OK) {
        zn_join_table_finish(self->table);
    }
    return err;
}

static zonda_err make_table(broadcast *self, zonda_error *error) {
    if (self->table != NULL) {
        return ZONDA_OK;
    }
    const zn_task_host *host = zn_stage_exec_host(self->op->stage);
    self->table = zn_join_table_new(host->memory, host->scratch);
    zonda_err err = read_right(self, error);
    if (err != ZONDA_OK) {
        zn_join_table_destroy(&self->table);
    }
    return err;
}

static zonda_err begin_broadcast(zn_op *op, zonda_task *task, zonda_error *error) {
    broadcast *self = op->state;
    self->task = task;
    zonda_err err = make_table(self, error);
    if (err == ZONDA_OK) {
        err = zn_key_source_begin(self->keys, task, error);
    }
    return err != ZONDA_OK ? err : zn_join_record_begin(self->record, task, error);
}

static zonda_err emit_pair(void *context, zn_bytes right, zonda_error *error) {
    broadcast *self = context;
    zn_bytes record = { 0 };
    zonda_err err =
        zn_join_record_make(self->record, self->task, self->left, right, &record, error);
    return err != ZONDA_OK ? err : zn_op_emit(self->op, self->task, record, error);
}

static zonda_err push_left(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    broadcast *self = op->state;
    self->task = task;
    self->left = record;
    self->key.len = 0;
    zonda_err err = zn_key_source_put(self->keys, task, record, &self->key, error);
    if (err != ZONDA_OK) {
        zn_error_prefix(error, "left side: ");
        return err;
    }
    zn_bytes key = zn_buf_bytes(&self->key);
    zn_join_how how = zn_join_record_how(self->record);
    uint32_t first = ZN_JOIN_TABLE_NONE;
    if (!zn_key_has_nil(key)) {
        err = zn_join_table_find(self->table, key, &first, error);
    }
    if (err != ZONDA_OK) {
        return err;
    }
    bool has_partner = first != ZN_JOIN_TABLE_NONE;
    if (has_partner && has_pairs(self)) {
        return zn_join_table_each(self->table, first, emit_pair, self, error);
    }
    bool wanted = has_partner ? how == ZN_JOIN_SEMI : zn_join_how_keeps_left(how);
    return wanted ? emit_pair(self, (zn_bytes){ 0 }, error) : ZONDA_OK;
}

static void let_go(zn_op *op, zonda_task *task) {
    broadcast *self = op->state;
    zn_key_source_end(self->keys, task);
    zn_join_record_end(self->record, task);
    zn_buf_reset(&self->key, KEEP_BYTES_MAX);
}

static zonda_err end_broadcast(zn_op *op, zonda_task *task, zonda_error *error) {
    (void)error;
    let_go(op, task);
    return ZONDA_OK;
}

static const zn_op_runtime broadcast_runtime = {
    .open = open_broadcast,
    .close = close_broadcast,
    .begin = begin_broadcast,
    .push = push_left,
    .end = end_broadcast,
    .abort = let_go,
};

static const zn_arg_def broadcast_args[] = {
    ZN_JOIN_RECORD_ARGS,
    { .name = "by",
      .type = ZN_ARG_KEY,
      .use = ZN_ARG_POSITIONAL,
      .doc = "the key of the left side" },
    { .name = "stage",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_OPTION,
      .max = ZN_STAGES_MAX,
      .doc = "index of the stage that is the right side" },
    { .name = "empty",
      .type = ZN_ARG_BOOL,
      .use = ZN_ARG_OPTION,
      .doc = "that stage had no shards" },
};

const zn_op_def zn_op_join_broadcast = { .name = "join_broadcast",
                                         .op_class = ZN_OP_INNER,
                                         ZN_ARGS(broadcast_args),
                                         .runtime = &broadcast_runtime,
                                         .doc = "pairs each record with those of a whole stage" };
