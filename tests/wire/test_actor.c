/* SPDX-License-Identifier: MPL-2.0 */
/* Actors: starting and stopping are handshakes that cannot be missed, and the signal handling of
 * the program stays its own. */
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "wire/actor.h"

/* What a body leaves behind for the test; read only after the stop. */
typedef struct actor_story {
    int ran;
    int stopped;
    bool signals_blocked;
} actor_story;

static void wait_for_stop(zn_actor_pipe *pipe) {
    zn_poll_item item = { .kind = ZN_POLL_FD, .fd = zn_actor_pipe_fd(pipe) };
    while (!zn_actor_stopping(pipe)) {
        zn_poll(&item, 1, -1);
    }
}

static void run_until_stopped(zn_actor_pipe *pipe, void *context) {
    actor_story *story = context;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    story->signals_blocked = sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGSEGV) == 0;
    story->ran++;
    zn_actor_ready(pipe);
    wait_for_stop(pipe);
    story->stopped++;
}

static void fail_to_start(zn_actor_pipe *pipe, void *context) {
    ((actor_story *)context)->ran++;
    zonda_error error;
    zn_error_set(&error, ZONDA_ERR_IO, "port %d is taken", 7070);
    zn_actor_failed(pipe, &error);
}

static void end_at_once(zn_actor_pipe *pipe, void *context) {
    ((actor_story *)context)->ran++;
    zn_actor_ready(pipe);
}

/* Start waits for ready, stop waits for the end, many times over. */
static void test_actor_start_and_stop_are_handshakes(void **state) {
    (void)state;
    for (int round = 0; round < 50; round++) {
        actor_story story = { 0 };
        zonda_error error = { 0 };
        zn_actor *actor = zn_actor_start(run_until_stopped, &story, &error);
        assert_non_null(actor);
        assert_false(zn_actor_ended(actor));
        zn_actor_stop(&actor);
        assert_null(actor);
        assert_int_equal(story.ran, 1);
        assert_int_equal(story.stopped, 1);
        assert_true(story.signals_blocked);
    }
    zn_actor *none = NULL;
    zn_actor_stop(&none);
}

/* The error of a failed start is the one that the body gave. */
static void test_actor_failed_start_gives_the_error(void **state) {
    (void)state;
    actor_story story = { 0 };
    zonda_error error = { 0 };
    assert_null(zn_actor_start(fail_to_start, &story, &error));
    assert_int_equal(story.ran, 1);
    assert_err(error.code, IO);
    assert_string_equal(error.text, "port 7070 is taken");
    assert_null(zn_actor_start(fail_to_start, &story, NULL));
}

/* Several actors are asked first and stopped then, so that they end side by side. */
static void test_actor_ask_stop_then_stop(void **state) {
    (void)state;
    actor_story stories[8] = { { 0 } };
    zn_actor *actors[8];
    for (size_t i = 0; i < 8; i++) {
        actors[i] = zn_actor_start(run_until_stopped, &stories[i], NULL);
        assert_non_null(actors[i]);
    }
    for (size_t i = 0; i < 8; i++) {
        zn_actor_ask_stop(actors[i]);
        zn_actor_ask_stop(actors[i]);
    }
    for (size_t i = 0; i < 8; i++) {
        zn_actor_stop(&actors[i]);
        assert_int_equal(stories[i].stopped, 1);
    }
}

/* A body may end by itself; the owner sees it and stop still works. */
static void test_actor_that_ends_by_itself_is_seen(void **state) {
    (void)state;
    actor_story story = { 0 };
    zn_actor *actor = zn_actor_start(end_at_once, &story, NULL);
    assert_non_null(actor);
    while (!zn_actor_ended(actor)) {
        zn_poll(NULL, 0, 1);
    }
    zn_actor_stop(&actor);
    assert_int_equal(story.ran, 1);
}

static void *start_and_stop(void *argument) {
    (void)argument;
    for (int round = 0; round < 10; round++) {
        actor_story story = { 0 };
        zn_actor *actor = zn_actor_start(run_until_stopped, &story, NULL);
        zn_actor_stop(&actor);
    }
    return NULL;
}

/* Actors may be started from several threads at once. */
static void test_actor_starts_from_many_threads(void **state) {
    (void)state;
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, start_and_stop, NULL), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

static volatile sig_atomic_t interrupts;

static void count_interrupt(int number) {
    (void)number;
    interrupts++;
}

