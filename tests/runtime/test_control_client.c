/* SPDX-License-Identifier: MPL-2.0 */
/* Calls against coordinators that misbehave. A fake runs on a thread of its own, on a plain ROUTER
 * socket: unlike REP it can stay silent, answer twice, or answer with anything. */
#include "test.h"

#include <czmq.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "runtime/control_client.h"
#include "wire/actor.h"
#include "wire/context.h"
#include "wire/frame.h"
#include "wire/handover.h"

enum {
    SHORT_MS = 150, /* a timeout that a test waits for */
    RETRY_MS = 30,
    LONG_MS = 20000 /* one that a test never reaches */
};

typedef struct fake_server fake_server;

/* What a fake answers to a request. False: nothing. */
typedef bool fake_answer(fake_server *fake, const zn_message *request, zn_message *reply);

struct fake_server {
    const char *bind;
    fake_answer *answer;
    bool garbage;    /* answers are no frames */
    uint8_t version; /* of the frames; 0: ours */
    char *endpoint;
    zn_actor *actor;
    zsock_t *socket;
    zn_framer *framer;
    zn_decoder *decoder;
    zn_failure failure;
    atomic_uint requests;
    uint64_t numbers[64]; /* of the requests, in order */
};

static void send_reply(fake_server *fake, zmsg_t *envelope, const zn_message *reply) {
    zn_buf raw = { 0 };
    zn_buf frame = { 0 };
    zn_message_encode(reply, &raw);
    zn_framer_pack(fake->framer, zn_buf_bytes(&raw), &frame);
    if (fake->garbage) {
        memset(frame.data, 'x', frame.len);
    }
    if (fake->version != 0) {
        frame.data[4] = fake->version;
    }
    zmsg_t *message = zmsg_dup(envelope);
    zmsg_addmem(message, frame.data, frame.len);
    zmsg_send(&message, fake->socket);
    zn_buf_free(&raw);
    zn_buf_free(&frame);
}

static void serve(fake_server *fake) {
    zmsg_t *message = zmsg_recv(fake->socket);
    zframe_t *last = zmsg_last(message);
    zn_bytes frame = { .data = zframe_data(last), .len = zframe_size(last) };
    ZN_HANDOVER_TAKE(zframe_data(last));
    zn_bytes raw;
    zn_message request;
    zn_message reply = { .number = ZN_MSG_WORKERS };
    if (zn_framer_unpack(fake->framer, frame, &raw, NULL) == ZONDA_OK &&
        zn_decoder_decode(fake->decoder, raw, &request, NULL) == ZONDA_OK) {
        unsigned index = fake->requests;
        fake->numbers[index % 64] = request.hello.request;
        reply.workers.request = request.hello.request;
        bool answer = fake->answer(fake, &request, &reply);
        fake->requests = index + 1; /* before the reply: the test looks at it after that */
        zmsg_remove(message, last);
        if (answer) {
            send_reply(fake, message, &reply);
        }
        zframe_destroy(&last);
    }
    zmsg_destroy(&message);
}

static void run_fake(zn_actor_pipe *pipe, void *context) {
    fake_server *fake = context;
    fake->socket = zsock_new(ZMQ_ROUTER);
    /* The name of a closed inproc socket is free only some time later, so each fake has its own. */
    static unsigned fakes;
    bool named = strncmp(fake->bind, "inproc:", 7) == 0;
    if (zsock_bind(fake->socket, named ? "%s-%u" : "%s", fake->bind, fakes++) == -1) {
        zonda_error error;
        zn_error_set(&error, ZONDA_ERR_IO, "cannot bind %s", fake->bind);
        zsock_destroy(&fake->socket);
        zn_actor_failed(pipe, &error);
        return;
    }
    fake->endpoint = zn_strdup(zsock_endpoint(fake->socket));
    zn_actor_ready(pipe);
    while (!zn_actor_stopping(pipe)) {
        zmq_pollitem_t items[] = {
            { .fd = zn_actor_pipe_fd(pipe), .events = ZMQ_POLLIN },
            { .socket = zsock_resolve(fake->socket), .events = ZMQ_POLLIN },
        };
        zmq_poll(items, 2, -1);
        if ((items[1].revents & ZMQ_POLLIN) != 0) {
            serve(fake);
        }
    }
    zsock_destroy(&fake->socket);
}

static void start_fake(fake_server *fake) {
    zonda_error error = { 0 };
    zn_context_init();
    fake->framer = zn_framer_new();
    fake->decoder = zn_decoder_new();
    fake->actor = zn_actor_start(run_fake, fake, &error);
    assert_ok(error.code, error);
}

