/* SPDX-License-Identifier: MPL-2.0 */
/* select, drop, rename, take_per_shard, window and sample over shards, and how a shard that has had
 * enough ends. */
#include "test.h"

#include <zonda/function.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "fake_host.h"

static fake_host host;

static int set_up(void **state) {
    (void)state;
    fake_host_open(&host);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fake_host_close(&host);
    return 0;
}

/* Runs `op` over one shard for each of `items` and compares the records of all shards. */
static void expect_records(const char *items, uint64_t shards, const char *op, const char *args,
                           const char *expected) {
    fake_body body = fake_body_of(&host, shards);
    fake_body_source(&body, "from_list", "{}", items);
    fake_body_op(&body, op, args);
    zonda_error error = { 0 };
    zn_stage_exec *stage = fake_body_open(&body, &error);
    assert_ok(error.code, error);
    zn_buf all = { 0 };
    for (uint64_t i = 0; i < shards; i++) {
        char *records = fake_run(&host, stage, i);
        zn_buf_append_text(&all, records);
        free(records);
    }
    zn_buf_append_byte(&all, '\0');
    assert_string_equal((const char *)all.data, expected);
    zn_buf_free(&all);
    zn_stage_exec_destroy(&stage);
}

/* Runs one shard with `item`, which the operator must refuse for good. */
static void expect_failure(const char *item, const char *op, const char *args, const char *code,
                           const char *text) {
    fake_body body = fake_body_of(&host, 1);
    fake_body_source(&body, "from_list", "{}", item);
    fake_body_op(&body, op, args);
    zonda_error error = { 0 };
    zn_stage_exec *stage = fake_body_open(&body, &error);
    assert_ok(error.code, error);
    error = fake_run_failing(stage, 0, 1);
    assert_string_equal(zonda_err_name(error.code), code);
    assert_string_equal(error.text, text);
    assert_string_equal(error.op, op);
    assert_true(error.permanent);
    zn_stage_exec_destroy(&stage);
}

/* A stage of one task: 0 … n-1 through operators, given as name and arguments up to a NULL. */
static zn_stage_exec *open_range(uint64_t n, uint64_t shards, const char *const *ops) {
    char args[64];
    snprintf(args, sizeof args, "{\"n\":%llu}", (unsigned long long)n);
    fake_body body = fake_body_of(&host, shards);
    fake_body_op(&body, "from_range", args);
    for (; *ops != NULL; ops += 2) {
        fake_body_op(&body, ops[0], ops[1]);
    }
    zonda_error error = { 0 };
    zn_stage_exec *stage = fake_body_open(&body, &error);
    assert_ok(error.code, error);
    return stage;
}

static void expect_range(uint64_t n, const char *const *ops, const char *expected) {
    zn_stage_exec *stage = open_range(n, 1, ops);
    char *records = fake_run(&host, stage, 0);
    assert_string_equal(records, expected);
    free(records);
    zn_stage_exec_destroy(&stage);
}

/* In the given order, the last of equal names, missing ones left out; a path that nobody has, which
 * is looked for in another way than names are, makes no difference. */
static void test_select_finds_names_as_it_finds_paths(void **state) {
    (void)state;
    static const char *const fields[] = {
        "{\"fields\":[\"c\",\"a\",\"no\",\"c\"]}",
        "{\"fields\":[\"c\",\"a\",\"no\",\"c\",\"a.no\"]}",
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        expect_records("[{\"a\":1,\"b\":{\"c\":0},\"c\":2,\"a\":[3]},{},{\"c\":null,\"aa\":1}]", 3,
                       "select", fields[i], "{\"c\":2,\"a\":[3]}\n{}\n{\"c\":null}\n");
    }
}

/* Fields go, order stays, what is not there is no mistake. */
static void test_drop_leaves_other_fields_in_order(void **state) {
    (void)state;
    expect_records("[{\"c\":1,\"b\":2,\"a\":3},{\"a\":1},{},{\"b\":1}]", 4, "drop",
                   "{\"fields\":[\"b\",\"x\"]}", "{\"c\":1,\"a\":3}\n{\"a\":1}\n{}\n{}\n");
}

/* A path goes into maps; a name with dots wins; what is no map has no fields. */
static void test_drop_path_goes_into_maps(void **state) {
    (void)state;
    expect_records("[{\"a\":{\"b\":1,\"c\":{\"d\":2,\"e\":3}},\"z\":0},{\"a.b\":1,\"a\":{\"b\":2}},"
                   "{\"a\":[{\"b\":1}]}]",
                   3, "drop", "{\"fields\":[\"a.b\",\"a.c.e\",\"a.c.d.f\"]}",
                   "{\"a\":{\"c\":{\"d\":2}},\"z\":0}\n{\"a\":{\"b\":2}}\n{\"a\":[{\"b\":1}]}\n");
}

