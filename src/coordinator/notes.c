/* SPDX-License-Identifier: MPL-2.0 */
/* Notes of what changes in the state that survives a restart. Whoever changes such state notes it
 * in the same step; replay.c makes the state again from the notes, and the journal keeps them.
 *
 * Not noted is who holds which task: after a restart every open task's next attempt goes one up,
 * since it may have been handed out, and workers say themselves what they go on with.
 *
 * Outcomes are by far the most frequent. Those of one RESULT are gathered into one note; any other
 * note ends the gathering, so the order of notes is the order of changes. */
#include "coordinator/notes.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "coordinator/scheduler.h"

enum {
    LENGTH_BYTES = 4,
    KEEP_BYTES = ZN_MIB
};

static void append(zn_notes *notes, const zn_message *note) {
    static const uint8_t no_length[LENGTH_BYTES];
    size_t at = notes->bytes.len;
    zn_buf_append(&notes->bytes, no_length, LENGTH_BYTES);
    zn_message_encode(note, &notes->bytes);
    zn_put_u32(notes->bytes.data + at, (uint32_t)(notes->bytes.len - at - LENGTH_BYTES));
    notes->count++;
}

void zn_notes_settle(zn_notes *notes) {
    if (notes->gathering.number == ZN_MSG_NOTE_OUTCOMES) {
        notes->gathering.note_outcomes.outcomes = notes->outcomes;
        append(notes, &notes->gathering);
        notes->gathering = (zn_message){ 0 };
    }
}

void zn_notes_add(zn_notes *notes, const zn_message *note) {
    notes->binding = true;
    zn_notes_settle(notes);
    append(notes, note);
}

void zn_notes_add_past(zn_notes *notes, zn_bytes job) {
    if (notes->kept) {
        uint8_t length[LENGTH_BYTES];
        zn_put_u32(length, (uint32_t)job.len);
        zn_buf_append(&notes->past, length, sizeof length);
        zn_buf_append(&notes->past, job.data, job.len);
        notes->binding = true;
    }
}

void zn_notes_clear(zn_notes *notes) {
    zn_notes_settle(notes);
    zn_buf_reset(&notes->bytes, KEEP_BYTES);
    zn_buf_reset(&notes->past, KEEP_BYTES);
    notes->binding = false;
}

void zn_notes_free(zn_notes *notes) {
    zn_buf_free(&notes->bytes);
    zn_buf_free(&notes->past);
    free(notes->outcomes);
    *notes = (zn_notes){ 0 };
}

/* ---- one function for each change ---- */

void zn_note_begun(zn_scheduler *scheduler, bool restart) {
    if (!scheduler->notes.kept) {
        return;
    }
    zn_message note = { .number = ZN_MSG_NOTE_BEGUN };
    note.note_begun = (zn_msg_note_begun){ .cluster = scheduler->config.cluster,
                                           .first_job = scheduler->config.first_job,
                                           .next_job = scheduler->next_job,
                                           .next_epoch = scheduler->next_epoch,
                                           .next_worker = scheduler->next_worker,
                                           .restart = restart ? 1 : 0 };
    zn_notes_add(&scheduler->notes, &note);
}

void zn_note_job(zn_scheduler *scheduler, const zn_live_job *job) {
    if (!scheduler->notes.kept) {
        return;
    }
    zn_message note = { .number = ZN_MSG_NOTE_JOB };
    note.note_job =
        (zn_msg_note_job){ .job = job->id,
                           .client = job->client,
                           .request = job->request,
                           .name = zn_bytes_of_text(job->name),
                           .fingerprint = zn_digest_bytes(&job->fingerprint),
                           .detach = job->detached,
                           .opened_ms = zn_scheduler_wall_ms(scheduler, job->opened_ns),
                           .user_attempts = job->options.limits.attempts[ZN_RETRY_USER],
                           .infra_attempts = job->options.limits.attempts[ZN_RETRY_INFRA],
                           .crash_attempts = job->options.limits.attempts[ZN_RETRY_CRASH],
                           .no_backups = job->options.backups ? 0 : 1,
                           .hang_ms = job->options.hang_ms };
    zn_notes_add(&scheduler->notes, &note);
}

