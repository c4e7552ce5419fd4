/* SPDX-License-Identifier: MPL-2.0 */
/* Counts, sums and means. Integers and doubles are summed apart, both exactly: integers in 128
 * bits, which no number of records can overflow, doubles without rounding; so only the whole sum
 * decides whether it fits, and rounding happens once, at the end. A sum of integers is an integer:
 * a signed one, or an unsigned one if one of them is above the signed ones. With a double among
 * them it is a double. Infinities and NaN add up as they do in IEEE 754.
 *
 * The stored form of a sum is [count, sum] for integers within 64 bits, else [count, flags, upper
 * and lower half of the sum of integers, index of the first chunk, chunks…]. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/exact_sum.h"
#include "ops/aggregate_state.h"

enum {
    HAS_DOUBLE = 1,
    HAS_UNSIGNED = 2, /* an integer above INT64_MAX */
    HAS_INFINITY = 4,
    HAS_NEGATIVE_INFINITY = 8,
    HAS_NAN = 16,
    FLAGS_MAX = 31,

    STORED_HEAD = 5,
    ALLOCATION_BYTES = 32, /* what the allocator adds to two blocks, about */
    MEAN_SCALE = 64        /* bits by which a sum that is too large for a double is made smaller */
};

/* Packed into 8 bytes aligned memory: 128 bits are two halves. */
typedef struct number {
    uint64_t count;
    uint64_t low;
    uint64_t high;
    zn_exact_sum *exact; /* of doubles; NULL: none yet */
    uint64_t flags;
} number;

static inline void add_wide(number *self, unsigned __int128 value) {
    unsigned __int128 sum = (unsigned __int128)self->high << 64 | self->low;
    sum += value;
    self->low = (uint64_t)sum;
    self->high = (uint64_t)(sum >> 64);
}

static inline __int128 total_of(const number *self) {
    return (__int128)((unsigned __int128)self->high << 64 | self->low);
}

static uint64_t exact_bytes(const zn_exact_sum *exact) {
    return exact == NULL ? 0 : sizeof *exact + zn_exact_sum_bytes(exact) + ALLOCATION_BYTES;
}

static zn_exact_sum *make_exact(number *self) {
    if (self->exact == NULL) {
        self->exact = ZN_NEW(zn_exact_sum);
    }
    return self->exact;
}

static void add_double(zn_aggregate_heap *heap, number *self, double value) {
    self->flags |= HAS_DOUBLE;
    if (!isfinite(value)) {
        self->flags |= isnan(value) ? HAS_NAN : value > 0 ? HAS_INFINITY : HAS_NEGATIVE_INFINITY;
        return;
    }
    uint64_t before = exact_bytes(self->exact);
    zn_exact_sum_add_double(make_exact(self), value);
    heap->bytes += exact_bytes(self->exact) - before;
}

static zonda_err fail_type(const zn_aggregate_expr *expr, zn_value_type type, zonda_error *error) {
    int len = expr->text.len < 200 ? (int)expr->text.len : 200;
    zn_error_set(error, ZONDA_ERR_BAD_RECORD, "%.*s needs numbers, not %s", len,
                 (const char *)expr->text.data, zn_value_type_name(type));
    if (error != NULL) {
        error->permanent = true;
    }
    return ZONDA_ERR_BAD_RECORD;
}

static zonda_err update_number(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                               zn_bytes value, zonda_error *error) {
    number *self = state;
    uint32_t integer;
    if (zn_value_small_uint(value.data, &integer) > 0) {
        add_wide(self, integer);
        self->count++;
        return ZONDA_OK;
    }
    zn_value head = zn_value_head(value);
    if (head.type == ZN_VALUE_INT) {
        add_wide(self, (unsigned __int128)(__int128)head.integer);
    } else if (head.type == ZN_VALUE_DOUBLE) {
        add_double(heap, self, head.number);
    } else if (head.type == ZN_VALUE_UINT) {
        self->flags |= HAS_UNSIGNED;
        add_wide(self, head.uinteger);
    } else {
        return fail_type(expr, head.type, error);
    }
    self->count++;
    return ZONDA_OK;
}

/* Takes a small integer that is not negative; false, with the cursor where it was, if there is
 * none. */
static inline bool take_small(zn_cursor *cursor, uint32_t *out) {
    ZN_ASSERT(cursor->at < cursor->end);
    size_t bytes = zn_value_small_uint(cursor->at, out);
    cursor->at += bytes;
    return bytes > 0;
}