/* Whole and part together: the whole goes. */
static void test_drop_overlapping_paths(void **state) {
    (void)state;
    expect_records("[{\"a\":{\"b\":1},\"b\":{\"c\":1}}]", 1, "drop",
                   "{\"fields\":[\"a.b\",\"a\",\"a\",\"b.c\"]}", "{\"b\":{}}\n");
}

/* A new name stands where the old one was; names can swap; nothing to rename is fine. */
static void test_rename_keeps_order(void **state) {
    (void)state;
    expect_records("[{\"a\":1,\"b\":2,\"c\":3},{\"c\":{\"a\":1}},{\"b\":2}]", 3, "rename",
                   "{\"fields\":{\"b\":\"a\",\"a\":\"b\",\"see\":\"c\"}}",
                   "{\"b\":1,\"a\":2,\"see\":3}\n{\"see\":{\"a\":1}}\n{\"a\":2}\n");
}

/* A name that another field has and keeps is an error, unless there is nothing to rename. */
static void test_rename_clash_is_error(void **state) {
    (void)state;
    expect_failure("[{\"a\":1,\"b\":2}]", "rename", "{\"fields\":{\"b\":\"a\"}}", "USER",
                   "cannot rename \"a\": the record has a field \"b\"");
    expect_records("[{\"b\":2}]", 1, "rename", "{\"fields\":{\"b\":\"a\"}}", "{\"b\":2}\n");
    expect_records("[{\"b\":2}]", 1, "rename", "{\"fields\":{\"b\":\"b\"}}", "{\"b\":2}\n");
}

/* Records that are no maps have no fields. */
static void test_fields_of_other_types_are_errors(void **state) {
    (void)state;
    expect_failure("[\"x\"]", "drop", "{\"fields\":[\"a\"]}", "USER",
                   "drop needs a map as record, not string");
    expect_failure("[[1]]", "rename", "{\"fields\":{\"b\":\"a\"}}", "USER",
                   "rename needs a map as record, not array");
    expect_failure("[null]", "select", "{\"fields\":[\"a\"]}", "USER",
                   "select needs a map as record, not nil");
}

/* The first n of each shard, none for 0, all where there are fewer. */
static void test_take_gives_first_of_each_shard(void **state) {
    (void)state;
    static const char *const two[] = { "take_per_shard", "{\"n\":2}", NULL };
    static const char *const none[] = { "take_per_shard", "{\"n\":0}", NULL };
    static const char *const many[] = { "take_per_shard", "{\"n\":9223372036854775807}", NULL };
    expect_range(5, two, "0\n1\n");
    expect_range(1, two, "0\n");
    expect_range(5, none, "");
    expect_range(2, many, "0\n1\n");
    zn_stage_exec *stage = open_range(6, 2, two);
    char *records = fake_run(&host, stage, 1);
    assert_string_equal(records, "3\n4\n");
    free(records);
    zn_stage_exec_destroy(&stage);
}

/* The source is asked for no more than is needed: it could not finish otherwise. */
static void test_take_stops_source(void **state) {
    (void)state;
    static const char *const ops[] = { "take_per_shard", "{\"n\":3}", NULL };
    zn_stage_exec *stage = open_range(UINT64_C(9223372036854775807), 1, ops);
    zn_outcome outcome;
    assert_true(zn_stage_exec_run(stage, 0, 1, &outcome));
    assert_int_equal(outcome.records_in, 3);
    assert_int_equal(outcome.records_out, 3);
    assert_int_equal(outcome.failure_count, 0);
    zn_stage_exec_destroy(&stage);
}

/* n = 0 does not even look at the source. */
static void test_take_nothing_opens_nothing(void **state) {
    (void)state;
    fake_body body = fake_body_of(&host, 1);
    fake_body_source(&body, "read", "{\"format\":\"text\"}", "[\"/nonexistent/file\"]");
    fake_body_op(&body, "take_per_shard", "{\"n\":0}");
    zonda_error error = { 0 };
    zn_stage_exec *stage = fake_body_open(&body, &error);
    assert_ok(error.code, error);
    char *records = fake_run(&host, stage, 0);
    assert_string_equal(records, "");
    free(records);
    zn_stage_exec_destroy(&stage);
}

