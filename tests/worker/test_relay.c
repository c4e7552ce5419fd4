/* SPDX-License-Identifier: MPL-2.0 */
/* The relay between slots and the blobs socket, and how a blob is put together, without sockets. */
#include "test.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "worker/blob_assembly.h"
#include "worker/relay.h"

enum {
    SENT_MAX = 64
};

typedef struct sent_message {
    int slot; /* -1: to the coordinator */
    zn_message_number number;
    uint64_t offset;
    uint64_t request;
    bool found;
    size_t bytes;
} sent_message;

typedef struct relay_rig {
    zn_relay *relay;
    sent_message sent[SENT_MAX];
    size_t count;
    uint8_t *blob;
    size_t blob_bytes;
    zn_digest digest;
} relay_rig;

static void keep(relay_rig *rig, int slot, const zn_message *message) {
    assert_true(rig->count < SENT_MAX);
    sent_message *sent = &rig->sent[rig->count++];
    sent->slot = slot;
    sent->number = message->number;
    if (message->number == ZN_MSG_GET_BLOB) {
        sent->offset = message->get_blob.offset;
    } else if (message->number == ZN_MSG_BLOB) {
        sent->offset = message->blob.offset;
        sent->found = message->blob.found != 0;
        sent->bytes = message->blob.bytes.len;
    } else if (message->number == ZN_MSG_COLLECT_RESULTS) {
        sent->request = message->collect_results.request;
    } else if (message->number == ZN_MSG_RESULTS) {
        sent->request = message->results.request;
    }
}

static void to_coordinator(void *context, const zn_message *message) {
    keep(context, -1, message);
}

static void to_slot(void *context, uint32_t slot, const zn_message *message) {
    keep(context, (int)slot, message);
}

static void open_rig(relay_rig *rig, size_t blob_bytes) {
    *rig = (relay_rig){ .blob_bytes = blob_bytes };
    rig->blob = zn_calloc(blob_bytes + 1, 1);
    for (size_t i = 0; i < blob_bytes; i++) {
        rig->blob[i] = (uint8_t)(i % 251);
    }
    rig->digest = zn_digest_of((zn_bytes){ rig->blob, blob_bytes });
    zn_relay_options options = { .slots = 4,
                                 .client = 5,
                                 .context = rig,
                                 .to_coordinator = to_coordinator,
                                 .to_slot = to_slot };
    rig->relay = zn_relay_new(&options);
}

static void close_rig(relay_rig *rig) {
    zn_relay_destroy(&rig->relay);
    free(rig->blob);
}

static void slot_asks(relay_rig *rig, uint32_t slot, uint64_t offset) {
    rig->count = 0;
    zn_message message = { .number = ZN_MSG_GET_BLOB };
    message.get_blob =
        (zn_msg_get_blob){ .digest = zn_digest_bytes(&rig->digest), .offset = offset };
    zn_relay_slot_asked(rig->relay, slot, &message, 0);
}

static zn_message part_of(const relay_rig *rig, uint64_t offset) {
    size_t left = rig->blob_bytes - (size_t)offset;
    zn_message message = { .number = ZN_MSG_BLOB };
    message.blob = (zn_msg_blob){
        .digest = zn_digest_bytes(&rig->digest),
        .found = 1,
        .size = rig->blob_bytes,
        .offset = offset,
        .bytes = { rig->blob + offset, left < ZN_BLOB_CHUNK_BYTES ? left : ZN_BLOB_CHUNK_BYTES },
    };
    return message;
}

static void answer(relay_rig *rig, const zn_message *message) {
    rig->count = 0;
    zn_relay_answered(rig->relay, message, 0);
}

static zn_msg_task task_of(const relay_rig *rig, uint64_t job, uint64_t stage) {
    return (zn_msg_task){ .job = job, .stage = stage, .body = zn_digest_bytes(&rig->digest) };
}

/* The body of a stage is asked for when its first TASK comes, once. */
static void test_relay_body_is_fetched_when_a_task_comes(void **state) {
    (void)state;
    relay_rig rig;
    open_rig(&rig, 100);
    zn_msg_task task = task_of(&rig, 1, 0);
    zn_relay_task_came(rig.relay, &task, 0);
    assert_int_equal(rig.count, 1);
    assert_int_equal(rig.sent[0].number, ZN_MSG_GET_BLOB);
    zn_relay_task_came(rig.relay, &task, 0);
    assert_int_equal(rig.count, 1);
    slot_asks(&rig, 2, 0);
    assert_int_equal(rig.count, 0);
    zn_message part = part_of(&rig, 0);
    answer(&rig, &part);
    assert_int_equal(rig.count, 1);
    assert_int_equal(rig.sent[0].slot, 2);
    close_rig(&rig);
}

