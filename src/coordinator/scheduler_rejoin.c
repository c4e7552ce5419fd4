/* SPDX-License-Identifier: MPL-2.0 */
/* Workers that register again and go on with what they had. What a worker held is recalled when its
 * epoch ends: nobody else gets it, until the worker has said what goes on. In the new epoch it
 * first reports what it had reported and does not know to have arrived, then it names the attempts
 * that have not ended (HOLDING), then it gives credit; what it has not named by then, it has not
 * got.
 *
 * A worker that was thought lost had its tasks given back to their stages. If nobody else got them
 * since, the worker is given the attempts again that it names; the others are withdrawn. A good
 * outcome of an attempt that was given out once is taken as long as its task is open. */
#include "coordinator/scheduler_internal.h"

#include "base/alloc.h"
#include "coordinator/scheduler_backups.h"
#include "coordinator/stage_attempts.h"

/* ---- taking attempts away ---- */

/* Attempts that a worker is to end; the memory goes with the letter. */
typedef struct withdrawal {
    zn_run *runs;
    size_t count;
    size_t capacity;
} withdrawal;

static void send_withdrawal(zn_scheduler *scheduler, const zn_member *member, uint64_t job,
                            uint64_t stage, withdrawal *list) {
    if (list->count == 0) {
        return;
    }
    zn_message message = { .number = ZN_MSG_WITHDRAW };
    message.withdraw = (zn_msg_withdraw){ .epoch = member->epoch,
                                          .job = job,
                                          .stage = stage,
                                          .runs = list->runs,
                                          .runs_count = list->count };
    zn_scheduler_outbox_send(&scheduler->outbox, member->epoch, &member->peer, &message,
                             list->runs);
    *list = (withdrawal){ 0 };
}

static void add_withdrawn(withdrawal *list, zn_task_run run) {
    ZN_GROW(list->runs, list->count, list->capacity);
    list->runs[list->count++] = (zn_run){ run.first, run.count, run.value };
}

/* The first tasks from `at` on, before `end`, that the worker holds with the attempt or a later
 * one; it holds them no more. The value of `out` is the attempt that would be next. */
static bool take_from(zn_scheduler *scheduler, zn_member *member, zn_live_stage *stage, uint32_t at,
                      uint32_t end, uint64_t attempt, zn_task_run *out) {
    for (size_t i = 0; i < member->holding_count; i++) {
        zn_holding *holding = &member->holdings[i];
        uint32_t from = at;
        while (holding->stage == stage && from < end &&
               zn_task_set_next(&holding->tasks, from, out) && out->first < end) {
            from = out->first + out->count;
            if (zn_held_attempt(out->value) < attempt) {
                continue;
            }
            out->count = out->count < end - out->first ? out->count : end - out->first;
            uint64_t used = zn_stage_backups_cut(&stage->backups, out);
            out->value = zn_held_attempt(out->value);
            zn_live_stage_uncount_try(stage, *out);
            withdrawal list = { 0 };
            add_withdrawn(&list, *out);
            zn_member_drop(member, holding, out->first, out->count);
            send_withdrawal(scheduler, member, stage->job->id, stage->index, &list);
            zn_scheduler_refresh_member(scheduler, member);
            out->value = 1 + (used > out->value ? used : out->value);
            return true;
        }
    }
    return false;
}

/* The first pending tasks from `at` on, before `end`, whose next attempt is from `low` to `high`.
 */
static bool next_pending(const zn_live_stage *stage, uint32_t at, uint32_t end, uint64_t low,
                         uint64_t high, zn_task_run *out) {
    while (at < end && zn_task_set_next(&stage->pending, at, out) && out->first < end) {
        if (out->value >= low && out->value <= high) {
            out->count = out->count < end - out->first ? out->count : end - out->first;
            return true;
        }
        at = out->first + out->count;
    }
    return false;
}

bool zn_scheduler_claim_late(zn_scheduler *scheduler, zn_live_stage *stage, uint32_t at,
                             uint32_t end, uint64_t attempt, zn_task_run *out) {
    if (next_pending(stage, at, end, attempt + 1, UINT64_MAX, out)) {
        zn_live_stage_claim(stage, out->first, out->count);
        scheduler->running += out->count;
        return true;
    }
    zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        if (take_from(scheduler, member, stage, at, end, attempt, out)) {
            return true;
        }
    }
    return false;
}

