/* SPDX-License-Identifier: MPL-2.0 */
/* The map side of aggregate. Records go into states in a hash table; when memory is refused, or the
 * shard ends, the table becomes rows for the shuffle behind (aggregate_rows), and begins anew.
 * There are two kinds of rows, both keyed by the group first, so that they meet in one partition:
 *
 *   group                states of all expressions (aggregate_state.h)
 *   group, set, value    how many records have that value: a number, or [number, value] where the
 *                        key does not give the value back as it was
 *
 * Values of distinct and quantile have rows of their own so that they are sorted on the way, and a
 * group of any size needs no memory for them. A list that grows large goes on as a row, too. How
 * often a table was given on cannot be seen in the result: that is what states are made for. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/aggregate_batch.h"
#include "ops/aggregate_fields.h"
#include "ops/aggregate_state.h"
#include "ops/aggregate_table.h"
#include "ops/aggregate_total.h"
#include "ops/key_source.h"
#include "ops/op_list.h"
#include "ops/shuffle.h"
#include "record/key.h"
#include "record/row.h"

enum {
    TAG_GROUP = 0,
    TAG_VALUE = 1,
    KEEP_BYTES_MAX = ZN_MIB
};

/* The state of a value of a set. */
typedef struct occurrences {
    uint64_t count;
    uint8_t *value; /* NULL: the key gives it back */
    uint64_t value_bytes;
} occurrences;

typedef struct aggregation {
    zn_aggregate aggregate;
    size_t states_bytes;
    zn_aggregate_fields fields;
    zn_key_source *by; /* NULL: all records are one group */
    zn_aggregate_table *table;
    zn_aggregate_batch batch;
    zn_aggregate_heap heap;
    zn_op *op;
    zonda_task *task; /* that runs */
    zn_buf all;       /* the key of all records where there is none: that of nil */
    uint32_t all_hash;
    zn_buf new_key; /* of the record that came last */
    zn_buf key;     /* of a value of the record that is worked on */
    zn_buf row;
} aggregation;

static void close_aggregate(zn_op *op) {
    aggregation *self = op->state;
    if (self == NULL) {
        return;
    }
    zn_aggregate_fields_free(&self->fields);
    zn_aggregate_free(&self->aggregate);
    zn_key_source_unbind(&self->by);
    zn_aggregate_table_destroy(&self->table);
    zn_aggregate_batch_free(&self->batch);
    zn_buf_free(&self->heap.key);
    zn_buf_free(&self->key);
    zn_buf_free(&self->row);
    zn_buf_free(&self->all);
    zn_buf_free(&self->new_key);
    free(self);
    op->state = NULL;
}

static zonda_err open_aggregate(zn_op *op, zonda_error *error) {
    static const uint8_t nil[] = { 0xc0 };
    zn_aggregate aggregate;
    zonda_err err = zn_aggregate_read(op->args, &aggregate, error);
    if (err != ZONDA_OK) {
        return err;
    }
    aggregation *self = ZN_NEW(aggregation);
    op->state = self;
    self->op = op;
    self->aggregate = aggregate;
    self->states_bytes = zn_aggregate_states_bytes(&aggregate);
    zn_aggregate_fields_make(&aggregate, &self->fields);
    self->table = zn_aggregate_table_new();
    self->heap.value_bytes = ZN_RECORD_BYTES_MAX / (4 * aggregate.count);
    if (aggregate.by_count > 0) {
        return zn_key_source_bind(op, "by", &self->by, error);
    }
    err = zn_key_put(&self->all, (zn_bytes){ nil, sizeof nil }, error);
    self->all_hash = zn_aggregate_table_hash(zn_buf_bytes(&self->all));
    return err;
}

static zonda_err begin_shard(zn_op *op, zonda_task *task, zonda_error *error) {
    aggregation *self = op->state;
    self->heap.room = UINT64_MAX;
    self->task = task;
    zn_aggregate_batch_begin(&self->batch);
    zn_aggregate_table_begin(self->table, task->host->memory);
    return self->by == NULL ? ZONDA_OK : zn_key_source_begin(self->by, task, error);
}

