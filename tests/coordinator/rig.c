/* SPDX-License-Identifier: MPL-2.0 */
/* The rig plays driver and workers against the scheduler. It keeps its own record of what each
 * worker got, from the letters alone, so that tests compare two independent accounts. */
#include "rig.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "coordinator/scheduler_internal.h"

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

/* Forgets what only matters live: registrations, and times of which notes know about. */
static void forget_times(zn_scheduler *scheduler) {
    zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        member->epoch = 0;
    }
    zn_live_job *job;
    TAILQ_FOREACH(job, &scheduler->jobs, link) {
        for (size_t i = 0; i < job->stage_count; i++) {
            job->stages[i]->given_ns = 0;
            job->stages[i]->moved_ns = scheduler->began_ns;
            if (job->stages[i]->failure != NULL) {
                job->stages[i]->retries = 0; /* what was held when it ended was never reported */
            }
        }
    }
}

char *rig_snapshot(zn_scheduler *scheduler) {
    zn_buf notes = { 0 };
    zn_buf text = { 0 };
    zonda_error error = { 0 };
    zn_snapshot_write(scheduler, &notes);
    zn_decoder *decoder = zn_decoder_new();
    for (size_t at = 0; at < notes.len;) {
        zn_message note;
        zn_bytes bytes = { notes.data + at + 4, zn_get_u32(notes.data + at) };
        assert_ok(zn_decoder_decode(decoder, bytes, &note, &error), error);
        zn_message_print(&note, &text);
        zn_buf_append_byte(&text, '\n');
        at += 4 + bytes.len;
    }
    zn_buf_append_byte(&text, 0);
    zn_decoder_destroy(&decoder);
    zn_buf_free(&notes);
    return (char *)text.data;
}

zn_scheduler *rig_replay(const rig *r, zn_bytes notes) {
    zonda_error error = { 0 };
    zn_scheduler *again = zn_scheduler_new(&r->scheduler->config, r->scheduler->began_ns);
    zn_decoder *decoder = zn_decoder_new();
    assert_ok(zn_replay_batch(again, decoder, notes, &error), error);
    zn_decoder_destroy(&decoder);
    return again;
}

/* Fails with the first line that differs. */
static void assert_same_lines(const char *left, const char *right) {
    while (*left != 0 || *right != 0) {
        int left_len = (int)strcspn(left, "\n");
        int right_len = (int)strcspn(right, "\n");
        if (left_len != right_len || memcmp(left, right, (size_t)left_len) != 0) {
            fail_msg("\n%.*s\nis not\n%.*s", left_len, left, right_len, right);
        }
        left += left_len + (left[left_len] != 0 ? 1 : 0);
        right += right_len + (right[right_len] != 0 ? 1 : 0);
    }
}

/* Every state that a test has made comes out of its notes again, and of its snapshot. */
static void check_replay(rig *r) {
    zn_notes_settle(&r->scheduler->notes);
    zn_scheduler *again = rig_replay(r, zn_buf_bytes(&r->scheduler->notes.bytes));
    again->next_job = r->scheduler->next_job; /* BEGUN says these; a rig does not begin */
    again->next_epoch = r->scheduler->next_epoch;
    again->next_worker = r->scheduler->next_worker;
    forget_times(r->scheduler);
    forget_times(again);
    char *live = rig_snapshot(r->scheduler);
    char *replayed = rig_snapshot(again);
    assert_same_lines(replayed, live);
    zn_buf snapshot = { 0 };
    zn_snapshot_write(r->scheduler, &snapshot);
    zn_scheduler *third = rig_replay(r, zn_buf_bytes(&snapshot));
    forget_times(third);
    char *restored = rig_snapshot(third);
    assert_same_lines(restored, live);
    zn_buf_free(&snapshot);
    free(live);
    free(replayed);
    free(restored);
    zn_scheduler_destroy(&again);
    zn_scheduler_destroy(&third);
}

void rig_free(rig **r) {
    if (!(*r)->forgetful) {
        check_replay(*r);
    }
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

uint64_t rig_open_with(rig *r, const char *name, const zn_msg_open_job *options) {
    zn_message open = { .number = ZN_MSG_OPEN_JOB, .open_job = *options };
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

uint64_t rig_open(rig *r, const char *name) {
    return rig_open_with(r, name, &(zn_msg_open_job){ 0 });
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

static void push_run(rig_worker *worker, const zn_msg_task *task, zn_task_run run) {
    if (worker->run_count == worker->run_capacity) {
        size_t capacity = worker->run_capacity == 0 ? 8 : worker->run_capacity * 2;
        worker->runs = zn_realloc(worker->runs, capacity, sizeof(worker->runs[0]));
        worker->jobs = zn_realloc(worker->jobs, capacity, sizeof(worker->jobs[0]));
        worker->stages = zn_realloc(worker->stages, capacity, sizeof(worker->stages[0]));
        worker->run_capacity = capacity;
    }
    worker->runs[worker->run_count] = run;
    worker->jobs[worker->run_count] = task->job;
    worker->stages[worker->run_count] = task->stage;
    worker->run_count++;
}

static void take_task(rig_worker *worker, const zn_msg_task *task) {
    assert_int_equal(task->epoch, worker->epoch);
    assert_int_equal(task->sequence, worker->received + 1);
    assert_int_equal(task->body.len, ZN_DIGEST_BYTES);
    assert_true(task->runs_count > 0);
    worker->received++;
    worker->task_messages++;
    for (size_t i = 0; i < task->runs_count; i++) {
        const zn_run *run = &task->runs[i];
        uint32_t first = (uint32_t)run->first;
        for (uint32_t k = 0; worker->singly && k < run->count; k++) {
            push_run(worker, task, (zn_task_run){ first + k, 1, run->attempt });
        }
        if (!worker->singly) {
            push_run(worker, task, (zn_task_run){ first, (uint32_t)run->count, run->attempt });
        }
    }
}

/* Ends an attempt; what it no longer knows of is counted as well. */
static void take_away(rig_worker *worker, uint64_t job, uint64_t stage, const zn_run *run) {
    worker->withdrawn += run->count;
    for (size_t i = worker->run_count; i > 0; i--) {
        zn_task_run *held = &worker->runs[i - 1];
        uint64_t end = run->first + run->count;
        uint64_t held_end = (uint64_t)held->first + held->count;
        if (worker->jobs[i - 1] != job || worker->stages[i - 1] != stage ||
            held->value != run->attempt || end <= held->first || run->first >= held_end) {
            continue;
        }
        if (run->first <= held->first && end >= held_end) {
            rig_forget_run(worker, i - 1);
        } else if (run->first <= held->first) {
            held->first = (uint32_t)end;
            held->count = (uint32_t)(held_end - end);
        } else {
            assert_true(end >= held_end); /* tests do not cut holes */
            held->count = (uint32_t)(run->first - held->first);
        }
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
    case ZN_MSG_WITHDRAW:
        for (size_t i = 0; i < message->withdraw.runs_count; i++) {
            take_away(worker, message->withdraw.job, message->withdraw.stage,
                      &message->withdraw.runs[i]);
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

void rig_end_delays(rig *r) {
    zn_live_stage *stage = TAILQ_FIRST(&r->scheduler->delayed);
    while (stage != NULL) {
        zn_live_stage *next = TAILQ_NEXT(stage, delayed_link);
        zn_stage_delay_expire(&stage->delay, UINT64_MAX);
        stage->first_next = 0;
        zn_scheduler_refresh_stage(r->scheduler, stage);
        stage = next;
    }
}

void rig_assign(rig *r) {
    rig_end_delays(r);
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
