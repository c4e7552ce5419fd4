/* SPDX-License-Identifier: MPL-2.0 */
/* The rig plays driver and workers against the scheduler. It keeps its own record of what each
 * worker got, from the letters alone, so that tests compare two independent accounts. */
#include "rig.h"

#include "base/alloc.h"
#include "base/clock.h"

static const uint8_t body_bytes[] = "the body of a stage";

rig *rig_new(void) {
    rig *r = ZN_NEW(rig);
    r->now_ns = ZN_NS_PER_S;
    zn_scheduler_config config = { .cluster = 9,
                                   .first_job = 1,
                                   .first_epoch = 1000,
                                   .heartbeat_ms = 1000,
                                   .lost_ms = 3000,
                                   .blob_bytes_max = 64 * ZN_MIB,
                                   .durable = true };
    r->scheduler = zn_scheduler_new(&config, r->now_ns);
    zn_control_endpoints endpoints = { "inproc://w", "inproc://b", "inproc://e" };
    r->control = zn_control_new(r->scheduler, &endpoints);
    for (size_t i = 0; i < RIG_WORKERS; i++) {
        r->workers[i].client = 500 + i;
        r->workers[i].peer.len = 5;
        r->workers[i].peer.id[4] = (uint8_t)(i + 1);
        r->workers[i].granted = -1;
    }
    r->body = zn_digest_of((zn_bytes){ body_bytes, sizeof(body_bytes) });
    return r;
}

void rig_free(rig **r) {
    for (size_t i = 0; i < RIG_WORKERS; i++) {
        free((*r)->workers[i].runs);
        free((*r)->workers[i].jobs);
        free((*r)->workers[i].stages);
    }
    zn_control_destroy(&(*r)->control);
    zn_scheduler_destroy(&(*r)->scheduler);
    free(*r);
    *r = NULL;
}

static void check(const rig *r) {
    zonda_error error = { 0 };
    assert_ok(zn_scheduler_check(r->scheduler, &error), error);
}

const zn_message *rig_call(rig *r, zn_message message) {
    uint64_t *ids = &message.open_job.client; /* all calls begin with client and request */
    ids[0] = RIG_DRIVER;
    ids[1] = ++r->request;
    const zn_message *reply = zn_control_call(r->control, r->now_ns, &message);
    check(r);
    return reply;
}

const char *rig_refused(rig *r, zn_message message) {
    const zn_message *reply = rig_call(r, message);
    assert_int_equal(reply->number, ZN_MSG_REFUSAL);
    assert_int_equal(reply->refusal.request, r->request);
    assert_int_equal(reply->refusal.failure_count, 1);
    assert_true(reply->refusal.failure[0].text.len > 0);
    return zonda_err_name(zn_err_from_number(reply->refusal.failure[0].code));
}

uint64_t rig_open(rig *r, const char *name) {
    zn_message open = { .number = ZN_MSG_OPEN_JOB };
    open.open_job.name = zn_bytes_of_text(name);
    open.open_job.fingerprint = zn_digest_bytes(&r->body);
    const zn_message *reply = rig_call(r, open);
    assert_int_equal(reply->number, ZN_MSG_JOB_OPENED);
    uint64_t job = reply->job_opened.job;
    zn_message put = { .number = ZN_MSG_PUT_BLOB };
    put.put_blob = (zn_msg_put_blob){ .job = job,
                                      .digest = zn_digest_bytes(&r->body),
                                      .size = sizeof(body_bytes),
                                      .bytes = { body_bytes, sizeof(body_bytes) } };
    reply = rig_call(r, put);
    assert_int_equal(reply->number, ZN_MSG_BLOB_STORED);
    assert_int_equal(reply->blob_stored.received, sizeof(body_bytes));
    return job;
}

zn_message rig_start_message(const rig *r, uint64_t job, uint64_t stage, uint64_t tasks) {
    zn_message start = { .number = ZN_MSG_START_STAGE };
    start.start_stage = (zn_msg_start_stage){ .job = job,
                                              .stage = stage,
                                              .fingerprint = zn_digest_bytes(&r->body),
                                              .name = zn_bytes_of_text("map→filter"),
                                              .task_count = tasks,
                                              .body = zn_digest_bytes(&r->body) };
    return start;
}

