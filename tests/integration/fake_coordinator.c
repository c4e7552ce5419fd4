/* SPDX-License-Identifier: MPL-2.0 */
/* A scripted coordinator on a plain ROUTER socket: unlike REP it can be late, silent or lose a
 * reply. Runs on a thread; a PAIR socket stops it. */
#include "integration/fake_coordinator.h"

#include <pthread.h>
#include <stdatomic.h>
#include <zmq.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "record/value.h"
#include "wire/frame.h"
#include "wire/handover.h"
#include "wire/message.h"

enum {
    LATE_MS = 300,
    ENVELOPE_PARTS = 3,
    JOB = 7
};

/* A request's way back: routing id, correlation id, empty delimiter. */
typedef struct envelope {
    zmq_msg_t parts[ENVELOPE_PARTS];
} envelope;

struct fake_coordinator {
    fake_fault fault;
    void *context;
    void *router;
    void *stop;
    void *stopper;
    pthread_t thread;
    char endpoint[256];
    zn_framer *framer;
    zn_decoder *decoder;
    uint64_t task_count;
    uint64_t start_request;
    bool start_answered;
    bool late; /* a START_STAGE waits for its time */
    uint64_t late_at_ns;
    envelope late_envelope;
    zn_msg_start_stage late_start;
    atomic_uint starts;
    atomic_uint distinct_starts;
    atomic_uint early_polls;
};

static void send_frame(fake_coordinator *fake, envelope *to, zn_bytes frame) {
    for (size_t i = 0; i < ENVELOPE_PARTS; i++) {
        zmq_msg_t copy;
        zmq_msg_init(&copy);
        zmq_msg_copy(&copy, &to->parts[i]);
        zmq_msg_send(&copy, fake->router, ZMQ_SNDMORE);
    }
    zmq_send(fake->router, frame.data, frame.len, 0);
}

static void reply(fake_coordinator *fake, envelope *to, const zn_message *message) {
    zn_buf raw = { 0 };
    zn_buf frame = { 0 };
    zn_message_encode(message, &raw);
    zn_framer_pack(fake->framer, zn_buf_bytes(&raw), &frame);
    if (fake->fault == FAKE_OTHER_VERSION) {
        frame.data[4] = 99;
    } else if (fake->fault == FAKE_GARBAGE) {
        memset(frame.data, 0x5a, frame.len);
    }
    if (fake->fault != FAKE_SILENT) {
        send_frame(fake, to, zn_buf_bytes(&frame));
    }
    zn_buf_free(&raw);
    zn_buf_free(&frame);
}

static void reply_started(fake_coordinator *fake, envelope *to, const zn_msg_start_stage *start) {
    fake->start_answered = true;
    fake->task_count = start->task_count;
    uint64_t total = start->task_count + (fake->fault == FAKE_START_OTHER_TOTAL);
    reply(fake, to,
          &(zn_message){ .number = ZN_MSG_STAGE_STARTED,
                         .stage_started = { start->request, start->job, start->stage, total, 0 } });
}

static void on_start(fake_coordinator *fake, envelope *to, const zn_msg_start_stage *start) {
    unsigned seen = atomic_fetch_add(&fake->starts, 1);
    if (start->request != fake->start_request) {
        atomic_fetch_add(&fake->distinct_starts, 1);
        fake->start_request = start->request;
    }
    if (fake->fault == FAKE_START_UNANSWERED) {
        return;
    }
    if (fake->fault == FAKE_START_LATE && !fake->start_answered) {
        if (!fake->late) {
            fake->late = true;
            fake->late_at_ns = zn_clock_ns() + LATE_MS * ZN_NS_PER_MS;
            fake->late_start = *start;
            for (size_t i = 0; i < ENVELOPE_PARTS; i++) {
                zmq_msg_init(&fake->late_envelope.parts[i]);
                zmq_msg_copy(&fake->late_envelope.parts[i], &to->parts[i]);
            }
        }
        return;
    }
    if (fake->fault == FAKE_START_REPLY_LOST && seen == 0) {
        return;
    }
    reply_started(fake, to, start);
}

