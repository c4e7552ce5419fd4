/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_SCHEDULER_DRIVERS_H
#define ZN_COORDINATOR_SCHEDULER_DRIVERS_H

#include "coordinator/scheduler.h"

/* Finds the open job with the name in `open`, to go on with it; `*out` is NULL if there is none. A
 * job of that name that failed or was cancelled while nobody was there is closed. Jobs of the same
 * client do not count: it knows of them. Errors: REFUSED (its driver is there), PLAN_CHANGED. */
zonda_err zn_scheduler_find_resumable(zn_scheduler *scheduler, uint64_t now_ns,
                                      const zn_msg_open_job *open, zn_digest fingerprint,
                                      zn_live_job **out, zonda_error *error);

/* The job is that of the driver who opened it, or goes on with it, by this call; `who` that is, for
 * people, may be empty. */
void zn_scheduler_own_job(zn_scheduler *scheduler, zn_live_job *job, const zn_msg_open_job *open,
                          const char *who);

/* A client calls for a job. STALE if it was its driver once and another one is now. */
zonda_err zn_scheduler_driver_calls(zn_scheduler *scheduler, uint64_t now_ns, uint64_t client,
                                    uint64_t job_id, zonda_error *error);

/* The cluster ends: opens no jobs any more, hands out nothing, cancels all jobs with a reason. */
void zn_scheduler_stop_jobs(zn_scheduler *scheduler, uint64_t now_ns);

/* Whether workers still hold something of a job or, if asked, a driver that is there has not closed
 * its job yet. */
bool zn_scheduler_has_unclosed(const zn_scheduler *scheduler, bool drivers);

#endif
