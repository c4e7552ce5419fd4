/* SPDX-License-Identifier: MPL-2.0 */
/* Answers a worker as a coordinator would, as far as tests of a worker need it. It never checks
 * more than sequences and epochs; the tests look at what it has kept. */
#include "fake_cluster.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "record/value.h"
#include "wire/endpoint.h"

enum {
    WAIT_MS_MAX = 30000,
    POLL_MS = 5
};

static zn_channel *bind_channel(zn_channel_kind kind, const char *endpoint) {
    zonda_error error = { 0 };
    zn_channel *channel = zn_channel_bind(kind, endpoint, &error);
    if (channel == NULL) {
        fail_msg("%s", error.text);
    }
    return channel;
}

static zn_channel *bind_sibling(const fake_cluster *fake, const char *suffix) {
    char *endpoint = zn_endpoint_sibling(fake_cluster_endpoint(fake), suffix);
    zn_channel *channel = bind_channel(ZN_CHANNEL_ROUTER, endpoint);
    free(endpoint);
    return channel;
}

fake_cluster *fake_cluster_open(const char *control) {
    fake_cluster *fake = ZN_NEW(fake_cluster);
    fake->control = bind_channel(ZN_CHANNEL_REP, control);
    fake->work = bind_sibling(fake, "work");
    fake->blobs = bind_sibling(fake, "blobs");
    fake->heartbeat_ms = ZN_HEARTBEAT_MS;
    fake->lost_ms = 60000;
    return fake;
}

void fake_cluster_close(fake_cluster **fake) {
    zn_channel_destroy(&(*fake)->blobs);
    zn_channel_destroy(&(*fake)->work);
    zn_channel_destroy(&(*fake)->control);
    for (size_t i = 0; i < (*fake)->blob_count; i++) {
        zn_buf_free(&(*fake)->blob[i]);
    }
    free(*fake);
    *fake = NULL;
}

const char *fake_cluster_endpoint(const fake_cluster *fake) {
    return zn_channel_endpoint(fake->control);
}

zn_digest fake_cluster_put(fake_cluster *fake, zn_bytes bytes) {
    assert_true(fake->blob_count < FAKE_BLOBS_MAX);
    size_t i = fake->blob_count++;
    zn_buf_append(&fake->blob[i], bytes.data, bytes.len);
    fake->digest[i] = zn_digest_of(bytes);
    return fake->digest[i];
}

static void put_range(zn_buf *out, uint64_t n) {
    zn_put_array(out, 2);
    zn_put_text(out, "from_range");
    zn_put_map(out, 1);
    zn_put_text(out, "n");
    zn_put_uint(out, n);
}

static void put_map(zn_buf *out, const char *name) {
    zn_put_array(out, 2);
    zn_put_text(out, "map");
    zn_put_map(out, 1);
    zn_put_text(out, "function");
    zn_put_map(out, 2);
    zn_put_text(out, "kind");
    zn_put_text(out, "c");
    zn_put_text(out, "name");
    zn_put_text(out, name);
}

static void begin_body(zn_buf *body, uint64_t tasks, uint32_t ops) {
    zn_put_map(body, 4);
    zn_put_text(body, "stage");
    zn_put_uint(body, 0);
    zn_put_text(body, "tasks");
    zn_put_uint(body, tasks);
    zn_put_text(body, "ops");
    zn_put_array(body, ops);
}

static zn_digest end_body(fake_cluster *fake, zn_buf *body) {
    zn_put_text(body, "shared");
    zn_put_map(body, 0);
    zn_digest digest = fake_cluster_put(fake, zn_buf_bytes(body));
    zn_buf_free(body);
    return digest;
}

zn_digest fake_cluster_body(fake_cluster *fake, uint64_t n, uint64_t tasks, const char *function) {
    zn_buf body = { 0 };
    begin_body(&body, tasks, function == NULL ? 1 : 2);
    put_range(&body, n);
    if (function != NULL) {
        put_map(&body, function);
    }
    return end_body(fake, &body);
}