/* The first TASK of a stage that goes to a slot goes with the body. */
static void test_relay_small_body_goes_with_the_first_task(void **state) {
    (void)state;
    relay_rig rig;
    open_rig(&rig, 100);
    zn_msg_task task = task_of(&rig, 1, 0);
    zn_relay_task_goes(rig.relay, 1, &task); /* it is not here: the slot will ask */
    zn_relay_task_came(rig.relay, &task, 0);
    zn_message part = part_of(&rig, 0);
    answer(&rig, &part);
    assert_int_equal(rig.count, 0);
    zn_relay_task_goes(rig.relay, 1, &task); /* not the first */
    assert_int_equal(rig.count, 0);
    for (uint64_t stage = 1; stage < 3; stage++) {
        task.stage = stage;
        zn_relay_task_goes(rig.relay, 1, &task);
        zn_relay_task_goes(rig.relay, 1, &task);
        assert_int_equal(rig.count, stage);
        assert_int_equal(rig.sent[stage - 1].slot, 1);
        assert_int_equal(rig.sent[stage - 1].bytes, 100);
    }
    zn_relay_slot_dead(rig.relay, 1); /* a new one knows nothing */
    zn_relay_task_goes(rig.relay, 1, &task);
    assert_int_equal(rig.count, 3);
    close_rig(&rig);
}

/* A large body waits for the question: the slot may have it. */
static void test_relay_large_body_waits_for_the_slot(void **state) {
    (void)state;
    relay_rig rig;
    open_rig(&rig, ZN_BLOB_UNASKED_BYTES_MAX + 1);
    zn_msg_task task = task_of(&rig, 1, 0);
    zn_relay_task_came(rig.relay, &task, 0);
    zn_message part = part_of(&rig, 0);
    answer(&rig, &part);
    zn_relay_task_goes(rig.relay, 1, &task);
    assert_int_equal(rig.count, 0);
    close_rig(&rig);
}

/* Several slots want the same blob: it is fetched once, each gets the part that it asked for. */
static void test_relay_same_blob_is_fetched_once(void **state) {
    (void)state;
    relay_rig rig;
    open_rig(&rig, 2 * ZN_BLOB_CHUNK_BYTES + 5);
    slot_asks(&rig, 0, 0);
    assert_int_equal(rig.count, 1);
    assert_int_equal(rig.sent[0].slot, -1);
    slot_asks(&rig, 1, 0);
    slot_asks(&rig, 1, 0);
    assert_int_equal(rig.count, 0);
    zn_message part = part_of(&rig, 0);
    answer(&rig, &part);
    assert_int_equal(rig.count, 2);
    assert_int_equal(rig.sent[0].offset, ZN_BLOB_CHUNK_BYTES);
    assert_int_equal(rig.sent[1].offset, 2 * ZN_BLOB_CHUNK_BYTES);
    part = part_of(&rig, 2 * ZN_BLOB_CHUNK_BYTES);
    answer(&rig, &part);
    answer(&rig, &part);
    assert_int_equal(rig.count, 0);
    part = part_of(&rig, ZN_BLOB_CHUNK_BYTES);
    answer(&rig, &part);
    assert_int_equal(rig.count, 2);
    assert_true(rig.sent[0].found && rig.sent[1].found);
    assert_int_equal(rig.sent[0].slot + rig.sent[1].slot, 1);
    slot_asks(&rig, 3, 2 * ZN_BLOB_CHUNK_BYTES);
    assert_int_equal(rig.count, 1);
    assert_int_equal(rig.sent[0].slot, 3);
    assert_int_equal(rig.sent[0].bytes, 5);
    close_rig(&rig);
}

/* An empty blob is a blob. */
static void test_relay_empty_blob_is_found(void **state) {
    (void)state;
    relay_rig rig;
    open_rig(&rig, 0);
    slot_asks(&rig, 2, 0);
    zn_message part = part_of(&rig, 0);
    answer(&rig, &part);
    assert_int_equal(rig.count, 1);
    assert_true(rig.sent[0].found);
    close_rig(&rig);
}

/* A missing blob, and one whose bytes are not what its name says, are answered as missing; asked
 * for again they are fetched again. */
static void test_relay_missing_or_false_blob_is_answered_so(void **state) {
    (void)state;
    relay_rig rig;
    open_rig(&rig, 100);
    slot_asks(&rig, 0, 0);
    zn_message part = part_of(&rig, 0);
    part.blob.found = 0;
    answer(&rig, &part);
    assert_int_equal(rig.count, 1);
    assert_false(rig.sent[0].found);
    slot_asks(&rig, 0, 0);
    assert_int_equal(rig.sent[0].slot, -1);
    rig.blob[50] ^= 1;
    part = part_of(&rig, 0);
    answer(&rig, &part);
    assert_int_equal(rig.count, 1);
    assert_false(rig.sent[0].found);
    close_rig(&rig);
}

