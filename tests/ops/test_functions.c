/* SPDX-License-Identifier: MPL-2.0 */
/* User functions in C: what they get and give, state, counters, shared data, failures. */
#include "test.h"

#include <zonda/function.h>

#include "base/alloc.h"
#include "fake_host.h"

static int opened;
static int closed;

static zonda_err call_double(zonda_task *task, const msgpack_object *args, size_t arg_count,
                             msgpack_packer *out) {
    (void)task;
    assert_int_equal(arg_count, 1);
    msgpack_pack_uint64(out, args[0].via.u64 * 2);
    return ZONDA_OK;
}

static zonda_err call_is_odd(zonda_task *task, const msgpack_object *args, size_t arg_count,
                             msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    if (args[0].via.u64 % 2 == 1) {
        msgpack_pack_true(out);
    } else if (args[0].via.u64 % 4 == 0) {
        msgpack_pack_nil(out);
    } else {
        msgpack_pack_false(out);
    }
    return ZONDA_OK;
}

static zonda_err call_repeat(zonda_task *task, const msgpack_object *args, size_t arg_count,
                             msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    for (uint64_t i = 0; i < args[0].via.u64; i++) {
        msgpack_pack_object(out, args[0]);
    }
    return ZONDA_OK;
}

static zonda_err call_nothing(zonda_task *task, const msgpack_object *args, size_t arg_count,
                              msgpack_packer *out) {
    (void)task;
    (void)args;
    (void)arg_count;
    (void)out;
    return ZONDA_OK;
}

static zonda_err call_garbage(zonda_task *task, const msgpack_object *args, size_t arg_count,
                              msgpack_packer *out) {
    (void)task;
    (void)args;
    (void)arg_count;
    msgpack_pack_array(out, 2);
    return ZONDA_OK;
}

/* Fails in different ways, by record; at 5 only counted. */
static zonda_err call_fail(zonda_task *task, const msgpack_object *args, size_t arg_count,
                           msgpack_packer *out) {
    (void)arg_count;
    zonda_task_counter(task, "calls", (int64_t)args[0].via.u64);
    switch (args[0].via.u64) {
    case 1:
        return zonda_task_fail(task, "number %d is \xff no good", 1);
    case 2:
        return zonda_task_fail_permanent(task, "never");
    case 3:
        return ZONDA_ERR_INVALID;
    case 4:
        zonda_task_fail(task, "said but not returned");
        break;
    default:
        break;
    }
    msgpack_pack_object(out, args[0]);
    return ZONDA_OK;
}

static zonda_err open_state(zonda_task *task, void **state) {
    if (zonda_task_shard(task) == 2) {
        return zonda_task_fail(task, "cannot open");
    }
    opened++;
    uint64_t *sum = ZN_NEW(uint64_t);
    *sum = zonda_task_shard(task) * 1000 + zonda_task_shard_count(task);
    *state = sum;
    return ZONDA_OK;
}

static void close_state(zonda_task *task, void *state) {
    assert_ptr_equal(zonda_task_state(task), state);
    closed++;
    free(state);
}

static zonda_err call_running_sum(zonda_task *task, const msgpack_object *args, size_t arg_count,
                                  msgpack_packer *out) {
    (void)arg_count;
    uint64_t *sum = zonda_task_state(task);
    *sum += args[0].via.u64;
    msgpack_pack_uint64(out, *sum);
    return ZONDA_OK;
}

static zonda_err call_look_up(zonda_task *task, const msgpack_object *args, size_t arg_count,
                              msgpack_packer *out) {
    (void)arg_count;
    const msgpack_object *table = NULL;
    bool other = args[0].via.u64 == 1;
    zonda_err err = zonda_task_shared(task, other ? "tabel" : "table", &table);
    if (err != ZONDA_OK) {
        return err;
    }
    msgpack_pack_object(out, table->via.array.ptr[args[0].via.u64]);
    return ZONDA_OK;
}

/* A look-up that fails and is forgiven. */
static zonda_err call_look_away(zonda_task *task, const msgpack_object *args, size_t arg_count,
                                msgpack_packer *out) {
    (void)arg_count;
    const msgpack_object *table = NULL;
    assert_int_equal(zonda_task_shared(task, "none", &table), ZONDA_ERR_NOT_FOUND);
    msgpack_pack_object(out, args[0]);
    return ZONDA_OK;
}

static zonda_err call_add(zonda_task *task, const msgpack_object *args, size_t arg_count,
                          msgpack_packer *out) {
    (void)task;
    assert_int_equal(arg_count, 2);
    msgpack_pack_uint64(out, args[0].via.u64 + args[1].via.u64);
    return ZONDA_OK;
}