zn_digest fake_cluster_sink_body(fake_cluster *fake, const char *function, const char *pattern) {
    zn_buf body = { 0 };
    begin_body(&body, 1, function == NULL ? 2 : 3);
    put_range(&body, 2);
    if (function != NULL) {
        put_map(&body, function);
    }
    zn_put_array(&body, 2);
    zn_put_text(&body, "write_jsonl");
    zn_put_map(&body, 1);
    zn_put_text(&body, "pattern");
    zn_put_text(&body, pattern);
    return end_body(fake, &body);
}

zn_digest fake_cluster_list_body(fake_cluster *fake, uint64_t tasks, zn_digest inputs) {
    zn_buf body = { 0 };
    begin_body(&body, tasks, 1);
    zn_put_array(&body, 2);
    zn_put_text(&body, "from_list");
    zn_put_map(&body, 1);
    zn_put_text(&body, "inputs");
    zn_put_binary(&body, zn_digest_bytes(&inputs));
    return end_body(fake, &body);
}

zn_digest fake_cluster_stage_body(fake_cluster *fake) {
    zn_buf body = { 0 };
    begin_body(&body, 1, 1);
    zn_put_array(&body, 2);
    zn_put_text(&body, "stage");
    zn_put_map(&body, 1);
    zn_put_text(&body, "stage");
    zn_put_uint(&body, 0);
    return end_body(fake, &body);
}

void fake_cluster_send(fake_cluster *fake, const zn_message *message) {
    zonda_error error = { 0 };
    assert_true(fake->present);
    assert_ok(zn_channel_send(fake->work, &fake->peer, message, &error), error);
}

void fake_cluster_give_as(fake_cluster *fake, uint64_t sequence, uint64_t job, zn_digest body,
                          uint64_t first, uint64_t count, uint64_t attempt) {
    zn_run run = { .first = first, .count = count, .attempt = attempt };
    zn_message message = { .number = ZN_MSG_TASK };
    message.task = (zn_msg_task){ .epoch = fake->epoch,
                                  .sequence = sequence,
                                  .job = job,
                                  .body = zn_digest_bytes(&body),
                                  .runs = &run,
                                  .runs_count = 1 };
    fake_cluster_send(fake, &message);
}

void fake_cluster_give(fake_cluster *fake, uint64_t job, zn_digest body, uint64_t first,
                       uint64_t count, uint64_t attempt) {
    fake_cluster_give_as(fake, ++fake->sent, job, body, first, count, attempt);
}

void fake_cluster_done(fake_cluster *fake, uint64_t job) {
    zn_message message = { .number = ZN_MSG_DONE };
    message.done = (zn_msg_done){ .epoch = fake->epoch, .scope = ZN_DONE_JOB, .job = job };
    fake_cluster_send(fake, &message);
}

void fake_cluster_cancel(fake_cluster *fake, uint64_t job) {
    zn_message message = { .number = ZN_MSG_CANCEL };
    message.cancel = (zn_msg_cancel){ .epoch = fake->epoch, .job = job };
    fake_cluster_send(fake, &message);
}

static void reply(zn_channel *channel, const zn_peer *to, const zn_message *message) {
    /* A worker that has gone cannot be told. */
    zn_channel_send(channel, to, message, NULL);
}

static void answer_control(fake_cluster *fake, const zn_message *message) {
    assert_int_equal(message->number, ZN_MSG_HELLO);
    fake->lookups += 1;
    zn_message answer = { .number = ZN_MSG_ENDPOINTS };
    zonda_error error = { 0 };
    zn_failure failure;
    if (fake->refuse_version) {
        zn_error_set(&error, ZONDA_ERR_VERSION, "version 7 is spoken here");
        zn_failure_from_error(&error, &failure);
        answer.number = ZN_MSG_REFUSAL;
        answer.refusal = (zn_msg_refusal){ .request = message->hello.request,
                                           .failure = &failure,
                                           .failure_count = 1 };
    } else {
        answer.endpoints = (zn_msg_endpoints){
            .request = message->hello.request,
            .cluster = 1,
            .work = zn_bytes_of_text(zn_channel_endpoint(fake->work)),
            .blobs = zn_bytes_of_text(zn_channel_endpoint(fake->blobs)),
        };
    }
    reply(fake->control, NULL, &answer);
}

