/* SPDX-License-Identifier: MPL-2.0 */
/* The slots and what is in them. A chunk ends when all its tasks have outcomes, when the slot says
 * so (HEARTBEAT whose `received` is the chunk: tasks that were withdrawn have no outcome), or when
 * the slot dies. Then the task that the slot was running has crashed; all others that were not
 * reported go back into the queue with the attempt that they had. Outcomes of a cancelled chunk
 * are not wanted, but they tell when it has ended. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "worker/manager_parts.h"

static const uint64_t KILL_GRACE_NS = 2 * ZN_NS_PER_S;
static const uint64_t START_NS_MAX = 10 * ZN_NS_PER_S;

enum {
    BACKOFF_MS = 100,
    BACKOFF_MS_MAX = 5000
};

static void remove_chunk(zn_slot_manager *m, zn_slot_entry *slot, uint32_t index) {
    zn_chunk *chunk = &slot->chunks[index];
    if (chunk->sweep) {
        chunk->stage->job->sweeping -= 1;
    }
    free(chunk->runs);
    slot->chunk_count -= 1;
    memmove(chunk, chunk + 1, (slot->chunk_count - index) * sizeof *chunk);
    slot->finished_ns = m->now_ns;
}

static void measure_chunk(zn_slot_manager *m, zn_slot_entry *slot, const zn_chunk *chunk) {
    slot->failures = 0;
    if (!chunk->warm || chunk->cancelled || chunk->sweep) {
        return;
    }
    uint64_t start = slot->finished_ns > chunk->sent_ns ? slot->finished_ns : chunk->sent_ns;
    zn_pace_measure(&chunk->stage->pace, chunk->tasks, m->now_ns - start);
    m->pace = chunk->stage->pace;
}

/* The slot is through with it; what has no outcome gets none. */
static void end_chunk(zn_slot_manager *m, zn_slot_entry *slot, uint32_t index) {
    zn_chunk *chunk = &slot->chunks[index];
    if (chunk->open == 0) {
        measure_chunk(m, slot, chunk);
    }
    m->held -= zn_chunk_held(chunk);
    m->totals.withdrawn += zn_chunk_held(chunk);
    remove_chunk(m, slot, index);
}

static int64_t find_chunk(const zn_slot_entry *slot, uint64_t sequence) {
    for (uint32_t i = 0; i < slot->chunk_count; i++) {
        if (slot->chunks[i].sequence == sequence) {
            return i;
        }
    }
    return -1;
}

/* Nothing of it is wanted any more. */
static void cancel_chunk(zn_slot_manager *m, uint32_t index, zn_chunk *chunk) {
    chunk->cancelled = true;
    chunk->cancelled_ns = m->now_ns;
    zn_action *action = zn_outbox_add(m->outbox, ZN_ACTION_CANCEL_CHUNK);
    action->slot = index;
    action->sequence = chunk->sequence;
}

static void pass_on(zn_slot_manager *m, const zn_chunk *chunk, const zn_outcome *outcome) {
    m->held -= outcome->count;
    m->totals.reported += outcome->count;
    zn_link_report(m, chunk->stage, outcome);
}

/* Passes on those of the tasks that were not withdrawn. */
static void pass_on_wanted(zn_slot_manager *m, const zn_chunk *chunk, const zn_outcome *outcome) {
    for (uint64_t i = 0; i < outcome->count; i++) {
        zn_outcome one = *outcome;
        one.first = outcome->first + i;
        one.count = 1;
        int64_t position = zn_chunk_find(chunk, one.first, one.attempt);
        if (!zn_chunk_is_withdrawn(chunk, (uint32_t)position)) {
            pass_on(m, chunk, &one);
        }
    }
}

