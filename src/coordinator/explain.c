/* SPDX-License-Identifier: MPL-2.0 */
/* Answers "what is it doing": how far the stages are, which attempts failed and why, who has the
 * tasks that are out. Only reads; the reasons for waiting are in explain_reasons.c. All lists are
 * bounded, whatever the state is: of many failures the last ones are shown, of many workers the
 * first ones. Called for EXPLAIN. */
#include "coordinator/explain.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"

static uint64_t ms_between(uint64_t from_ns, uint64_t to_ns) {
    return to_ns > from_ns ? (to_ns - from_ns) / ZN_NS_PER_MS : 0;
}

static zn_stage_info stage_info(const zn_live_stage *stage, uint64_t now_ns, zn_failure *failure) {
    zn_stage_info info = {
        .stage = stage->index,
        .name = zn_bytes_of_text(stage->name),
        .state = (uint64_t)stage->state,
        .total = stage->total,
        .completed = stage->results.task_count,
        .running = zn_live_stage_running(stage),
        .retries = stage->retries,
        .failures = stage->failed.tasks,
        .age_ms = ms_between(stage->started_ns, now_ns),
    };
    info.active_ms = zn_live_stage_active_ns(stage, now_ns) / ZN_NS_PER_MS;
    uint64_t kept = zn_failure_log_kept(&stage->failed);
    if (kept > 0) {
        zn_failure_from_error(&zn_failure_log_get(&stage->failed, kept - 1)->error, failure);
        info.failure = failure;
        info.failure_count = 1;
    }
    return info;
}

static void explain_stages(const zn_live_job *job, const zn_live_stage *stage, uint64_t now_ns,
                           zn_explanation *out) {
    size_t count = stage != NULL ? 1 : job->stage_count;
    count = count < ZN_EXPLAIN_STAGES_MAX ? count : ZN_EXPLAIN_STAGES_MAX;
    out->stages = zn_calloc(count + 1, sizeof(*out->stages));
    out->stage_failures = zn_calloc(count + 1, sizeof(*out->stage_failures));
    out->stage_count = count;
    for (size_t i = 0; i < count; i++) {
        const zn_live_stage *one = stage != NULL ? stage : job->stages[i];
        out->stages[i] = stage_info(one, now_ns, &out->stage_failures[i]);
    }
}

/* ---- attempts ---- */

/* A new line about attempts, or NULL when there is no room for more. */
static zn_attempt_info *add_attempt(zn_explanation *out, zn_attempt_state state, zn_task_run run) {
    if (out->attempt_count == ZN_EXPLAIN_ATTEMPTS_MAX) {
        return NULL;
    }
    zn_attempt_info *info = &out->attempts[out->attempt_count++];
    *info = (zn_attempt_info){
        .state = (uint64_t)state, .first = run.first, .count = run.count, .attempt = run.value
    };
    return info;
}

static void set_worker(zn_attempt_info *info, const zn_member *member) {
    info->worker = member->id;
    info->host = zn_bytes_of_text(member->host);
    info->pid = member->pid;
}

/* The worker with this id, if it is still there. */
static const zn_member *find_worker(const zn_scheduler *scheduler, uint64_t id) {
    const zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        if (member->id == id) {
            return member;
        }
    }
    return NULL;
}

static void explain_failed(const zn_scheduler *scheduler, const zn_live_stage *stage,
                           const uint32_t *task, uint64_t now_ns, zn_explanation *out) {
    uint64_t kept = zn_failure_log_kept(&stage->failed);
    for (uint64_t i = 0; i < kept; i++) {
        const zn_failed_attempt *failed = zn_failure_log_get(&stage->failed, i);
        zn_task_run run = failed->run;
        if (task != NULL) {
            if (*task < run.first || *task - run.first >= run.count) {
                continue;
            }
            run.first = *task;
            run.count = 1;
        }
        zn_failure *failure = &out->attempt_failures[out->attempt_count];
        zn_attempt_info *info = add_attempt(out, ZN_ATTEMPT_FAILED, run);
        const zn_member *member = find_worker(scheduler, failed->error.worker);
        info->worker = failed->error.worker;
        if (member != NULL) {
            set_worker(info, member);
        }
        info->age_ms = ms_between(failed->at_ns, now_ns);
        zn_failure_from_error(&failed->error, failure);
        info->failure = failure;
        info->failure_count = 1;
    }
}

