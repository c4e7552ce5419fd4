/* SPDX-License-Identifier: MPL-2.0 */
/* Jobs and stages: opened and started by their driver, ended by it, by a failure, or by somebody
 * who cancels. Ending a job's work is the same in all cases: running stages end, what is pending is
 * dropped, workers that hold tasks get CANCEL and hold none of the job any more. Letting go of a
 * job (DONE) is separate: it takes until every worker that ever got a task of it has answered. */
#include "coordinator/scheduler_internal.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"
#include "coordinator/lineage.h"
#include "coordinator/scheduler_backups.h"
#include "coordinator/stage_inputs.h"

void zn_scheduler_add_job(zn_scheduler *scheduler, zn_live_job *job) {
    zn_key_map_put(&scheduler->job_map, job->id, job);
    TAILQ_INSERT_TAIL(&scheduler->jobs, job, link);
}

void zn_scheduler_drop_job(zn_scheduler *scheduler, zn_live_job *job) {
    for (size_t i = 0; i < job->stage_count; i++) {
        zn_scheduler_unlink_stage(scheduler, job->stages[i]);
    }
    zn_key_map_remove(&scheduler->job_map, job->id);
    TAILQ_REMOVE(&scheduler->jobs, job, link);
    zn_live_job_destroy(&job, scheduler->blobs);
}

zonda_err zn_scheduler_open_job(zn_scheduler *scheduler, uint64_t now_ns,
                                const zn_msg_open_job *open, zn_digest fingerprint,
                                zn_live_job **out, zonda_error *error) {
    scheduler->now_ns = now_ns;
    if (scheduler->stopping) {
        return zn_error_set(error, ZONDA_ERR_CLOSED, "the cluster is being closed");
    }
    if (scheduler->job_map.count >= ZN_JOBS_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "the coordinator has %d jobs, the most it takes", ZN_JOBS_MAX);
    }
    zn_live_job *job = zn_live_job_new(scheduler->next_job++, open, fingerprint, now_ns);
    zn_scheduler_add_job(scheduler, job);
    zn_log(ZONDA_LOG_INFO, "job-opened", "job=%llu name=%s", (unsigned long long)job->id,
           job->name);
    *out = job;
    return ZONDA_OK;
}

zn_live_job *zn_scheduler_opened_by(const zn_scheduler *scheduler, uint64_t client,
                                    uint64_t request) {
    zn_live_job *job;
    TAILQ_FOREACH(job, &scheduler->jobs, link) {
        if (job->client == client && job->request == request) {
            return job;
        }
    }
    return NULL;
}

zonda_err zn_scheduler_find_job(const zn_scheduler *scheduler, uint64_t id, zn_live_job **out,
                                zonda_error *error) {
    zn_live_job *job = zn_key_map_get(&scheduler->job_map, id);
    if (job == NULL) {
        return zn_error_set(error, ZONDA_ERR_UNKNOWN_JOB, "there is no job %llu",
                            (unsigned long long)id);
    }
    *out = job;
    return ZONDA_OK;
}

/* ---- starting a stage ---- */

static zonda_err check_start(const zn_live_job *job, const zn_msg_start_stage *request,
                             zn_digest *body, zonda_error *error) {
    unsigned long long stage = request->stage;
    if (request->task_count == 0) {
        return zn_error_set(error, ZONDA_ERR_EMPTY_STAGE,
                            "stage %llu of job %llu has no tasks; an empty stage is not started",
                            stage, (unsigned long long)job->id);
    }
    zn_digest fingerprint;
    if (!zn_digest_from_bytes(request->fingerprint, &fingerprint) ||
        !zn_digest_equal(fingerprint, job->fingerprint)) {
        return zn_error_set(error, ZONDA_ERR_STAGE_MISMATCH,
                            "stage %llu is of another plan than job %llu", stage,
                            (unsigned long long)job->id);
    }
    if (!zn_digest_from_bytes(request->body, body)) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL, "stage %llu has no body digest", stage);
    }
    return ZONDA_OK;
}

