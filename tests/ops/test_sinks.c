/* SPDX-License-Identifier: MPL-2.0 */
/* The sinks: whole files with permission, nothing without. */
#include "test.h"

#include "base/alloc.h"
#include "fake_host.h"

static zn_stage_exec *open_sink(fake_host *host, uint64_t tasks, const char *items, const char *op,
                                const char *name) {
    zonda_error error = { 0 };
    fake_body body = fake_body_of(host, tasks);
    fake_body_source(&body, "from_list", "{}", items);
    char *args = zn_format("{\"pattern\":\"%s/%s\"}", host->folder, name);
    fake_body_op(&body, op, args);
    free(args);
    zn_stage_exec *stage = fake_body_open(&body, &error);
    if (stage == NULL) {
        fail_msg("%s", error.text);
    }
    return stage;
}

static void expect_files(const fake_host *host, const char *expected) {
    char *files = fake_host_files(host);
    assert_string_equal(files, expected);
    free(files);
}

static void expect_content(const fake_host *host, const char *name, const char *expected) {
    char *text = fake_host_read(host, name);
    assert_string_equal(text, expected);
    free(text);
}

/* Granted: the file is there, its path is the record, its size is counted. */
static void test_write_jsonl_granted_publishes(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zn_stage_exec *stage = open_sink(&host, 2, "[{\"b\":1,\"a\":[1.0,null]},\"x\"]", "write_jsonl",
                                     "o-{shard:02d}-of-{total:02d}.jsonl");
    char *got = fake_run(&host, stage, 0);
    char *expected = zn_format("\"%s/o-00-of-02.jsonl\"\n", host.folder);
    assert_string_equal(got, expected);
    free(got);
    free(expected);
    expect_files(&host, "o-00-of-02.jsonl");
    expect_content(&host, "o-00-of-02.jsonl", "{\"b\":1,\"a\":[1.0,null]}\n");
    zn_outcome outcome = { 0 };
    assert_true(zn_stage_exec_run(stage, 1, 1, &outcome));
    assert_int_equal(outcome.records_in, 1);
    assert_int_equal(outcome.records_out, 1);
    assert_int_equal(outcome.bytes_out, 4);
    assert_int_equal(host.commits, 2);
    expect_files(&host, "o-00-of-02.jsonl o-01-of-02.jsonl");
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* Refused: nothing is left and nothing is said. */
static void test_write_refused_leaves_nothing(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    host.refuse = true;
    zn_stage_exec *stage = open_sink(&host, 1, "[1]", "write_jsonl", "o.jsonl");
    zn_outcome outcome = { 0 };
    assert_false(zn_stage_exec_run(stage, 0, 1, &outcome));
    expect_files(&host, "");
    host.refuse = false;
    assert_true(zn_stage_exec_run(stage, 0, 2, &outcome));
    expect_files(&host, "o.jsonl");
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* A failing record publishes nothing, does not even ask, and the next task works. */
static void test_write_failure_leaves_nothing(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zn_stage_exec *stage = open_sink(&host, 2, "[[1],\"line\"]", "write_text", "o{shard}.txt");
    zonda_error error = fake_run_failing(stage, 0, 1);
    assert_err(error.code, BAD_RECORD);
    assert_string_equal(error.text,
                        "record 1 of the shard: write_text needs a string as record, not array");
    assert_string_equal(error.op, "write_text");
    assert_int_equal(host.commits, 0);
    expect_files(&host, "");
    char *got = fake_run(&host, stage, 1);
    free(got);
    expect_content(&host, "o1.txt", "line\n");
    expect_files(&host, "o1.txt");
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* Cancelled in the middle: nothing is left. */
static void test_write_cancelled_leaves_nothing(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zonda_error error = { 0 };
    fake_body body = fake_body_of(&host, 1);
    fake_body_op(&body, "from_range", "{\"n\":10}");
    char *args = zn_format("{\"pattern\":\"%s/o.jsonl\"}", host.folder);
    fake_body_op(&body, "write_jsonl", args);
    free(args);
    zn_stage_exec *stage = fake_body_open(&body, &error);
    assert_non_null(stage);
    host.cancel_after = 5;
    zn_outcome outcome = { 0 };
    assert_false(zn_stage_exec_run(stage, 0, 1, &outcome));
    expect_files(&host, "");
    assert_int_equal(host.commits, 0);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* An empty shard still has its file. */
static void test_write_empty_shard_has_a_file(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zonda_error error = { 0 };
    fake_body body = fake_body_of(&host, 1);
    fake_body_op(&body, "from_range", "{\"n\":0}");
    char *args = zn_format("{\"pattern\":\"%s/o.jsonl\"}", host.folder);
    fake_body_op(&body, "write_jsonl", args);
    free(args);
    zn_stage_exec *stage = fake_body_open(&body, &error);
    assert_non_null(stage);
    zn_outcome outcome = { 0 };
    assert_true(zn_stage_exec_run(stage, 0, 1, &outcome));
    assert_int_equal(outcome.failure_count, 0);
    assert_int_equal(outcome.bytes_out, 0);
    expect_content(&host, "o.jsonl", "");
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* A slot that died left its temporary; sweeping removes that and nothing else. */
static void test_sweep_removes_the_temporary(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zn_stage_exec *stage = open_sink(&host, 2, "[1,2]", "write_jsonl", "o{shard}.jsonl");
    fake_host_write(&host, ".o1.jsonl.zonda-7-3-1-2.tmp", "half");
    fake_host_write(&host, ".o0.jsonl.zonda-7-3-0-2.tmp", "half");
    zn_stage_exec_sweep(stage, 1, 2);
    expect_files(&host, ".o0.jsonl.zonda-7-3-0-2.tmp");
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* A folder that cannot be made is named. */
static void test_write_unwritable_folder_is_io(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    fake_host_write(&host, "file", "x");
    zn_stage_exec *stage = open_sink(&host, 1, "[1]", "write_jsonl", "file/o.jsonl");
    zonda_error error = fake_run_failing(stage, 0, 1);
    assert_err(error.code, IO);
    assert_string_equal(error.op, "write_jsonl");
    assert_true(error.file[0] != '\0');
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* The body is checked as the plan was: one file for several shards is refused. */
static void test_write_pattern_without_shard_is_plan_error(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zonda_error error = { 0 };
    fake_body body = fake_body_of(&host, 2);
    fake_body_source(&body, "from_list", "{}", "[1,2]");
    fake_body_op(&body, "write_jsonl", "{\"pattern\":\"o.jsonl\"}");
    assert_null(fake_body_open(&body, &error));
    assert_err(error.code, PLAN);
    fake_host_close(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_jsonl_granted_publishes),
        cmocka_unit_test(test_write_refused_leaves_nothing),
        cmocka_unit_test(test_write_failure_leaves_nothing),
        cmocka_unit_test(test_write_cancelled_leaves_nothing),
        cmocka_unit_test(test_write_empty_shard_has_a_file),
        cmocka_unit_test(test_sweep_removes_the_temporary),
        cmocka_unit_test(test_write_unwritable_folder_is_io),
        cmocka_unit_test(test_write_pattern_without_shard_is_plan_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
