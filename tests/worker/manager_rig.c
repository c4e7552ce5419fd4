/* SPDX-License-Identifier: MPL-2.0 */
/* Plays the slots: it keeps what they were told and says what they would say. */
#include "manager_rig.h"

#include "base/clock.h"

static const uint8_t BODY[ZN_DIGEST_BYTES] = { 1, 2, 3 };

static void model_task(model_slot *slot, const zn_msg_task *task) {
    assert_true(slot->ready && slot->count < RIG_CHUNKS_MAX);
    model_chunk *chunk = &slot->chunks[slot->count++];
    *chunk = (model_chunk){ .epoch = task->epoch,
                            .sequence = task->sequence,
                            .job = task->job,
                            .stage = task->stage,
                            .first = task->runs[0].first,
                            .attempt = task->runs[0].attempt,
                            .run_count = task->runs_count };
    assert_true(task->runs_count <= RIG_RUNS_MAX);
    for (size_t i = 0; i < task->runs_count; i++) {
        chunk->runs[i] = task->runs[i];
        chunk->tasks += (uint32_t)task->runs[i].count;
    }
}

static void model_done(model_slot *slot, const zn_msg_done *done) {
    if (done->scope == ZN_DONE_ALL) {
        slot->told_end = true;
        return;
    }
    assert_true(slot->done_count < 64);
    slot->done_jobs[slot->done_count++] = done->job;
}

static void model_cancel(model_slot *slot, uint64_t sequence) {
    for (size_t i = 0; i < slot->count; i++) {
        if (slot->chunks[i].sequence == sequence) {
            slot->chunks[i].cancelled = true;
            return;
        }
    }
    fail_msg("a chunk that is not in the slot was cancelled");
}

static void model_actions(manager_rig *rig) {
    for (size_t i = 0; i < rig->outbox.count; i++) {
        const zn_action *action = &rig->outbox.items[i];
        model_slot *slot = &rig->model[action->slot];
        if (action->kind == ZN_ACTION_START_SLOT) {
            assert_false(slot->starting || slot->ready);
            slot->starting = true;
        } else if (action->kind == ZN_ACTION_KILL_SLOT) {
            slot->killed = true;
        } else if (action->kind == ZN_ACTION_CANCEL_CHUNK) {
            model_cancel(slot, action->sequence);
        } else if (action->kind == ZN_ACTION_SEND_SLOT && action->message.number == ZN_MSG_TASK) {
            model_task(slot, &action->message.task);
        } else if (action->kind == ZN_ACTION_SEND_SLOT && action->message.number == ZN_MSG_DONE) {
            model_done(slot, &action->message.done);
        }
    }
}

void rig_open(manager_rig *rig, uint32_t slots, bool killable) {
    *rig = (manager_rig){ .now_ns = 1000 * ZN_NS_PER_S, .slots = slots, .cluster = 1 };
    zn_slot_manager_config config = { .slots = slots,
                                      .killable = killable,
                                      .client = 99,
                                      .pid = 1,
                                      .host = "h",
                                      .data = "d",
                                      .folder = "/f",
                                      .machine = "m" };
    rig->manager = zn_slot_manager_new(&config, rig->now_ns, &rig->outbox);
    model_actions(rig);
    zn_slot_manager_check(rig->manager);
}

void rig_register(manager_rig *rig, uint32_t slots, uint64_t epoch) {
    rig_open(rig, slots, true);
    for (uint32_t slot = 0; slot < slots; slot++) {
        rig_ready(rig, slot);
    }
    rig_step(rig, (zn_worker_event){ .kind = ZN_WORKER_EVENT_FOUND });
    rig_welcome(rig, epoch);
}

void rig_close(manager_rig *rig) {
    zn_slot_manager_destroy(&rig->manager);
    zn_outbox_free(&rig->outbox);
}

void rig_step(manager_rig *rig, zn_worker_event event) {
    zn_outbox_clear(&rig->outbox);
    event.now_ns = rig->now_ns;
    zn_slot_manager_step(rig->manager, &event, &rig->outbox);
    model_actions(rig);
    zn_slot_manager_check(rig->manager);
}

void rig_tick(manager_rig *rig, uint64_t ms) {
    rig->now_ns += ms * ZN_NS_PER_MS;
    rig_step(rig, (zn_worker_event){ .kind = ZN_WORKER_EVENT_TICK });
}

