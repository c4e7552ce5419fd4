/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_CHUNK_H
#define ZN_WORKER_CHUNK_H

#include <stdbool.h>

#include "wire/message.h"
#include "worker/pace.h"

/* What a slot gets at a time: tasks of one stage. Open data; the tasks are marked by the functions
 * below. */
typedef struct zn_chunk {
    uint64_t sequence; /* of the slot's life, from 1 */
    struct zn_held_stage *stage;
    bool sweep;     /* remove temporaries instead of running; holds nothing */
    bool cancelled; /* holds nothing any more; the slot is still in it */
    bool thinned;   /* some of its tasks were withdrawn */
    bool warm;      /* not the first of its stage in this slot: its time means something */
    uint64_t cancelled_ns;
    uint64_t sent_ns;
    zn_run *runs;
    size_t run_count;
    uint32_t tasks;
    uint32_t open;     /* tasks without an outcome */
    uint32_t unwanted; /* of them withdrawn */
    uint8_t reported[ZN_CHUNK_TASKS_MAX / 8];
    uint8_t withdrawn[ZN_CHUNK_TASKS_MAX / 8];
} zn_chunk;

bool zn_chunk_is_reported(const zn_chunk *chunk, uint32_t position);
bool zn_chunk_is_withdrawn(const zn_chunk *chunk, uint32_t position);

/* Where in the chunk the attempt at the task is, from 0; -1: nowhere. */
int64_t zn_chunk_find(const zn_chunk *chunk, uint64_t task, uint64_t attempt);

/* Tasks that are wanted and have no outcome yet. */
uint32_t zn_chunk_held(const zn_chunk *chunk);

/* Marks the tasks of an outcome as reported; false, and nothing is marked, unless each of them is
 * in the chunk and has none yet. */
bool zn_chunk_report(zn_chunk *chunk, const zn_outcome *outcome);

/* Marks those tasks of the run that are held as withdrawn; returns how many that were. */
uint32_t zn_chunk_withdraw(zn_chunk *chunk, const zn_run *run);

/* The next run of held tasks at or after `*position`, which is moved behind it. False if there is
 * none. */
bool zn_chunk_next_held(const zn_chunk *chunk, uint32_t *position, zn_run *out);

#endif
