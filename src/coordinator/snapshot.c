/* SPDX-License-Identifier: MPL-2.0 */
/* The state as notes: what a journal that has grown long is replaced by. Results of a stage become
 * outcomes again; what these cannot tell, because neighbours share a result, follows as sums. Notes
 * are written by the functions that the live path uses, into a buffer of their own. */
#include "coordinator/snapshot.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "coordinator/scheduler_internal.h"

enum {
    OUTCOMES_PER_NOTE = 4096,
    RUNS_PER_NOTE = ZN_RUNS_MAX
};

/* ---- blobs ---- */

static void write_blob(zn_scheduler *scheduler, const zn_live_job *job, zn_blob *blob) {
    zn_digest digest = zn_blob_digest(blob);
    zn_bytes all = zn_blob_bytes(blob);
    if (all.len == 0 && zn_blob_size(blob) > 0) {
        return; /* nothing of it has come yet, or what came was not it */
    }
    bool written = zn_blob_mark(blob, scheduler->snapshots);
    zn_msg_put_blob put = { .digest = zn_digest_bytes(&digest), .size = zn_blob_size(blob) };
    do {
        size_t rest = all.len - put.offset;
        put.bytes.data = all.data + put.offset;
        put.bytes.len = rest < ZN_BLOB_CHUNK_BYTES ? rest : ZN_BLOB_CHUNK_BYTES;
        zn_note_blob(scheduler, job, &put, written);
        put.offset += put.bytes.len;
    } while (!written && put.offset < all.len);
}

/* ---- results ---- */

/* Results on their way into notes. The outcomes point into the results. */
typedef struct page {
    zn_outcome outcomes[OUTCOMES_PER_NOTE];
    zn_reference references[OUTCOMES_PER_NOTE];
    size_t count;
    size_t bytes;
    uint64_t holder;
    uint64_t worker;
} page;

static void flush_page(zn_scheduler *scheduler, const zn_live_stage *stage, page *p, bool more) {
    if (p->count == 0) {
        return;
    }
    zn_message note = { .number = ZN_MSG_NOTE_OUTCOMES };
    note.note_outcomes =
        (zn_msg_note_outcomes){ .job = stage->job->id,
                                .stage = stage->index,
                                .holder = p->holder,
                                .worker = p->worker,
                                .at_ms = zn_scheduler_wall_ms(scheduler, stage->moved_ns),
                                .more = more ? 1 : 0,
                                .outcomes = p->outcomes,
                                .outcomes_count = p->count };
    zn_notes_add(&scheduler->notes, &note);
    p->count = 0;
    p->bytes = 0;
}

/* Whether the result is that of the tasks before, too. */
static bool repeats_last(const page *p, zn_task_run run, const zn_task_result *result) {
    const zn_outcome *last = p->count > 0 ? &p->outcomes[p->count - 1] : NULL;
    return last != NULL && last->first + last->count == run.first &&
           zn_task_result_matches(result, last);
}

static void add_result(page *p, zn_task_run run, const zn_task_result *result) {
    const zn_result_home *home = zn_task_result_home(result);
    if (repeats_last(p, run, result)) {
        p->outcomes[p->count - 1].count += run.count;
        return;
    }
    zn_outcome *outcome = &p->outcomes[p->count];
    *outcome = (zn_outcome){
        .first = run.first, .count = run.count, .attempt = 1, .records_out = result->records_out
    };
    outcome->records = (zn_bytes){ result->bytes, result->len };
    p->bytes += result->len;
    if (home != NULL) {
        zn_reference *reference = &p->references[p->count];
        *reference = (zn_reference){ .offset = home->offset, .length = home->length };
        reference->segment = (zn_bytes){ (const uint8_t *)home->segment, home->segment_len };
        outcome->reference = reference;
        outcome->reference_count = 1;
        outcome->attempt = home->attempt;
        outcome->records_in = home->records_in;
        outcome->bytes_in = home->bytes_in;
        outcome->bytes_out = home->bytes_out;
        outcome->counters = home->counters.items;
        outcome->counters_count = home->counters.count;
        outcome->parts = home->parts;
        outcome->parts_count = home->part_count;
        p->bytes += home->segment_len;
    }
    p->count++;
}

