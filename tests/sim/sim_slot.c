/* SPDX-License-Identifier: MPL-2.0 */
/* A slot of the simulator, in place of slot_loop.c: it starts, takes chunks and DONEs in order, and
 * can die at any moment. Messages between a slot and its worker are never lost and stay in order.
 */
#include "sim_slot.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* ---- life ---- */

void sim_slot_reset(sim *s, sim_place at) {
    sim_slot *slot = sim_slot_at(s, at);
    for (size_t i = 0; i < slot->order_count; i++) {
        free(slot->orders[i].task.runs);
    }
    free(slot->orders);
    zn_buf_free(&slot->reading.page);
    sim_files_abandon(s, at);
    *slot = (sim_slot){ .life = slot->life + 1 };
}

void sim_slot_start(sim *s, sim_place at) {
    sim_slot *slot = sim_slot_at(s, at);
    sim_slot_reset(s, at);
    slot->state = SIM_SLOT_STARTING;
    sim_event *ready = sim_add(s, SIM_SLOT_READY, ZN_NS_PER_MS + sim_roll(s, 20 * ZN_NS_PER_MS));
    ready->node = at.worker;
    ready->slot = at.slot;
    ready->life = s->workers[at.worker].life;
    ready->mark = slot->life;
}

bool sim_slot_is_busy(const sim_slot *slot) {
    return slot->state >= SIM_SLOT_ASKING;
}

/* What it has reported before still arrives first. */
void sim_slot_kill(sim *s, sim_place at, uint64_t delay_ns) {
    sim_slot *slot = sim_slot_at(s, at);
    if (slot->state == SIM_SLOT_ABSENT) {
        return;
    }
    uint64_t at_ns = s->now_ns + delay_ns;
    at_ns = at_ns > slot->report_ns ? at_ns : slot->report_ns;
    bool busy = sim_slot_is_busy(slot);
    uint64_t sequence = busy ? slot->orders[0].task.sequence : 0;
    uint32_t position = busy && slot->orders[0].task.epoch != 0 ? slot->position + 1 : 0;
    sim_trace(s, "slot dies", NULL, at.worker);
    sim_slot_reset(s, at);
    sim_event *event = sim_add(s, SIM_SLOT_DEAD, at_ns - s->now_ns);
    event->node = at.worker;
    event->slot = at.slot;
    event->life = s->workers[at.worker].life;
    event->mark = sequence;
    event->value = position;
}

/* Three crashes of a task fail its job, and rightly so; here none has more than two. */
bool sim_slot_crash(sim *s, sim_place at) {
    sim_slot *slot = sim_slot_at(s, at);
    sim_driver *driver = NULL;
    size_t number = 0;
    if (sim_slot_is_busy(slot) &&
        sim_find_stage(s, &slot->orders[0].body, &driver, &number) != NULL) {
        uint32_t *crashes = &driver->tasks[number][sim_slot_task(slot)].crashes;
        if (*crashes == 2) {
            return false;
        }
        ++*crashes;
    }
    sim_slot_kill(s, at, 0);
    return true;
}

/* ---- messages ---- */

void sim_slot_wake(sim *s, sim_place at, uint64_t delay_ns) {
    sim_slot *slot = sim_slot_at(s, at);
    sim_event *step = sim_add(s, SIM_SLOT_STEP, delay_ns);
    step->node = at.worker;
    step->slot = at.slot;
    step->life = slot->life;
    step->mark = ++slot->mark;
}

void sim_slot_give(sim *s, sim_place at, const zn_message *message) {
    sim_slot *slot = sim_slot_at(s, at);
    if (slot->state == SIM_SLOT_ABSENT) {
        return;
    }
    uint64_t at_ns = s->now_ns + 10000 + sim_roll(s, 100000);
    slot->order_ns = at_ns > slot->order_ns ? at_ns : slot->order_ns;
    sim_event *event = sim_add(s, SIM_SLOT_MESSAGE, slot->order_ns - s->now_ns);
    event->node = at.worker;
    event->slot = at.slot;
    event->life = slot->life;
    zn_message_encode(message, &event->bytes);
    sim_trace(s, "worker→slot", message, at.worker);
}

void sim_slot_report(sim *s, sim_place at, const zn_message *message) {
    sim_slot *slot = sim_slot_at(s, at);
    uint64_t at_ns = s->now_ns + 10000 + sim_roll(s, 100000);
    slot->report_ns = at_ns > slot->report_ns ? at_ns : slot->report_ns;
    sim_event *event = sim_add(s, SIM_SLOT_REPORT, slot->report_ns - s->now_ns);
    event->node = at.worker;
    event->slot = at.slot;
    event->life = s->workers[at.worker].life;
    event->mark = slot->life;
    zn_message_encode(message, &event->bytes);
    sim_trace(s, "slot→worker", message, at.worker);
}

/* ---- orders ---- */

bool sim_slot_cancelled(const sim_slot *slot) {
    uint64_t sequence = slot->orders[0].task.sequence;
    return slot->cancelled[sequence % 4] == sequence;
}