static void stop_fake(fake_server *fake) {
    zn_actor_stop(&fake->actor);
    zn_framer_destroy(&fake->framer);
    zn_decoder_destroy(&fake->decoder);
    free(fake->endpoint);
}

static zn_control_client *client_of(const fake_server *fake, uint32_t timeout_ms) {
    zonda_error error = { 0 };
    zn_control_client_options options = { .timeout_ms = timeout_ms, .retry_ms = RETRY_MS };
    zn_control_client *client = zn_control_client_new(fake->endpoint, &options, &error);
    assert_ok(error.code, error);
    return client;
}

/* LIST_WORKERS stands for any call. */
static zonda_err call_for(zn_control_client *client, uint32_t timeout_ms,
                          const volatile int *cancel, zonda_error *error) {
    zn_message request = { .number = ZN_MSG_LIST_WORKERS };
    zn_call call = {
        .request = &request, .expected = ZN_MSG_WORKERS, .cancel = cancel, .timeout_ms = timeout_ms
    };
    const zn_message *reply = NULL;
    zonda_err err = zn_control_client_call(client, &call, &reply, error);
    if (err == ZONDA_OK) {
        assert_int_equal(reply->number, ZN_MSG_WORKERS);
        assert_int_equal(reply->workers.request, request.list_workers.request);
    }
    return err;
}

static zonda_err call(zn_control_client *client, const volatile int *cancel, zonda_error *error) {
    return call_for(client, 0, cancel, error);
}

static bool good(fake_server *fake, const zn_message *request, zn_message *reply) {
    (void)fake;
    (void)request;
    (void)reply;
    return true;
}

static bool silent(fake_server *fake, const zn_message *request, zn_message *reply) {
    (void)fake;
    (void)request;
    (void)reply;
    return false;
}

static bool silent_after_first(fake_server *fake, const zn_message *request, zn_message *reply) {
    (void)request;
    (void)reply;
    return fake->requests == 0;
}

/* The reply to the first request is lost; the same request again gets it. */
static bool first_reply_lost(fake_server *fake, const zn_message *request, zn_message *reply) {
    (void)request;
    (void)reply;
    return fake->requests > 0;
}

/* Answers the first request with the reply to another call. */
static bool stray_first(fake_server *fake, const zn_message *request, zn_message *reply) {
    (void)request;
    reply->workers.request += fake->requests == 0 ? 1000 : 0;
    return true;
}

static bool always_stray(fake_server *fake, const zn_message *request, zn_message *reply) {
    (void)fake;
    (void)request;
    reply->workers.request += 1000;
    return true;
}

static bool other_kind(fake_server *fake, const zn_message *request, zn_message *reply) {
    (void)fake;
    *reply = (zn_message){ .number = ZN_MSG_JOBS, .jobs.request = request->hello.request };
    return true;
}

static bool refusing(fake_server *fake, const zn_message *request, zn_message *reply) {
    *reply = (zn_message){ .number = ZN_MSG_REFUSAL };
    reply->refusal.request = request->hello.request;
    reply->refusal.failure = &fake->failure;
    reply->refusal.failure_count = fake->failure.code != 0 ? 1 : 0;
    return true;
}

static bool refusing_unread(fake_server *fake, const zn_message *request, zn_message *reply) {
    refusing(fake, request, reply);
    reply->refusal.request = 0;
    return true;
}

static const char *const binds[] = { "inproc://test-control-client", "tcp://127.0.0.1:*" };

/* Runs the body once for each transport. */
#define FOR_EACH_TRANSPORT(fake, how)                                                              \
    for (size_t transport_ = 0; transport_ < sizeof binds / sizeof *binds; transport_++)           \
        for (fake_server fake = { .bind = binds[transport_], .answer = (how) },                    \
                         *once_ = (start_fake(&fake), &fake);                                      \
             once_ != NULL; stop_fake(&fake), once_ = NULL)

/* Each call gets its reply and a number of its own. */
static void test_control_client_calls_are_answered(void **state) {
    (void)state;
    FOR_EACH_TRANSPORT(fake, good) {
        zonda_error error = { 0 };
        zn_control_client *client = client_of(&fake, LONG_MS);
        assert_ok(call(client, NULL, &error), error);
        assert_ok(call(client, NULL, &error), error);
        /* On a slow machine either may have been sent twice. */
        assert_int_equal(fake.numbers[0], 1);
        assert_int_equal(fake.numbers[fake.requests - 1], 2);
        zn_control_client_destroy(&client);
    }
}

