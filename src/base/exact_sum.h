/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_BASE_EXACT_SUM_H
#define ZN_BASE_EXACT_SUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A sum of finite doubles and integers without any rounding: what comes out does not depend on the
 * order in which they were added, nor on how the sums of parts were put together. All zero is 0.
 * The number of summands may be up to 2^62. */
typedef struct zn_exact_sum {
    int64_t *chunks; /* 32 bits each, and room for carries; chunk i counts 2^(32 i - 1074) */
    uint32_t first;  /* chunk at chunks[0] */
    uint32_t count;
    uint32_t capacity;
    uint32_t pending; /* summands since carries were moved on */
} zn_exact_sum;

enum {
    ZN_EXACT_CHUNKS_MAX = 72 /* 2^62 times the largest double, with its sign, ends before */
};

/* `value` is finite. */
void zn_exact_sum_add_double(zn_exact_sum *sum, double value);
void zn_exact_sum_add_integer(zn_exact_sum *sum, __int128 value);

/* Moves carries on: then all chunks but the highest are from 0 to 2^32 - 1, and that one fits into
 * 32 bits with its sign. */
void zn_exact_sum_settle(zn_exact_sum *sum);

/* Adds a chunk of another, settled sum. False if there can be no such chunk. */
bool zn_exact_sum_add_chunk(zn_exact_sum *sum, uint64_t index, int64_t chunk);

/* The double that is next to the sum divided by 2^scale, of two that are equally near the even one;
 * infinite if it is too large. A scale other than 0 is for sums that are. Settles. */
double zn_exact_sum_round(zn_exact_sum *sum, int scale);

static inline size_t zn_exact_sum_bytes(const zn_exact_sum *sum) {
    return sum->capacity * sizeof *sum->chunks;
}

void zn_exact_sum_free(zn_exact_sum *sum);

#endif
