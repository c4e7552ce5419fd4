/* SPDX-License-Identifier: MPL-2.0 */
/* Expressions whose result is a value of the field, or a list of them: min and max (by the order of
 * keys, the first of equal ones), first and last, list; and distinct and quantile, which get their
 * values one by one in key order when the group is complete. Values come out as they were. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/aggregate_state.h"
#include "record/key.h"

enum {
    ALLOCATION_BYTES = 16 /* what the allocator adds to a block, about */
};

/* Bytes that grow: of a value, with its key before it where that is needed, or of a list. */
typedef struct block {
    size_t capacity;
    size_t len;
    size_t key_len;
    uint64_t count; /* of a list */
    uint8_t bytes[];
} block;

typedef struct holder {
    block *block; /* NULL: nothing yet */
} holder;

typedef struct quantile {
    uint64_t count; /* of values */
    uint64_t seen;  /* of them, in key order */
    block *block;   /* the one that was looked for */
} quantile;

static const uint8_t no_bytes[1];

static uint64_t held(const block *self) {
    return self == NULL ? 0 : sizeof *self + self->capacity + ALLOCATION_BYTES;
}

static void release(zn_aggregate_heap *heap, block **self) {
    heap->bytes -= held(*self);
    free(*self);
    *self = NULL;
}

/* Makes room for `len` bytes in all; by a half more if `grows` on. */
static void reserve(zn_aggregate_heap *heap, block **self, size_t len, bool grows) {
    size_t capacity = *self == NULL ? 0 : (*self)->capacity;
    if (*self != NULL && capacity >= len) {
        return;
    }
    heap->bytes -= held(*self);
    size_t wanted = grows && len < capacity + capacity / 2 ? capacity + capacity / 2 : len;
    wanted = wanted < 32 ? 32 : wanted;
    bool is_new = *self == NULL;
    *self = zn_realloc(*self, 1, sizeof **self + wanted);
    if (is_new) {
        **self = (block){ 0 };
    }
    (*self)->capacity = wanted;
    heap->bytes += held(*self);
}

/* Puts a value, and a key before it, in place of what is there. */
static void replace(zn_aggregate_heap *heap, block **self, zn_bytes key, zn_bytes value) {
    reserve(heap, self, key.len + value.len, false);
    if (key.len > 0) {
        memcpy((*self)->bytes, key.data, key.len);
    }
    memcpy((*self)->bytes + key.len, value.data, value.len);
    (*self)->key_len = key.len;
    (*self)->len = key.len + value.len;
    heap->large = heap->large || (*self)->len > heap->value_bytes;
}

/* Takes a value if it comes before (`sign` -1) or behind (1) what is there. */
static zonda_err take_extreme(zn_aggregate_heap *heap, holder *self, zn_bytes value, int sign,
                              zonda_error *error) {
    heap->key.len = 0;
    zonda_err err = zn_key_put(&heap->key, value, error);
    if (err != ZONDA_OK) {
        if (error != NULL) {
            error->permanent = true;
        }
        return err;
    }
    zn_bytes key = zn_buf_bytes(&heap->key);
    zn_bytes best = { 0 };
    if (self->block != NULL) {
        best = (zn_bytes){ self->block->bytes, self->block->key_len };
    }
    int order = best.len == 0 ? sign : zn_key_compare(key, best);
    if ((sign < 0 && order < 0) || (sign > 0 && order > 0)) {
        replace(heap, &self->block, key, value);
    }
    return ZONDA_OK;
}

static zonda_err update_min(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                            zn_bytes value, zonda_error *error) {
    (void)expr;
    return take_extreme(heap, state, value, -1, error);
}

static zonda_err update_max(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                            zn_bytes value, zonda_error *error) {
    (void)expr;
    return take_extreme(heap, state, value, 1, error);
}

static zonda_err update_first(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                              zn_bytes value, zonda_error *error) {
    (void)expr;
    (void)error;
    holder *self = state;
    if (self->block == NULL) {
        replace(heap, &self->block, (zn_bytes){ no_bytes, 0 }, value);
    }
    return ZONDA_OK;
}

