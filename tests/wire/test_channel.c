/* SPDX-License-Identifier: MPL-2.0 */
/* Channels over every transport: what goes in comes out, garbage is an error and never a stuck
 * socket, and peers that are gone are noticed. Waiting is always zn_poll until something is there;
 * a lost message shows as a test that the runner times out. */
#include "test.h"

#include <czmq.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "wire/channel.h"
#include "wire/frame.h"

static char directory[] = "/tmp/zonda-channel-XXXXXX";
static unsigned next_name;

static const char *const transports[] = { "inproc", "ipc", "tcp" };

/* A fresh endpoint of a transport; the caller frees it. */
static char *fresh_endpoint(const char *transport) {
    if (strcmp(transport, "tcp") == 0) {
        return zn_strdup("tcp://127.0.0.1:*");
    }
    if (strcmp(transport, "ipc") == 0) {
        return zn_format("ipc://%s/%u", directory, next_name++);
    }
    return zn_format("inproc://test-channel-%u", next_name++);
}

static zn_channel *bind_channel(zn_channel_kind kind, const char *transport) {
    zonda_error error = { 0 };
    char *endpoint = fresh_endpoint(transport);
    zn_channel *channel = zn_channel_bind(kind, endpoint, &error);
    free(endpoint);
    if (channel == NULL) {
        fail_msg("%s", error.text);
    }
    return channel;
}

static zn_channel *connect_channel(zn_channel_kind kind, const char *endpoint) {
    zonda_error error = { 0 };
    zn_channel *channel = zn_channel_connect(kind, endpoint, &error);
    if (channel == NULL) {
        fail_msg("%s", error.text);
    }
    return channel;
}

static void wait_for(zn_poll_kind kind, zn_channel *channel) {
    zn_poll_item item = { .kind = kind, .channel = channel };
    while (zn_poll(&item, 1, -1) == 0) {
    }
    assert_true(item.ready);
}

/* Waits for a message and returns what receiving it gave. A REQ may be ready for an answer that it
 * then drops, because it is to an earlier request. */
static zonda_err receive(zn_channel *channel, zn_peer *from, zn_message *message,
                         zonda_error *error) {
    bool got = false;
    zonda_err code = ZONDA_OK;
    while (!got) {
        wait_for(ZN_POLL_CHANNEL, channel);
        code = zn_channel_recv(channel, from, message, &got, error);
    }
    return code;
}

static zn_message heartbeat(uint64_t sent) {
    return (zn_message){ .number = ZN_MSG_HEARTBEAT, .heartbeat = { .epoch = 1, .sent = sent } };
}

static void send_heartbeat(zn_channel *channel, const zn_peer *to, uint64_t sent) {
    zonda_error error = { 0 };
    zn_message message = heartbeat(sent);
    assert_ok(zn_channel_send(channel, to, &message, &error), error);
}

static void expect_heartbeat(zn_channel *channel, zn_peer *from, uint64_t sent) {
    zonda_error error = { 0 };
    zn_message message = { 0 };
    assert_ok(receive(channel, from, &message, &error), error);
    assert_int_equal(message.number, ZN_MSG_HEARTBEAT);
    assert_int_equal(message.heartbeat.sent, sent);
}

static void expect_error(zn_channel *channel, zn_peer *from, zonda_err expected) {
    zonda_error error = { 0 };
    zn_message message = { 0 };
    zonda_err code = receive(channel, from, &message, &error);
    assert_string_equal(zonda_err_name(code), zonda_err_name(expected));
    assert_int_equal(error.code, expected);
    assert_true(error.text[0] != '\0');
    assert_int_equal(message.number, 0);
}

/* Every message, on every transport, from a DEALER to a ROUTER and back. */
static void test_channel_dealer_router_exchange_messages(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof transports / sizeof transports[0]; i++) {
        zn_channel *router = bind_channel(ZN_CHANNEL_ROUTER, transports[i]);
        zn_channel *dealer = connect_channel(ZN_CHANNEL_DEALER, zn_channel_endpoint(router));
        zn_peer peer = { 0 };
        send_heartbeat(dealer, NULL, 7);
        expect_heartbeat(router, &peer, 7);
        assert_true(peer.len > 0);
        send_heartbeat(router, &peer, 8);
        expect_heartbeat(dealer, NULL, 8);
        bool got = true;
        zn_message none;
        assert_int_equal(zn_channel_recv(dealer, NULL, &none, &got, NULL), ZONDA_OK);
        assert_false(got);
        zn_channel_destroy(&dealer);
        zn_channel_destroy(&router);
        assert_null(router);
    }
}

