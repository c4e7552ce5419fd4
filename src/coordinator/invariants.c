/* SPDX-License-Identifier: MPL-2.0 */
/* What holds between two steps of the scheduler:
 * - a task of a running stage is exactly one of pending, held by one worker, completed;
 * - a stage is complete if and only if all its tasks are; one that failed or was cancelled has
 *   nothing pending and nothing held; one that is complete has nothing pending, and something held
 *   only if it has a limit;
 * - a stage with a limit knows how many tasks from the first on are completed and what they gave,
 *   and runs only while that is less than the limit;
 * - every worker holds what its count says, and only of stages that may be held, of jobs that it
 *   touched, and without a registration only what is recalled;
 * - a worker that is drained gets nothing, and it is known why;
 * - results that are lost are needed by nobody; a stage whose inputs are not complete is blocked;
 * - failures, and where they were, are known of tasks that are not completed only;
 * - of the tasks that go first, those that were passed are not pending, or wait;
 * - tasks that wait for their next attempt are pending;
 * - a second attempt is of a task that is held with another attempt, by a worker that is there;
 * - sums and lists that exist for speed say what a full count says;
 * - a job waits for exactly those workers that were told DONE and have not answered.
 * Everything is counted anew here, from the sets alone. */
#include "coordinator/invariants.h"

#include "base/assert.h"
#include "base/clock.h"
#include "coordinator/lineage.h"

#define BROKEN(error, ...) zn_error_set(error, ZONDA_ERR_INTERNAL, __VA_ARGS__)

/* Adds all tasks of `from` to `all`, which fails if one is there already. */
static bool add_all(zn_task_set *all, const zn_task_set *from) {
    zn_task_run run;
    zn_task_run clash;
    for (uint32_t at = 0; zn_task_set_next(from, at, &run); at = run.first + run.count) {
        if (zn_task_set_next(all, run.first, &clash) && clash.first < run.first + run.count) {
            return false;
        }
        run.value = 0;
        zn_task_set_insert(all, run);
    }
    return true;
}

/* Whether workers may hold tasks that were skipped, and so are completed. */
static bool may_have_surplus(const zn_live_stage *stage) {
    return stage->state == ZN_STAGE_COMPLETE && stage->limit > 0;
}

/* Gathers the tasks of a stage from everywhere; false if a task is in two places. */
static bool gather_tasks(const zn_scheduler *scheduler, const zn_live_stage *stage,
                         zn_task_set *all, uint64_t *held) {
    bool disjoint =
        add_all(all, &stage->pending) && (may_have_surplus(stage) || add_all(all, &stage->results));
    const zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        const zn_holding *holding;
        for (size_t i = 0; (holding = zn_member_next_holding(member, stage, &i)) != NULL;) {
            *held += holding->tasks.task_count;
            disjoint = disjoint && add_all(all, &holding->tasks);
        }
    }
    return disjoint;
}

/* Whether no task is in both sets. */
static bool are_disjoint(const zn_task_set *a, const zn_task_set *b) {
    zn_task_run run;
    zn_task_run other;
    for (uint32_t at = 0; zn_task_set_next(a, at, &run); at = run.first + run.count) {
        if (zn_task_set_next(b, run.first, &other) && other.first < run.first + run.count) {
            return false;
        }
    }
    return true;
}

