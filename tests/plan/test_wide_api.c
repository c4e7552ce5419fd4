/* SPDX-License-Identifier: MPL-2.0 */
/* The public functions of wide operators: what they write as arguments, and what they refuse. */
#include "plan_test.h"

#include <zonda/wide.h>

#include "record/json.h"

/* Consumes the dataset. */
static void expect_args(zonda_dataset *dataset, const char *op, const char *json) {
    zonda_error error = { 0 };
    zn_buf text = { 0 };
    assert_ok(dataset->error.code, dataset->error);
    assert_string_equal(dataset->op->name, op);
    assert_int_equal(zn_json_write(zn_buf_bytes(&dataset->args), &text, &error), ZONDA_OK);
    zn_buf_append_byte(&text, 0);
    assert_string_equal((const char *)text.data, json);
    zn_buf_free(&text);
    zonda_dataset_destroy(&dataset);
}

static void expect_refused(zonda_dataset *dataset, const char *code, const char *words) {
    zonda_error error = bad_plan_of(dataset);
    assert_string_equal(zonda_err_name(error.code), code);
    if (strstr(error.text, words) == NULL) {
        fail_msg("\"%s\" does not have \"%s\"", error.text, words);
    }
}

static const char *const two_names[] = { "a", "b.c" };

/* A key is a text, a list of texts or a function. */
static void test_wide_api_keys_of_all_kinds(void **state) {
    (void)state;
    expect_args(zonda_sort(one_two_three(), zonda_field("a.b"), NULL), "sort", "{\"by\":\"a.b\"}");
    expect_args(zonda_sort(one_two_three(), zonda_fields(2, two_names), NULL), "sort",
                "{\"by\":[\"a\",\"b.c\"]}");
    expect_args(zonda_sort(one_two_three(), zonda_key_fn(zonda_fn("f")), NULL), "sort",
                "{\"by\":{\"kind\":\"c\",\"name\":\"f\"}}");
}

/* What is not given is left out, so that plans without options stay as they are. */
static void test_wide_api_options_become_arguments(void **state) {
    (void)state;
    expect_args(zonda_group_by(one_two_three(), zonda_field("a"), zonda_fn("f"), NULL), "group_by",
                "{\"key\":\"a\",\"reduce\":{\"kind\":\"c\",\"name\":\"f\"}}");
    zonda_group_by_options options = { 0 };
    expect_args(zonda_group_by(one_two_three(), zonda_field("a"), zonda_fn("f"), &options),
                "group_by", "{\"key\":\"a\",\"reduce\":{\"kind\":\"c\",\"name\":\"f\"}}");
    options = (zonda_group_by_options){ .sort_by = zonda_fields(2, two_names),
                                        .descending = true,
                                        .combine = zonda_fn("g"),
                                        .shards = 7 };
    expect_args(zonda_group_by(one_two_three(), zonda_field("a"), zonda_fn("f"), &options),
                "group_by",
                "{\"key\":\"a\",\"reduce\":{\"kind\":\"c\",\"name\":\"f\"},"
                "\"sort_by\":[\"a\",\"b.c\"],\"descending\":true,"
                "\"combine\":{\"kind\":\"c\",\"name\":\"g\"},\"shards\":7}");
    expect_args(zonda_sort(one_two_three(), zonda_field("a"),
                           &(zonda_sort_options){ .descending = true, .shards = 2 }),
                "sort", "{\"by\":\"a\",\"descending\":true,\"shards\":2}");
    expect_args(zonda_deduplicate(one_two_three(), zonda_field("a"),
                                  &(zonda_deduplicate_options){ .shards = 3 }),
                "deduplicate", "{\"key\":\"a\",\"shards\":3}");
    expect_args(zonda_reshard(one_two_three(), 5), "reshard", "{\"n\":5}");
}

static void test_wide_api_bad_arguments_are_kept(void **state) {
    (void)state;
    static const char *const hole[] = { "a", NULL };
    zonda_key none = { 0 };
    expect_refused(zonda_sort(one_two_three(), none, NULL), "INVALID", "argument by is NULL");
    expect_refused(zonda_sort(one_two_three(), zonda_field("\xff"), NULL), "INVALID", "UTF-8");
    expect_refused(zonda_sort(one_two_three(), zonda_fields(2, hole), NULL), "INVALID", "NULL");
    expect_refused(zonda_sort(one_two_three(), zonda_fields(0, hole), NULL), "PLAN", "empty array");
    expect_refused(zonda_sort(NULL, zonda_field("a"), NULL), "INVALID", "NULL for a dataset");
    expect_refused(zonda_group_by(one_two_three(), zonda_field("a"), zonda_fn(NULL), NULL),
                   "INVALID", "argument reduce");
    expect_refused(zonda_reshard(one_two_three(), 0), "PLAN", "at least 1");
    expect_refused(zonda_sort(one_two_three(), zonda_field("a"),
                              &(zonda_sort_options){ .shards = UINT64_MAX }),
                   "PLAN", "at most");
    expect_refused(zonda_group_by(one_two_three(), zonda_field("a"), zonda_fn("f"),
                                  &(zonda_group_by_options){ .descending = true }),
                   "PLAN", "sort_by");
}

/* The first error of a chain is the one that is told. */
static void test_wide_api_earlier_error_comes_first(void **state) {
    (void)state;
    zonda_key none = { 0 };
    zonda_dataset *bad = zonda_reshard(one_two_three(), 0);
    expect_refused(zonda_sort(bad, none, NULL), "PLAN", "reshard");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wide_api_keys_of_all_kinds),
        cmocka_unit_test(test_wide_api_options_become_arguments),
        cmocka_unit_test(test_wide_api_bad_arguments_are_kept),
        cmocka_unit_test(test_wide_api_earlier_error_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