static void answer_blob(fake_cluster *fake, const zn_peer *from, const zn_msg_get_blob *wanted) {
    zn_message answer = { .number = ZN_MSG_BLOB };
    answer.blob = (zn_msg_blob){ .digest = wanted->digest };
    for (size_t i = 0; i < fake->blob_count; i++) {
        if (zn_bytes_equal(zn_digest_bytes(&fake->digest[i]), wanted->digest)) {
            size_t left = fake->blob[i].len - (size_t)wanted->offset;
            answer.blob.found = 1;
            answer.blob.size = fake->blob[i].len;
            answer.blob.offset = wanted->offset;
            answer.blob.bytes =
                (zn_bytes){ fake->blob[i].data + wanted->offset,
                            left < ZN_BLOB_CHUNK_BYTES ? left : ZN_BLOB_CHUNK_BYTES };
        }
    }
    reply(fake->blobs, from, &answer);
}

/* Pages of at most a hundred tasks with one record each. */
static void answer_page(fake_cluster *fake, const zn_peer *from,
                        const zn_msg_collect_results *wanted) {
    static const uint8_t record[] = { 0x2a };
    zn_result results[100];
    zn_message answer = { .number = ZN_MSG_RESULTS };
    answer.results = (zn_msg_results){ .request = wanted->request,
                                       .job = wanted->job,
                                       .stage = wanted->stage,
                                       .total = fake->page_total,
                                       .results = results };
    for (uint64_t task = wanted->first; task < fake->page_total; task++) {
        if (answer.results.results_count == 100) {
            break;
        }
        results[answer.results.results_count++] = (zn_result){
            .first = task, .count = 1, .records_out = 1, .records = { record, sizeof record }
        };
    }
    reply(fake->blobs, from, &answer);
}

static void welcome(fake_cluster *fake, const zn_peer *from, const zn_msg_hello *hello) {
    fake->hellos += 1;
    fake->present = true;
    fake->peer = *from;
    fake->epoch = ++fake->epochs;
    fake->sent = 0;
    fake->result_sequence = 0;
    snprintf(fake->data, sizeof fake->data, "%.*s", TEST_TEXT(hello->data));
    zn_message answer = { .number = ZN_MSG_WELCOME };
    answer.welcome = (zn_msg_welcome){ .worker = 1,
                                       .epoch = fake->epoch,
                                       .cluster = 1,
                                       .heartbeat_ms = fake->heartbeat_ms,
                                       .lost_ms = fake->lost_ms };
    reply(fake->work, from, &answer);
}

static void keep_outcome(fake_cluster *fake, const zn_outcome *outcome) {
    for (uint64_t i = 0; i < outcome->count; i++) {
        assert_true(outcome->first + i < FAKE_TASKS_MAX);
        fake_task *task = &fake->tasks[outcome->first + i];
        task->reports += 1;
        task->attempt = outcome->attempt;
        task->records_out = outcome->records_out;
        task->large = outcome->reference_count > 0;
        task->code = outcome->failure_count > 0 ? outcome->failure[0].code : 0;
        task->permanent = outcome->failure_count > 0 && outcome->failure[0].permanent != 0;
        if (outcome->failure_count > 0) {
            snprintf(task->text, sizeof task->text, "%.*s", TEST_TEXT(outcome->failure[0].text));
        }
    }
}

static void keep_result(fake_cluster *fake, const zn_msg_outcomes *result) {
    fake->results += 1;
    if (result->epoch != fake->epoch || result->sequence != fake->result_sequence + 1) {
        fake->bad_results += 1;
        return;
    }
    fake->result_sequence = result->sequence;
    for (size_t i = 0; i < result->outcomes_count; i++) {
        keep_outcome(fake, &result->outcomes[i]);
    }
}

static void grant(fake_cluster *fake, const zn_peer *from, const zn_msg_commit *commit) {
    fake->commits += 1;
    if (fake->hold_commits) {
        return;
    }
    zn_message answer = { .number = ZN_MSG_COMMITTED };
    answer.committed = (zn_msg_committed){ .epoch = commit->epoch,
                                           .job = commit->job,
                                           .stage = commit->stage,
                                           .task = commit->task,
                                           .attempt = commit->attempt,
                                           .granted = 1 };
    reply(fake->work, from, &answer);
}

