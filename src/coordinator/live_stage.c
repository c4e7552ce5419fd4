/* SPDX-License-Identifier: MPL-2.0 */
/* One stage: the tasks that wait, what the finished ones gave, and the sums over accepted attempts.
 * Which worker holds a running task is not known here but in member.h; here they are only counted.
 *
 * Invariants while the stage runs: pending, running and completed tasks add up to `total`; no task
 * is both pending and completed; sums cover exactly the completed tasks; failure counts exist only
 * for tasks that are not completed. A limit ends the stage as soon as the completed tasks without a
 * gap from the first on have given enough; the others are skipped: completed, with no records. */
#include "coordinator/live_stage.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "coordinator/stage_attempts.h"

static const char *const state_names[ZN_STAGE_STATES] = { "new", "running", "complete", "failed",
                                                          "cancelled" };
static const char *const event_names[ZN_STAGE_EVENTS] = { "start", "finish", "fail", "cancel",
                                                          "lose" };

static const int next_state[ZN_STAGE_STATES][ZN_STAGE_EVENTS] = {
    /*                     START, FINISH, FAIL, CANCEL, LOSE */
    [ZN_STAGE_NEW] = { ZN_STAGE_RUNNING, -1, -1, -1, -1 },
    [ZN_STAGE_RUNNING] = { ZN_STAGE_RUNNING, ZN_STAGE_COMPLETE, ZN_STAGE_FAILED, ZN_STAGE_CANCELLED,
                           ZN_STAGE_RUNNING },
    [ZN_STAGE_COMPLETE] = { ZN_STAGE_COMPLETE, -1, -1, -1, ZN_STAGE_RUNNING },
    [ZN_STAGE_FAILED] = { -1, -1, -1, -1, -1 },
    [ZN_STAGE_CANCELLED] = { -1, -1, -1, -1, -1 },
};

void zn_live_stage_add_pending(zn_live_stage *stage, zn_task_run run) {
    zn_task_set_insert(&stage->pending, run);
    zn_live_stage_raise_max(stage, run.value);
}

void zn_live_stage_raise_max(zn_live_stage *stage, uint64_t attempt) {
    stage->attempt_max = attempt > stage->attempt_max ? (uint32_t)attempt : stage->attempt_max;
}

zn_live_stage *zn_live_stage_new(struct zn_live_job *job, uint32_t index, zn_bytes name,
                                 zn_digest body, uint32_t total) {
    ZN_ASSERT(total > 0);
    zn_live_stage *stage = ZN_NEW(zn_live_stage);
    stage->job = job;
    stage->index = index;
    stage->total = total;
    stage->body = body;
    stage->name = zn_format("%.*s", (int)name.len, name.len > 0 ? (const char *)name.data : "");
    for (size_t i = 0; i < ZN_SPREADS; i++) {
        stage->spreads[i].min = UINT64_MAX;
    }
    zn_live_stage_add_pending(stage, (zn_task_run){ 0, total, 1 });
    return stage;
}

int zn_live_stage_next(int state, zn_stage_event event) {
    ZN_ASSERT(state >= 0 && state < ZN_STAGE_STATES && event < ZN_STAGE_EVENTS);
    return next_state[state][event];
}

zonda_err zn_live_stage_apply(zn_live_stage *stage, zn_stage_event event, zonda_error *error) {
    int next = zn_live_stage_next(stage->state, event);
    if (next < 0) {
        return zn_error_set(error, ZONDA_ERR_REFUSED, "stage %u is %s, which does not allow %s",
                            stage->index, state_names[stage->state], event_names[event]);
    }
    stage->state = next;
    stage->was_complete = stage->was_complete || next == ZN_STAGE_COMPLETE;
    return ZONDA_OK;
}

/* Takes the first of the tasks with the most to read that is ready. */
static bool take_large(zn_live_stage *stage, uint64_t avoided, zn_task_run *out) {
    while (stage->first_next < stage->first_count) {
        uint32_t task = stage->first_tasks[stage->first_next];
        uint64_t attempt = 0;
        uint64_t value = 0;
        bool ready = zn_task_set_get(&stage->pending, task, &attempt) &&
                     !zn_task_set_get(&stage->delay.tasks, task, NULL);
        if (ready && avoided != 0 && zn_task_set_get(&stage->failed_at, task, &value) &&
            value >> 32 == avoided) {
            return false;
        }
        stage->first_next++;
        if (ready) {
            zn_task_set_remove(&stage->pending, task, 1);
            *out = (zn_task_run){ task, 1, attempt };
            return true;
        }
    }
    return false;
}

