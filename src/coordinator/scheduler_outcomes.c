/* SPDX-License-Identifier: MPL-2.0 */
/* What became of tasks. An outcome counts for those of its tasks that the worker holds with that
 * very attempt. If it is a good one, it counts also for those of which the attempt was given out
 * once and that are still open: the worker was thought lost. All others (of a cancelled job, of a
 * stage that ended, of nobody) are counted as stale and dropped. So every task's outcome is
 * accepted at most once, whatever arrives.
 *
 * A stage with a limit ends before all its tasks have run. What workers hold of it then remains
 * theirs, because it remains in their queues and uses up their credit; when they report it, nothing
 * is taken of it, and when the job ends it is cancelled like everything else. */
#include "coordinator/scheduler_internal.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "coordinator/blame.h"
#include "coordinator/lineage.h"
#include "coordinator/scheduler_backups.h"
#include "coordinator/stage_attempts.h"

static const char *host_of(const zn_scheduler *scheduler, uint64_t worker) {
    const zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        if (member->id == worker) {
            return member->host;
        }
    }
    return "";
}

/* Why no other attempt is made, in front of the history of the task. */
static void tell_history(const zn_live_stage *stage, uint32_t task, zn_retry_class class,
                         uint32_t failures, zonda_error *error) {
    uint32_t limit = stage->job->options.limits.attempts[class];
    char reason[128];
    snprintf(reason, sizeof reason, "%s: %u of %u attempts failed%s", zn_retry_class_name(class),
             failures, limit,
             failures >= limit  ? ""
             : error->permanent ? ", and another one cannot help"
                                : ", and nobody is left who could make another one");
    zn_failure_log_tell(&stage->failed, task, reason, error);
}

bool zn_scheduler_attempt_failed(zn_scheduler *scheduler, zn_live_stage *stage, zn_task_run run,
                                 const zonda_error *error) {
    zn_retry_class class = zn_retry_class_of(error);
    uint32_t limit = stage->job->options.limits.attempts[class];
    uint32_t task = run.first;
    uint32_t failures = zn_retry_count(&stage->failures, run.first, run.count, class, &task);
    zn_blame_failed(scheduler, stage, run, error);
    zonda_error final = *error;
    final.attempt = (uint32_t)run.value;
    zn_failure_log_add(&stage->failed, run, scheduler->now_ns, &final);
    zn_failure_log_remember(&stage->failed, run, host_of(scheduler, error->worker), &final);
    bool hopeless = class == ZN_RETRY_DISK && failures >= ZN_ATTEMPTS_DISK_MIN &&
                    zn_scheduler_all_disks_full(scheduler, stage);
    if (failures < limit && !error->permanent && !hopeless) {
        uint64_t wait_ns = zn_retry_wait_ms(class, failures) * ZN_NS_PER_MS;
        if (wait_ns > 0) {
            zn_stage_delay_put(&stage->delay, &stage->pending, run.first, run.count,
                               scheduler->now_ns + wait_ns);
            zn_scheduler_refresh_stage(scheduler, stage);
        }
        return false;
    }
    if (class == ZN_RETRY_DISK) {
        zn_full_disks_describe(&stage->full_disks, &final);
    }
    zn_log(ZONDA_LOG_DEBUG, "task-failed", "job=%llu stage=%u task=%u",
           (unsigned long long)stage->job->id, stage->index, task);
    tell_history(stage, task, class, failures, &final);
    zn_scheduler_fail_stage(scheduler, stage, &final);
    return true;
}

void zn_scheduler_failure_of(const zn_failure *failure, uint64_t worker, zonda_error *out) {
    zn_failure_to_error(failure, out);
    out->worker = worker;
    out->permanent = out->permanent && !out->has_lost; /* what is lost is made again */
    if (out->code == ZONDA_OK) {
        out->code = ZONDA_ERR_INTERNAL; /* a failure without a code */
    }
}

