/* SPDX-License-Identifier: MPL-2.0 */
/* What notes say of tasks, as state. An outcome that was accepted, an attempt that was used up, a
 * result that was lost: each is checked against what is open, then recorded as live. */
#include "coordinator/replay_tasks.h"

#include "base/clock.h"
#include "coordinator/lost_results.h"
#include "coordinator/scheduler_internal.h"
#include "coordinator/stage_attempts.h"

/* A time of this scheduler at which the clock on the wall showed `wall_ms`. */
uint64_t zn_replay_time(const zn_scheduler *scheduler, uint64_t wall_ms) {
    return scheduler->began_ns + (wall_ms - scheduler->config.wall_ms) * ZN_NS_PER_MS;
}

static zonda_err find_stage(const zn_scheduler *scheduler, uint64_t id, uint64_t index,
                            zn_live_stage **out, zonda_error *error) {
    const zn_live_job *job = zn_key_map_get(&scheduler->job_map, id);
    zn_live_stage *stage = job != NULL ? zn_live_job_stage(job, index) : NULL;
    if (stage == NULL) {
        return ZN_UNFIT(error, "there is no stage %llu of job %llu", (unsigned long long)index,
                        (unsigned long long)id);
    }
    *out = stage;
    return ZONDA_OK;
}

zonda_err zn_replay_running_stage(const zn_scheduler *scheduler, uint64_t id, uint64_t index,
                                  zn_live_stage **out, zonda_error *error) {
    zonda_err err = find_stage(scheduler, id, index, out, error);
    if (err == ZONDA_OK && (*out)->state != ZN_STAGE_RUNNING) {
        err = ZN_UNFIT(error, "stage %llu of job %llu is %s", (unsigned long long)index,
                       (unsigned long long)id, zn_live_stage_state_name((*out)->state));
    }
    return err;
}

static zonda_err check_open(const zn_live_stage *stage, uint64_t first, uint64_t count,
                            zonda_error *error) {
    zn_task_run run;
    bool inside = count > 0 && first < stage->total && count <= stage->total - first;
    uint64_t end = first + count;
    for (uint64_t at = first; inside && at < end; at = (uint64_t)run.first + run.count) {
        inside = zn_task_set_next(&stage->pending, (uint32_t)at, &run) && run.first == at;
    }
    return inside
               ? ZONDA_OK
               : ZN_UNFIT(error, "tasks %llu to %llu of stage %u are not open",
                          (unsigned long long)first, (unsigned long long)(end - 1), stage->index);
}

/* Attempt `attempt` of open tasks was used up: the next one is higher. */
static void use_up(zn_live_stage *stage, uint32_t first, uint32_t count, uint64_t attempt) {
    zn_task_run run;
    uint32_t end = first + count;
    for (uint32_t at = first; at < end; at = run.first + run.count) {
        zn_task_set_next(&stage->pending, at, &run);
        run.count = run.count < end - run.first ? run.count : end - run.first;
        zn_task_set_remove(&stage->pending, run.first, run.count);
        stage->running += run.count;
        run.value = run.value > attempt ? run.value - 1 : attempt;
        zn_live_stage_give_back(stage, run);
    }
}

/* An attempt was reported: it counts as a retry if it was one. */
static void count_retries(zn_live_stage *stage, uint64_t attempt, uint64_t count) {
    stage->retries += attempt > 1 + (uint64_t)stage->raised ? count : 0;
}

static void count_failure(zn_live_stage *stage, zn_task_run run, uint64_t now_ns,
                          const zonda_error *error) {
    uint32_t worst = 0;
    zonda_error final = *error;
    final.attempt = (uint32_t)run.value;
    zn_retry_count(&stage->failures, run.first, run.count, zn_retry_class_of(error), &worst);
    zn_failure_log_add(&stage->failed, run, now_ns, &final);
    zn_failure_log_remember(&stage->failed, run, "", &final);
}