/* What stands behind the taker gets its end: the last window, the count. The stage works again. */
static void test_take_ends_operators_behind_it(void **state) {
    (void)state;
    static const char *const ops[] = { "window",    "{\"n\":2}", "take_per_shard",
                                       "{\"n\":3}", "window",    "{\"n\":2}",
                                       NULL };
    zn_stage_exec *stage = open_range(100, 1, ops);
    for (int i = 0; i < 2; i++) {
        char *records = fake_run(&host, stage, 0);
        assert_string_equal(records, "[[0,1],[2,3]]\n[[4,5]]\n");
        free(records);
    }
    zn_stage_exec_destroy(&stage);
    static const char *const count[] = { "take_per_shard", "{\"n\":7}", "count_shard", "{}", NULL };
    expect_range(100, count, "7\n");
}

/* A second taker may have had enough before or after the first, or at the end of the shard. */
static void test_take_twice(void **state) {
    (void)state;
    static const char *const less[] = { "take_per_shard", "{\"n\":5}", "take_per_shard",
                                        "{\"n\":2}", NULL };
    static const char *const more[] = { "take_per_shard", "{\"n\":2}", "take_per_shard",
                                        "{\"n\":5}", NULL };
    static const char *const late[] = { "take_per_shard", "{\"n\":3}",      "window",
                                        "{\"n\":2}",      "take_per_shard", "{\"n\":2}",
                                        "window",         "{\"n\":5}",      NULL };
    static const char *const none[] = {
        "take_per_shard", "{\"n\":0}", "take_per_shard", "{\"n\":0}", "count_shard", "{}", NULL
    };
    expect_range(9, less, "0\n1\n");
    expect_range(9, more, "0\n1\n");
    expect_range(9, late, "[[0,1],[2]]\n");
    expect_range(9, none, "0\n");
}

/* The file of a sink is whole, whatever is taken of its paths. */
static void test_take_behind_sink_writes_all(void **state) {
    (void)state;
    char *path = fake_host_path(&host, "out-{shard}.jsonl");
    char args[512];
    snprintf(args, sizeof args, "{\"pattern\":\"%s\"}", path);
    free(path);
    const char *const ops[] = { "write_jsonl", args, "take_per_shard", "{\"n\":0}", NULL };
    expect_range(3, ops, "");
    char *text = fake_host_read(&host, "out-0.jsonl");
    assert_string_equal(text, "0\n1\n2\n");
    free(text);
}

/* An attempt that is cancelled while it has had enough gives no outcome. */
static void test_take_cancelled_has_no_outcome(void **state) {
    (void)state;
    static const char *const ops[] = { "take_per_shard", "{\"n\":2}", NULL };
    zn_stage_exec *stage = open_range(9, 1, ops);
    zn_outcome outcome;
    host.cancel_after = 3; /* the start and two records */
    assert_false(zn_stage_exec_run(stage, 0, 1, &outcome));
    host.cancel_after = UINT64_MAX;
    zn_stage_exec_destroy(&stage);
}

/* Lists of n, the last of a shard may be shorter, an empty shard has none. */
static void test_window_makes_lists(void **state) {
    (void)state;
    static const char *const three[] = { "window", "{\"n\":3}", NULL };
    static const char *const one[] = { "window", "{\"n\":1}", NULL };
    static const char *const many[] = { "window", "{\"n\":4294967295}", NULL };
    expect_range(7, three, "[0,1,2]\n[3,4,5]\n[6]\n");
    expect_range(6, three, "[0,1,2]\n[3,4,5]\n");
    expect_range(0, three, "");
    expect_range(2, one, "[0]\n[1]\n");
    expect_range(2, many, "[0,1]\n");
}

/* Windows do not reach from one shard into the next. */
static void test_window_ends_with_shard(void **state) {
    (void)state;
    expect_records("[1,2,3]", 3, "window", "{\"n\":2}", "[1]\n[2]\n[3]\n");
}

/* A window is a record, which may not be nested too deep. */
static void test_window_too_deep_is_error(void **state) {
    (void)state;
    fake_body body = fake_body_of(&host, 1);
    fake_body_source(&body, "from_list", "{}", "[1]");
    fake_body_op(&body, "window", "{\"n\":1}");
    for (unsigned i = 0; i < ZN_RECORD_DEPTH_MAX + 1; i++) {
        fake_body_op(&body, "window", "{\"n\":1}");
    }
    zonda_error error = { 0 };
    zn_stage_exec *stage = fake_body_open(&body, &error);
    assert_ok(error.code, error);
    error = fake_run_failing(stage, 0, 1);
    assert_true(error.permanent);
    assert_string_equal(error.op, "window");
    zn_stage_exec_destroy(&stage);
}

/* Goes on while the sum of the window stays below 10; the state is the sum. */
static zonda_err call_below_ten(zonda_task *task, const msgpack_object *args, size_t arg_count,
                                msgpack_packer *out) {
    (void)task;
    assert_int_equal(arg_count, 2);
    uint64_t sum = args[0].via.u64 + args[1].via.u64;
    if (sum < 10) {
        msgpack_pack_true(out);
    } else {
        msgpack_pack_false(out);
    }
    msgpack_pack_uint64(out, sum);
    return ZONDA_OK;
}

