/* SPDX-License-Identifier: MPL-2.0 */
/* The stage loop by scripted events. Each of the rules that keep a driver from taking a stage for
 * finished has its own test here; integration tests have them again over real sockets. */
#include "test.h"

#include "base/clock.h"
#include "runtime/driver_core.h"
#include "runtime/driver_state.h"

enum {
    JOB = 7,
    TIMEOUT_MS = 1000
};

/* A core, its plan, and a clock. */
typedef struct driver_scene {
    zonda_error error;
    zn_plan *plan;
    zn_driver_core *core;
    zn_driver_action action; /* after the last event */
    uint64_t now_ns;
} driver_scene;

static void open_scene(driver_scene *scene, zonda_dataset *dataset, bool stream) {
    memset(scene, 0, sizeof *scene);
    scene->plan = zn_plan_new(dataset, NULL, 0, zn_glob, &scene->error);
    zonda_dataset_destroy(&dataset);
    assert_non_null(scene->plan);
    zn_driver_options options = { .name = "job",
                                  .stream = stream,
                                  .timeout_ns = TIMEOUT_MS * ZN_NS_PER_MS };
    scene->core = zn_driver_core_new(scene->plan, &options);
    scene->now_ns = 1000 * ZN_NS_PER_S;
    zn_driver_core_next(scene->core, &scene->action);
}

static void close_scene(driver_scene *scene) {
    zn_driver_core_destroy(&scene->core);
    zn_plan_destroy(&scene->plan);
}

static zonda_dataset *three_items(void) {
    return zonda_from_list("\x01\x02\x03", 3);
}

static void happen(driver_scene *scene, zn_driver_event event) {
    event.now_ns = scene->now_ns;
    zn_driver_core_step(scene->core, &event);
    zn_driver_core_next(scene->core, &scene->action);
}

static void reply(driver_scene *scene, zn_message message) {
    happen(scene, (zn_driver_event){ .kind = ZN_DRIVER_REPLY, .reply = &message });
}

static void send_error(driver_scene *scene, zn_driver_event_kind kind, zonda_err code) {
    zonda_error error;
    zn_error_set(&error, code, "scripted");
    happen(scene, (zn_driver_event){ .kind = kind, .error = &error });
}

static void expect_call(driver_scene *scene, zn_message_number number) {
    assert_int_equal(scene->action.kind, ZN_DRIVER_CALL);
    assert_string_equal(zn_message_name(scene->action.request.number), zn_message_name(number));
}

static void expect_state(driver_scene *scene, zn_driver_state state) {
    assert_string_equal(zn_driver_state_name(zn_driver_core_state(scene->core)),
                        zn_driver_state_name(state));
}

static void expect_failure(driver_scene *scene, const char *code, const char *word) {
    const zonda_error *failure = zn_driver_core_failure(scene->core);
    assert_string_equal(zonda_err_name(failure->code), code);
    if (strstr(failure->text, word) == NULL) {
        fail_msg("\"%s\" does not have \"%s\"", failure->text, word);
    }
}

static zn_message opened(void) {
    return (zn_message){ .number = ZN_MSG_JOB_OPENED, .job_opened = { .job = JOB } };
}

static zn_message stored(uint64_t received) {
    return (zn_message){ .number = ZN_MSG_BLOB_STORED, .blob_stored = { .received = received } };
}

static zn_message started(uint64_t stage, uint64_t total) {
    return (zn_message){ .number = ZN_MSG_STAGE_STARTED,
                         .stage_started = { .job = JOB, .stage = stage, .total = total } };
}

static zn_message status(uint64_t stage, zn_stage_state state, uint64_t completed, uint64_t total) {
    return (zn_message){ .number = ZN_MSG_STATUS,
                         .status = { .job = JOB,
                                     .stage = stage,
                                     .state = state,
                                     .completed = completed,
                                     .total = total,
                                     .records_in = 5 } };
}

static zn_message closing(uint64_t waiting) {
    return (zn_message){ .number = ZN_MSG_JOB_CLOSING,
                         .job_closing = { .job = JOB, .waiting = waiting } };
}

/* A page with one run of tasks, or none. */
static zn_message results(zn_result *result, uint64_t stage, uint64_t first, uint64_t count,
                          uint64_t total) {
    *result = (zn_result){ .first = first, .count = count };
    return (zn_message){ .number = ZN_MSG_RESULTS,
                         .results = { .job = JOB,
                                      .stage = stage,
                                      .total = total,
                                      .results = result,
                                      .results_count = count > 0 ? 1 : 0 } };
}