/* One request, one reply, again and again. */
static void test_channel_req_rep_alternate(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof transports / sizeof transports[0]; i++) {
        zn_channel *rep = bind_channel(ZN_CHANNEL_REP, transports[i]);
        zn_channel *req = connect_channel(ZN_CHANNEL_REQ, zn_channel_endpoint(rep));
        for (uint64_t round = 0; round < 3; round++) {
            send_heartbeat(req, NULL, round);
            expect_heartbeat(rep, NULL, round);
            send_heartbeat(rep, NULL, round + 100);
            expect_heartbeat(req, NULL, round + 100);
        }
        zn_channel_destroy(&req);
        zn_channel_destroy(&rep);
    }
}

/* Events reach a subscriber without it asking for any topic. */
static void test_channel_pub_sub_delivers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof transports / sizeof transports[0]; i++) {
        zn_channel *pub = bind_channel(ZN_CHANNEL_PUB, transports[i]);
        zn_channel *sub = connect_channel(ZN_CHANNEL_SUB, zn_channel_endpoint(pub));
        zn_poll_item item = { .kind = ZN_POLL_CHANNEL, .channel = sub };
        do { /* What is sent before the subscription has arrived is lost by design. */
            send_heartbeat(pub, NULL, 5);
        } while (zn_poll(&item, 1, 1) == 0);
        expect_heartbeat(sub, NULL, 5);
        zn_channel_destroy(&sub);
        zn_channel_destroy(&pub);
    }
}

/* A frame above the compression threshold arrives as it was. */
static void test_channel_large_message_is_compressed_and_back(void **state) {
    (void)state;
    zn_channel *router = bind_channel(ZN_CHANNEL_ROUTER, "tcp");
    zn_channel *dealer = connect_channel(ZN_CHANNEL_DEALER, zn_channel_endpoint(router));
    uint8_t *bytes = zn_calloc(ZN_MIB, 1);
    memset(bytes, 'z', ZN_MIB);
    zn_message message = { .number = ZN_MSG_DATA, .data = { .bytes = { bytes, ZN_MIB } } };
    zonda_error error = { 0 };
    zn_message back = { 0 };
    zn_peer peer;
    send_heartbeat(dealer, NULL, 1);
    expect_heartbeat(router, &peer, 1);
    assert_ok(zn_channel_send(router, &peer, &message, &error), error);
    assert_ok(receive(dealer, NULL, &back, &error), error);
    assert_true(zn_bytes_equal(back.data.bytes, message.data.bytes));
    free(bytes);
    zn_channel_destroy(&dealer);
    zn_channel_destroy(&router);
}

/* Raw parts as a stranger could send them; `parts` ends with NULL. */
static void send_raw(zsock_t *socket, const char *const *parts) {
    for (size_t i = 0; parts[i] != NULL; i++) {
        int flags = parts[i + 1] == NULL ? 0 : ZMQ_SNDMORE;
        int rc = zmq_send(zsock_resolve(socket), parts[i], strlen(parts[i]), flags);
        assert_int_equal(rc, strlen(parts[i]));
    }
}

/* Garbage in one part, in several parts, and after it good messages still arrive. */
static void test_channel_garbage_is_an_error_and_sync_is_kept(void **state) {
    (void)state;
    zn_channel *router = bind_channel(ZN_CHANNEL_ROUTER, "tcp");
    zsock_t *stranger = zsock_new(ZMQ_DEALER);
    zsock_set_linger(stranger, 0);
    assert_int_equal(zsock_connect(stranger, "%s", zn_channel_endpoint(router)), 0);
    send_raw(stranger, (const char *[]){ "garbage", NULL });
    send_raw(stranger, (const char *[]){ "", NULL });
    send_raw(stranger, (const char *[]){ "two", "parts", NULL });
    send_raw(stranger, (const char *[]){ "", "three", "parts", NULL });
    send_raw(stranger, (const char *[]){ "ZNDA\x63", NULL });
    zn_peer peers[5] = { 0 };
    for (size_t i = 0; i < 5; i++) {
        expect_error(router, &peers[i], i == 4 ? ZONDA_ERR_VERSION : ZONDA_ERR_PROTOCOL);
        assert_true(zn_peer_equal(&peers[0], &peers[i]));
    }
    zn_channel *dealer = connect_channel(ZN_CHANNEL_DEALER, zn_channel_endpoint(router));
    send_heartbeat(dealer, NULL, 9);
    expect_heartbeat(router, &peers[1], 9);
    assert_false(zn_peer_equal(&peers[0], &peers[1]));
    zsock_destroy(&stranger);
    zn_channel_destroy(&dealer);
    zn_channel_destroy(&router);
}