static void take_result(zn_slot_manager *m, zn_slot_entry *slot, const zn_msg_outcomes *result) {
    int64_t index = find_chunk(slot, result->sequence);
    if (index < 0) {
        return;
    }
    zn_chunk *chunk = &slot->chunks[index];
    if (!chunk->cancelled && !chunk->sweep) {
        zn_link_spent(m, chunk->stage, result->spent_us);
    }
    for (size_t i = 0; i < result->outcomes_count; i++) {
        const zn_outcome *outcome = &result->outcomes[i];
        if (!zn_chunk_report(chunk, outcome)) {
            zn_log(ZONDA_LOG_WARN, "worker-stray-outcome", "job=%" PRIu64 " task=%" PRIu64,
                   result->job, outcome->first);
            continue;
        }
        if (chunk->thinned && !chunk->cancelled) {
            pass_on_wanted(m, chunk, outcome);
        } else if (!chunk->cancelled && !chunk->sweep) {
            pass_on(m, chunk, outcome);
        }
    }
    if (chunk->open == 0) {
        end_chunk(m, slot, (uint32_t)index);
    } else if (chunk->open == chunk->unwanted && !chunk->cancelled) {
        cancel_chunk(m, (uint32_t)(slot - m->slots), chunk);
    }
}

static void end_chunks_until(zn_slot_manager *m, zn_slot_entry *slot, uint64_t sequence) {
    while (slot->chunk_count > 0 && slot->chunks[0].sequence <= sequence) {
        end_chunk(m, slot, 0);
    }
}

static void refuse_commit(zn_slot_manager *m, uint32_t index, const zn_attempt_id *id) {
    zn_message *message = zn_outbox_send(m->outbox, ZN_ACTION_SEND_SLOT, index, ZN_MSG_COMMITTED);
    message->committed = (zn_msg_committed){ .epoch = m->epoch,
                                             .job = id->job.value,
                                             .stage = id->stage.value,
                                             .task = id->task,
                                             .attempt = id->attempt };
}

/* Only an attempt that is held may ask; any other is told no at once. */
static void take_commit(zn_slot_manager *m, uint32_t index, const zn_msg_commit *commit) {
    zn_slot_entry *slot = &m->slots[index];
    zn_attempt_id id = { .job = { commit->job },
                         .stage = { (uint32_t)commit->stage },
                         .task = commit->task,
                         .attempt = (uint32_t)commit->attempt };
    for (uint32_t i = 0; i < slot->chunk_count; i++) {
        const zn_chunk *chunk = &slot->chunks[i];
        int64_t position = zn_chunk_find(chunk, commit->task, commit->attempt);
        if (!chunk->cancelled && chunk->stage->id == commit->stage &&
            chunk->stage->job->id == commit->job && position >= 0 &&
            !zn_chunk_is_withdrawn(chunk, (uint32_t)position)) {
            slot->committing = true;
            slot->commit = id;
            zn_link_commit(m, slot);
            return;
        }
    }
    refuse_commit(m, index, &id);
}

static void end_slot(zn_slot_manager *m, uint32_t index) {
    zn_slot_entry *slot = &m->slots[index];
    while (slot->chunk_count > 0) {
        end_chunk(m, slot, 0);
    }
    slot->committing = false;
    slot->state = ZN_SLOT_ENDED;
    zn_jobs_slot_answered(m, index, 0);
}

static void take_done(zn_slot_manager *m, uint32_t index, const zn_msg_done *done) {
    zn_slot_entry *slot = &m->slots[index];
    if (done->scope == ZN_DONE_ALL) {
        if (m->state == ZN_REGISTRATION_LEAVING) {
            end_slot(m, index);
        }
        return;
    }
    for (uint32_t i = slot->chunk_count; i > 0; i--) {
        const zn_held_job *job = slot->chunks[i - 1].stage->job;
        if (job->id == done->job && job->closing) {
            end_chunk(m, slot, i - 1);
        }
    }
    zn_jobs_slot_answered(m, index, done->job);
}