static void write_results(zn_scheduler *scheduler, const zn_live_stage *stage) {
    page *p = ZN_NEW(page);
    zn_task_run run;
    for (uint32_t at = 0; zn_task_set_next(&stage->results, at, &run); at = run.first + run.count) {
        const zn_task_result *result = (const zn_task_result *)(uintptr_t)run.value;
        uint64_t holder = result->away ? zn_task_result_home(result)->holder : p->holder;
        bool full = !repeats_last(p, run, result) &&
                    (p->count == OUTCOMES_PER_NOTE || p->bytes >= ZN_BATCH_BYTES);
        if (full || holder != p->holder) {
            flush_page(scheduler, stage, p, true);
        }
        p->holder = holder;
        p->worker = result->away ? zn_task_result_home(result)->worker : p->worker;
        add_result(p, run, result);
    }
    flush_page(scheduler, stage, p, false);
    free(p);
}

/* ---- what else is known of a stage ---- */

/* Tasks with an attempt after the first that workers hold: they count as retries when reported. */
static uint64_t count_held_retries(const zn_scheduler *scheduler, const zn_live_stage *stage) {
    uint64_t count = 0;
    zn_task_run run;
    const zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        const zn_holding *holding;
        for (size_t i = 0; (holding = zn_member_next_holding(member, stage, &i)) != NULL;) {
            for (uint32_t at = 0; zn_task_set_next(&holding->tasks, at, &run);
                 at = run.first + run.count) {
                count += zn_held_attempt(run.value) > 1 + (uint64_t)stage->raised ? run.count : 0;
            }
        }
    }
    return count;
}

static void write_sums(zn_scheduler *scheduler, zn_live_stage *stage) {
    zn_past_failure past[ZN_FAILURES_KEPT_MAX];
    zn_failure failures[ZN_FAILURES_KEPT_MAX];
    size_t kept = zn_failure_log_kept(&stage->failed);
    for (size_t i = 0; i < kept; i++) {
        const zn_failed_attempt *failed = zn_failure_log_get(&stage->failed, i);
        zn_failure_from_error(&failed->error, &failures[i]);
        past[i] = (zn_past_failure){ .first = failed->run.first,
                                     .count = failed->run.count,
                                     .attempt = failed->run.value,
                                     .failure = &failures[i],
                                     .failure_count = 1 };
    }
    zn_message note = { .number = ZN_MSG_NOTE_SUMS };
    note.note_sums =
        (zn_msg_note_sums){ .job = stage->job->id,
                            .stage = stage->index,
                            .raised = stage->raised,
                            .was_complete = stage->was_complete ? 1 : 0,
                            .attempt_max = stage->attempt_max,
                            .retries = stage->retries - count_held_retries(scheduler, stage),
                            .active_ms =
                                zn_live_stage_active_ns(stage, scheduler->now_ns) / ZN_NS_PER_MS,
                            .records_in = stage->records_in,
                            .records_out = stage->records_out,
                            .bytes_in = stage->bytes_in,
                            .bytes_out = stage->bytes_out,
                            .failed = stage->failed.tasks,
                            .spreads = stage->spreads,
                            .spreads_count = ZN_SPREADS,
                            .counters = stage->counters.items,
                            .counters_count = stage->counters.count,
                            .attempts = past,
                            .attempts_count = kept };
    zn_notes_add(&scheduler->notes, &note);
}

/* Runs on their way into notes. */
typedef struct run_list {
    zn_run runs[RUNS_PER_NOTE];
    size_t count;
} run_list;

static void flush_runs(zn_scheduler *scheduler, const zn_live_stage *stage, run_list *list) {
    if (list->count > 0) {
        zn_message note = { .number = ZN_MSG_NOTE_ATTEMPTS };
        note.note_attempts = (zn_msg_note_attempts){ .job = stage->job->id,
                                                     .stage = stage->index,
                                                     .runs = list->runs,
                                                     .runs_count = list->count };
        zn_notes_add(&scheduler->notes, &note);
        list->count = 0;
    }
}

static void write_attempts(zn_scheduler *scheduler, const zn_live_stage *stage,
                           const zn_task_set *set, run_list *list) {
    zn_task_run run;
    for (uint32_t at = 0; zn_task_set_next(set, at, &run); at = run.first + run.count) {
        uint64_t attempt = zn_held_attempt(run.value);
        if (attempt == 1) {
            continue;
        }
        if (list->count == RUNS_PER_NOTE) {
            flush_runs(scheduler, stage, list);
        }
        list->runs[list->count++] = (zn_run){ run.first, run.count, attempt };
    }
}

