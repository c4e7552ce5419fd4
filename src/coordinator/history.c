/* SPDX-License-Identifier: MPL-2.0 */
/* Jobs that have ended, for people: a ring in memory, which a journal keeps too. Entries are kept
 * encoded; they are asked for rarely. Both their number and their bytes are bounded. */
#include "coordinator/history.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "coordinator/scheduler.h"

enum {
    JOB_BYTES_MAX = 128 * ZN_KIB, /* about; of a larger job only its first stages are kept */
    STAGE_BYTES = 160,
    COUNTER_BYTES = 48,
    COUNTERS_MAX = 256
};

#define HISTORY_BYTES_MAX (UINT64_C(64) * ZN_MIB)

static void drop_first(zn_history *history) {
    zn_buf *job = &history->jobs[history->first];
    history->bytes -= job->len;
    zn_buf_free(job);
    history->first = (history->first + 1) % history->max;
    history->count--;
}

/* Takes the buffer. */
static void push(zn_history *history, zn_buf *job) {
    if (history->jobs == NULL) {
        history->max = history->max > 0 ? history->max : ZN_HISTORY_JOBS;
        history->jobs = zn_calloc(history->max, sizeof(*history->jobs));
    }
    while (history->count > 0 &&
           (history->count == history->max || history->bytes + job->len > HISTORY_BYTES_MAX)) {
        drop_first(history);
    }
    history->bytes += job->len;
    history->jobs[(history->first + history->count++) % history->max] = *job;
    *job = (zn_buf){ 0 };
}

const zn_buf *zn_history_get(const zn_history *history, size_t index) {
    return index < history->count
               ? &history->jobs[(history->first + history->count - 1 - index) % history->max]
               : NULL;
}

void zn_history_restore(zn_history *history, zn_bytes note) {
    zn_decoder *decoder = zn_decoder_new();
    zn_message message;
    zonda_error ignored;
    if (zn_decoder_decode(decoder, note, &message, &ignored) == ZONDA_OK &&
        message.number == ZN_MSG_NOTE_PAST_JOB && message.note_past_job.job_count == 1) {
        uint64_t place = message.note_past_job.job[0].place;
        zn_buf copy = { 0 };
        zn_buf_append(&copy, note.data, note.len);
        push(history, &copy);
        history->last = place > history->last ? place : history->last;
    }
    zn_decoder_destroy(&decoder);
}

/* ---- a job that ends ---- */

static uint64_t past_state(const zn_live_job *job, int state) {
    if (state == ZN_JOB_FAILED) {
        return ZN_PAST_FAILED;
    }
    bool complete = state == ZN_JOB_OPEN;
    for (size_t i = 0; complete && i < job->stage_count; i++) {
        complete = job->stages[i]->state == ZN_STAGE_COMPLETE;
    }
    return complete ? ZN_PAST_COMPLETE : ZN_PAST_CANCELLED;
}

/* Describes a stage; returns about how many bytes that takes. */
static size_t describe_stage(const zn_live_stage *stage, uint64_t now_ns, size_t room,
                             zn_past_stage *out) {
    *out = (zn_past_stage){ .stage = stage->index,
                            .name = zn_bytes_of_text(stage->name),
                            .state = (uint64_t)stage->state,
                            .total = stage->total,
                            .completed = stage->results.task_count,
                            .retries = stage->retries,
                            .failures = stage->failed.tasks,
                            .active_ms = zn_live_stage_active_ns(stage, now_ns) / ZN_NS_PER_MS,
                            .records_in = stage->records_in,
                            .records_out = stage->records_out,
                            .bytes_in = stage->bytes_in,
                            .bytes_out = stage->bytes_out,
                            .counters = stage->counters.items };
    size_t bytes = STAGE_BYTES + out->name.len;
    while (out->counters_count < stage->counters.count && out->counters_count < COUNTERS_MAX &&
           bytes < room) {
        bytes += COUNTER_BYTES + stage->counters.items[out->counters_count++].name.len;
    }
    return bytes;
}

void zn_history_remember(zn_scheduler *scheduler, const zn_live_job *job, int state) {
    zn_history *history = &scheduler->history;
    zn_past_stage *stages = zn_calloc(job->stage_count, sizeof(*stages));
    zn_past_job past = { .place = ++history->last,
                         .job = job->id,
                         .name = zn_bytes_of_text(job->name),
                         .state = past_state(job, state),
                         .opened_ms = zn_scheduler_wall_ms(scheduler, job->opened_ns),
                         .ended_ms = zn_scheduler_wall_ms(scheduler, scheduler->now_ns),
                         .stages = stages };
    size_t bytes = 0;
    while (past.stages_count < job->stage_count && past.stages_count < ZN_EXPLAIN_STAGES_MAX &&
           bytes < JOB_BYTES_MAX) {
        bytes += describe_stage(job->stages[past.stages_count], scheduler->now_ns,
                                JOB_BYTES_MAX - bytes, &stages[past.stages_count]);
        past.stages_count++;
    }
    zn_failure failure;
    if (job->ended != NULL) {
        zn_failure_from_error(job->ended, &failure);
        past.failure = &failure;
        past.failure_count = 1;
    }
    zn_message note = { .number = ZN_MSG_NOTE_PAST_JOB };
    note.note_past_job = (zn_msg_note_past_job){ .job = &past, .job_count = 1 };
    zn_buf encoded = { 0 };
    zn_message_encode(&note, &encoded);
    zn_notes_add_past(&scheduler->notes, zn_buf_bytes(&encoded));
    push(history, &encoded);
    free(stages);
}

void zn_history_free(zn_history *history) {
    while (history->count > 0) {
        drop_first(history);
    }
    free(history->jobs);
    *history = (zn_history){ 0 };
}
