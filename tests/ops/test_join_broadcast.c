/* SPDX-License-Identifier: MPL-2.0 */
/* A join inside the stage of its left side: the right side is read once, kinds of joins, memory,
 * and results of the right stage that are not what they should be. */
#include "test.h"

#include "fake_host.h"
#include "record/key.h"
#include "record/value.h"

static fake_host host;
static zn_buf rows;
static zn_result result;
static zn_msg_results page;

static int set_up(void **state) {
    (void)state;
    fake_host_open(&host);
    rows.len = 0;
    result = (zn_result){ .count = 1 };
    page = (zn_msg_results){ .total = 1, .results = &result, .results_count = 1 };
    host.pages = &page;
    host.page_count = 1;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    zn_buf_free(&rows);
    fake_host_close(&host);
    return 0;
}

/* Adds a row of the right side, as join_rows gives it; no record: only the key. */
static void add_row(const char *key, const char *record) {
    zn_buf value = { 0 };
    zn_buf encoded = { 0 };
    zonda_error error = { 0 };
    fake_json(key, &value);
    assert_ok(zn_key_put(&encoded, zn_buf_bytes(&value), &error), error);
    zn_put_binary(&rows, zn_buf_bytes(&encoded));
    result.records_out++;
    if (record != NULL) {
        fake_json(record, &rows);
        result.records_out++;
    }
    result.records = zn_buf_bytes(&rows);
    zn_buf_free(&value);
    zn_buf_free(&encoded);
}

/* A stage with an item of `left` per task, joined by field "id". */
static zn_stage_exec *open_join(const char *left, uint64_t tasks, const char *args) {
    zonda_error error = { 0 };
    char all[256];
    snprintf(all, sizeof all, "{\"by\":\"id\",%s}", args);
    fake_body body = fake_body_of(&host, tasks);
    fake_body_source(&body, "from_list", "{}", left);
    fake_body_op(&body, "join_broadcast", all);
    zn_stage_exec *stage = fake_body_open(&body, &error);
    assert_ok(error.code, error);
    return stage;
}

static void expect_task(zn_stage_exec *stage, uint64_t task, const char *expected) {
    char *got = fake_run(&host, stage, task);
    assert_string_equal(got, expected);
    free(got);
}

/* Runs one left record of a fresh stage. */
static void expect(const char *args, const char *left, const char *expected) {
    char list[128];
    snprintf(list, sizeof list, "[%s]", left);
    host.page_next = 0;
    zn_stage_exec *stage = open_join(list, 1, args);
    expect_task(stage, 0, expected);
    zn_stage_exec_destroy(&stage);
}

/* All tasks of a slot share one table; records come in the order of the right side. */
static void test_join_broadcast_reads_the_right_side_once(void **state) {
    (void)state;
    add_row("1", "{\"id\":1,\"y\":\"a\"}");
    add_row("2", "{\"id\":2,\"y\":\"b\"}");
    add_row("1", "{\"id\":1,\"y\":\"c\"}");
    zn_stage_exec *stage = open_join("[{\"id\":1,\"x\":1},{\"id\":3,\"x\":2},{\"id\":2.0}]", 3,
                                     "\"stage\":0,\"once\":[\"id\"]");
    expect_task(stage, 2, "{\"id\":2.0,\"y\":\"b\"}\n");
    expect_task(stage, 0, "{\"id\":1,\"x\":1,\"y\":\"a\"}\n{\"id\":1,\"x\":1,\"y\":\"c\"}\n");
    expect_task(stage, 1, "");
    assert_int_equal(host.page_next, 1);
    zn_stage_exec_destroy(&stage);
}

/* Each kind that can be broadcast; keys of nil, and of lists with nil, match nothing. */
static void test_join_broadcast_knows_four_kinds(void **state) {
    (void)state;
    add_row("1", "{\"id\":1,\"y\":2}");
    const char *how_left = "\"stage\":0,\"how\":\"left\",\"once\":[\"id\"]";
    expect(how_left, "{\"id\":1}", "{\"id\":1,\"y\":2}\n");
    expect(how_left, "{\"id\":2}", "{\"id\":2}\n");
    expect(how_left, "{\"x\":2}", "{\"x\":2}\n");
    expect(how_left, "{\"id\":[null]}", "{\"id\":[null]}\n");
    expect("\"stage\":0,\"once\":[\"id\"]", "{\"x\":2}", "");
}

/* For these two the right stage gives keys only. */
static void test_join_broadcast_semi_and_anti_need_keys_only(void **state) {
    (void)state;
    add_row("1", NULL);
    add_row("1", NULL);
    expect("\"stage\":0,\"how\":\"semi\"", "{\"id\":1}", "{\"id\":1}\n");
    expect("\"stage\":0,\"how\":\"semi\"", "{\"id\":2}", "");
    expect("\"stage\":0,\"how\":\"anti\"", "{\"id\":1}", "");
    expect("\"stage\":0,\"how\":\"anti\"", "{\"id\":null}", "{\"id\":null}\n");
}

/* A right side without shards has no stage to ask. */
static void test_join_broadcast_of_an_empty_side_asks_nobody(void **state) {
    (void)state;
    expect("\"empty\":true,\"how\":\"left\"", "{\"id\":1}", "{\"id\":1}\n");
    assert_int_equal(host.page_next, 0);
}