/* Takes the first tasks that are ready. */
static bool take_first(zn_live_stage *stage, uint64_t avoided, uint32_t count_max,
                       zn_task_run *out) {
    zn_task_choice theirs = { &stage->failed_at, avoided };
    if (!zn_stage_delay_next(&stage->delay, &stage->pending, &theirs, count_max, out)) {
        return false;
    }
    zn_task_set_remove(&stage->pending, out->first, out->count);
    return true;
}

bool zn_live_stage_take(zn_live_stage *stage, uint64_t avoided, uint32_t max, zn_task_run *out) {
    bool taken = max > 0 && take_large(stage, avoided, out);
    if (!taken && !take_first(stage, avoided, max, out)) {
        return false;
    }
    stage->running += out->count;
    zn_live_stage_count_try(stage, *out);
    return true;
}

void zn_live_stage_give_back(zn_live_stage *stage, zn_task_run run) {
    ZN_ASSERT(stage->running >= run.count);
    stage->running -= run.count;
    run.value++;
    zn_live_stage_add_pending(stage, run);
    stage->first_next = 0;
}

/* A result that a neighbour already has and that `outcome` repeats, or NULL. */
static zn_task_result *neighbour_result(const zn_live_stage *stage, uint32_t first, uint32_t count,
                                        const zn_outcome *outcome) {
    uint64_t values[2];
    zn_task_set_around(&stage->results, first, count, &values[0], &values[1]);
    for (size_t i = 0; i < 2; i++) {
        zn_task_result *neighbour = (zn_task_result *)(uintptr_t)values[i];
        if (neighbour != NULL && zn_task_result_matches(neighbour, outcome)) {
            return neighbour;
        }
    }
    return NULL;
}

static void widen_spreads(zn_live_stage *stage, const zn_outcome *outcome) {
    const uint64_t values[ZN_SPREADS] = { outcome->records_in, outcome->records_out,
                                          outcome->bytes_in, outcome->bytes_out };
    for (size_t i = 0; i < ZN_SPREADS; i++) {
        zn_spread *spread = &stage->spreads[i];
        spread->min = values[i] < spread->min ? values[i] : spread->min;
        spread->max = values[i] > spread->max ? values[i] : spread->max;
    }
}

void zn_live_stage_complete(zn_live_stage *stage, uint32_t first, uint32_t count,
                            const zn_outcome *outcome, uint64_t holder, uint64_t worker) {
    ZN_ASSERT(stage->running >= count);
    stage->running -= count;
    zn_task_result *result = neighbour_result(stage, first, count, outcome);
    if (result == NULL) {
        result = zn_task_result_new(outcome, holder, worker);
    }
    result->tasks += count;
    stage->away += result->away ? count : 0;
    stage->lost += zn_task_result_is_lost(result) ? count : 0; /* only in a snapshot */
    zn_task_set_insert(&stage->results, (zn_task_run){ first, count, (uintptr_t)result });
    if (stage->failures.task_count > 0) {
        zn_retry_forget(&stage->failures, first, count);
        zn_retry_forget(&stage->failed_at, first, count);
        zn_failure_log_forget(&stage->failed, first, count);
    }
    stage->records_in += outcome->records_in * count;
    stage->records_out += outcome->records_out * count;
    stage->bytes_in += outcome->bytes_in * count;
    stage->bytes_out += outcome->bytes_out * count;
    widen_spreads(stage, outcome);
    zn_counter_totals_add(&stage->counters, outcome->counters, outcome->counters_count, count);
}

/* Counts what the tasks from the first on gave, up to the first that is not completed. */
static void extend_prefix(zn_live_stage *stage) {
    zn_task_run run;
    while (stage->prefix_records < stage->limit &&
           zn_task_set_next(&stage->results, stage->prefix, &run) && run.first == stage->prefix) {
        uint64_t each = ((const zn_task_result *)(uintptr_t)run.value)->records_out;
        uint64_t missing = stage->limit - stage->prefix_records;
        bool enough = each >= missing / run.count + (missing % run.count > 0 ? 1 : 0);
        stage->prefix_records = enough ? stage->limit : stage->prefix_records + each * run.count;
        stage->prefix += run.count;
    }
}

void zn_live_stage_count_prefix(zn_live_stage *stage) {
    stage->prefix = 0;
    stage->prefix_records = 0;
    if (stage->limit > 0) {
        extend_prefix(stage);
    }
}

