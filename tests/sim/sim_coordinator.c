/* SPDX-License-Identifier: MPL-2.0 */
/* The coordinator of the simulator: the real scheduler and control behind a simulated network. A
 * message to a connection that is gone cannot be sent, which the scheduler is told as the shell
 * does. */
#include <string.h>

#include "coordinator/replay.h"
#include "coordinator/scheduler_drain.h"
#include "sim_slot.h"

enum {
    RESTART_MS_MAX = 1500
};

/* What the coordinator's clock shows. */
static uint64_t clock_of(const sim *s) {
    return s->now_ns + s->ahead_ns;
}

/* Routing ids name worker and connection. */
static zn_peer peer_of(uint32_t worker, uint64_t connection) {
    zn_peer peer = { .len = 16 };
    memcpy(peer.id, &(uint64_t){ worker }, 8);
    memcpy(peer.id + 8, &connection, 8);
    return peer;
}

/* Until when the way to the receiver is cut. */
static uint64_t cut_of(const sim *s, const sim_event *to) {
    return to->kind == SIM_DRIVER_REPLY ? s->drivers[to->node].cut_ns : s->cut_down_ns[to->node];
}

/* False if it is for a connection that is gone. */
static bool send_now(sim *s, sim_event to, const zn_message *message) {
    if (to.kind == SIM_WORKER_WORK) {
        const sim_worker *worker = &s->workers[to.node];
        if (!worker->alive || worker->connection != to.mark) {
            return false;
        }
        to.life = worker->life;
    }
    sim_trace(s, "coordinator→", message, to.node);
    sim_send(s, to, message, cut_of(s, &to));
    return true;
}

/* While letters wait for the disk, workers hear at least that somebody is there. */
static void send_bare_heartbeat(sim *s, const sim_event *to, const zn_message *heartbeat) {
    zn_message bare = *heartbeat;
    bare.heartbeat.sent = 0;
    bare.heartbeat.received = 0;
    send_now(s, *to, &bare);
}

/* Gives what the scheduler decided to the journal, where it waits for its notes. */
static void collect_letters(sim *s) {
    zn_scheduler_outbox *outbox = &s->scheduler->outbox;
    for (size_t i = 0; i < outbox->count; i++) {
        const zn_letter *letter = &outbox->letters[i];
        if (letter->kind == ZN_LETTER_EVENT) {
            continue; /* hints may be lost: here all are */
        }
        if (letter->message.number == ZN_MSG_COMMITTED && letter->message.committed.granted) {
            sim_files_grant(s, &letter->message.committed);
        }
        sim_event to = { .kind = SIM_WORKER_WORK };
        memcpy(&to.value, letter->peer.id, 8);
        memcpy(&to.mark, letter->peer.id + 8, 8);
        to.node = (uint32_t)to.value;
        sim_journal_put(s, &to, &letter->message, letter->epoch);
        if (letter->message.number == ZN_MSG_HEARTBEAT && sim_journal_waits(s)) {
            send_bare_heartbeat(s, &to, &letter->message);
        }
    }
    zn_scheduler_outbox_clear(outbox);
}

/* Sends what may leave. That a worker cannot be reached is news for the scheduler, which may decide
 * more. */
static void send_letters(sim *s) {
    sim_letter letter;
    while (sim_journal_next(s, &letter)) {
        const zn_message *message = sim_decode(s, &letter.to.bytes);
        if (!send_now(s, letter.to, message) && letter.epoch != 0) {
            zn_scheduler_unreachable(s->scheduler, clock_of(s), letter.epoch);
        }
        zn_buf_free(&letter.to.bytes);
    }
}

static void arm_tick(sim *s) {
    uint64_t deadline = zn_scheduler_deadline(s->scheduler);
    uint64_t now = clock_of(s);
    uint64_t wait = deadline > now ? deadline - now : ZN_NS_PER_MS;
    wait = wait < ZN_NS_PER_S ? wait : ZN_NS_PER_S;
    sim_add(s, SIM_COORDINATOR_TICK, wait)->mark = ++s->tick_mark;
}

/* A question after which nothing was said to anybody has changed nothing: most are of drivers that
 * wait, and looking at everything takes longer than the answer. */
static void finish_turn(sim *s, bool asked) {
    zonda_error error = { 0 };
    zn_scheduler_tick(s->scheduler, clock_of(s));
    zn_scheduler_assign(s->scheduler);
    bool idle = asked && s->scheduler->outbox.count == 0;
    for (int round = 0; round < 2; round++) {
        collect_letters(s);
        sim_journal_turn(s);
        send_letters(s);
    }
    collect_letters(s);
    if (!idle && zn_scheduler_check(s->scheduler, &error) != ZONDA_OK) {
        sim_fail(s, "the coordinator: %s", error.text);
    }
    arm_tick(s);
}

/* Whether it was a question that changes nothing. */
static bool answer(sim *s, const sim_event *event) {
    const zn_message *request = sim_decode(s, &event->bytes);
    sim_trace(s, "→control", request, event->node);
    const zn_message *reply = zn_control_call(s->control, clock_of(s), request);
    bool driver = event->node < s->driver_count;
    sim_event to = { .kind = driver ? SIM_DRIVER_REPLY : SIM_WORKER_REPLY,
                     .node = driver ? event->node : event->node - s->driver_count,
                     .life = event->life,
                     .mark = event->mark };
    sim_journal_put(s, &to, reply, 0);
    return reply->number == ZN_MSG_STATUS;
}

