/* SPDX-License-Identifier: MPL-2.0 */
/* The stage loop by scripted events. Each of the rules that keep a driver from taking a stage for
 * finished has its own test here; integration tests have them again over real sockets. */
#include <zonda/wide.h>

#include "driver_scene.h"

/* One stage, from OPEN_JOB to CLOSED. */
static void test_driver_core_runs_one_stage(void **state) {
    (void)state;
    driver_scene scene;
    zn_result result;
    reach_check(&scene, false);
    reply(&scene, status(0, ZN_STAGE_RUNNING, 1, 3));
    expect_state(&scene, ZN_DRIVER_WAITING);
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_TIMER });
    expect_call(&scene, ZN_MSG_GET_STATUS);
    reply(&scene, status(0, ZN_STAGE_COMPLETE, 3, 3));
    assert_int_equal(scene.action.kind, ZN_DRIVER_REST);
    assert_false(zn_driver_core_drained(scene.core));
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_WANT });
    expect_call(&scene, ZN_MSG_COLLECT_RESULTS);
    assert_int_equal(scene.action.request.collect_results.first, 0);
    reply(&scene, results(&result, 0, 0, 2, 3));
    assert_int_equal(scene.action.kind, ZN_DRIVER_DELIVER);
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_DELIVERED });
    assert_int_equal(scene.action.kind, ZN_DRIVER_REST);
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_WANT });
    assert_int_equal(scene.action.request.collect_results.first, 2);
    reply(&scene, results(&result, 0, 2, 1, 3));
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_DELIVERED });
    assert_true(zn_driver_core_drained(scene.core));
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_WANT });
    assert_int_equal(scene.action.kind, ZN_DRIVER_REST);
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_CLOSE });
    expect_call(&scene, ZN_MSG_CLOSE_JOB);
    reply(&scene, closing(1));
    expect_state(&scene, ZN_DRIVER_DRAINING);
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_TIMER });
    reply(&scene, closing(0));
    assert_int_equal(scene.action.kind, ZN_DRIVER_END);
    assert_int_equal(zn_driver_core_failure(scene.core)->code, ZONDA_OK);
    close_scene(&scene);
}

/* The second stage is started only when the first is complete, and counters are of both. */
static void test_driver_core_runs_stages_in_order(void **state) {
    (void)state;
    driver_scene scene;
    open_scene(&scene, zonda_count(three_items()), false);
    reach_start(&scene);
    assert_int_equal(scene.action.request.start_stage.stage, 0);
    assert_int_equal(scene.action.request.start_stage.task_count, 3);
    begin_stage(&scene, 0, 3);
    reply(&scene, status(0, ZN_STAGE_COMPLETE, 3, 3));
    expect_call(&scene, ZN_MSG_START_STAGE);
    assert_int_equal(scene.action.request.start_stage.stage, 1);
    assert_int_equal(scene.action.request.start_stage.task_count, 1);
    assert_ptr_equal(scene.action.request.start_stage.inputs, scene.plan->stages[1].inputs);
    assert_int_equal(scene.action.request.start_stage.inputs_count,
                     scene.plan->stages[1].input_count);
    begin_stage(&scene, 1, 1);
    reply(&scene, status(1, ZN_STAGE_COMPLETE, 1, 1));
    expect_state(&scene, ZN_DRIVER_READY);
    const zn_counter_set *counters = zn_driver_core_counters(scene.core);
    assert_int_equal(counters->count, 6);
    assert_string_equal(counters->items[2].name, "records_in");
    assert_int_equal(counters->items[2].sum, 10);
    assert_string_equal(counters->items[5].name, "tasks");
    assert_int_equal(counters->items[5].sum, 4);
    close_scene(&scene);
}

/* A plan without tasks asks nobody for anything. */
static void test_driver_core_empty_plan_opens_no_job(void **state) {
    (void)state;
    driver_scene scene;
    open_scene(&scene, zonda_from_list(NULL, 0), false);
    assert_int_equal(scene.action.kind, ZN_DRIVER_REST);
    assert_true(zn_driver_core_drained(scene.core));
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_CLOSE });
    assert_int_equal(scene.action.kind, ZN_DRIVER_END);
    close_scene(&scene);
}

