/* SPDX-License-Identifier: MPL-2.0 */
/* What expressions of aggregate may look like, and what is said about those that are wrong. */
#include "test.h"

#include "fake_host.h"
#include "ops/aggregate_expr.h"
#include "ops/op_table.h"
#include "record/value.h"

/* Reads one expression with the name "x". */
static zonda_err read_expr(const char *text, zn_buf *args, zn_aggregate *out, zonda_error *error) {
    args->len = 0;
    zn_put_map(args, 1);
    zn_put_text(args, "exprs");
    zn_put_map(args, 1);
    zn_put_text(args, "x");
    zn_put_text(args, text);
    return zn_aggregate_read(zn_buf_bytes(args), out, error);
}

static void expect_expr(const char *text, zn_aggregate_kind kind, const char *field, double q) {
    zonda_error error = { 0 };
    zn_buf args = { 0 };
    zn_aggregate aggregate;
    assert_ok(read_expr(text, &args, &aggregate, &error), error);
    assert_int_equal(aggregate.count, 1);
    assert_int_equal(aggregate.exprs[0].kind, kind);
    assert_true(zn_bytes_equal(aggregate.exprs[0].field, zn_bytes_of_text(field)));
    assert_true(aggregate.exprs[0].q == q);
    zn_aggregate_free(&aggregate);
    zn_buf_free(&args);
}

/* Names, paths and quoted fields, with or without spaces. */
static void test_aggregate_expr_reads_all_forms(void **state) {
    (void)state;
    expect_expr("count()", ZN_AGGREGATE_COUNT, "", 0);
    expect_expr(" count ( ) ", ZN_AGGREGATE_COUNT, "", 0);
    expect_expr("count(a)", ZN_AGGREGATE_COUNT, "a", 0);
    expect_expr("sum(size)", ZN_AGGREGATE_SUM, "size", 0);
    expect_expr("min( a.b )", ZN_AGGREGATE_MIN, "a.b", 0);
    expect_expr("max(installed-size)", ZN_AGGREGATE_MAX, "installed-size", 0);
    expect_expr("mean(a b)", ZN_AGGREGATE_MEAN, "a b", 0);
    expect_expr("first(\"a,b)\")", ZN_AGGREGATE_FIRST, "a,b)", 0);
    expect_expr("last( 'it\"s' )", ZN_AGGREGATE_LAST, "it\"s", 0);
    expect_expr("list(x)", ZN_AGGREGATE_LIST, "x", 0);
    expect_expr("distinct(\xc3\xa9)", ZN_AGGREGATE_DISTINCT, "\xc3\xa9", 0);
    expect_expr("quantile(a, 0.25)", ZN_AGGREGATE_QUANTILE, "a", 0.25);
    expect_expr("quantile( 'a,b' ,1 )", ZN_AGGREGATE_QUANTILE, "a,b", 1);
}

/* Every mistake is PLAN, with the text that is wrong. */
static void test_aggregate_expr_mistakes_name_the_text(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "",
        "sum",
        "sum(",
        "sum)",
        "sum()",
        "sum(a",
        "sum(a,b)",
        "sum(a))",
        "sum(a)b",
        "total(a)",
        "count(\"\")",
        "sum(\"a)",
        "sum('a'b)",
        "quantile(a)",
        "quantile(a, 2)",
        "quantile(a, -0.1)",
        "quantile(a, x)",
        "quantile(a, nan)",
        "quantile(, 1)",
        "quantile(a, 0.5, 1)",
        "SUM(a)",
        "sum(sum(a))",
        "min(a) + 1",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        zonda_error error = { 0 };
        zn_buf args = { 0 };
        zn_aggregate aggregate;
        zonda_err err = read_expr(wrong[i], &args, &aggregate, &error);
        if (err != ZONDA_ERR_PLAN || strstr(error.text, wrong[i]) == NULL) {
            fail_msg("%s: %s %s", wrong[i], zonda_err_name(err), error.text);
        }
        zn_buf_free(&args);
    }
}

static zonda_err check(const char *json, zonda_error *error) {
    zn_buf args = { 0 };
    fake_json(json, &args);
    zonda_err err =
        zn_op_check_args(zn_op_find(zn_bytes_of_text("aggregate")), zn_buf_bytes(&args), error);
    zn_buf_free(&args);
    return err;
}

/* The arguments as a whole: names once, no shards without a key. */
static void test_aggregate_arguments_are_checked(void **state) {
    (void)state;
    zonda_error error = { 0 };
    assert_ok(check("{\"exprs\":{\"n\":\"count()\",\"m\":\"count()\"},\"by\":[\"a\",\"b\"],"
                    "\"shards\":3}",
                    &error),
              error);
    assert_err(check("{\"exprs\":{\"n\":\"count()\"},\"shards\":3}", &error), PLAN);
    assert_non_null(strstr(error.text, "shards"));
    assert_err(check("{\"exprs\":{\"a\":\"count()\"},\"by\":\"a\"}", &error), PLAN);
    assert_non_null(strstr(error.text, "\"a\" twice"));
    assert_err(check("{\"exprs\":{\"n\":\"count()\"},\"by\":[\"a\",\"a\"]}", &error), PLAN);
    assert_err(
        check("{\"exprs\":{\"key\":\"count()\"},\"by\":{\"kind\":\"c\",\"name\":\"f\"}}", &error),
        PLAN);
    assert_err(check("{\"exprs\":{\"a\":\"count()\",\"a\":\"sum(x)\"}}", &error), PLAN);
    assert_err(check("{\"exprs\":{}}", &error), PLAN);
    assert_err(check("{\"exprs\":[\"count()\"]}", &error), PLAN);
    assert_err(check("{\"exprs\":{\"n\":1}}", &error), PLAN);
    assert_err(check("{\"exprs\":{\"\":\"count()\"}}", &error), PLAN);
    assert_err(check("{\"by\":\"a\"}", &error), PLAN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aggregate_expr_reads_all_forms),
        cmocka_unit_test(test_aggregate_expr_mistakes_name_the_text),
        cmocka_unit_test(test_aggregate_arguments_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