void rig_flush(manager_rig *rig) {
    rig_step(rig, (zn_worker_event){ .kind = ZN_WORKER_EVENT_FLUSH });
}

void rig_message(manager_rig *rig, const zn_message *message) {
    rig_step(rig, (zn_worker_event){ .kind = ZN_WORKER_EVENT_MESSAGE, .message = message });
}

void rig_welcome(manager_rig *rig, uint64_t epoch) {
    zn_message message = { .number = ZN_MSG_WELCOME };
    message.welcome = (zn_msg_welcome){ .worker = 1,
                                        .epoch = epoch,
                                        .cluster = rig->cluster,
                                        .heartbeat_ms = ZN_HEARTBEAT_MS,
                                        .lost_ms = ZN_WORKER_LOST_MS };
    rig->epoch = epoch;
    rig->received = 0;
    rig_message(rig, &message);
}

void rig_give(manager_rig *rig, uint64_t sequence, uint64_t job, uint64_t first, uint64_t count,
              uint32_t attempt) {
    zn_run run = { .first = first, .count = count, .attempt = attempt };
    zn_message message = { .number = ZN_MSG_TASK };
    message.task = (zn_msg_task){ .epoch = rig->epoch,
                                  .sequence = sequence,
                                  .job = job,
                                  .body = { BODY, sizeof BODY },
                                  .runs = &run,
                                  .runs_count = 1 };
    rig->received = sequence > rig->received ? sequence : rig->received;
    rig_message(rig, &message);
}

void rig_heartbeat(manager_rig *rig, uint64_t sent) {
    zn_message message = { .number = ZN_MSG_HEARTBEAT };
    message.heartbeat = (zn_msg_heartbeat){ .epoch = rig->epoch, .sent = sent };
    rig_message(rig, &message);
}

void rig_acknowledge(manager_rig *rig, uint64_t received) {
    zn_message message = { .number = ZN_MSG_HEARTBEAT };
    message.heartbeat =
        (zn_msg_heartbeat){ .epoch = rig->epoch, .sent = rig->received, .received = received };
    rig_message(rig, &message);
}

void rig_withdraw(manager_rig *rig, uint64_t job, uint64_t first, uint64_t count,
                  uint32_t attempt) {
    zn_run run = { .first = first, .count = count, .attempt = attempt };
    zn_message message = { .number = ZN_MSG_WITHDRAW };
    message.withdraw =
        (zn_msg_withdraw){ .epoch = rig->epoch, .job = job, .runs = &run, .runs_count = 1 };
    rig_message(rig, &message);
}

void rig_done(manager_rig *rig, uint64_t job) {
    zn_message message = { .number = ZN_MSG_DONE };
    message.done = (zn_msg_done){ .epoch = rig->epoch, .scope = ZN_DONE_JOB, .job = job };
    rig_message(rig, &message);
}

void rig_ready(manager_rig *rig, uint32_t slot) {
    assert_true(rig->model[slot].starting);
    rig->model[slot].starting = false;
    rig->model[slot].ready = true;
    rig_step(rig, (zn_worker_event){ .kind = ZN_WORKER_EVENT_SLOT_READY, .slot = slot });
}

static void from_slot(manager_rig *rig, uint32_t slot, const zn_message *message) {
    rig_step(rig, (zn_worker_event){
                      .kind = ZN_WORKER_EVENT_SLOT_MESSAGE, .slot = slot, .message = message });
}

static model_chunk take_chunk(manager_rig *rig, uint32_t slot) {
    model_slot *model = &rig->model[slot];
    assert_true(model->count > 0);
    model_chunk chunk = model->chunks[0];
    model->count -= 1;
    memmove(model->chunks, model->chunks + 1, model->count * sizeof *model->chunks);
    return chunk;
}

void rig_report_all(manager_rig *rig, uint32_t slot) {
    model_chunk chunk = take_chunk(rig, slot);
    zn_outcome outcomes[RIG_RUNS_MAX];
    for (size_t i = 0; i < chunk.run_count; i++) {
        outcomes[i] = (zn_outcome){ .first = chunk.runs[i].first,
                                    .count = chunk.runs[i].count,
                                    .attempt = chunk.runs[i].attempt };
    }
    zn_message message = { .number = ZN_MSG_RESULT };
    message.outcomes = (zn_msg_outcomes){ .epoch = chunk.epoch,
                                          .sequence = chunk.sequence,
                                          .job = chunk.job,
                                          .stage = chunk.stage,
                                          .outcomes = outcomes,
                                          .outcomes_count = chunk.run_count };
    from_slot(rig, slot, &message);
}