static zonda_err update_last(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                             zn_bytes value, zonda_error *error) {
    (void)expr;
    (void)error;
    holder *self = state;
    replace(heap, &self->block, (zn_bytes){ no_bytes, 0 }, value);
    return ZONDA_OK;
}

/* The stored form of a value is the value, or nil. */
#define MERGE_VALUE(kind)                                                                          \
    static zonda_err merge_##kind(zn_aggregate_heap *heap, const zn_aggregate_expr *expr,          \
                                  void *state, zn_bytes stored, zonda_error *error) {              \
        return zn_value_head(stored).type == ZN_VALUE_NIL                                          \
                   ? ZONDA_OK                                                                      \
                   : update_##kind(heap, expr, state, stored, error);                              \
    }

MERGE_VALUE(min)
MERGE_VALUE(max)
MERGE_VALUE(first)
MERGE_VALUE(last)

static void put_block_value(const block *self, zn_buf *out) {
    if (self == NULL) {
        zn_put_nil(out);
    } else {
        zn_buf_append(out, self->bytes + self->key_len, self->len - self->key_len);
    }
}

static void put_value(zn_aggregate_heap *heap, void *state, zn_buf *out) {
    (void)heap;
    put_block_value(((const holder *)state)->block, out);
}

static zonda_err value_result(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                              zn_buf *out, zonda_error *error) {
    (void)expr;
    (void)error;
    put_value(heap, state, out);
    return ZONDA_OK;
}

static void clear_holder(zn_aggregate_heap *heap, void *state) {
    release(heap, &((holder *)state)->block);
}

/* Adds values that lie behind each other. */
static zonda_err add_to_list(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, holder *self,
                             zn_bytes values, uint64_t count, zonda_error *error) {
    if (values.len > heap->room) {
        int len = expr->text.len < 200 ? (int)expr->text.len : 200;
        zn_error_set(error, ZONDA_ERR_LIMIT,
                     "%.*s makes a record of more bytes than the limit of %u", len,
                     (const char *)expr->text.data, (unsigned)ZN_RECORD_BYTES_MAX);
        if (error != NULL) {
            error->permanent = true;
        }
        return ZONDA_ERR_LIMIT;
    }
    size_t len = self->block == NULL ? 0 : self->block->len;
    reserve(heap, &self->block, len + values.len, true);
    memcpy(self->block->bytes + len, values.data, values.len);
    self->block->len = len + values.len;
    self->block->count += count;
    heap->room -= values.len;
    heap->large = heap->large || self->block->len > ZN_BLOCK_RAW_BYTES / 4;
    return ZONDA_OK;
}

static zonda_err update_list(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                             zn_bytes value, zonda_error *error) {
    return add_to_list(heap, expr, state, value, 1, error);
}

static zonda_err merge_list(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                            zn_bytes stored, zonda_error *error) {
    zn_cursor cursor = zn_cursor_of(stored);
    zn_value head = zn_cursor_read(&cursor);
    if (head.type != ZN_VALUE_ARRAY) {
        return zn_aggregate_corrupt(error);
    }
    zn_bytes values = { cursor.at, (size_t)(cursor.end - cursor.at) };
    return head.count == 0 ? ZONDA_OK : add_to_list(heap, expr, state, values, head.count, error);
}

static void put_list(zn_aggregate_heap *heap, void *state, zn_buf *out) {
    (void)heap;
    const holder *self = state;
    zn_put_array(out, self->block == NULL ? 0 : (uint32_t)self->block->count);
    if (self->block != NULL) {
        zn_buf_append(out, self->block->bytes, self->block->len);
    }
}

static zonda_err list_result(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                             zn_buf *out, zonda_error *error) {
    (void)expr;
    (void)error;
    put_list(heap, state, out);
    return ZONDA_OK;
}

