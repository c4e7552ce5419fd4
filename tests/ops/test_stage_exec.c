/* SPDX-License-Identifier: MPL-2.0 */
/* Stages: bodies from outside, results inline and in segments, cancellation, select and count. */
#include "test.h"

#include "base/limits.h"
#include "fake_host.h"
#include "record/value.h"

static zn_stage_exec *open_two(fake_host *host, const char *items, uint64_t tasks, const char *op,
                               const char *args) {
    zonda_error error = { 0 };
    fake_body body = fake_body_of(host, tasks);
    fake_body_source(&body, "from_list", "{}", items);
    fake_body_op(&body, op, args);
    zn_stage_exec *stage = fake_body_open(&body, &error);
    if (stage == NULL) {
        fail_msg("%s", error.text);
    }
    return stage;
}

static void expect_select(const char *fields, const char *record, const char *expected) {
    fake_host host;
    fake_host_open(&host);
    zn_buf items = { 0 };
    zn_buf args = { 0 };
    zn_buf_printf(&items, "[%s]", record);
    zn_buf_append_byte(&items, '\0');
    zn_buf_printf(&args, "{\"fields\":%s}", fields);
    zn_buf_append_byte(&args, '\0');
    zn_stage_exec *stage = open_two(&host, (char *)items.data, 1, "select", (char *)args.data);
    char *got = fake_run(&host, stage, 0);
    assert_string_equal(got, expected);
    free(got);
    zn_buf_free(&items);
    zn_buf_free(&args);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* Given order, missing left out, nested under the whole path, repeated once. */
static void test_select_keeps_fields(void **state) {
    (void)state;
    expect_select("[\"b\",\"a\"]", "{\"a\":1,\"b\":[2],\"c\":3}", "{\"b\":[2],\"a\":1}\n");
    expect_select("[\"x\",\"a\"]", "{\"a\":null}", "{\"a\":null}\n");
    expect_select("[\"x\"]", "{\"a\":null}", "{}\n");
    expect_select("[\"a.b\",\"a.x\"]", "{\"a\":{\"b\":{\"c\":1}}}", "{\"a.b\":{\"c\":1}}\n");
    expect_select("[\"a\",\"a\"]", "{\"a\":1}", "{\"a\":1}\n");
}

/* Only maps have fields. */
static void test_select_other_type_is_user_error(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zn_stage_exec *stage = open_two(&host, "[[1]]", 1, "select", "{\"fields\":[\"a\"]}");
    zonda_error error = fake_run_failing(stage, 0, 1);
    assert_err(error.code, USER);
    assert_string_equal(error.text, "select needs a map as record, not array");
    assert_string_equal(error.op, "select");
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* The total sums what shards counted; nothing makes 0; other records are refused. */
static void test_count_total_sums(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zonda_error error = { 0 };
    fake_body body = fake_body_of(&host, 1);
    fake_body_op(&body, "from_range", "{\"n\":5}");
    fake_body_op(&body, "count_total", "{}");
    zn_stage_exec *stage = fake_body_open(&body, &error);
    char *got = fake_run(&host, stage, 0);
    assert_string_equal(got, "10\n");
    free(got);
    zn_stage_exec_destroy(&stage);
    body = fake_body_of(&host, 1);
    fake_body_op(&body, "stage", "{\"empty\":true}");
    fake_body_op(&body, "count_total", "{}");
    stage = fake_body_open(&body, &error);
    got = fake_run(&host, stage, 0);
    assert_string_equal(got, "0\n");
    free(got);
    zn_stage_exec_destroy(&stage);
    stage = open_two(&host, "[\"x\"]", 1, "count_total", "{}");
    error = fake_run_failing(stage, 0, 1);
    assert_err(error.code, PLAN);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* At the limit a result is inline, one byte above it is in the segment, and both read the same. */
static void test_collect_large_results_go_to_the_segment(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zonda_error error = { 0 };
    fake_body body = fake_body_of(&host, 2);
    fake_body_op(&body, "from_range", "{\"n\":8200}");
    zn_stage_exec *stage = fake_body_open(&body, &error);
    zn_outcome outcome = { 0 };
    for (int i = 0; i < 2; i++) {
        assert_true(zn_stage_exec_run(stage, 1, 1, &outcome));
        assert_int_equal(outcome.reference_count, 1);
        assert_int_equal(outcome.records.len, 0);
        assert_int_equal(outcome.records_out, 4100);
        char *lines = fake_run(&host, stage, 1);
        assert_memory_equal(lines, "4100\n4101\n", 10);
        assert_string_equal(lines + strlen(lines) - 10, "8198\n8199\n");
        free(lines);
    }
    zn_stage_exec_destroy(&stage);
    for (unsigned extra = 0; extra < 2; extra++) {
        /* A text of that length has a head of three bytes. */
        char items[ZN_INLINE_BYTES_MAX + 8];
        int len = (int)(ZN_INLINE_BYTES_MAX - 3 + extra);
        snprintf(items, sizeof items, "[\"%0*d\"]", len, 7);
        body = fake_body_of(&host, 1);
        fake_body_source(&body, "from_list", "{}", items);
        stage = fake_body_open(&body, &error);
        assert_true(zn_stage_exec_run(stage, 0, 1, &outcome));
        assert_int_equal(outcome.bytes_out, ZN_INLINE_BYTES_MAX + extra);
        assert_int_equal(outcome.reference_count, extra);
        assert_int_equal(outcome.records.len, extra == 1 ? 0 : ZN_INLINE_BYTES_MAX);
        zn_stage_exec_destroy(&stage);
    }
    fake_host_close(&host);
}

/* Cancelling between two records ends the attempt without an outcome; the next one runs. */
static void test_cancelled_task_has_no_outcome(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zonda_error error = { 0 };
    fake_body body = fake_body_of(&host, 1);
    fake_body_op(&body, "from_range", "{\"n\":9000}");
    zn_stage_exec *stage = fake_body_open(&body, &error);
    zn_outcome outcome = { 0 };
    static const uint64_t asks[] = { 0, 1, 5, 8999 };
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        host.cancel_after = asks[i];
        assert_false(zn_stage_exec_run(stage, 0, 1, &outcome));
    }
    host.cancel_after = UINT64_MAX;
    char *lines = fake_run(&host, stage, 0);
    assert_memory_equal(lines, "0\n1\n", 4);
    free(lines);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* A task that the stage does not have is a failure, not a crash. */
static void test_task_beyond_the_stage_fails(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zn_stage_exec *stage = open_two(&host, "[1]", 1, "count_shard", "{}");
    zonda_error error = fake_run_failing(stage, 1, 1);
    assert_err(error.code, INVALID);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

static void expect_body(const char *json, const char *text) {
    fake_host host;
    fake_host_open(&host);
    zn_buf bytes = { 0 };
    fake_json(json, &bytes);
    zonda_error error = { 0 };
    assert_null(zn_stage_exec_new((zn_job_id){ 1 }, zn_buf_bytes(&bytes), &host.host, &error));
    assert_err(error.code, PLAN);
    assert_string_equal(error.text, text);
    zn_buf_free(&bytes);
    fake_host_close(&host);
}

/* Every field of a body is checked, with words that say which. */
static void test_body_wrong_fields_are_plan_errors(void **state) {
    (void)state;
    expect_body("[]", "the body of a stage must be a map");
    expect_body("{}", "the body has no valid stage index");
    expect_body("{\"stage\":10001}", "the body has no valid stage index");
    expect_body("{\"stage\":1}", "the body has no valid number of tasks");
    expect_body("{\"stage\":1,\"tasks\":0}", "the body has no valid number of tasks");
    expect_body("{\"stage\":1,\"tasks\":1}", "the body has no operators");
    expect_body("{\"stage\":1,\"tasks\":1,\"ops\":[]}", "the body must have 1 to 1000 operators");
    expect_body("{\"stage\":1,\"tasks\":1,\"ops\":[1]}",
                "operator 0 of the body must be a name with arguments");
    expect_body("{\"stage\":1,\"tasks\":1,\"ops\":[[\"x\",{}]]}",
                "the body has an unknown operator \"x\"");
    expect_body("{\"stage\":1,\"tasks\":1,\"ops\":[[\"count\",{}]]}",
                "count cannot run in a stage: the planner turns it into others");
    expect_body("{\"stage\":1,\"tasks\":1,\"ops\":[[\"select\",{}]]}",
                "the stage begins with select, which is no source");
    expect_body("{\"stage\":1,\"tasks\":1,\"ops\":[[\"from_range\",{\"n\":1}],[\"read\",{}]]}",
                "read is a source and cannot follow another operator");
    expect_body("{\"stage\":1,\"tasks\":1,\"ops\":[[\"from_range\",{}]]}",
                "from_range has no valid n");
    expect_body("{\"stage\":1,\"tasks\":1,\"ops\":[[\"from_range\",{\"n\":1}],[\"select\",{}]]}",
                "select needs the argument \"fields\" (fields to keep, in this order; a.b is field "
                "b of field a, kept under the name a.b)");
    expect_body("{\"stage\":1,\"tasks\":2,\"ops\":[[\"stage\",{\"stage\":0}]]}",
                "a stage that reads all results of another has one task, not 2");
    expect_body("{\"stage\":1,\"tasks\":1,\"ops\":[[\"stage\",{}]]}",
                "the source does not say which stage to read");
    expect_body("{\"stage\":1,\"tasks\":1,\"ops\":[[\"from_range\",{\"n\":1}]],\"shared\":[]}",
                "the shared data of the body must be a map");
    expect_body(
        "{\"stage\":1,\"tasks\":1,\"ops\":[[\"from_range\",{\"n\":1}]],\"shared\":{\"a\":1}}",
        "the shared data of the stage must be names with digests");
}

/* Whatever the bytes, nothing but an error or a stage comes out. */
static void test_body_mangled_bytes_are_safe(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zn_buf good = { 0 };
    fake_json("{\"stage\":1,\"tasks\":1,\"ops\":[[\"from_range\",{\"n\":1}],[\"select\","
              "{\"fields\":[\"a\"]}],[\"write_text\",{\"pattern\":\"/tmp/x\",\"level\":1}]],"
              "\"shared\":{}}",
              &good);
    zonda_error error = { 0 };
    for (size_t len = 0; len < good.len; len++) {
        zn_bytes cut = { .data = good.data, .len = len };
        assert_null(zn_stage_exec_new((zn_job_id){ 1 }, cut, &host.host, &error));
        assert_err(error.code, PLAN);
    }
    for (size_t i = 0; i < good.len; i++) {
        for (unsigned flip = 1; flip < 256; flip += 7) {
            good.data[i] ^= (uint8_t)flip;
            zn_stage_exec *stage =
                zn_stage_exec_new((zn_job_id){ 1 }, zn_buf_bytes(&good), &host.host, &error);
            zn_stage_exec_destroy(&stage);
            good.data[i] ^= (uint8_t)flip;
        }
    }
    zn_buf_free(&good);
    fake_host_close(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select_keeps_fields),
        cmocka_unit_test(test_select_other_type_is_user_error),
        cmocka_unit_test(test_count_total_sums),
        cmocka_unit_test(test_collect_large_results_go_to_the_segment),
        cmocka_unit_test(test_cancelled_task_has_no_outcome),
        cmocka_unit_test(test_task_beyond_the_stage_fails),
        cmocka_unit_test(test_body_wrong_fields_are_plan_errors),
        cmocka_unit_test(test_body_mangled_bytes_are_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