/* A stage that is installed already: is it this one? */
static zonda_err check_installed(const zn_live_stage *stage, const zn_msg_start_stage *request,
                                 zn_digest body, zonda_error *error) {
    if (stage->total != request->task_count || !zn_digest_equal(stage->body, body)) {
        return zn_error_set(error, ZONDA_ERR_STAGE_MISMATCH,
                            "stage %u was started with %u tasks and another START_STAGE has %llu%s",
                            stage->index, stage->total, (unsigned long long)request->task_count,
                            stage->total == request->task_count ? " but another body" : "");
    }
    if (stage->limit != request->limit) {
        return zn_error_set(error, ZONDA_ERR_STAGE_MISMATCH,
                            "stage %u was started with limit %llu and another START_STAGE has %llu",
                            stage->index, (unsigned long long)stage->limit,
                            (unsigned long long)request->limit);
    }
    return zn_stage_inputs_same(stage, request, error);
}

zn_live_stage *zn_scheduler_add_stage(zn_live_job *job, const zn_msg_start_stage *request,
                                      zn_digest body, zn_blob *blob) {
    zn_live_job_keep_blob(job, blob);
    zn_live_stage *stage = zn_live_stage_new(job, (uint32_t)request->stage, request->name, body,
                                             (uint32_t)request->task_count);
    zonda_err refused = zn_live_stage_apply(stage, ZN_STAGE_EVENT_START, NULL);
    ZN_ASSERT(refused == ZONDA_OK);
    stage->limit = request->limit;
    zn_stage_inputs_install(stage, request);
    zn_live_job_add_stage(job, stage);
    return stage;
}

static zonda_err install_stage(zn_scheduler *scheduler, zn_live_job *job,
                               const zn_msg_start_stage *request, zn_digest body,
                               zn_live_stage **out, zonda_error *error) {
    zn_blob *blob = zn_blob_store_find(scheduler->blobs, body);
    if (blob == NULL || !zn_blob_complete(blob)) {
        char text[ZN_DIGEST_TEXT];
        return zn_error_set(error, ZONDA_ERR_UNKNOWN_BLOB,
                            "blob %s, the body of stage %llu, was not put",
                            zn_digest_text(body, text), (unsigned long long)request->stage);
    }
    zonda_err err = zn_stage_inputs_check(job, request, error);
    if (err != ZONDA_OK) {
        return err;
    }
    zn_live_stage *stage = zn_scheduler_add_stage(job, request, body, blob);
    stage->started_ns = scheduler->now_ns;
    zn_note_stage(scheduler, stage);
    zn_lineage_settle(scheduler, job);
    zn_scheduler_refresh_stage(scheduler, stage);
    zn_log(ZONDA_LOG_INFO, "stage-started", "job=%llu stage=%u tasks=%u name=%s",
           (unsigned long long)job->id, stage->index, stage->total, stage->name);
    *out = stage;
    return ZONDA_OK;
}

zonda_err zn_scheduler_start_stage(zn_scheduler *scheduler, uint64_t now_ns,
                                   const zn_msg_start_stage *request, zn_live_stage **out,
                                   zonda_error *error) {
    scheduler->now_ns = now_ns;
    zn_live_job *job = NULL;
    zn_digest body;
    zonda_err err = zn_scheduler_find_job(scheduler, request->job, &job, error);
    if (err == ZONDA_OK) {
        err = check_start(job, request, &body, error);
    }
    if (err == ZONDA_OK) {
        err = zn_live_job_apply(job, ZN_JOB_EVENT_START, error);
    }
    if (err != ZONDA_OK) {
        return err;
    }
    zn_live_stage *stage = zn_live_job_stage(job, request->stage);
    if (stage == NULL) {
        return install_stage(scheduler, job, request, body, out, error);
    }
    err = check_installed(stage, request, body, error);
    if (err == ZONDA_OK) {
        err = zn_live_stage_apply(stage, ZN_STAGE_EVENT_START, error);
    }
    if (err == ZONDA_OK) {
        *out = stage;
    }
    return err;
}