void zn_note_blob(zn_scheduler *scheduler, const zn_live_job *job, const zn_msg_put_blob *put,
                  bool complete) {
    if (!scheduler->notes.kept) {
        return;
    }
    zn_message note = { .number = ZN_MSG_NOTE_BLOB };
    note.note_blob = (zn_msg_note_blob){
        .job = job->id, .digest = put->digest, .size = put->size, .offset = put->offset
    };
    note.note_blob.bytes = complete ? (zn_bytes){ 0 } : put->bytes;
    zn_notes_add(&scheduler->notes, &note);
}

void zn_note_stage(zn_scheduler *scheduler, const zn_live_stage *stage) {
    if (!scheduler->notes.kept) {
        return;
    }
    zn_message note = { .number = ZN_MSG_NOTE_STAGE };
    note.note_stage =
        (zn_msg_note_stage){ .job = stage->job->id,
                             .stage = stage->index,
                             .name = zn_bytes_of_text(stage->name),
                             .task_count = stage->total,
                             .body = zn_digest_bytes(&stage->body),
                             .limit = stage->limit,
                             .at_ms = zn_scheduler_wall_ms(scheduler, stage->started_ns),
                             .inputs = stage->inputs,
                             .inputs_count = stage->input_count };
    zn_notes_add(&scheduler->notes, &note);
}

/* Whether the note in the making is about this stage and worker, and has room. */
static bool gathers(const zn_notes *notes, const zn_live_stage *stage, const zn_member *member) {
    const zn_msg_note_outcomes *gathering = &notes->gathering.note_outcomes;
    return notes->gathering.number == ZN_MSG_NOTE_OUTCOMES && gathering->job == stage->job->id &&
           gathering->stage == stage->index && gathering->holder == member->client &&
           gathering->outcomes_count < ZN_OUTCOMES_MAX;
}

void zn_note_outcome(zn_scheduler *scheduler, const zn_live_stage *stage, const zn_member *member,
                     zn_task_run part, const zn_outcome *outcome) {
    zn_notes *notes = &scheduler->notes;
    if (!notes->kept) {
        return;
    }
    if (!gathers(notes, stage, member)) {
        zn_notes_settle(notes);
        notes->gathering.number = ZN_MSG_NOTE_OUTCOMES;
        notes->gathering.note_outcomes =
            (zn_msg_note_outcomes){ .job = stage->job->id,
                                    .stage = stage->index,
                                    .holder = member->client,
                                    .worker = member->id,
                                    .at_ms = zn_scheduler_wall_ms(scheduler, scheduler->now_ns) };
    }
    zn_msg_note_outcomes *gathering = &notes->gathering.note_outcomes;
    ZN_GROW(notes->outcomes, gathering->outcomes_count, notes->outcome_capacity);
    zn_outcome *noted = &notes->outcomes[gathering->outcomes_count++];
    *noted = *outcome;
    noted->first = part.first;
    noted->count = part.count;
    noted->attempt = part.value;
    notes->binding = notes->binding || outcome->failure_count > 0;
}

void zn_note_attempts(zn_scheduler *scheduler, const zn_live_stage *stage, zn_task_run run,
                      const zonda_error *failure) {
    if (!scheduler->notes.kept) {
        return;
    }
    zn_run next = { .first = run.first, .count = run.count, .attempt = run.value };
    zn_failure why;
    zn_message note = { .number = ZN_MSG_NOTE_ATTEMPTS };
    note.note_attempts = (zn_msg_note_attempts){
        .job = stage->job->id, .stage = stage->index, .runs = &next, .runs_count = 1
    };
    if (failure != NULL) {
        zn_failure_from_error(failure, &why);
        note.note_attempts.failure = &why;
        note.note_attempts.failure_count = 1;
    }
    zn_notes_add(&scheduler->notes, &note);
}

