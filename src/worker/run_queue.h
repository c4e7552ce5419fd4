/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_RUN_QUEUE_H
#define ZN_WORKER_RUN_QUEUE_H

#include "wire/message.h"

/* Tasks that wait, as runs, oldest first. All zero is a valid, empty one. */
typedef struct zn_run_queue {
    zn_run *runs;
    size_t head; /* of the first waiting run */
    size_t count;
    size_t capacity;
    uint64_t tasks;
} zn_run_queue;

/* Adds at the end; joins with the last run where they are one. */
void zn_run_queue_append(zn_run_queue *queue, zn_run run);

/* Adds at the front, joined likewise: for tasks that come back from a slot that died. */
void zn_run_queue_prepend(zn_run_queue *queue, zn_run run);

/* Takes up to `tasks_max` tasks of the first run. The queue must not be empty. */
zn_run zn_run_queue_take(zn_run_queue *queue, uint64_t tasks_max);

/* Removes those tasks of the run that wait with its attempt; returns how many that were. */
uint64_t zn_run_queue_remove(zn_run_queue *queue, zn_run run);

void zn_run_queue_clear(zn_run_queue *queue);
void zn_run_queue_free(zn_run_queue *queue);

#endif
