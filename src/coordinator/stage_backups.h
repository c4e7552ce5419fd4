/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_STAGE_BACKUPS_H
#define ZN_COORDINATOR_STAGE_BACKUPS_H

#include "coordinator/task_set.h"

struct zn_member;

/* A second attempt at a task that somebody holds. */
typedef struct zn_backup {
    uint32_t task;
    uint64_t attempt;
    struct zn_member *member; /* who makes it; registered */
} zn_backup;

/* The second attempts of a stage, and how long its tasks take. All zero: none, unknown. */
typedef struct zn_stage_backups {
    zn_backup *items; /* at most one of a task; never more than there were idle slots */
    size_t count;
    size_t capacity;
    zn_task_set used;       /* tasks that ever had one; value: its attempt */
    zn_task_set publishing; /* tasks that may publish: they get none; value: the attempt */
    uint64_t spent_us;      /* time of slots, */
    uint64_t timed;         /* and of how many tasks that is */
    uint64_t given;         /* since the stage began */
    uint64_t won;           /* of those, that were faster */
} zn_stage_backups;

/* The mean time of a task in ms; 0: unknown. */
uint64_t zn_stage_backups_mean_ms(const zn_stage_backups *backups);

/* The second attempt of the first task in [first, end) that has one, or NULL. */
zn_backup *zn_stage_backups_find(const zn_stage_backups *backups, uint64_t first, uint64_t end);

/* Adds one, of a task that never had any. */
void zn_stage_backups_add(zn_stage_backups *backups, zn_backup backup);

void zn_stage_backups_remove(zn_stage_backups *backups, zn_backup *backup);

/* Cuts a run to tasks that never had a second attempt, or to one that had; then its attempt is
 * returned, else 0. */
uint64_t zn_stage_backups_cut(const zn_stage_backups *backups, zn_task_run *run);

void zn_stage_backups_free(zn_stage_backups *backups);

#endif
