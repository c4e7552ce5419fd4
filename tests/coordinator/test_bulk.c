/* SPDX-License-Identifier: MPL-2.0 */
/* What comes back from the coordinator in bulk: pages of results, references, blobs. */
#include "rig.h"

static const zn_message *collect(rig *r, uint64_t job, uint64_t first) {
    zn_message message = { .number = ZN_MSG_COLLECT_RESULTS };
    message.collect_results.job = job;
    message.collect_results.first = first;
    return rig_call(r, message);
}

/* Results come in task order, without gaps, while the stage runs and after it. */
static void test_bulk_results_are_contiguous(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 10);
    rig_join(r, 0, 10, 10);
    rig_assign(r);
    zn_outcome outcome = rig_outcome(4, 3, 1);
    outcome.records = zn_bytes_of_text("abc");
    outcome.records_out = 2;
    rig_result(r, 0, job, 0, outcome);
    assert_int_equal(collect(r, job, 0)->results.results_count, 0);
    const zn_message *reply = collect(r, job, 5);
    assert_int_equal(reply->results.total, 10);
    assert_int_equal(reply->results.results_count, 1);
    assert_int_equal(reply->results.results[0].first, 5);
    assert_int_equal(reply->results.results[0].count, 2);
    assert_int_equal(reply->results.results[0].records_out, 2);
    assert_true(zn_bytes_equal(reply->results.results[0].records, zn_bytes_of_text("abc")));
    outcome.first = 3;
    outcome.count = 1;
    rig_result(r, 0, job, 0, outcome); /* equal to its neighbour: one run */
    rig_result(r, 0, job, 0, rig_outcome(0, 3, 1));
    reply = collect(r, job, 0);
    assert_int_equal(reply->results.results_count, 2);
    assert_int_equal(reply->results.results[1].first, 3);
    assert_int_equal(reply->results.results[1].count, 4);
    assert_int_equal(collect(r, job, 10)->results.results_count, 0);
    assert_int_equal(collect(r, job, 1000000000)->results.results_count, 0);
    rig_free(&r);
}

/* Large results are paged by bytes; all pages together are the whole. */
static void test_bulk_results_are_paged(void **state) {
    (void)state;
    enum {
        TASKS = 500
    };
    static uint8_t bytes[ZN_INLINE_BYTES_MAX];
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, TASKS);
    rig_join(r, 0, TASKS, TASKS);
    rig_assign(r);
    for (uint64_t i = 0; i < TASKS; i++) {
        bytes[0] = (uint8_t)i;
        zn_outcome outcome = rig_outcome(i, 1, 1);
        outcome.records = (zn_bytes){ bytes, sizeof(bytes) };
        rig_result(r, 0, job, 0, outcome);
    }
    uint64_t next = 0;
    int pages = 0;
    while (next < TASKS) {
        const zn_message *reply = collect(r, job, next);
        size_t page_bytes = 0;
        assert_true(reply->results.results_count > 0);
        for (size_t i = 0; i < reply->results.results_count; i++) {
            const zn_result *result = &reply->results.results[i];
            assert_int_equal(result->first, next);
            assert_int_equal(result->records.data[0], (uint8_t)next);
            page_bytes += result->records.len;
            next += result->count;
        }
        assert_true(page_bytes < ZN_BATCH_BYTES + 2 * ZN_INLINE_BYTES_MAX);
        pages++;
    }
    assert_in_range(pages, 7, 9);
    rig_free(&r);
}