/* A handler that the program set before us is still there, and signals do not end our waiting. */
static void test_actor_leaves_signal_handlers_alone(void **state) {
    (void)state;
    struct sigaction ours = { .sa_handler = count_interrupt };
    struct sigaction now;
    sigaction(SIGINT, &ours, NULL);
    actor_story story = { 0 };
    zn_actor *actor = zn_actor_start(run_until_stopped, &story, NULL);
    sigaction(SIGINT, NULL, &now);
    assert_ptr_equal(now.sa_handler, count_interrupt);
    sigaction(SIGTERM, NULL, &now);
    assert_ptr_equal(now.sa_handler, SIG_DFL);
    raise(SIGINT);
    assert_int_equal(interrupts, 1);
    zn_actor_stop(&actor);
    assert_int_equal(story.stopped, 1);
}

/* Sends back what comes in, on a channel that another thread has bound. */
static void echo(zn_actor_pipe *pipe, void *context) {
    zn_channel *router = context;
    zn_poll_item items[] = { { .kind = ZN_POLL_CHANNEL, .channel = router },
                             { .kind = ZN_POLL_FD, .fd = zn_actor_pipe_fd(pipe) } };
    zn_actor_ready(pipe);
    while (!zn_actor_stopping(pipe)) {
        zn_poll(items, 2, -1);
        zn_peer peer;
        zn_message message;
        bool got = false;
        zonda_err code = zn_channel_recv(router, &peer, &message, &got, NULL);
        if (got && code == ZONDA_OK) {
            zn_channel_send(router, &peer, &message, NULL);
        }
    }
}

/* A channel may be handed to another thread before its first use, and large messages go there and
 * back over each transport without being mixed up. */
static void test_actor_takes_over_a_channel(void **state) {
    (void)state;
    uint8_t bytes[3000];
    static const char *const endpoints[] = { "inproc://test-actor", "tcp://127.0.0.1:*" };
    for (size_t i = 0; i < 2; i++) {
        zonda_error error = { 0 };
        zn_channel *router = zn_channel_bind(ZN_CHANNEL_ROUTER, endpoints[i], &error);
        assert_non_null(router);
        zn_channel *dealer =
            zn_channel_connect(ZN_CHANNEL_DEALER, zn_channel_endpoint(router), &error);
        assert_non_null(dealer);
        zn_actor *actor = zn_actor_start(echo, router, &error);
        assert_non_null(actor);
        for (size_t round = 0; round < 200; round++) {
            memset(bytes, (int)round, sizeof bytes);
            zn_message message = { .number = ZN_MSG_DATA,
                                   .data = { .request = round, .bytes = { bytes, 10 * round } } };
            zn_message back = { 0 };
            assert_ok(zn_channel_send(dealer, NULL, &message, &error), error);
            bool got = false;
            while (!got) {
                zn_poll_item item = { .kind = ZN_POLL_CHANNEL, .channel = dealer };
                zn_poll(&item, 1, -1);
                assert_ok(zn_channel_recv(dealer, NULL, &back, &got, &error), error);
            }
            assert_int_equal(back.data.request, round);
            assert_true(zn_bytes_equal(back.data.bytes, message.data.bytes));
        }
        zn_actor_stop(&actor);
        zn_channel_destroy(&dealer);
        zn_channel_destroy(&router);
    }
}

/* Without file descriptors there is an error, and the process goes on. */
static void test_actor_and_channel_without_file_descriptors(void **state) {
    (void)state;
    struct rlimit before;
    zonda_error error = { 0 };
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = { .rlim_cur = 3, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    zn_channel *channel = zn_channel_connect(ZN_CHANNEL_REQ, "tcp://127.0.0.1:1", &error);
    zn_actor *actor = zn_actor_start(NULL, NULL, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_null(channel);
    assert_null(actor);
    assert_err(error.code, LIMIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_actor_leaves_signal_handlers_alone),
        cmocka_unit_test(test_actor_start_and_stop_are_handshakes),
        cmocka_unit_test(test_actor_failed_start_gives_the_error),
        cmocka_unit_test(test_actor_ask_stop_then_stop),
        cmocka_unit_test(test_actor_that_ends_by_itself_is_seen),
        cmocka_unit_test(test_actor_starts_from_many_threads),
        cmocka_unit_test(test_actor_takes_over_a_channel),
        cmocka_unit_test(test_actor_and_channel_without_file_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
