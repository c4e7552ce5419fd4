/* SPDX-License-Identifier: MPL-2.0 */
/* The tasks of a chunk, by their position in it: which have an outcome, which were withdrawn. A
 * slot runs a chunk from its first task to its last, so a withdrawn task that is not the only one
 * may still run; its outcome is then not wanted. Called by the slot table and by rejoin.c. */
#include "worker/chunk.h"

static bool has_bit(const uint8_t *bits, uint32_t position) {
    return (bits[position / 8] >> (position % 8) & 1) != 0;
}

static void set_bit(uint8_t *bits, uint32_t position) {
    bits[position / 8] |= (uint8_t)(1u << (position % 8));
}

bool zn_chunk_is_reported(const zn_chunk *chunk, uint32_t position) {
    return has_bit(chunk->reported, position);
}

bool zn_chunk_is_withdrawn(const zn_chunk *chunk, uint32_t position) {
    return has_bit(chunk->withdrawn, position);
}

int64_t zn_chunk_find(const zn_chunk *chunk, uint64_t task, uint64_t attempt) {
    uint32_t position = 0;
    for (size_t i = 0; i < chunk->run_count; i++) {
        const zn_run *run = &chunk->runs[i];
        if (run->attempt == attempt && task >= run->first && task < run->first + run->count) {
            return (int64_t)(position + (task - run->first));
        }
        position += (uint32_t)run->count;
    }
    return -1;
}

uint32_t zn_chunk_held(const zn_chunk *chunk) {
    return chunk->cancelled || chunk->sweep ? 0 : chunk->open - chunk->unwanted;
}

static void mark_reported(zn_chunk *chunk, uint32_t position) {
    set_bit(chunk->reported, position);
    chunk->open -= 1;
    chunk->unwanted -= zn_chunk_is_withdrawn(chunk, position) ? 1 : 0;
}

/* Runs that follow each other in the chunk may have been merged into one outcome. */
bool zn_chunk_report(zn_chunk *chunk, const zn_outcome *outcome) {
    if (outcome->count == 0 || outcome->count > chunk->open) {
        return false;
    }
    for (int pass = 0; pass < 2; pass++) {
        for (uint64_t i = 0; i < outcome->count; i++) {
            int64_t position = zn_chunk_find(chunk, outcome->first + i, outcome->attempt);
            if (position < 0 || zn_chunk_is_reported(chunk, (uint32_t)position)) {
                return false;
            }
            if (pass == 1) {
                mark_reported(chunk, (uint32_t)position);
            }
        }
    }
    return true;
}

uint32_t zn_chunk_withdraw(zn_chunk *chunk, const zn_run *run) {
    uint32_t withdrawn = 0;
    uint32_t at = 0;
    zn_run held;
    while (zn_chunk_next_held(chunk, &at, &held)) {
        uint32_t start = at - (uint32_t)held.count;
        for (uint32_t i = 0; held.attempt == run->attempt && i < held.count; i++) {
            uint64_t task = held.first + i;
            if (task >= run->first && task < run->first + run->count) {
                set_bit(chunk->withdrawn, start + i);
                withdrawn += 1;
            }
        }
    }
    chunk->unwanted += withdrawn;
    chunk->thinned = chunk->thinned || withdrawn > 0;
    return withdrawn;
}

static bool is_held(const zn_chunk *chunk, uint32_t position) {
    return !zn_chunk_is_reported(chunk, position) && !zn_chunk_is_withdrawn(chunk, position);
}

bool zn_chunk_next_held(const zn_chunk *chunk, uint32_t *position, zn_run *out) {
    uint32_t start = 0; /* of the run */
    for (size_t i = 0; i < chunk->run_count && zn_chunk_held(chunk) > 0; i++) {
        const zn_run *run = &chunk->runs[i];
        uint32_t end = start + (uint32_t)run->count;
        uint32_t at = *position > start ? *position : start;
        while (at < end && !is_held(chunk, at)) {
            at += 1;
        }
        if (at < end) {
            *out = (zn_run){ .first = run->first + (at - start), .attempt = run->attempt };
            for (; at < end && is_held(chunk, at); at++) {
                out->count += 1;
            }
            *position = at;
            return true;
        }
        start = end;
    }
    return false;
}