static void on_status(fake_coordinator *fake, envelope *to, const zn_msg_get_status *get) {
    if (!fake->start_answered) {
        atomic_fetch_add(&fake->early_polls, 1);
    }
    zn_message message = { .number = ZN_MSG_STATUS,
                           .status = { .request = get->request,
                                       .job = get->job,
                                       .stage = get->stage,
                                       .state = ZN_STAGE_COMPLETE,
                                       .total = fake->task_count,
                                       .completed = fake->task_count,
                                       .workers = 1 } };
    zn_failure failure = { .code = ZONDA_ERR_UNKNOWN_STAGE, .text = zn_bytes_of_text("no stage") };
    switch (fake->fault) {
    case FAKE_STATUS_ZEROS:
        message.status.total = message.status.completed = 0;
        break;
    case FAKE_STATUS_OTHER_TOTAL:
        message.status.total = message.status.completed = fake->task_count - 1;
        break;
    case FAKE_STATUS_OTHER_STAGE:
        message.status.stage++;
        break;
    case FAKE_STATUS_UNKNOWN:
        message = (zn_message){
            .number = ZN_MSG_REFUSAL,
            .refusal = { .request = get->request, .failure = &failure, .failure_count = 1 }
        };
        break;
    default:
        break;
    }
    reply(fake, to, &message);
}

static void on_collect(fake_coordinator *fake, envelope *to,
                       const zn_msg_collect_results *collect) {
    size_t count = (size_t)(fake->task_count - collect->first);
    zn_result *results = zn_calloc(count, sizeof *results);
    uint8_t *records = zn_calloc(count, 1);
    for (size_t i = 0; i < count; i++) {
        records[i] = (uint8_t)(collect->first + i); /* a positive fixint */
        results[i] = (zn_result){
            .first = collect->first + i, .count = 1, .records_out = 1, .records = { &records[i], 1 }
        };
    }
    reply(fake, to,
          &(zn_message){ .number = ZN_MSG_RESULTS,
                         .results = { .request = collect->request,
                                      .job = collect->job,
                                      .stage = collect->stage,
                                      .total = fake->task_count,
                                      .results = results,
                                      .results_count = count } });
    free(results);
    free(records);
}

static void answer(fake_coordinator *fake, envelope *to, const zn_message *message) {
    zn_bytes nowhere = zn_bytes_of_text("tcp://127.0.0.1:9");
    switch (message->number) {
    case ZN_MSG_HELLO:
        reply(
            fake, to,
            &(zn_message){ .number = ZN_MSG_ENDPOINTS,
                           .endpoints = { message->hello.request, 1, nowhere, nowhere, nowhere } });
        break;
    case ZN_MSG_OPEN_JOB:
        reply(fake, to,
              &(zn_message){ .number = ZN_MSG_JOB_OPENED,
                             .job_opened = { .request = message->open_job.request, .job = JOB } });
        break;
    case ZN_MSG_PUT_BLOB:
        reply(
            fake, to,
            &(zn_message){ .number = ZN_MSG_BLOB_STORED,
                           .blob_stored = { message->put_blob.request, message->put_blob.size } });
        break;
    case ZN_MSG_START_STAGE:
        on_start(fake, to, &message->start_stage);
        break;
    case ZN_MSG_GET_STATUS:
        on_status(fake, to, &message->get_status);
        break;
    case ZN_MSG_COLLECT_RESULTS:
        on_collect(fake, to, &message->collect_results);
        break;
    case ZN_MSG_CANCEL_JOB:
    case ZN_MSG_CLOSE_JOB:
        /* Both begin with the same fields. */
        reply(fake, to,
              &(zn_message){ .number = ZN_MSG_JOB_CLOSING,
                             .job_closing = { message->close_job.request, JOB, 0 } });
        break;
    default:
        break;
    }
}