uint64_t sim_slot_task(const sim_slot *slot) {
    return slot->orders[0].task.runs[slot->run].first + slot->in_run;
}

uint64_t sim_slot_attempt(const sim_slot *slot) {
    return slot->orders[0].task.runs[slot->run].attempt;
}

static void drop_order(sim_slot *slot) {
    free(slot->orders[0].task.runs);
    memmove(slot->orders, slot->orders + 1, --slot->order_count * sizeof *slot->orders);
    slot->run = 0;
    slot->in_run = 0;
    slot->position = 0;
    slot->whole = true;
    slot->state = SIM_SLOT_IDLE;
}

void sim_slot_end_chunk(sim *s, sim_place at, bool whole) {
    sim_slot *slot = sim_slot_at(s, at);
    if (!whole) {
        zn_message message = { .number = ZN_MSG_HEARTBEAT };
        message.heartbeat.received = slot->orders[0].task.sequence;
        sim_slot_report(s, at, &message);
    }
    drop_order(slot);
    sim_slot_wake(s, at, 1000);
}

/* Removes what attempts left that died. */
static void sweep(sim *s, sim_place at) {
    const sim_order *order = &sim_slot_at(s, at)->orders[0];
    sim_driver *driver = NULL;
    size_t number = 0;
    if (sim_find_stage(s, &order->body, &driver, &number) == NULL) {
        return;
    }
    for (size_t i = 0; i < order->task.runs_count; i++) {
        const zn_run *run = &order->task.runs[i];
        sim_attempt id = { .job = order->task.job,
                           .driver = (uint32_t)(driver - s->drivers),
                           .stage = (uint32_t)number,
                           .task = (uint32_t)run->first,
                           .attempt = run->attempt };
        sim_files_sweep(s, &id);
    }
}

static void go_on_with_chunk(sim *s, sim_place at) {
    sim_slot *slot = sim_slot_at(s, at);
    const zn_msg_task *task = &slot->orders[0].task;
    if (task->epoch == 0) {
        sweep(s, at);
        sim_slot_end_chunk(s, at, false);
    } else if (slot->run == task->runs_count) {
        sim_slot_end_chunk(s, at, slot->whole);
    } else if (sim_slot_cancelled(slot)) {
        sim_slot_end_chunk(s, at, false);
    } else {
        sim_task_begin(s, at);
    }
}

static void obey_done(sim *s, sim_place at) {
    sim_slot *slot = sim_slot_at(s, at);
    zn_message message = { .number = ZN_MSG_DONE, .done = slot->orders[0].done };
    bool all = message.done.scope == ZN_DONE_ALL;
    sim_slot_report(s, at, &message);
    drop_order(slot);
    if (all) {
        sim_slot_kill(s, at, ZN_NS_PER_MS);
    } else {
        sim_slot_wake(s, at, 1000);
    }
}

static void step(sim *s, sim_place at) {
    sim_slot *slot = sim_slot_at(s, at);
    if (sim_slot_is_busy(slot)) {
        sim_task_step(s, at);
    } else if (slot->order_count > 0) {
        if (slot->orders[0].number == ZN_MSG_DONE) {
            obey_done(s, at);
        } else {
            go_on_with_chunk(s, at);
        }
    }
}

static void take_order(sim *s, sim_place at, const zn_message *message) {
    sim_slot *slot = sim_slot_at(s, at);
    sim_order order = { .number = message->number };
    if (message->number == ZN_MSG_DONE) {
        order.done = message->done;
    } else {
        order.task = message->task;
        order.task.runs =
            zn_memdup(message->task.runs, message->task.runs_count * sizeof *message->task.runs);
        zn_digest_from_bytes(message->task.body, &order.body);
    }
    ZN_GROW(slot->orders, slot->order_count, slot->order_capacity);
    slot->orders[slot->order_count++] = order;
    if (slot->order_count == 1) {
        slot->whole = true;
    }
    if (slot->state == SIM_SLOT_IDLE) {
        sim_slot_wake(s, at, 1000);
    }
}

void sim_slot_event(sim *s, const sim_event *event) {
    sim_place at = { event->node, event->slot };
    sim_worker *worker = &s->workers[at.worker];
    sim_slot *slot = sim_slot_at(s, at);
    if (!worker->alive || event->life != slot->life) {
        return;
    }
    if (worker->host_frozen && s->now_ns < worker->frozen_ns) {
        sim_postpone(s, event, worker->frozen_ns);
        return;
    }
    if (event->kind == SIM_SLOT_STEP) {
        if (event->mark == slot->mark) {
            step(s, at);
        }
        return;
    }
    if (event->kind == SIM_SLOT_PAGE) {
        sim_read_page(s, at, event);
        return;
    }
    const zn_message *message = sim_decode(s, &event->bytes);
    if (message->number == ZN_MSG_COMMITTED) {
        sim_task_verdict(s, at, &message->committed);
    } else if (message->number == ZN_MSG_TASK || message->number == ZN_MSG_DONE) {
        take_order(s, at, message);
    }
}