static zonda_err check_results(const zn_live_stage *stage, zonda_error *error) {
    uint64_t away = 0;
    uint64_t lost = 0;
    uint64_t records = 0;
    zn_task_run run;
    for (uint32_t at = 0; zn_task_set_next(&stage->results, at, &run); at = run.first + run.count) {
        const zn_task_result *result = (const zn_task_result *)(uintptr_t)run.value;
        away += result->away ? run.count : 0;
        lost += zn_task_result_is_lost(result) ? run.count : 0;
        records += result->records_out * run.count;
        if (result->tasks < run.count) {
            return BROKEN(error, "result of task %u counts too few tasks", run.first);
        }
    }
    if (!are_disjoint(&stage->failures, &stage->results) ||
        !are_disjoint(&stage->failed_at, &stage->results)) {
        return BROKEN(error, "stage %u: failures of a completed task", stage->index);
    }
    if (away != stage->away || lost != stage->lost || records != stage->records_out) {
        return BROKEN(error, "stage %u: results and sums differ", stage->index);
    }
    if (lost > 0 && stage->job->state == ZN_JOB_OPEN && zn_lineage_is_needed(stage)) {
        return BROKEN(error, "stage %u: %llu results are lost and needed", stage->index,
                      (unsigned long long)lost);
    }
    return ZONDA_OK;
}

static zonda_err check_tasks(const zn_scheduler *scheduler, const zn_live_stage *stage,
                             zonda_error *error) {
    zn_task_set all = { 0 };
    uint64_t held = 0;
    bool disjoint = gather_tasks(scheduler, stage, &all, &held);
    uint64_t known = all.task_count;
    bool one_run = all.run_count <= 1;
    zn_task_set_free(&all);
    if (!disjoint) {
        return BROKEN(error, "stage %u: a task is in two places", stage->index);
    }
    if (held != stage->running) {
        return BROKEN(error, "stage %u: %llu tasks held, %llu counted", stage->index,
                      (unsigned long long)held, (unsigned long long)stage->running);
    }
    bool runs = stage->state == ZN_STAGE_RUNNING;
    if (runs && (known != stage->total || !one_run)) {
        return BROKEN(error, "stage %u: %llu of %u tasks known", stage->index,
                      (unsigned long long)known, stage->total);
    }
    if (!runs && ((held > 0 && !may_have_surplus(stage)) || stage->pending.task_count > 0)) {
        return BROKEN(error, "stage %u has ended and has work", stage->index);
    }
    return ZONDA_OK;
}

static zonda_err check_limit(const zn_live_stage *stage, zonda_error *error) {
    uint64_t records = 0;
    uint32_t prefix = 0;
    zn_task_run run;
    while (stage->limit > 0 && records < stage->limit &&
           zn_task_set_next(&stage->results, prefix, &run) && run.first == prefix) {
        records += ((const zn_task_result *)(uintptr_t)run.value)->records_out * run.count;
        prefix += run.count;
    }
    bool enough = stage->limit > 0 && records >= stage->limit;
    bool runs = stage->state == ZN_STAGE_RUNNING;
    if (runs && (enough || prefix != stage->prefix || records != stage->prefix_records)) {
        return BROKEN(error, "stage %u: %u tasks gave %llu records, counted %u and %llu, of %llu",
                      stage->index, prefix, (unsigned long long)records, stage->prefix,
                      (unsigned long long)stage->prefix_records, (unsigned long long)stage->limit);
    }
    return ZONDA_OK;
}

static zonda_err check_first(const zn_live_stage *stage, zonda_error *error) {
    for (size_t i = 0; i < stage->first_count; i++) {
        uint32_t task = stage->first_tasks[i];
        bool passed = i < stage->first_next;
        bool ready = zn_task_set_get(&stage->pending, task, NULL) &&
                     !zn_task_set_get(&stage->delay.tasks, task, NULL);
        if (task >= stage->total || (passed && ready)) {
            return BROKEN(error, "stage %u: task %u should go first and was passed over",
                          stage->index, task);
        }
    }
    return ZONDA_OK;
}

static zonda_err check_delay(const zn_live_stage *stage, zonda_error *error) {
    zn_task_run run;
    zn_task_run waits;
    bool known = stage->delayed == (stage->delay.tasks.task_count > 0);
    for (uint32_t at = 0; zn_task_set_next(&stage->delay.tasks, at, &run);
         at = waits.first + waits.count) {
        if (!zn_task_set_next(&stage->pending, run.first, &waits) || waits.first != run.first) {
            return BROKEN(error, "stage %u: task %u is delayed and not pending", stage->index,
                          run.first);
        }
        known = known && run.value * 10 * ZN_NS_PER_MS >= stage->delay.due_ns;
    }
    return known ? ZONDA_OK
                 : BROKEN(error, "stage %u: lists do not know what is delayed", stage->index);
}