static int register_all(void **state) {
    (void)state;
    static const struct {
        const char *name;
        zonda_function function;
    } functions[] = {
        { "double", { .call = call_double } },
        { "is_odd", { .call = call_is_odd } },
        { "repeat", { .call = call_repeat } },
        { "nothing", { .call = call_nothing } },
        { "garbage", { .call = call_garbage } },
        { "fail", { .call = call_fail } },
        { "look_up", { .call = call_look_up } },
        { "look_away", { .call = call_look_away } },
        { "add", { .call = call_add } },
        { "running_sum", { .call = call_running_sum, .open = open_state, .close = close_state } },
    };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        zonda_error error = { 0 };
        assert_ok(zonda_register(functions[i].name, &functions[i].function, &error), error);
    }
    return 0;
}

#define FUNCTION(name) "{\"function\":{\"kind\":\"c\",\"name\":\"" name "\"}}"

static zn_stage_exec *open_list(fake_host *host, uint64_t tasks, const char *items, const char *op,
                                const char *args) {
    zonda_error error = { 0 };
    fake_body body = fake_body_of(host, tasks);
    fake_body_source(&body, "from_list", "{}", items);
    fake_body_op(&body, op, args);
    fake_body_shared(&body, "other", "1");
    fake_body_shared(&body, "table", "[\"zero\",\"one\"]");
    zn_stage_exec *stage = fake_body_open(&body, &error);
    if (stage == NULL) {
        fail_msg("%s", error.text);
    }
    return stage;
}

static zn_stage_exec *open_range(fake_host *host, uint64_t tasks, const char *args, const char *op,
                                 const char *op_args) {
    zonda_error error = { 0 };
    fake_body body = fake_body_of(host, tasks);
    fake_body_op(&body, "from_range", args);
    fake_body_op(&body, op, op_args);
    zn_stage_exec *stage = fake_body_open(&body, &error);
    if (stage == NULL) {
        fail_msg("%s", error.text);
    }
    return stage;
}

