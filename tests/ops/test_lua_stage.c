/* SPDX-License-Identifier: MPL-2.0 */
/* Lua functions inside of a running stage: shared data, counters, random numbers, errors. */
#include "test.h"

#include "fake_host.h"

static zn_stage_exec *open_map(fake_host *host, const char *expression) {
    fake_body body = fake_body_of(host, 2);
    fake_body_shared(&body, "names", "{\"0\":\"zero\",\"1\":[1,2]}");
    fake_body_source(&body, "from_list", "{}", "[0,1]");
    char args[512];
    snprintf(args, sizeof args, "{\"function\":{\"kind\":\"lua-expression\",\"text\":\"%s\"}}",
             expression);
    fake_body_op(&body, "map", args);
    zonda_error error = { 0 };
    zn_stage_exec *stage = fake_body_open(&body, &error);
    if (stage == NULL) {
        fail_msg("%s", error.text);
    }
    return stage;
}

static void check_task(const char *expression, uint64_t task, const char *expected) {
    fake_host host;
    fake_host_open(&host);
    zn_stage_exec *stage = open_map(&host, expression);
    char *got = fake_run(&host, stage, task);
    if (strncmp(got, expected, strlen(expected)) != 0) {
        fail_msg("%s gave %s, wanted %s", expression, got, expected);
    }
    free(got);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* Shared data is read by name, in place. */
static void test_lua_stage_shared_data_is_read(void **state) {
    (void)state;
    check_task("zonda.shared('names')[tostring(r)]", 0, "\"zero\"");
    check_task("zonda.shared('names')[tostring(r)]", 1, "[1,2]");
    check_task("{n = #zonda.shared('names')['1']}", 0, "{\"n\":2}");
}

/* The error of a missing name lists the names that exist; a change of a value is refused. */
static void test_lua_stage_shared_data_errors_are_clear(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        { "zonda.shared('nobody')", "names" },
        { "table.insert(zonda.shared('names')['1'], 3)", "this value is read-only" },
        { "r.x.y", "map:1: attempt to index a number value" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_host host;
        fake_host_open(&host);
        zn_stage_exec *stage = open_map(&host, cases[i][0]);
        zonda_error error = fake_run_failing(stage, 0, 1);
        assert_err(error.code, USER);
        assert_string_equal(error.op, "map");
        if (strstr(error.text, cases[i][1]) == NULL) {
            fail_msg("%s gave %s", cases[i][0], error.text);
        }
        zn_stage_exec_destroy(&stage);
        fake_host_close(&host);
    }
}

/* Counters of a function come out with the task. */
static void test_lua_stage_counters_are_reported(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zn_stage_exec *stage = open_map(&host, "zonda.counter('seen', 5) or r");
    zn_outcome outcome;
    assert_true(zn_stage_exec_run(stage, 1, 1, &outcome));
    bool found = false;
    for (size_t i = 0; i < outcome.counters_count; i++) {
        const zn_counter *counter = &outcome.counters[i];
        if (zn_bytes_equal(counter->name, zn_bytes_of_text("seen"))) {
            found = true;
            assert_int_equal(counter->sum, 5);
        }
    }
    assert_true(found);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* A shard draws the same numbers in every attempt, whatever ran before; another shard others. */
static void test_lua_stage_random_numbers_belong_to_the_shard(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zn_stage_exec *stage = open_map(&host, "math.random(1000000000)");
    char *first = fake_run(&host, stage, 0);
    char *second = fake_run(&host, stage, 1);
    char *again = fake_run(&host, stage, 0);
    assert_string_equal(first, again);
    assert_string_not_equal(first, second);
    free(first);
    free(second);
    free(again);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lua_stage_shared_data_is_read),
        cmocka_unit_test(test_lua_stage_shared_data_errors_are_clear),
        cmocka_unit_test(test_lua_stage_counters_are_reported),
        cmocka_unit_test(test_lua_stage_random_numbers_belong_to_the_shard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