static zonda_err call_one_value(zonda_task *task, const msgpack_object *args, size_t arg_count,
                                msgpack_packer *out) {
    (void)task;
    (void)args;
    (void)arg_count;
    msgpack_pack_true(out);
    return ZONDA_OK;
}

/* A record that does not fit opens the next window, whose state begins at init with it. */
static void test_window_by_begins_again_at_init(void **state) {
    (void)state;
    static const char *const sums[] = {
        "window_by", "{\"function\":{\"kind\":\"c\",\"name\":\"below_ten\"},\"init\":0}", NULL
    };
    expect_range(8, sums, "[0,1,2,3]\n[4,5]\n[6]\n[7]\n");
    expect_range(14, sums, "[0,1,2,3]\n[4,5]\n[6]\n[7]\n[8]\n[9]\n[10]\n[11]\n[12]\n[13]\n");
    expect_range(0, sums, "");
    static const char *const late[] = {
        "window_by", "{\"function\":{\"kind\":\"c\",\"name\":\"below_ten\"},\"init\":7}", NULL
    };
    expect_range(5, late, "[0,1]\n[2]\n[3]\n[4]\n");
}

/* Whether to go on without a next state is not an answer. */
static void test_window_by_needs_two_values(void **state) {
    (void)state;
    static const char *const ops[] = {
        "window_by", "{\"function\":{\"kind\":\"c\",\"name\":\"one_value\"},\"init\":0}", NULL
    };
    zn_stage_exec *stage = open_range(3, 1, ops);
    zonda_error error = fake_run_failing(stage, 0, 1);
    assert_err(error.code, USER);
    assert_string_equal(error.op, "window_by");
    zn_stage_exec_destroy(&stage);
}

static uint64_t count_sample(const char *args, uint64_t shard) {
    const char *const ops[] = { "sample", args, "count_shard", "{}", NULL };
    zn_stage_exec *stage = open_range(20000, 2, ops);
    char *records = fake_run(&host, stage, shard);
    uint64_t count = strtoull(records, NULL, 10);
    free(records);
    zn_stage_exec_destroy(&stage);
    return count;
}

/* About the asked part is kept; all of it and nothing of it are exact. */
static void test_sample_keeps_about_p(void **state) {
    (void)state;
    assert_int_equal(count_sample("{\"p\":0}", 0), 0);
    assert_int_equal(count_sample("{\"p\":1}", 0), 10000);
    assert_int_equal(count_sample("{\"p\":1.0}", 1), 10000);
    assert_in_range(count_sample("{\"p\":0.3}", 0), 2800, 3200);
    assert_in_range(count_sample("{\"p\":0.3}", 1), 2800, 3200);
}

/* The choice is a function of seed, shard and position: these very records, for ever. */
static void test_sample_is_the_same_for_ever(void **state) {
    (void)state;
    static const char *const ops[] = { "sample", "{\"p\":0.25,\"seed\":7}", NULL };
    zn_stage_exec *stage = open_range(40, 2, ops);
    char *first = fake_run(&host, stage, 0);
    char *second = fake_run(&host, stage, 1);
    char *again = fake_run(&host, stage, 0);
    assert_string_equal(first, again);
    assert_string_not_equal(first, second);
    assert_string_equal(first, "4\n7\n12\n16\n");
    assert_string_equal(second, "23\n26\n31\n36\n37\n38\n39\n");
    free(first);
    free(second);
    free(again);
    zn_stage_exec_destroy(&stage);
    assert_int_not_equal(count_sample("{\"p\":0.5,\"seed\":1}", 0),
                         count_sample("{\"p\":0.5,\"seed\":2}", 0));
}

int main(void) {
    zonda_error error = { 0 };
    zonda_register("below_ten", &(zonda_function){ .call = call_below_ten }, &error);
    zonda_register("one_value", &(zonda_function){ .call = call_one_value }, &error);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_select_finds_names_as_it_finds_paths, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_drop_leaves_other_fields_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_drop_path_goes_into_maps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_drop_overlapping_paths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rename_keeps_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rename_clash_is_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fields_of_other_types_are_errors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_take_gives_first_of_each_shard, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_take_stops_source, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_take_nothing_opens_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_take_ends_operators_behind_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_take_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_take_behind_sink_writes_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_take_cancelled_has_no_outcome, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_window_makes_lists, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_window_ends_with_shard, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_window_too_deep_is_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_window_by_begins_again_at_init, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_window_by_needs_two_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sample_keeps_about_p, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sample_is_the_same_for_ever, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