void zn_slots_message(zn_slot_manager *m, uint32_t index, const zn_message *message) {
    zn_slot_entry *slot = &m->slots[index];
    if (slot->state != ZN_SLOT_READY) {
        return;
    }
    switch (message->number) {
    case ZN_MSG_RESULT:
        take_result(m, slot, &message->outcomes);
        break;
    case ZN_MSG_HEARTBEAT:
        end_chunks_until(m, slot, message->heartbeat.received);
        break;
    case ZN_MSG_COMMIT:
        take_commit(m, index, &message->commit);
        break;
    case ZN_MSG_PROFILE:
        zn_link_profile(m, index, &message->profile);
        break;
    case ZN_MSG_DONE:
        take_done(m, index, &message->done);
        break;
    default:
        break;
    }
}

static void tell_end(zn_slot_manager *m, uint32_t index) {
    zn_message *message = zn_outbox_send(m->outbox, ZN_ACTION_SEND_SLOT, index, ZN_MSG_DONE);
    message->done = (zn_msg_done){ .epoch = m->epoch, .scope = ZN_DONE_ALL };
}

void zn_slots_ready(zn_slot_manager *m, uint32_t index) {
    zn_slot_entry *slot = &m->slots[index];
    if (slot->state != ZN_SLOT_STARTING) {
        return;
    }
    slot->state = ZN_SLOT_READY;
    slot->sequence = 0;
    slot->finished_ns = m->now_ns;
    if (m->state == ZN_REGISTRATION_LEAVING) {
        tell_end(m, index);
    }
}

static void report_crash(zn_slot_manager *m, const zn_chunk *chunk, const zn_run *one,
                         const zonda_error *how) {
    zonda_error error = *how;
    error.code = how->code == ZONDA_ERR_HUNG ? how->code : ZONDA_ERR_CRASH;
    error.has_shard = true;
    error.shard = one->first;
    error.attempt = (uint32_t)one->attempt;
    zn_failure failure;
    zn_failure_from_error(&error, &failure);
    zn_outcome outcome = { .first = one->first,
                           .count = 1,
                           .attempt = one->attempt,
                           .failure = &failure,
                           .failure_count = 1 };
    m->held -= 1;
    m->totals.reported += 1;
    zn_link_report(m, chunk->stage, &outcome);
}

/* The place of the hang stays in what is known: the operator that runs code of the user. */
static void describe_hang(const zn_slot_manager *m, const zn_slot_entry *slot, const char *what,
                          zonda_error *how) {
    char op[sizeof how->op];
    memcpy(op, how->op, sizeof op);
    zn_error_set(how, ZONDA_ERR_HUNG, "slot %u read and gave no record for %.1f s and %s",
                 (unsigned)(slot - m->slots), (double)(m->now_ns - slot->moved_ns) / 1e9, what);
    memcpy(how->op, op, sizeof op);
}

/* What becomes of a chunk whose slot died, from the end so that the queue's order is kept.
 * `running`: position of the task that was running, 0: none. */
static void salvage_chunk(zn_slot_manager *m, const zn_chunk *chunk, uint32_t running,
                          const zonda_error *how) {
    uint32_t position = chunk->tasks;
    for (size_t i = chunk->run_count; i > 0; i--) {
        const zn_run *run = &chunk->runs[i - 1];
        for (uint64_t k = run->count; k > 0; k--) {
            position -= 1;
            zn_run one = { .first = run->first + k - 1, .count = 1, .attempt = run->attempt };
            bool crashed = position + 1 == running;
            if (chunk->sweep || zn_chunk_is_reported(chunk, position)) {
                continue;
            }
            if (crashed) {
                zn_jobs_sweep(m, chunk->stage, one.first, one.attempt);
            }
            if (chunk->cancelled || zn_chunk_is_withdrawn(chunk, position)) {
                continue;
            }
            if (crashed) {
                report_crash(m, chunk, &one, how);
            } else {
                zn_jobs_queue(m, chunk->stage, one, true);
            }
        }
    }
}