/* Nothing has ever answered: unreachable, with call, endpoint and time. */
static void test_control_client_never_answered_is_unreachable(void **state) {
    (void)state;
    FOR_EACH_TRANSPORT(fake, silent) {
        zonda_error error = { 0 };
        zn_control_client *client = client_of(&fake, SHORT_MS);
        assert_err(call(client, NULL, &error), UNREACHABLE);
        assert_non_null(strstr(error.text, "LIST_WORKERS"));
        assert_non_null(strstr(error.text, fake.endpoint));
        assert_non_null(strstr(error.text, " s")); /* the time */
        assert_false(zn_control_client_was_refused(client));
        zn_control_client_destroy(&client);
    }
}

/* It was there before: a timeout. */
static void test_control_client_silence_is_timeout(void **state) {
    (void)state;
    FOR_EACH_TRANSPORT(fake, silent_after_first) {
        zonda_error error = { 0 };
        zn_control_client *client = client_of(&fake, LONG_MS);
        assert_ok(call(client, NULL, &error), error);
        assert_err(call_for(client, SHORT_MS, NULL, &error), TIMEOUT);
        assert_non_null(strstr(error.text, "LIST_WORKERS"));
        assert_non_null(strstr(error.text, fake.endpoint));
        zn_control_client_destroy(&client);
    }
}

/* Nobody listens at all. */
static void test_control_client_nobody_there_is_unreachable(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_control_client_options options = { .timeout_ms = SHORT_MS, .retry_ms = RETRY_MS };
    zn_control_client *client = zn_control_client_new("inproc://test-nobody", &options, &error);
    assert_err(call(client, NULL, &error), UNREACHABLE);
    assert_non_null(strstr(error.text, "inproc://test-nobody"));
    zn_control_client_destroy(&client);
    assert_null(client);
    assert_null(zn_control_client_new("nonsense", NULL, &error));
    assert_err(error.code, INVALID);
}

/* A lost reply: the same number is sent again, and answered. */
static void test_control_client_lost_reply_is_asked_for_again(void **state) {
    (void)state;
    FOR_EACH_TRANSPORT(fake, first_reply_lost) {
        zonda_error error = { 0 };
        zn_control_client *client = client_of(&fake, LONG_MS);
        assert_ok(call(client, NULL, &error), error);
        assert_true(fake.requests >= 2);
        assert_int_equal(fake.numbers[0], 1);
        assert_int_equal(fake.numbers[1], 1);
        zn_control_client_destroy(&client);
    }
}

/* A reply to another call is dropped, and the request sent again. */
static void test_control_client_stray_reply_is_ignored(void **state) {
    (void)state;
    FOR_EACH_TRANSPORT(fake, stray_first) {
        zonda_error error = { 0 };
        zn_control_client *client = client_of(&fake, LONG_MS);
        assert_ok(call(client, NULL, &error), error);
        assert_int_equal(fake.numbers[1], 1);
        zn_control_client_destroy(&client);
    }
}

/* A coordinator that only ever answers other calls is not waited for until the end. */
static void test_control_client_only_strays_is_protocol_error(void **state) {
    (void)state;
    FOR_EACH_TRANSPORT(fake, always_stray) {
        zonda_error error = { 0 };
        zn_control_client *client = client_of(&fake, LONG_MS);
        assert_err(call(client, NULL, &error), PROTOCOL);
        zn_control_client_destroy(&client);
    }
}

/* A reply of another kind is an error that names both. */
static void test_control_client_other_reply_is_protocol_error(void **state) {
    (void)state;
    FOR_EACH_TRANSPORT(fake, other_kind) {
        zonda_error error = { 0 };
        zn_control_client *client = client_of(&fake, LONG_MS);
        assert_err(call(client, NULL, &error), PROTOCOL);
        assert_non_null(strstr(error.text, "LIST_WORKERS"));
        assert_non_null(strstr(error.text, "answered with JOBS"));
        assert_false(zn_control_client_was_refused(client));
        zn_control_client_destroy(&client);
    }
}

/* A refusal comes out with its code and says which call it was. */
static void test_control_client_refusal_comes_out(void **state) {
    (void)state;
    FOR_EACH_TRANSPORT(fake, refusing) {
        zonda_error error = { 0 };
        fake.failure.code = ZONDA_ERR_EMPTY_STAGE;
        fake.failure.text = zn_bytes_of_text("no tasks");
        zn_control_client *client = client_of(&fake, LONG_MS);
        assert_err(call(client, NULL, &error), EMPTY_STAGE);
        assert_non_null(strstr(error.text, "LIST_WORKERS"));
        assert_non_null(strstr(error.text, "no tasks"));
        assert_true(zn_control_client_was_refused(client));
        fake.failure = (zn_failure){ 0 };
        assert_err(call(client, NULL, &error), REFUSED);
        zn_control_client_destroy(&client);
    }
}