static void answer_bulk(sim *s, const sim_event *event) {
    const zn_message *request = sim_decode(s, &event->bytes);
    sim_trace(s, "→bulk", request, event->node);
    const zn_message *reply = zn_control_bulk(s->control, clock_of(s), request);
    sim_event to = { .kind = SIM_SLOT_PAGE,
                     .node = event->node,
                     .slot = event->slot,
                     .life = event->life,
                     .mark = event->mark };
    send_now(s, to, reply); /* nothing that it says is to last */
}

static void drain(sim *s, uint32_t index) {
    sim_worker *worker = &s->workers[index];
    const zn_member *member = zn_key_map_get(&s->scheduler->client_map, worker->client);
    zn_drain_status status;
    zonda_error ignored;
    if (member != NULL && worker->alive) {
        zn_scheduler_drain_worker(s->scheduler, clock_of(s), member->id,
                                  zn_bytes_of_text("an operator"), &status, &ignored);
    }
}

static void take_work(sim *s, const sim_event *event) {
    zn_peer peer = peer_of(event->node, event->mark);
    const zn_message *message = sim_decode(s, &event->bytes);
    sim_trace(s, "→coordinator", message, event->node);
    zn_scheduler_message(s->scheduler, clock_of(s), &peer, message);
}

/* Whether it was a question that changes nothing. */
static bool take(sim *s, const sim_event *event) {
    switch (event->kind) {
    case SIM_COORDINATOR_CALL:
        return answer(s, event);
    case SIM_COORDINATOR_BULK:
        answer_bulk(s, event);
        break;
    case SIM_COORDINATOR_DRAIN:
        drain(s, event->node);
        break;
    case SIM_COORDINATOR_WORK:
        take_work(s, event);
        break;
    case SIM_COORDINATOR_DRIVER:
        zn_scheduler_driver_seen(s->scheduler, clock_of(s), event->mark, event->value != 0);
        break;
    case SIM_COORDINATOR_CLOSED:
        zn_scheduler_probe(s->scheduler, clock_of(s));
        break;
    case SIM_COORDINATOR_DISK:
        sim_journal_committed(s);
        break;
    default:
        break;
    }
    return false;
}

/* ---- its life ---- */

static void open_shop(sim *s) {
    zn_scheduler_config config = { .cluster = 1 + sim_roll(s, 1000000),
                                   .first_job = 1 + sim_roll(s, 1000) * 100,
                                   .first_epoch = 1 + sim_roll(s, 1000000),
                                   .durable = s->journal.kept,
                                   .wall_ms = UINT64_C(1700000000000) + clock_of(s) / ZN_NS_PER_MS,
                                   .heartbeat_ms = ZN_HEARTBEAT_MS,
                                   .lost_ms = ZN_WORKER_LOST_MS,
                                   .driver_grace_ms = 5000,
                                   .survey_workers = s->seed % 2 == 0 ? 1 : 0,
                                   .blob_bytes_max = ZN_MIB };
    zn_control_endpoints endpoints = { .work = "sim://work",
                                       .blobs = "sim://blobs",
                                       .events = "sim://events" };
    zonda_error error = { 0 };
    s->scheduler = zn_scheduler_new(&config, clock_of(s));
    s->control = zn_control_new(s->scheduler, &endpoints);
    if (zn_replay_batch(s->scheduler, s->decoder, zn_buf_bytes(&s->journal.notes), &error) !=
        ZONDA_OK) {
        sim_fail(s, "the coordinator does not understand its journal: %s", error.text);
    }
    zn_scheduler_begin(s->scheduler, clock_of(s));
}

void sim_coordinator_start(sim *s) {
    s->journal.kept = sim_chance(s, 500);
    open_shop(s);
    finish_turn(s, false);
}

void sim_coordinator_kill(sim *s) {
    if (!s->journal.kept || s->scheduler == NULL) {
        return;
    }
    sim_trace(s, "coordinator killed", NULL, 0);
    s->remade_tasks += s->scheduler->stats.remade_tasks;
    zn_control_destroy(&s->control);
    zn_scheduler_destroy(&s->scheduler);
    sim_journal_crash(s);
    s->tick_mark++;
    for (uint32_t i = 0; i < s->worker_count; i++) {
        sim_worker *worker = &s->workers[i];
        worker->connection = worker->connection != 0 ? ++s->order : 0;
    }
    uint64_t wait_ns = sim_roll(s, RESTART_MS_MAX * ZN_NS_PER_MS);
    s->down_ns = s->now_ns + wait_ns;
    sim_add(s, SIM_COORDINATOR_START, wait_ns);
}

/* Sockets that were connected to its predecessor have connected again, with other names; those of
 * drivers for their events will, too. */
static void start_again(sim *s) {
    sim_trace(s, "coordinator starts", NULL, 0);
    open_shop(s);
    for (uint32_t i = 0; i < s->driver_count; i++) {
        if (!s->drivers[i].gone) {
            sim_driver_show(s, i, true);
        }
    }
    finish_turn(s, false);
}

static bool is_late(const sim *s, const sim_event *event) {
    return (event->kind == SIM_COORDINATOR_TICK && event->mark != s->tick_mark) ||
           (event->kind == SIM_COORDINATOR_DISK && event->life != s->journal.life);
}

void sim_coordinator_event(sim *s, const sim_event *event) {
    if (event->kind == SIM_COORDINATOR_START) {
        start_again(s);
    } else if (s->scheduler == NULL || is_late(s, event)) {
        return;
    } else if (event->kind == SIM_COORDINATOR_DISK && event->value != 0) {
        sim_coordinator_kill(s);
    } else {
        finish_turn(s, take(s, event));
    }
}

void sim_coordinator_stop(sim *s) {
    sim_journal_free(&s->journal);
    zn_control_destroy(&s->control);
    zn_scheduler_destroy(&s->scheduler);
}