static uint64_t backoff_ns(uint32_t failures) {
    if (failures <= 1) {
        return 0;
    }
    uint32_t doublings = failures - 2 > 10 ? 10 : failures - 2;
    uint64_t ms = (uint64_t)BACKOFF_MS << doublings;
    return (ms > BACKOFF_MS_MAX ? BACKOFF_MS_MAX : ms) * ZN_NS_PER_MS;
}

void zn_slots_dead(zn_slot_manager *m, const zn_worker_event *event) {
    zn_slot_entry *slot = &m->slots[event->slot];
    if (slot->state == ZN_SLOT_ENDED || slot->state == ZN_SLOT_ABSENT) {
        return;
    }
    zonda_error how = *event->error;
    if (slot->hung) {
        describe_hang(m, slot, "was killed", &how);
    }
    while (slot->chunk_count > 0) {
        uint32_t last = slot->chunk_count - 1;
        const zn_chunk *chunk = &slot->chunks[last];
        bool here = chunk->sequence == event->running_sequence;
        salvage_chunk(m, chunk, here ? event->running_position : 0, &how);
        remove_chunk(m, slot, last);
    }
    zn_jobs_slot_answered(m, event->slot, 0);
    slot->committing = false;
    slot->failures += slot->killed ? 0 : 1;
    slot->killed = false;
    slot->hung = false;
    slot->state = m->state == ZN_REGISTRATION_LEAVING ? ZN_SLOT_ENDED : ZN_SLOT_ABSENT;
    slot->start_ns = m->now_ns + backoff_ns(slot->failures);
}

void zn_slots_withdraw(zn_slot_manager *m, const zn_held_stage *stage, const zn_run *run) {
    for (uint32_t index = 0; index < m->config.slots; index++) {
        zn_slot_entry *slot = &m->slots[index];
        for (uint32_t i = 0; i < slot->chunk_count; i++) {
            zn_chunk *chunk = &slot->chunks[i];
            uint32_t count = chunk->stage == stage ? zn_chunk_withdraw(chunk, run) : 0;
            m->held -= count;
            m->totals.withdrawn += count;
            if (count > 0 && zn_chunk_held(chunk) == 0) {
                cancel_chunk(m, index, chunk);
            }
        }
        const zn_attempt_id *id = &slot->commit;
        if (slot->committing && id->job.value == stage->job->id && id->stage.value == stage->id &&
            id->attempt == run->attempt && id->task >= run->first &&
            id->task < run->first + run->count) {
            slot->committing = false;
            refuse_commit(m, index, id);
        }
    }
}

void zn_slots_cancel_job(zn_slot_manager *m, const zn_held_job *job) {
    for (uint32_t index = 0; index < m->config.slots; index++) {
        zn_slot_entry *slot = &m->slots[index];
        for (uint32_t i = 0; i < slot->chunk_count; i++) {
            zn_chunk *chunk = &slot->chunks[i];
            if (chunk->stage->job != job || chunk->cancelled || chunk->sweep) {
                continue;
            }
            m->held -= zn_chunk_held(chunk);
            m->totals.withdrawn += zn_chunk_held(chunk);
            cancel_chunk(m, index, chunk);
        }
        if (slot->committing && slot->commit.job.value == job->id) {
            slot->committing = false;
            refuse_commit(m, index, &slot->commit);
        }
    }
}

static void kill_slot(zn_slot_manager *m, uint32_t index) {
    m->slots[index].killed = true;
    zn_outbox_add(m->outbox, ZN_ACTION_KILL_SLOT)->slot = index;
}

/* A thread cannot be killed: the attempt has failed, the other tasks of the chunk go to other
 * slots, and this one is busy until the code of the user returns. */