/* What was lost is asked for again after a silence, and at once on a new connection. */
static void test_relay_lost_answer_is_asked_for_again(void **state) {
    (void)state;
    relay_rig rig;
    open_rig(&rig, 100);
    slot_asks(&rig, 0, 0);
    rig.count = 0;
    zn_relay_tick(rig.relay, ZN_CALL_RETRY_MS * ZN_NS_PER_MS - 1);
    assert_int_equal(rig.count, 0);
    zn_relay_tick(rig.relay, ZN_CALL_RETRY_MS * ZN_NS_PER_MS);
    assert_int_equal(rig.count, 1);
    zn_relay_reconnected(rig.relay, 0);
    assert_int_equal(rig.count, 2);
    zn_relay_slot_dead(rig.relay, 0);
    zn_message part = part_of(&rig, 0);
    answer(&rig, &part);
    assert_int_equal(rig.count, 0);
    close_rig(&rig);
}

/* Parts that cannot belong to the blob change nothing. */
static void test_blob_assembly_foreign_parts_are_ignored(void **state) {
    (void)state;
    relay_rig rig;
    open_rig(&rig, ZN_BLOB_CHUNK_BYTES + 10);
    zn_blob_assembly blob;
    zn_blob_assembly_init(&blob, rig.digest, ZN_BLOB_ALONE, NULL);
    uint64_t offset = 9;
    assert_true(zn_blob_assembly_next(&blob, &offset));
    assert_int_equal(offset, 0);
    assert_false(zn_blob_assembly_next(&blob, &offset));
    zn_message good = part_of(&rig, 0);
    zn_blob_assembly_put(&blob, &good.blob);
    zn_message last = part_of(&rig, ZN_BLOB_CHUNK_BYTES);
    zn_msg_blob odd = last.blob;
    odd.size += 1;
    zn_blob_assembly_put(&blob, &odd);
    odd = last.blob;
    odd.offset -= 1;
    zn_blob_assembly_put(&blob, &odd);
    odd = last.blob;
    odd.bytes.len -= 1;
    zn_blob_assembly_put(&blob, &odd);
    odd = last.blob;
    odd.offset = UINT64_C(7) * ZN_BLOB_CHUNK_BYTES;
    zn_blob_assembly_put(&blob, &odd);
    assert_int_equal(blob.state, ZN_BLOB_PARTIAL);
    zn_blob_assembly_put(&blob, &last.blob);
    assert_int_equal(blob.state, ZN_BLOB_COMPLETE);
    assert_memory_equal(blob.data, rig.blob, rig.blob_bytes);
    zn_blob_assembly_free(&blob);
    close_rig(&rig);
}

/* Each slot gets the page for its own number, however the numbers collide. */
static void test_relay_pages_go_to_the_slot_that_asked(void **state) {
    (void)state;
    relay_rig rig;
    open_rig(&rig, 1);
    zn_message wanted = { .number = ZN_MSG_COLLECT_RESULTS };
    wanted.collect_results.request = 1;
    zn_relay_slot_asked(rig.relay, 2, &wanted, 0);
    zn_relay_slot_asked(rig.relay, 3, &wanted, 0);
    assert_int_equal(rig.count, 2);
    assert_int_not_equal(rig.sent[0].request, rig.sent[1].request);
    zn_message page = { .number = ZN_MSG_RESULTS, .results.request = rig.sent[1].request };
    answer(&rig, &page);
    assert_int_equal(rig.count, 1);
    assert_int_equal(rig.sent[0].slot, 3);
    assert_int_equal(rig.sent[0].request, 1);
    answer(&rig, &page);
    assert_int_equal(rig.count, 0);
    close_rig(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relay_body_is_fetched_when_a_task_comes),
        cmocka_unit_test(test_relay_small_body_goes_with_the_first_task),
        cmocka_unit_test(test_relay_large_body_waits_for_the_slot),
        cmocka_unit_test(test_relay_same_blob_is_fetched_once),
        cmocka_unit_test(test_relay_empty_blob_is_found),
        cmocka_unit_test(test_relay_missing_or_false_blob_is_answered_so),
        cmocka_unit_test(test_relay_lost_answer_is_asked_for_again),
        cmocka_unit_test(test_blob_assembly_foreign_parts_are_ignored),
        cmocka_unit_test(test_relay_pages_go_to_the_slot_that_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