static bool read_unsigned(zn_cursor *cursor, uint64_t *out) {
    uint32_t small;
    if (take_small(cursor, &small)) {
        *out = small;
        return true;
    }
    zn_value head = zn_cursor_read(cursor);
    *out = head.type == ZN_VALUE_INT ? (uint64_t)head.integer : head.uinteger;
    return (head.type == ZN_VALUE_INT && head.integer >= 0) || head.type == ZN_VALUE_UINT;
}

static bool read_signed(zn_cursor *cursor, int64_t *out) {
    uint32_t small;
    if (take_small(cursor, &small)) {
        *out = small;
        return true;
    }
    zn_value head = zn_cursor_read(cursor);
    *out = head.integer;
    return head.type == ZN_VALUE_INT;
}

static bool merge_chunks(zn_aggregate_heap *heap, number *self, zn_cursor *cursor, uint64_t first,
                         uint32_t count) {
    uint64_t before = exact_bytes(self->exact);
    bool valid = true;
    for (uint32_t i = 0; i < count && valid; i++) {
        int64_t chunk;
        valid = first <= ZN_EXACT_CHUNKS_MAX && read_signed(cursor, &chunk) &&
                zn_exact_sum_add_chunk(make_exact(self), first + i, chunk);
    }
    heap->bytes += exact_bytes(self->exact) - before;
    return valid;
}

/* The long form, behind the count. */
static bool merge_parts(zn_aggregate_heap *heap, number *self, zn_cursor *cursor, uint32_t parts) {
    uint64_t flags;
    uint64_t high;
    uint64_t low;
    uint64_t first;
    if (parts < STORED_HEAD || !read_unsigned(cursor, &flags) || flags > FLAGS_MAX ||
        !read_unsigned(cursor, &high) || !read_unsigned(cursor, &low) ||
        !read_unsigned(cursor, &first)) {
        return false;
    }
    self->flags |= flags;
    add_wide(self, (unsigned __int128)high << 64 | low);
    return merge_chunks(heap, self, cursor, first, parts - STORED_HEAD);
}

static zonda_err merge_number(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                              zn_bytes stored, zonda_error *error) {
    (void)expr;
    number *self = state;
    zn_cursor cursor = zn_cursor_of(stored);
    zn_value head = zn_cursor_read(&cursor);
    uint64_t count = 0;
    int64_t total = 0;
    if (head.type != ZN_VALUE_ARRAY || head.count < 2 || !read_unsigned(&cursor, &count)) {
        return zn_aggregate_corrupt(error);
    }
    bool valid = head.count == 2 ? read_signed(&cursor, &total)
                                 : merge_parts(heap, self, &cursor, head.count);
    if (!valid) {
        return zn_aggregate_corrupt(error);
    }
    self->count += count;
    add_wide(self, (unsigned __int128)(__int128)total);
    return ZONDA_OK;
}

static void put_number(zn_aggregate_heap *heap, void *state, zn_buf *out) {
    number *self = state;
    __int128 total = total_of(self);
    if (self->flags == 0 && total == (int64_t)total) {
        zn_put_array(out, 2);
        zn_put_uint(out, self->count);
        zn_put_int(out, (int64_t)total);
        return;
    }
    zn_exact_sum none = { 0 };
    zn_exact_sum *exact = self->exact == NULL ? &none : self->exact;
    heap->bytes -= exact_bytes(self->exact);
    zn_exact_sum_settle(exact);
    heap->bytes += exact_bytes(self->exact);
    zn_put_array(out, STORED_HEAD + exact->count);
    zn_put_uint(out, self->count);
    zn_put_uint(out, self->flags);
    zn_put_uint(out, self->high);
    zn_put_uint(out, self->low);
    zn_put_uint(out, exact->first);
    for (uint32_t i = 0; i < exact->count; i++) {
        zn_put_int(out, exact->chunks[i]);
    }
}

/* What infinities and NaN make of the sum; false if there are none. */
static bool special_of(const number *self, double *out) {
    const uint64_t both = HAS_INFINITY | HAS_NEGATIVE_INFINITY;
    if ((self->flags & HAS_NAN) != 0 || (self->flags & both) == both) {
        *out = (double)NAN;
    } else if ((self->flags & both) != 0) {
        *out = (self->flags & HAS_INFINITY) != 0 ? (double)INFINITY : -(double)INFINITY;
    } else {
        return false;
    }
    return true;
}