/* A stage of zero tasks before one with tasks is passed over. */
static void test_driver_core_zero_task_stage_is_not_started(void **state) {
    (void)state;
    driver_scene scene;
    open_scene(&scene, zonda_count(zonda_from_list(NULL, 0)), false);
    reach_start(&scene);
    assert_int_equal(scene.action.request.start_stage.stage, 1);
    close_scene(&scene);
}

/* A stage of zero tasks at the end is not waited for: there are no results. */
static void test_driver_core_zero_task_stage_at_the_end_is_no_wait(void **state) {
    (void)state;
    driver_scene scene;
    zonda_join_options options = { .on = zonda_field("k"), .broadcast = ZONDA_BROADCAST_ALWAYS };
    open_scene(&scene, zonda_join(zonda_from_list(NULL, 0), three_items(), &options), true);
    reach_start(&scene);
    assert_int_equal(scene.action.request.start_stage.stage, 0);
    begin_stage(&scene, 0, 3);
    reply(&scene, status(0, ZN_STAGE_COMPLETE, 3, 3));
    assert_int_equal(scene.action.kind, ZN_DRIVER_REST);
    assert_true(zn_driver_core_drained(scene.core));
    close_scene(&scene);
}

/* However often the core is asked before START_STAGE is answered, it never asks for the status. */
static void test_driver_core_waits_for_late_start_reply(void **state) {
    (void)state;
    driver_scene scene;
    open_scene(&scene, three_items(), false);
    reach_start(&scene);
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_TIMER, .hint = true });
    expect_call(&scene, ZN_MSG_START_STAGE);
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_WANT });
    expect_call(&scene, ZN_MSG_START_STAGE);
    begin_stage(&scene, 0, 3);
    close_scene(&scene);
}

/* What was there before the driver is asked about at once: it may be complete. */
static void test_driver_core_asks_at_once_about_a_stage_that_was_there(void **state) {
    (void)state;
    for (int resumed = 0; resumed < 2; resumed++) {
        driver_scene scene;
        open_scene(&scene, three_items(), false);
        zn_message job = opened();
        job.job_opened.resumed = (uint64_t)resumed;
        reply(&scene, job);
        put_all_blobs(&scene);
        zn_message there = started(0, 3);
        there.stage_started.completed = resumed == 1 ? 0 : 3;
        reply(&scene, there);
        expect_call(&scene, ZN_MSG_GET_STATUS);
        close_scene(&scene);
    }
}

/* A STATUS that comes instead of STAGE_STARTED is not taken for one. */
static void test_driver_core_status_for_start_is_protocol_error(void **state) {
    (void)state;
    driver_scene scene;
    open_scene(&scene, three_items(), false);
    reach_start(&scene);
    reply(&scene, status(0, ZN_STAGE_COMPLETE, 3, 3));
    expect_failure(&scene, "PROTOCOL", "STAGE_STARTED was awaited");
    expect_call(&scene, ZN_MSG_CANCEL_JOB);
    close_scene(&scene);
}

/* STAGE_STARTED must be about what was submitted. */
static void test_driver_core_started_mismatch_fails(void **state) {
    (void)state;
    zn_message wrong[] = { started(0, 0), started(0, 2), started(1, 3), started(0, 3) };
    wrong[3].stage_started.job = JOB + 1;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        driver_scene scene;
        open_scene(&scene, three_items(), false);
        reach_start(&scene);
        reply(&scene, wrong[i]);
        expect_failure(&scene, "STAGE_MISMATCH", "STAGE_STARTED");
        expect_call(&scene, ZN_MSG_CANCEL_JOB);
        close_scene(&scene);
    }
}

