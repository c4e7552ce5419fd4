/* SPDX-License-Identifier: MPL-2.0 */
/* The worker's core: takes events one by one and hands each to the part that knows what it means.
 * After each event jobs that have ended everywhere are forgotten, waiting tasks go to slots that
 * have room, and credit follows. Invariant: every task that came is exactly one of queued, in a
 * slot, reported, withdrawn; `held` counts the first two. No I/O, no clock, no random
 * numbers. */
#include "worker/slot_manager.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "worker/manager_parts.h"

zn_slot_manager *zn_slot_manager_new(const zn_slot_manager_config *config, uint64_t now_ns,
                                     zn_outbox *outbox) {
    ZN_ASSERT(config->slots > 0 && config->slots <= ZN_SLOTS_MAX);
    zn_slot_manager *m = ZN_NEW(zn_slot_manager);
    m->config = *config;
    m->host = zn_strdup(config->host);
    m->data = zn_strdup(config->data);
    m->folder = zn_strdup(config->folder);
    m->machine = zn_strdup(config->machine);
    m->slots = zn_calloc(config->slots, sizeof *m->slots);
    m->heartbeat_ms = ZN_HEARTBEAT_MS;
    m->lost_ms = ZN_WORKER_LOST_MS;
    m->now_ns = now_ns;
    m->since_ns = now_ns;
    m->tick_ns = now_ns;
    m->outbox = outbox;
    zn_unacknowledged_init(&m->unacknowledged);
    zn_link_register(m, ZN_REGISTRATION_SILENCE, NULL);
    zn_slots_tick(m);
    return m;
}

void zn_slot_manager_destroy(zn_slot_manager **manager) {
    if (manager == NULL || *manager == NULL) {
        return;
    }
    zn_slot_manager *m = *manager;
    for (uint32_t i = 0; i < m->config.slots; i++) {
        for (uint32_t k = 0; k < m->slots[i].chunk_count; k++) {
            free(m->slots[i].chunks[k].runs);
        }
    }
    zn_jobs_free(m);
    zn_unacknowledged_clear(&m->unacknowledged);
    zn_outcome_batch_free(&m->batch);
    free(m->slots);
    free(m->host);
    free(m->data);
    free(m->folder);
    free(m->machine);
    free(m);
    *manager = NULL;
}

static void tick(zn_slot_manager *m, const zn_slot_view *views) {
    zn_link_tick(m);
    for (uint32_t i = 0; views != NULL && i < m->config.slots; i++) {
        zn_slots_look(m, i, &views[i]);
    }
    zn_slots_tick(m);
    zn_jobs_expire_sweeps(m);
    zn_drain_tick(m);
}

static void handle(zn_slot_manager *m, const zn_worker_event *event) {
    switch (event->kind) {
    case ZN_WORKER_EVENT_TICK:
        tick(m, event->views);
        break;
    case ZN_WORKER_EVENT_FOUND:
        zn_link_found(m, event->message != NULL ? event->message->endpoints.cluster : m->cluster);
        break;
    case ZN_WORKER_EVENT_REFUSED:
        zn_link_register(m, ZN_REGISTRATION_REFUSED, event->error);
        break;
    case ZN_WORKER_EVENT_MESSAGE:
        zn_link_message(m, event->message);
        break;
    case ZN_WORKER_EVENT_UNSENT:
        zn_link_unsent(m, event->message);
        break;
    case ZN_WORKER_EVENT_SLOT_READY:
        zn_slots_ready(m, event->slot);
        break;
    case ZN_WORKER_EVENT_SLOT_MESSAGE:
        zn_slots_message(m, event->slot, event->message);
        break;
    case ZN_WORKER_EVENT_SLOT_DEAD:
        zn_slots_dead(m, event);
        break;
    case ZN_WORKER_EVENT_FLUSH:
        zn_link_flush(m);
        break;
    case ZN_WORKER_EVENT_DRAIN:
        zn_drain_begin(m);
        break;
    case ZN_WORKER_EVENT_STOP:
        zn_link_register(m, ZN_REGISTRATION_STOP, NULL);
        break;
    }
}