static uint64_t held_ms(uint64_t value, uint64_t now_ns) {
    return (zn_held_ms(value, now_ns) + 500) / 1000 * 1000;
}

/* One line for each worker that has tasks of the stage: how many, the oldest one's age. */
static void explain_held(const zn_scheduler *scheduler, const zn_live_stage *stage, uint64_t now_ns,
                         zn_explanation *out) {
    const zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        const zn_holding *holding = zn_member_holding(member, stage);
        if (holding == NULL) {
            continue;
        }
        zn_task_run run;
        zn_task_run all = { UINT32_MAX, (uint32_t)holding->tasks.task_count, 0 };
        uint64_t oldest_ms = 0;
        for (uint32_t at = 0; zn_task_set_next(&holding->tasks, at, &run);
             at = run.first + run.count) {
            uint64_t ms = held_ms(run.value, now_ns);
            all.value = zn_held_attempt(run.value);
            all.first = run.first < all.first ? run.first : all.first;
            oldest_ms = ms > oldest_ms ? ms : oldest_ms;
        }
        all.value = holding->tasks.run_count == 1 ? all.value : 0;
        zn_attempt_info *info = add_attempt(out, ZN_ATTEMPT_HELD, all);
        if (info == NULL) {
            return;
        }
        set_worker(info, member);
        info->age_ms = oldest_ms;
    }
}

/* What the task is now: exactly one line. */
static void explain_task(const zn_scheduler *scheduler, const zn_live_stage *stage, uint32_t task,
                         uint64_t now_ns, zn_explanation *out) {
    uint64_t value = 0;
    zn_task_run run = { task, 1, 0 };
    if (zn_task_set_get(&stage->results, task, &value)) {
        const zn_task_result *result = (const zn_task_result *)(uintptr_t)value;
        zn_attempt_info *info = add_attempt(out, ZN_ATTEMPT_COMPLETED, run);
        const zn_member *member = NULL;
        if (result->away) {
            info->worker = zn_task_result_home(result)->worker;
            info->attempt = zn_task_result_home(result)->attempt;
            member = zn_scheduler_holder(scheduler, zn_task_result_home(result)->holder);
        }
        if (member != NULL) {
            set_worker(info, member);
        }
        return;
    }
    const zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        if (zn_member_holds(member, stage, task, &value)) {
            run.value = zn_held_attempt(value);
            zn_attempt_info *info = add_attempt(out, ZN_ATTEMPT_HELD, run);
            set_worker(info, member);
            info->age_ms = held_ms(value, now_ns);
            return;
        }
    }
    bool pending = zn_task_set_get(&stage->pending, task, &run.value);
    add_attempt(out, pending ? ZN_ATTEMPT_PENDING : ZN_ATTEMPT_DROPPED, run);
}

void zn_explain(const zn_scheduler *scheduler, uint64_t now_ns, const zn_live_job *job,
                const zn_live_stage *stage, const uint32_t *task, zn_explanation *out) {
    out->reason_count = 0;
    out->attempt_count = 0;
    explain_stages(job, stage, now_ns, out);
    zn_explain_reasons(scheduler, now_ns, job, stage, out);
    if (stage != NULL) {
        explain_failed(scheduler, stage, task, now_ns, out);
    }
    if (task != NULL) {
        explain_task(scheduler, stage, *task, now_ns, out);
    } else if (stage != NULL) {
        explain_held(scheduler, stage, now_ns, out);
    }
}

void zn_explanation_free(zn_explanation *explanation) {
    free(explanation->stages);
    free(explanation->stage_failures);
    explanation->stages = NULL;
    explanation->stage_failures = NULL;
    explanation->stage_count = 0;
    explanation->reason_count = 0;
    explanation->attempt_count = 0;
}