/* Zeros, another stage, another job, another total, an unknown state: never "finished". */
static void test_driver_core_status_mismatch_fails(void **state) {
    (void)state;
    zn_message wrong[] = {
        status(0, ZN_STAGE_COMPLETE, 0, 0), status(0, ZN_STAGE_RUNNING, 0, 0),
        status(1, ZN_STAGE_COMPLETE, 3, 3), status(0, ZN_STAGE_COMPLETE, 2, 2),
        status(0, ZN_STAGE_COMPLETE, 4, 4), status(0, ZN_STAGE_COMPLETE, 2, 3),
        status(0, ZN_STAGE_RUNNING, 4, 3),  status(0, (zn_stage_state)0, 3, 3),
        status(0, (zn_stage_state)9, 3, 3), status(0, ZN_STAGE_COMPLETE, 3, 3),
    };
    wrong[9].status.job = JOB + 1;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        driver_scene scene;
        reach_check(&scene, false);
        reply(&scene, wrong[i]);
        expect_failure(&scene, "STAGE_MISMATCH", "STATUS");
        expect_call(&scene, ZN_MSG_CANCEL_JOB);
        close_scene(&scene);
    }
}

/* All tasks done is not enough: the stage has to say that it is complete. */
static void test_driver_core_running_with_all_done_waits(void **state) {
    (void)state;
    driver_scene scene;
    reach_check(&scene, false);
    reply(&scene, status(0, ZN_STAGE_RUNNING, 3, 3));
    expect_state(&scene, ZN_DRIVER_WAITING);
    close_scene(&scene);
}

/* A failed stage ends the job with the failure of its status. */
static void test_driver_core_stage_failure_comes_out(void **state) {
    (void)state;
    driver_scene scene;
    reach_check(&scene, false);
    zn_failure failure = { .code = ZONDA_ERR_USER,
                           .has_shard = 1,
                           .shard = 2,
                           .op = zn_bytes_of_text("map"),
                           .text = zn_bytes_of_text("no such luck") };
    zn_message message = status(0, ZN_STAGE_FAILED, 1, 3);
    message.status.failure = &failure;
    message.status.failure_count = 1;
    reply(&scene, message);
    expect_failure(&scene, "USER", "no such luck");
    assert_string_equal(zn_driver_core_failure(scene.core)->op, "map");
    expect_call(&scene, ZN_MSG_CLOSE_JOB);
    reply(&scene, closing(0));
    assert_int_equal(scene.action.kind, ZN_DRIVER_END);
    close_scene(&scene);
}

/* Cancelled by somebody else, or failed for no reason at all. */
static void test_driver_core_stage_ended_without_failure_fails(void **state) {
    (void)state;
    driver_scene scene;
    reach_check(&scene, false);
    reply(&scene, status(0, ZN_STAGE_CANCELLED, 1, 3));
    expect_failure(&scene, "CANCELLED", "job 7 was cancelled");
    close_scene(&scene);
    reach_check(&scene, false);
    reply(&scene, status(0, ZN_STAGE_FAILED, 1, 3));
    expect_failure(&scene, "PROTOCOL", "without a reason");
    close_scene(&scene);
}

/* Blobs: asked for first, then sent in chunks from where the coordinator is; small ones are sent at
 * once. */
static void test_driver_core_puts_blobs_in_chunks(void **state) {
    (void)state;
    driver_scene scene;
    zn_buf items = { 0 };
    zn_buf_reserve(&items, 5 * ZN_MIB);
    zn_buf_append(&items, "\xc6\x00\x24\x00\x00", 5); /* one binary of 2.25 MiB */
    items.len = 5 + 0x240000;
    memset(items.data + 5, 7, 0x240000);
    open_scene(&scene, zonda_from_list(items.data, items.len), false);
    zn_buf_free(&items);
    uint64_t size = 6 + 0x240000;
    reply(&scene, opened());
    expect_call(&scene, ZN_MSG_PUT_BLOB);
    assert_int_equal(scene.action.request.put_blob.size, size);
    assert_int_equal(scene.action.request.put_blob.bytes.len, 0);
    reply(&scene, stored(0));
    assert_int_equal(scene.action.request.put_blob.offset, 0);
    assert_int_equal(scene.action.request.put_blob.bytes.len, ZN_MIB);
    reply(&scene, stored(ZN_MIB));
    assert_int_equal(scene.action.request.put_blob.offset, ZN_MIB);
    reply(&scene, stored(2 * ZN_MIB));
    assert_int_equal(scene.action.request.put_blob.bytes.len, size - 2 * ZN_MIB);
    reply(&scene, stored(size));
    assert_int_equal(scene.action.request.put_blob.offset, 0); /* the body: the next blob */
    assert_int_equal(scene.action.request.put_blob.bytes.len, scene.plan->blobs[1].bytes.len);
    close_scene(&scene);
}

