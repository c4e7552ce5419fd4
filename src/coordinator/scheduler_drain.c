/* SPDX-License-Identifier: MPL-2.0 */
/* Workers that are to leave. A drained worker gets DRAIN: it hands back what it has not begun and
 * finishes what runs. Its results stay with it for as long as they are needed; then it is told DONE
 * (ALL), and leaves. After a time they are made again by others, while it goes on serving them.
 *
 * That a worker is drained belongs to the worker and not to its registration: when it registers
 * again it is drained as before. DRAIN and DONE are said again with every heartbeat, so that none
 * of them can be missed for ever. */
#include "coordinator/scheduler_drain.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "coordinator/lineage.h"
#include "coordinator/scheduler_backups.h"
#include "coordinator/scheduler_internal.h"
#include "coordinator/stage_attempts.h"

/* ---- what keeps it ---- */

/* Results of a stage that are with the worker and needed; any number that is not 0 if only `any` is
 * asked. */
static uint64_t count_in_stage(const zn_live_stage *stage, uint64_t holder, bool any) {
    uint64_t count = 0;
    zn_task_run run;
    bool needed = stage->away > 0 && zn_lineage_is_needed(stage);
    for (uint32_t at = 0; needed && zn_task_set_next(&stage->results, at, &run);
         at = run.first + run.count) {
        const zn_task_result *result = (const zn_task_result *)(uintptr_t)run.value;
        if (result->away && zn_task_result_home(result)->holder == holder) {
            count += run.count;
            if (any) {
                break;
            }
        }
    }
    return count;
}

static uint64_t count_results(const zn_scheduler *scheduler, uint64_t holder, bool any) {
    uint64_t count = 0;
    const zn_live_job *job;
    TAILQ_FOREACH(job, &scheduler->jobs, link) {
        for (size_t i = 0; job->state == ZN_JOB_OPEN && i < job->stage_count; i++) {
            count += count_in_stage(job->stages[i], holder, any);
            if (any && count > 0) {
                return count;
            }
        }
    }
    return count;
}

/* Whether some stage that was complete runs again. Which results it makes does not matter: it is a
 * short time in which a worker leaves a little later than it could. */
static bool is_making_again(const zn_scheduler *scheduler) {
    const zn_live_job *job;
    TAILQ_FOREACH(job, &scheduler->jobs, link) {
        for (size_t i = 0; job->state == ZN_JOB_OPEN && i < job->stage_count; i++) {
            if (job->stages[i]->was_complete && job->stages[i]->state == ZN_STAGE_RUNNING) {
                return true;
            }
        }
    }
    return false;
}

static bool has_another(const zn_scheduler *scheduler) {
    const zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        if (member->state == ZN_MEMBER_JOINED) {
            return true;
        }
    }
    return false;
}

/* Has its results made again if it has waited for long enough, and there is somebody to make them.
 */
static void replace_results(zn_scheduler *scheduler, zn_member *member) {
    uint64_t waited_ns = scheduler->now_ns - member->drain_ns;
    if (waited_ns < scheduler->config.drain_ms * ZN_NS_PER_MS || !has_another(scheduler)) {
        return;
    }
    zn_log(ZONDA_LOG_INFO, "worker-results-replaced", "worker=%llu host=%s pid=%llu",
           (unsigned long long)member->id, member->host, (unsigned long long)member->pid);
    zn_lineage_lose_holder(scheduler, member->client);
    member->replaced = true;
}

/* Whether nothing keeps a drained worker any more. */
static bool may_leave(zn_scheduler *scheduler, zn_member *member) {
    if (member->held > 0) {
        return false;
    }
    if (count_results(scheduler, member->client, true) > 0) {
        replace_results(scheduler, member);
    }
    return count_results(scheduler, member->client, true) == 0 &&
           !(member->replaced && is_making_again(scheduler));
}

/* ---- draining ---- */

static void tell_drain(zn_scheduler *scheduler, const zn_member *member) {
    zn_message message = { .number = ZN_MSG_DRAIN };
    message.drain.epoch = member->epoch;
    zn_scheduler_tell(scheduler, member, &message);
}

static void apply_drain(zn_scheduler *scheduler, zn_member *member) {
    if (zn_member_apply(member, ZN_MEMBER_EVENT_DRAIN, NULL) == ZONDA_OK &&
        member->state == ZN_MEMBER_DRAINING) {
        tell_drain(scheduler, member);
        zn_scheduler_refresh_member(scheduler, member);
    }
}

void zn_scheduler_drain(zn_scheduler *scheduler, zn_member *member, zn_bytes reason) {
    if (member->drain_reason == NULL) {
        member->drain_reason =
            zn_format("%.*s", (int)reason.len, reason.len > 0 ? (const char *)reason.data : "");
        member->drain_ns = scheduler->now_ns;
        zn_log(ZONDA_LOG_INFO, "worker-draining", "worker=%llu host=%s pid=%llu held=%u reason=%s",
               (unsigned long long)member->id, member->host, (unsigned long long)member->pid,
               member->held, member->drain_reason);
        zn_note_worker(scheduler, member);
    }
    apply_drain(scheduler, member);
}