static void serve_one(fake_coordinator *fake) {
    envelope from;
    for (size_t i = 0; i < ENVELOPE_PARTS; i++) {
        zmq_msg_init(&from.parts[i]);
        zmq_msg_recv(&from.parts[i], fake->router, 0);
    }
    zmq_msg_t body;
    zmq_msg_init(&body);
    zmq_msg_recv(&body, fake->router, 0);
    zn_bytes raw = { 0 };
    zn_message message;
    zonda_error error = { 0 };
    zn_bytes frame = { zmq_msg_data(&body), zmq_msg_size(&body) };
    ZN_HANDOVER_TAKE(zmq_msg_data(&body));
    if (zn_framer_unpack(fake->framer, frame, &raw, &error) == ZONDA_OK &&
        zn_decoder_decode(fake->decoder, raw, &message, &error) == ZONDA_OK) {
        answer(fake, &from, &message);
    }
    zmq_msg_close(&body);
    for (size_t i = 0; i < ENVELOPE_PARTS; i++) {
        zmq_msg_close(&from.parts[i]);
    }
}

static void send_late(fake_coordinator *fake) {
    fake->late = false;
    reply_started(fake, &fake->late_envelope, &fake->late_start);
    for (size_t i = 0; i < ENVELOPE_PARTS; i++) {
        zmq_msg_close(&fake->late_envelope.parts[i]);
    }
}

static void *run(void *context) {
    fake_coordinator *fake = context;
    while (true) {
        zmq_pollitem_t items[] = { { fake->router, 0, ZMQ_POLLIN, 0 },
                                   { fake->stop, 0, ZMQ_POLLIN, 0 } };
        zmq_poll(items, 2, fake->late ? 10 : -1);
        if (items[1].revents != 0) {
            break;
        }
        if (items[0].revents != 0) {
            serve_one(fake);
        }
        if (fake->late && zn_clock_ns() >= fake->late_at_ns) {
            send_late(fake);
        }
    }
    return NULL;
}

fake_coordinator *fake_coordinator_start(fake_fault fault) {
    fake_coordinator *fake = ZN_NEW(fake_coordinator);
    fake->fault = fault;
    fake->context = zmq_ctx_new();
    fake->router = zmq_socket(fake->context, ZMQ_ROUTER);
    fake->stop = zmq_socket(fake->context, ZMQ_PAIR);
    fake->stopper = zmq_socket(fake->context, ZMQ_PAIR);
    fake->framer = zn_framer_new();
    fake->decoder = zn_decoder_new();
    int linger = 0;
    zmq_setsockopt(fake->router, ZMQ_LINGER, &linger, sizeof linger);
    assert_int_equal(zmq_bind(fake->stop, "inproc://stop"), 0);
    assert_int_equal(zmq_connect(fake->stopper, "inproc://stop"), 0);
    assert_int_equal(zmq_bind(fake->router, "tcp://127.0.0.1:*"), 0);
    size_t size = sizeof fake->endpoint;
    zmq_getsockopt(fake->router, ZMQ_LAST_ENDPOINT, fake->endpoint, &size);
    assert_int_equal(pthread_create(&fake->thread, NULL, run, fake), 0);
    return fake;
}

void fake_coordinator_stop(fake_coordinator **pointer) {
    fake_coordinator *fake = *pointer;
    zmq_send(fake->stopper, "", 0, 0);
    pthread_join(fake->thread, NULL);
    if (fake->late) {
        for (size_t i = 0; i < ENVELOPE_PARTS; i++) {
            zmq_msg_close(&fake->late_envelope.parts[i]);
        }
    }
    zmq_close(fake->router);
    zmq_close(fake->stop);
    zmq_close(fake->stopper);
    zmq_ctx_term(fake->context);
    zn_framer_destroy(&fake->framer);
    zn_decoder_destroy(&fake->decoder);
    free(fake);
    *pointer = NULL;
}

const char *fake_coordinator_endpoint(const fake_coordinator *fake) {
    return fake->endpoint;
}

unsigned fake_coordinator_starts(const fake_coordinator *fake) {
    return atomic_load(&fake->starts);
}

unsigned fake_coordinator_distinct_starts(const fake_coordinator *fake) {
    return atomic_load(&fake->distinct_starts);
}

unsigned fake_coordinator_early_polls(const fake_coordinator *fake) {
    return atomic_load(&fake->early_polls);
}