/* A REP that got garbage can answer it, and the next request too. */
static void test_channel_rep_replies_after_garbage(void **state) {
    (void)state;
    zn_channel *rep = bind_channel(ZN_CHANNEL_REP, "ipc");
    zsock_t *stranger = zsock_new(ZMQ_REQ);
    zsock_set_linger(stranger, 0);
    assert_int_equal(zsock_connect(stranger, "%s", zn_channel_endpoint(rep)), 0);
    const char *const *const inputs[] = { (const char *[]){ "garbage", NULL },
                                          (const char *[]){ "two", "parts", NULL } };
    for (size_t i = 0; i < 2; i++) {
        send_raw(stranger, inputs[i]);
        expect_error(rep, NULL, ZONDA_ERR_PROTOCOL);
        send_heartbeat(rep, NULL, i);
        char reply[256];
        int len = zmq_recv(zsock_resolve(stranger), reply, sizeof reply, 0);
        assert_true(len > ZN_FRAME_HEADER_BYTES);
    }
    zn_channel *req = connect_channel(ZN_CHANNEL_REQ, zn_channel_endpoint(rep));
    send_heartbeat(req, NULL, 3);
    expect_heartbeat(rep, NULL, 3);
    zsock_destroy(&stranger);
    zn_channel_destroy(&req);
    zn_channel_destroy(&rep);
}

/* A call without an answer is forgotten: the same call again gets its own answer, once. */
static void test_channel_reset_sends_again_and_drops_the_late_reply(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof transports / sizeof transports[0]; i++) {
        zn_channel *rep = bind_channel(ZN_CHANNEL_REP, transports[i]);
        zn_channel *req = connect_channel(ZN_CHANNEL_REQ, zn_channel_endpoint(rep));
        send_heartbeat(req, NULL, 1);
        expect_heartbeat(rep, NULL, 1);
        zn_channel_reset(req);
        send_heartbeat(req, NULL, 2);
        send_heartbeat(rep, NULL, 101); /* late: answers what was forgotten */
        expect_heartbeat(rep, NULL, 2);
        send_heartbeat(rep, NULL, 102);
        expect_heartbeat(req, NULL, 102);
        zn_channel_reset(req); /* nothing is out: no effect */
        send_heartbeat(req, NULL, 3);
        expect_heartbeat(rep, NULL, 3);
        zn_channel_destroy(&req);
        zn_channel_destroy(&rep);
    }
}

/* Sending again without a reset is possible too; the reply to the first try is dropped. */
static void test_channel_req_sends_twice_and_gets_the_second_reply(void **state) {
    (void)state;
    zn_channel *rep = bind_channel(ZN_CHANNEL_REP, "tcp");
    zn_channel *req = connect_channel(ZN_CHANNEL_REQ, zn_channel_endpoint(rep));
    send_heartbeat(req, NULL, 1);
    send_heartbeat(req, NULL, 2);
    for (uint64_t sent = 1; sent <= 2; sent++) {
        expect_heartbeat(rep, NULL, sent);
        send_heartbeat(rep, NULL, sent + 100);
    }
    expect_heartbeat(req, NULL, 102);
    zn_channel_destroy(&req);
    zn_channel_destroy(&rep);
}

/* A ROUTER says at once that it does not know a peer. */
static void test_channel_router_unknown_peer_is_unreachable(void **state) {
    (void)state;
    zn_channel *router = bind_channel(ZN_CHANNEL_ROUTER, "inproc");
    zn_peer nobody = { .len = 3, .id = { 1, 2, 3 } };
    zn_message message = heartbeat(1);
    zonda_error error = { 0 };
    assert_err(zn_channel_send(router, &nobody, &message, &error), UNREACHABLE);
    assert_non_null(strstr(error.text, "HEARTBEAT"));
    zn_channel_destroy(&router);
}