static void put_all_blobs(driver_scene *scene) {
    for (size_t i = 0; i < scene->plan->blob_count; i++) {
        expect_call(scene, ZN_MSG_PUT_BLOB);
        reply(scene, stored(scene->plan->blobs[i].bytes.len));
    }
}

/* Up to the first START_STAGE. */
static void reach_start(driver_scene *scene) {
    expect_call(scene, ZN_MSG_OPEN_JOB);
    reply(scene, opened());
    put_all_blobs(scene);
    expect_call(scene, ZN_MSG_START_STAGE);
}

/* Up to the first GET_STATUS of a plan with one stage of three tasks. */
static void reach_check(driver_scene *scene, bool stream) {
    open_scene(scene, three_items(), stream);
    reach_start(scene);
    reply(scene, started(0, 3));
    expect_call(scene, ZN_MSG_GET_STATUS);
}

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
    reply(&scene, started(0, 3));
    reply(&scene, status(0, ZN_STAGE_COMPLETE, 3, 3));
    expect_call(&scene, ZN_MSG_START_STAGE);
    assert_int_equal(scene.action.request.start_stage.stage, 1);
    assert_int_equal(scene.action.request.start_stage.task_count, 1);
    reply(&scene, started(1, 1));
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
    reply(&scene, started(0, 3));
    expect_call(&scene, ZN_MSG_GET_STATUS);
    close_scene(&scene);
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

/* Blobs: asked for first, then sent in chunks from where the coordinator is. */
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
    assert_int_equal(scene.action.request.put_blob.bytes.len, 0);
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

/* Waits double from 0.2 ms to 50 ms; a hint starts them again. */
static void test_driver_core_polls_with_backoff(void **state) {
    (void)state;
    driver_scene scene;
    reach_check(&scene, false);
    uint64_t expected = ZN_POLL_NS_MIN;
    for (int i = 0; i < 12; i++) {
        reply(&scene, status(0, ZN_STAGE_RUNNING, 0, 3));
        assert_int_equal(scene.action.until_ns - scene.now_ns, expected);
        expected = expected * 2 < ZN_POLL_MS_MAX * ZN_NS_PER_MS ? expected * 2
                                                                : ZN_POLL_MS_MAX * ZN_NS_PER_MS;
        happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_TIMER });
    }
    reply(&scene, status(0, ZN_STAGE_RUNNING, 0, 3));
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

/* Brings a new scene into a state by the shortest way. */
static void reach(driver_scene *scene, zn_driver_state state) {
    zn_result result;
    bool stream = state == ZN_DRIVER_COLLECTING || state == ZN_DRIVER_DELIVERING;
    if (state == ZN_DRIVER_OPENING) {
        open_scene(scene, three_items(), false);
        return;
    }
    if (state == ZN_DRIVER_PUTTING || state == ZN_DRIVER_STARTING) {
        open_scene(scene, three_items(), false);
        reply(scene, opened());
        if (state == ZN_DRIVER_STARTING) {
            put_all_blobs(scene);
        }
        return;
    }
    reach_check(scene, stream);
    switch (state) {
    case ZN_DRIVER_WAITING:
        reply(scene, status(0, ZN_STAGE_RUNNING, 0, 3));
        break;
    case ZN_DRIVER_COLLECTING:
    case ZN_DRIVER_DELIVERING:
        reply(scene, status(0, ZN_STAGE_COMPLETE, 3, 3));
        if (state == ZN_DRIVER_DELIVERING) {
            reply(scene, results(&result, 0, 0, 3, 3));
        }
        break;
    case ZN_DRIVER_READY:
    case ZN_DRIVER_CLOSING:
    case ZN_DRIVER_DRAINING:
    case ZN_DRIVER_CLOSED:
        reply(scene, status(0, ZN_STAGE_COMPLETE, 3, 3));
        if (state != ZN_DRIVER_READY) {
            happen(scene, (zn_driver_event){ .kind = ZN_DRIVER_CLOSE });
        }
        if (state == ZN_DRIVER_DRAINING || state == ZN_DRIVER_CLOSED) {
            reply(scene, closing(state == ZN_DRIVER_DRAINING ? 1 : 0));
        }
        break;
    case ZN_DRIVER_CANCELLING:
        send_error(scene, ZN_DRIVER_STOP, ZONDA_ERR_CANCELLED);
        break;
    default:
        break;
    }
}