/* A coordinator that holds more than there is, or never gets on, is not believed. */
static void test_driver_core_blob_without_progress_fails(void **state) {
    (void)state;
    driver_scene scene;
    open_scene(&scene, three_items(), false);
    reply(&scene, opened());
    reply(&scene, stored(999));
    expect_failure(&scene, "PROTOCOL", "999");
    close_scene(&scene);
    open_scene(&scene, three_items(), false);
    reply(&scene, opened());
    reply(&scene, stored(0));
    reply(&scene, stored(0));
    expect_failure(&scene, "PROTOCOL", "PUT_BLOB");
    close_scene(&scene);
}

/* A job id of zero is none. */
static void test_driver_core_job_zero_fails(void **state) {
    (void)state;
    driver_scene scene;
    open_scene(&scene, three_items(), false);
    reply(&scene, (zn_message){ .number = ZN_MSG_JOB_OPENED });
    expect_failure(&scene, "PROTOCOL", "OPEN_JOB");
    assert_int_equal(scene.action.kind, ZN_DRIVER_END);
    close_scene(&scene);
}

/* How the job is to be run is said when it is opened. */
static void test_driver_core_says_how_the_job_is_run(void **state) {
    (void)state;
    driver_scene scene;
    open_scene(&scene, three_items(), false);
    zn_driver_core_destroy(&scene.core);
    zn_driver_options options = { .name = "own", .job = { .user_attempts = 7, .hang_ms = 9 } };
    scene.core = zn_driver_core_new(scene.plan, &options);
    zn_driver_core_next(scene.core, &scene.action);
    const zn_msg_open_job *open = &scene.action.request.open_job;
    assert_int_equal(open->user_attempts, 7);
    assert_int_equal(open->hang_ms, 9);
    assert_int_equal(open->name.len, 3);
    assert_int_equal(open->fingerprint.len, ZN_DIGEST_BYTES);
    close_scene(&scene);
}

/* Waits double from 1 ms to 50 ms, from the start of the stage on; a hint starts them again. */
static void test_driver_core_polls_with_backoff(void **state) {
    (void)state;
    driver_scene scene;
    open_scene(&scene, three_items(), false);
    reach_start(&scene);
    reply(&scene, started(0, 3));
    uint64_t expected = ZN_POLL_NS_MIN;
    for (int i = 0; i < 12; i++) {
        assert_int_equal(scene.action.until_ns - scene.now_ns, expected);
        expected = expected * 2 < ZN_POLL_MS_MAX * ZN_NS_PER_MS ? expected * 2
                                                                : ZN_POLL_MS_MAX * ZN_NS_PER_MS;
        happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_TIMER });
        reply(&scene, status(0, ZN_STAGE_RUNNING, 0, 3));
    }
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_TIMER, .hint = true });
    expect_call(&scene, ZN_MSG_GET_STATUS);
    reply(&scene, status(0, ZN_STAGE_RUNNING, 0, 3));
    assert_int_equal(scene.action.until_ns - scene.now_ns, ZN_POLL_NS_MIN);
    close_scene(&scene);
}