/* ---- ending a job ---- */

/* Forgets what the worker holds of the job; CANCEL tells it. */
static void cancel_on_member(zn_scheduler *scheduler, zn_member *member, const zn_live_job *job) {
    bool held = false;
    for (size_t i = member->holding_count; i > 0; i--) {
        zn_holding *holding = &member->holdings[i - 1];
        zn_live_stage *stage = holding->stage;
        if (stage->job == job) {
            uint32_t count = (uint32_t)holding->tasks.task_count;
            held = true;
            scheduler->running -= count;
            stage->running -= count;
            member->held -= count;
            zn_task_set_free(&holding->tasks);
            *holding = member->holdings[--member->holding_count];
        }
    }
    if (held) {
        zn_message message = { .number = ZN_MSG_CANCEL };
        message.cancel = (zn_msg_cancel){ .epoch = member->epoch, .job = job->id };
        zn_scheduler_tell(scheduler, member, &message);
        zn_scheduler_refresh_member(scheduler, member);
    }
}

/* Ends all work of the job; stages that still run are cancelled for the given reason. */
static void end_work(zn_scheduler *scheduler, zn_live_job *job, const zonda_error *reason) {
    zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        cancel_on_member(scheduler, member, job);
    }
    for (size_t i = 0; i < job->stage_count; i++) {
        zn_live_stage *stage = job->stages[i];
        zn_scheduler_end_backups(scheduler, stage, 0, stage->total);
        if (zn_live_stage_cancel(stage, reason, scheduler->now_ns)) {
            zn_scheduler_stage_changed(scheduler, stage);
        }
        zn_scheduler_refresh_stage(scheduler, stage);
    }
}

void zn_scheduler_fail_stage(zn_scheduler *scheduler, zn_live_stage *stage,
                             const zonda_error *error) {
    zn_live_job *job = stage->job;
    zn_live_stage_fail(stage, error, scheduler->now_ns);
    zn_live_job_end(job, ZN_JOB_EVENT_FAIL, error); /* a running stage belongs to an open job */
    zn_note_job_ended(scheduler, job, stage);
    zonda_error reason;
    zn_live_job_say_failed(stage, error, &reason);
    end_work(scheduler, job, &reason);
    zn_scheduler_stage_changed(scheduler, stage);
    zn_log(ZONDA_LOG_INFO, "job-failed", "job=%llu stage=%u code=%s text=%s",
           (unsigned long long)job->id, stage->index, zonda_err_name(error->code), error->text);
}

/* ---- letting go of a job ---- */

void zn_scheduler_tell_done(zn_scheduler *scheduler, const zn_member *member, uint64_t job) {
    zn_message message = { .number = ZN_MSG_DONE };
    message.done = (zn_msg_done){ .epoch = member->epoch, .scope = ZN_DONE_JOB, .job = job };
    zn_scheduler_tell(scheduler, member, &message);
}

/* Tells DONE to those workers that got tasks of the job and were not told yet. */
static void let_go(zn_scheduler *scheduler, zn_live_job *job) {
    zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        zn_touched_job *touched = zn_member_touched(member, job->id);
        if (touched != NULL && !touched->done) {
            touched->done = true;
            job->waiting++;
            zn_scheduler_tell_done(scheduler, member, job->id);
        }
    }
}

/* Of a worker from before a restart nobody knows what it has until it is heard. */
static uint64_t waiting_for(const zn_scheduler *scheduler, const zn_live_job *job) {
    return job->waiting + scheduler->restored;
}

