/* SPDX-License-Identifier: MPL-2.0 */
/* Where a slot has the body of a stage from: what came with the TASK, else what it asks for. The
 * bodies here are none, so a task fails; with PLAN if the slot had the bytes. */
#include <string.h>

#include "test.h"

#include "base/digest.h"
#include "wire/channel.h"
#include "worker/slot.h"

enum {
    WAIT_MS = 30000
};

typedef struct slot_rig {
    zn_channel *channel;
    zn_slot_board board;
    zn_slot *slot;
    zn_peer peer;
    zn_message message; /* the last one that came */
} slot_rig;

static void receive(slot_rig *rig, zn_message_number number) {
    zonda_error error = { 0 };
    bool got = false;
    for (int waited = 0; !got && waited < WAIT_MS; waited += 100) {
        zn_poll_item item = { .kind = ZN_POLL_CHANNEL, .channel = rig->channel };
        zn_poll(&item, 1, 100);
        zonda_err err = zn_channel_recv(rig->channel, &rig->peer, &rig->message, &got, &error);
        assert_ok(err, error);
    }
    assert_true(got);
    assert_string_equal(zn_message_name(rig->message.number), zn_message_name(number));
}

static void send(slot_rig *rig, const zn_message *message) {
    zonda_error error = { 0 };
    assert_ok(zn_channel_send(rig->channel, &rig->peer, message, &error), error);
}

static void send_body(slot_rig *rig, zn_digest digest, const char *text) {
    zn_message message = { .number = ZN_MSG_BLOB };
    message.blob = (zn_msg_blob){ .digest = zn_digest_bytes(&digest),
                                  .found = text != NULL,
                                  .size = text != NULL ? strlen(text) : 0,
                                  .bytes = zn_bytes_of_text(text != NULL ? text : "") };
    send(rig, &message);
}

static void send_task(slot_rig *rig, uint64_t job, zn_digest body) {
    zn_run run = { .first = 0, .count = 1, .attempt = 1 };
    zn_message message = { .number = ZN_MSG_TASK };
    message.task = (zn_msg_task){ .epoch = 1,
                                  .sequence = job,
                                  .job = job,
                                  .body = zn_digest_bytes(&body),
                                  .runs = &run,
                                  .runs_count = 1 };
    send(rig, &message);
}

static void expect_failure(slot_rig *rig, zonda_err code) {
    receive(rig, ZN_MSG_RESULT);
    assert_int_equal(rig->message.outcomes.outcomes_count, 1);
    const zn_outcome *outcome = rig->message.outcomes.outcomes;
    assert_int_equal(outcome->failure_count, 1);
    assert_int_equal(zn_err_from_number(outcome->failure[0].code), code);
}

static void open_rig(slot_rig *rig, const char *endpoint) {
    zonda_error error = { 0 };
    *rig = (slot_rig){ .channel = zn_channel_bind(ZN_CHANNEL_ROUTER, endpoint, &error) };
    assert_non_null(rig->channel);
    zn_slot_options options = { .endpoint = endpoint, .scratch = "/tmp", .board = &rig->board };
    rig->slot = zn_slot_start_thread(&options, &error);
    assert_non_null(rig->slot);
    receive(rig, ZN_MSG_HELLO);
}

static void close_rig(slot_rig *rig) {
    zn_message done = { .number = ZN_MSG_DONE, .done = { .scope = ZN_DONE_ALL } };
    send(rig, &done);
    zn_slot_destroy(&rig->slot);
    zn_channel_destroy(&rig->channel);
}

/* A body that came before the TASK is not asked for, also if others came after it. */
static void test_slot_body_that_came_is_not_asked_for(void **state) {
    (void)state;
    slot_rig rig;
    open_rig(&rig, "inproc://test-slot-body-came");
    zn_digest first = zn_digest_of(zn_bytes_of_text("first"));
    zn_digest second = zn_digest_of(zn_bytes_of_text("second"));
    send_body(&rig, first, "first");
    send_body(&rig, second, "second");
    send_task(&rig, 1, first);
    expect_failure(&rig, ZONDA_ERR_PLAN);
    send_task(&rig, 2, second);
    expect_failure(&rig, ZONDA_ERR_PLAN);
    close_rig(&rig);
}

/* A body that was not sent, and one that is not what its name says, are asked for. */
static void test_slot_body_that_did_not_come_is_asked_for(void **state) {
    (void)state;
    slot_rig rig;
    open_rig(&rig, "inproc://test-slot-body-asked");
    zn_digest body = zn_digest_of(zn_bytes_of_text("body"));
    send_task(&rig, 1, body);
    receive(&rig, ZN_MSG_GET_BLOB);
    send_body(&rig, body, "body");
    expect_failure(&rig, ZONDA_ERR_PLAN);
    send_body(&rig, body, "other");
    send_body(&rig, body, NULL);
    send_task(&rig, 2, body);
    receive(&rig, ZN_MSG_GET_BLOB);
    send_body(&rig, body, NULL);
    expect_failure(&rig, ZONDA_ERR_UNKNOWN_BLOB);
    close_rig(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slot_body_that_came_is_not_asked_for),
        cmocka_unit_test(test_slot_body_that_did_not_come_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