static zonda_err check_backups(const zn_scheduler *scheduler, const zn_live_stage *stage,
                               zonda_error *error) {
    for (size_t i = 0; i < stage->backups.count; i++) {
        const zn_backup *backup = &stage->backups.items[i];
        bool other = false;
        uint64_t value = 0;
        const zn_member *member;
        TAILQ_FOREACH(member, &scheduler->members, link) {
            bool holds = zn_member_holds(member, stage, backup->task, &value);
            other = other || (holds && zn_held_attempt(value) != backup->attempt);
        }
        if (!other || backup->member->epoch == 0) {
            return BROKEN(error, "stage %u: a second attempt at task %u without a first one",
                          stage->index, backup->task);
        }
    }
    return ZONDA_OK;
}

static zonda_err check_stage(const zn_scheduler *scheduler, const zn_live_stage *stage,
                             zonda_error *error) {
    zonda_err err = check_tasks(scheduler, stage, error);
    if (err == ZONDA_OK) {
        err = check_results(stage, error);
    }
    if (err == ZONDA_OK) {
        err = check_limit(stage, error);
    }
    if (err == ZONDA_OK) {
        err = check_first(stage, error);
    }
    if (err == ZONDA_OK) {
        err = check_delay(stage, error);
    }
    if (err == ZONDA_OK) {
        err = check_backups(scheduler, stage, error);
    }
    if (err != ZONDA_OK) {
        return err;
    }
    bool all_done = stage->results.task_count == stage->total;
    if ((stage->state == ZN_STAGE_COMPLETE) != all_done) {
        return BROKEN(error, "stage %u is %s with %llu of %u tasks completed", stage->index,
                      zn_live_stage_state_name(stage->state),
                      (unsigned long long)stage->results.task_count, stage->total);
    }
    bool failed = stage->state == ZN_STAGE_FAILED || stage->state == ZN_STAGE_CANCELLED;
    if (failed != (stage->failure != NULL)) {
        return BROKEN(error, "stage %u: failure and state differ", stage->index);
    }
    bool runnable = stage->state == ZN_STAGE_RUNNING && zn_live_stage_ready(stage) > 0 &&
                    !zn_lineage_is_blocked(stage);
    if (stage->runnable != runnable ||
        stage->pending_counted != (runnable ? zn_live_stage_ready(stage) : 0)) {
        return BROKEN(error, "stage %u: lists do not know what is pending", stage->index);
    }
    return ZONDA_OK;
}

static zonda_err check_job(const zn_scheduler *scheduler, const zn_live_job *job,
                           zonda_error *error) {
    uint32_t waiting = 0;
    const zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        const zn_touched_job *touched = zn_member_touched(member, job->id);
        waiting += touched != NULL && touched->done ? 1 : 0;
    }
    if (waiting != job->waiting ||
        (job->state == ZN_JOB_CLOSING && waiting + scheduler->restored == 0)) {
        return BROKEN(error, "job %llu waits for %u workers, counted %u",
                      (unsigned long long)job->id, job->waiting, waiting);
    }
    for (size_t i = 0; i < job->stage_count; i++) {
        const zn_live_stage *stage = job->stages[i];
        if (stage->job != job || (stage->state == ZN_STAGE_RUNNING && job->state != ZN_JOB_OPEN)) {
            return BROKEN(error, "stage %u runs in a job that has ended", stage->index);
        }
        zonda_err err = check_stage(scheduler, stage, error);
        if (err != ZONDA_OK) {
            return zn_error_prefix(error, "job %llu: ", (unsigned long long)job->id);
        }
    }
    return ZONDA_OK;
}

