/* SPDX-License-Identifier: MPL-2.0 */
/* The coordinator with its sockets: a driver and a worker made of bare channels, garbage and frames
 * of other versions on every socket, connections that close. Over inproc, ipc and tcp. */
#include "test.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "coordinator/coordinator.h"
#include "wire/channel.h"
#include "wire/frame.h"

#include <zmq.h>

enum {
    PATIENCE_MS = 10000
};

typedef struct cluster {
    zn_coordinator *coordinator;
    zn_channel *control;
    char *work;
    char *blobs;
    char *events;
    uint64_t request;
} cluster;

static zn_message receive(zn_channel *channel) {
    zn_message message;
    zonda_error error;
    bool got = false;
    zn_poll_item item = { .kind = ZN_POLL_CHANNEL, .channel = channel };
    uint64_t end = zn_clock_ns() + PATIENCE_MS * ZN_NS_PER_MS;
    while (!got) {
        assert_true(zn_clock_ns() < end);
        zn_poll(&item, 1, PATIENCE_MS);
        assert_ok(zn_channel_recv(channel, NULL, &message, &got, &error), error);
    }
    return message;
}

/* The next message that is not a heartbeat. */
static zn_message receive_news(zn_channel *channel) {
    zn_message message;
    do {
        message = receive(channel);
    } while (message.number == ZN_MSG_HEARTBEAT);
    return message;
}

static void send_message(zn_channel *channel, const zn_message *message) {
    zonda_error error;
    zonda_err err = zn_channel_send(channel, NULL, message, &error);
    uint64_t end = zn_clock_ns() + PATIENCE_MS * ZN_NS_PER_MS;
    while (err == ZONDA_ERR_UNREACHABLE && zn_clock_ns() < end) {
        zn_poll(NULL, 0, 1); /* not connected yet */
        err = zn_channel_send(channel, NULL, message, &error);
    }
    assert_ok(err, error);
}

static zn_message call(cluster *c, zn_message message) {
    uint64_t *ids = &message.open_job.client;
    ids[0] = 42;
    ids[1] = ++c->request;
    send_message(c->control, &message);
    return receive(c->control);
}

static char *text_of(zn_bytes bytes) {
    return zn_strndup((const char *)bytes.data, bytes.len);
}

static zn_channel *connect_to(zn_channel_kind kind, const char *endpoint) {
    zonda_error error;
    zn_channel *channel = zn_channel_connect(kind, endpoint, &error);
    if (channel == NULL) {
        fail_msg("%s", error.text);
    }
    return channel;
}

static cluster open_cluster(const char *bind) {
    zonda_error error;
    cluster c = { 0 };
    /* Long times: what closes must be found by its connection, neither by silence nor by a
     * heartbeat. Only inproc connections close without a sign and need the next heartbeat. */
    bool silent = strncmp(bind, "inproc", 6) == 0;
    zn_coordinator_options options = { .bind = bind,
                                       .heartbeat_ms = silent ? 100 : 60000,
                                       .lost_ms = 60000 };
    c.coordinator = zn_coordinator_start(&options, &error);
    if (c.coordinator == NULL) {
        fail_msg("%s", error.text);
    }
    c.control = connect_to(ZN_CHANNEL_REQ, zn_coordinator_endpoint(c.coordinator));
    zn_message hello = { .number = ZN_MSG_HELLO };
    zn_message reply = call(&c, hello);
    assert_int_equal(reply.number, ZN_MSG_ENDPOINTS);
    assert_int_not_equal(reply.endpoints.cluster, 0);
    c.work = text_of(reply.endpoints.work);
    c.blobs = text_of(reply.endpoints.blobs);
    c.events = text_of(reply.endpoints.events);
    return c;
}

static void close_cluster(cluster *c) {
    zn_channel_destroy(&c->control);
    zn_coordinator_stop(&c->coordinator);
    zn_coordinator_stop(&c->coordinator);
    free(c->work);
    free(c->blobs);
    free(c->events);
}