/* Whether the tasks that are completed, from the first on without a gap, gave what the limit asks
 * for. It is what moves `prefix`. */
static bool has_enough(zn_live_stage *stage) {
    if (stage->limit == 0) {
        return false;
    }
    extend_prefix(stage);
    return stage->prefix_records >= stage->limit;
}

/* Completes all tasks that are not, without records. Those that workers hold stay counted in
 * `running` until they are reported. */
static void skip_rest(zn_live_stage *stage) {
    static const zn_outcome nothing = { 0 };
    zn_live_stage_drop_pending(stage);
    zn_task_result *result = NULL;
    uint32_t at = 0;
    while (at < stage->total) {
        zn_task_run next;
        bool found = zn_task_set_next(&stage->results, at, &next);
        uint32_t end = found ? next.first : stage->total;
        if (end > at) {
            result = result == NULL ? zn_task_result_new(&nothing, 0, 0) : result;
            result->tasks += end - at;
            zn_task_set_insert(&stage->results, (zn_task_run){ at, end - at, (uintptr_t)result });
        }
        at = found ? next.first + next.count : stage->total;
    }
}

bool zn_live_stage_settle(zn_live_stage *stage) {
    if (has_enough(stage)) {
        skip_rest(stage);
    }
    return stage->results.task_count == stage->total &&
           zn_live_stage_apply(stage, ZN_STAGE_EVENT_FINISH, NULL) == ZONDA_OK;
}

void zn_live_stage_fail(zn_live_stage *stage, const zonda_error *error, uint64_t now_ns) {
    zonda_err refused = zn_live_stage_apply(stage, ZN_STAGE_EVENT_FAIL, NULL);
    ZN_ASSERT(refused == ZONDA_OK);
    stage->failure = zn_memdup(error, sizeof(*error));
    stage->moved_ns = now_ns;
}

bool zn_live_stage_cancel(zn_live_stage *stage, const zonda_error *reason, uint64_t now_ns) {
    if (stage->state == ZN_STAGE_RUNNING) {
        zn_live_stage_settle(stage); /* one that has all its results is complete */
    }
    bool ran = zn_live_stage_apply(stage, ZN_STAGE_EVENT_CANCEL, NULL) == ZONDA_OK;
    if (ran) {
        stage->failure = zn_memdup(reason, sizeof(*reason));
        stage->moved_ns = now_ns;
    }
    zn_live_stage_drop_pending(stage);
    return ran;
}

uint64_t zn_live_stage_active_ns(const zn_live_stage *stage, uint64_t now_ns) {
    uint64_t end = stage->state == ZN_STAGE_RUNNING ? now_ns : stage->moved_ns;
    return stage->given_ns > 0 && end > stage->given_ns ? end - stage->given_ns : 0;
}

void zn_live_stage_raise(zn_live_stage *stage) {
    zn_task_set raised = { 0 };
    zn_task_run run;
    while (zn_task_set_pop(&stage->pending, UINT32_MAX, &run)) {
        run.value++;
        zn_task_set_insert(&raised, run);
    }
    stage->attempt_max++;
    zn_task_set_free(&stage->pending);
    stage->pending = raised;
    stage->raised++;
}

void zn_live_stage_drop_pending(zn_live_stage *stage) {
    zn_stage_delay_free(&stage->delay);
    zn_task_set_free(&stage->pending);
    zn_task_set_free(&stage->failures);
    zn_task_set_free(&stage->failed_at);
}

void zn_live_stage_destroy(zn_live_stage **stage) {
    if (*stage == NULL) {
        return;
    }
    zn_task_run run;
    while (zn_task_set_pop(&(*stage)->results, UINT32_MAX, &run)) {
        zn_task_result_release((zn_task_result *)(uintptr_t)run.value, run.count);
    }
    zn_live_stage_drop_pending(*stage);
    zn_task_set_free(&(*stage)->results);
    zn_counter_totals_free(&(*stage)->counters);
    zn_failure_log_free(&(*stage)->failed);
    zn_full_disks_free(&(*stage)->full_disks);
    zn_stage_backups_free(&(*stage)->backups);
    free((*stage)->inputs);
    free((*stage)->first_tasks);
    free((*stage)->failure);
    free((*stage)->name);
    free(*stage);
    *stage = NULL;
}

const char *zn_live_stage_state_name(int state) {
    return state >= 0 && state < ZN_STAGE_STATES ? state_names[state] : "?";
}
