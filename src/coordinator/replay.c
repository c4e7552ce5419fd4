/* SPDX-License-Identifier: MPL-2.0 */
/* From notes to state. Every function here checks that its note fits, then changes the state with
 * the same functions that the live path uses; lists, letters and events come when the scheduler
 * begins. A note that does not fit is an error and never guessed over: checksums have been checked
 * before, so it is either not ours or a bug.
 *
 * While notes are replayed nobody holds a task: one that had been handed out is pending with the
 * number of the attempt that was. zn_scheduler_begin raises all of them by one. */
#include "coordinator/replay.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "coordinator/lineage.h"
#include "coordinator/replay_tasks.h"
#include "coordinator/scheduler_internal.h"

enum {
    LENGTH_BYTES = 4
};

static zonda_err find_open_job(const zn_scheduler *scheduler, uint64_t id, zn_live_job **out,
                               zonda_error *error) {
    zn_live_job *job = zn_key_map_get(&scheduler->job_map, id);
    if (job == NULL || job->state != ZN_JOB_OPEN) {
        return ZN_UNFIT(error, "job %llu is not open", (unsigned long long)id);
    }
    *out = job;
    return ZONDA_OK;
}

/* ---- coordinators and workers ---- */

static zonda_err begun(zn_scheduler *scheduler, const zn_msg_note_begun *note, zonda_error *error) {
    if (note->cluster == 0 || note->first_job == 0) {
        return ZN_UNFIT(error, "a cluster without an id");
    }
    scheduler->config.cluster = note->cluster;
    scheduler->config.first_job = note->first_job;
    scheduler->next_job = note->next_job;
    scheduler->next_epoch = note->next_epoch;
    scheduler->next_worker = note->next_worker;
    zn_live_job *job;
    TAILQ_FOREACH(job, &scheduler->jobs, link) {
        for (size_t i = 0; note->restart == 1 && i < job->stage_count; i++) {
            zn_live_stage_raise(job->stages[i]);
        }
    }
    return ZONDA_OK;
}

static uint64_t later(uint64_t next, uint64_t used) {
    return next > used ? next : used + 1;
}

static zonda_err worker(zn_scheduler *scheduler, const zn_msg_note_worker *note,
                        zonda_error *error) {
    zn_member *member = zn_scheduler_holder(scheduler, note->client);
    if (note->client == 0 || (member != NULL && member->id != note->worker) ||
        (member == NULL && scheduler->client_map.count >= ZN_WORKERS_MAX)) {
        return ZN_UNFIT(error, "worker %llu is not a new one", (unsigned long long)note->worker);
    }
    if (member == NULL) {
        member = zn_member_new(note->worker, note->client);
        zn_key_map_put(&scheduler->client_map, note->client, member);
        TAILQ_INSERT_TAIL(&scheduler->members, member, link);
        zonda_err refused = zn_member_apply(member, ZN_MEMBER_EVENT_HELLO, error);
        ZN_ASSERT(refused == ZONDA_OK);
        refused = zn_member_apply(member, ZN_MEMBER_EVENT_GAP, error);
        ZN_ASSERT(refused == ZONDA_OK);
    }
    zn_msg_hello hello = { .host = note->host,
                           .pid = note->pid,
                           .slots = note->slots,
                           .data = note->data,
                           .folder = note->folder,
                           .machine = note->machine };
    zn_member_begin(member, &hello, &(zn_peer){ 0 }, note->epoch, scheduler->now_ns);
    member->completed = note->completed;
    if (note->drained == 1 && member->drain_reason == NULL) {
        member->drain_reason = zn_strndup(
            note->reason.len > 0 ? (const char *)note->reason.data : "", note->reason.len);
        member->drain_ns = scheduler->now_ns;
    }
    scheduler->next_worker = later(scheduler->next_worker, note->worker);
    scheduler->next_epoch = later(scheduler->next_epoch, note->epoch);
    return ZONDA_OK;
}

