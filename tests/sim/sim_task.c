/* SPDX-License-Identifier: MPL-2.0 */
/* What a slot of the simulator does with a task. It works by letting time pass; what it gives is a
 * function of its stage and number, so that whoever reads it can check it. Some attempts fail, some
 * kill their slot, some find a disk full. A task of a sink writes a temporary, asks for permission,
 * renames, and only then reports; between any two of these it may be killed. */
#include <string.h>

#include "record/value.h"
#include "sim_slot.h"

enum {
    RENAME_MS_MAX = 40,
    SLOW_PER_MILLE = 10, /* tasks that take much longer than others */
    SLOW_TIMES = 20,
    HEED_PER_MILLE = 500 /* how often a task that was cancelled ends before its time */
};

/* The stage of the task that the slot is in. */
static const sim_stage *find_stage(sim *s, sim_place at, sim_driver **driver, size_t *number) {
    const sim_stage *stage = sim_find_stage(s, &sim_slot_at(s, at)->orders[0].body, driver, number);
    if (stage == NULL) {
        sim_fail(s, "a slot runs a stage that nobody made");
    }
    return stage;
}

static void next_task(sim_slot *slot) {
    slot->position++;
    if (++slot->in_run == slot->orders[0].task.runs[slot->run].count) {
        slot->in_run = 0;
        slot->run++;
    }
}

static void go_on(sim *s, sim_place at) {
    sim_slot_at(s, at)->state = SIM_SLOT_IDLE;
    sim_slot_wake(s, at, 0);
}

/* The task ends without an outcome. */
static void withdraw(sim *s, sim_place at) {
    sim_slot *slot = sim_slot_at(s, at);
    sim_files_discard(s, at);
    slot->whole = false;
    next_task(slot);
    go_on(s, at);
}

static void report_outcome(sim *s, sim_place at, zn_outcome *outcome) {
    sim_slot *slot = sim_slot_at(s, at);
    const zn_msg_task *task = &slot->orders[0].task;
    outcome->first = sim_slot_task(slot);
    outcome->count = 1;
    outcome->attempt = sim_slot_attempt(slot);
    zn_message message = { .number = ZN_MSG_RESULT };
    message.outcomes = (zn_msg_outcomes){ .epoch = task->epoch,
                                          .sequence = task->sequence,
                                          .job = task->job,
                                          .stage = task->stage,
                                          .outcomes = outcome,
                                          .outcomes_count = 1,
                                          .spent_us = (s->now_ns - slot->began_ns) / 1000 };
    sim_slot_report(s, at, &message);
    next_task(slot);
    go_on(s, at);
}

void sim_task_fail(sim *s, sim_place at, zn_failure *failure) {
    zn_outcome outcome = { .failure = failure, .failure_count = 1 };
    sim_files_discard(s, at);
    report_outcome(s, at, &outcome);
}

static void fail(sim *s, sim_place at, zonda_err code) {
    zn_failure failure = { .code = code, .text = zn_bytes_of_text("a simulated failure") };
    sim_task_fail(s, at, &failure);
}

/* What the task gives, from what it has read. */
static uint64_t make_value(const sim_slot *slot, const sim_stage *stage) {
    return sim_task_make(stage, sim_slot_task(slot), slot->reading.fold);
}

static void succeed(sim *s, sim_place at, const sim_stage *stage) {
    const sim_slot *slot = sim_slot_at(s, at);
    const zn_msg_task *task = &slot->orders[0].task;
    uint64_t value = make_value(slot, stage);
    zn_buf record = { 0 };
    zn_put_uint(&record, value);
    zn_counter counter = {
        .name = zn_bytes_of_text("tasks"), .sum = 1, .min = 1, .max = 1, .count = 1
    };
    zn_outcome outcome = {
        .records_out = 1, .bytes_out = record.len, .counters = &counter, .counters_count = 1
    };
    zn_reference reference = { .segment = zn_bytes_of_text("job1-stage0-sim.seg"), .length = 1 };
    if (stage->large) {
        sim_store_put(&s->workers[at.worker], (sim_segment){ .job = task->job,
                                                             .stage = (uint32_t)task->stage,
                                                             .task = sim_slot_task(slot),
                                                             .place = s->order,
                                                             .value = value });
        reference.offset = s->order;
        outcome.reference = &reference;
        outcome.reference_count = 1;
    } else {
        outcome.records = zn_buf_bytes(&record);
    }
    report_outcome(s, at, &outcome);
    zn_buf_free(&record);
}

/* ---- publishing ---- */

static void ask_to_publish(sim *s, sim_place at) {
    sim_slot *slot = sim_slot_at(s, at);
    const zn_msg_task *task = &slot->orders[0].task;
    zn_message message = { .number = ZN_MSG_COMMIT };
    message.commit = (zn_msg_commit){ .epoch = task->epoch,
                                      .job = task->job,
                                      .stage = task->stage,
                                      .task = sim_slot_task(slot),
                                      .attempt = sim_slot_attempt(slot) };
    slot->state = SIM_SLOT_COMMITTING;
    sim_slot_report(s, at, &message);
    sim_slot_wake(s, at, ZN_CALL_RETRY_MS * ZN_NS_PER_MS);
}

static bool is_about(const sim_slot *slot, const zn_msg_committed *verdict) {
    const zn_msg_task *task = &slot->orders[0].task;
    return verdict->job == task->job && verdict->stage == task->stage &&
           verdict->task == sim_slot_task(slot) && verdict->attempt == sim_slot_attempt(slot);
}

