/* SPDX-License-Identifier: MPL-2.0 */
#include "plan_test.h"

#include "base/limits.h"

static void expect_error(zonda_dataset *dataset, const char *code, const char *word) {
    assert_non_null(dataset);
    assert_string_equal(zonda_err_name(dataset->error.code), code);
    if (strstr(dataset->error.text, word) == NULL) {
        fail_msg("\"%s\" does not have \"%s\"", dataset->error.text, word);
    }
    zonda_dataset_destroy(&dataset);
    assert_null(dataset);
}

/* A shared dataset lives until its last handle is gone. */
static void test_dataset_shared_outlives_first_handle(void **state) {
    (void)state;
    zonda_dataset *base = one_two_three();
    zonda_dataset *again = zonda_dataset_share(base);
    zonda_dataset *counted = zonda_count(base);
    zonda_dataset_destroy(&counted);
    assert_int_equal(again->references, 1);
    assert_string_equal(again->op->name, "from_list");
    zonda_dataset_destroy(&again);
}

/* A chain of any length is freed without recursion. */
static void test_dataset_long_chain_is_freed(void **state) {
    (void)state;
    zonda_dataset *dataset = one_two_three();
    for (int i = 0; i < 200000; i++) {
        dataset = zonda_select(dataset, "a", NULL);
    }
    assert_int_equal(dataset->error.code, ZONDA_OK);
    zonda_dataset_destroy(&dataset);
}

/* The first error in a chain stays, whatever comes after it. */
static void test_dataset_first_error_is_kept(void **state) {
    (void)state;
    zonda_dataset *dataset = zonda_from_list(NULL, 3);
    dataset = zonda_map(dataset, zonda_fn(NULL));
    dataset = zonda_write(dataset, NULL, NULL);
    dataset = zonda_count(dataset);
    expect_error(dataset, "INVALID", "from_list got NULL");
}

/* The narrow operators get their arguments from C, and wrong ones are errors of the plan. */
static void test_dataset_narrow_operators_take_arguments(void **state) {
    (void)state;
    zonda_dataset *dataset = zonda_rename(one_two_three(), "new", "old", "b", "a", NULL);
    static const char pairs[] = "\x81\xa6"
                                "fields\x82\xa3new\xa3old\xa1"
                                "b\xa1"
                                "a";
    assert_int_equal(dataset->error.code, ZONDA_OK);
    assert_int_equal(dataset->args.len, sizeof pairs - 1);
    assert_memory_equal(dataset->args.data, pairs, sizeof pairs - 1);
    dataset = zonda_drop(dataset, "a", "b.c", NULL);
    dataset = zonda_take_per_shard(dataset, 0);
    dataset = zonda_window(dataset, 1);
    dataset = zonda_sample(dataset, 0.5, 7);
    assert_int_equal(dataset->error.code, ZONDA_OK);
    assert_string_equal(dataset->op->name, "sample");
    zonda_dataset_destroy(&dataset);
    expect_error(zonda_rename(one_two_three(), "new", NULL), "INVALID", "pairs");
    expect_error(zonda_rename(one_two_three(), "a", "b", "a", "c", NULL), "PLAN", "twice");
    expect_error(zonda_rename(one_two_three(), "\xff", "b", NULL), "INVALID", "UTF-8");
    expect_error(zonda_drop(one_two_three(), NULL), "PLAN", "fields");
    expect_error(zonda_window(one_two_three(), 0), "PLAN", "at least 1");
    expect_error(zonda_take_per_shard(one_two_three(), UINT64_C(1) << 63), "PLAN", "at most");
    expect_error(zonda_sample(one_two_three(), 1.01, 0), "PLAN", "from 0 to 1");
    expect_error(zonda_sample(one_two_three(), 0.0 / 0.0, 0), "PLAN", "from 0 to 1");
    expect_error(zonda_window(NULL, 1), "INVALID", "NULL");
}