static zonda_err worker_gone(zn_scheduler *scheduler, const zn_msg_note_worker_gone *note,
                             zonda_error *error) {
    zn_member *member = zn_scheduler_holder(scheduler, note->client);
    if (member == NULL) {
        return ZN_UNFIT(error, "a worker is gone that was not there");
    }
    zn_key_map_remove(&scheduler->client_map, note->client);
    TAILQ_REMOVE(&scheduler->members, member, link);
    zn_member_destroy(&member);
    return ZONDA_OK;
}

/* ---- jobs ---- */

static zonda_err job_opened(zn_scheduler *scheduler, const zn_msg_note_job *note,
                            zonda_error *error) {
    zn_digest fingerprint;
    zn_live_job *job = zn_key_map_get(&scheduler->job_map, note->job);
    bool resumes = job != NULL && job->state == ZN_JOB_OPEN;
    if (!zn_digest_from_bytes(note->fingerprint, &fingerprint) || note->job == 0 ||
        (job != NULL && !resumes) || scheduler->job_map.count >= ZN_JOBS_MAX) {
        return ZN_UNFIT(error, "job %llu cannot be opened", (unsigned long long)note->job);
    }
    if (job == NULL) {
        zn_msg_open_job open = { .name = note->name,
                                 .user_attempts = note->user_attempts,
                                 .infra_attempts = note->infra_attempts,
                                 .crash_attempts = note->crash_attempts,
                                 .no_backups = note->no_backups,
                                 .hang_ms = note->hang_ms };
        job = zn_live_job_new(note->job, &open, fingerprint,
                              zn_replay_time(scheduler, note->opened_ms));
        zn_scheduler_add_job(scheduler, job);
        scheduler->next_job = later(scheduler->next_job, note->job);
    }
    zn_live_job_own(job, note->client, note->request);
    job->detached = note->detach == 1;
    return ZONDA_OK;
}

static zonda_err blob_put(zn_scheduler *scheduler, const zn_msg_note_blob *note,
                          zonda_error *error) {
    zn_live_job *job = NULL;
    zn_blob *blob = NULL;
    zn_digest digest;
    if (!zn_digest_from_bytes(note->digest, &digest)) {
        return ZN_UNFIT(error, "a blob without a digest");
    }
    zonda_err err = find_open_job(scheduler, note->job, &job, error);
    if (err == ZONDA_OK) {
        zn_msg_put_blob put = { .size = note->size, .bytes = note->bytes };
        err = zn_live_job_blob(job, scheduler->blobs, &put, digest, &blob, error);
    }
    if (err == ZONDA_OK && blob == NULL) {
        err = ZN_UNFIT(error, "job %llu refers to a blob that is not there",
                       (unsigned long long)note->job);
    }
    if (err == ZONDA_OK) {
        err = zn_blob_append(blob, note->offset, note->bytes, error);
        err = err == ZONDA_ERR_CORRUPT ? ZONDA_OK : err; /* so it was when it came: empty again */
    }
    return err;
}

static zonda_err check_inputs(const zn_live_job *job, const zn_msg_note_stage *note,
                              zonda_error *error) {
    for (size_t i = 0; i < note->inputs_count; i++) {
        if (zn_live_job_stage(job, note->inputs[i].stage) == NULL ||
            note->inputs[i].first >= note->task_count) {
            return ZN_UNFIT(error, "stage %llu reads stage %llu", (unsigned long long)note->stage,
                            (unsigned long long)note->inputs[i].stage);
        }
    }
    return ZONDA_OK;
}

