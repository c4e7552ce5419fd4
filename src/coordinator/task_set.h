/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_TASK_SET_H
#define ZN_COORDINATOR_TASK_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Consecutive tasks that share a value: an attempt number, failure counts, a result. */
typedef struct zn_task_run {
    uint32_t first;
    uint32_t count;
    uint64_t value;
} zn_task_run;

typedef struct zn_task_chunk zn_task_chunk;

/* An ordered set of disjoint runs, neighbours with equal values merged. Ten million tasks in order
 * are one run. All zero is a valid, empty set. Every operation takes logarithmic time plus the size
 * of one chunk. */
typedef struct zn_task_set {
    zn_task_chunk **chunks;
    size_t chunk_count;
    size_t chunk_capacity;
    size_t run_count;
    uint64_t task_count;
} zn_task_set;

/* Adds a run, none of whose tasks may be in the set. */
void zn_task_set_insert(zn_task_set *set, zn_task_run run);

/* Removes tasks, all of which must be in the set (in however many runs). */
void zn_task_set_remove(zn_task_set *set, uint32_t first, uint32_t count);

/* Finds the first task in the set that is not before `task`, with what follows it in its run.
 * False if there is none. */
bool zn_task_set_next(const zn_task_set *set, uint32_t task, zn_task_run *out);

/* Whether `task` is in the set; then `*value` (may be NULL) gets its value. */
bool zn_task_set_get(const zn_task_set *set, uint32_t task, uint64_t *value);

/* The values right before and right behind tasks, none of which may be in the set; 0: none. */
void zn_task_set_around(const zn_task_set *set, uint32_t first, uint32_t count, uint64_t *before,
                        uint64_t *after);

/* Removes the first run, or only its first `count_max` tasks. False if the set is empty. */
bool zn_task_set_pop(zn_task_set *set, uint32_t count_max, zn_task_run *out);

/* Releases the memory and leaves an empty set. Values are the caller's. */
void zn_task_set_free(zn_task_set *set);

#endif