/* Registers a worker and gives credit; returns its epoch. */
static uint64_t join(zn_channel *work, uint64_t client, uint64_t credit) {
    zn_message hello = { .number = ZN_MSG_HELLO };
    hello.hello = (zn_msg_hello){ .client = client,
                                  .request = 1,
                                  .role = ZN_ROLE_WORKER,
                                  .host = zn_bytes_of_text("here"),
                                  .slots = credit };
    send_message(work, &hello);
    zn_message reply = receive(work);
    assert_int_equal(reply.number, ZN_MSG_WELCOME);
    uint64_t epoch = reply.welcome.epoch;
    zn_message message = { .number = ZN_MSG_CREDIT };
    message.credit = (zn_msg_credit){ .epoch = epoch, .tasks = credit };
    send_message(work, &message);
    return epoch;
}

static uint64_t open_job(cluster *c, zn_digest *body, uint64_t tasks) {
    zn_bytes bytes = zn_bytes_of_text("body");
    *body = zn_digest_of(bytes);
    zn_message open = { .number = ZN_MSG_OPEN_JOB };
    open.open_job.fingerprint = zn_digest_bytes(body);
    uint64_t job = call(c, open).job_opened.job;
    assert_int_not_equal(job, 0);
    zn_message put = { .number = ZN_MSG_PUT_BLOB };
    put.put_blob = (zn_msg_put_blob){
        .job = job, .digest = zn_digest_bytes(body), .size = bytes.len, .bytes = bytes
    };
    assert_int_equal(call(c, put).blob_stored.received, bytes.len);
    zn_message start = { .number = ZN_MSG_START_STAGE };
    start.start_stage = (zn_msg_start_stage){ .job = job,
                                              .fingerprint = zn_digest_bytes(body),
                                              .task_count = tasks,
                                              .body = zn_digest_bytes(body) };
    zn_message reply = call(c, start);
    assert_int_equal(reply.number, ZN_MSG_STAGE_STARTED);
    assert_int_equal(reply.stage_started.total, tasks);
    return job;
}

/* A blob comes back over the blobs socket, and so does a page of results. */
static void check_bulk(const cluster *c, zn_digest body, uint64_t job) {
    zn_channel *blobs = connect_to(ZN_CHANNEL_DEALER, c->blobs);
    zn_message get = { .number = ZN_MSG_GET_BLOB };
    get.get_blob.digest = zn_digest_bytes(&body);
    send_message(blobs, &get);
    zn_message reply = receive(blobs);
    assert_int_equal(reply.number, ZN_MSG_BLOB);
    assert_true(zn_bytes_equal(reply.blob.bytes, zn_bytes_of_text("body")));
    zn_message collect = { .number = ZN_MSG_COLLECT_RESULTS };
    collect.collect_results = (zn_msg_collect_results){ .request = 3, .job = job, .first = 1 };
    send_message(blobs, &collect);
    reply = receive(blobs);
    assert_int_equal(reply.number, ZN_MSG_RESULTS);
    assert_int_equal(reply.results.request, 3);
    assert_int_equal(reply.results.results_count, 1);
    assert_int_equal(reply.results.results[0].count, 2);
    collect.collect_results.stage = 1;
    send_message(blobs, &collect);
    reply = receive(blobs);
    assert_int_equal(reply.number, ZN_MSG_REFUSAL);
    assert_int_equal(reply.refusal.failure[0].code, ZONDA_ERR_UNKNOWN_STAGE);
    zn_channel_destroy(&blobs);
}

static void close_job(cluster *c, zn_channel *work, uint64_t epoch, uint64_t job) {
    zn_message close = { .number = ZN_MSG_CLOSE_JOB };
    close.close_job.job = job;
    assert_int_equal(call(c, close).job_closing.waiting, 1);
    zn_message done = receive_news(work);
    assert_int_equal(done.number, ZN_MSG_DONE);
    assert_int_equal(done.done.job, job);
    zn_message answer = { .number = ZN_MSG_DONE };
    answer.done = (zn_msg_done){ .epoch = epoch, .job = job };
    send_message(work, &answer);
    while (call(c, close).job_closing.waiting > 0) {
    }
}

