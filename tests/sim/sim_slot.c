/* SPDX-License-Identifier: MPL-2.0 */
/* A slot of the simulator, in place of slot_loop.c: takes chunks and DONEs in order, runs a task by
 * letting time pass, reports. What a task gives is a function of its stage and number, so that
 * whoever reads the results can check them. Some attempts fail, some kill their slot. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "record/value.h"
#include "sim.h"

static sim_slot *slot_of(sim *s, const sim_event *event) {
    return &s->workers[event->node].slots[event->slot];
}

void sim_slot_reset(sim_slot *slot) {
    for (size_t i = 0; i < slot->order_count; i++) {
        free(slot->orders[i].task.runs);
    }
    free(slot->orders);
    *slot = (sim_slot){ .life = slot->life + 1 };
}

void sim_slot_start(sim *s, uint32_t worker, uint32_t index) {
    sim_slot *slot = &s->workers[worker].slots[index];
    sim_slot_reset(slot);
    slot->state = SIM_SLOT_STARTING;
    sim_event *ready = sim_add(s, SIM_SLOT_READY, ZN_NS_PER_MS + sim_roll(s, 20 * ZN_NS_PER_MS));
    ready->node = worker;
    ready->slot = index;
    ready->life = s->workers[worker].life;
    ready->mark = slot->life;
}

static void schedule(sim *s, uint32_t worker, uint32_t index, uint64_t delay_ns) {
    sim_slot *slot = &s->workers[worker].slots[index];
    sim_event *step = sim_add(s, SIM_SLOT_STEP, delay_ns);
    step->node = worker;
    step->slot = index;
    step->life = slot->life;
    step->mark = ++slot->mark;
}

/* Messages between a slot and its worker are never lost and stay in order. */
void sim_slot_give(sim *s, uint32_t worker, uint32_t index, const zn_message *message) {
    sim_slot *slot = &s->workers[worker].slots[index];
    if (slot->state == SIM_SLOT_ABSENT) {
        return;
    }
    uint64_t at = s->now_ns + 10000 + sim_roll(s, 100000);
    slot->order_ns = at > slot->order_ns ? at : slot->order_ns;
    sim_event *event = sim_add(s, SIM_SLOT_MESSAGE, slot->order_ns - s->now_ns);
    event->node = worker;
    event->slot = index;
    event->life = slot->life;
    zn_message_encode(message, &event->bytes);
}

static void report(sim *s, uint32_t worker, uint32_t index, const zn_message *message) {
    sim_slot *slot = &s->workers[worker].slots[index];
    uint64_t at = s->now_ns + 10000 + sim_roll(s, 100000);
    slot->report_ns = at > slot->report_ns ? at : slot->report_ns;
    sim_event *event = sim_add(s, SIM_SLOT_REPORT, slot->report_ns - s->now_ns);
    event->node = worker;
    event->slot = index;
    event->life = s->workers[worker].life;
    event->mark = slot->life;
    zn_message_encode(message, &event->bytes);
}

/* What it has reported before still arrives first. */
void sim_slot_kill(sim *s, uint32_t worker, uint32_t index, uint64_t delay_ns) {
    sim_slot *slot = &s->workers[worker].slots[index];
    if (slot->state == SIM_SLOT_ABSENT) {
        return;
    }
    uint64_t at = s->now_ns + delay_ns;
    at = at > slot->report_ns ? at : slot->report_ns;
    bool running = slot->state == SIM_SLOT_RUNNING || slot->state == SIM_SLOT_COMMITTING;
    uint64_t sequence = running ? slot->orders[0].task.sequence : 0;
    uint32_t position = running && slot->orders[0].task.epoch != 0 ? slot->position + 1 : 0;
    sim_slot_reset(slot);
    sim_event *event = sim_add(s, SIM_SLOT_DEAD, at - s->now_ns);
    event->node = worker;
    event->slot = index;
    event->life = s->workers[worker].life;
    event->mark = sequence;
    event->value = position;
}

/* Three crashes of a task fail its job, and rightly so; here none has more than two. */
bool sim_slot_crash(sim *s, uint32_t worker, uint32_t index) {
    sim_slot *slot = &s->workers[worker].slots[index];
    bool running = slot->state == SIM_SLOT_RUNNING || slot->state == SIM_SLOT_COMMITTING;
    sim_driver *driver = NULL;
    size_t number = 0;
    if (running && sim_find_stage(s, &slot->orders[0].body, &driver, &number) != NULL) {
        const zn_run *run = &slot->orders[0].task.runs[slot->run];
        uint32_t *crashes = &driver->crashes[number][run->first + slot->in_run];
        if (*crashes == 2) {
            return false;
        }
        ++*crashes;
    }
    sim_slot_kill(s, worker, index, 0);
    return true;
}