static zonda_err outcome_accepted(zn_scheduler *scheduler, zn_live_stage *stage,
                                  const zn_msg_note_outcomes *note, const zn_outcome *outcome,
                                  zonda_error *error) {
    zonda_err err = check_open(stage, outcome->first, outcome->count, error);
    if (err != ZONDA_OK) {
        return err;
    }
    uint32_t first = (uint32_t)outcome->first;
    uint32_t count = (uint32_t)outcome->count;
    uint64_t at_ns = zn_replay_time(scheduler, note->at_ms);
    count_retries(stage, outcome->attempt, count);
    if (outcome->failure_count > 0) {
        zonda_error failure;
        zn_scheduler_failure_of(&outcome->failure[0], note->worker, &failure);
        use_up(stage, first, count, outcome->attempt);
        count_failure(stage, (zn_task_run){ first, count, outcome->attempt }, at_ns, &failure);
        return ZONDA_OK;
    }
    zn_live_stage_claim(stage, first, count);
    zn_live_stage_complete(stage, first, count, outcome, note->holder, note->worker);
    zn_member *member = zn_scheduler_holder(scheduler, note->holder);
    if (member != NULL) {
        member->completed += count;
    }
    return ZONDA_OK;
}

zonda_err zn_replay_outcomes(zn_scheduler *scheduler, const zn_msg_note_outcomes *note,
                             zonda_error *error) {
    zn_live_stage *stage = NULL;
    zonda_err err = zn_replay_running_stage(scheduler, note->job, note->stage, &stage, error);
    for (size_t i = 0; err == ZONDA_OK && i < note->outcomes_count; i++) {
        err = outcome_accepted(scheduler, stage, note, &note->outcomes[i], error);
    }
    if (err != ZONDA_OK) {
        return err;
    }
    stage->given_ns = stage->given_ns == 0 ? stage->started_ns : stage->given_ns;
    stage->moved_ns = zn_replay_time(scheduler, note->at_ms);
    if (note->more == 0) {
        zn_live_stage_settle(stage);
    }
    return ZONDA_OK;
}

zonda_err zn_replay_attempts(zn_scheduler *scheduler, const zn_msg_note_attempts *note,
                             zonda_error *error) {
    zn_live_stage *stage = NULL;
    zonda_err err = zn_replay_running_stage(scheduler, note->job, note->stage, &stage, error);
    for (size_t i = 0; err == ZONDA_OK && i < note->runs_count; i++) {
        const zn_run *next = &note->runs[i];
        err = check_open(stage, next->first, next->count, error);
        if (err == ZONDA_OK && next->attempt == 0) {
            err = ZN_UNFIT(error, "an attempt 0");
        }
        if (err != ZONDA_OK) {
            return err;
        }
        zn_task_run run = { (uint32_t)next->first, (uint32_t)next->count, next->attempt };
        zn_task_set_remove(&stage->pending, run.first, run.count);
        zn_live_stage_add_pending(stage, run);
        if (note->failure_count > 0) {
            zonda_error failure;
            zn_failure_to_error(&note->failure[0], &failure);
            run.value--;
            count_retries(stage, run.value, run.count);
            count_failure(stage, run, scheduler->now_ns, &failure);
        }
    }
    return err;
}

zonda_err zn_replay_lost(zn_scheduler *scheduler, const zn_msg_note_lost *note,
                         zonda_error *error) {
    zn_live_stage *stage = NULL;
    zonda_err err = find_stage(scheduler, note->job, note->stage, &stage, error);
    if (err == ZONDA_OK && note->one_count == 0) {
        zn_lost_results_of(stage, note->holder);
    } else if (err == ZONDA_OK) {
        zn_lost_results_one(stage, (uint32_t)note->one[0].task, (uint32_t)note->one[0].attempt);
    }
    return err;
}

static zonda_err open_skipped(zn_live_stage *stage, const zn_run *skipped, zonda_error *error) {
    uint64_t end = skipped->first + skipped->count;
    if (stage->state != ZN_STAGE_RUNNING || skipped->first >= stage->total || end > stage->total ||
        skipped->count == 0) {
        return ZN_UNFIT(error, "tasks %llu to %llu of stage %u were not skipped",
                        (unsigned long long)skipped->first, (unsigned long long)end, stage->index);
    }
    zn_task_run run = { (uint32_t)skipped->first, (uint32_t)skipped->count, skipped->attempt };
    zn_lost_results_unskip(stage, run.first, run.count);
    for (uint32_t at = run.first; at < end; at++) {
        if (zn_task_set_get(&stage->pending, at, NULL) ||
            zn_task_set_get(&stage->results, at, NULL)) {
            return ZN_UNFIT(error, "task %u of stage %u was not skipped", at, stage->index);
        }
    }
    zn_live_stage_add_pending(stage, run);
    return ZONDA_OK;
}