/* The state after an event, where it is not the one before it. REPLY is a good reply. */
#define STAY ZN_DRIVER_STATES
static const zn_driver_state table[ZN_DRIVER_STATES][ZN_DRIVER_EVENTS] = {
/*                 REPLY      REFUSED     LOST        TIMER     DELIVERED WANT        STOP CLOSE */
#define ROW(state, reply, refused, lost, timer, delivered, want, stop, close)                      \
    [ZN_DRIVER_##state] = { reply, refused, lost, timer, delivered, want, stop, close }
#define S(state) ZN_DRIVER_##state
    ROW(OPENING, S(PUTTING), S(CLOSED), S(CLOSED), STAY, STAY, STAY, S(CLOSED), S(CLOSED)),
    ROW(PUTTING, STAY, S(CANCELLING), S(CANCELLING), STAY, STAY, STAY, S(CANCELLING),
        S(CANCELLING)),
    ROW(STARTING, S(CHECKING), S(CANCELLING), S(CANCELLING), STAY, STAY, STAY, S(CANCELLING),
        S(CANCELLING)),
    ROW(CHECKING, S(READY), S(CANCELLING), S(CANCELLING), STAY, STAY, STAY, S(CANCELLING),
        S(CANCELLING)),
    ROW(WAITING, STAY, STAY, STAY, S(CHECKING), STAY, STAY, S(CANCELLING), S(CANCELLING)),
    ROW(COLLECTING, S(DELIVERING), S(CANCELLING), S(CANCELLING), STAY, STAY, STAY, S(CANCELLING),
        S(CANCELLING)),
    ROW(DELIVERING, STAY, STAY, STAY, STAY, S(READY), STAY, S(CANCELLING), S(CANCELLING)),
    ROW(READY, STAY, STAY, STAY, STAY, STAY, S(COLLECTING), S(CANCELLING), S(CLOSING)),
    ROW(CANCELLING, S(CLOSING), S(CLOSING), S(CLOSED), STAY, STAY, STAY, STAY, STAY),
    ROW(CLOSING, S(CLOSED), S(CLOSED), S(CLOSED), STAY, STAY, STAY, STAY, STAY),
    ROW(DRAINING, STAY, STAY, STAY, S(CLOSING), STAY, STAY, STAY, STAY),
    ROW(CLOSED, STAY, STAY, STAY, STAY, STAY, STAY, STAY, STAY),
#undef S
#undef ROW
};

static zn_message good_reply(driver_scene *scene, zn_driver_state state, zn_result *result) {
    switch (state) {
    case ZN_DRIVER_OPENING:
        return opened();
    case ZN_DRIVER_PUTTING:
        return stored(scene->plan->blobs[0].bytes.len);
    case ZN_DRIVER_STARTING:
        return started(0, 3);
    case ZN_DRIVER_CHECKING:
        return status(0, ZN_STAGE_COMPLETE, 3, 3);
    case ZN_DRIVER_COLLECTING:
        return results(result, 0, 0, 3, 3);
    default:
        return closing(0);
    }
}

/* Every cell: each event in each state leads where the table says, and the action fits. */
static void test_driver_core_every_cell_of_the_table(void **state) {
    (void)state;
    for (unsigned from = 0; from < ZN_DRIVER_STATES; from++) {
        for (unsigned kind = 0; kind < ZN_DRIVER_EVENTS; kind++) {
            driver_scene scene;
            zn_result result;
            reach(&scene, (zn_driver_state)from);
            expect_state(&scene, (zn_driver_state)from);
            zn_message message = good_reply(&scene, (zn_driver_state)from, &result);
            zonda_error error;
            zn_error_set(&error, ZONDA_ERR_IO, "scripted");
            uint64_t ignored = zn_driver_core_ignored(scene.core);
            happen(&scene, (zn_driver_event){ .kind = (zn_driver_event_kind)kind,
                                              .reply = &message,
                                              .error = &error });
            zn_driver_state expected = table[from][kind];
            bool stays = expected == STAY;
            expect_state(&scene, stays ? (zn_driver_state)from : expected);
            bool taken = from == ZN_DRIVER_PUTTING && kind == ZN_DRIVER_REPLY;
            assert_int_equal(zn_driver_core_ignored(scene.core) - ignored, stays && !taken);
            close_scene(&scene);
        }
    }
}

/* A reply of another kind is an error in every state that waits for one. */
static void test_driver_core_other_reply_fails_in_every_state(void **state) {
    (void)state;
    for (unsigned from = 0; from < ZN_DRIVER_STATES; from++) {
        driver_scene scene;
        reach(&scene, (zn_driver_state)from);
        bool calls = scene.action.kind == ZN_DRIVER_CALL;
        bool failed = zn_driver_core_failure(scene.core)->code != ZONDA_OK;
        reply(&scene, (zn_message){ .number = ZN_MSG_WORKERS });
        if (calls && !failed) {
            expect_failure(&scene, "PROTOCOL", "WORKERS came where");
        }
        close_scene(&scene);
    }
}

/* A REFUSAL at each step comes out as it is, and the job is ended where there is one. */
static void test_driver_core_refusal_comes_out_at_every_step(void **state) {
    (void)state;
    static const zn_driver_state steps[] = { ZN_DRIVER_OPENING, ZN_DRIVER_PUTTING,
                                             ZN_DRIVER_STARTING, ZN_DRIVER_CHECKING,
                                             ZN_DRIVER_COLLECTING };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        driver_scene scene;
        reach(&scene, steps[i]);
        send_error(&scene, ZN_DRIVER_REFUSED, ZONDA_ERR_EMPTY_STAGE);
        expect_failure(&scene, "EMPTY_STAGE", "scripted");
        if (steps[i] != ZN_DRIVER_OPENING) {
            expect_call(&scene, ZN_MSG_CANCEL_JOB);
            assert_false(scene.action.hurried);
        }
        close_scene(&scene);
    }
}