void rig_start(rig *r, uint64_t job, uint64_t stage, uint64_t tasks) {
    const zn_message *reply = rig_call(r, rig_start_message(r, job, stage, tasks));
    assert_int_equal(reply->number, ZN_MSG_STAGE_STARTED);
    assert_int_equal(reply->stage_started.total, tasks);
}

zn_msg_status rig_status(rig *r, uint64_t job, uint64_t stage) {
    zn_message get = { .number = ZN_MSG_GET_STATUS };
    get.get_status.job = job;
    get.get_status.stage = stage;
    const zn_message *reply = rig_call(r, get);
    assert_int_equal(reply->number, ZN_MSG_STATUS);
    assert_int_equal(reply->status.request, r->request);
    return reply->status;
}

uint64_t rig_close(rig *r, uint64_t job) {
    zn_message close = { .number = ZN_MSG_CLOSE_JOB };
    close.close_job.job = job;
    const zn_message *reply = rig_call(r, close);
    assert_int_equal(reply->number, ZN_MSG_JOB_CLOSING);
    return reply->job_closing.waiting;
}

/* ---- workers ---- */

void rig_send(rig *r, size_t worker, zn_message message) {
    if (message.number != ZN_MSG_HELLO) {
        message.heartbeat.epoch = r->workers[worker].epoch; /* the first field of all of them */
    }
    zn_scheduler_message(r->scheduler, r->now_ns, &r->workers[worker].peer, &message);
    check(r);
}

void rig_join(rig *r, size_t worker, uint64_t slots, uint64_t credit) {
    zn_message hello = { .number = ZN_MSG_HELLO };
    hello.hello = (zn_msg_hello){ .client = r->workers[worker].client,
                                  .request = 1,
                                  .role = ZN_ROLE_WORKER,
                                  .host = zn_bytes_of_text("host"),
                                  .pid = 100 + worker,
                                  .slots = slots,
                                  .data = zn_bytes_of_text("inproc://data"),
                                  .folder = zn_bytes_of_text("/scratch"),
                                  .machine = zn_bytes_of_text("machine") };
    rig_send(r, worker, hello);
    rig_deliver(r);
    assert_int_not_equal(r->workers[worker].epoch, 0);
    zn_message message = { .number = ZN_MSG_CREDIT };
    message.credit.tasks = credit;
    rig_send(r, worker, message);
}

static void drop_runs(rig_worker *worker, uint64_t job) {
    for (size_t i = worker->run_count; i > 0; i--) {
        if (job == 0 || worker->jobs[i - 1] == job) {
            rig_forget_run(worker, i - 1);
        }
    }
}

void rig_forget_run(rig_worker *worker, size_t index) {
    worker->run_count--;
    for (size_t i = index; i < worker->run_count; i++) {
        worker->runs[i] = worker->runs[i + 1];
        worker->jobs[i] = worker->jobs[i + 1];
        worker->stages[i] = worker->stages[i + 1];
    }
}

static void take_task(rig_worker *worker, const zn_msg_task *task) {
    assert_int_equal(task->epoch, worker->epoch);
    assert_int_equal(task->sequence, worker->received + 1);
    assert_int_equal(task->body.len, ZN_DIGEST_BYTES);
    assert_true(task->runs_count > 0);
    worker->received++;
    worker->task_messages++;
    for (size_t i = 0; i < task->runs_count; i++) {
        if (worker->run_count == worker->run_capacity) {
            size_t capacity = worker->run_capacity == 0 ? 8 : worker->run_capacity * 2;
            worker->runs = zn_realloc(worker->runs, capacity, sizeof(worker->runs[0]));
            worker->jobs = zn_realloc(worker->jobs, capacity, sizeof(worker->jobs[0]));
            worker->stages = zn_realloc(worker->stages, capacity, sizeof(worker->stages[0]));
            worker->run_capacity = capacity;
        }
        worker->runs[worker->run_count] =
            (zn_task_run){ (uint32_t)task->runs[i].first, (uint32_t)task->runs[i].count,
                           task->runs[i].attempt };
        worker->jobs[worker->run_count] = task->job;
        worker->stages[worker->run_count] = task->stage;
        worker->run_count++;
    }
}

