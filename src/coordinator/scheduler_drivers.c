/* SPDX-License-Identifier: MPL-2.0 */
/* Drivers that vanish. A driver is known to be there by its subscription to the events, which its
 * connection keeps up without its help, so a driver that is busy with its results is not taken for
 * one that has gone. When the subscription ends, and neither it nor a call comes for the time of
 * grace, the driver's jobs are cancelled and closed. Of a driver that does not subscribe, or whose
 * first call has overtaken its subscription, only the calls count. */
#include "coordinator/scheduler_internal.h"

#include "base/clock.h"
#include "base/log.h"

void zn_scheduler_driver_seen(zn_scheduler *scheduler, uint64_t now_ns, uint64_t client,
                              bool present) {
    scheduler->now_ns = now_ns;
    zn_key_map_remove(&scheduler->driver_map, client);
    if (present && scheduler->driver_map.count < ZN_DRIVERS_MAX) {
        zn_key_map_put(&scheduler->driver_map, client, scheduler);
    }
    zn_live_job *job;
    TAILQ_FOREACH(job, &scheduler->jobs, link) {
        if (job->client == client) {
            job->absent_ns = present ? 0 : now_ns;
        }
    }
}

void zn_scheduler_own_job(zn_scheduler *scheduler, zn_live_job *job, uint64_t client,
                          uint64_t request) {
    bool present = zn_key_map_get(&scheduler->driver_map, client) != NULL;
    job->client = client;
    job->request = request;
    job->absent_ns = present ? 0 : scheduler->now_ns;
    zn_note_job(scheduler, job);
}

void zn_scheduler_excuse_drivers(zn_scheduler *scheduler) {
    zn_live_job *job;
    TAILQ_FOREACH(job, &scheduler->jobs, link) {
        job->absent_ns = job->absent_ns == 0 ? 0 : scheduler->now_ns;
    }
}

static bool is_abandoned(const zn_scheduler *scheduler, const zn_live_job *job) {
    uint64_t grace_ns = scheduler->config.driver_grace_ms * ZN_NS_PER_MS;
    uint64_t since = job->absent_ns > job->called_ns ? job->absent_ns : job->called_ns;
    return grace_ns > 0 && job->absent_ns != 0 && job->state != ZN_JOB_CLOSING &&
           scheduler->now_ns - since >= grace_ns;
}

static void abandon(zn_scheduler *scheduler, uint64_t id) {
    uint64_t waiting = 0;
    zonda_error ignored;
    zn_log(ZONDA_LOG_WARN, "job-abandoned", "job=%llu grace_ms=%u", (unsigned long long)id,
           scheduler->config.driver_grace_ms);
    zn_scheduler_cancel_job(scheduler, scheduler->now_ns, id,
                            zn_bytes_of_text("its driver has gone"), &waiting, &ignored);
    zn_scheduler_close_job(scheduler, scheduler->now_ns, id, &waiting, &ignored);
}

void zn_scheduler_look_at_drivers(zn_scheduler *scheduler) {
    zn_live_job *job = TAILQ_FIRST(&scheduler->jobs);
    while (job != NULL) {
        zn_live_job *next = TAILQ_NEXT(job, link);
        if (is_abandoned(scheduler, job)) {
            abandon(scheduler, job->id);
        }
        job = next;
    }
}