/* ---- running ---- */

static void drop_order(sim_slot *slot) {
    free(slot->orders[0].task.runs);
    memmove(slot->orders, slot->orders + 1, --slot->order_count * sizeof *slot->orders);
    slot->run = 0;
    slot->in_run = 0;
    slot->position = 0;
    slot->whole = true;
    slot->state = SIM_SLOT_IDLE;
}

static void end_chunk(sim *s, const sim_event *event, bool whole) {
    sim_slot *slot = slot_of(s, event);
    if (!whole) {
        zn_message message = { .number = ZN_MSG_HEARTBEAT };
        message.heartbeat.received = slot->orders[0].task.sequence;
        report(s, event->node, event->slot, &message);
    }
    drop_order(slot);
    schedule(s, event->node, event->slot, 1000);
}

static bool is_cancelled(const sim_slot *slot) {
    uint64_t sequence = slot->orders[0].task.sequence;
    return slot->cancelled[sequence % 4] == sequence;
}

static uint64_t task_of(const sim_slot *slot) {
    return slot->orders[0].task.runs[slot->run].first + slot->in_run;
}

static void next_task(sim_slot *slot) {
    slot->position++;
    if (++slot->in_run == slot->orders[0].task.runs[slot->run].count) {
        slot->in_run = 0;
        slot->run++;
    }
}

static void hold_segment(sim_worker *worker, uint64_t job) {
    for (size_t i = 0; i < worker->segment_count; i++) {
        if (worker->segments[i] == job) {
            return;
        }
    }
    if (worker->segment_count < SIM_JOBS_MAX) {
        worker->segments[worker->segment_count++] = job;
    }
}

static void send_outcome(sim *s, const sim_event *event, zn_outcome *outcome) {
    sim_slot *slot = slot_of(s, event);
    const zn_msg_task *task = &slot->orders[0].task;
    outcome->first = task_of(slot);
    outcome->count = 1;
    outcome->attempt = task->runs[slot->run].attempt;
    zn_message message = { .number = ZN_MSG_RESULT };
    message.outcomes = (zn_msg_outcomes){ .epoch = task->epoch,
                                          .sequence = task->sequence,
                                          .job = task->job,
                                          .stage = task->stage,
                                          .outcomes = outcome,
                                          .outcomes_count = 1 };
    report(s, event->node, event->slot, &message);
    next_task(slot);
}

static void succeed(sim *s, const sim_event *event, const sim_stage *stage) {
    const zn_msg_task *task = &slot_of(s, event)->orders[0].task;
    zn_buf record = { 0 };
    zn_outcome outcome = { .records_out = 1 };
    zn_reference reference = { .segment = zn_bytes_of_text("job1-stage0-sim.seg"), .length = 1 };
    reference.offset = task_of(slot_of(s, event));
    sim_task_record(stage, reference.offset, &record);
    outcome.bytes_out = record.len;
    if (stage->large) {
        hold_segment(&s->workers[event->node], task->job);
        outcome.reference = &reference;
        outcome.reference_count = 1;
    } else {
        outcome.records = zn_buf_bytes(&record);
    }
    send_outcome(s, event, &outcome);
    zn_buf_free(&record);
}

static void fail(sim *s, const sim_event *event) {
    zn_failure failure = { .code = ZONDA_ERR_USER,
                           .text = zn_bytes_of_text("a simulated failure") };
    zn_outcome outcome = { .failure = &failure, .failure_count = 1 };
    send_outcome(s, event, &outcome);
}

static void ask_to_publish(sim *s, const sim_event *event) {
    sim_slot *slot = slot_of(s, event);
    const zn_msg_task *task = &slot->orders[0].task;
    zn_message message = { .number = ZN_MSG_COMMIT };
    message.commit = (zn_msg_commit){ .epoch = task->epoch,
                                      .job = task->job,
                                      .stage = task->stage,
                                      .task = task_of(slot),
                                      .attempt = task->runs[slot->run].attempt };
    slot->state = SIM_SLOT_COMMITTING;
    report(s, event->node, event->slot, &message);
    schedule(s, event->node, event->slot, ZN_CALL_RETRY_MS * ZN_NS_PER_MS);
}