/* Sending to a peer that does not read ends with an error and not with a blocked thread. */
static void test_channel_full_queue_is_unreachable(void **state) {
    (void)state;
    zn_channel *dealer = connect_channel(ZN_CHANNEL_DEALER, "inproc://test-channel-nobody");
    zn_message message = heartbeat(1);
    zonda_err code = ZONDA_OK;
    size_t sent = 0;
    for (; code == ZONDA_OK && sent < 10 * ZN_SOCKET_HWM; sent++) {
        code = zn_channel_send(dealer, NULL, &message, NULL);
    }
    assert_err(code, UNREACHABLE);
    zn_channel_destroy(&dealer);
}

/* A peer that does not read is sent no more than the queue of the channel, and a bit that the
 * connection holds. */
static void test_channel_short_queue_bounds_a_deaf_peer(void **state) {
    (void)state;
    enum {
        QUEUE = 4,
        SENT_MAX = 100
    };
    zonda_error error = { 0 };
    char *endpoint = fresh_endpoint("ipc");
    zn_channel *router = zn_channel_bind_queue(ZN_CHANNEL_ROUTER, endpoint, QUEUE, &error);
    assert_non_null(router);
    zsock_t *deaf = zsock_new(ZMQ_DEALER);
    zsock_set_rcvhwm(deaf, 1);
    assert_int_equal(zsock_connect(deaf, "%s", endpoint), 0);
    assert_int_equal(zsock_send(deaf, "z", ""), 0);
    zn_peer peer = { 0 };
    expect_error(router, &peer, ZONDA_ERR_PROTOCOL);
    uint8_t *piece = zn_calloc(1, ZN_MIB);
    zn_message message = { .number = ZN_MSG_DATA };
    message.data.bytes = (zn_bytes){ piece, ZN_MIB };
    size_t sent = 0;
    while (sent < SENT_MAX && zn_channel_send(router, &peer, &message, NULL) == ZONDA_OK) {
        sent++;
    }
    assert_in_range(sent, QUEUE, QUEUE + 8);
    zsock_destroy(&deaf);
    zn_channel_destroy(&router);
    free(piece);
    free(endpoint);
}

/* A closed connection wakes the monitor, and by then the peer is really gone. */
static void test_channel_monitor_sees_a_closed_peer(void **state) {
    (void)state;
    for (size_t i = 1; i < sizeof transports / sizeof transports[0]; i++) {
        zonda_error error = { 0 };
        zn_channel *router = bind_channel(ZN_CHANNEL_ROUTER, transports[i]);
        assert_ok(zn_channel_monitor(router, &error), error);
        zn_channel *dealer = connect_channel(ZN_CHANNEL_DEALER, zn_channel_endpoint(router));
        zn_peer peer;
        send_heartbeat(dealer, NULL, 1);
        expect_heartbeat(router, &peer, 1);
        assert_false(zn_channel_peers_closed(router));
        zn_channel_destroy(&dealer);
        wait_for(ZN_POLL_MONITOR, router);
        assert_true(zn_channel_peers_closed(router));
        assert_false(zn_channel_peers_closed(router));
        zn_message message = heartbeat(2);
        assert_err(zn_channel_send(router, &peer, &message, NULL), UNREACHABLE);
        zn_channel_destroy(&router);
    }
}

/* Two owners of one endpoint: the second gets an error, on every transport. */
static void test_channel_bind_in_use_is_an_io_error(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof transports / sizeof transports[0]; i++) {
        zonda_error error = { 0 };
        zn_channel *first = bind_channel(ZN_CHANNEL_REP, transports[i]);
        assert_null(zn_channel_bind(ZN_CHANNEL_REP, zn_channel_endpoint(first), &error));
        assert_err(error.code, IO);
        assert_non_null(strstr(error.text, zn_channel_endpoint(first)));
        zn_channel_destroy(&first);
    }
}

/* When a channel is destroyed its port or path is free, at once. */
static void test_channel_endpoint_is_free_after_destroy(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof transports / sizeof transports[0]; i++) {
        zn_channel *channel = bind_channel(ZN_CHANNEL_ROUTER, transports[i]);
        for (int round = 0; round < 20; round++) {
            zonda_error error = { 0 };
            char *endpoint = zn_strdup(zn_channel_endpoint(channel));
            zn_channel_destroy(&channel);
            channel = zn_channel_bind(ZN_CHANNEL_ROUTER, endpoint, &error);
            free(endpoint);
            assert_ok(error.code, error);
        }
        zn_channel_destroy(&channel);
    }
}

