/* SPDX-License-Identifier: MPL-2.0 */
/* Memory for what lives exactly as long as one batch: copies of outcomes and the runs in messages
 * that wait in an outbox. Blocks are chained, the newest first; a piece that is larger than a usual
 * block gets a block of its own. Used by outcome batches, the outbox and the slot loop. */
#include "worker/arena.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum {
    BLOCK_BYTES = 16 * 1024,
    ALIGNMENT = 16
};

struct zn_arena_block {
    struct zn_arena_block *next;
    size_t used;
    size_t capacity;
    _Alignas(ALIGNMENT) uint8_t memory[];
};

static struct zn_arena_block *add_block(zn_arena *arena, size_t capacity) {
    struct zn_arena_block *block = zn_alloc(sizeof *block + capacity);
    *block = (struct zn_arena_block){ .next = arena->blocks, .capacity = capacity };
    arena->blocks = block;
    return block;
}

void *zn_arena_take(zn_arena *arena, size_t bytes) {
    size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct zn_arena_block *block = arena->blocks;
    if (block == NULL || block->capacity - block->used < rounded) {
        block = add_block(arena, rounded > BLOCK_BYTES ? rounded : BLOCK_BYTES);
    }
    void *piece = block->memory + block->used;
    block->used += rounded;
    return piece;
}

zn_bytes zn_arena_copy(zn_arena *arena, zn_bytes bytes) {
    if (bytes.len == 0) {
        return (zn_bytes){ 0 };
    }
    uint8_t *copy = zn_arena_take(arena, bytes.len);
    memcpy(copy, bytes.data, bytes.len);
    return (zn_bytes){ .data = copy, .len = bytes.len };
}

size_t zn_arena_bytes(const zn_arena *arena) {
    size_t bytes = 0;
    for (const struct zn_arena_block *block = arena->blocks; block != NULL; block = block->next) {
        bytes += sizeof *block + block->capacity;
    }
    return bytes;
}

void zn_arena_reset(zn_arena *arena) {
    struct zn_arena_block *kept = NULL;
    for (struct zn_arena_block *block = arena->blocks, *next; block != NULL; block = next) {
        next = block->next;
        if (kept == NULL && block->capacity == BLOCK_BYTES) {
            kept = block;
            kept->used = 0;
        } else {
            free(block);
        }
    }
    if (kept != NULL) {
        kept->next = NULL;
    }
    arena->blocks = kept;
}

void zn_arena_free(zn_arena *arena) {
    for (struct zn_arena_block *block = arena->blocks, *next; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    arena->blocks = NULL;
}
