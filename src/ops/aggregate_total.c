/* SPDX-License-Identifier: MPL-2.0 */
/* The reduce side of aggregate. The rows of a group come one after the other: first those with
 * states, in the order of shards, then those of values, set by set in key order. So one group is in
 * memory at a time, and of the values of a set only the one at hand. The rows come from other
 * workers; what no shard could have given is CORRUPT.
 *
 * Without a key there is one group, which is there even if no shard gave a row. */
#include "ops/aggregate_total.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/aggregate_state.h"
#include "ops/exchange.h"
#include "record/key.h"

enum {
    KEEP_BYTES_MAX = ZN_MIB
};

typedef struct totalling {
    zn_aggregate aggregate;
    zn_exchange *exchange;
    zn_aggregate_heap heap;
    uint64_t charged;
    uint8_t *states; /* of the group at hand */
    size_t states_bytes;
    bool has_group;
    zn_buf group;     /* its key */
    zn_buf value_key; /* of the set's value at hand, with the number of the set; empty: none */
    zn_buf value;
    uint64_t occurrences; /* of it */
    uint32_t set;
    zn_buf record;
} totalling;

static void close_total(zn_op *op) {
    totalling *self = op->state;
    if (self == NULL) {
        return;
    }
    zn_exchange_destroy(&self->exchange);
    free(self->states);
    zn_aggregate_free(&self->aggregate);
    zn_buf_free(&self->heap.key);
    zn_buf_free(&self->group);
    zn_buf_free(&self->value_key);
    zn_buf_free(&self->value);
    zn_buf_free(&self->record);
    free(self);
    op->state = NULL;
}

static zonda_err open_total(zn_op *op, zonda_error *error) {
    zn_aggregate aggregate;
    zonda_err err = zn_aggregate_read(op->args, &aggregate, error);
    if (err != ZONDA_OK) {
        return err;
    }
    totalling *self = ZN_NEW(totalling);
    op->state = self;
    self->aggregate = aggregate;
    self->states_bytes = zn_aggregate_states_bytes(&aggregate);
    self->states = zn_calloc(1, self->states_bytes);
    self->heap.value_bytes = UINT64_MAX;
    self->exchange = zn_exchange_new(op, error);
    return self->exchange == NULL ? error->code : ZONDA_OK;
}

/* What a group holds cannot be spilled: it becomes one record. */
static void charge(totalling *self, zn_memory *memory, uint64_t bytes) {
    if (bytes > self->charged) {
        zn_memory_force(memory, bytes - self->charged);
    } else {
        zn_memory_give(memory, self->charged - bytes);
    }
    self->charged = bytes;
}

static void drop_group(totalling *self, zn_memory *memory) {
    zn_aggregate_states_clear(&self->aggregate, &self->heap, self->states);
    zn_buf_reset(&self->value, KEEP_BYTES_MAX);
    self->value_key.len = 0;
    self->has_group = false;
    charge(self, memory, 0);
}

static void begin_group(totalling *self, zn_bytes key) {
    self->has_group = true;
    self->group.len = 0;
    zn_buf_append(&self->group, key.data, key.len);
    self->value_key.len = 0;
    self->heap.room = ZN_RECORD_BYTES_MAX;
}

/* Gives the value at hand to the expressions over its set. */
static zonda_err end_value(totalling *self, zonda_error *error) {
    uint8_t *state = self->states;
    zonda_err err = ZONDA_OK;
    for (uint32_t i = 0; self->value_key.len > 0 && i < self->aggregate.count; i++) {
        const zn_aggregate_expr *expr = &self->aggregate.exprs[i];
        const zn_aggregate_kind_def *def = zn_aggregate_kind_def_of(expr->kind);
        if (def->take != NULL && expr->set == self->set && err == ZONDA_OK) {
            err = def->take(&self->heap, expr, state, zn_buf_bytes(&self->value), self->occurrences,
                            error);
        }
        state += def->bytes;
    }
    self->value_key.len = 0;
    return err;
}

