/* SPDX-License-Identifier: MPL-2.0 */
/* Drivers that vanish. A driver is known to be there by its subscription to the events, which its
 * connection keeps up without its help, so a driver that is busy with its results is not taken for
 * one that has gone. When the subscription ends, and neither it nor a call comes for the time of
 * grace, the driver's jobs are cancelled and closed, unless they are detached and still run. Of a
 * driver that does not subscribe, or whose first call has overtaken its subscription, only the
 * calls count.
 *
 * A driver that is started again goes on with its job by name: it becomes the driver of the job,
 * and what the one before may still say (it was only cut off, perhaps) is refused. */
#include "coordinator/scheduler_drivers.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "coordinator/scheduler_internal.h"

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

static bool is_there(const zn_scheduler *scheduler, uint64_t client) {
    return zn_key_map_get(&scheduler->driver_map, client) != NULL;
}

void zn_scheduler_own_job(zn_scheduler *scheduler, zn_live_job *job, const zn_msg_open_job *open,
                          const char *who) {
    zn_live_job_own(job, open->client, open->request);
    job->detached = open->detach != 0;
    free(job->driver);
    job->driver = who[0] != '\0' ? zn_strdup(who) : NULL;
    job->called_ns = scheduler->now_ns;
    job->absent_ns = is_there(scheduler, open->client) ? 0 : scheduler->now_ns;
    zn_note_job(scheduler, job);
}

/* The newest job of that name which another client opened and which is not being closed. */
static zn_live_job *find_named(const zn_scheduler *scheduler, const zn_msg_open_job *open) {
    zn_live_job *job = NULL;
    TAILQ_FOREACH_REVERSE(job, &scheduler->jobs, zn_all_jobs, link) {
        if (job->state != ZN_JOB_CLOSING && job->client != open->client &&
            zn_bytes_equal(zn_bytes_of_text(job->name), open->name)) {
            return job;
        }
    }
    return NULL;
}

static zonda_err check_resume(const zn_scheduler *scheduler, const zn_live_job *job,
                              zn_digest fingerprint, zonda_error *error) {
    if (is_there(scheduler, job->client)) {
        return zn_error_set(error, ZONDA_ERR_REFUSED,
                            "job %llu of the name '%s' is being run by %s; take another name, or "
                            "try again half a minute after that one has gone",
                            (unsigned long long)job->id, job->name,
                            job->driver != NULL ? job->driver : "another driver");
    }
    if (!zn_digest_equal(job->fingerprint, fingerprint)) {
        return zn_error_set(error, ZONDA_ERR_PLAN_CHANGED,
                            "job %llu of the name '%s' has another plan, or other inputs; run that "
                            "one to its end, end it with `zonda cancel %llu`, or take another name",
                            (unsigned long long)job->id, job->name, (unsigned long long)job->id);
    }
    return ZONDA_OK;
}

zonda_err zn_scheduler_find_resumable(zn_scheduler *scheduler, uint64_t now_ns,
                                      const zn_msg_open_job *open, zn_digest fingerprint,
                                      zn_live_job **out, zonda_error *error) {
    scheduler->now_ns = now_ns;
    zn_live_job *job = find_named(scheduler, open);
    while (job != NULL && job->state != ZN_JOB_OPEN && !is_there(scheduler, job->client)) {
        uint64_t waiting = 0;
        zonda_err err = zn_scheduler_close_job(scheduler, now_ns, job->id, &waiting, error);
        if (err != ZONDA_OK) {
            return err;
        }
        job = find_named(scheduler, open);
    }
    *out = NULL;
    if (job == NULL || job->state != ZN_JOB_OPEN) {
        return ZONDA_OK; /* one that has ended is closed by its driver, which is there */
    }
    zonda_err err = check_resume(scheduler, job, fingerprint, error);
    if (err == ZONDA_OK) {
        zn_log(ZONDA_LOG_INFO, "job-resumed", "job=%llu name=%s", (unsigned long long)job->id,
               job->name);
        *out = job;
    }
    return err;
}

zonda_err zn_scheduler_driver_calls(zn_scheduler *scheduler, uint64_t now_ns, uint64_t client,
                                    uint64_t job_id, zonda_error *error) {
    zn_live_job *job = zn_key_map_get(&scheduler->job_map, job_id);
    if (job == NULL) {
        return ZONDA_OK;
    }
    for (size_t i = 0; i < job->former_count && i < ZN_FORMER_DRIVERS_MAX; i++) {
        if (job->former[i] == client && job->client != client) {
            return zn_error_set(error, ZONDA_ERR_STALE,
                                "job %llu goes on with another driver, which has the same name",
                                (unsigned long long)job_id);
        }
    }
    job->called_ns = client == job->client ? now_ns : job->called_ns;
    return ZONDA_OK;
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
    bool stays = job->detached && job->state == ZN_JOB_OPEN;
    return grace_ns > 0 && job->absent_ns != 0 && job->state != ZN_JOB_CLOSING && !stays &&
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

/* ---- the end of the cluster ---- */

void zn_scheduler_stop_jobs(zn_scheduler *scheduler, uint64_t now_ns) {
    scheduler->stopping = true;
    zn_live_job *job;
    TAILQ_FOREACH(job, &scheduler->jobs, link) {
        uint64_t waiting = 0;
        zonda_error ignored;
        zn_scheduler_cancel_job(scheduler, now_ns, job->id,
                                zn_bytes_of_text("the coordinator was stopped"), &waiting,
                                &ignored);
    }
}

bool zn_scheduler_has_unclosed(const zn_scheduler *scheduler, bool drivers) {
    const zn_live_job *job;
    TAILQ_FOREACH(job, &scheduler->jobs, link) {
        bool unread = job->state != ZN_JOB_CLOSING && job->absent_ns == 0;
        if (job->waiting > 0 || (drivers && unread)) {
            return true;
        }
    }
    return false;
}
