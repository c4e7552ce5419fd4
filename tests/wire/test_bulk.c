/* SPDX-License-Identifier: MPL-2.0 */
/* Large binaries are sent from where they were written and kept where they came, and that changes
 * nothing about the messages. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "wire/kept.h"

static zn_channel *router;
static zn_channel *dealer;
static zn_peer peer;

static void receive(zn_channel *channel, zn_peer *from, zn_message *message) {
    zonda_error error = { 0 };
    bool got = false;
    zn_poll_item item = { .kind = ZN_POLL_CHANNEL, .channel = channel };
    while (zn_poll(&item, 1, -1) == 0) {
    }
    assert_ok(zn_channel_recv(channel, from, message, &got, &error), error);
    assert_true(got);
}

static void connect_pair(const char *endpoint) {
    zonda_error error = { 0 };
    router = zn_channel_bind(ZN_CHANNEL_ROUTER, endpoint, &error);
    assert_non_null(router);
    dealer = zn_channel_connect(ZN_CHANNEL_DEALER, zn_channel_endpoint(router), &error);
    assert_non_null(dealer);
    zn_message hello = { .number = ZN_MSG_HEARTBEAT };
    zn_message message;
    assert_ok(zn_channel_send(dealer, NULL, &hello, &error), error);
    receive(router, &peer, &message);
}

static void close_pair(void) {
    zn_channel_destroy(&dealer);
    zn_channel_destroy(&router);
}

/* Sends `len` bytes of `fill` from the room; the room is larger than they are. */
static void send_from_room(uint64_t request, uint8_t fill, size_t len) {
    zonda_error error = { 0 };
    uint8_t *room = zn_channel_room(router, len + 1000);
    memset(room, fill, len);
    zn_message message = { .number = ZN_MSG_DATA };
    message.data.request = request;
    message.data.bytes = (zn_bytes){ room, len };
    assert_ok(zn_channel_send(router, &peer, &message, &error), error);
}

static void expect_filled(zn_bytes bytes, uint8_t fill, size_t len) {
    assert_int_equal(bytes.len, len);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(bytes.data[i], fill);
    }
}

/* Lengths on both sides of every width that their own length has in the message. */
static void test_bulk_room_of_any_length_arrives(void **state) {
    (void)state;
    static const size_t lengths[] = { 0, 1, 255, 256, 65535, 65536, 70000, 500000, ZN_MIB };
    static const char *const endpoints[] = { "tcp://127.0.0.1:*", "inproc://bulk-lengths" };
    for (size_t e = 0; e < 2; e++) {
        connect_pair(endpoints[e]);
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            zn_message message;
            send_from_room(i << 40, (uint8_t)i, lengths[i]);
            receive(dealer, NULL, &message);
            assert_int_equal(message.number, ZN_MSG_DATA);
            assert_int_equal(message.data.request, i << 40);
            expect_filled(message.data.bytes, (uint8_t)i, lengths[i]);
            assert_int_equal(message.data.failure_count, 0);
        }
        close_pair();
    }
}

/* What is large and somewhere else is the sender's again when the send returns. */
static void test_bulk_bytes_of_the_sender_arrive(void **state) {
    (void)state;
    static const char *const endpoints[] = { "tcp://127.0.0.1:*", "inproc://bulk-borrowed" };
    for (size_t e = 0; e < 2; e++) {
        connect_pair(endpoints[e]);
        for (size_t len = 1; len <= ZN_MIB; len *= 4) {
            zonda_error error = { 0 };
            uint8_t *bytes = malloc(len);
            memset(bytes, 5, len);
            zn_message message = { .number = ZN_MSG_BLOB };
            message.blob = (zn_msg_blob){ .found = 1, .size = len, .bytes = { bytes, len } };
            assert_ok(zn_channel_send(router, &peer, &message, &error), error);
            memset(bytes, 6, len);
            free(bytes);
            receive(dealer, NULL, &message);
            assert_int_equal(message.number, ZN_MSG_BLOB);
            assert_int_equal(message.blob.size, len);
            expect_filled(message.blob.bytes, 5, len);
        }
        close_pair();
    }
}