void zn_note_lost(zn_scheduler *scheduler, const zn_live_stage *stage, uint64_t holder,
                  const zn_lost_result *one) {
    if (!scheduler->notes.kept) {
        return;
    }
    zn_lost_result copy = one != NULL ? *one : (zn_lost_result){ 0 };
    zn_message note = { .number = ZN_MSG_NOTE_LOST };
    note.note_lost = (zn_msg_note_lost){ .job = stage->job->id,
                                         .stage = stage->index,
                                         .holder = holder,
                                         .one = &copy,
                                         .one_count = one != NULL ? 1 : 0 };
    zn_notes_add(&scheduler->notes, &note);
}

void zn_note_again(zn_scheduler *scheduler, const zn_live_stage *stage, uint32_t attempt,
                   bool more) {
    if (scheduler->notes.kept) {
        zn_message note = { .number = ZN_MSG_NOTE_AGAIN };
        note.note_again = (zn_msg_note_again){
            .job = stage->job->id, .stage = stage->index, .attempt = attempt, .more = more ? 1 : 0
        };
        zn_notes_add(&scheduler->notes, &note);
    }
}

void zn_note_unskipped(zn_scheduler *scheduler, const zn_live_stage *stage, zn_task_run run) {
    if (scheduler->notes.kept) {
        zn_run skipped = { run.first, run.count, run.value };
        zn_message note = { .number = ZN_MSG_NOTE_AGAIN };
        note.note_again = (zn_msg_note_again){ .job = stage->job->id,
                                               .stage = stage->index,
                                               .more = 1,
                                               .skipped = &skipped,
                                               .skipped_count = 1 };
        zn_notes_add(&scheduler->notes, &note);
    }
}

void zn_note_job_ended(zn_scheduler *scheduler, const zn_live_job *job,
                       const zn_live_stage *stage) {
    if (!scheduler->notes.kept) {
        return;
    }
    zn_failure why;
    zn_failure_from_error(job->ended, &why);
    zn_message note = { .number = ZN_MSG_NOTE_JOB_ENDED };
    note.note_job_ended = (zn_msg_note_job_ended){ .job = job->id,
                                                   .has_stage = stage != NULL ? 1 : 0,
                                                   .stage = stage != NULL ? stage->index : 0,
                                                   .failure = &why,
                                                   .failure_count = 1 };
    zn_notes_add(&scheduler->notes, &note);
}

void zn_note_job_closing(zn_scheduler *scheduler, const zn_live_job *job) {
    if (scheduler->notes.kept) {
        zn_message note = { .number = ZN_MSG_NOTE_JOB_CLOSING };
        note.note_job_closing.job = job->id;
        zn_notes_add(&scheduler->notes, &note);
    }
}

void zn_note_job_forgotten(zn_scheduler *scheduler, const zn_live_job *job) {
    if (scheduler->notes.kept) {
        zn_message note = { .number = ZN_MSG_NOTE_JOB_FORGOTTEN };
        note.note_job_forgotten.job = job->id;
        zn_notes_add(&scheduler->notes, &note);
    }
}

void zn_note_worker(zn_scheduler *scheduler, const zn_member *member) {
    if (!scheduler->notes.kept) {
        return;
    }
    zn_message note = { .number = ZN_MSG_NOTE_WORKER };
    note.note_worker = (zn_msg_note_worker){ .worker = member->id,
                                             .client = member->client,
                                             .epoch = member->epoch,
                                             .host = zn_bytes_of_text(member->host),
                                             .pid = member->pid,
                                             .slots = member->slots,
                                             .data = zn_bytes_of_text(member->data),
                                             .folder = zn_bytes_of_text(member->folder),
                                             .machine = zn_bytes_of_text(member->machine),
                                             .completed = member->completed };
    if (member->drain_reason != NULL) {
        note.note_worker.drained = 1;
        note.note_worker.reason = zn_bytes_of_text(member->drain_reason);
    }
    zn_notes_add(&scheduler->notes, &note);
}

void zn_note_worker_gone(zn_scheduler *scheduler, const zn_member *member) {
    if (scheduler->notes.kept) {
        zn_message note = { .number = ZN_MSG_NOTE_WORKER_GONE };
        note.note_worker_gone.client = member->client;
        zn_notes_add(&scheduler->notes, &note);
    }
}