static void fail_part(zn_scheduler *scheduler, zn_member *member, zn_live_stage *stage,
                      zn_task_run part, const zn_failure *failure) {
    zonda_error error;
    zn_scheduler_failure_of(failure, member->id, &error);
    if (error.code == ZONDA_ERR_DISK_FULL) {
        zn_full_disks_note(&stage->full_disks, member->host, scheduler->now_ns, &error);
    }
    zn_scheduler_give_back(scheduler, stage, part, false, NULL);
    zn_scheduler_refresh_stage(scheduler, stage);
    if (error.has_lost) {
        zn_lost_result lost = { error.lost_stage, error.lost_task, error.lost_attempt };
        zn_lineage_lose_result(scheduler, stage->job, &lost, &error);
    }
    zn_scheduler_attempt_failed(scheduler, stage, part, &error);
}

static void finish_stage(zn_scheduler *scheduler, zn_live_stage *stage) {
    zn_scheduler_refresh_stage(scheduler, stage);
    zn_log(ZONDA_LOG_INFO, "stage-complete", "job=%llu stage=%u tasks=%u retries=%llu",
           (unsigned long long)stage->job->id, stage->index, stage->total,
           (unsigned long long)stage->retries);
    zn_lineage_refresh_readers(scheduler, stage);
}

void zn_scheduler_settle_stage(zn_scheduler *scheduler, zn_live_stage *stage) {
    if (zn_live_stage_settle(stage)) {
        finish_stage(scheduler, stage);
    }
}

/* Accepts the outcome for tasks that the worker holds. They are not held afterwards. */
static void accept_part(zn_scheduler *scheduler, zn_member *member, zn_live_stage *stage,
                        zn_task_run part, const zn_outcome *outcome) {
    scheduler->running -= part.count;
    zn_note_outcome(scheduler, stage, member, part, outcome);
    if (outcome->failure_count > 0) {
        fail_part(scheduler, member, stage, part, &outcome->failure[0]);
        return;
    }
    member->completed += part.count;
    zn_blame_completed(scheduler, member, stage, part);
    zn_live_stage_complete(stage, part.first, part.count, outcome, member->client, member->id);
    zn_scheduler_end_backups(scheduler, stage, part.first, part.count);
    zn_stage_pace_note(&stage->pace, part.count, scheduler->now_ns);
    stage->moved_ns = scheduler->now_ns;
    zn_scheduler_settle_stage(scheduler, stage);
}

/* Finds the next tasks from `at` on, before `end`, that the worker holds with this attempt. */
static bool next_held(const zn_member *member, const zn_live_stage *stage, uint32_t at,
                      uint32_t end, uint64_t attempt, zn_task_run *out) {
    const zn_holding *holding = zn_member_holding(member, stage);
    while (holding != NULL && at < end && zn_task_set_next(&holding->tasks, at, out) &&
           out->first < end) {
        if (zn_held_attempt(out->value) == attempt) {
            out->value = attempt;
            out->count = out->count < end - out->first ? out->count : end - out->first;
            return true;
        }
        at = out->first + out->count;
    }
    return false;
}

/* A second attempt has failed: that is counted, and the first one goes on. */
static void fail_backup(zn_scheduler *scheduler, const zn_member *member, zn_live_stage *stage,
                        zn_task_run part, const zn_failure *failure) {
    zonda_error error;
    stage->retries++;
    zn_scheduler_failure_of(failure, member->id, &error);
    zn_note_attempts(scheduler, stage, (zn_task_run){ part.first, 1, part.value + 1 }, &error);
    zn_live_stage_raise_max(stage, part.value + 1);
    zn_note_attempts(scheduler, stage, part, NULL); /* no later one was given */
    zn_scheduler_attempt_failed(scheduler, stage, part, &error);
}

/* Takes an outcome of second attempts that the worker makes. Returns of how many. */
static uint64_t take_backups(zn_scheduler *scheduler, zn_member *member, zn_live_stage *stage,
                             const zn_outcome *outcome) {
    uint64_t accepted = 0;
    for (uint64_t i = 0; member->backups > 0 && i < outcome->count; i++) {
        zn_task_run part = { (uint32_t)(outcome->first + i), 1, outcome->attempt };
        if (outcome->failure_count > 0) {
            if (zn_scheduler_backup_fails(member, stage, part.first, part.value)) {
                fail_backup(scheduler, member, stage, part, &outcome->failure[0]);
                accepted++;
            }
        } else if (zn_scheduler_backup_wins(scheduler, member, stage, part.first, part.value)) {
            accept_part(scheduler, member, stage, part, outcome);
            accepted++;
        }
    }
    return accepted;
}

