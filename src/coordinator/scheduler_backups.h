/* SPDX-License-Identifier: MPL-2.0 */
/* Inside the scheduler: second attempts of slow tasks. */
#ifndef ZN_COORDINATOR_SCHEDULER_BACKUPS_H
#define ZN_COORDINATOR_SCHEDULER_BACKUPS_H

#include "coordinator/scheduler.h"

/* Gives idle slots second attempts of tasks that take much longer than others of their stage. */
void zn_scheduler_give_backups(zn_scheduler *scheduler);

/* When to look for such tasks again; UINT64_MAX: there is nothing to look for. */
uint64_t zn_scheduler_backups_due(const zn_scheduler *scheduler);

/* Attempts of tasks of a running stage have ended without a result, and nobody holds the tasks any
 * more: the second attempt of a task goes on as its only one, all others are pending again, with a
 * higher attempt. With `note` that is noted, blamed on `failure` (may be NULL). */
void zn_scheduler_give_back(zn_scheduler *scheduler, zn_live_stage *stage, zn_task_run run,
                            bool note, const zonda_error *failure);

/* The worker makes the second attempt at a task with this number and has ended it well, or may
 * publish it: it takes the task from whoever holds it. False if it is not so. */
bool zn_scheduler_backup_wins(zn_scheduler *scheduler, const zn_member *member,
                              zn_live_stage *stage, uint32_t task, uint64_t attempt);

/* Its attempt has failed. The same. */
bool zn_scheduler_backup_fails(const zn_member *member, zn_live_stage *stage, uint32_t task,
                               uint64_t attempt);

/* The worker, which holds the task or makes its second attempt, asks to publish: whether it is the
 * one. No other attempt may from then on. */
bool zn_scheduler_may_publish(zn_scheduler *scheduler, zn_member *member, zn_live_stage *stage,
                              uint32_t task, uint64_t attempt);

/* Ends the second attempts of tasks that need none any more. */
void zn_scheduler_end_backups(zn_scheduler *scheduler, zn_live_stage *stage, uint32_t first,
                              uint32_t count);

/* Forgets those of a worker whose registration is over. */
void zn_scheduler_forget_backups(zn_scheduler *scheduler, zn_member *member);

/* Tells a worker to end an attempt. */
void zn_scheduler_withdraw(zn_scheduler *scheduler, const zn_member *member,
                           const zn_live_stage *stage, uint32_t task, uint64_t attempt);

#endif