/* What the account refuses lies in a file; the result is the same. */
static void test_join_broadcast_above_the_memory_limit_spills(void **state) {
    (void)state;
    zn_memory memory = { .limit = 300 };
    host.host.memory = &memory;
    zn_buf expected = { 0 };
    for (unsigned i = 0; i < 20; i++) {
        add_row("1", "{\"id\":1,\"y\":\"a text of some length\"}");
        zn_buf_append_text(&expected, "{\"id\":1,\"y\":\"a text of some length\"}\n");
    }
    zn_buf_append_byte(&expected, 0);
    zn_stage_exec *stage = open_join("[{\"id\":1}]", 1, "\"stage\":0,\"once\":[\"id\"]");
    expect_task(stage, 0, (const char *)expected.data);
    zn_stage_exec_destroy(&stage);
    assert_int_equal(memory.used, 0);
    zn_buf_free(&expected);
}

/* What the planner has chosen is read whatever the account says, and given back with the stage. */
static void test_join_broadcast_that_was_chosen_takes_its_memory(void **state) {
    (void)state;
    zn_memory memory = { .limit = 100 };
    host.host.memory = &memory;
    add_row("1", "{\"id\":1,\"y\":2}");
    add_row("2", "{\"id\":2,\"y\":2}");
    zn_stage_exec *stage = open_join("[{\"id\":1}]", 1, "\"stage\":0,\"once\":[\"id\"]");
    expect_task(stage, 0, "{\"id\":1,\"y\":2}\n");
    assert_true(memory.used > 0);
    zn_stage_exec_destroy(&stage);
    assert_int_equal(memory.used, 0);
}

/* A table that was not read to its end is not used by the next attempt. */
static void test_join_broadcast_reads_again_after_a_failure(void **state) {
    (void)state;
    add_row("1", "{\"id\":1,\"y\":2}");
    zn_msg_results both[2] = { page, page };
    zn_result bad = result;
    bad.records_out++;
    both[0].results = &bad;
    host.pages = both;
    host.page_count = 2;
    zn_stage_exec *stage = open_join("[{\"id\":1}]", 1, "\"stage\":0,\"once\":[\"id\"]");
    zonda_error error = fake_run_failing(stage, 0, 1);
    assert_err(error.code, CORRUPT);
    assert_string_equal(error.text, "task 0 of stage 0 gave 3 records, but 2 were read");
    expect_task(stage, 0, "{\"id\":1,\"y\":2}\n");
    zn_stage_exec_destroy(&stage);
}

static void expect_corrupt(const char *text) {
    zn_stage_exec *stage = open_join("[{\"id\":1}]", 1, "\"stage\":0");
    zonda_error error = fake_run_failing(stage, 0, 1);
    assert_err(error.code, CORRUPT);
    assert_string_equal(error.text, text);
    zn_stage_exec_destroy(&stage);
}

/* A record where a key should be is no key. */
static void test_join_broadcast_of_no_rows_is_corrupt(void **state) {
    (void)state;
    fake_json("7", &rows);
    result.records = zn_buf_bytes(&rows);
    result.records_out = 1;
    expect_corrupt("the right side has a record without a key");
}

/* Nor is a key enough where there are to be pairs. */
static void test_join_broadcast_of_a_key_alone_is_corrupt(void **state) {
    (void)state;
    add_row("1", NULL);
    expect_corrupt("the right side has a key without a record");
}

/* Cancelled while it reads, a task has no outcome, and the next one reads again. */
static void test_join_broadcast_is_cancelled_while_it_reads(void **state) {
    (void)state;
    add_row("1", "{\"id\":1,\"y\":2}");
    zn_stage_exec *stage = open_join("[{\"id\":1}]", 1, "\"stage\":0,\"once\":[\"id\"]");
    host.cancel_after = 1;
    zn_outcome outcome;
    assert_false(zn_stage_exec_run(stage, 0, 1, &outcome));
    host.cancel_after = UINT64_MAX;
    host.page_next = 0;
    expect_task(stage, 0, "{\"id\":1,\"y\":2}\n");
    zn_stage_exec_destroy(&stage);
}

/* The right stage gives each record behind its key, and none whose key matches nothing. */
static void test_join_rows_gives_keys_and_records(void **state) {
    (void)state;
    zonda_error error = { 0 };
    fake_body body = fake_body_of(&host, 3);
    fake_body_source(&body, "from_list", "{}", "[{\"id\":1},{\"x\":1},{\"id\":[2,null]}]");
    fake_body_op(&body, "join_rows", "{\"by\":\"id\"}");
    zn_stage_exec *stage = fake_body_open(&body, &error);
    assert_ok(error.code, error);
    zn_outcome outcome;
    assert_true(zn_stage_exec_run(stage, 0, 1, &outcome));
    assert_int_equal(outcome.failure_count, 0);
    add_row("1", "{\"id\":1}");
    assert_true(zn_bytes_equal(outcome.records, zn_buf_bytes(&rows)));
    for (uint64_t task = 1; task < 3; task++) {
        assert_true(zn_stage_exec_run(stage, task, 1, &outcome));
        assert_int_equal(outcome.records_out, 0);
    }
    zn_stage_exec_destroy(&stage);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_join_broadcast_reads_the_right_side_once),
        TEST(test_join_broadcast_knows_four_kinds),
        TEST(test_join_broadcast_semi_and_anti_need_keys_only),
        TEST(test_join_broadcast_of_an_empty_side_asks_nobody),
        TEST(test_join_broadcast_above_the_memory_limit_spills),
        TEST(test_join_broadcast_that_was_chosen_takes_its_memory),
        TEST(test_join_broadcast_reads_again_after_a_failure),
        TEST(test_join_broadcast_of_no_rows_is_corrupt),
        TEST(test_join_broadcast_of_a_key_alone_is_corrupt),
        TEST(test_join_broadcast_is_cancelled_while_it_reads),
        TEST(test_join_rows_gives_keys_and_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