/* ---- HOLDING ---- */

/* Gives the worker those tasks again whose next attempt would be the one behind its own. */
static void adopt(zn_scheduler *scheduler, zn_member *member, zn_live_stage *stage,
                  zn_task_run run) {
    uint32_t end = run.first + run.count;
    uint32_t at = run.first;
    zn_task_run part;
    while (next_pending(stage, at, end, run.value + 1, run.value + 1, &part)) {
        part.value = run.value;
        zn_live_stage_claim(stage, part.first, part.count);
        zn_live_stage_count_try(stage, part);
        zn_member_hold(member, stage, part, scheduler->now_ns);
        zn_note_attempts(scheduler, stage, part, NULL);
        scheduler->running += part.count;
        scheduler->stats.adopted_tasks += part.count;
        at = part.first + part.count;
    }
}

/* What of a run the worker goes on with leaves `rest`. */
static void take_run(zn_scheduler *scheduler, zn_member *member, zn_live_stage *stage,
                     zn_task_run run, zn_task_set *rest) {
    zn_task_run part;
    while (zn_member_reclaim(member, stage, run, &part)) {
    }
    if (stage->state == ZN_STAGE_RUNNING) {
        adopt(scheduler, member, stage, run);
    }
    const zn_holding *holding = zn_member_holding(member, stage);
    uint32_t end = run.first + run.count;
    for (uint32_t at = run.first; holding != NULL && at < end &&
                                  zn_task_set_next(&holding->tasks, at, &part) && part.first < end;
         at = part.first + part.count) {
        part.count = part.count < end - part.first ? part.count : end - part.first;
        if (zn_held_attempt(part.value) == run.value) {
            zn_task_set_remove(rest, part.first, part.count);
        }
    }
}

zn_commit_answer zn_scheduler_may_commit(zn_scheduler *scheduler, zn_member *member,
                                         zn_live_stage *stage, uint32_t task, uint64_t attempt) {
    zn_task_run reclaimed;
    zn_member_reclaim(member, stage, (zn_task_run){ task, 1, attempt }, &reclaimed);
    if (zn_scheduler_may_publish(scheduler, member, stage, task, attempt)) {
        return ZN_COMMIT_GRANT;
    }
    uint64_t next = 0;
    bool may_go_on = stage->state == ZN_STAGE_RUNNING &&
                     zn_task_set_get(&stage->pending, task, &next) && next == attempt + 1;
    return may_go_on ? ZN_COMMIT_LATER : ZN_COMMIT_REFUSE;
}

/* Puts into `list` what of a run the worker may not go on with. */
static void take_or_withdraw(zn_scheduler *scheduler, zn_member *member,
                             const zn_msg_holding *holding, zn_live_stage *stage, zn_task_run run,
                             withdrawal *list) {
    zn_task_set rest = { 0 };
    zn_task_set_insert(&rest, run);
    if (stage != NULL) {
        take_run(scheduler, member, stage, run, &rest);
    }
    while (zn_task_set_pop(&rest, UINT32_MAX, &run)) {
        if (list->count == ZN_RUNS_MAX) {
            send_withdrawal(scheduler, member, holding->job, holding->stage, list);
        }
        add_withdrawn(list, run);
    }
    zn_task_set_free(&rest);
}

void zn_scheduler_take_holding(zn_scheduler *scheduler, zn_member *member,
                               const zn_msg_holding *holding) {
    const zn_live_job *job = zn_key_map_get(&scheduler->job_map, holding->job);
    zn_live_stage *stage = job != NULL ? zn_live_job_stage(job, holding->stage) : NULL;
    if (job == NULL || job->state == ZN_JOB_CLOSING) {
        zn_scheduler_has_job(scheduler, member, holding->job);
    } else {
        zn_member_touch(member, holding->job);
    }
    withdrawal list = { 0 };
    for (size_t i = 0; i < holding->runs_count; i++) {
        zn_task_run run = { (uint32_t)holding->runs[i].first, (uint32_t)holding->runs[i].count,
                            holding->runs[i].attempt };
        if (run.count > 0) {
            take_or_withdraw(scheduler, member, holding, stage, run, &list);
        }
    }
    send_withdrawal(scheduler, member, holding->job, holding->stage, &list);
    if (stage != NULL) {
        zn_scheduler_refresh_stage(scheduler, stage);
    }
    zn_scheduler_refresh_member(scheduler, member);
}