/* Nothing of a distinct is in the states of groups: its values have rows of their own. */
static zonda_err update_distinct(zn_aggregate_heap *heap, const zn_aggregate_expr *expr,
                                 void *state, zn_bytes value, zonda_error *error) {
    (void)heap;
    (void)expr;
    (void)state;
    (void)value;
    (void)error;
    return ZONDA_OK;
}

static void put_distinct(zn_aggregate_heap *heap, void *state, zn_buf *out) {
    (void)heap;
    (void)state;
    zn_put_nil(out);
}

static zonda_err take_distinct(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                               zn_bytes value, uint64_t count, zonda_error *error) {
    (void)count;
    return add_to_list(heap, expr, state, value, 1, error);
}

static zonda_err update_quantile(zn_aggregate_heap *heap, const zn_aggregate_expr *expr,
                                 void *state, zn_bytes value, zonda_error *error) {
    (void)heap;
    (void)expr;
    (void)value;
    (void)error;
    ((quantile *)state)->count++;
    return ZONDA_OK;
}

static zonda_err merge_quantile(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                                zn_bytes stored, zonda_error *error) {
    (void)heap;
    (void)expr;
    zn_value head = zn_value_head(stored);
    if (head.type != ZN_VALUE_INT || head.integer < 0) {
        return zn_aggregate_corrupt(error);
    }
    ((quantile *)state)->count += (uint64_t)head.integer;
    return ZONDA_OK;
}

/* The place, from 1, of the value that is looked for: the smallest one with at least that part of
 * all values up to it. */
static uint64_t rank_of(uint64_t count, double q) {
    double rank = ceil(q * (double)count);
    return rank < 1 ? 1 : rank >= (double)count ? count : (uint64_t)rank;
}

static zonda_err take_quantile(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                               zn_bytes value, uint64_t count, zonda_error *error) {
    (void)error;
    quantile *self = state;
    self->seen += count;
    if (self->block == NULL && self->seen >= rank_of(self->count, expr->q)) {
        replace(heap, &self->block, (zn_bytes){ no_bytes, 0 }, value);
    }
    return ZONDA_OK;
}

static void put_quantile(zn_aggregate_heap *heap, void *state, zn_buf *out) {
    (void)heap;
    zn_put_uint(out, ((const quantile *)state)->count);
}

static zonda_err quantile_result(zn_aggregate_heap *heap, const zn_aggregate_expr *expr,
                                 void *state, zn_buf *out, zonda_error *error) {
    (void)heap;
    (void)expr;
    (void)error;
    put_block_value(((const quantile *)state)->block, out);
    return ZONDA_OK;
}

static void clear_quantile(zn_aggregate_heap *heap, void *state) {
    quantile *self = state;
    release(heap, &self->block);
    *self = (quantile){ 0 };
}

#define VALUE_KIND(kind)                                                                           \
    const zn_aggregate_kind_def zn_aggregate_##kind = { .bytes = sizeof(holder),                   \
                                                        .update = update_##kind,                   \
                                                        .merge = merge_##kind,                     \
                                                        .put = put_value,                          \
                                                        .result = value_result,                    \
                                                        .clear = clear_holder }

VALUE_KIND(min);
VALUE_KIND(max);
VALUE_KIND(first);
VALUE_KIND(last);

const zn_aggregate_kind_def zn_aggregate_list = { .bytes = sizeof(holder),
                                                  .update = update_list,
                                                  .merge = merge_list,
                                                  .put = put_list,
                                                  .result = list_result,
                                                  .clear = clear_holder };

const zn_aggregate_kind_def zn_aggregate_distinct = { .bytes = sizeof(holder),
                                                      .update = update_distinct,
                                                      .merge = update_distinct,
                                                      .take = take_distinct,
                                                      .put = put_distinct,
                                                      .result = list_result,
                                                      .clear = clear_holder };

const zn_aggregate_kind_def zn_aggregate_quantile = { .bytes = sizeof(quantile),
                                                      .update = update_quantile,
                                                      .merge = merge_quantile,
                                                      .take = take_quantile,
                                                      .put = put_quantile,
                                                      .result = quantile_result,
                                                      .clear = clear_quantile };
