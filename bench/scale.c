/* SPDX-License-Identifier: MPL-2.0 */
/* What a task costs the coordinator, by how many tasks and how many workers there are. The
 * scheduler and the calls are those of the coordinator, and so are the messages as bytes, which it
 * decodes and encodes; only the sockets and the peers are played here, in one thread, and what
 * these take is not counted. Every task gives a number of its own, so nothing can be said of many
 * at once.
 *   scale stage WORKERS CREDIT TASKS TIMES
 *     Jobs of one stage, from opening to the last result read and the closing; a worker may hold
 *     CREDIT tasks. {"seconds": … of the coordinator, "tasks": …, "messages": … with tasks in them}
 *   scale start ENDPOINT TASKS
 *     START_STAGE of a range, at a coordinator. {"seconds": …} */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "coordinator/control.h"
#include "runtime/control_client.h"

enum {
    CREDIT_MAX = 256, /* tasks that a worker may hold */
    WORK_BATCH = 256, /* messages that a coordinator takes before it gives out work again */
    DRIVER = 77,
    RECORD_BYTES = 9
};

typedef struct peer {
    zn_peer address;
    uint64_t epoch;
    uint64_t sent;
} peer;

/* A message to the coordinator that has not been delivered. */
typedef struct parcel {
    size_t peer;
    size_t begin; /* in `mail` */
    size_t end;
} parcel;

typedef struct scene {
    zn_scheduler *scheduler;
    zn_control *control;
    zn_decoder *decoder;
    zn_buf wire; /* what the coordinator sent last, as bytes */
    peer *peers;
    size_t peer_count;
    uint64_t credit;
    zn_buf mail;
    parcel *parcels;
    size_t first;
    size_t count;
    size_t capacity;
    uint64_t request;
    uint64_t batches; /* TASKs */
    double seconds;   /* of the coordinator */
    double since;
} scene;

static const char body_text[] = "the body of the stage";

static double cpu_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void require(bool is_right, const char *what) {
    if (!is_right) {
        fprintf(stderr, "scale: %s\n", what);
        exit(1);
    }
}

static void coordinator_begins(scene *s) {
    s->since = cpu_now();
}

static void coordinator_ends(scene *s) {
    s->seconds += cpu_now() - s->since;
}

/* ---- peers: not counted ---- */

static void post(scene *s, size_t from, zn_message *message) {
    message->heartbeat.epoch = s->peers[from].epoch; /* the first field of all but HELLO */
    ZN_GROW(s->parcels, s->count, s->capacity);
    size_t begin = s->mail.len;
    zn_message_encode(message, &s->mail);
    s->parcels[s->count++] = (parcel){ from, begin, s->mail.len };
}

/* One outcome for each task, with a number as its record. */
static void run_tasks(scene *s, size_t worker, const zn_msg_task *task) {
    s->batches++;
    static zn_outcome outcomes[CREDIT_MAX];
    static uint8_t records[CREDIT_MAX][RECORD_BYTES];
    size_t count = 0;
    for (size_t i = 0; i < task->runs_count; i++) {
        for (uint64_t k = 0; k < task->runs[i].count; k++, count++) {
            require(count < s->credit, "more tasks were given than there was credit for");
            uint64_t number = task->runs[i].first + k;
            records[count][0] = 0xcf;
            zn_put_u64(&records[count][1], number);
            outcomes[count] = (zn_outcome){ .first = number,
                                            .count = 1,
                                            .attempt = task->runs[i].attempt,
                                            .records_in = 1,
                                            .records_out = 1,
                                            .bytes_out = RECORD_BYTES,
                                            .records = { records[count], RECORD_BYTES } };
        }
    }
    zn_message message = { .number = ZN_MSG_RESULT };
    message.outcomes = (zn_msg_outcomes){ .sequence = ++s->peers[worker].sent,
                                          .job = task->job,
                                          .stage = task->stage,
                                          .outcomes = outcomes,
                                          .outcomes_count = count,
                                          .spent_us = count };
    post(s, worker, &message);
}

static size_t peer_index(const zn_peer *address) {
    uint32_t index = 0;
    memcpy(&index, &address->id[1], sizeof index);
    return index;
}

static void take_letter(scene *s, const zn_letter *letter) {
    size_t worker = peer_index(&letter->peer);
    zn_message answer = { .number = ZN_MSG_CREDIT };
    switch (letter->message.number) {
    case ZN_MSG_WELCOME:
        s->peers[worker].epoch = letter->message.welcome.epoch;
        answer.credit.tasks = s->credit;
        post(s, worker, &answer);
        break;
    case ZN_MSG_TASK:
        run_tasks(s, worker, &letter->message.task);
        break;
    case ZN_MSG_DONE:
        answer = (zn_message){ .number = ZN_MSG_DONE, .done = letter->message.done };
        post(s, worker, &answer);
        break;
    case ZN_MSG_HEARTBEAT:
        answer = (zn_message){ .number = ZN_MSG_HEARTBEAT };
        answer.heartbeat.sent = s->peers[worker].sent;
        answer.heartbeat.received = letter->message.heartbeat.sent;
        post(s, worker, &answer);
        break;
    default:
        require(false, zn_message_name(letter->message.number));
    }
}