/* The first failure is the one that counts, also when closing fails too. */
static void test_driver_core_first_failure_stays(void **state) {
    (void)state;
    driver_scene scene;
    reach(&scene, ZN_DRIVER_CHECKING);
    send_error(&scene, ZN_DRIVER_LOST, ZONDA_ERR_TIMEOUT);
    expect_call(&scene, ZN_MSG_CANCEL_JOB);
    assert_true(scene.action.hurried);
    send_error(&scene, ZN_DRIVER_LOST, ZONDA_ERR_UNREACHABLE);
    assert_int_equal(scene.action.kind, ZN_DRIVER_END);
    expect_failure(&scene, "TIMEOUT", "scripted");
    close_scene(&scene);
}

/* Workers that never say DONE do not hold the driver for ever. */
static void test_driver_core_closing_has_a_deadline(void **state) {
    (void)state;
    driver_scene scene;
    reach(&scene, ZN_DRIVER_DRAINING);
    scene.now_ns += TIMEOUT_MS * ZN_NS_PER_MS;
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_TIMER });
    reply(&scene, closing(2));
    assert_int_equal(scene.action.kind, ZN_DRIVER_END);
    expect_failure(&scene, "TIMEOUT", "2 workers");
    close_scene(&scene);
}

/* A coordinator that has forgotten the job has closed it. */
static void test_driver_core_forgotten_job_is_closed(void **state) {
    (void)state;
    driver_scene scene;
    reach(&scene, ZN_DRIVER_CLOSING);
    send_error(&scene, ZN_DRIVER_REFUSED, ZONDA_ERR_UNKNOWN_JOB);
    assert_int_equal(scene.action.kind, ZN_DRIVER_END);
    assert_int_equal(zn_driver_core_failure(scene.core)->code, ZONDA_OK);
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
        reply(&scene, started(stage, total));
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
        cmocka_unit_test(test_driver_core_waits_for_late_start_reply),
        cmocka_unit_test(test_driver_core_status_for_start_is_protocol_error),
        cmocka_unit_test(test_driver_core_started_mismatch_fails),
        cmocka_unit_test(test_driver_core_status_mismatch_fails),
        cmocka_unit_test(test_driver_core_running_with_all_done_waits),
        cmocka_unit_test(test_driver_core_stage_failure_comes_out),
        cmocka_unit_test(test_driver_core_stage_ended_without_failure_fails),
        cmocka_unit_test(test_driver_core_puts_blobs_in_chunks),
        cmocka_unit_test(test_driver_core_blob_without_progress_fails),
        cmocka_unit_test(test_driver_core_job_zero_fails),
        cmocka_unit_test(test_driver_core_polls_with_backoff),
        cmocka_unit_test(test_driver_core_streams_while_running),
        cmocka_unit_test(test_driver_core_streamed_out_stage_must_complete),
        cmocka_unit_test(test_driver_core_bad_page_fails),
        cmocka_unit_test(test_driver_core_complete_without_results_fails),
        cmocka_unit_test(test_driver_core_results_made_again_are_waited_for),
        cmocka_unit_test(test_driver_core_every_cell_of_the_table),
        cmocka_unit_test(test_driver_core_other_reply_fails_in_every_state),
        cmocka_unit_test(test_driver_core_refusal_comes_out_at_every_step),
        cmocka_unit_test(test_driver_core_first_failure_stays),
        cmocka_unit_test(test_driver_core_closing_has_a_deadline),
        cmocka_unit_test(test_driver_core_forgotten_job_is_closed),
        cmocka_unit_test(test_driver_core_merges_user_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
