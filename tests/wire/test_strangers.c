/* SPDX-License-Identifier: MPL-2.0 */
/* What strangers do to a bound socket has no effect on those who are served there. */
#include "test.h"

#include <czmq.h>

#include "base/alloc.h"
#include "wire/channel.h"
#include "wire/frame.h"

static zn_channel *bind_channel(zn_channel_kind kind) {
    zonda_error error = { 0 };
    zn_channel *channel = zn_channel_bind(kind, "tcp://127.0.0.1:*", &error);
    assert_non_null(channel);
    return channel;
}

static zn_channel *connect_channel(zn_channel_kind kind, const char *endpoint) {
    zonda_error error = { 0 };
    zn_channel *channel = zn_channel_connect(kind, endpoint, &error);
    assert_non_null(channel);
    return channel;
}

static void send_heartbeat(zn_channel *channel, uint64_t sent) {
    zonda_error error = { 0 };
    zn_message message = { .number = ZN_MSG_HEARTBEAT, .heartbeat = { .epoch = 1, .sent = sent } };
    assert_ok(zn_channel_send(channel, NULL, &message, &error), error);
}

/* Waits for the next message, good or bad. */
static zonda_err receive(zn_channel *channel, zn_peer *from) {
    zonda_err code = ZONDA_OK;
    for (bool got = false; !got;) {
        zn_message message;
        zonda_error error = { 0 };
        zn_poll_item item = { .kind = ZN_POLL_CHANNEL, .channel = channel };
        zn_poll(&item, 1, -1);
        code = zn_channel_recv(channel, from, &message, &got, &error);
    }
    return code;
}

/* `parts` ends with NULL. */
static void send_raw(zsock_t *socket, const char *const *parts) {
    for (size_t i = 0; parts[i] != NULL; i++) {
        int flags = parts[i + 1] == NULL ? 0 : ZMQ_SNDMORE;
        int rc = zmq_send(zsock_resolve(socket), parts[i], strlen(parts[i]), flags);
        assert_int_equal(rc, strlen(parts[i]));
    }
}

/* Calls are answered whatever strangers sent before they hung up: parts that are no request must
 * not swallow the reply to somebody else. */
static void test_strangers_rep_replies_after_those_who_hung_up(void **state) {
    (void)state;
    zn_channel *rep = bind_channel(ZN_CHANNEL_REP);
    zn_channel *req = connect_channel(ZN_CHANNEL_REQ, zn_channel_endpoint(rep));
    for (uint64_t round = 0; round < 30; round++) {
        zsock_t *stranger = zsock_new(ZMQ_DEALER);
        assert_int_equal(zsock_connect(stranger, "%s", zn_channel_endpoint(rep)), 0);
        send_raw(stranger, (const char *[]){ "no", "empty", "part", NULL });
        send_raw(stranger, (const char *[]){ "lonely", NULL });
        zn_poll_item item = { .kind = ZN_POLL_CHANNEL, .channel = rep };
        zn_poll(&item, 1, -1);
        zsock_set_linger(stranger, 0);
        zsock_destroy(&stranger);
        send_heartbeat(req, round);
        while (receive(rep, NULL) != ZONDA_OK) {
            zn_message refusal = { .number = ZN_MSG_REFUSAL }; /* to somebody who is gone */
            zn_channel_send(rep, NULL, &refusal, NULL);
        }
        send_heartbeat(rep, round + 100);
        assert_int_equal(receive(req, NULL), ZONDA_OK);
    }
    zn_channel_destroy(&req);
    zn_channel_destroy(&rep);
}

/* Who announces more than is meant for a bound socket is cut off; others are served. */
static void test_strangers_bound_sockets_take_no_large_messages(void **state) {
    (void)state;
    zn_channel *router = bind_channel(ZN_CHANNEL_ROUTER);
    zsock_t *stranger = zsock_new(ZMQ_DEALER);
    zsock_set_linger(stranger, 0);
    assert_int_equal(zsock_connect(stranger, "%s", zn_channel_endpoint(router)), 0);
    size_t size = ZN_WORK_BYTES_MAX + ZN_FRAME_HEADER_BYTES + 1;
    uint8_t *bytes = zn_calloc(size, 1);
    assert_int_equal(zmq_send(zsock_resolve(stranger), bytes, size, 0), (int)size);
    zn_channel *dealer = connect_channel(ZN_CHANNEL_DEALER, zn_channel_endpoint(router));
    send_heartbeat(dealer, 9);
    zn_peer peer;
    assert_int_equal(receive(router, &peer), ZONDA_OK);
    free(bytes);
    zsock_destroy(&stranger);
    zn_channel_destroy(&dealer);
    zn_channel_destroy(&router);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strangers_rep_replies_after_those_who_hung_up),
        cmocka_unit_test(test_strangers_bound_sockets_take_no_large_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
