/* SPDX-License-Identifier: MPL-2.0 */
/* The memory that one slot may use for what can grow: sort buffers, merge heads, groups, hash
 * tables, Lua states, fetch windows. Whoever grows asks first; a refusal means spill, never fail.
 * One thread. */
#ifndef ZN_BASE_MEMORY_H
#define ZN_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct zn_memory {
    uint64_t limit; /* bytes */
    uint64_t used;
    uint64_t peak; /* highest `used` so far */
} zn_memory;

static inline void zn_memory_note_peak(zn_memory *memory) {
    memory->peak = memory->used > memory->peak ? memory->used : memory->peak;
}

/* Takes `bytes` unless that exceeds the limit. NULL is an account without a limit. */
static inline bool zn_memory_take(zn_memory *memory, uint64_t bytes) {
    if (memory == NULL) {
        return true;
    }
    if (memory->used > memory->limit || bytes > memory->limit - memory->used) {
        return false;
    }
    memory->used += bytes;
    zn_memory_note_peak(memory);
    return true;
}

/* Takes `bytes` whatever the limit says: for what cannot be spilled, as one record or one block.
 * Others are refused until it is given back. */
static inline void zn_memory_force(zn_memory *memory, uint64_t bytes) {
    if (memory != NULL) {
        memory->used += bytes;
        zn_memory_note_peak(memory);
    }
}

static inline void zn_memory_give(zn_memory *memory, uint64_t bytes) {
    if (memory != NULL) {
        memory->used -= bytes;
    }
}

/* What is left. */
static inline uint64_t zn_memory_left(const zn_memory *memory) {
    if (memory == NULL) {
        return UINT64_MAX;
    }
    return memory->used < memory->limit ? memory->limit - memory->used : 0;
}

#endif