zonda_err zn_replay_again(zn_scheduler *scheduler, const zn_msg_note_again *note,
                          zonda_error *error) {
    zn_live_stage *stage = NULL;
    zonda_err err = find_stage(scheduler, note->job, note->stage, &stage, error);
    if (err == ZONDA_OK && note->attempt > 0) {
        bool runs = stage->state == ZN_STAGE_RUNNING || stage->state == ZN_STAGE_COMPLETE;
        err = runs ? ZONDA_OK : ZN_UNFIT(error, "stage %u cannot run again", stage->index);
        if (err == ZONDA_OK) {
            zn_lost_results_run_again(stage, (uint32_t)note->attempt);
        }
    }
    for (size_t i = 0; err == ZONDA_OK && i < note->skipped_count; i++) {
        err = open_skipped(stage, &note->skipped[i], error);
    }
    if (err == ZONDA_OK && note->more == 0) {
        zn_live_stage_settle(stage);
    }
    return err;
}

static uint64_t count_records(const zn_live_stage *stage) {
    uint64_t records = 0;
    zn_task_run run;
    for (uint32_t at = 0; zn_task_set_next(&stage->results, at, &run); at = run.first + run.count) {
        records += ((const zn_task_result *)(uintptr_t)run.value)->records_out * run.count;
    }
    return records;
}

zonda_err zn_replay_sums(zn_scheduler *scheduler, const zn_msg_note_sums *note,
                         zonda_error *error) {
    zn_live_stage *stage = NULL;
    zonda_err err = find_stage(scheduler, note->job, note->stage, &stage, error);
    if (err == ZONDA_OK && note->spreads_count != ZN_SPREADS) {
        err = ZN_UNFIT(error, "sums of %zu kinds", note->spreads_count);
    }
    if (err == ZONDA_OK && note->records_out != count_records(stage)) {
        err = ZN_UNFIT(error, "results and sums of stage %u differ", stage->index);
    }
    if (err != ZONDA_OK) {
        return err;
    }
    stage->raised = (uint32_t)note->raised;
    stage->was_complete = note->was_complete != 0;
    stage->attempt_max = (uint32_t)note->attempt_max;
    stage->retries = note->retries;
    stage->given_ns = note->active_ms > 0 ? zn_replay_time(scheduler, scheduler->config.wall_ms) -
                                                note->active_ms * ZN_NS_PER_MS
                                          : stage->given_ns;
    stage->moved_ns = scheduler->now_ns;
    stage->records_in = note->records_in;
    stage->records_out = note->records_out;
    stage->bytes_in = note->bytes_in;
    stage->bytes_out = note->bytes_out;
    for (size_t i = 0; i < ZN_SPREADS; i++) {
        stage->spreads[i] = note->spreads[i];
    }
    zn_counter_totals_free(&stage->counters);
    zn_counter_totals_add(&stage->counters, note->counters, note->counters_count, 1);
    for (size_t i = 0; i < note->attempts_count; i++) {
        const zn_past_failure *past = &note->attempts[i];
        zonda_error failure = { 0 };
        if (past->failure_count > 0) {
            zn_failure_to_error(&past->failure[0], &failure);
        }
        zn_task_run run = { (uint32_t)past->first, (uint32_t)past->count, past->attempt };
        zn_failure_log_add(&stage->failed, run, scheduler->now_ns, &failure);
    }
    stage->failed.tasks = note->failed;
    return ZONDA_OK;
}

zonda_err zn_replay_failures(zn_scheduler *scheduler, const zn_msg_note_failures *note,
                             zonda_error *error) {
    zn_live_stage *stage = NULL;
    zonda_err err = zn_replay_running_stage(scheduler, note->job, note->stage, &stage, error);
    for (size_t i = 0; err == ZONDA_OK && i < note->counts_count; i++) {
        const zn_task_failures *counted = &note->counts[i];
        err = check_open(stage, counted->first, counted->count, error);
        if (err == ZONDA_OK) {
            zn_task_run run = { (uint32_t)counted->first, (uint32_t)counted->count,
                                counted->counted };
            zn_retry_forget(&stage->failures, run.first, run.count);
            zn_task_set_insert(&stage->failures, run);
        }
    }
    return err;
}