void rig_end_chunk(manager_rig *rig, uint32_t slot) {
    model_chunk chunk = take_chunk(rig, slot);
    zn_message message = { .number = ZN_MSG_HEARTBEAT, .heartbeat.received = chunk.sequence };
    from_slot(rig, slot, &message);
}

void rig_die(manager_rig *rig, uint32_t slot, uint64_t sequence, uint32_t position) {
    rig->model[slot] = (model_slot){ 0 };
    zonda_error error = { .code = ZONDA_ERR_CRASH, .text = "slot 0 was killed by signal 11" };
    rig_step(rig, (zn_worker_event){ .kind = ZN_WORKER_EVENT_SLOT_DEAD,
                                     .slot = slot,
                                     .running_sequence = sequence,
                                     .running_position = position,
                                     .error = &error });
}

void rig_commit(manager_rig *rig, uint32_t slot, uint64_t job, uint64_t task, uint64_t attempt) {
    zn_message message = { .number = ZN_MSG_COMMIT };
    message.commit = (zn_msg_commit){ .job = job, .task = task, .attempt = attempt };
    from_slot(rig, slot, &message);
}

void rig_slot_done(manager_rig *rig, uint32_t slot, uint64_t job) {
    model_slot *model = &rig->model[slot];
    assert_true(model->done_count > 0 && model->done_jobs[0] == job);
    model->done_count -= 1;
    memmove(model->done_jobs, model->done_jobs + 1, model->done_count * sizeof(uint64_t));
    zn_message message = { .number = ZN_MSG_DONE };
    message.done = (zn_msg_done){ .scope = ZN_DONE_JOB, .job = job };
    from_slot(rig, slot, &message);
}

void rig_slot_end(manager_rig *rig, uint32_t slot) {
    assert_true(rig->model[slot].told_end);
    rig->model[slot] = (model_slot){ 0 };
    zn_message message = { .number = ZN_MSG_DONE };
    message.done = (zn_msg_done){ .scope = ZN_DONE_ALL };
    from_slot(rig, slot, &message);
}

void rig_teach_short_tasks(manager_rig *rig, uint64_t job) {
    uint64_t task = 10000;
    for (int i = 0; i < 20; i++, task += 50) {
        rig_give(rig, rig->received + 1, job, task, 50, 1);
        while (rig->model[0].count > 0) {
            rig->now_ns += rig->model[0].chunks[0].tasks * 10000;
            rig_report_all(rig, 0);
        }
    }
    rig_flush(rig);
}

const zn_action *rig_action(const manager_rig *rig, zn_action_kind kind) {
    for (size_t i = 0; i < rig->outbox.count; i++) {
        if (rig->outbox.items[i].kind == kind) {
            return &rig->outbox.items[i];
        }
    }
    return NULL;
}

unsigned rig_count(const manager_rig *rig, zn_action_kind kind) {
    unsigned count = 0;
    for (size_t i = 0; i < rig->outbox.count; i++) {
        count += rig->outbox.items[i].kind == kind;
    }
    return count;
}

const zn_message *rig_work(const manager_rig *rig, zn_message_number number) {
    return rig_work_at(rig, number, 0);
}

const zn_message *rig_work_at(const manager_rig *rig, zn_message_number number, size_t index) {
    for (size_t i = 0; i < rig->outbox.count; i++) {
        const zn_action *action = &rig->outbox.items[i];
        if (action->kind == ZN_ACTION_SEND_WORK && action->message.number == number &&
            index-- == 0) {
            return &action->message;
        }
    }
    return NULL;
}

const zn_message *rig_slot(const manager_rig *rig, uint32_t slot, zn_message_number number) {
    for (size_t i = 0; i < rig->outbox.count; i++) {
        const zn_action *action = &rig->outbox.items[i];
        if (action->kind == ZN_ACTION_SEND_SLOT && action->slot == slot &&
            action->message.number == number) {
            return &action->message;
        }
    }
    return NULL;
}

uint64_t rig_credit(const manager_rig *rig, uint64_t otherwise) {
    const zn_message *credit = rig_work(rig, ZN_MSG_CREDIT);
    return credit == NULL ? otherwise : credit->credit.tasks;
}