/* What cannot be an argument is an error, not a crash. */
static void test_dataset_bad_arguments_are_errors(void **state) {
    (void)state;
    expect_error(zonda_from_list("\xc1", 1), "PROTOCOL", "item 0 of from_list");
    expect_error(zonda_from_list("\x01\x92\x01", 3), "PROTOCOL", "item 1 of from_list");
    expect_error(zonda_map(NULL, zonda_fn("f")), "INVALID", "NULL");
    expect_error(zonda_count(NULL), "INVALID", "NULL");
    expect_error(zonda_dataset_share(NULL), "INVALID", "NULL");
    expect_error(zonda_map(one_two_three(), (zonda_func){ 0 }), "INVALID", "function");
    expect_error(zonda_map(one_two_three(), zonda_fn("\xff")), "INVALID", "UTF-8");
    expect_error(zonda_map(one_two_three(), (zonda_func){ .kind = (zonda_func_kind)9, .text = "" }),
                 "INVALID", "unknown kind");
    expect_error(zonda_read(NULL, NULL), "INVALID", "glob");
    expect_error(zonda_select(one_two_three(), NULL), "PLAN", "fields");
    expect_error(zonda_select(one_two_three(), "a", "\xff", NULL), "INVALID", "field 2");
    expect_error(zonda_write(one_two_three(), "x.jsonl", &(zonda_write_options){ .level = -1 }),
                 "INVALID", "level");
    expect_error(zonda_write(one_two_three(), "x.jsonl", &(zonda_write_options){ .level = 99 }),
                 "PLAN", "level");
    expect_error(zonda_reduce(one_two_three(), zonda_fn("f"),
                              &(zonda_reduce_options){ .identity = "\xc1", .identity_bytes = 1 }),
                 "BAD_RECORD", "identity");
}

/* JSON items keep their order and types; what is no array is an error. */
static void test_dataset_from_json_reads_arrays(void **state) {
    (void)state;
    zonda_dataset *dataset = zonda_from_json("[1, \"a\", {\"b\": null}]");
    assert_ok(dataset->error.code, dataset->error);
    zn_bytes items = { 0 };
    assert_true(zn_value_field(zn_buf_bytes(&dataset->args), zn_bytes_of_text("items"), &items));
    assert_int_equal(items.len, 8);
    assert_memory_equal(items.data, "\x93\x01\xa1\x61\x81\xa1\x62\xc0", 8);
    zonda_dataset_destroy(&dataset);
    expect_error(zonda_from_json("{}"), "INVALID", "array");
    expect_error(zonda_from_json("[1"), "BAD_RECORD", "");
    expect_error(zonda_from_json(NULL), "INVALID", "NULL");
}

/* The generic way checks names, arguments and inputs. */
static void test_dataset_apply_checks_everything(void **state) {
    (void)state;
    zn_bytes none = { .data = (const uint8_t *)"\x80", .len = 1 };
    zonda_dataset *input = one_two_three();
    expect_error(zn_dataset_apply("cuont", none, &input, 1), "PLAN", "count");
    input = one_two_three();
    expect_error(zn_dataset_apply("count_total", none, &input, 1), "PLAN", "count_total");
    expect_error(zn_dataset_apply("count", none, NULL, 0), "PLAN", "1 dataset");
    input = one_two_three();
    expect_error(zn_dataset_apply("read", none, &input, 1), "PLAN", "0 dataset");
    zn_bytes unknown = { .data = (const uint8_t *)"\x81\xa1z\x01", .len = 4 };
    input = one_two_three();
    expect_error(zn_dataset_apply("count", unknown, &input, 1), "PLAN", "z");
}

#ifdef ZN_HAVE_LUA
/* Lua that does not compile is found when the chain is built. */
static void test_dataset_bad_lua_is_found(void **state) {
    (void)state;
    expect_error(zonda_map(one_two_three(), zonda_lua("r.a +")), "PLAN", "r.a +");
    expect_error(zonda_flat_map(one_two_three(), zonda_lua_block("for w in")), "PLAN", "for w in");
    zonda_reduce_options options = { .global = zonda_lua("a +* r") };
    expect_error(zonda_reduce(one_two_three(), zonda_lua("a + r"), &options), "PLAN", "a +* r");
}
#endif

/* NULL handles are nothing to free. */
static void test_dataset_destroy_of_null_is_fine(void **state) {
    (void)state;
    zonda_dataset *none = NULL;
    zonda_dataset_destroy(&none);
    zonda_dataset_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dataset_shared_outlives_first_handle),
        cmocka_unit_test(test_dataset_long_chain_is_freed),
        cmocka_unit_test(test_dataset_first_error_is_kept),
        cmocka_unit_test(test_dataset_narrow_operators_take_arguments),
        cmocka_unit_test(test_dataset_bad_arguments_are_errors),
        cmocka_unit_test(test_dataset_from_json_reads_arrays),
        cmocka_unit_test(test_dataset_apply_checks_everything),
#ifdef ZN_HAVE_LUA
        cmocka_unit_test(test_dataset_bad_lua_is_found),
#endif
        cmocka_unit_test(test_dataset_destroy_of_null_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
