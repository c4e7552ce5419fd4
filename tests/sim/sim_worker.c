/* SPDX-License-Identifier: MPL-2.0 */
/* A worker of the simulator: the real slot manager; its shell's hands are here. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "sim_slot.h"

enum {
    TICK_MS = 20,
    RESTART_MS_MAX = 3000,
    FULL_PER_MILLE = 500,
    ACTIONS_MAX = 100000
};

/* The closed connection shows at the coordinator after a while. */
static void disconnect(sim *s, sim_worker *worker) {
    if (worker->connection != 0) {
        worker->connection = 0;
        sim_add(s, SIM_COORDINATOR_CLOSED, sim_roll(s, 50 * ZN_NS_PER_MS));
    }
}

static void call_control(sim *s, uint32_t index, const zn_message *message) {
    sim_worker *worker = &s->workers[index];
    sim_send(s,
             (sim_event){ .kind = SIM_COORDINATOR_CALL,
                          .node = s->driver_count + index,
                          .life = worker->life,
                          .mark = ++worker->call_number },
             message, s->cut_up_ns[index]);
}

/* While nobody listens the socket keeps messages until it is full. */
static bool takes_message(sim *s, const sim_worker *worker) {
    bool full = s->down_ns > s->now_ns && sim_chance(s, FULL_PER_MILLE);
    return worker->connection != 0 && !full;
}

static void send_work(sim *s, uint32_t index, const zn_message *message) {
    sim_worker *worker = &s->workers[index];
    sim_trace(s, "worker→", message, index);
    if (takes_message(s, worker)) {
        uint64_t *link_ns = &s->link_ns[SIM_COORDINATOR_WORK][index];
        *link_ns = s->down_ns > *link_ns ? s->down_ns : *link_ns;
        sim_send(
            s,
            (sim_event){ .kind = SIM_COORDINATOR_WORK, .node = index, .mark = worker->connection },
            message, s->cut_up_ns[index]);
        return;
    }
    zn_worker_event event = { .kind = ZN_WORKER_EVENT_UNSENT,
                              .now_ns = s->now_ns + worker->ahead_ns,
                              .message = message };
    zn_slot_manager_step(worker->manager, &event, &worker->outbox);
}

/* Nobody ends unasked. The process is gone a moment later. */
static void end(sim *s, uint32_t index) {
    sim_worker *worker = &s->workers[index];
    if (!worker->leaving) {
        sim_fail(s, "worker %u ended by itself: %s", index,
                 zn_slot_manager_reason(worker->manager)->text);
    }
    sim_event *event = sim_add(s, SIM_WORKER_ENDED, 0);
    event->node = index;
    event->life = worker->life;
}

static void carry_out(sim *s, uint32_t index, const zn_action *action) {
    sim_worker *worker = &s->workers[index];
    sim_place at = { index, action->slot };
    switch (action->kind) {
    case ZN_ACTION_SEND_CONTROL:
        call_control(s, index, &action->message);
        break;
    case ZN_ACTION_SEND_WORK:
        send_work(s, index, &action->message);
        break;
    case ZN_ACTION_SEND_SLOT:
        sim_slot_give(s, at, &action->message);
        break;
    case ZN_ACTION_CANCEL_CHUNK:
        worker->slots[action->slot].cancelled[action->sequence % 4] = action->sequence;
        break;
    case ZN_ACTION_START_SLOT:
        sim_slot_start(s, at);
        break;
    case ZN_ACTION_KILL_SLOT:
        sim_slot_kill(s, at, ZN_NS_PER_MS);
        break;
    case ZN_ACTION_REMOVE_JOB:
        sim_store_remove(worker, action->job.value);
        break;
    case ZN_ACTION_REMOVE_ALL:
        sim_store_remove_all(worker);
        break;
    case ZN_ACTION_FORGET_BLOBS:
        break;
    case ZN_ACTION_END:
        end(s, index);
        break;
    }
}

void sim_worker_step(sim *s, uint32_t index, zn_worker_event event) {
    sim_worker *worker = &s->workers[index];
    event.now_ns = s->now_ns + worker->ahead_ns;
    zn_slot_manager_step(worker->manager, &event, &worker->outbox);
    for (size_t i = 0; i < worker->outbox.count; i++) {
        if (i == ACTIONS_MAX) {
            sim_fail(s, "worker %u finds no end of things to do", index);
            break;
        }
        zn_action action = worker->outbox.items[i];
        carry_out(s, index, &action);
    }
    zn_outbox_clear(&worker->outbox);
    zn_slot_manager_check(worker->manager);
}

static void take_reply(sim *s, uint32_t index, const sim_event *event) {
    sim_worker *worker = &s->workers[index];
    const zn_message *reply = sim_decode(s, &event->bytes);
    bool awaited = event->mark == worker->call_number &&
                   zn_slot_manager_state(worker->manager) == ZN_REGISTRATION_LOOKING;
    if (awaited && reply->number == ZN_MSG_ENDPOINTS) {
        disconnect(s, worker);
        worker->connection = ++s->order; /* unlike any other */
        sim_worker_step(s, index,
                        (zn_worker_event){ .kind = ZN_WORKER_EVENT_FOUND, .message = reply });
    }
}

static bool greet_slot(sim *s, const sim_event *event) {
    sim_slot *slot = &s->workers[event->node].slots[event->slot];
    if (slot->state != SIM_SLOT_STARTING || slot->life != event->mark) {
        return false;
    }
    slot->state = SIM_SLOT_IDLE;
    sim_worker_step(s, event->node,
                    (zn_worker_event){ .kind = ZN_WORKER_EVENT_SLOT_READY, .slot = event->slot });
    return true;
}