/* Streaming collects while the stage runs, and finishes only when the stage is complete. */
static void test_driver_core_streams_while_running(void **state) {
    (void)state;
    driver_scene scene;
    zn_result result;
    reach_check(&scene, true);
    reply(&scene, status(0, ZN_STAGE_RUNNING, 2, 3));
    expect_call(&scene, ZN_MSG_COLLECT_RESULTS);
    reply(&scene, results(&result, 0, 0, 0, 3)); /* task 0 is not among the two */
    expect_state(&scene, ZN_DRIVER_WAITING);
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_TIMER });
    reply(&scene, status(0, ZN_STAGE_RUNNING, 2, 3));
    reply(&scene, results(&result, 0, 0, 2, 3));
    expect_state(&scene, ZN_DRIVER_DELIVERING);
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_DELIVERED });
    expect_call(&scene, ZN_MSG_GET_STATUS);
    reply(&scene, status(0, ZN_STAGE_COMPLETE, 3, 3));
    expect_call(&scene, ZN_MSG_COLLECT_RESULTS);
    assert_int_equal(scene.action.request.collect_results.first, 2);
    reply(&scene, results(&result, 0, 2, 1, 3));
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_DELIVERED });
    expect_state(&scene, ZN_DRIVER_READY);
    assert_true(zn_driver_core_drained(scene.core));
    close_scene(&scene);
}

/* All results collected while the stage still runs: the last word is the status. */
static void test_driver_core_streamed_out_stage_must_complete(void **state) {
    (void)state;
    driver_scene scene;
    zn_result result;
    reach_check(&scene, true);
    reply(&scene, status(0, ZN_STAGE_RUNNING, 3, 3));
    reply(&scene, results(&result, 0, 0, 3, 3));
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_DELIVERED });
    expect_call(&scene, ZN_MSG_GET_STATUS);
    reply(&scene, status(0, ZN_STAGE_COMPLETE, 3, 3));
    expect_state(&scene, ZN_DRIVER_READY);
    close_scene(&scene);
}

/* Pages must follow each other, be of this stage, and say where records are. */
static void test_driver_core_bad_page_fails(void **state) {
    (void)state;
    static const struct {
        uint64_t stage, first, count, total;
        const char *code;
    } cases[] = {
        { 0, 1, 1, 3, "PROTOCOL" },       { 0, 0, 4, 3, "PROTOCOL" },
        { 0, 0, 3, 4, "STAGE_MISMATCH" }, { 1, 0, 3, 3, "STAGE_MISMATCH" },
        { 0, 0, 3, 0, "STAGE_MISMATCH" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver_scene scene;
        zn_result result;
        reach_check(&scene, true);
        reply(&scene, status(0, ZN_STAGE_COMPLETE, 3, 3));
        reply(&scene,
              results(&result, cases[i].stage, cases[i].first, cases[i].count, cases[i].total));
        expect_failure(&scene, cases[i].code, "RESULTS");
        close_scene(&scene);
    }
    driver_scene scene;
    zn_result result;
    zn_reference reference = { 0 };
    reach_check(&scene, true);
    reply(&scene, status(0, ZN_STAGE_COMPLETE, 3, 3));
    zn_message page = results(&result, 0, 0, 3, 3);
    result.reference = &reference;
    result.reference_count = 1;
    reply(&scene, page);
    expect_failure(&scene, "PROTOCOL", "no place");
    close_scene(&scene);
}

/* A complete stage without results is asked for its status once more, then not believed. */
static void test_driver_core_complete_without_results_fails(void **state) {
    (void)state;
    driver_scene scene;
    zn_result result;
    reach_check(&scene, true);
    reply(&scene, status(0, ZN_STAGE_COMPLETE, 3, 3));
    reply(&scene, results(&result, 0, 0, 0, 3));
    expect_call(&scene, ZN_MSG_GET_STATUS);
    reply(&scene, status(0, ZN_STAGE_COMPLETE, 3, 3));
    reply(&scene, results(&result, 0, 0, 0, 3));
    expect_failure(&scene, "PROTOCOL", "no result of task 0");
    close_scene(&scene);
}

/* Results that are made again after they were lost are waited for. */
static void test_driver_core_results_made_again_are_waited_for(void **state) {
    (void)state;
    driver_scene scene;
    zn_result result;
    reach_check(&scene, true);
    reply(&scene, status(0, ZN_STAGE_COMPLETE, 3, 3));
    reply(&scene, results(&result, 0, 0, 0, 3));
    reply(&scene, status(0, ZN_STAGE_RUNNING, 0, 3));
    expect_state(&scene, ZN_DRIVER_WAITING);
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_TIMER });
    reply(&scene, status(0, ZN_STAGE_COMPLETE, 3, 3));
    reply(&scene, results(&result, 0, 0, 3, 3));
    expect_state(&scene, ZN_DRIVER_DELIVERING);
    assert_int_equal(zn_driver_core_counters(scene.core)->items[5].sum, 3); /* counted once */
    close_scene(&scene);
}