/* Gives the row of an entry to the shuffle, and leaves its states empty. */
static zonda_err emit_group(zn_op *op, zonda_task *task, zn_bytes key, void *states,
                            zonda_error *error) {
    aggregation *self = op->state;
    zn_buf_reset(&self->row, KEEP_BYTES_MAX);
    zn_put_binary(&self->row, key);
    zn_aggregate_states_put(&self->aggregate, &self->heap, states, &self->row);
    zn_aggregate_states_clear(&self->aggregate, &self->heap, states);
    return zn_op_emit(op, task, zn_buf_bytes(&self->row), error);
}

static void forget_value(aggregation *self, occurrences *value) {
    self->heap.bytes -= value->value_bytes;
    free(value->value);
    *value = (occurrences){ 0 };
}

static zonda_err emit_value(zn_op *op, zonda_task *task, zn_bytes key, occurrences *value,
                            zonda_error *error) {
    aggregation *self = op->state;
    zn_buf_reset(&self->row, KEEP_BYTES_MAX);
    zn_put_binary(&self->row, key);
    if (value->value != NULL) {
        zn_put_array(&self->row, 2);
    }
    zn_put_uint(&self->row, value->count);
    zn_buf_append(&self->row, value->value, value->value_bytes);
    forget_value(self, value);
    return zn_op_emit(op, task, zn_buf_bytes(&self->row), error);
}

/* Frees what states hold outside of the table, and empties it. */
static void drop_table(aggregation *self) {
    zn_aggregate_entry entry;
    for (size_t at = 0; zn_aggregate_table_next(self->table, &at, &entry);) {
        if (entry.tag == TAG_GROUP) {
            zn_aggregate_states_clear(&self->aggregate, &self->heap, entry.state);
        } else {
            forget_value(self, entry.state);
        }
    }
    zn_aggregate_table_clear(self->table);
}

/* Makes rows of the whole table. */
static zonda_err give_on(zn_op *op, zonda_task *task, zonda_error *error) {
    aggregation *self = op->state;
    zonda_err err = ZONDA_OK;
    zn_aggregate_entry entry;
    for (size_t at = 0; err == ZONDA_OK && zn_aggregate_table_next(self->table, &at, &entry);) {
        err = entry.tag == TAG_GROUP ? emit_group(op, task, entry.key, entry.state, error)
                                     : emit_value(op, task, entry.key, entry.state, error);
    }
    if (err == ZONDA_OK) {
        zn_aggregate_table_clear(self->table);
    }
    return err;
}

/* The state of the key; makes room for it if need be. */
static zonda_err find_state(aggregation *self, zn_bytes key, uint32_t hash, uint8_t tag,
                            size_t bytes, void **out, zonda_error *error) {
    *out = zn_aggregate_table_find(self->table, key, hash, tag, bytes);
    if (*out != NULL) {
        return ZONDA_OK;
    }
    zonda_err err = give_on(self->op, self->task, error);
    *out = err == ZONDA_OK ? zn_aggregate_table_find(self->table, key, hash, tag, bytes) : NULL;
    return err;
}

static zonda_err update_states(aggregation *self, zn_bytes key, uint8_t *states,
                               zonda_error *error) {
    static const uint8_t present[] = { 0xc3 };
    uint8_t *state = states;
    for (uint32_t i = 0; i < self->aggregate.count; i++) {
        const zn_aggregate_expr *expr = &self->aggregate.exprs[i];
        const zn_aggregate_kind_def *def = zn_aggregate_kind_def_of(expr->kind);
        zn_bytes value = { present, sizeof present };
        if (expr->field.len > 0) {
            value = self->fields.values[self->fields.of_exprs[i]];
        }
        if (value.len > 0) {
            zonda_err err = def->update(&self->heap, expr, state, value, error);
            if (err == ZONDA_OK && self->heap.large) {
                self->heap.large = false;
                err = emit_group(self->op, self->task, key, states, error);
            }
            if (err != ZONDA_OK) {
                return err;
            }
        }
        state += def->bytes;
    }
    return ZONDA_OK;
}

