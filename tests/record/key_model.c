/* SPDX-License-Identifier: MPL-2.0 */
/* Values as trees, compared in the most obvious way: kinds by rank, numbers as long doubles, which
 * hold all integers of 64 bits and all doubles exactly, texts by memcmp, arrays element by element,
 * maps as arrays of their sorted fields. Small choices make equal and nearly equal values likely.
 */
#include "key_model.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/digest.h"

uint64_t tree_random(uint64_t *seed) {
    *seed += 1;
    return zn_checksum((zn_bytes){ .data = (const uint8_t *)seed, .len = sizeof *seed });
}

static uint32_t below(uint64_t *seed, uint32_t limit) {
    return (uint32_t)(tree_random(seed) % limit);
}

static tree integer_of(__int128 integer) {
    return (tree){ .type = ZN_VALUE_INT, .integer = integer };
}

static tree double_of(double fraction) {
    return (tree){ .type = ZN_VALUE_INT, .is_double = true, .fraction = fraction };
}

/* An integer at a power of two, or next to it. */
static tree make_integer(uint64_t *seed) {
    static const unsigned shifts[] = { 0, 1, 2, 7, 8, 14, 15, 31, 32, 52, 53, 54, 61, 62, 63, 64 };
    unsigned shift = shifts[below(seed, sizeof shifts / sizeof *shifts)];
    uint64_t magnitude = shift == 64 ? 0 : UINT64_C(1) << shift;
    magnitude += (uint64_t)below(seed, 5) - 2;
    if (below(seed, 8) == 0) {
        magnitude = tree_random(seed) >> below(seed, 64);
    }
    if (below(seed, 2) == 0) {
        return integer_of(magnitude);
    }
    magnitude = magnitude > UINT64_C(1) << 63 ? 5 : magnitude;
    return integer_of(-(__int128)magnitude);
}

static double random_double(uint64_t *seed) {
    uint64_t raw = tree_random(seed);
    double value;
    memcpy(&value, &raw, sizeof value);
    return isnan(value) ? 0.1 : value;
}

static tree make_double(uint64_t *seed) {
    static const double some[] = { 0.0,          -0.0,     1.0,       -1.0,    0.5,      1.5,
                                   2.0,          INFINITY, -INFINITY, DBL_MAX, -DBL_MAX, DBL_MIN,
                                   DBL_TRUE_MIN, -DBL_MIN, 0.1,       1e300,   -1e-300,  0x1p64 };
    double value = 0;
    switch (below(seed, 4)) {
    case 0:
        value = some[below(seed, sizeof some / sizeof *some)];
        break;
    case 1:
        value = random_double(seed);
        break;
    default: /* next to an integer */
        value = (double)make_integer(seed).integer;
        value =
            below(seed, 2) == 0 ? nextafter(value, below(seed, 2) == 0 ? -1e300 : 1e300) : value;
        break;
    }
    return double_of(value);
}

static tree make_text(uint64_t *seed) {
    static const uint8_t alphabet[] = { 0, 1, 2, 'a', 'b', 0xff };
    tree out = { .type = below(seed, 3) == 0 ? ZN_VALUE_BINARY : ZN_VALUE_STRING };
    uint32_t len = below(seed, 10) == 0 ? below(seed, 40) : below(seed, 4);
    bool plain = below(seed, 2) == 0;
    for (uint32_t i = 0; i < len; i++) {
        zn_buf_append_byte(&out.bytes, plain ? 'a' : alphabet[below(seed, sizeof alphabet)]);
    }
    return out;
}

static tree make_container(uint64_t *seed, unsigned depth) {
    bool is_map = below(seed, 2) == 0;
    tree out = { .type = is_map ? ZN_VALUE_MAP : ZN_VALUE_ARRAY, .count = below(seed, 4) };
    out.count *= is_map ? 2 : 1;
    out.items = zn_calloc(out.count + 1, sizeof *out.items);
    for (uint32_t i = 0; i < out.count; i++) {
        out.items[i] = tree_make(seed, depth - 1);
    }
    return out;
}

tree tree_make(uint64_t *seed, unsigned depth) {
    switch (below(seed, depth > 0 ? 9 : 6)) {
    case 0:
        return (tree){ .type = ZN_VALUE_NIL };
    case 1:
        return (tree){ .type = ZN_VALUE_BOOL, .truth = below(seed, 2) == 0 };
    case 2:
        return make_integer(seed);
    case 3:
        return make_double(seed);
    case 4:
    case 5:
        return make_text(seed);
    default:
        return make_container(seed, depth);
    }
}

