/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_TASK_RESULT_H
#define ZN_COORDINATOR_TASK_RESULT_H

#include <string.h>

#include "coordinator/counter_totals.h"
#include "wire/message.h"

/* Where a large result is, and what must be taken back from the stage's sums if it is lost. */
typedef struct zn_result_home {
    uint64_t holder; /* client id of the worker: outlives its registrations; 0: it is lost */
    uint64_t worker;
    uint32_t attempt;
    uint64_t records_in;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t offset;
    uint64_t length;
    zn_counter_totals counters;
    zn_part *parts; /* of a shuffle: the largest partitions */
    size_t part_count;
    size_t segment_len;
    char segment[];
} zn_result_home;

/* What one task gave; equal small results of neighbouring tasks are one object. It lives for as
 * long as `tasks` is not 0. Stages have millions of them, so the head is 16 bytes. */
typedef struct zn_task_result {
    uint64_t records_out;
    uint32_t tasks;
    uint32_t away : 1; /* the records are with a worker; see zn_task_result_home */
    uint32_t len : 31; /* of the records in `bytes`; away: 0 */
    uint8_t bytes[];
} zn_task_result;

/* Where a result that is away lies; NULL if the records are here. Borrowed, and may be changed. */
static inline zn_result_home *zn_task_result_home(const zn_task_result *result) {
    zn_result_home *home = NULL;
    if (result->away) {
        memcpy(&home, result->bytes, sizeof home);
    }
    return home;
}

/* Copies what `outcome` says; `tasks` is 0. */
zn_task_result *zn_task_result_new(const zn_outcome *outcome, uint64_t holder, uint64_t worker);

/* Whether a task with this outcome can share the result: same small records, same count. */
bool zn_task_result_matches(const zn_task_result *result, const zn_outcome *outcome);

/* Whether the result lay with a worker and is nowhere any more. */
static inline bool zn_task_result_is_lost(const zn_task_result *result) {
    return result->away && zn_task_result_home(result)->holder == 0;
}

/* Takes `count` tasks from the result and frees it after the last. */
void zn_task_result_release(zn_task_result *result, uint64_t count);

#endif