/* Whether the key of a value gives back one that nobody can tell from it. */
static bool is_given_back(zn_bytes value) {
    zn_value head = zn_value_head(value);
    switch (head.type) {
    case ZN_VALUE_DOUBLE: /* whole ones become integers */
        return head.number != trunc(head.number);
    case ZN_VALUE_ARRAY:
    case ZN_VALUE_MAP:
        return false;
    default:
        return true;
    }
}

/* The key of a value of the group. */
static zonda_err put_value_key(aggregation *self, zn_bytes group, uint32_t set, zn_bytes value,
                               zonda_error *error) {
    zn_buf index = { 0 };
    self->key.len = 0;
    zn_buf_append(&self->key, group.data, group.len);
    zn_put_uint(&index, set);
    zonda_err err = zn_key_put(&self->key, zn_buf_bytes(&index), error);
    zn_buf_free(&index);
    size_t start = self->key.len;
    if (err == ZONDA_OK) {
        err = zn_key_put(&self->key, value, error);
    }
    if (err == ZONDA_OK && self->key.len - start > ZN_KEY_BYTES_MAX) {
        err = zn_error_set(error, ZONDA_ERR_LIMIT,
                           "a value for distinct or quantile has %zu bytes, more than the limit "
                           "of %u",
                           self->key.len - start, (unsigned)ZN_KEY_BYTES_MAX);
    }
    if (err != ZONDA_OK && error != NULL) {
        error->permanent = true;
    }
    return err;
}

/* Counts the record's value of a set; the first one stays as it was. */
static zonda_err update_set(aggregation *self, zn_bytes group, uint32_t set, zonda_error *error) {
    zn_bytes value = self->fields.values[self->fields.of_sets[set]];
    if (value.len == 0) {
        return ZONDA_OK;
    }
    zonda_err err = put_value_key(self, group, set, value, error);
    void *state = NULL;
    if (err == ZONDA_OK) {
        zn_bytes key = zn_buf_bytes(&self->key);
        uint32_t hash = zn_aggregate_table_hash(key);
        err = find_state(self, key, hash, TAG_VALUE, sizeof(occurrences), &state, error);
    }
    if (err != ZONDA_OK) {
        return err;
    }
    occurrences *found = state;
    if (found->count++ == 0 && !is_given_back(value)) {
        found->value = zn_memdup(value.data, value.len);
        found->value_bytes = value.len;
        self->heap.bytes += value.len;
    }
    return ZONDA_OK;
}

/* Puts a record into the states of its group. */
static zonda_err take_record(void *context, zn_bytes key, uint32_t hash, zn_bytes record,
                             zonda_error *error) {
    aggregation *self = context;
    void *states = NULL;
    zn_aggregate_fields_find(&self->fields, record);
    zonda_err err = find_state(self, key, hash, TAG_GROUP, self->states_bytes, &states, error);
    if (err == ZONDA_OK) {
        err = update_states(self, key, states, error);
    }
    for (uint32_t i = 0; i < self->aggregate.set_count && err == ZONDA_OK; i++) {
        err = update_set(self, key, i, error);
    }
    if (err == ZONDA_OK && !zn_aggregate_table_charge(self->table, self->heap.bytes)) {
        err = give_on(self->op, self->task, error);
    }
    return err;
}

static zonda_err drain(aggregation *self, zonda_error *error) {
    return zn_aggregate_batch_drain(&self->batch, self->table, self->task, take_record, self,
                                    error);
}

static zonda_err push_record(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    aggregation *self = op->state;
    if (self->by == NULL) {
        return take_record(self, zn_buf_bytes(&self->all), self->all_hash, record, error);
    }
    self->new_key.len = 0;
    zonda_err err = zn_key_source_put(self->by, task, record, &self->new_key, error);
    if (err != ZONDA_OK) {
        return err;
    }
    zn_bytes key = zn_buf_bytes(&self->new_key);
    if (self->fields.count == 0) {
        record.len = 0; /* it has said all */
    }
    if (zn_aggregate_batch_takes(record.len)) {
        bool full = zn_aggregate_batch_add(&self->batch, self->table, task, key, record);
        return full ? drain(self, error) : ZONDA_OK;
    }
    err = drain(self, error);
    return err == ZONDA_OK ? take_record(self, key, zn_aggregate_table_hash(key), record, error)
                           : err;
}