/* The socket file of a dead process is replaced, a file of somebody's work is not. */
static void test_channel_bind_ipc_spares_other_files(void **state) {
    (void)state;
    zonda_error error = { 0 };
    char *path = zn_format("%s/thesis.txt", directory);
    char *endpoint = zn_format("ipc://%s", path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_null(zn_channel_bind(ZN_CHANNEL_REP, endpoint, &error));
    assert_err(error.code, IO);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    unlink(path);
    free(endpoint);
    free(path);
}

/* Endpoints that cannot be are refused by name and leave nothing behind. */
static void test_channel_bad_endpoint_is_invalid(void **state) {
    (void)state;
    zonda_error error = { 0 };
    assert_null(zn_channel_bind(ZN_CHANNEL_REP, "tcp://127.0.0.1", &error));
    assert_err(error.code, INVALID);
    assert_null(zn_channel_connect(ZN_CHANNEL_REQ, "tcp://127.0.0.1:*", &error));
    assert_err(error.code, INVALID);
    assert_null(zn_channel_bind(ZN_CHANNEL_REP, "tcp://192.0.2.1:*", &error));
    assert_err(error.code, IO);
    zn_channel *localhost = zn_channel_bind(ZN_CHANNEL_REP, "tcp://localhost:*", &error);
    assert_non_null(localhost);
    assert_non_null(strstr(zn_channel_endpoint(localhost), "tcp://127.0.0.1:"));
    assert_null(strchr(zn_channel_endpoint(localhost), '*'));
    zn_channel_destroy(&localhost);
    zn_channel_destroy(&localhost);
}

/* zn_poll tells which of several things is ready, and comes back in time when none is. */
static void test_channel_poll_tells_who_is_ready(void **state) {
    (void)state;
    zn_channel *router = bind_channel(ZN_CHANNEL_ROUTER, "inproc");
    zn_channel *dealer = connect_channel(ZN_CHANNEL_DEALER, zn_channel_endpoint(router));
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    zn_poll_item items[20] = { { .kind = ZN_POLL_CHANNEL, .channel = dealer },
                               { .kind = ZN_POLL_FD, .fd = fds[0] } };
    for (size_t i = 2; i < 20; i++) {
        items[i] = (zn_poll_item){ .kind = ZN_POLL_CHANNEL, .channel = router };
    }
    assert_int_equal(zn_poll(items, 20, 0), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(zn_poll(items, 2, -1), 1);
    assert_true(items[1].ready);
    assert_false(items[0].ready);
    send_heartbeat(dealer, NULL, 1);
    assert_int_equal(zn_poll(items, 20, -1), 19);
    close(fds[0]);
    close(fds[1]);
    zn_channel_destroy(&dealer);
    zn_channel_destroy(&router);
}

static int make_directory(void **state) {
    (void)state;
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static int remove_directory(void **state) {
    (void)state;
    return rmdir(directory); /* fails if a channel left a file */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channel_dealer_router_exchange_messages),
        cmocka_unit_test(test_channel_req_rep_alternate),
        cmocka_unit_test(test_channel_pub_sub_delivers),
        cmocka_unit_test(test_channel_large_message_is_compressed_and_back),
        cmocka_unit_test(test_channel_garbage_is_an_error_and_sync_is_kept),
        cmocka_unit_test(test_channel_rep_replies_after_garbage),
        cmocka_unit_test(test_channel_reset_sends_again_and_drops_the_late_reply),
        cmocka_unit_test(test_channel_req_sends_twice_and_gets_the_second_reply),
        cmocka_unit_test(test_channel_router_unknown_peer_is_unreachable),
        cmocka_unit_test(test_channel_full_queue_is_unreachable),
        cmocka_unit_test(test_channel_short_queue_bounds_a_deaf_peer),
        cmocka_unit_test(test_channel_monitor_sees_a_closed_peer),
        cmocka_unit_test(test_channel_bind_in_use_is_an_io_error),
        cmocka_unit_test(test_channel_endpoint_is_free_after_destroy),
        cmocka_unit_test(test_channel_bind_ipc_spares_other_files),
        cmocka_unit_test(test_channel_bad_endpoint_is_invalid),
        cmocka_unit_test(test_channel_poll_tells_who_is_ready),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
