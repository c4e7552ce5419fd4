/* SPDX-License-Identifier: MPL-2.0 */
/* What a worker keeps when its epoch ends: everything. Tasks go on running, outcomes are kept until
 * they are acknowledged. In the next epoch it first says again what the coordinator may not have,
 * then names the attempts that have not ended (HOLDING): those that the coordinator still wants go
 * on, the others it withdraws. These messages have numbers of the new epoch like all RESULTs, so
 * that the loss of one is noticed. Called by coordinator_link.c. */
#include <string.h>

#include "worker/manager_parts.h"

void zn_rejoin_lose_epoch(zn_slot_manager *m) {
    m->epoch = 0;
    m->credit = 0;
    m->received = 0;
    m->announced = 0;
    m->sent = 0;
}

void zn_rejoin_drop_everything(zn_slot_manager *m) {
    for (zn_held_job *job = m->jobs; job != NULL; job = job->next) {
        zn_jobs_close(m, job);
    }
    zn_unacknowledged_clear(&m->unacknowledged);
    zn_outcome_batch_reset(&m->batch);
    zn_rejoin_lose_epoch(m);
    m->last_epoch = 0;
    m->totals = (zn_task_totals){ 0 };
    zn_outbox_add(m->outbox, ZN_ACTION_REMOVE_ALL);
    m->kept_count = 0;
}

/* ---- HOLDING ---- */

/* Runs of one stage that are being gathered; they lie in the outbox. */
typedef struct run_list {
    zn_run runs[ZN_RUNS_MAX];
    size_t count;
} run_list;

static void send_holding(zn_slot_manager *m, const zn_held_stage *stage, run_list *list) {
    zn_run *runs = zn_arena_take(&m->outbox->arena, list->count * sizeof *runs);
    memcpy(runs, list->runs, list->count * sizeof *runs);
    zn_message *message = zn_outbox_send(m->outbox, ZN_ACTION_SEND_WORK, 0, ZN_MSG_HOLDING);
    message->holding = (zn_msg_holding){ .epoch = m->epoch,
                                         .sequence = ++m->sent,
                                         .job = stage->job->id,
                                         .stage = stage->id,
                                         .runs = runs,
                                         .runs_count = list->count };
    list->count = 0;
}

static void add_run(zn_slot_manager *m, const zn_held_stage *stage, run_list *list, zn_run run) {
    if (list->count == ZN_RUNS_MAX) {
        send_holding(m, stage, list);
    }
    list->runs[list->count++] = run;
}

static void tell_chunks(zn_slot_manager *m, const zn_held_stage *stage, run_list *list) {
    for (uint32_t index = 0; index < m->config.slots; index++) {
        const zn_slot_entry *slot = &m->slots[index];
        for (uint32_t i = 0; i < slot->chunk_count; i++) {
            uint32_t position = 0;
            zn_run run;
            while (slot->chunks[i].stage == stage &&
                   zn_chunk_next_held(&slot->chunks[i], &position, &run)) {
                add_run(m, stage, list, run);
            }
        }
    }
}

static void tell_stage(zn_slot_manager *m, const zn_held_stage *stage, run_list *list) {
    const zn_run_queue *queue = &stage->queue;
    for (size_t i = 0; i < queue->count; i++) {
        add_run(m, stage, list, queue->runs[queue->head + i]);
    }
    tell_chunks(m, stage, list);
    if (list->count > 0) {
        send_holding(m, stage, list);
    }
}

void zn_rejoin_tell(zn_slot_manager *m) {
    zn_unacknowledged_gather(&m->unacknowledged);
    zn_kept_result *result;
    STAILQ_FOREACH(result, &m->unacknowledged.results, link) {
        zn_link_send_result(m, result);
    }
    zn_link_flush(m);
    run_list *list = zn_arena_take(&m->outbox->arena, sizeof *list);
    list->count = 0;
    size_t named = m->kept_count;
    for (const zn_held_job *job = m->jobs; job != NULL; job = job->next, named++) {
        for (const zn_held_stage *stage = job->stages; stage != NULL; stage = stage->next) {
            tell_stage(m, stage, list);
        }
        if (named >= ZN_HELLO_JOBS_MAX && job->stages != NULL) {
            send_holding(m, job->stages, list); /* HELLO had no room to name the job */
        }
    }
    for (uint32_t index = 0; index < m->config.slots; index++) {
        if (m->slots[index].committing) {
            zn_link_commit(m, &m->slots[index]);
        }
    }
}