/* Whether the holding may be there. */
static bool may_hold(const zn_member *member, const zn_holding *holding, bool registered) {
    for (size_t i = 0; i < member->holding_count; i++) {
        const zn_holding *other = &member->holdings[i];
        if (other != holding && other->stage == holding->stage &&
            other->recalled == holding->recalled) {
            return false;
        }
    }
    bool ended = holding->stage->state != ZN_STAGE_RUNNING && !may_have_surplus(holding->stage);
    return holding->tasks.task_count > 0 && !ended && (registered || holding->recalled) &&
           zn_member_touched(member, holding->stage->job->id) != NULL;
}

static zonda_err check_member(const zn_scheduler *scheduler, const zn_member *member,
                              zonda_error *error) {
    uint64_t held = 0;
    bool registered = zn_member_is_registered(member) || member->state == ZN_MEMBER_LEAVING;
    for (size_t i = 0; i < member->holding_count; i++) {
        held += member->holdings[i].tasks.task_count;
        if (!may_hold(member, &member->holdings[i], registered)) {
            return BROKEN(error, "worker %llu holds what it cannot",
                          (unsigned long long)member->id);
        }
    }
    if (held != member->held) {
        return BROKEN(error, "worker %llu holds %llu tasks, counted %u",
                      (unsigned long long)member->id, (unsigned long long)held, member->held);
    }
    if (registered != (zn_scheduler_member(scheduler, member->epoch) == member)) {
        return BROKEN(error, "worker %llu: registration and state differ",
                      (unsigned long long)member->id);
    }
    if (member->state == ZN_MEMBER_DRAINING &&
        (member->drain_reason == NULL || zn_member_room(member) > 0)) {
        return BROKEN(error, "worker %llu is drained without a reason, or could get tasks",
                      (unsigned long long)member->id);
    }
    if (member->ready != (zn_member_room(member) > 0)) {
        return BROKEN(error, "worker %llu: list and credit differ", (unsigned long long)member->id);
    }
    return ZONDA_OK;
}

/* Whether exactly the jobs with runnable stages are in the list. */
static bool knows_runnable_jobs(const zn_scheduler *scheduler) {
    uint64_t listed = 0;
    uint64_t runnable = 0;
    const zn_live_job *job;
    TAILQ_FOREACH(job, &scheduler->runnable, runnable_link) {
        if (TAILQ_EMPTY(&job->runnable) || ++listed > scheduler->runnable_count) {
            return false;
        }
    }
    TAILQ_FOREACH(job, &scheduler->jobs, link) {
        runnable += TAILQ_EMPTY(&job->runnable) ? 0 : 1;
    }
    return listed == runnable && listed == scheduler->runnable_count;
}

static zonda_err check_sums(const zn_scheduler *scheduler, zonda_error *error) {
    uint64_t running = 0;
    uint64_t slots = 0;
    uint64_t pending = 0;
    const zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        running += member->held;
        slots += member->slots_counted;
    }
    const zn_live_job *job;
    TAILQ_FOREACH(job, &scheduler->jobs, link) {
        for (size_t i = 0; i < job->stage_count; i++) {
            pending += job->stages[i]->pending_counted;
        }
    }
    if (running != scheduler->running || slots != scheduler->slots ||
        pending != scheduler->pending || !knows_runnable_jobs(scheduler)) {
        return BROKEN(error, "sums and lists over workers and jobs differ from what is kept");
    }
    return ZONDA_OK;
}

zonda_err zn_scheduler_check(const zn_scheduler *scheduler, zonda_error *error) {
    const zn_live_job *job;
    TAILQ_FOREACH(job, &scheduler->jobs, link) {
        zonda_err err = check_job(scheduler, job, error);
        if (err != ZONDA_OK) {
            return err;
        }
    }
    const zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        zonda_err err = check_member(scheduler, member, error);
        if (err != ZONDA_OK) {
            return err;
        }
    }
    return check_sums(scheduler, error);
}
