/* SPDX-License-Identifier: MPL-2.0 */
/* A large result lies with the worker that made it, and goes when the worker goes, or when its
 * bytes rot. It is then lost: noted as such in its stage, where it still counts as completed, for
 * nobody may need it any more. As soon as it is needed its task is pending again, and its stage,
 * were it complete, runs again. Then what that task reads is needed too, and so on through all
 * stages before it. Stages that read a stage which runs again are blocked: what workers hold of
 * them goes on, and may fail where it meets what is lost, but nothing new is handed out.
 *
 * Called by the parts of the scheduler that see workers go, attempts fail, and stages start. */
#include "coordinator/lineage.h"

#include "base/log.h"
#include "coordinator/lost_results.h"
#include "coordinator/scheduler_internal.h"

static bool reads(const zn_live_stage *reader, const zn_live_stage *stage) {
    for (size_t i = 0; i < reader->input_count; i++) {
        if (reader->inputs[i].stage == stage->index) {
            return true;
        }
    }
    return false;
}

bool zn_lineage_is_blocked(const zn_live_stage *stage) {
    for (size_t i = 0; i < stage->input_count; i++) {
        const zn_live_stage *input = zn_live_job_stage(stage->job, stage->inputs[i].stage);
        if (input->state != ZN_STAGE_COMPLETE) {
            return true;
        }
    }
    return false;
}

bool zn_lineage_is_needed(const zn_live_stage *stage) {
    if (stage->state != ZN_STAGE_COMPLETE) {
        return stage->state == ZN_STAGE_RUNNING;
    }
    bool was_read = false;
    for (size_t i = 0; i < stage->job->stage_count; i++) {
        const zn_live_stage *reader = stage->job->stages[i];
        bool is_reader = reads(reader, stage);
        if (is_reader && reader->state == ZN_STAGE_RUNNING) {
            return true;
        }
        was_read = was_read || is_reader;
    }
    return !was_read;
}

void zn_lineage_refresh_readers(zn_scheduler *scheduler, const zn_live_stage *stage) {
    for (size_t i = 0; i < stage->job->stage_count; i++) {
        if (reads(stage->job->stages[i], stage)) {
            zn_scheduler_refresh_stage(scheduler, stage->job->stages[i]);
        }
    }
}

/* ---- making again ---- */

static void open_held(zn_scheduler *scheduler, zn_live_stage *stage, const zn_holding *holding) {
    zn_task_run run;
    for (uint32_t at = 0; zn_task_set_next(&holding->tasks, at, &run); at = run.first + run.count) {
        run.value = zn_held_attempt(run.value);
        zn_lost_results_unskip(stage, run.first, run.count);
        zn_note_unskipped(scheduler, stage, run);
    }
}

/* Tasks that were skipped because the limit was reached are completed, and yet workers may hold
 * some. In a stage that runs a task is one or the other. */
static void open_skipped(zn_scheduler *scheduler, zn_live_stage *stage) {
    const zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        const zn_holding *holding;
        size_t next = 0;
        while ((holding = zn_member_next_holding(member, stage, &next)) != NULL) {
            open_held(scheduler, stage, holding);
        }
    }
}

static void run_again(zn_scheduler *scheduler, zn_live_stage *stage) {
    bool has_skipped = stage->state == ZN_STAGE_COMPLETE && stage->limit > 0;
    uint32_t attempt = stage->attempt_max + 1;
    zn_log(ZONDA_LOG_WARN, "results-made-again", "job=%llu stage=%u tasks=%llu",
           (unsigned long long)stage->job->id, stage->index, (unsigned long long)stage->lost);
    scheduler->stats.remade_tasks += stage->lost;
    zn_lost_results_run_again(stage, attempt);
    zn_note_again(scheduler, stage, attempt, has_skipped);
    if (has_skipped) {
        open_skipped(scheduler, stage);
        zn_note_again(scheduler, stage, 0, false);
    }
    zn_scheduler_refresh_stage(scheduler, stage);
    zn_scheduler_settle_stage(scheduler, stage);
    zn_lineage_refresh_readers(scheduler, stage);
    zn_scheduler_stage_changed(scheduler, stage);
}

/* Every round makes some stage run, and stages that run have nothing that is only lost. */
void zn_lineage_settle(zn_scheduler *scheduler, zn_live_job *job) {
    bool again = job->state == ZN_JOB_OPEN;
    while (again) {
        again = false;
        for (size_t i = 0; i < job->stage_count; i++) {
            zn_live_stage *stage = job->stages[i];
            if (stage->lost > 0 && zn_lineage_is_needed(stage)) {
                run_again(scheduler, stage);
                again = true;
            }
        }
    }
}

/* ---- losing ---- */

void zn_lineage_lose_holder(zn_scheduler *scheduler, uint64_t holder) {
    zn_live_job *job = NULL;
    TAILQ_FOREACH(job, &scheduler->jobs, link) {
        uint64_t lost = 0;
        for (size_t i = 0; job->state == ZN_JOB_OPEN && i < job->stage_count; i++) {
            uint64_t count = zn_lost_results_of(job->stages[i], holder);
            if (count > 0) {
                zn_note_lost(scheduler, job->stages[i], holder, NULL);
            }
            lost += count;
        }
        if (lost > 0) {
            zn_log(ZONDA_LOG_WARN, "results-lost", "job=%llu tasks=%llu",
                   (unsigned long long)job->id, (unsigned long long)lost);
            zn_lineage_settle(scheduler, job);
        }
    }
}

void zn_lineage_lose_result(zn_scheduler *scheduler, zn_live_job *job, const zn_lost_result *lost,
                            const zonda_error *error) {
    zn_live_stage *stage = zn_live_job_stage(job, lost->stage);
    if (job->state != ZN_JOB_OPEN || stage == NULL ||
        !zn_lost_results_one(stage, (uint32_t)lost->task, (uint32_t)lost->attempt)) {
        return;
    }
    zn_note_lost(scheduler, stage, 0, lost);
    zn_log(ZONDA_LOG_WARN, "result-unreadable", "job=%llu stage=%u task=%llu attempt=%llu text=%s",
           (unsigned long long)job->id, stage->index, (unsigned long long)lost->task,
           (unsigned long long)lost->attempt, error != NULL ? error->text : "told by the driver");
    zn_lineage_settle(scheduler, job);
}

void zn_lineage_ask(zn_scheduler *scheduler, zn_live_stage *stage) {
    if (stage->lost > 0 && stage->job->state == ZN_JOB_OPEN) {
        run_again(scheduler, stage);
        zn_lineage_settle(scheduler, stage->job);
    }
}