/* Adds tasks that a worker holds; a second attempt that was given has a higher number. */
static void add_held(const zn_live_stage *stage, zn_task_run run, zn_task_set *all) {
    while (run.count > 0) {
        zn_task_run part = run;
        uint64_t used = zn_stage_backups_cut(&stage->backups, &part);
        part.value = zn_held_attempt(run.value);
        part.value = used > part.value ? used : part.value;
        zn_task_set_insert(all, part);
        run.first += part.count;
        run.count -= part.count;
    }
}

/* The next attempts of open tasks, where they are not the first. */
static void write_open(zn_scheduler *scheduler, const zn_live_stage *stage) {
    run_list *list = ZN_NEW(run_list);
    zn_task_set all = { 0 };
    zn_task_run run;
    for (uint32_t at = 0; zn_task_set_next(&stage->pending, at, &run); at = run.first + run.count) {
        zn_task_set_insert(&all, run);
    }
    const zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        const zn_holding *holding;
        for (size_t i = 0; (holding = zn_member_next_holding(member, stage, &i)) != NULL;) {
            for (uint32_t at = 0; zn_task_set_next(&holding->tasks, at, &run);
                 at = run.first + run.count) {
                add_held(stage, run, &all);
            }
        }
    }
    write_attempts(scheduler, stage, &all, list);
    flush_runs(scheduler, stage, list);
    zn_task_set_free(&all);
    free(list);
}

static void write_failures(zn_scheduler *scheduler, const zn_live_stage *stage) {
    zn_task_failures *counts = zn_calloc(ZN_RUNS_MAX, sizeof(*counts));
    zn_message note = { .number = ZN_MSG_NOTE_FAILURES };
    note.note_failures =
        (zn_msg_note_failures){ .job = stage->job->id, .stage = stage->index, .counts = counts };
    size_t *count = &note.note_failures.counts_count;
    zn_task_run run;
    for (uint32_t at = 0; zn_task_set_next(&stage->failures, at, &run);
         at = run.first + run.count) {
        counts[(*count)++] = (zn_task_failures){ run.first, run.count, run.value };
        if (*count == ZN_RUNS_MAX) {
            zn_notes_add(&scheduler->notes, &note);
            *count = 0;
        }
    }
    if (*count > 0) {
        zn_notes_add(&scheduler->notes, &note);
    }
    free(counts);
}

static void write_stage(zn_scheduler *scheduler, zn_live_stage *stage) {
    zn_note_stage(scheduler, stage);
    write_results(scheduler, stage);
    write_sums(scheduler, stage);
    if (stage->state == ZN_STAGE_RUNNING) {
        write_open(scheduler, stage);
        write_failures(scheduler, stage);
    }
}

static void write_job(zn_scheduler *scheduler, const zn_live_job *job) {
    zn_note_job(scheduler, job);
    for (size_t i = 0; i < job->blob_count; i++) {
        write_blob(scheduler, job, job->blobs[i]);
    }
    const zn_live_stage *failed = NULL;
    for (size_t i = 0; i < job->stage_count; i++) {
        write_stage(scheduler, job->stages[i]);
        failed = job->stages[i]->state == ZN_STAGE_FAILED ? job->stages[i] : failed;
    }
    if (job->ended != NULL) {
        zn_note_job_ended(scheduler, job, failed);
    }
    if (job->state == ZN_JOB_CLOSING) {
        zn_note_job_closing(scheduler, job);
    }
}

void zn_snapshot_write(zn_scheduler *scheduler, zn_buf *out) {
    zn_notes live = scheduler->notes;
    scheduler->notes = (zn_notes){ .kept = true, .bytes = *out };
    scheduler->snapshots++;
    zn_note_begun(scheduler, false);
    const zn_live_job *job;
    TAILQ_FOREACH(job, &scheduler->jobs, link) {
        write_job(scheduler, job);
    }
    /* Last, because outcomes count what workers have completed. */
    const zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        zn_note_worker(scheduler, member);
    }
    *out = scheduler->notes.bytes;
    free(scheduler->notes.outcomes);
    scheduler->notes = live;
}