static zonda_err end_shard(zn_op *op, zonda_task *task, zonda_error *error) {
    aggregation *self = op->state;
    zonda_err err = drain(self, error);
    if (err == ZONDA_OK) {
        err = give_on(op, task, error);
    }
    if (err == ZONDA_OK) {
        zn_aggregate_table_end(self->table);
        if (self->by != NULL) {
            zn_key_source_end(self->by, task);
        }
    }
    return err;
}

static void abort_shard(zn_op *op, zonda_task *task) {
    aggregation *self = op->state;
    if (self->by != NULL) {
        zn_key_source_end(self->by, task);
    }
    drop_table(self);
    zn_aggregate_table_end(self->table);
    zn_buf_reset(&self->key, KEEP_BYTES_MAX);
}

static const zn_op_runtime aggregate_shard_runtime = {
    .open = open_aggregate,
    .close = close_aggregate,
    .begin = begin_shard,
    .push = push_record,
    .end = end_shard,
    .abort = abort_shard,
};

static const zn_arg_def aggregate_args[] = {
    { .name = "exprs",
      .type = ZN_ARG_EXPRS,
      .use = ZN_ARG_POSITIONAL,
      .doc = "what to compute: names of fields and count(), sum(f), min(f), max(f), mean(f), "
             "first(f), last(f), list(f), distinct(f), quantile(f, q)" },
    { .name = "by",
      .type = ZN_ARG_KEY,
      .use = ZN_ARG_OPTION,
      .leads = true,
      .doc = "what records of a group have in common; without it all are one group" },
    ZN_WIDE_SHARDS_ARG,
};

enum {
    HALF_ARG_COUNT = 2 /* both halves get "exprs" and "by" */
};

static zonda_err check_args(const zn_op_def *op, zn_bytes args, zonda_error *error) {
    (void)op;
    zn_aggregate aggregate;
    uint64_t shards = 0;
    zonda_err err = zn_aggregate_read(args, &aggregate, error);
    if (err != ZONDA_OK) {
        return err;
    }
    if (aggregate.by_count == 0 && zn_value_field_uint(args, "shards", &shards)) {
        err = zn_error_set(error, ZONDA_ERR_PLAN,
                           "aggregate without \"by\" makes one record: it cannot have \"shards\"");
    }
    zn_aggregate_free(&aggregate);
    return err;
}

const zn_op_def zn_op_aggregate = { .name = "aggregate",
                                    .op_class = ZN_OP_WIDE,
                                    ZN_ARGS(aggregate_args),
                                    .check = check_args,
                                    .doc = "sums, counts and the like, of groups or of all" };

const zn_op_def zn_op_aggregate_shard = { .name = "aggregate_shard",
                                          .op_class = ZN_OP_INNER,
                                          .args = aggregate_args,
                                          .arg_count = HALF_ARG_COUNT,
                                          .check = check_args,
                                          .runtime = &aggregate_shard_runtime,
                                          .doc = "states of the groups of the shard, as rows" };

const zn_op_def zn_op_aggregate_rows = { .name = "aggregate_rows",
                                         .op_class = ZN_OP_INNER,
                                         ZN_SHUFFLE_ARGS,
                                         .runtime = &zn_shuffle_runtime,
                                         .doc = "the rows of aggregate, by group" };

const zn_op_def zn_op_aggregate_total = { .name = "aggregate_total",
                                          .op_class = ZN_OP_INNER,
                                          .args = aggregate_args,
                                          .arg_count = HALF_ARG_COUNT,
                                          .check = check_args,
                                          .runtime = &zn_aggregate_total_runtime,
                                          .doc = "the results of all groups of the shard" };