/* ---- the coordinator: counted ---- */

/* A round as in its loop: so many messages, time, new work, and what is to be sent as bytes. */
static void serve(scene *s) {
    coordinator_begins(s);
    uint64_t now_ns = zn_clock_ns();
    for (int i = 0; i < WORK_BATCH && s->first < s->count; i++) {
        const parcel *next = &s->parcels[s->first++];
        zn_bytes bytes = { s->mail.data + next->begin, next->end - next->begin };
        zn_message message;
        zonda_error error = { 0 };
        require(zn_decoder_decode(s->decoder, bytes, &message, &error) == ZONDA_OK, error.text);
        zn_scheduler_message(s->scheduler, now_ns, &s->peers[next->peer].address, &message);
    }
    zn_scheduler_tick(s->scheduler, now_ns);
    zn_scheduler_assign(s->scheduler);
    zn_scheduler_outbox *outbox = &s->scheduler->outbox;
    for (size_t i = 0; i < outbox->count; i++) {
        s->wire.len = 0;
        zn_message_encode(&outbox->letters[i].message, &s->wire);
    }
    coordinator_ends(s);
    if (s->first == s->count) {
        s->first = 0;
        s->count = 0;
        s->mail.len = 0;
    }
    for (size_t i = 0; i < outbox->count; i++) {
        if (outbox->letters[i].kind == ZN_LETTER_WORK) {
            take_letter(s, &outbox->letters[i]);
        }
    }
    zn_scheduler_outbox_clear(outbox);
}

static void serve_all(scene *s) {
    do {
        serve(s);
    } while (s->first < s->count);
}

/* A call of the driver; the reply is valid until the next one. */
static const zn_message *call(scene *s, zn_message message, zn_message_number expected) {
    message.open_job.client = DRIVER; /* all calls begin with these two */
    message.open_job.request = ++s->request;
    coordinator_begins(s);
    const zn_message *reply = zn_control_call(s->control, zn_clock_ns(), &message);
    s->wire.len = 0;
    zn_message_encode(reply, &s->wire);
    coordinator_ends(s);
    require(reply->number == expected, "a call was refused");
    return reply;
}

/* Reads all results in pages and checks that each task gave its number. */
static void collect(scene *s, uint64_t job, uint64_t tasks) {
    uint64_t next = 0;
    while (next < tasks) {
        zn_message get = { .number = ZN_MSG_COLLECT_RESULTS };
        get.collect_results.job = job;
        get.collect_results.first = next;
        const zn_message *page = call(s, get, ZN_MSG_RESULTS);
        require(page->results.results_count > 0, "results are missing");
        for (size_t i = 0; i < page->results.results_count; i++, next++) {
            const zn_result *result = &page->results.results[i];
            require(result->first == next && result->count == 1 &&
                        result->records.len == RECORD_BYTES &&
                        zn_get_u64(result->records.data + 1) == next,
                    "a result is wrong");
        }
    }
}

static zn_message start_message(uint64_t job, const zn_digest *digest, uint64_t tasks) {
    zn_message start = { .number = ZN_MSG_START_STAGE };
    start.start_stage = (zn_msg_start_stage){ .job = job,
                                              .fingerprint = zn_digest_bytes(digest),
                                              .name = zn_bytes_of_text("range"),
                                              .task_count = tasks,
                                              .body = zn_digest_bytes(digest) };
    return start;
}

static zn_message open_message(const zn_digest *digest) {
    zn_message open = { .number = ZN_MSG_OPEN_JOB };
    open.open_job.name = zn_bytes_of_text("scale");
    open.open_job.fingerprint = zn_digest_bytes(digest);
    open.open_job.no_backups = 1; /* which would depend on the time */
    return open;
}

static zn_message put_message(uint64_t job, const zn_digest *digest) {
    zn_message put = { .number = ZN_MSG_PUT_BLOB };
    put.put_blob = (zn_msg_put_blob){ .job = job,
                                      .digest = zn_digest_bytes(digest),
                                      .size = sizeof body_text,
                                      .bytes = { (const uint8_t *)body_text, sizeof body_text } };
    return put;
}

static void run_job(scene *s, uint64_t tasks) {
    zn_digest digest = zn_digest_of((zn_bytes){ (const uint8_t *)body_text, sizeof body_text });
    uint64_t job = call(s, open_message(&digest), ZN_MSG_JOB_OPENED)->job_opened.job;
    call(s, put_message(job, &digest), ZN_MSG_BLOB_STORED);
    call(s, start_message(job, &digest, tasks), ZN_MSG_STAGE_STARTED);
    serve_all(s);
    zn_message get = { .number = ZN_MSG_GET_STATUS };
    get.get_status.job = job;
    const zn_message *status = call(s, get, ZN_MSG_STATUS);
    require(status->status.state == ZN_STAGE_COMPLETE && status->status.completed == tasks,
            "tasks are left");
    collect(s, job, tasks);
    zn_message end = { .number = ZN_MSG_CLOSE_JOB };
    end.close_job.job = job;
    call(s, end, ZN_MSG_JOB_CLOSING);
    serve_all(s);
    require(call(s, end, ZN_MSG_JOB_CLOSING)->job_closing.waiting == 0, "a worker keeps the job");
}