static void expect_range(const char *op, const char *function, const char *expected) {
    fake_host host;
    fake_host_open(&host);
    zn_stage_exec *stage = open_range(&host, 1, "{\"n\":5}", op, function);
    char *got = fake_run(&host, stage, 0);
    assert_string_equal(got, expected);
    free(got);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* map gives one for each, in order. */
static void test_map_gives_one_for_each(void **state) {
    (void)state;
    expect_range("map", FUNCTION("double"), "0\n2\n4\n6\n8\n");
}

/* filter keeps the record itself; false and nil drop it. */
static void test_filter_false_and_nil_drop(void **state) {
    (void)state;
    expect_range("filter", FUNCTION("is_odd"), "1\n3\n");
}

/* flat_map gives any number, none included. */
static void test_flat_map_gives_any_number(void **state) {
    (void)state;
    expect_range("flat_map", FUNCTION("repeat"), "1\n2\n2\n3\n3\n3\n4\n4\n4\n4\n");
    expect_range("flat_map", FUNCTION("nothing"), "");
}

/* Operators fuse: map, filter, select and count in one pass. */
static void test_chain_fuses(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zonda_error error = { 0 };
    fake_body body = fake_body_of(&host, 3);
    fake_body_op(&body, "from_range", "{\"n\":100}");
    fake_body_op(&body, "filter", FUNCTION("is_odd"));
    fake_body_op(&body, "map", FUNCTION("double"));
    fake_body_op(&body, "count_shard", "{}");
    zn_stage_exec *stage = fake_body_open(&body, &error);
    assert_non_null(stage);
    zn_outcome outcome = { 0 };
    assert_true(zn_stage_exec_run(stage, 1, 1, &outcome));
    assert_int_equal(outcome.failure_count, 0);
    assert_int_equal(outcome.records_in, 33);
    assert_int_equal(outcome.records_out, 1);
    assert_int_equal(outcome.bytes_out, 1);
    assert_int_equal(outcome.records.len, 1);
    assert_int_equal(outcome.records.data[0], 17);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

static void expect_failure(const char *op, const char *function, const char *item,
                           const char *text) {
    fake_host host;
    fake_host_open(&host);
    zn_stage_exec *stage = open_list(&host, 1, item, op, function);
    zonda_error error = fake_run_failing(stage, 0, 1);
    assert_err(error.code, USER);
    assert_string_equal(error.text, text);
    assert_string_equal(error.op, op);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* None, two, or half a value where one is wanted is the function's error. */
static void test_function_wrong_answer_is_user_error(void **state) {
    (void)state;
    expect_failure("map", FUNCTION("nothing"), "[1]",
                   "the function gave no value where one is wanted");
    expect_failure("map", FUNCTION("repeat"), "[2]",
                   "the function gave more than one value where one is wanted");
    expect_failure("filter", FUNCTION("nothing"), "[1]",
                   "the function gave no value where one is wanted");
    expect_failure("map", FUNCTION("garbage"), "[1]",
                   "the function gave bad MessagePack: MessagePack value at byte 0 claims more "
                   "than the 0 bytes that follow");
    expect_failure("flat_map", FUNCTION("garbage"), "[1]",
                   "the function gave bad MessagePack: MessagePack value at byte 0 claims more "
                   "than the 0 bytes that follow");
}

/* Words come from the function, or name it; bytes that are no UTF-8 are replaced. */
static void test_function_failure_carries_words(void **state) {
    (void)state;
    expect_failure("map", FUNCTION("fail"), "[1]", "number 1 is ? no good");
    expect_failure("map", FUNCTION("fail"), "[2]", "never");
    expect_failure("map", FUNCTION("fail"), "[3]", "function \"fail\" returned INVALID (1)");
    expect_failure("map", FUNCTION("fail"), "[4]", "said but not returned");
}

/* Only the permanent form is permanent; counters of a failure are dropped; the next task works. */
static void test_function_failure_leaves_the_stage_usable(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zn_stage_exec *stage = open_list(&host, 3, "[1,2,5]", "map", FUNCTION("fail"));
    zonda_error error = fake_run_failing(stage, 0, 1);
    assert_false(error.permanent);
    error = fake_run_failing(stage, 1, 3);
    assert_true(error.permanent);
    assert_int_equal(error.shard, 1);
    assert_int_equal(error.attempt, 3);
    zn_outcome outcome = { 0 };
    assert_true(zn_stage_exec_run(stage, 2, 1, &outcome));
    assert_int_equal(outcome.failure_count, 0);
    assert_int_equal(outcome.counters_count, 1);
    assert_int_equal(outcome.counters[0].count, 1);
    assert_int_equal(outcome.counters[0].sum, 5);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* Counters keep sum, min, max and count per task. */
static void test_counters_are_summed_per_task(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zn_stage_exec *stage = open_range(&host, 1, "{\"n\":1}", "flat_map", FUNCTION("nothing"));
    zonda_task task = { .host = &host.host };
    assert_int_equal(zonda_task_counter(&task, "a", -3), ZONDA_OK);
    assert_int_equal(zonda_task_counter(&task, "b", 1), ZONDA_OK);
    assert_int_equal(zonda_task_counter(&task, "a", 10), ZONDA_OK);
    assert_int_equal(task.counter_count, 2);
    assert_int_equal(task.counters[0].sum, 7);
    assert_int_equal(task.counters[0].min, -3);
    assert_int_equal(task.counters[0].max, 10);
    assert_int_equal(task.counters[0].count, 2);
    assert_int_equal(zonda_task_counter(&task, "a", INT64_MAX), ZONDA_ERR_LIMIT);
    assert_int_equal(task.counters[0].sum, 7);
    assert_int_equal(zonda_task_counter(&task, "", 1), ZONDA_ERR_LIMIT);
    assert_int_equal(zonda_task_counter(&task, "\xff", 1), ZONDA_ERR_LIMIT);
    char name[300];
    memset(name, 'x', sizeof name);
    name[256] = '\0';
    assert_int_equal(zonda_task_counter(&task, name, 1), ZONDA_ERR_LIMIT);
    for (int i = 2; i < 256; i++) {
        snprintf(name, sizeof name, "c%d", i);
        assert_int_equal(zonda_task_counter(&task, name, 1), ZONDA_OK);
    }
    assert_int_equal(zonda_task_counter(&task, "one more", 1), ZONDA_ERR_LIMIT);
    assert_int_equal(zonda_task_counter(&task, "a", 1), ZONDA_OK);
    for (size_t i = 0; i < task.counter_count; i++) {
        free(task.counters[i].name);
    }
    free(task.counters);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* State is made per shard, knows its shard, and is closed once, whatever happens. */
static void test_state_lives_for_a_shard(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    opened = 0;
    closed = 0;
    zonda_error error = { 0 };
    fake_body body = fake_body_of(&host, 3);
    fake_body_op(&body, "from_range", "{\"n\":6}");
    fake_body_op(&body, "map", FUNCTION("running_sum"));
    zn_stage_exec *stage = fake_body_open(&body, &error);
    assert_non_null(stage);
    char *got = fake_run(&host, stage, 1);
    assert_string_equal(got, "1005\n1008\n");
    free(got);
    got = fake_run(&host, stage, 0);
    assert_string_equal(got, "3\n4\n");
    free(got);
    assert_int_equal(opened, 2);
    assert_int_equal(closed, 2);
    error = fake_run_failing(stage, 2, 1);
    assert_string_equal(error.text, "cannot open");
    assert_string_equal(error.op, "map");
    assert_int_equal(opened, 2);
    assert_int_equal(closed, 2);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* A failure downstream and a cancellation close the state too. */
static void test_state_is_closed_after_failure(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    opened = 0;
    closed = 0;
    zonda_error error = { 0 };
    fake_body body = fake_body_of(&host, 1);
    fake_body_op(&body, "from_range", "{\"n\":6}");
    fake_body_op(&body, "map", FUNCTION("running_sum"));
    fake_body_op(&body, "map", FUNCTION("fail"));
    zn_stage_exec *stage = fake_body_open(&body, &error);
    assert_non_null(stage);
    error = fake_run_failing(stage, 0, 1);
    assert_string_equal(error.text, "number 1 is ? no good");
    assert_int_equal(opened, 1);
    assert_int_equal(closed, 1);
    host.cancel_after = 1;
    zn_outcome outcome = { 0 };
    assert_false(zn_stage_exec_run(stage, 0, 2, &outcome));
    assert_int_equal(opened, 2);
    assert_int_equal(closed, 2);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* Shared values come by name; a wrong name lists the right ones. */
static void test_shared_data_by_name(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zn_stage_exec *stage = open_list(&host, 2, "[0,1]", "map", FUNCTION("look_up"));
    for (int i = 0; i < 2; i++) {
        char *got = fake_run(&host, stage, 0);
        assert_string_equal(got, "\"zero\"\n");
        free(got);
    }
    zonda_error error = fake_run_failing(stage, 1, 1);
    assert_err(error.code, NOT_FOUND);
    assert_string_equal(error.text, "there is no shared data \"tabel\"; there is: other, table");
    zn_stage_exec_destroy(&stage);
    stage = open_list(&host, 1, "[9]", "map", FUNCTION("look_away"));
    char *got = fake_run(&host, stage, 0);
    assert_string_equal(got, "9\n");
    free(got);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* Halves of reduce: from the first record or the identity; empty shards give nothing. */
static void test_reduce_shard_folds(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zn_stage_exec *stage = open_range(&host, 6, "{\"n\":5}", "reduce_shard", FUNCTION("add"));
    char *got = fake_run(&host, stage, 0);
    assert_string_equal(got, "");
    free(got);
    zn_stage_exec_destroy(&stage);
    stage = open_range(&host, 1, "{\"n\":5}", "reduce_shard", FUNCTION("add"));
    got = fake_run(&host, stage, 0);
    assert_string_equal(got, "10\n");
    free(got);
    zn_stage_exec_destroy(&stage);
    static const char with_identity[] =
        "{\"function\":{\"kind\":\"c\",\"name\":\"add\"},\"identity\":100}";
    stage = open_range(&host, 6, "{\"n\":5}", "reduce_shard", with_identity);
    got = fake_run(&host, stage, 0);
    assert_string_equal(got, "");
    free(got);
    got = fake_run(&host, stage, 5);
    assert_string_equal(got, "104\n");
    free(got);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* Over the shards the identity only stands in for nothing. */
static void test_reduce_total_uses_identity_for_nothing(void **state) {
    (void)state;
    static const char with_identity[] =
        "{\"function\":{\"kind\":\"c\",\"name\":\"add\"},\"identity\":100}";
    expect_range("reduce_total", with_identity, "10\n");
    expect_range("reduce_total", FUNCTION("add"), "10\n");
    fake_host host;
    fake_host_open(&host);
    zn_stage_exec *stage = open_range(&host, 1, "{\"n\":0}", "reduce_total", with_identity);
    char *got = fake_run(&host, stage, 0);
    assert_string_equal(got, "100\n");
    free(got);
    zn_stage_exec_destroy(&stage);
    stage = open_range(&host, 1, "{\"n\":0}", "reduce_total", FUNCTION("add"));
    got = fake_run(&host, stage, 0);
    assert_string_equal(got, "");
    free(got);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_gives_one_for_each),
        cmocka_unit_test(test_filter_false_and_nil_drop),
        cmocka_unit_test(test_flat_map_gives_any_number),
        cmocka_unit_test(test_chain_fuses),
        cmocka_unit_test(test_function_wrong_answer_is_user_error),
        cmocka_unit_test(test_function_failure_carries_words),
        cmocka_unit_test(test_function_failure_leaves_the_stage_usable),
        cmocka_unit_test(test_counters_are_summed_per_task),
        cmocka_unit_test(test_state_lives_for_a_shard),
        cmocka_unit_test(test_state_is_closed_after_failure),
        cmocka_unit_test(test_shared_data_by_name),
        cmocka_unit_test(test_reduce_shard_folds),
        cmocka_unit_test(test_reduce_total_uses_identity_for_nothing),
    };
    return cmocka_run_group_tests(tests, register_all, NULL);
}
