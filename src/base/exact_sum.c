/* SPDX-License-Identifier: MPL-2.0 */
/* Exact sums. A sum is one long number in two's complement, cut into chunks of 32 bits that each
 * have 31 bits to spare, so that adding a double touches three chunks and moves no carries (R. M.
 * Neal, "Fast exact summation using small and large superaccumulators", 2015). Only the chunks that
 * were touched are kept: numbers of one magnitude need three or four. */
#include "base/exact_sum.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

enum {
    CHUNK_BITS = 32,
    POSITION_OF_ONE = 1074, /* the lowest bit of the smallest double is at 0 */
    PENDING_MAX = 1 << 29,  /* each adds less than 2^32 to a chunk */
    MANTISSA_BITS = 53,
    INDEX_MAX = 68 /* of a chunk of a sum of 2^62 doubles */
};

static const int64_t low_bits = (INT64_C(1) << CHUNK_BITS) - 1;

/* Makes chunks `from` up to (without) `to` part of the sum. */
static void reach(zn_exact_sum *sum, uint32_t from, uint32_t to) {
    uint32_t first = sum->count == 0 || from < sum->first ? from : sum->first;
    uint32_t end = sum->first + sum->count;
    end = sum->count == 0 || to > end ? to : end;
    uint32_t count = end - first;
    ZN_ASSERT(end <= ZN_EXACT_CHUNKS_MAX);
    if (count > sum->capacity) {
        sum->capacity = count < 4 ? 4 : count;
        sum->chunks = zn_realloc(sum->chunks, sum->capacity, sizeof *sum->chunks);
    }
    uint32_t shift = sum->count == 0 ? 0 : sum->first - first;
    memmove(sum->chunks + shift, sum->chunks, sum->count * sizeof *sum->chunks);
    memset(sum->chunks, 0, shift * sizeof *sum->chunks);
    uint32_t used = shift + sum->count;
    memset(sum->chunks + used, 0, (count - used) * sizeof *sum->chunks);
    sum->first = first;
    sum->count = count;
}

void zn_exact_sum_settle(zn_exact_sum *sum) {
    sum->pending = 0;
    if (sum->count == 0) {
        return;
    }
    uint32_t last = sum->count - 1;
    for (uint32_t i = 0; i < last; i++) {
        sum->chunks[i + 1] += sum->chunks[i] >> CHUNK_BITS;
        sum->chunks[i] &= low_bits;
    }
    while (sum->chunks[last] != (int32_t)sum->chunks[last]) {
        int64_t carry = sum->chunks[last] >> CHUNK_BITS;
        sum->chunks[last] &= low_bits;
        reach(sum, sum->first, sum->first + sum->count + 1);
        sum->chunks[++last] = carry;
    }
}

/* Adds bits × 2^(position - 1074). */
static void add_bits(zn_exact_sum *sum, bool negative, uint64_t bits, uint32_t position) {
    uint32_t index = position / CHUNK_BITS;
    if (index < sum->first || index + 3 > sum->first + sum->count) {
        reach(sum, index, index + 3);
    }
    unsigned __int128 shifted = (unsigned __int128)bits << (position % CHUNK_BITS);
    int64_t *chunk = &sum->chunks[index - sum->first];
    int64_t sign = negative ? -1 : 1;
    for (unsigned i = 0; i < 3; i++) {
        chunk[i] += sign * (int64_t)((uint64_t)shifted & (uint64_t)low_bits);
        shifted >>= CHUNK_BITS;
    }
    if (++sum->pending == PENDING_MAX) {
        zn_exact_sum_settle(sum);
    }
}

void zn_exact_sum_add_double(zn_exact_sum *sum, double value) {
    uint64_t raw;
    memcpy(&raw, &value, sizeof raw);
    uint32_t exponent = raw >> 52 & 0x7ff;
    uint64_t bits = raw & ((UINT64_C(1) << 52) - 1);
    ZN_ASSERT(exponent != 0x7ff);
    if (exponent > 0) {
        bits |= UINT64_C(1) << 52;
        exponent--;
    }
    add_bits(sum, raw >> 63 != 0, bits, exponent);
}

void zn_exact_sum_add_integer(zn_exact_sum *sum, __int128 value) {
    bool negative = value < 0;
    unsigned __int128 magnitude =
        negative ? 0 - (unsigned __int128)value : (unsigned __int128)value;
    add_bits(sum, negative, (uint64_t)magnitude, POSITION_OF_ONE);
    if (magnitude >> 64 != 0) {
        add_bits(sum, negative, (uint64_t)(magnitude >> 64), POSITION_OF_ONE + 64);
    }
}

bool zn_exact_sum_add_chunk(zn_exact_sum *sum, uint64_t index, int64_t chunk) {
    if (index > INDEX_MAX || chunk > low_bits || chunk < INT32_MIN) {
        return false;
    }
    uint64_t magnitude = chunk < 0 ? 0 - (uint64_t)chunk : (uint64_t)chunk;
    add_bits(sum, chunk < 0, magnitude, (uint32_t)index * CHUNK_BITS);
    return true;
}

/* Rounds a settled sum that is not negative and whose highest chunk, at `top`, is not 0: to 53 bits
 * of its highest three chunks, with an eye on what is below. */
static double round_positive(const zn_exact_sum *sum, uint32_t top, int scale) {
    unsigned __int128 high = 0;
    for (uint32_t i = 0; i < 3; i++) {
        high = high << CHUNK_BITS | (uint64_t)(i <= top ? sum->chunks[top - i] : 0);
    }
    bool sticky = false;
    for (uint32_t i = 0; i + 2 < top; i++) {
        sticky = sticky || sum->chunks[i] != 0;
    }
    int position = ((int)(sum->first + top) - 2) * CHUNK_BITS; /* of the lowest bit of `high` */
    int length = 128 - __builtin_clzll((uint64_t)(high >> 64));
    int drop = length - MANTISSA_BITS;
    if (position + drop < 0) {
        drop = -position; /* doubles have no bits below 0; nor has the sum */
    }
    uint64_t mantissa = (uint64_t)(high >> drop);
    unsigned __int128 half = (unsigned __int128)1 << (drop - 1);
    unsigned __int128 rest = high & ((half << 1) - 1);
    bool up = rest > half || (rest == half && (sticky || (mantissa & 1) != 0));
    return ldexp((double)(mantissa + (up ? 1 : 0)), position + drop - POSITION_OF_ONE - scale);
}

double zn_exact_sum_round(zn_exact_sum *sum, int scale) {
    zn_exact_sum_settle(sum);
    int64_t chunks[ZN_EXACT_CHUNKS_MAX];
    zn_exact_sum copy = *sum;
    copy.capacity = ZN_EXACT_CHUNKS_MAX;
    copy.chunks = chunks;
    bool negative = sum->count > 0 && sum->chunks[sum->count - 1] < 0;
    for (uint32_t i = 0; i < sum->count; i++) {
        chunks[i] = negative ? -sum->chunks[i] : sum->chunks[i];
    }
    zn_exact_sum_settle(&copy);
    uint32_t top = copy.count;
    while (top > 0 && chunks[top - 1] == 0) {
        top--;
    }
    double magnitude = top == 0 ? 0 : round_positive(&copy, top - 1, scale);
    return negative ? -magnitude : magnitude;
}

void zn_exact_sum_free(zn_exact_sum *sum) {
    free(sum->chunks);
    *sum = (zn_exact_sum){ 0 };
}
