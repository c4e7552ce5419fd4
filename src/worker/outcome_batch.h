/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_OUTCOME_BATCH_H
#define ZN_WORKER_OUTCOME_BATCH_H

#include <stdbool.h>

#include "wire/message.h"
#include "worker/arena.h"

/* Outcomes that wait to travel together. Adjacent tasks with the same plain outcome become one.
 * All zero is a valid, empty one. */
typedef struct zn_outcome_batch {
    zn_outcome *items;
    size_t count;
    size_t capacity;
    size_t bytes; /* about what they take on the wire */
    zn_arena arena;
} zn_outcome_batch;

/* Copies `outcome`, with all texts and lists. */
void zn_outcome_batch_add(zn_outcome_batch *batch, const zn_outcome *outcome);

/* Time to send it: ZN_BATCH_BYTES or ZN_OUTCOMES_MAX are reached. */
bool zn_outcome_batch_is_full(const zn_outcome_batch *batch);

void zn_outcome_batch_reset(zn_outcome_batch *batch);
void zn_outcome_batch_free(zn_outcome_batch *batch);

/* A copy whose texts and lists live in `arena`. */
zn_outcome zn_outcome_copy(zn_arena *arena, const zn_outcome *outcome);

#endif
