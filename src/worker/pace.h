/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_PACE_H
#define ZN_WORKER_PACE_H

#include <stdint.h>

/* How long the tasks of a stage take, and what follows from it. All zero: nothing is known. */
typedef struct zn_pace {
    uint64_t mean_ns; /* of a task; 0: not known yet */
    uint32_t chunk;   /* tasks in one chunk; 0: not known yet */
} zn_pace;

enum {
    ZN_CHUNK_TASKS_MAX = 1024,
    ZN_CHUNKS_MAX = 2 /* that a slot may have at a time */
};

/* `tasks` tasks took `duration_ns` in one slot. */
void zn_pace_measure(zn_pace *pace, uint64_t tasks, uint64_t duration_ns);

/* Tasks for one chunk of about 3.5 ms. */
uint32_t zn_pace_chunk(const zn_pace *pace);

/* Chunks that a slot may have at a time: two for short tasks, so that it does not wait. */
uint32_t zn_pace_depth(const zn_pace *pace);

/* Tasks that a worker with `slots` slots may hold. */
uint32_t zn_pace_credit(const zn_pace *pace, uint32_t slots);

#endif