/* A request that the coordinator could not read is refused without its number. */
static void test_control_client_unread_request_is_refused(void **state) {
    (void)state;
    FOR_EACH_TRANSPORT(fake, refusing_unread) {
        zonda_error error = { 0 };
        fake.failure.code = ZONDA_ERR_VERSION;
        fake.failure.text = zn_bytes_of_text("version 2, not 1");
        zn_control_client *client = client_of(&fake, LONG_MS);
        assert_err(call(client, NULL, &error), VERSION);
        zn_control_client_destroy(&client);
    }
}

/* The failure of a task comes out as it is, without the way that it came. */
static void test_control_client_task_failure_is_not_prefixed(void **state) {
    (void)state;
    FOR_EACH_TRANSPORT(fake, refusing) {
        zonda_error error = { 0 };
        fake.failure = (zn_failure){ .code = ZONDA_ERR_USER,
                                     .op = zn_bytes_of_text("map"),
                                     .text = zn_bytes_of_text("bad luck") };
        zn_control_client *client = client_of(&fake, LONG_MS);
        assert_err(call(client, NULL, &error), USER);
        assert_string_equal(error.text, "bad luck");
        zn_control_client_destroy(&client);
    }
}

/* Garbage is an error, at once, and the session goes on after it. */
static void test_control_client_garbage_is_an_error(void **state) {
    (void)state;
    FOR_EACH_TRANSPORT(fake, good) {
        zonda_error error = { 0 };
        fake.garbage = true;
        zn_control_client *client = client_of(&fake, LONG_MS);
        assert_err(call(client, NULL, &error), PROTOCOL);
        assert_non_null(strstr(error.text, "LIST_WORKERS"));
        assert_non_null(strstr(error.text, fake.endpoint));
        fake.garbage = false;
        assert_ok(call(client, NULL, &error), error);
        zn_control_client_destroy(&client);
    }
}

/* Another version of the protocol is said to be that. */
static void test_control_client_other_version_is_named(void **state) {
    (void)state;
    FOR_EACH_TRANSPORT(fake, good) {
        zonda_error error = { 0 };
        fake.version = ZN_PROTOCOL_VERSION + 1;
        zn_control_client *client = client_of(&fake, LONG_MS);
        assert_err(call(client, NULL, &error), VERSION);
        assert_non_null(strstr(error.text, fake.endpoint));
        zn_control_client_destroy(&client);
    }
}

static volatile int cancelled;

/* Sets the flag that the client looks at; the reply never comes. */
static bool cancel_meanwhile(fake_server *fake, const zn_message *request, zn_message *reply) {
    (void)request;
    (void)reply;
    if (fake->requests == 0) {
        cancelled = 1;
    }
    return fake->requests > 0 && cancelled == 0;
}

/* A flag that is set while a call waits ends the call, and the next call is not confused. */
static void test_control_client_cancel_flag_ends_call(void **state) {
    (void)state;
    FOR_EACH_TRANSPORT(fake, cancel_meanwhile) {
        zonda_error error = { 0 };
        cancelled = 0;
        zn_control_client *client = client_of(&fake, LONG_MS);
        assert_err(call(client, &cancelled, &error), CANCELLED);
        assert_false(zn_control_client_was_refused(client));
        cancelled = 0;
        assert_ok(call(client, &cancelled, &error), error);
        zn_control_client_destroy(&client);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control_client_calls_are_answered),
        cmocka_unit_test(test_control_client_never_answered_is_unreachable),
        cmocka_unit_test(test_control_client_silence_is_timeout),
        cmocka_unit_test(test_control_client_nobody_there_is_unreachable),
        cmocka_unit_test(test_control_client_lost_reply_is_asked_for_again),
        cmocka_unit_test(test_control_client_stray_reply_is_ignored),
        cmocka_unit_test(test_control_client_only_strays_is_protocol_error),
        cmocka_unit_test(test_control_client_other_reply_is_protocol_error),
        cmocka_unit_test(test_control_client_refusal_comes_out),
        cmocka_unit_test(test_control_client_unread_request_is_refused),
        cmocka_unit_test(test_control_client_task_failure_is_not_prefixed),
        cmocka_unit_test(test_control_client_garbage_is_an_error),
        cmocka_unit_test(test_control_client_other_version_is_named),
        cmocka_unit_test(test_control_client_cancel_flag_ends_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
