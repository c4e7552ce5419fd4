/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_ARENA_H
#define ZN_WORKER_ARENA_H

#include "base/buf.h"

/* Memory that is taken in pieces and given back at once. All zero is a valid, empty one. */
typedef struct zn_arena {
    struct zn_arena_block *blocks;
} zn_arena;

/* `bytes` of memory, aligned for anything, not cleared; valid until reset or free. */
void *zn_arena_take(zn_arena *arena, size_t bytes) __attribute__((returns_nonnull));

/* Copies; an empty copy has the pointer NULL. */
zn_bytes zn_arena_copy(zn_arena *arena, zn_bytes bytes);

/* The memory that it has, used or not. */
size_t zn_arena_bytes(const zn_arena *arena);

/* Gives everything back but one block of usual size, for reuse. */
void zn_arena_reset(zn_arena *arena);
void zn_arena_free(zn_arena *arena);

#endif