static zonda_err stage_started(zn_scheduler *scheduler, const zn_msg_note_stage *note,
                               zonda_error *error) {
    zn_live_job *job = NULL;
    zn_digest body;
    zonda_err err = find_open_job(scheduler, note->job, &job, error);
    if (err == ZONDA_OK) {
        err = check_inputs(job, note, error);
    }
    if (err != ZONDA_OK) {
        return err;
    }
    zn_blob *blob = NULL;
    if (zn_digest_from_bytes(note->body, &body)) {
        blob = zn_blob_store_find(scheduler->blobs, body);
    }
    if (note->task_count == 0 || zn_live_job_stage(job, note->stage) != NULL || blob == NULL ||
        !zn_blob_complete(blob)) {
        return ZN_UNFIT(error, "stage %llu of job %llu cannot be started",
                        (unsigned long long)note->stage, (unsigned long long)note->job);
    }
    zn_msg_start_stage request = { .stage = note->stage,
                                   .name = note->name,
                                   .task_count = note->task_count,
                                   .limit = note->limit,
                                   .inputs = note->inputs,
                                   .inputs_count = note->inputs_count };
    zn_live_stage *stage = zn_scheduler_add_stage(job, &request, body, blob);
    stage->started_ns = zn_replay_time(scheduler, note->at_ms);
    return ZONDA_OK;
}

static void cancel_stages(const zn_live_job *job, const zonda_error *reason, uint64_t now_ns) {
    for (size_t i = 0; i < job->stage_count; i++) {
        zn_live_stage_cancel(job->stages[i], reason, now_ns);
    }
}

static zonda_err job_ended(zn_scheduler *scheduler, const zn_msg_note_job_ended *note,
                           zonda_error *error) {
    zn_live_job *job = NULL;
    zn_live_stage *stage = NULL;
    zonda_err err = find_open_job(scheduler, note->job, &job, error);
    if (err == ZONDA_OK && note->has_stage == 1) {
        err = zn_replay_running_stage(scheduler, note->job, note->stage, &stage, error);
    }
    if (err == ZONDA_OK && note->failure_count == 0) {
        err = ZN_UNFIT(error, "job %llu ended for no reason", (unsigned long long)note->job);
    }
    if (err != ZONDA_OK) {
        return err;
    }
    zonda_error why;
    zn_failure_to_error(&note->failure[0], &why);
    zonda_error reason = why;
    if (stage != NULL) {
        zn_live_stage_fail(stage, &why, scheduler->now_ns);
        zn_live_job_say_failed(stage, &why, &reason);
    }
    zn_live_job_end(job, stage != NULL ? ZN_JOB_EVENT_FAIL : ZN_JOB_EVENT_CANCEL, &why);
    cancel_stages(job, &reason, scheduler->now_ns);
    return ZONDA_OK;
}

static zonda_err job_closing(zn_scheduler *scheduler, const zn_msg_note_job_closing *note,
                             zonda_error *error) {
    zn_live_job *job = zn_key_map_get(&scheduler->job_map, note->job);
    if (job == NULL || job->state == ZN_JOB_CLOSING) {
        return ZN_UNFIT(error, "job %llu cannot be closed", (unsigned long long)note->job);
    }
    zonda_error reason;
    zn_live_job_say_closed(job, &reason);
    zonda_err refused = zn_live_job_apply(job, ZN_JOB_EVENT_CLOSE, error);
    ZN_ASSERT(refused == ZONDA_OK);
    cancel_stages(job, &reason, scheduler->now_ns);
    return ZONDA_OK;
}

static zonda_err job_forgotten(zn_scheduler *scheduler, const zn_msg_note_job_forgotten *note,
                               zonda_error *error) {
    zn_live_job *job = zn_key_map_get(&scheduler->job_map, note->job);
    if (job == NULL || job->state != ZN_JOB_CLOSING) {
        return ZN_UNFIT(error, "job %llu is not being closed", (unsigned long long)note->job);
    }
    zn_scheduler_drop_job(scheduler, job);
    return ZONDA_OK;
}

/* ---- every note ---- */

