/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_SCHEDULER_DRAIN_H
#define ZN_COORDINATOR_SCHEDULER_DRAIN_H

#include "coordinator/scheduler.h"

/* The worker gets no more tasks, finishes what runs, and is told to leave once no open job has
 * results with it. `reason` is for people; once it is drained, another one changes nothing. */
void zn_scheduler_drain(zn_scheduler *scheduler, zn_member *member, zn_bytes reason);

/* What a worker that is drained is still there for. */
typedef struct zn_drain_status {
    uint64_t running; /* tasks that it holds */
    uint64_t results; /* results of open jobs that are with it */
    bool gone;
} zn_drain_status;

/* Drains the worker with this id, or tells how far that is. Errors: NOT_FOUND (there never was
 * one), CLOSED (the cluster ends). */
zonda_err zn_scheduler_drain_worker(zn_scheduler *scheduler, uint64_t now_ns, uint64_t id,
                                    zn_bytes reason, zn_drain_status *status, zonda_error *error);

#endif
