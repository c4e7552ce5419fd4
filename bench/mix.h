/* SPDX-License-Identifier: MPL-2.0 */
/* Numbers that look random and are the same everywhere: what generate.c writes, check.c expects. */
#ifndef ZN_BENCH_MIX_H
#define ZN_BENCH_MIX_H

#include <stdint.h>

/* splitmix64 (Steele, Lea, Flood 2014): a bijection. */
static inline uint64_t scramble(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* The key of row `n` of `aggregate`. */
static inline uint64_t million_key(uint64_t n) {
    return scramble(n) % 1000000;
}

#endif