static void take_work(fake_cluster *fake, const zn_peer *from, const zn_message *message) {
    if (fake->mute) {
        return;
    }
    switch (message->number) {
    case ZN_MSG_HELLO:
        welcome(fake, from, &message->hello);
        break;
    case ZN_MSG_RESULT:
        keep_result(fake, &message->outcomes);
        break;
    case ZN_MSG_HEARTBEAT:
        fake->heartbeats += 1;
        break;
    case ZN_MSG_CREDIT:
        fake->credit = message->credit.tasks;
        break;
    case ZN_MSG_COMMIT:
        grant(fake, from, &message->commit);
        break;
    case ZN_MSG_DONE:
        fake->goodbyes += message->done.scope == ZN_DONE_ALL;
        if (message->done.scope == ZN_DONE_JOB) {
            fake->dones += 1;
            fake->done_job = message->done.job;
        }
        break;
    default:
        fail_msg("the worker sent %s", zn_message_name(message->number));
    }
}

/* Receives one message; false if there is none. */
static bool take(fake_cluster *fake, zn_channel *channel) {
    zonda_error error = { 0 };
    zn_message message;
    zn_peer from;
    bool got = false;
    assert_ok(zn_channel_recv(channel, &from, &message, &got, &error), error);
    if (!got) {
        return false;
    }
    if (channel == fake->control) {
        answer_control(fake, &message);
    } else if (message.number == ZN_MSG_COLLECT_RESULTS) {
        answer_page(fake, &from, &message.collect_results);
    } else if (channel == fake->blobs) {
        fake->blob_requests += 1;
        answer_blob(fake, &from, &message.get_blob);
    } else {
        take_work(fake, &from, &message);
    }
    return true;
}

static void beat(fake_cluster *fake) {
    uint64_t now_ns = zn_clock_ns();
    if (!fake->present || fake->mute ||
        now_ns - fake->beat_ns < fake->heartbeat_ms * ZN_NS_PER_MS) {
        return;
    }
    fake->beat_ns = now_ns;
    zn_message message = { .number = ZN_MSG_HEARTBEAT };
    message.heartbeat = (zn_msg_heartbeat){ .epoch = fake->epoch, .sent = fake->sent };
    reply(fake->work, &fake->peer, &message);
}

static void serve_once(fake_cluster *fake) {
    zn_channel *channels[] = { fake->control, fake->work, fake->blobs };
    zn_poll_item items[3];
    for (int i = 0; i < 3; i++) {
        items[i] = (zn_poll_item){ .kind = ZN_POLL_CHANNEL, .channel = channels[i] };
    }
    zn_poll(items, 3, POLL_MS);
    for (int i = 0; i < 3; i++) {
        while (take(fake, channels[i])) {
        }
    }
    beat(fake);
}

void fake_cluster_until(fake_cluster *fake, const char *what, fake_condition *until,
                        uint64_t value) {
    uint64_t start_ns = zn_clock_ns();
    while (!until(fake, value)) {
        if (zn_clock_ns() - start_ns > WAIT_MS_MAX * ZN_NS_PER_MS) {
            fail_msg("waited in vain: %s", what);
        }
        serve_once(fake);
    }
}

void fake_cluster_serve(fake_cluster *fake, int ms) {
    uint64_t start_ns = zn_clock_ns();
    while (zn_clock_ns() - start_ns < (uint64_t)ms * ZN_NS_PER_MS) {
        serve_once(fake);
    }
}

bool fake_is_registered(const fake_cluster *fake, uint64_t epochs) {
    return fake->epochs >= epochs && fake->credit > 0;
}

bool fake_has_reports(const fake_cluster *fake, uint64_t count) {
    uint64_t reports = 0;
    for (size_t i = 0; i < FAKE_TASKS_MAX; i++) {
        reports += fake->tasks[i].reports > 0;
    }
    return reports >= count;
}

bool fake_has_done(const fake_cluster *fake, uint64_t job) {
    return fake->dones > 0 && fake->done_job == job;
}

bool fake_has_goodbye(const fake_cluster *fake, uint64_t unused) {
    (void)unused;
    return fake->goodbyes > 0;
}
