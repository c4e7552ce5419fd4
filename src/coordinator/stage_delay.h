/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_STAGE_DELAY_H
#define ZN_COORDINATOR_STAGE_DELAY_H

#include "coordinator/task_set.h"

/* Pending tasks of a stage that are not to be handed out before a time. All zero: none. */
typedef struct zn_stage_delay {
    zn_task_set tasks; /* value: when they are due, in steps of 10 ms */
    uint64_t due_ns;   /* when the first of them are; meaningless if there are none */
} zn_stage_delay;

/* Delays those of the tasks that are pending and not delayed yet. */
void zn_stage_delay_put(zn_stage_delay *delay, const zn_task_set *pending, uint32_t first,
                        uint32_t count, uint64_t due_ns);

/* They are not pending any more. */
void zn_stage_delay_forget(zn_stage_delay *delay, uint32_t first, uint32_t count);

/* Lets go of those that are due; whether there were any. */
bool zn_stage_delay_expire(zn_stage_delay *delay, uint64_t now_ns);

/* The tasks of a set of which the upper 32 bits of the value are these; 0: none of them. */
typedef struct zn_task_choice {
    const zn_task_set *set;
    uint64_t upper;
} zn_task_choice;

/* The first pending tasks that are not delayed and not to be passed over, at most `count_max`;
 * false if there are none. */
bool zn_stage_delay_next(const zn_stage_delay *delay, const zn_task_set *pending,
                         const zn_task_choice *passed_over, uint32_t count_max, zn_task_run *out);

void zn_stage_delay_free(zn_stage_delay *delay);

#endif