/* One job from HELLO to the last DONE. */
static void run_whole_job(const char *bind) {
    cluster c = open_cluster(bind);
    zn_channel *events = connect_to(ZN_CHANNEL_SUB, c.events);
    zn_channel *work = connect_to(ZN_CHANNEL_DEALER, c.work);
    uint64_t epoch = join(work, 9, 10);
    zn_digest body;
    uint64_t job = open_job(&c, &body, 3);
    zn_message task = receive_news(work);
    assert_int_equal(task.number, ZN_MSG_TASK);
    assert_int_equal(task.task.job, job);
    assert_int_equal(task.task.runs_count, 1);
    assert_int_equal(task.task.runs[0].count, 3);
    zn_outcome outcome = { .count = 3, .attempt = 1, .records_out = 1 };
    zn_message result = { .number = ZN_MSG_RESULT };
    result.outcomes = (zn_msg_outcomes){
        .epoch = epoch, .sequence = 1, .job = job, .outcomes = &outcome, .outcomes_count = 1
    };
    send_message(work, &result);
    zn_message get = { .number = ZN_MSG_GET_STATUS };
    get.get_status.job = job;
    while (call(&c, get).status.state == ZN_STAGE_RUNNING) {
    }
    zn_message status = call(&c, get);
    assert_int_equal(status.status.state, ZN_STAGE_COMPLETE);
    assert_int_equal(status.status.records_out, 3);
    check_bulk(&c, body, job);
    close_job(&c, work, epoch, job);
    zn_channel_destroy(&events);
    zn_channel_destroy(&work);
    close_cluster(&c);
}

/* A whole job over inproc. */
static void test_coordinator_inproc_runs_job(void **state) {
    (void)state;
    run_whole_job("inproc://test-coordinator");
}

/* A whole job over tcp on a port that the system chose. */
static void test_coordinator_tcp_runs_job(void **state) {
    (void)state;
    run_whole_job("tcp://127.0.0.1:*");
}

/* A whole job over ipc. */
static void test_coordinator_ipc_runs_job(void **state) {
    (void)state;
    char folder[] = "/tmp/zonda-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char *bind = zn_format("ipc://%s/c", folder);
    run_whole_job(bind);
    free(bind);
    rmdir(folder);
}

/* Sends raw bytes on a socket of its own; the REQ form also waits for the reply. */
static void send_raw(int type, const char *endpoint, const void *data, size_t len, zn_buf *reply) {
    void *context = zmq_ctx_new();
    void *socket = zmq_socket(context, type);
    int linger = PATIENCE_MS;
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof(linger));
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &linger, sizeof(linger));
    assert_int_equal(zmq_connect(socket, endpoint), 0);
    assert_int_equal(zmq_send(socket, data, len, 0), len);
    if (reply != NULL) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        assert_true(zmq_msg_recv(&part, socket, 0) >= 0);
        zn_buf_append(reply, zmq_msg_data(&part), zmq_msg_size(&part));
        zmq_msg_close(&part);
    }
    zmq_close(socket);
    zmq_ctx_term(context);
}

/* The code of the REFUSAL in a frame. */
static zonda_err refusal_code(const zn_buf *frame) {
    zonda_error error;
    zn_framer *framer = zn_framer_new();
    zn_decoder *decoder = zn_decoder_new();
    zn_bytes raw;
    zn_message message;
    assert_ok(zn_framer_unpack(framer, zn_buf_bytes(frame), &raw, &error), error);
    assert_ok(zn_decoder_decode(decoder, raw, &message, &error), error);
    assert_int_equal(message.number, ZN_MSG_REFUSAL);
    zonda_err code = zn_err_from_number(message.refusal.failure[0].code);
    zn_decoder_destroy(&decoder);
    zn_framer_destroy(&framer);
    return code;
}