void sim_task_verdict(sim *s, sim_place at, const zn_msg_committed *verdict) {
    sim_slot *slot = sim_slot_at(s, at);
    if (slot->state != SIM_SLOT_COMMITTING || !is_about(slot, verdict)) {
        return;
    }
    if (verdict->granted) {
        slot->state = SIM_SLOT_PUBLISHING;
        sim_slot_wake(s, at, sim_roll(s, RENAME_MS_MAX * ZN_NS_PER_MS));
    } else {
        withdraw(s, at);
    }
}

static void publish(sim *s, sim_place at) {
    if (sim_files_publish(s, at)) {
        sim_slot_at(s, at)->state = SIM_SLOT_PUBLISHED;
        sim_slot_wake(s, at, sim_roll(s, RENAME_MS_MAX * ZN_NS_PER_MS));
    } else {
        fail(s, at, ZONDA_ERR_STALE);
    }
}

/* ---- running ---- */

/* No attempt has two beginnings, whatever is sent again. A driver that was killed and came back too
 * late has another job. */
static void note_beginning(sim *s, sim_place at, sim_task *task) {
    uint64_t job = sim_slot_at(s, at)->orders[0].task.job;
    uint64_t attempt = sim_slot_attempt(sim_slot_at(s, at));
    uint64_t bit = UINT64_C(1) << attempt % 64;
    if (attempt >= SIM_ATTEMPTS_MAX || job < task->job) {
        return;
    }
    if (job > task->job) {
        memset(task->begun, 0, sizeof task->begun);
        task->job = job;
    }
    if ((task->begun[attempt / 64] & bit) != 0) {
        sim_fail(s, "attempt %llu of a task is begun twice, by worker %u",
                 (unsigned long long)attempt, at.worker);
    }
    task->begun[attempt / 64] |= bit;
}

void sim_task_begin(sim *s, sim_place at) {
    sim_slot_at(s, at)->began_ns = s->now_ns;
    sim_slot *slot = sim_slot_at(s, at);
    sim_driver *driver = NULL;
    size_t number = 0;
    const sim_stage *stage = find_stage(s, at, &driver, &number);
    if (stage == NULL) {
        return;
    }
    uint32_t task = (uint32_t)sim_slot_task(slot);
    note_beginning(s, at, &driver->tasks[number][task]);
    if (stage->sinks) {
        sim_files_open(s, at,
                       (sim_attempt){ .job = slot->orders[0].task.job,
                                      .driver = (uint32_t)(driver - s->drivers),
                                      .stage = (uint32_t)number,
                                      .task = task,
                                      .attempt = sim_slot_attempt(slot) });
    }
    slot->reading.fold = 0;
    if (stage->input_count > 0) {
        sim_read_begin(s, at);
    } else {
        sim_task_work(s, at);
    }
}

void sim_task_work(sim *s, sim_place at) {
    sim_driver *driver = NULL;
    size_t number = 0;
    const sim_stage *stage = find_stage(s, at, &driver, &number);
    uint64_t slow = sim_chance(s, SLOW_PER_MILLE) ? SLOW_TIMES : 1;
    sim_slot_at(s, at)->state = SIM_SLOT_RUNNING;
    sim_slot_wake(s, at, 1000 + slow * sim_roll(s, stage->task_ns));
}

/* The work is done. The first two attempts may fail, so the budget always suffices. */
static void finish_work(sim *s, sim_place at) {
    const sim_slot *slot = sim_slot_at(s, at);
    sim_driver *driver = NULL;
    size_t number = 0;
    const sim_stage *stage = find_stage(s, at, &driver, &number);
    if (stage == NULL || (sim_chance(s, stage->crash_per_mille) && sim_slot_crash(s, at))) {
        return;
    }
    if (sim_slot_cancelled(slot) && sim_chance(s, HEED_PER_MILLE)) {
        sim_files_discard(s, at);
        sim_slot_end_chunk(s, at, false);
    } else if (s->now_ns < s->workers[at.worker].full_ns && (stage->sinks || stage->large)) {
        fail(s, at, ZONDA_ERR_DISK_FULL);
    } else if (sim_slot_attempt(slot) <= 2 && sim_chance(s, stage->fail_per_mille)) {
        fail(s, at, ZONDA_ERR_USER);
    } else if (stage->sinks) {
        sim_files_seal(s, at, make_value(slot, stage));
        ask_to_publish(s, at);
    } else {
        succeed(s, at, stage);
    }
}

static void ask_again(sim *s, sim_place at) {
    if (sim_slot_cancelled(sim_slot_at(s, at))) {
        sim_files_discard(s, at);
        sim_slot_end_chunk(s, at, false);
    } else {
        ask_to_publish(s, at); /* the answer may be lost */
    }
}

void sim_task_step(sim *s, sim_place at) {
    sim_driver *driver = NULL;
    size_t number = 0;
    switch (sim_slot_at(s, at)->state) {
    case SIM_SLOT_ASKING:
    case SIM_SLOT_FETCHING:
        sim_read_step(s, at, find_stage(s, at, &driver, &number));
        break;
    case SIM_SLOT_RUNNING:
        finish_work(s, at);
        break;
    case SIM_SLOT_COMMITTING:
        ask_again(s, at);
        break;
    case SIM_SLOT_PUBLISHING:
        publish(s, at);
        break;
    default:
        succeed(s, at, find_stage(s, at, &driver, &number));
        break;
    }
}