/* Accepts a good outcome for tasks that the worker does not hold any more. Returns how many. */
static uint64_t take_late(zn_scheduler *scheduler, zn_member *member, zn_live_stage *stage,
                          const zn_outcome *outcome) {
    uint32_t at = (uint32_t)outcome->first;
    uint32_t end = at + (uint32_t)outcome->count;
    uint64_t accepted = 0;
    zn_task_run part;
    while (outcome->failure_count == 0 && stage->state == ZN_STAGE_RUNNING &&
           zn_scheduler_claim_late(scheduler, stage, at, end, outcome->attempt, &part)) {
        part.value = outcome->attempt;
        zn_live_stage_count_try(stage, part);
        accept_part(scheduler, member, stage, part, outcome);
        accepted += part.count;
    }
    scheduler->stats.late_tasks += accepted;
    return accepted;
}

static void take_outcome(zn_scheduler *scheduler, zn_member *member, zn_live_stage *stage,
                         const zn_outcome *outcome) {
    uint32_t at = (uint32_t)outcome->first;
    uint32_t end = at + (uint32_t)outcome->count;
    uint64_t accepted = 0;
    zn_task_run part = { at, end - at, outcome->attempt };
    zn_task_run reclaimed;
    while (zn_member_reclaim(member, stage, part, &reclaimed)) {
    }
    while (next_held(member, stage, at, end, outcome->attempt, &part)) {
        zn_member_drop(member, zn_member_holding(member, stage), part.first, part.count);
        if (stage->state == ZN_STAGE_RUNNING) {
            accept_part(scheduler, member, stage, part, outcome);
            accepted += part.count;
        } else { /* skipped while the worker had it: only its credit is free again */
            scheduler->running -= part.count;
            stage->running -= part.count;
        }
        at = part.first + part.count;
    }
    if (accepted < outcome->count && stage->backups.count > 0) {
        accepted += take_backups(scheduler, member, stage, outcome);
    }
    if (accepted < outcome->count) {
        accepted += take_late(scheduler, member, stage, outcome);
    }
    scheduler->stats.stale_tasks += outcome->count - accepted;
}

/* Learns how long tasks of the stage take. */
static void note_time(zn_live_stage *stage, const zn_msg_outcomes *outcomes) {
    if (outcomes->spent_us > 0) {
        stage->backups.spent_us += outcomes->spent_us;
        for (size_t i = 0; i < outcomes->outcomes_count; i++) {
            stage->backups.timed += outcomes->outcomes[i].count;
        }
    }
}

void zn_scheduler_outcomes(zn_scheduler *scheduler, zn_member *member,
                           const zn_msg_outcomes *outcomes) {
    const zn_live_job *job = zn_key_map_get(&scheduler->job_map, outcomes->job);
    zn_live_stage *stage = job != NULL ? zn_live_job_stage(job, outcomes->stage) : NULL;
    if (stage == NULL || stage->job->state != ZN_JOB_OPEN) {
        for (size_t i = 0; i < outcomes->outcomes_count; i++) {
            scheduler->stats.stale_tasks += outcomes->outcomes[i].count;
        }
        zn_log(ZONDA_LOG_DEBUG, "stale-result", "worker=%llu job=%llu stage=%llu",
               (unsigned long long)member->id, (unsigned long long)outcomes->job,
               (unsigned long long)outcomes->stage);
        if (job == NULL || job->state == ZN_JOB_CLOSING) {
            zn_scheduler_has_job(scheduler, member, outcomes->job);
        }
        return;
    }
    for (size_t i = 0; i < outcomes->outcomes_count; i++) {
        take_outcome(scheduler, member, stage, &outcomes->outcomes[i]);
    }
    note_time(stage, outcomes);
    zn_notes_settle(&scheduler->notes);
    zn_scheduler_refresh_stage(scheduler, stage);
    zn_scheduler_refresh_member(scheduler, member);
    zn_scheduler_stage_changed(scheduler, stage);
}