/* A HELLO in a frame that claims another protocol version. */
static void frame_of_other_version(zn_buf *frame) {
    zn_framer *framer = zn_framer_new();
    zn_buf raw = { 0 };
    zn_message hello = { .number = ZN_MSG_HELLO };
    zn_message_encode(&hello, &raw);
    zn_framer_pack(framer, zn_buf_bytes(&raw), frame);
    frame->data[4] = ZN_PROTOCOL_VERSION + 1;
    zn_buf_free(&raw);
    zn_framer_destroy(&framer);
}

/* Garbage on every socket: control refuses it, nothing else happens, and all go on answering. */
static void test_coordinator_garbage_is_survived(void **state) {
    (void)state;
    cluster c = open_cluster("tcp://127.0.0.1:*");
    static const char garbage[] = "GET / HTTP/1.1\r\n\r\n and some more bytes than a header has";
    for (size_t len = 0; len < sizeof(garbage); len += 7) {
        zn_buf reply = { 0 };
        send_raw(ZMQ_REQ, zn_coordinator_endpoint(c.coordinator), garbage, len, &reply);
        assert_int_equal(refusal_code(&reply), ZONDA_ERR_PROTOCOL);
        zn_buf_free(&reply);
        send_raw(ZMQ_DEALER, c.work, garbage, len, NULL);
        send_raw(ZMQ_DEALER, c.blobs, garbage, len, NULL);
    }
    zn_channel *work = connect_to(ZN_CHANNEL_DEALER, c.work);
    join(work, 9, 1);
    zn_digest body;
    uint64_t job = open_job(&c, &body, 1);
    assert_int_equal(receive_news(work).task.job, job);
    zn_channel_destroy(&work);
    close_cluster(&c);
}

/* A peer of another version is told so on every socket that can answer. */
static void test_coordinator_other_version_is_refused(void **state) {
    (void)state;
    cluster c = open_cluster("tcp://127.0.0.1:*");
    zn_buf frame = { 0 };
    frame_of_other_version(&frame);
    const char *endpoints[] = { zn_coordinator_endpoint(c.coordinator), c.work, c.blobs };
    for (size_t i = 0; i < 3; i++) {
        zn_buf reply = { 0 };
        send_raw(i == 0 ? ZMQ_REQ : ZMQ_DEALER, endpoints[i], frame.data, frame.len, &reply);
        assert_int_equal(refusal_code(&reply), ZONDA_ERR_VERSION);
        zn_buf_free(&reply);
    }
    zn_buf_free(&frame);
    close_cluster(&c);
}

/* A worker whose connection closes is lost long before its silence would show. */
static void check_closed_worker_is_lost(const char *bind) {
    cluster c = open_cluster(bind);
    zn_channel *first = connect_to(ZN_CHANNEL_DEALER, c.work);
    zn_channel *second = connect_to(ZN_CHANNEL_DEALER, c.work);
    join(first, 1, 5);
    zn_digest body;
    uint64_t job = open_job(&c, &body, 5);
    assert_int_equal(receive_news(first).task.runs[0].attempt, 1);
    zn_channel_destroy(&first);
    join(second, 2, 5);
    zn_message task = receive_news(second);
    assert_int_equal(task.number, ZN_MSG_TASK);
    assert_int_equal(task.task.job, job);
    assert_int_equal(task.task.runs[0].count, 5);
    assert_int_equal(task.task.runs[0].attempt, 2);
    zn_channel_destroy(&second);
    close_cluster(&c);
}

static void test_coordinator_closed_tcp_worker_is_lost(void **state) {
    (void)state;
    check_closed_worker_is_lost("tcp://127.0.0.1:*");
}

static void test_coordinator_closed_inproc_worker_is_lost(void **state) {
    (void)state;
    check_closed_worker_is_lost("inproc://test-lost");
}

/* Stopping tells the workers that the cluster ends. */
static void test_coordinator_stop_tells_workers(void **state) {
    (void)state;
    cluster c = open_cluster("tcp://127.0.0.1:*");
    zn_channel *work = connect_to(ZN_CHANNEL_DEALER, c.work);
    uint64_t epoch = join(work, 1, 5);
    close_cluster(&c);
    zn_message done = receive_news(work);
    assert_int_equal(done.number, ZN_MSG_DONE);
    assert_int_equal(done.done.scope, ZN_DONE_ALL);
    assert_int_equal(done.done.epoch, epoch);
    zn_channel_destroy(&work);
}