/* Nobody is there: the bytes stay in the room, and go to who is. */
static void test_bulk_room_outlives_a_failed_send(void **state) {
    (void)state;
    connect_pair("tcp://127.0.0.1:*");
    zonda_error error = { 0 };
    zn_peer nobody = { .len = 3, .id = "abc" };
    uint8_t *room = zn_channel_room(router, 100000);
    memset(room, 7, 100000);
    zn_message message = { .number = ZN_MSG_DATA };
    message.data.bytes = (zn_bytes){ room, 100000 };
    assert_int_equal(zn_channel_send(router, &nobody, &message, &error), ZONDA_ERR_UNREACHABLE);
    assert_ok(zn_channel_send(router, &peer, &message, &error), error);
    receive(dealer, NULL, &message);
    expect_filled(message.data.bytes, 7, 100000);
    close_pair();
}

/* The same for a part that libzmq does not take, and for a room that is never sent. */
static void test_bulk_room_outlives_a_full_queue(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_channel *alone = zn_channel_connect(ZN_CHANNEL_DEALER, "inproc://bulk-nobody", &error);
    uint8_t *room = NULL;
    zonda_err code = ZONDA_OK;
    for (size_t i = 0; i < 2 * ZN_SOCKET_HWM && code == ZONDA_OK; i++) {
        room = zn_channel_room(alone, 10000);
        memset(room, 7, 10000);
        zn_message message = { .number = ZN_MSG_DATA };
        message.data.bytes = (zn_bytes){ room, 10000 };
        code = zn_channel_send(alone, NULL, &message, &error);
    }
    assert_int_equal(code, ZONDA_ERR_UNREACHABLE);
    expect_filled((zn_bytes){ room, 10000 }, 7, 10000);
    zn_channel_destroy(&alone);
}

/* Large and small ones, over transports that copy and that do not. */
static void test_bulk_kept_bytes_outlive_the_next_message(void **state) {
    (void)state;
    static const size_t lengths[] = { 500000, 100, 0, 40000 };
    static const char *const endpoints[] = { "tcp://127.0.0.1:*", "inproc://bulk-kept" };
    for (size_t e = 0; e < 2; e++) {
        zn_kept kept[4] = { 0 };
        connect_pair(endpoints[e]);
        for (size_t i = 0; i < 4; i++) {
            zn_message message;
            send_from_room(i, (uint8_t)(i + 1), lengths[i]);
            receive(dealer, NULL, &message);
            zn_kept_take(&kept[i], dealer, message.data.bytes);
        }
        close_pair();
        for (size_t i = 0; i < 4; i++) {
            expect_filled(kept[i].bytes, (uint8_t)(i + 1), lengths[i]);
            zn_kept_free(&kept[i]);
            zn_kept_free(&kept[i]);
            assert_null(kept[i].bytes.data);
        }
    }
}

/* What came compressed does not lie in the message. */
static void test_bulk_kept_bytes_may_have_been_compressed(void **state) {
    (void)state;
    connect_pair("tcp://127.0.0.1:*");
    zonda_error error = { 0 };
    uint8_t *bytes = calloc(1, 100000);
    zn_message message = { .number = ZN_MSG_DATA };
    message.data.bytes = (zn_bytes){ bytes, 100000 };
    assert_ok(zn_channel_send(router, &peer, &message, &error), error);
    receive(dealer, NULL, &message);
    zn_kept kept = { 0 };
    zn_kept_take(&kept, dealer, message.data.bytes);
    send_from_room(1, 9, 100000);
    receive(dealer, NULL, &message);
    expect_filled(kept.bytes, 0, 100000);
    zn_kept_free(&kept);
    free(bytes);
    close_pair();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bulk_room_of_any_length_arrives),
        cmocka_unit_test(test_bulk_bytes_of_the_sender_arrive),
        cmocka_unit_test(test_bulk_room_outlives_a_failed_send),
        cmocka_unit_test(test_bulk_room_outlives_a_full_queue),
        cmocka_unit_test(test_bulk_kept_bytes_outlive_the_next_message),
        cmocka_unit_test(test_bulk_kept_bytes_may_have_been_compressed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