/* The whole sum, divided by 2^scale. Integers go over to the doubles. */
static double round_total(zn_aggregate_heap *heap, number *self, int scale) {
    double total;
    if (special_of(self, &total)) {
        return total;
    }
    uint64_t before = exact_bytes(self->exact);
    zn_exact_sum_add_integer(make_exact(self), total_of(self));
    self->low = 0;
    self->high = 0;
    total = zn_exact_sum_round(self->exact, scale);
    heap->bytes += exact_bytes(self->exact) - before;
    return total;
}

static zonda_err sum_result(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                            zn_buf *out, zonda_error *error) {
    number *self = state;
    __int128 total = total_of(self);
    __int128 max = (self->flags & HAS_UNSIGNED) != 0 ? (__int128)UINT64_MAX : INT64_MAX;
    if (self->count == 0) {
        zn_put_nil(out);
    } else if ((self->flags & HAS_DOUBLE) != 0) {
        zn_put_double(out, round_total(heap, self, 0));
    } else if (total < INT64_MIN || total > max) {
        int len = expr->text.len < 200 ? (int)expr->text.len : 200;
        zn_error_set(error, ZONDA_ERR_LIMIT, "%.*s does not fit into an integer of 64 bits", len,
                     (const char *)expr->text.data);
        if (error != NULL) {
            error->permanent = true;
        }
        return ZONDA_ERR_LIMIT;
    } else if (total < 0) {
        zn_put_int(out, (int64_t)total);
    } else {
        zn_put_uint(out, (uint64_t)total);
    }
    return ZONDA_OK;
}

static zonda_err mean_result(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                             zn_buf *out, zonda_error *error) {
    (void)expr;
    (void)error;
    number *self = state;
    if (self->count == 0) {
        zn_put_nil(out);
        return ZONDA_OK;
    }
    double special;
    double count = (double)self->count;
    double total = round_total(heap, self, 0);
    if (isinf(total) && !special_of(self, &special)) {
        zn_put_double(out, ldexp(round_total(heap, self, MEAN_SCALE) / count, MEAN_SCALE));
    } else {
        zn_put_double(out, total / count);
    }
    return ZONDA_OK;
}

static void clear_number(zn_aggregate_heap *heap, void *state) {
    number *self = state;
    if (self->exact != NULL) {
        heap->bytes -= exact_bytes(self->exact);
        zn_exact_sum_free(self->exact);
        free(self->exact);
    }
    *self = (number){ 0 };
}

static zonda_err update_count(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                              zn_bytes value, zonda_error *error) {
    (void)heap;
    (void)expr;
    (void)value;
    (void)error;
    *(uint64_t *)state += 1;
    return ZONDA_OK;
}

static zonda_err merge_count(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                             zn_bytes stored, zonda_error *error) {
    (void)heap;
    (void)expr;
    zn_cursor cursor = zn_cursor_of(stored);
    uint64_t count = 0;
    if (!read_unsigned(&cursor, &count)) {
        return zn_aggregate_corrupt(error);
    }
    *(uint64_t *)state += count;
    return ZONDA_OK;
}

static void put_count(zn_aggregate_heap *heap, void *state, zn_buf *out) {
    (void)heap;
    zn_put_uint(out, *(const uint64_t *)state);
}

static zonda_err count_result(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                              zn_buf *out, zonda_error *error) {
    (void)expr;
    (void)error;
    put_count(heap, state, out);
    return ZONDA_OK;
}

static void clear_count(zn_aggregate_heap *heap, void *state) {
    (void)heap;
    *(uint64_t *)state = 0;
}

const zn_aggregate_kind_def zn_aggregate_count = { .bytes = sizeof(uint64_t),
                                                   .update = update_count,
                                                   .merge = merge_count,
                                                   .put = put_count,
                                                   .result = count_result,
                                                   .clear = clear_count };

const zn_aggregate_kind_def zn_aggregate_sum = { .bytes = sizeof(number),
                                                 .update = update_number,
                                                 .merge = merge_number,
                                                 .put = put_number,
                                                 .result = sum_result,
                                                 .clear = clear_number };

const zn_aggregate_kind_def zn_aggregate_mean = { .bytes = sizeof(number),
                                                  .update = update_number,
                                                  .merge = merge_number,
                                                  .put = put_number,
                                                  .result = mean_result,
                                                  .clear = clear_number };