void zn_slot_manager_step(zn_slot_manager *m, const zn_worker_event *event, zn_outbox *outbox) {
    ZN_ASSERT(event->slot < m->config.slots);
    m->now_ns = event->now_ns > m->now_ns ? event->now_ns : m->now_ns;
    m->outbox = outbox;
    handle(m, event);
    zn_jobs_collect(m);
    zn_drain_hand_back(m);
    zn_dispatch(m);
    zn_link_credit(m);
    if (m->state == ZN_REGISTRATION_LEAVING && zn_slots_all_ended(m)) {
        zn_link_register(m, ZN_REGISTRATION_EMPTY, NULL);
    }
}

zn_registration_state zn_slot_manager_state(const zn_slot_manager *m) {
    return m->state;
}

const zonda_error *zn_slot_manager_reason(const zn_slot_manager *m) {
    return &m->reason;
}

bool zn_slot_manager_was_welcome(const zn_slot_manager *m) {
    return m->cluster != 0;
}

uint64_t zn_slot_manager_held(const zn_slot_manager *m) {
    return m->held;
}

zn_task_totals zn_slot_manager_totals(const zn_slot_manager *m) {
    return m->totals;
}

static uint64_t check_stage(const zn_slot_manager *m, const zn_held_stage *stage) {
    uint64_t tasks = 0;
    for (size_t i = 0; i < stage->queue.count; i++) {
        tasks += stage->queue.runs[stage->queue.head + i].count;
    }
    ZN_ASSERT(tasks == stage->queue.tasks);
    bool listed = false;
    for (const zn_held_stage *at = m->ready_first; at != NULL; at = at->next_ready) {
        listed = listed || at == stage;
    }
    ZN_ASSERT(listed == stage->ready && listed == (tasks > 0));
    ZN_ASSERT(tasks == 0 || !stage->job->closing);
    return tasks;
}

static uint64_t check_slot(const zn_slot_entry *slot) {
    ZN_ASSERT(slot->chunk_count <= ZN_CHUNKS_MAX);
    ZN_ASSERT(slot->chunk_count == 0 || slot->state == ZN_SLOT_READY);
    uint64_t tasks = 0;
    for (uint32_t i = 0; i < slot->chunk_count; i++) {
        const zn_chunk *chunk = &slot->chunks[i];
        uint32_t open = 0;
        for (uint32_t k = 0; k < chunk->tasks; k++) {
            open += (chunk->reported[k / 8] >> (k % 8) & 1) == 0;
        }
        ZN_ASSERT(open == chunk->open && open > 0);
        ZN_ASSERT(chunk->sweep || chunk->cancelled || !chunk->stage->job->closing);
        uint32_t unwanted = 0;
        for (uint32_t k = 0; k < chunk->tasks; k++) {
            unwanted += zn_chunk_is_withdrawn(chunk, k) && !zn_chunk_is_reported(chunk, k);
        }
        ZN_ASSERT(unwanted == chunk->unwanted && (unwanted == 0 || chunk->thinned));
        ZN_ASSERT(chunk->cancelled || chunk->sweep || open > unwanted);
        tasks += zn_chunk_held(chunk);
    }
    return tasks;
}

void zn_slot_manager_check(const zn_slot_manager *m) {
    uint64_t tasks = 0;
    for (const zn_held_job *job = m->jobs; job != NULL; job = job->next) {
        for (const zn_held_stage *stage = job->stages; stage != NULL; stage = stage->next) {
            tasks += check_stage(m, stage);
        }
    }
    for (uint32_t i = 0; i < m->config.slots; i++) {
        tasks += check_slot(&m->slots[i]);
    }
    ZN_ASSERT(tasks == m->held);
    ZN_ASSERT(m->totals.received == tasks + m->totals.reported + m->totals.withdrawn);
    ZN_ASSERT((m->epoch != 0) == (m->state == ZN_REGISTRATION_REGISTERED) ||
              m->state >= ZN_REGISTRATION_LEAVING);
    ZN_ASSERT((m->epoch == 0 || m->epoch == m->last_epoch) && (m->held == 0 || m->last_epoch != 0));
}
