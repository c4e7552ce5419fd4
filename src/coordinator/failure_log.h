/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_FAILURE_LOG_H
#define ZN_COORDINATOR_FAILURE_LOG_H

#include "base/error.h"
#include "coordinator/task_set.h"

/* An attempt (of one task or several that failed together) and why it failed. */
typedef struct zn_failed_attempt {
    zn_task_run run; /* value: the attempt */
    uint64_t at_ns;
    zonda_error error;
} zn_failed_attempt;

/* The same in few words, for the error of the job should the task never succeed. */
typedef struct zn_past_attempt {
    zn_task_run run;
    zonda_err code;
    uint64_t worker;
    char host[64];
    char text[200];
} zn_past_attempt;

/* The last failed attempts of a stage, and those of tasks that are not completed yet. All zero is
 * valid, empty. */
typedef struct zn_failure_log {
    zn_past_attempt *past; /* the oldest first; owned */
    size_t past_count;
    size_t past_capacity;
    zn_failed_attempt *items; /* a ring; owned */
    uint64_t count;           /* entries ever made */
    uint64_t tasks;           /* attempts that they were about */
} zn_failure_log;

void zn_failure_log_add(zn_failure_log *log, zn_task_run run, uint64_t at_ns,
                        const zonda_error *error);

/* Keeps an attempt in mind until its tasks are completed. `host`: of its worker, for people. */
void zn_failure_log_remember(zn_failure_log *log, zn_task_run run, const char *host,
                             const zonda_error *error);

/* These tasks are completed. */
void zn_failure_log_forget(zn_failure_log *log, uint32_t first, uint32_t count);

/* Adds to the error of a task that is given up, on lines behind its traceback: `reason`, and how
 * the attempts before ended. What has no room is left out, the oldest first. */
void zn_failure_log_tell(const zn_failure_log *log, uint32_t task, const char *reason,
                         zonda_error *error);

/* How many entries are still there. */
uint64_t zn_failure_log_kept(const zn_failure_log *log);

/* An entry that is still there, from 0, the oldest first. Borrowed. */
const zn_failed_attempt *zn_failure_log_get(const zn_failure_log *log, uint64_t index);

void zn_failure_log_free(zn_failure_log *log);

#endif