static bool handle(sim *s, const sim_event *event) {
    uint32_t index = event->node;
    sim_worker *worker = &s->workers[index];
    if (event->kind == SIM_WORKER_REPLY) {
        take_reply(s, index, event);
    } else if (event->kind == SIM_WORKER_WORK) {
        if (event->mark != worker->connection) {
            return false;
        }
        const zn_message *message = sim_decode(s, &event->bytes);
        sim_worker_step(s, index,
                        (zn_worker_event){ .kind = ZN_WORKER_EVENT_MESSAGE, .message = message });
    } else if (event->kind == SIM_SLOT_READY) {
        return greet_slot(s, event);
    } else if (event->kind == SIM_SLOT_REPORT) {
        const zn_message *message = sim_decode(s, &event->bytes);
        sim_worker_step(s, index,
                        (zn_worker_event){ .kind = ZN_WORKER_EVENT_SLOT_MESSAGE,
                                           .slot = event->slot,
                                           .message = message });
    } else if (event->kind == SIM_SLOT_DEAD) {
        zonda_error how;
        zn_error_set(&how, ZONDA_ERR_CRASH, "the simulated slot died");
        sim_worker_step(s, index,
                        (zn_worker_event){ .kind = ZN_WORKER_EVENT_SLOT_DEAD,
                                           .slot = event->slot,
                                           .error = &how,
                                           .running_sequence = event->mark,
                                           .running_position = (uint32_t)event->value });
    } else {
        sim_worker_step(s, index, (zn_worker_event){ .kind = ZN_WORKER_EVENT_TICK });
        sim_event *tick = sim_add(s, SIM_WORKER_TICK, TICK_MS * ZN_NS_PER_MS);
        tick->node = index;
        tick->life = worker->life;
    }
    return true;
}

void sim_worker_event(sim *s, const sim_event *event) {
    sim_worker *worker = &s->workers[event->node];
    if (event->kind == SIM_WORKER_START) {
        sim_worker_start(s, event->node);
        return;
    }
    if (!worker->alive || event->life != worker->life) {
        return;
    }
    if (event->kind == SIM_WORKER_ENDED) {
        sim_worker_kill(s, event->node);
        return;
    }
    if (s->now_ns < worker->frozen_ns) { /* a stopped process takes it up when it goes on */
        sim_postpone(s, event, worker->frozen_ns);
        return;
    }
    if (handle(s, event)) {
        sim_worker_step(s, event->node, (zn_worker_event){ .kind = ZN_WORKER_EVENT_FLUSH });
    }
}

void sim_worker_start(sim *s, uint32_t index) {
    sim_worker *worker = &s->workers[index];
    worker->alive = true;
    worker->life++;
    worker->connection = 0;
    worker->frozen_ns = 0;
    worker->host_frozen = false;
    worker->leaving = false;
    worker->client = 1 + sim_roll(s, UINT32_MAX);
    worker->ahead_ns = 0;
    worker->full_ns = 0;
    worker->slot_count = 1 + (uint32_t)sim_roll(s, SIM_SLOTS_MAX);
    snprintf(worker->data, sizeof worker->data, "sim://data/%u/%llu", index,
             (unsigned long long)worker->life);
    for (uint32_t i = 0; i < SIM_SLOTS_MAX; i++) {
        sim_slot_reset(s, (sim_place){ index, i });
    }
    zn_slot_manager_config config = { .slots = worker->slot_count,
                                      .killable = true,
                                      .client = worker->client,
                                      .pid = 1000 + index,
                                      .host = "sim",
                                      .data = worker->data,
                                      .folder = "/sim",
                                      .machine = "" };
    worker->manager = zn_slot_manager_new(&config, s->now_ns, &worker->outbox);
    sim_worker_step(s, index, (zn_worker_event){ .kind = ZN_WORKER_EVENT_TICK });
    sim_event *tick = sim_add(s, SIM_WORKER_TICK, TICK_MS * ZN_NS_PER_MS);
    tick->node = index;
    tick->life = worker->life;
}

void sim_worker_leave(sim *s, uint32_t index, bool now) {
    sim_worker *worker = &s->workers[index];
    if (!worker->alive || s->now_ns < worker->frozen_ns) {
        return;
    }
    sim_trace(s, now ? "told to end" : "told to leave", NULL, index);
    worker->leaving = true;
    zn_worker_event event = { .kind = now ? ZN_WORKER_EVENT_STOP : ZN_WORKER_EVENT_DRAIN };
    sim_worker_step(s, index, event);
    sim_worker_step(s, index, (zn_worker_event){ .kind = ZN_WORKER_EVENT_FLUSH });
}

void sim_worker_free(sim *s, uint32_t index) {
    sim_worker *worker = &s->workers[index];
    zn_slot_manager_destroy(&worker->manager);
    zn_outbox_free(&worker->outbox);
    for (uint32_t i = 0; i < SIM_SLOTS_MAX; i++) {
        sim_slot_reset(s, (sim_place){ index, i });
    }
    sim_store_remove_all(worker);
    worker->alive = false;
    worker->leaving = false;
}

void sim_worker_kill(sim *s, uint32_t index) {
    sim_worker *worker = &s->workers[index];
    if (!worker->alive) {
        return;
    }
    sim_trace(s, "killed", NULL, index);
    disconnect(s, worker);
    sim_worker_free(s, index);
    sim_add(s, SIM_WORKER_START, sim_roll(s, RESTART_MS_MAX * ZN_NS_PER_MS))->node = index;
}
