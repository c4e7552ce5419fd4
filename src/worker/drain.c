/* SPDX-License-Identifier: MPL-2.0 */
/* A worker that is to leave in order. It was asked to by its owner, and then asks the coordinator
 * again with each heartbeat until that has said DRAIN; or the coordinator has said so itself. From
 * then on it runs what its slots have begun and hands back everything else, also what comes late or
 * comes back from a slot that died. It serves its results until the coordinator says DONE (ALL).
 *
 * It does not wait for a coordinator that is not there: not at all with nothing to bring to an end,
 * and not for long otherwise. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "worker/manager_parts.h"

enum {
    ALONE_TIMES = 2 /* the time after which a coordinator that is silent is lost */
};

static void ask(zn_slot_manager *m) {
    zn_outbox_send(m->outbox, ZN_ACTION_SEND_WORK, 0, ZN_MSG_DRAIN)->drain.epoch = m->epoch;
}

void zn_drain_begin(zn_slot_manager *m) {
    if (!m->draining) {
        m->draining = true;
        zn_log(ZONDA_LOG_INFO, "worker-draining", "held=%llu", (unsigned long long)m->held);
        zn_drain_remind(m);
    }
}

void zn_drain_remind(zn_slot_manager *m) {
    if (m->draining && !m->drain_told && m->state == ZN_REGISTRATION_REGISTERED) {
        ask(m);
    }
}

void zn_drain_told(zn_slot_manager *m) {
    m->draining = true;
    m->drain_told = true;
}

static void hand_back_runs(zn_slot_manager *m, const zn_held_stage *stage, const zn_run *runs,
                           size_t count) {
    zn_run *copy = zn_arena_take(&m->outbox->arena, count * sizeof *copy);
    memcpy(copy, runs, count * sizeof *copy);
    zn_message *message = zn_outbox_send(m->outbox, ZN_ACTION_SEND_WORK, 0, ZN_MSG_HANDBACK);
    message->handback = (zn_msg_handback){ .epoch = m->epoch,
                                           .sequence = ++m->sent,
                                           .job = stage->job->id,
                                           .stage = stage->id,
                                           .runs = copy,
                                           .runs_count = count };
}

static void hand_back_stage(zn_slot_manager *m, zn_held_stage *stage) {
    zn_run_queue *queue = &stage->queue;
    for (size_t at = 0; at < queue->count; at += ZN_RUNS_MAX) {
        size_t left = queue->count - at;
        hand_back_runs(m, stage, &queue->runs[queue->head + at],
                       left < ZN_RUNS_MAX ? left : ZN_RUNS_MAX);
    }
    m->held -= queue->tasks;
    m->totals.withdrawn += queue->tasks;
    zn_run_queue_clear(queue);
    zn_jobs_unready(m, stage);
}

void zn_drain_hand_back(zn_slot_manager *m) {
    if (!m->drain_told || m->state != ZN_REGISTRATION_REGISTERED) {
        return;
    }
    while (m->ready_first != NULL) {
        hand_back_stage(m, m->ready_first);
    }
}

static bool has_nothing(const zn_slot_manager *m) {
    return m->held == 0 && m->jobs == NULL && m->kept_count == 0;
}

void zn_drain_tick(zn_slot_manager *m) {
    bool alone = m->draining && m->state < ZN_REGISTRATION_REGISTERED;
    if (!alone) {
        m->alone_ns = 0;
        return;
    }
    m->alone_ns = m->alone_ns == 0 ? m->now_ns : m->alone_ns;
    if (has_nothing(m) || m->now_ns - m->alone_ns >= ALONE_TIMES * m->lost_ms * ZN_NS_PER_MS) {
        zn_log(ZONDA_LOG_WARN, "worker-drain-alone", "held=%llu", (unsigned long long)m->held);
        zn_link_register(m, ZN_REGISTRATION_STOP, NULL);
    }
}