/* The time of the task is over. The first two attempts may fail, so the budget always suffices. */
static void finish_task(sim *s, const sim_event *event) {
    sim_slot *slot = slot_of(s, event);
    sim_driver *driver = NULL;
    size_t number = 0;
    uint64_t attempt = slot->orders[0].task.runs[slot->run].attempt;
    const sim_stage *stage = sim_find_stage(s, &slot->orders[0].body, &driver, &number);
    if (stage == NULL) {
        sim_fail(s, "a slot runs a stage that nobody made");
        return;
    }
    if (sim_chance(s, stage->crash_per_mille) && sim_slot_crash(s, event->node, event->slot)) {
        return;
    }
    if (attempt <= 2 && sim_chance(s, stage->fail_per_mille)) {
        fail(s, event);
    } else if (stage->sinks) {
        ask_to_publish(s, event);
        return;
    } else {
        succeed(s, event, stage);
    }
    slot->state = SIM_SLOT_IDLE;
    schedule(s, event->node, event->slot, 0);
}

static void begin_task(sim *s, const sim_event *event) {
    sim_slot *slot = slot_of(s, event);
    const zn_msg_task *task = &slot->orders[0].task;
    if (task->epoch == 0) {
        end_chunk(s, event, false);
    } else if (slot->run == task->runs_count) {
        end_chunk(s, event, slot->whole);
    } else if (is_cancelled(slot)) {
        end_chunk(s, event, false);
    } else {
        sim_driver *driver = NULL;
        size_t number = 0;
        const sim_stage *stage = sim_find_stage(s, &slot->orders[0].body, &driver, &number);
        slot->state = SIM_SLOT_RUNNING;
        schedule(s, event->node, event->slot,
                 1000 + sim_roll(s, stage == NULL ? 1 : stage->task_ns));
    }
}

static void obey_done(sim *s, const sim_event *event) {
    sim_slot *slot = slot_of(s, event);
    zn_message message = { .number = ZN_MSG_DONE, .done = slot->orders[0].done };
    bool all = message.done.scope == ZN_DONE_ALL;
    report(s, event->node, event->slot, &message);
    drop_order(slot);
    if (all) {
        sim_slot_kill(s, event->node, event->slot, ZN_NS_PER_MS);
    } else {
        schedule(s, event->node, event->slot, 1000);
    }
}

static void step(sim *s, const sim_event *event) {
    sim_slot *slot = slot_of(s, event);
    if (slot->state == SIM_SLOT_RUNNING) {
        finish_task(s, event);
    } else if (slot->state == SIM_SLOT_COMMITTING) {
        if (is_cancelled(slot)) {
            end_chunk(s, event, false);
        } else {
            ask_to_publish(s, event); /* the answer may be lost */
        }
    } else if (slot->order_count > 0) {
        if (slot->orders[0].number == ZN_MSG_DONE) {
            obey_done(s, event);
        } else {
            begin_task(s, event);
        }
    }
}

static void take_verdict(sim *s, const sim_event *event, const zn_msg_committed *verdict) {
    sim_slot *slot = slot_of(s, event);
    if (slot->state != SIM_SLOT_COMMITTING) {
        return;
    }
    const zn_msg_task *task = &slot->orders[0].task;
    if (verdict->job != task->job || verdict->stage != task->stage ||
        verdict->task != task_of(slot) || verdict->attempt != task->runs[slot->run].attempt) {
        return;
    }
    sim_driver *driver = NULL;
    size_t number = 0;
    const sim_stage *stage = sim_find_stage(s, &slot->orders[0].body, &driver, &number);
    slot->state = SIM_SLOT_IDLE;
    if (verdict->granted) {
        driver->published[number][verdict->task]++;
        succeed(s, event, stage);
    } else {
        slot->whole = false;
        next_task(slot);
    }
    schedule(s, event->node, event->slot, 0);
}

static void take_order(sim *s, const sim_event *event, const zn_message *message) {
    sim_slot *slot = slot_of(s, event);
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
        schedule(s, event->node, event->slot, 1000);
    }
}

void sim_slot_event(sim *s, const sim_event *event) {
    sim_slot *slot = slot_of(s, event);
    if (!s->workers[event->node].alive || event->life != slot->life) {
        return;
    }
    if (event->kind == SIM_SLOT_STEP) {
        if (event->mark == slot->mark) {
            step(s, event);
        }
        return;
    }
    const zn_message *message = sim_decode(s, &event->bytes);
    if (message->number == ZN_MSG_COMMITTED) {
        take_verdict(s, event, &message->committed);
    } else if (message->number == ZN_MSG_TASK || message->number == ZN_MSG_DONE) {
        take_order(s, event, message);
    }
}

void sim_task_record(const sim_stage *stage, uint64_t task, zn_buf *out) {
    uint64_t head = 0;
    memcpy(&head, stage->body.bytes, sizeof head);
    zn_put_uint(out, (head ^ task * UINT64_C(0x9e3779b97f4a7c15)) >> 1);
}