void tree_free(tree *value) {
    for (uint32_t i = 0; i < value->count; i++) {
        tree_free(&value->items[i]);
    }
    free(value->items);
    zn_buf_free(&value->bytes);
}

static void put_number(const tree *value, zn_buf *out) {
    if (value->is_double) {
        zn_put_double(out, value->fraction);
    } else if (value->integer < 0) {
        zn_put_int(out, (int64_t)value->integer);
    } else {
        zn_put_uint(out, (uint64_t)value->integer);
    }
}

void tree_put(const tree *value, zn_buf *out) {
    switch (value->type) {
    case ZN_VALUE_NIL:
        zn_put_nil(out);
        return;
    case ZN_VALUE_BOOL:
        zn_put_bool(out, value->truth);
        return;
    case ZN_VALUE_STRING:
        zn_put_string(out, zn_buf_bytes(&value->bytes));
        return;
    case ZN_VALUE_BINARY:
        zn_put_binary(out, zn_buf_bytes(&value->bytes));
        return;
    case ZN_VALUE_ARRAY:
        zn_put_array(out, value->count);
        break;
    case ZN_VALUE_MAP:
        zn_put_map(out, value->count / 2);
        break;
    default:
        put_number(value, out);
        return;
    }
    for (uint32_t i = 0; i < value->count; i++) {
        tree_put(&value->items[i], out);
    }
}

/* The whole part of a number, and what is left; numbers that are larger than all integers have one
 * of 2^100. */
static __int128 split_number(const tree *value, double *rest) {
    const __int128 large = (__int128)1 << 100;
    *rest = 0;
    if (!value->is_double) {
        return value->integer;
    }
    if (fabs(value->fraction) >= 0x1p100) {
        *rest = value->fraction;
        return value->fraction > 0 ? large : -large;
    }
    *rest = value->fraction - trunc(value->fraction);
    return (__int128)trunc(value->fraction);
}

static int compare_numbers(const tree *a, const tree *b) {
    double a_rest;
    double b_rest;
    __int128 a_whole = split_number(a, &a_rest);
    __int128 b_whole = split_number(b, &b_rest);
    int order = (a_whole > b_whole) - (a_whole < b_whole);
    return order != 0 ? order : (a_rest > b_rest) - (a_rest < b_rest);
}

static int compare_bytes(zn_bytes a, zn_bytes b) {
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        if (a.data[i] != b.data[i]) {
            return a.data[i] < b.data[i] ? -1 : 1;
        }
    }
    return (a.len > b.len) - (a.len < b.len);
}

static int compare_items(const tree *const *a, uint32_t a_count, const tree *const *b,
                         uint32_t b_count) {
    for (uint32_t i = 0; i < a_count && i < b_count; i++) {
        int order = tree_compare(a[i], b[i]);
        if (order != 0) {
            return order;
        }
    }
    return (a_count > b_count) - (a_count < b_count);
}

/* The items of an array, or those of a map sorted by key, the last of equal keys. */
static uint32_t list_items(const tree *value, const tree **out) {
    uint32_t count = 0;
    for (uint32_t i = 0; value->type == ZN_VALUE_ARRAY && i < value->count; i++) {
        out[count++] = &value->items[i];
    }
    for (uint32_t i = 0; value->type == ZN_VALUE_MAP && i < value->count; i += 2) {
        uint32_t at = 0;
        while (at < count && tree_compare(out[at], &value->items[i]) < 0) {
            at += 2;
        }
        if (at == count || tree_compare(out[at], &value->items[i]) != 0) {
            memmove(&out[at + 2], &out[at], (count - at) * sizeof *out);
            count += 2;
        }
        out[at] = &value->items[i];
        out[at + 1] = &value->items[i + 1];
    }
    return count;
}

int tree_compare(const tree *a, const tree *b) {
    if (a->type != b->type) {
        return a->type < b->type ? -1 : 1; /* the types are listed in the order of keys */
    }
    const tree *a_items[8];
    const tree *b_items[8];
    ZN_ASSERT(a->count < 8 && b->count < 8);
    switch (a->type) {
    case ZN_VALUE_NIL:
        return 0;
    case ZN_VALUE_BOOL:
        return a->truth - b->truth;
    case ZN_VALUE_STRING:
    case ZN_VALUE_BINARY:
        return compare_bytes(zn_buf_bytes(&a->bytes), zn_buf_bytes(&b->bytes));
    case ZN_VALUE_ARRAY:
    case ZN_VALUE_MAP:
        return compare_items(a_items, list_items(a, a_items), b_items, list_items(b, b_items));
    default:
        return compare_numbers(a, b);
    }
}
