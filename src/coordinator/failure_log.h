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

/* The last failed attempts of a stage. All zero is valid, empty. */
typedef struct zn_failure_log {
    zn_failed_attempt *items; /* a ring; owned */
    uint64_t count;           /* entries ever made */
    uint64_t tasks;           /* attempts that they were about */
} zn_failure_log;

void zn_failure_log_add(zn_failure_log *log, zn_task_run run, uint64_t at_ns,
                        const zonda_error *error);

/* How many entries are still there. */
uint64_t zn_failure_log_kept(const zn_failure_log *log);

/* An entry that is still there, from 0, the oldest first. Borrowed. */
const zn_failed_attempt *zn_failure_log_get(const zn_failure_log *log, uint64_t index);

void zn_failure_log_free(zn_failure_log *log);

#endif