static void abandon_chunk(zn_slot_manager *m, uint32_t index, zn_chunk *chunk, uint32_t running) {
    zn_slot_entry *slot = &m->slots[index];
    zonda_error how = { 0 };
    describe_hang(m, slot, "is a thread, which cannot be killed: it stays busy", &how);
    zn_log(ZONDA_LOG_WARN, "worker-slot-hung", "slot=%u text=%s", index, how.text);
    salvage_chunk(m, chunk, running, &how);
    chunk->cancelled = true;
    chunk->cancelled_ns = m->now_ns;
    zn_action *action = zn_outbox_add(m->outbox, ZN_ACTION_CANCEL_CHUNK);
    action->slot = index;
    action->sequence = chunk->sequence;
}

void zn_slots_look(zn_slot_manager *m, uint32_t index, const zn_slot_view *view) {
    zn_slot_entry *slot = &m->slots[index];
    if (memcmp(view, &slot->seen, sizeof *view) != 0 || view->position == 0) {
        slot->seen = *view;
        slot->moved_ns = m->now_ns;
        return;
    }
    int64_t at = find_chunk(slot, view->sequence);
    zn_chunk *chunk = at >= 0 ? &slot->chunks[at] : NULL;
    if (slot->state != ZN_SLOT_READY || slot->killed || chunk == NULL || chunk->cancelled ||
        chunk->sweep || chunk->stage->hang_ms == 0 ||
        m->now_ns - slot->moved_ns < chunk->stage->hang_ms * ZN_NS_PER_MS) {
        return;
    }
    if (m->config.killable) {
        slot->hung = true;
        kill_slot(m, index);
    } else {
        abandon_chunk(m, index, chunk, (uint32_t)view->position);
    }
}

static bool is_stuck(const zn_slot_manager *m, const zn_slot_entry *slot) {
    if (slot->state == ZN_SLOT_STARTING) {
        return m->now_ns - slot->start_ns >= START_NS_MAX;
    }
    if (m->state == ZN_REGISTRATION_LEAVING) {
        return m->now_ns - m->since_ns >= KILL_GRACE_NS;
    }
    return slot->chunk_count > 0 && slot->chunks[0].cancelled &&
           m->now_ns - slot->chunks[0].cancelled_ns >= KILL_GRACE_NS;
}

void zn_slots_tick(zn_slot_manager *m) {
    bool leaving = m->state == ZN_REGISTRATION_LEAVING || m->state == ZN_REGISTRATION_ENDED;
    for (uint32_t index = 0; index < m->config.slots; index++) {
        zn_slot_entry *slot = &m->slots[index];
        if (slot->state == ZN_SLOT_ABSENT && !leaving && m->now_ns >= slot->start_ns) {
            slot->state = ZN_SLOT_STARTING;
            slot->start_ns = m->now_ns;
            zn_outbox_add(m->outbox, ZN_ACTION_START_SLOT)->slot = index;
        } else if (m->config.killable && !slot->killed && slot->state != ZN_SLOT_ENDED &&
                   slot->state != ZN_SLOT_ABSENT && is_stuck(m, slot)) {
            kill_slot(m, index);
        }
    }
}

void zn_slots_leave(zn_slot_manager *m) {
    for (zn_held_job *job = m->jobs; job != NULL; job = job->next) {
        zn_jobs_cancel(m, job);
    }
    for (uint32_t index = 0; index < m->config.slots; index++) {
        zn_slot_entry *slot = &m->slots[index];
        if (slot->state == ZN_SLOT_ABSENT) {
            slot->state = ZN_SLOT_ENDED;
        } else if (slot->state == ZN_SLOT_STARTING) {
            if (m->config.killable) {
                kill_slot(m, index);
            }
        } else if (slot->state == ZN_SLOT_READY) {
            tell_end(m, index);
        }
    }
}

bool zn_slots_all_ended(const zn_slot_manager *m) {
    for (uint32_t index = 0; index < m->config.slots; index++) {
        if (m->slots[index].state != ZN_SLOT_ENDED) {
            return false;
        }
    }
    return true;
}