static void forget_if_released(zn_scheduler *scheduler, zn_live_job *job) {
    if (job->state != ZN_JOB_CLOSING || waiting_for(scheduler, job) > 0) {
        return;
    }
    zn_note_job_forgotten(scheduler, job);
    zn_log(ZONDA_LOG_INFO, "job-closed", "job=%llu", (unsigned long long)job->id);
    zn_scheduler_drop_job(scheduler, job);
}

void zn_scheduler_forget_released(zn_scheduler *scheduler) {
    zn_live_job *job = TAILQ_FIRST(&scheduler->jobs);
    while (job != NULL) {
        zn_live_job *next = TAILQ_NEXT(job, link);
        forget_if_released(scheduler, job);
        job = next;
    }
}

/* The driver that waits for the end of the job need not wait any more. */
static void say_released(zn_scheduler *scheduler, const zn_live_job *job) {
    if (job->state == ZN_JOB_CLOSING && waiting_for(scheduler, job) == 0) {
        zn_message message = { .number = ZN_MSG_EVENT, .event = { .job = job->id } };
        zn_scheduler_outbox_event(&scheduler->outbox, &message);
    }
}

void zn_scheduler_job_released(zn_scheduler *scheduler, uint64_t id) {
    zn_live_job *job = zn_key_map_get(&scheduler->job_map, id);
    if (job == NULL) {
        return; /* it was forgotten before the worker came back with segments of it */
    }
    ZN_ASSERT(job->waiting > 0);
    job->waiting--;
    say_released(scheduler, job);
    forget_if_released(scheduler, job);
}

zonda_err zn_scheduler_cancel_job(zn_scheduler *scheduler, uint64_t now_ns, uint64_t id,
                                  zn_bytes reason, uint64_t *waiting, zonda_error *error) {
    scheduler->now_ns = now_ns;
    zn_live_job *job = NULL;
    zonda_err err = zn_scheduler_find_job(scheduler, id, &job, error);
    if (err != ZONDA_OK) {
        return err;
    }
    if (job->state == ZN_JOB_OPEN) {
        zonda_error why;
        zn_error_set(&why, ZONDA_ERR_CANCELLED, "job %llu was cancelled%s%.*s",
                     (unsigned long long)id, reason.len > 0 ? ": " : "", (int)reason.len,
                     reason.len > 0 ? (const char *)reason.data : "");
        zn_live_job_end(job, ZN_JOB_EVENT_CANCEL, &why);
        zn_note_job_ended(scheduler, job, NULL);
        end_work(scheduler, job, job->ended);
        zn_log(ZONDA_LOG_INFO, "job-cancelled", "job=%llu text=%s", (unsigned long long)id,
               job->ended->text);
    }
    let_go(scheduler, job);
    *waiting = waiting_for(scheduler, job);
    return ZONDA_OK;
}

zonda_err zn_scheduler_close_job(zn_scheduler *scheduler, uint64_t now_ns, uint64_t id,
                                 uint64_t *waiting, zonda_error *error) {
    scheduler->now_ns = now_ns;
    zn_live_job *job = NULL;
    if (zn_scheduler_find_job(scheduler, id, &job, error) != ZONDA_OK) {
        if (id >= scheduler->config.first_job && id < scheduler->next_job) {
            *waiting = 0;
            return ZONDA_OK;
        }
        return ZONDA_ERR_UNKNOWN_JOB;
    }
    int before = job->state;
    zonda_err err = zn_live_job_apply(job, ZN_JOB_EVENT_CLOSE, error);
    if (err != ZONDA_OK) {
        return err;
    }
    if (before != ZN_JOB_CLOSING) {
        zn_note_job_closing(scheduler, job);
        zonda_error reason;
        zn_live_job_say_closed(job, &reason);
        end_work(scheduler, job, &reason);
        zn_history_remember(scheduler, job, before);
        let_go(scheduler, job);
    }
    *waiting = waiting_for(scheduler, job);
    forget_if_released(scheduler, job);
    return ZONDA_OK;
}