/* Reads number of the set and value from behind the group's key. */
static zonda_err begin_value(totalling *self, zn_bytes key, zn_bytes given, zonda_error *error) {
    zn_buf index = { 0 };
    size_t first = zn_key_first(key);
    zonda_err err = first == 0 ? zn_aggregate_corrupt(error) : zn_key_value(key, &index, error);
    if (err == ZONDA_OK) {
        zn_value head = zn_value_head(zn_buf_bytes(&index));
        bool known = head.type == ZN_VALUE_INT && head.integer >= 0 &&
                     head.integer < (int64_t)self->aggregate.set_count;
        self->set = known ? (uint32_t)head.integer : 0;
        err = known ? ZONDA_OK : zn_aggregate_corrupt(error);
    }
    zn_buf_free(&index);
    zn_buf_reset(&self->value, KEEP_BYTES_MAX);
    if (err == ZONDA_OK && given.len > 0) {
        zn_buf_append(&self->value, given.data, given.len);
    } else if (err == ZONDA_OK) {
        err = zn_key_value((zn_bytes){ key.data + first, key.len - first }, &self->value, error);
    }
    if (err == ZONDA_OK) {
        self->occurrences = 0;
        zn_buf_append(&self->value_key, key.data, key.len);
    }
    return err;
}

/* A row of a value; `key` is what is behind the group's. */
static zonda_err take_value(totalling *self, zn_bytes key, zn_bytes record, zonda_error *error) {
    zn_cursor cursor = zn_cursor_of(record);
    zn_value head = zn_cursor_read(&cursor);
    zn_bytes given = { 0 };
    if (head.type == ZN_VALUE_ARRAY && head.count == 2) {
        head = zn_value_head(zn_cursor_skip(&cursor));
        given = zn_cursor_skip(&cursor);
    }
    if (head.type != ZN_VALUE_INT || head.integer <= 0) {
        return zn_aggregate_corrupt(error);
    }
    zonda_err err = ZONDA_OK;
    if (!zn_bytes_equal(key, zn_buf_bytes(&self->value_key))) {
        err = end_value(self, error);
        if (err == ZONDA_OK) {
            err = begin_value(self, key, given, error);
        }
    }
    self->occurrences += (uint64_t)head.integer;
    return err;
}

/* The fields that the key becomes. */
static zonda_err put_key_fields(totalling *self, zonda_error *error) {
    zn_buf value = { 0 };
    zonda_err err = ZONDA_OK;
    if (self->aggregate.by_count > 0) {
        err = zn_key_value(zn_buf_bytes(&self->group), &value, error);
    }
    zn_cursor cursor = zn_cursor_of(zn_buf_bytes(&value));
    if (err == ZONDA_OK && self->aggregate.by_list) {
        zn_value head = zn_cursor_read(&cursor);
        if (head.type != ZN_VALUE_ARRAY || head.count != self->aggregate.by_count) {
            err = zn_aggregate_corrupt(error);
        }
    }
    for (uint32_t i = 0; i < self->aggregate.by_count && err == ZONDA_OK; i++) {
        zn_bytes part = zn_cursor_skip(&cursor);
        zn_put_string(&self->record, self->aggregate.by[i]);
        zn_buf_append(&self->record, part.data, part.len);
    }
    zn_buf_free(&value);
    return err;
}

static zonda_err put_results(totalling *self, zonda_error *error) {
    uint8_t *state = self->states;
    zonda_err err = ZONDA_OK;
    for (uint32_t i = 0; i < self->aggregate.count && err == ZONDA_OK; i++) {
        const zn_aggregate_expr *expr = &self->aggregate.exprs[i];
        const zn_aggregate_kind_def *def = zn_aggregate_kind_def_of(expr->kind);
        zn_put_string(&self->record, expr->name);
        err = def->result(&self->heap, expr, state, &self->record, error);
        state += def->bytes;
    }
    return err;
}