/* Events are sent when a stage ends. */
static void test_coordinator_stage_end_is_event(void **state) {
    (void)state;
    cluster c = open_cluster("inproc://test-events");
    zn_channel *events = connect_to(ZN_CHANNEL_SUB, c.events);
    zn_channel *work = connect_to(ZN_CHANNEL_DEALER, c.work);
    uint64_t epoch = join(work, 9, 10);
    zn_poll_item item = { .kind = ZN_POLL_CHANNEL, .channel = events };
    zn_digest body;
    uint64_t sequence = 0;
    uint64_t job;
    do { /* a subscription takes a moment to arrive */
        job = open_job(&c, &body, 1);
        assert_int_equal(receive_news(work).number, ZN_MSG_TASK);
        zn_outcome outcome = { .count = 1, .attempt = 1 };
        zn_message result = { .number = ZN_MSG_RESULT };
        result.outcomes = (zn_msg_outcomes){ .epoch = epoch,
                                             .sequence = ++sequence,
                                             .job = job,
                                             .outcomes = &outcome,
                                             .outcomes_count = 1 };
        send_message(work, &result);
        assert_true(sequence < 1000);
    } while (zn_poll(&item, 1, 20) == 0);
    zn_message event = receive(events);
    assert_int_equal(event.number, ZN_MSG_EVENT);
    assert_int_equal(event.event.stage, 0);
    zn_channel_destroy(&events);
    zn_channel_destroy(&work);
    close_cluster(&c);
}

/* A bind that others can reach needs to be asked for by name. */
static void test_coordinator_open_bind_needs_insecure(void **state) {
    (void)state;
    zonda_error error;
    zn_coordinator_options options = { .bind = "tcp://0.0.0.0:*" };
    assert_null(zn_coordinator_start(&options, &error));
    assert_err(error.code, REFUSED);
    assert_non_null(strstr(error.text, "--insecure"));
    options.insecure = true;
    options.advertise = "198.51.100.7";
    zn_coordinator *coordinator = zn_coordinator_start(&options, &error);
    assert_non_null(coordinator);
    assert_memory_equal(zn_coordinator_endpoint(coordinator), "tcp://198.51.100.7:", 19);
    zn_coordinator_stop(&coordinator);
}

/* What cannot be bound is an error that names the endpoint. */
static void test_coordinator_wrong_bind_is_error(void **state) {
    (void)state;
    zonda_error error;
    zn_coordinator_options options = { .bind = "carrier-pigeon://x" };
    assert_null(zn_coordinator_start(&options, &error));
    assert_err(error.code, INVALID);
    options.bind = "tcp://127.0.0.1:*";
    options.heartbeat_ms = 3600001;
    assert_null(zn_coordinator_start(&options, &error));
    assert_err(error.code, INVALID);
    options.heartbeat_ms = 0;
    zn_coordinator *first = zn_coordinator_start(&options, &error);
    assert_non_null(first);
    options.bind = zn_coordinator_endpoint(first);
    assert_null(zn_coordinator_start(&options, &error));
    assert_err(error.code, IO);
    assert_non_null(strstr(error.text, options.bind));
    zn_coordinator_stop(&first);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coordinator_inproc_runs_job),
        cmocka_unit_test(test_coordinator_tcp_runs_job),
        cmocka_unit_test(test_coordinator_ipc_runs_job),
        cmocka_unit_test(test_coordinator_garbage_is_survived),
        cmocka_unit_test(test_coordinator_other_version_is_refused),
        cmocka_unit_test(test_coordinator_closed_tcp_worker_is_lost),
        cmocka_unit_test(test_coordinator_closed_inproc_worker_is_lost),
        cmocka_unit_test(test_coordinator_stop_tells_workers),
        cmocka_unit_test(test_coordinator_stage_end_is_event),
        cmocka_unit_test(test_coordinator_open_bind_needs_insecure),
        cmocka_unit_test(test_coordinator_wrong_bind_is_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