/* User counters of several stages are merged by name. */
static void test_driver_core_merges_user_counters(void **state) {
    (void)state;
    driver_scene scene;
    open_scene(&scene, zonda_count(three_items()), false);
    reach_start(&scene);
    for (uint64_t stage = 0; stage < 2; stage++) {
        zn_counter counter = { .name = zn_bytes_of_text("mine"),
                               .sum = stage == 0 ? 10 : -4,
                               .min = stage == 0 ? 2 : -4,
                               .max = stage == 0 ? 8 : -4,
                               .count = stage == 0 ? 2 : 1 };
        uint64_t total = stage == 0 ? 3 : 1;
        begin_stage(&scene, stage, total);
        zn_message message = status(stage, ZN_STAGE_COMPLETE, total, total);
        message.status.counters = &counter;
        message.status.counters_count = 1;
        reply(&scene, message);
    }
    const zn_counter_set *counters = zn_driver_core_counters(scene.core);
    assert_string_equal(counters->items[2].name, "mine");
    assert_int_equal(counters->items[2].sum, 6);
    assert_int_equal(counters->items[2].min, -4);
    assert_int_equal(counters->items[2].max, 8);
    assert_int_equal(counters->items[2].count, 3);
    close_scene(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_driver_core_runs_one_stage),
        cmocka_unit_test(test_driver_core_runs_stages_in_order),
        cmocka_unit_test(test_driver_core_empty_plan_opens_no_job),
        cmocka_unit_test(test_driver_core_zero_task_stage_is_not_started),
        cmocka_unit_test(test_driver_core_zero_task_stage_at_the_end_is_no_wait),
        cmocka_unit_test(test_driver_core_waits_for_late_start_reply),
        cmocka_unit_test(test_driver_core_asks_at_once_about_a_stage_that_was_there),
        cmocka_unit_test(test_driver_core_status_for_start_is_protocol_error),
        cmocka_unit_test(test_driver_core_started_mismatch_fails),
        cmocka_unit_test(test_driver_core_status_mismatch_fails),
        cmocka_unit_test(test_driver_core_running_with_all_done_waits),
        cmocka_unit_test(test_driver_core_stage_failure_comes_out),
        cmocka_unit_test(test_driver_core_stage_ended_without_failure_fails),
        cmocka_unit_test(test_driver_core_puts_blobs_in_chunks),
        cmocka_unit_test(test_driver_core_blob_without_progress_fails),
        cmocka_unit_test(test_driver_core_job_zero_fails),
        cmocka_unit_test(test_driver_core_says_how_the_job_is_run),
        cmocka_unit_test(test_driver_core_polls_with_backoff),
        cmocka_unit_test(test_driver_core_streams_while_running),
        cmocka_unit_test(test_driver_core_streamed_out_stage_must_complete),
        cmocka_unit_test(test_driver_core_bad_page_fails),
        cmocka_unit_test(test_driver_core_complete_without_results_fails),
        cmocka_unit_test(test_driver_core_results_made_again_are_waited_for),
        cmocka_unit_test(test_driver_core_merges_user_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