void zn_scheduler_drain_again(zn_scheduler *scheduler, zn_member *member) {
    if (member->drain_reason != NULL) {
        apply_drain(scheduler, member);
    }
}

static void tell_leave(zn_scheduler *scheduler, const zn_member *member) {
    zn_message message = { .number = ZN_MSG_DONE };
    message.done = (zn_msg_done){ .epoch = member->epoch, .scope = ZN_DONE_ALL };
    zn_scheduler_tell(scheduler, member, &message);
}

void zn_scheduler_look_at_drained(zn_scheduler *scheduler, zn_member *member, bool due) {
    if (member->state == ZN_MEMBER_LEAVING && due) {
        member->beat_at_ns = scheduler->now_ns;
        tell_leave(scheduler, member);
    }
    if (member->state != ZN_MEMBER_DRAINING) {
        return;
    }
    if (due && member->held > 0) {
        tell_drain(scheduler, member);
    }
    if (!may_leave(scheduler, member)) {
        return;
    }
    zn_log(ZONDA_LOG_INFO, "worker-drained", "worker=%llu host=%s pid=%llu reason=%s",
           (unsigned long long)member->id, member->host, (unsigned long long)member->pid,
           member->drain_reason);
    if (zn_member_apply(member, ZN_MEMBER_EVENT_STOP, NULL) == ZONDA_OK) {
        tell_leave(scheduler, member);
        zn_scheduler_refresh_member(scheduler, member);
    }
}

/* ---- tasks that come back ---- */

/* Takes back those tasks of a run that it holds with that attempt. */
static void take_back(zn_scheduler *scheduler, zn_member *member, zn_live_stage *stage,
                      const zn_run *run) {
    uint32_t end = (uint32_t)(run->first + run->count);
    for (uint32_t task = (uint32_t)run->first; member->backups > 0 && task < end; task++) {
        zn_scheduler_backup_fails(member, stage, task, run->attempt);
    }
    zn_holding *holding = zn_member_holding(member, stage);
    zn_task_run part;
    for (uint32_t at = (uint32_t)run->first;
         holding != NULL && at < end && zn_task_set_next(&holding->tasks, at, &part) &&
         part.first < end;
         holding = zn_member_holding(member, stage)) {
        part.count = part.count < end - part.first ? part.count : end - part.first;
        at = part.first + part.count;
        if (zn_held_attempt(part.value) != run->attempt) {
            continue;
        }
        zn_member_drop(member, holding, part.first, part.count);
        scheduler->running -= part.count;
        if (stage->state == ZN_STAGE_RUNNING) {
            part.value = run->attempt;
            zn_live_stage_uncount_try(stage, part);
            zn_scheduler_give_back(scheduler, stage, part, true, NULL);
        } else {
            stage->running -= part.count;
        }
    }
}

void zn_scheduler_take_handback(zn_scheduler *scheduler, zn_member *member,
                                const zn_msg_handback *handback) {
    zn_live_job *job = zn_key_map_get(&scheduler->job_map, handback->job);
    zn_live_stage *stage = job != NULL ? zn_live_job_stage(job, handback->stage) : NULL;
    for (size_t i = 0; stage != NULL && i < handback->runs_count; i++) {
        take_back(scheduler, member, stage, &handback->runs[i]);
    }
    if (stage != NULL) {
        zn_scheduler_refresh_stage(scheduler, stage);
        zn_scheduler_refresh_member(scheduler, member);
        zn_scheduler_stage_changed(scheduler, stage);
    }
}

/* ---- the call ---- */

static zn_member *find_member(const zn_scheduler *scheduler, uint64_t id) {
    zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        if (member->id == id) {
            return member;
        }
    }
    return NULL;
}

zonda_err zn_scheduler_drain_worker(zn_scheduler *scheduler, uint64_t now_ns, uint64_t id,
                                    zn_bytes reason, zn_drain_status *status, zonda_error *error) {
    scheduler->now_ns = now_ns;
    if (scheduler->stopping) {
        return zn_error_set(error, ZONDA_ERR_CLOSED, "the cluster is being closed");
    }
    zn_member *member = find_member(scheduler, id);
    if (member == NULL && (id == 0 || id >= scheduler->next_worker)) {
        return zn_error_set(error, ZONDA_ERR_NOT_FOUND,
                            "there is no worker %llu; `zonda workers` lists them",
                            (unsigned long long)id);
    }
    *status = (zn_drain_status){ .gone = member == NULL };
    if (member != NULL) {
        zn_scheduler_drain(scheduler, member, reason);
        status->running = member->held;
        status->results = count_results(scheduler, member->client, false);
    }
    return ZONDA_OK;
}