/* References carry the endpoint of their worker; without the worker the page ends before them. */
static void test_bulk_reference_of_lost_worker_is_left_out(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 2);
    rig_join(r, 0, 2, 2);
    rig_assign(r);
    zn_reference reference = { .segment = zn_bytes_of_text("seg"), .offset = 7, .length = 9 };
    zn_outcome away = rig_outcome(1, 1, 1);
    away.reference = &reference;
    away.reference_count = 1;
    rig_result(r, 0, job, 0, rig_outcome(0, 1, 1));
    rig_result(r, 0, job, 0, away);
    const zn_message *reply = collect(r, job, 0);
    assert_int_equal(reply->results.results_count, 2);
    const zn_result *result = &reply->results.results[1];
    assert_int_equal(result->reference_count, 1);
    assert_int_equal(result->reference[0].offset, 7);
    assert_int_equal(result->reference[0].length, 9);
    assert_true(zn_bytes_equal(result->reference[0].segment, zn_bytes_of_text("seg")));
    assert_true(zn_bytes_equal(result->endpoint, zn_bytes_of_text("inproc://data")));
    assert_int_equal(result->worker, r->workers[0].id);
    assert_true(zn_bytes_equal(result->folder, zn_bytes_of_text("/scratch")));
    assert_true(zn_bytes_equal(result->machine, zn_bytes_of_text("machine")));
    zn_scheduler_unreachable(r->scheduler, r->now_ns, r->workers[0].epoch);
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_RUNNING);
    assert_int_equal(collect(r, job, 0)->results.results_count, 1);
    reply = collect(r, job, 1);
    assert_int_equal(reply->number, ZN_MSG_RESULTS);
    assert_int_equal(reply->results.results_count, 0);
    rig_free(&r);
}

/* Blobs through calls: asking, putting in parts, wrong bytes, an unknown job, reading back. */
static void test_bulk_blobs_by_parts(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    zn_bytes bytes = zn_bytes_of_text("twelve bytes");
    zn_digest digest = zn_digest_of(bytes);
    zn_message put = { .number = ZN_MSG_PUT_BLOB };
    put.put_blob = (zn_msg_put_blob){ .job = job, .digest = zn_digest_bytes(&digest), .size = 12 };
    assert_int_equal(rig_call(r, put)->blob_stored.received, 0);
    put.put_blob.bytes = (zn_bytes){ bytes.data, 5 };
    assert_int_equal(rig_call(r, put)->blob_stored.received, 5);
    zn_message get = { .number = ZN_MSG_GET_BLOB };
    get.get_blob.digest = zn_digest_bytes(&digest);
    assert_int_equal(zn_control_bulk(r->control, 0, &get)->blob.found, 0);
    put.put_blob.offset = 5;
    put.put_blob.bytes = (zn_bytes){ bytes.data + 5, 7 };
    assert_int_equal(rig_call(r, put)->blob_stored.received, 12);
    get.get_blob.offset = 7;
    const zn_message *reply = zn_control_bulk(r->control, 0, &get);
    assert_int_equal(reply->number, ZN_MSG_BLOB);
    assert_int_equal(reply->blob.found, 1);
    assert_int_equal(reply->blob.size, 12);
    assert_int_equal(reply->blob.offset, 7);
    assert_true(zn_bytes_equal(reply->blob.bytes, zn_bytes_of_text("bytes")));
    get.get_blob.offset = 1000;
    assert_int_equal(zn_control_bulk(r->control, 0, &get)->blob.bytes.len, 0);
    put.put_blob.size = 13;
    assert_string_equal(rig_refused(r, put), "INVALID");
    put.put_blob.job = job + 5;
    assert_string_equal(rig_refused(r, put), "UNKNOWN_JOB");
    put.put_blob.job = job;
    put.put_blob.digest = zn_bytes_of_text("xxxxxxxxxxxxxxxx");
    put.put_blob.offset = 0;
    put.put_blob.size = 7;
    assert_string_equal(rig_refused(r, put), "CORRUPT");
    put.put_blob.size = ZN_BLOB_BYTES_MAX;
    put.put_blob.digest = zn_bytes_of_text("yyyyyyyyyyyyyyyy");
    assert_string_equal(rig_refused(r, put), "LIMIT");
    assert_int_equal(rig_close(r, job), 0);
    assert_int_equal(zn_blob_store_used(r->scheduler->blobs), 0);
    rig_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bulk_results_are_contiguous),
        cmocka_unit_test(test_bulk_results_are_paged),
        cmocka_unit_test(test_bulk_reference_of_lost_worker_is_left_out),
        cmocka_unit_test(test_bulk_blobs_by_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
