/* SPDX-License-Identifier: MPL-2.0 */
/* Which slot gets what. Sweeps go first, then the stages by turns, so that a job
 * whose tasks keep coming does not hold up another. Few tasks are
 * spread over all slots rather than given to one. A slot has a second chunk only if both are of
 * short tasks, and not behind the first one of its stage, which may have its largest task. Called
 * at the end of each step: afterwards nothing waits that a slot has room for, unless results that
 * the coordinator has not acknowledged take too much memory.
 */
#include <string.h>

#include "base/alloc.h"
#include "worker/manager_parts.h"

static bool has_room(const zn_slot_entry *slot, const zn_held_stage *stage) {
    if (slot->state != ZN_SLOT_READY || slot->killed) {
        return false;
    }
    if (slot->chunk_count == 0) {
        return true;
    }
    return slot->chunk_count < ZN_CHUNKS_MAX && stage != NULL && !slot->chunks[0].sweep &&
           slot->chunks[0].warm && zn_pace_depth(&stage->pace) > 1 &&
           zn_pace_depth(&slot->chunks[0].stage->pace) > 1;
}

/* The slot with the fewest chunks that has room; -1: none. */
static int64_t pick_slot(const zn_slot_manager *m, const zn_held_stage *stage) {
    int64_t best = -1;
    for (uint32_t i = 0; i < m->config.slots; i++) {
        if (has_room(&m->slots[i], stage) &&
            (best < 0 || m->slots[i].chunk_count < m->slots[best].chunk_count)) {
            best = i;
        }
    }
    return best;
}

static uint32_t count_ready_slots(const zn_slot_manager *m) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->config.slots; i++) {
        count += m->slots[i].state == ZN_SLOT_READY;
    }
    return count;
}

static zn_chunk *add_chunk(zn_slot_manager *m, uint32_t index, zn_held_stage *stage) {
    zn_slot_entry *slot = &m->slots[index];
    zn_chunk *chunk = &slot->chunks[slot->chunk_count++];
    *chunk = (zn_chunk){ .sequence = ++slot->sequence, .stage = stage, .sent_ns = m->now_ns };
    return chunk;
}

static void add_run(zn_chunk *chunk, zn_run run) {
    chunk->runs = zn_realloc(chunk->runs, chunk->run_count + 1, sizeof *chunk->runs);
    chunk->runs[chunk->run_count++] = run;
    chunk->tasks += (uint32_t)run.count;
    chunk->open += (uint32_t)run.count;
}

/* A TASK without an epoch asks for a sweep. */
static void send_chunk(zn_slot_manager *m, uint32_t index, const zn_chunk *chunk) {
    zn_arena *arena = &m->outbox->arena;
    zn_run *runs = zn_arena_take(arena, chunk->run_count * sizeof *runs);
    memcpy(runs, chunk->runs, chunk->run_count * sizeof *runs);
    zn_bytes body = { .data = chunk->stage->body, .len = sizeof chunk->stage->body };
    body = zn_arena_copy(arena, body);
    zn_message *message = zn_outbox_send(m->outbox, ZN_ACTION_SEND_SLOT, index, ZN_MSG_TASK);
    message->task = (zn_msg_task){ .epoch = chunk->sweep ? 0 : m->last_epoch,
                                   .sequence = chunk->sequence,
                                   .job = chunk->stage->job->id,
                                   .stage = chunk->stage->id,
                                   .body = body,
                                   .runs = runs,
                                   .runs_count = chunk->run_count };
}

static void give_sweeps(zn_slot_manager *m) {
    for (zn_held_job *job = m->jobs; job != NULL; job = job->next) {
        while (job->sweep_count > 0) {
            int64_t index = pick_slot(m, NULL);
            if (index < 0) {
                return;
            }
            zn_sweep sweep = job->sweeps[--job->sweep_count];
            zn_chunk *chunk = add_chunk(m, (uint32_t)index, sweep.stage);
            chunk->sweep = true;
            add_run(chunk, (zn_run){ .first = sweep.task, .count = 1, .attempt = sweep.attempt });
            job->sweeping += 1;
            job->known[index] = true;
            send_chunk(m, (uint32_t)index, chunk);
        }
    }
}

static void give_tasks(zn_slot_manager *m, uint32_t index, zn_held_stage *stage, uint32_t ready) {
    uint64_t share = (stage->queue.tasks + ready - 1) / ready;
    uint64_t wanted = zn_pace_chunk(&stage->pace);
    wanted = share < wanted ? share : wanted;
    zn_chunk *chunk = add_chunk(m, index, stage);
    while (stage->queue.tasks > 0 && chunk->tasks < wanted) {
        add_run(chunk, zn_run_queue_take(&stage->queue, wanted - chunk->tasks));
    }
    chunk->warm = stage->warm[index];
    stage->warm[index] = true;
    stage->job->known[index] = true;
    if (stage->queue.tasks == 0) {
        zn_jobs_unready(m, stage);
    }
    zn_jobs_yield(m, stage);
    send_chunk(m, index, chunk);
}

void zn_dispatch(zn_slot_manager *m) {
    if (m->state == ZN_REGISTRATION_LEAVING || m->state == ZN_REGISTRATION_ENDED) {
        return;
    }
    give_sweeps(m);
    if (m->unacknowledged.bytes >= ZN_UNACKNOWLEDGED_BYTES_MAX) {
        return;
    }
    uint32_t ready = count_ready_slots(m);
    while (m->ready_first != NULL) {
        int64_t index = pick_slot(m, m->ready_first);
        if (index < 0) {
            return;
        }
        give_tasks(m, (uint32_t)index, m->ready_first, ready);
    }
}