/* ---- the program ---- */

static void join(scene *s, size_t worker) {
    uint32_t index = (uint32_t)worker;
    s->peers[worker].address.len = 5;
    memcpy(&s->peers[worker].address.id[1], &index, sizeof index);
    zn_message hello = { .number = ZN_MSG_HELLO };
    hello.hello = (zn_msg_hello){ .request = 1,
                                  .role = ZN_ROLE_WORKER,
                                  .host = zn_bytes_of_text("host"),
                                  .pid = 100 + worker,
                                  .slots = 2,
                                  .data = zn_bytes_of_text("tcp://127.0.0.1:1"),
                                  .machine = zn_bytes_of_text("machine") };
    s->peers[worker].epoch = 500 + worker; /* where HELLO has the client */
    post(s, worker, &hello);
}

static int measure_stage(size_t workers, uint64_t credit, uint64_t tasks, uint64_t times) {
    require(credit <= CREDIT_MAX, "that is too much credit");
    scene s = { .decoder = zn_decoder_new(), .peer_count = workers, .credit = credit };
    zn_scheduler_config config = { .cluster = 9,
                                   .first_job = 1,
                                   .first_epoch = 1000,
                                   .heartbeat_ms = 1000,
                                   .lost_ms = 3600000,
                                   .blob_bytes_max = ZN_MIB };
    s.scheduler = zn_scheduler_new(&config, zn_clock_ns());
    zn_control_endpoints endpoints = { "inproc://w", "inproc://b", "inproc://e" };
    s.control = zn_control_new(s.scheduler, &endpoints);
    s.peers = zn_calloc(workers, sizeof *s.peers);
    for (size_t i = 0; i < workers; i++) {
        join(&s, i);
    }
    serve_all(&s);
    s.seconds = 0;
    for (uint64_t i = 0; i < times; i++) {
        run_job(&s, tasks);
    }
    printf("{\"seconds\": %.9f, \"tasks\": %" PRIu64 ", \"messages\": %" PRIu64 "}\n", s.seconds,
           tasks * times, s.batches);
    free(s.peers);
    free(s.parcels);
    zn_buf_free(&s.mail);
    zn_buf_free(&s.wire);
    zn_decoder_destroy(&s.decoder);
    zn_control_destroy(&s.control);
    zn_scheduler_destroy(&s.scheduler);
    return 0;
}

static const zn_message *ask(zn_control_client *client, zn_message message,
                             zn_message_number expected) {
    zn_call call = { .request = &message, .expected = expected };
    const zn_message *reply = NULL;
    zonda_error error = { 0 };
    require(zn_control_client_call(client, &call, &reply, &error) == ZONDA_OK, error.text);
    return reply;
}

static int measure_start(const char *endpoint, uint64_t tasks) {
    zonda_error error = { 0 };
    zn_control_client *client = zn_control_client_new(endpoint, NULL, &error);
    require(client != NULL, error.text);
    zn_digest digest = zn_digest_of((zn_bytes){ (const uint8_t *)body_text, sizeof body_text });
    uint64_t job = ask(client, open_message(&digest), ZN_MSG_JOB_OPENED)->job_opened.job;
    ask(client, put_message(job, &digest), ZN_MSG_BLOB_STORED);
    uint64_t start_ns = zn_clock_ns();
    const zn_message *reply = ask(client, start_message(job, &digest, tasks), ZN_MSG_STAGE_STARTED);
    uint64_t spent_ns = zn_clock_ns() - start_ns;
    require(reply->stage_started.total == tasks, "the stage has other tasks");
    zn_message end = { .number = ZN_MSG_CLOSE_JOB };
    end.close_job.job = job;
    ask(client, end, ZN_MSG_JOB_CLOSING);
    zn_control_client_destroy(&client);
    printf("{\"seconds\": %.9f}\n", (double)spent_ns / (double)ZN_NS_PER_S);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 6 && strcmp(argv[1], "stage") == 0) {
        return measure_stage(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10),
                             strtoull(argv[4], NULL, 10), strtoull(argv[5], NULL, 10));
    }
    if (argc == 4 && strcmp(argv[1], "start") == 0) {
        return measure_start(argv[2], strtoull(argv[3], NULL, 10));
    }
    fprintf(stderr, "usage: scale stage WORKERS CREDIT TASKS TIMES\n"
                    "       scale start ENDPOINT TASKS\n");
    return 2;
}
