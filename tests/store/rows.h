/* SPDX-License-Identifier: MPL-2.0 */
/* Rows for the tests of sorting and merging: made from a seed, sorted by a naive model, given as
 * streams. */
#ifndef ZN_TESTS_STORE_ROWS_H
#define ZN_TESTS_STORE_ROWS_H

#include "folder.h"

#include "record/key.h"
#include "store/merge.h"

/* A row of the model. Records are [number, filling], so that each says which one it is. */
typedef struct model_row {
    uint32_t partition;
    zn_buf key;
    zn_buf record;
    size_t order; /* of arrival, or of its stream */
} model_row;

typedef struct model {
    model_row *rows;
    size_t count;
} model;

static inline uint64_t rows_random(uint64_t *seed) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

/* Keys of all lengths around what entries and prefixes hold, many of them equal or begins of
 * others.
 */
static inline void make_key(uint64_t *seed, zn_buf *out) {
    size_t len = rows_random(seed) % 20;
    bool few = rows_random(seed) % 2 == 0;
    for (size_t i = 0; i < len; i++) {
        uint64_t byte = rows_random(seed);
        zn_buf_append_byte(out, (uint8_t)(few ? (byte % 2) * 255 : byte));
    }
}

static inline void make_record(uint64_t number, size_t filling, zn_buf *out) {
    zn_buf bytes = { 0 };
    fill_noise(&bytes, filling, number);
    zn_put_array(out, 2);
    zn_put_uint(out, number);
    zn_put_binary(out, zn_buf_bytes(&bytes));
    zn_buf_free(&bytes);
}

static inline model make_model(uint64_t seed, size_t count, uint32_t partitions, size_t filling) {
    model self = { .rows = zn_calloc(count, sizeof(model_row)), .count = count };
    for (size_t i = 0; i < count; i++) {
        model_row *row = &self.rows[i];
        row->partition = (uint32_t)(rows_random(&seed) % partitions);
        row->order = i;
        make_key(&seed, &row->key);
        make_record(i, filling == 0 ? 0 : rows_random(&seed) % filling, &row->record);
    }
    return self;
}

static inline void free_model(model *self) {
    for (size_t i = 0; i < self->count; i++) {
        zn_buf_free(&self->rows[i].key);
        zn_buf_free(&self->rows[i].record);
    }
    free(self->rows);
}

static inline int compare_model_rows(const void *a, const void *b) {
    const model_row *left = a;
    const model_row *right = b;
    if (left->partition != right->partition) {
        return left->partition < right->partition ? -1 : 1;
    }
    int order = zn_key_compare(zn_buf_bytes(&left->key), zn_buf_bytes(&right->key));
    return order != 0 ? order : (left->order > right->order) - (left->order < right->order);
}

/* By (partition, key, order of arrival). */
static inline void sort_model(model *self) {
    qsort(self->rows, self->count, sizeof(model_row), compare_model_rows);
}

static inline void assert_row(const model_row *expected, zn_bytes key, zn_bytes record) {
    assert_true(zn_bytes_equal(key, zn_buf_bytes(&expected->key)));
    assert_true(zn_bytes_equal(record, zn_buf_bytes(&expected->record)));
}

/* A stream over a part of a model. Rows are given from a buffer that the next call overwrites, as
 * real streams do. */
typedef struct model_stream {
    const model *of;
    size_t at;
    size_t end;
    size_t step;
    size_t fail_at; /* gives IO at this row; SIZE_MAX: never */
    zn_buf key;
    zn_buf record;
    unsigned *open; /* counts those not closed */
} model_stream;

static inline zonda_err next_of_model(void *context, zn_row *row, bool *found, zonda_error *error) {
    model_stream *self = context;
    if (self->at == self->fail_at) {
        return zn_error_set(error, ZONDA_ERR_IO, "injected");
    }
    *found = self->at < self->end;
    if (!*found) {
        return ZONDA_OK;
    }
    const model_row *from = &self->of->rows[self->at];
    zn_buf_reset(&self->key, 0);
    zn_buf_reset(&self->record, 0);
    zn_buf_append(&self->key, from->key.data, from->key.len);
    zn_buf_append(&self->record, from->record.data, from->record.len);
    *row = (zn_row){ .key = zn_buf_bytes(&self->key), .record = zn_buf_bytes(&self->record) };
    self->at += self->step;
    return ZONDA_OK;
}

static inline void close_model_stream(void *context) {
    model_stream *self = context;
    assert_true(*self->open > 0);
    --*self->open;
    zn_buf_free(&self->key);
    zn_buf_free(&self->record);
    free(self);
}

/* Rows first, first + step, … of a sorted model. */
static inline zn_row_stream open_model_stream(const model *of, size_t first, size_t step,
                                              size_t fail_at, unsigned *open) {
    model_stream *self = ZN_NEW(model_stream);
    *self = (model_stream){
        .of = of, .at = first, .end = of->count, .step = step, .fail_at = fail_at, .open = open
    };
    ++*open;
    return (zn_row_stream){
        .context = self, .next = next_of_model, .close = close_model_stream, .bytes = 1000
    };
}

#endif