/* Lists make records larger and deeper than those that they come from. What has fewer bytes than
 * there may be levels is neither: its parts are values that somebody has checked. */
static zonda_err check_record(const totalling *self, zonda_error *error) {
    if (self->record.len <= ZN_RECORD_DEPTH_MAX) {
        return ZONDA_OK;
    }
    zonda_err err = zn_value_check(zn_buf_bytes(&self->record), error);
    if (err != ZONDA_OK) {
        zn_error_prefix(error, "aggregate makes a record that cannot be one: ");
        error->permanent = true;
    }
    return err;
}

static zonda_err end_group(zn_op *op, zonda_task *task, zonda_error *error) {
    totalling *self = op->state;
    if (!self->has_group) {
        return ZONDA_OK;
    }
    zonda_err err = end_value(self, error);
    zn_buf_reset(&self->record, KEEP_BYTES_MAX);
    zn_put_map(&self->record, self->aggregate.by_count + self->aggregate.count);
    if (err == ZONDA_OK) {
        err = put_key_fields(self, error);
    }
    if (err == ZONDA_OK) {
        err = put_results(self, error);
    }
    if (err == ZONDA_OK) {
        err = check_record(self, error);
    }
    drop_group(self, task->host->memory);
    return err == ZONDA_OK ? zn_op_emit(op, task, zn_buf_bytes(&self->record), error) : err;
}

static zonda_err take_row(zn_op *op, zonda_task *task, const zn_row *row, zonda_error *error) {
    totalling *self = op->state;
    zn_bytes group = zn_buf_bytes(&self->group);
    zonda_err err = ZONDA_OK;
    bool same = self->has_group && row->key.len >= group.len &&
                memcmp(row->key.data, group.data, group.len) == 0;
    if (!same) {
        group = (zn_bytes){ row->key.data, zn_key_first(row->key) };
        err = group.len == 0 ? zn_aggregate_corrupt(error) : end_group(op, task, error);
        if (err != ZONDA_OK) {
            return err;
        }
        begin_group(self, group);
    }
    zn_bytes rest = { row->key.data + group.len, row->key.len - group.len };
    err = rest.len > 0 ? take_value(self, rest, row->record, error)
                       : zn_aggregate_states_merge(&self->aggregate, &self->heap, self->states,
                                                   row->record, error);
    charge(self, task->host->memory, self->heap.bytes + self->value.capacity);
    return err;
}

static zonda_err begin_total(zn_op *op, zonda_task *task, zonda_error *error) {
    totalling *self = op->state;
    drop_group(self, task->host->memory);
    return zn_exchange_begin(self->exchange, task, error);
}

static zonda_err run_total(zn_op *op, zonda_task *task, zonda_error *error) {
    totalling *self = op->state;
    zonda_err err = ZONDA_OK;
    bool found = true;
    bool any = false;
    while (err == ZONDA_OK && found) {
        zn_row row;
        err = zn_exchange_next(self->exchange, task, &row, NULL, &found, error);
        if (err == ZONDA_OK && found) {
            any = true;
            err = take_row(op, task, &row, error);
        }
    }
    if (err == ZONDA_OK && !any && self->aggregate.by_count == 0) {
        begin_group(self, (zn_bytes){ 0 });
    }
    return err == ZONDA_OK ? end_group(op, task, error) : err;
}

static zonda_err end_total(zn_op *op, zonda_task *task, zonda_error *error) {
    (void)error;
    totalling *self = op->state;
    zn_exchange_end(self->exchange, task);
    return ZONDA_OK;
}

static void abort_total(zn_op *op, zonda_task *task) {
    totalling *self = op->state;
    drop_group(self, task->host->memory);
    zn_exchange_end(self->exchange, task);
}

const zn_op_runtime zn_aggregate_total_runtime = {
    .open = open_total,
    .close = close_total,
    .begin = begin_total,
    .run = run_total,
    .end = end_total,
    .abort = abort_total,
};