zonda_err zn_replay_note(zn_scheduler *scheduler, const zn_message *note, zonda_error *error) {
    switch (note->number) {
    case ZN_MSG_NOTE_BEGUN:
        return begun(scheduler, &note->note_begun, error);
    case ZN_MSG_NOTE_JOB:
        return job_opened(scheduler, &note->note_job, error);
    case ZN_MSG_NOTE_BLOB:
        return blob_put(scheduler, &note->note_blob, error);
    case ZN_MSG_NOTE_STAGE:
        return stage_started(scheduler, &note->note_stage, error);
    case ZN_MSG_NOTE_OUTCOMES:
        return zn_replay_outcomes(scheduler, &note->note_outcomes, error);
    case ZN_MSG_NOTE_ATTEMPTS:
        return zn_replay_attempts(scheduler, &note->note_attempts, error);
    case ZN_MSG_NOTE_LOST:
        return zn_replay_lost(scheduler, &note->note_lost, error);
    case ZN_MSG_NOTE_AGAIN:
        return zn_replay_again(scheduler, &note->note_again, error);
    case ZN_MSG_NOTE_SUMS:
        return zn_replay_sums(scheduler, &note->note_sums, error);
    case ZN_MSG_NOTE_FAILURES:
        return zn_replay_failures(scheduler, &note->note_failures, error);
    case ZN_MSG_NOTE_JOB_ENDED:
        return job_ended(scheduler, &note->note_job_ended, error);
    case ZN_MSG_NOTE_JOB_CLOSING:
        return job_closing(scheduler, &note->note_job_closing, error);
    case ZN_MSG_NOTE_JOB_FORGOTTEN:
        return job_forgotten(scheduler, &note->note_job_forgotten, error);
    case ZN_MSG_NOTE_WORKER:
        return worker(scheduler, &note->note_worker, error);
    case ZN_MSG_NOTE_WORKER_GONE:
        return worker_gone(scheduler, &note->note_worker_gone, error);
    default:
        return ZN_UNFIT(error, "%s is not a note of the state", zn_message_name(note->number));
    }
}

zonda_err zn_replay_batch(zn_scheduler *scheduler, zn_decoder *decoder, zn_bytes notes,
                          zonda_error *error) {
    size_t at = 0;
    while (at < notes.len) {
        zn_message note;
        size_t rest = notes.len - at;
        size_t len = rest >= LENGTH_BYTES ? zn_get_u32(notes.data + at) : SIZE_MAX;
        if (rest < LENGTH_BYTES || len > rest - LENGTH_BYTES) {
            return ZN_UNFIT(error, "a note is cut off");
        }
        zn_bytes bytes = { notes.data + at + LENGTH_BYTES, len };
        zonda_err err = zn_decoder_decode(decoder, bytes, &note, error);
        if (err == ZONDA_OK) {
            err = zn_replay_note(scheduler, &note, error);
        }
        if (err != ZONDA_OK) {
            return err;
        }
        at += LENGTH_BYTES + len;
    }
    return ZONDA_OK;
}

/* ---- beginning ---- */

static void begin_job(zn_scheduler *scheduler, zn_live_job *job) {
    job->called_ns = scheduler->now_ns;
    job->absent_ns = scheduler->now_ns; /* until its driver shows itself */
    for (size_t i = 0; i < job->stage_count; i++) {
        if (job->stages[i]->state == ZN_STAGE_RUNNING) {
            zn_live_stage_settle(job->stages[i]);
        }
        zn_live_stage_raise(job->stages[i]);
        zn_scheduler_refresh_stage(scheduler, job->stages[i]);
    }
}

void zn_scheduler_begin(zn_scheduler *scheduler, uint64_t now_ns) {
    scheduler->now_ns = now_ns;
    zn_live_job *job;
    TAILQ_FOREACH(job, &scheduler->jobs, link) {
        begin_job(scheduler, job);
    }
    zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        member->epoch = 0;
        member->heard_at_ns = now_ns;
        member->restored = true;
        scheduler->restored++;
    }
    zn_note_begun(scheduler, true);
    TAILQ_FOREACH(job, &scheduler->jobs, link) {
        zn_lineage_settle(scheduler, job);
    }
    zn_scheduler_forget_released(scheduler);
    zn_log(ZONDA_LOG_INFO, "coordinator-begins", "cluster=%llu jobs=%llu workers=%llu",
           (unsigned long long)scheduler->config.cluster,
           (unsigned long long)scheduler->job_map.count, (unsigned long long)scheduler->restored);
}