static void take_letter(rig_worker *worker, const zn_message *message) {
    switch (message->number) {
    case ZN_MSG_WELCOME:
        drop_runs(worker, 0);
        worker->epoch = message->welcome.epoch;
        worker->id = message->welcome.worker;
        worker->sent = 0;
        worker->received = 0;
        break;
    case ZN_MSG_TASK:
        take_task(worker, &message->task);
        break;
    case ZN_MSG_CANCEL:
        drop_runs(worker, message->cancel.job);
        worker->cancels++;
        break;
    case ZN_MSG_DONE:
        drop_runs(worker, message->done.scope == ZN_DONE_ALL ? 0 : message->done.job);
        worker->done_job = message->done.job;
        worker->dones++;
        worker->done_all = message->done.scope == ZN_DONE_ALL;
        break;
    case ZN_MSG_REJOIN:
        worker->rejoins++;
        if (message->rejoin.epoch == worker->epoch) {
            drop_runs(worker, 0);
            worker->epoch = 0;
        }
        break;
    case ZN_MSG_COMMITTED:
        worker->granted = (int)message->committed.granted;
        break;
    case ZN_MSG_HEARTBEAT:
        worker->heartbeats++;
        break;
    case ZN_MSG_REFUSAL:
        worker->refusals++;
        break;
    case ZN_MSG_DRAIN:
        worker->drains++;
        break;
    default:
        fail_msg("a worker got %s", zn_message_name(message->number));
    }
}

void rig_deliver(rig *r) {
    zn_scheduler_outbox *outbox = &r->scheduler->outbox;
    for (size_t i = 0; i < outbox->count; i++) {
        if (outbox->letters[i].kind == ZN_LETTER_EVENT) {
            r->events++;
            continue;
        }
        take_letter(&r->workers[outbox->letters[i].peer.id[4] - 1], &outbox->letters[i].message);
    }
    zn_scheduler_outbox_clear(outbox);
    check(r);
}

void rig_assign(rig *r) {
    zn_scheduler_assign(r->scheduler);
    rig_deliver(r);
}

zn_outcome rig_outcome(uint64_t first, uint64_t count, uint64_t attempt) {
    return (zn_outcome){ .first = first, .count = count, .attempt = attempt };
}

void rig_result(rig *r, size_t worker, uint64_t job, uint64_t stage, zn_outcome outcome) {
    zn_message message = { .number = ZN_MSG_RESULT };
    message.outcomes = (zn_msg_outcomes){ .sequence = ++r->workers[worker].sent,
                                          .job = job,
                                          .stage = stage,
                                          .outcomes = &outcome,
                                          .outcomes_count = 1 };
    rig_send(r, worker, message);
}

void rig_finish_first(rig *r, size_t worker) {
    rig_worker *w = &r->workers[worker];
    assert_true(w->run_count > 0);
    zn_task_run run = w->runs[0];
    uint64_t job = w->jobs[0];
    uint64_t stage = w->stages[0];
    rig_forget_run(w, 0);
    rig_result(r, worker, job, stage, rig_outcome(run.first, run.count, run.value));
}

void rig_fail_first(rig *r, size_t worker, zonda_err code, bool permanent) {
    rig_worker *w = &r->workers[worker];
    assert_true(w->run_count > 0);
    zn_task_run run = w->runs[0];
    uint64_t job = w->jobs[0];
    uint64_t stage = w->stages[0];
    rig_forget_run(w, 0);
    zn_failure failure = { .code = (uint64_t)code,
                           .permanent = permanent,
                           .has_shard = 1,
                           .shard = run.first,
                           .line = 12,
                           .op = zn_bytes_of_text("map"),
                           .file = zn_bytes_of_text("in.jsonl"),
                           .text = zn_bytes_of_text("it broke") };
    zn_outcome outcome = rig_outcome(run.first, run.count, run.value);
    outcome.failure = &failure;
    outcome.failure_count = 1;
    rig_result(r, worker, job, stage, outcome);
}

void rig_drain(rig *r) {
    bool busy = true;
    while (busy) {
        busy = false;
        rig_assign(r);
        for (size_t i = 0; i < RIG_WORKERS; i++) {
            while (r->workers[i].run_count > 0) {
                rig_finish_first(r, i);
                busy = true;
            }
        }
    }
    rig_deliver(r);
}

uint64_t rig_held(const rig_worker *worker) {
    uint64_t held = 0;
    for (size_t i = 0; i < worker->run_count; i++) {
        held += worker->runs[i].count;
    }
    return held;
}
