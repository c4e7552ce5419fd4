/* SPDX-License-Identifier: MPL-2.0 */
/* The operator table, argument checks and formats. */
#include "test.h"

#include "fake_host.h"

#include "ops/format.h"
#include "ops/op_table.h"
#include "ops/sink_args.h"
#include "store/stream.h"

static zonda_err check(const char *op, const char *args, zonda_error *error) {
    const zn_op_def *def = zn_op_find(zn_bytes_of_text(op));
    assert_non_null(def);
    zn_buf map = { 0 };
    fake_json(args, &map);
    zonda_err err = zn_op_check_args(def, zn_buf_bytes(&map), error);
    zn_buf_free(&map);
    return err;
}

static void expect_plan(const char *op, const char *args, const char *text) {
    zonda_error error = { 0 };
    assert_err(check(op, args, &error), PLAN);
    assert_string_equal(error.text, text);
}

/* Every entry is complete and found under its own name. */
static void test_op_table_entries_are_complete(void **state) {
    (void)state;
    size_t count = 0;
    const zn_op_def *const *table = zn_op_table(&count);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(zn_op_find(zn_bytes_of_text(table[i]->name)), table[i]);
        assert_true(strlen(table[i]->doc) > 0);
        for (size_t j = 0; j < table[i]->arg_count; j++) {
            const zn_arg_def *arg = &table[i]->args[j];
            assert_true(strlen(arg->doc) > 0);
            assert_ptr_equal(zn_op_arg(table[i], zn_bytes_of_text(arg->name)), arg);
        }
    }
}

/* The command line writes dashes. */
static void test_op_table_dashes_are_underscores(void **state) {
    (void)state;
    assert_string_equal(zn_op_find(zn_bytes_of_text("flat-map"))->name, "flat_map");
    assert_null(zn_op_find(zn_bytes_of_text("flat")));
    assert_null(zn_op_find(zn_bytes_of_text("flat_map_")));
    assert_null(zn_op_find(zn_bytes_of_text("")));
}

/* A user learns what there is, and never gets an inner operator. */
static void test_op_table_unknown_name_lists_operators(void **state) {
    (void)state;
    zonda_error error = { 0 };
    assert_null(zn_op_find_user(zn_bytes_of_text("fliter"), &error));
    assert_err(error.code, PLAN);
    static const char start[] =
        "there is no operator \"fliter\"; there are: from_list, from_range, ";
    assert_memory_equal(error.text, start, sizeof start - 1);
    assert_non_null(strstr(error.text, ", filter, "));
    assert_null(strstr(error.text, "count_shard"));
    assert_null(zn_op_find_user(zn_bytes_of_text("count_shard"), &error));
    assert_non_null(zn_op_find_user(zn_bytes_of_text("count"), &error));
}

/* Counts, chances and pairs of names have their ranges, and the error says what is wrong. */
static void test_op_args_of_narrow_operators_are_checked(void **state) {
    (void)state;
    expect_plan("window", "{\"n\":0}", "argument \"n\" of window must be at least 1; it is 0");
    expect_plan("window", "{\"n\":-1}", "argument \"n\" of window must not be negative; it is -1");
    expect_plan("window", "{\"n\":2.5}", "argument \"n\" of window must be an integer, not number");
    expect_plan("window", "{}",
                "window needs the argument \"n\" (how many records are in a window)");
    expect_plan("take_per_shard", "{\"n\":9223372036854775808}",
                "argument \"n\" of take_per_shard must be at most 9223372036854775807; it is "
                "9223372036854775808");
    expect_plan("sample", "{\"p\":1.5}", "argument \"p\" of sample must be from 0 to 1; it is 1.5");
    expect_plan("sample", "{\"p\":-1}", "argument \"p\" of sample must be from 0 to 1; it is -1");
    expect_plan("sample", "{\"p\":\"half\"}",
                "argument \"p\" of sample must be a number, not string");
    expect_plan(
        "rename", "{\"fields\":{}}",
        "argument \"fields\" of rename must be a map of at least one text to a text, not map");
    expect_plan("rename", "{\"fields\":{\"a\":1}}",
                "argument \"fields\" of rename must be a map of texts to texts, without NUL, not "
                "integer");
    expect_plan("rename", "{\"fields\":{\"x\":\"a\",\"y\":\"a\"}}",
                "argument \"fields\" of rename names \"a\" twice");
    expect_plan("rename", "{\"fields\":[\"a\"]}",
                "argument \"fields\" of rename must be a map of at least one text to a text, not "
                "array");
}

/* What is right passes. */
static void test_op_args_valid_pass(void **state) {
    (void)state;
    zonda_error error = { 0 };
    assert_ok(check("from_range", "{\"n\":10,\"shards\":3}", &error), error);
    assert_ok(check("from_range", "{\"n\":9223372036854775807}", &error), error);
    assert_ok(check("from_list", "{\"items\":[]}", &error), error);
    assert_ok(check("read", "{\"glob\":\"*\",\"empty_ok\":true}", &error), error);
    assert_ok(check("select", "{\"fields\":[\"a\",\"b.c\"]}", &error), error);
    assert_ok(check("rename", "{\"fields\":{\"a\":\"b\",\"b\":\"a\"}}", &error), error);
    assert_ok(check("sample", "{\"p\":0.5,\"seed\":1}", &error), error);
    assert_ok(check("sample", "{\"p\":1}", &error), error);
    assert_ok(check("take_per_shard", "{\"n\":0}", &error), error);
    assert_ok(check("window", "{\"n\":1}", &error), error);
    assert_ok(check("map", "{\"function\":{\"kind\":\"c\",\"name\":\"f\"}}", &error), error);
    assert_ok(check("count", "{}", &error), error);
    assert_ok(check("write", "{\"pattern\":\"x\",\"level\":22}", &error), error);
    assert_ok(check("reduce",
                    "{\"local\":{\"kind\":\"lua-expression\",\"text\":\"a\"},\"identity\":null}",
                    &error),
              error);
}

/* Names, presence, types and ranges are each reported with what is wanted. */
static void test_op_args_wrong_are_plan_errors(void **state) {
    (void)state;
    expect_plan("read", "{\"glob\":\"*\",\"fromat\":\"text\"}",
                "read has no argument \"fromat\"; it has: glob, format, empty_ok, "
                "include_paths, split_bytes, on_bad_record, bad_records, record_bytes_max");
    expect_plan("count", "{\"n\":1}", "count has no argument \"n\"; it has: none");
    expect_plan("from_range", "{}", "from_range needs the argument \"n\" (how many numbers)");
    expect_plan("from_range", "{\"n\":\"7\"}",
                "argument \"n\" of from_range must be an integer, not string");
    expect_plan("from_range", "{\"n\":1.5}",
                "argument \"n\" of from_range must be an integer, not number");
    expect_plan("from_range", "{\"n\":-1}",
                "argument \"n\" of from_range must not be negative; it is -1");
    expect_plan("from_range", "{\"n\":18446744073709551615}",
                "argument \"n\" of from_range must be at most 9223372036854775807; it is "
                "18446744073709551615");
    expect_plan("write", "{\"pattern\":\"x\",\"level\":23}",
                "argument \"level\" of write must be at most 22; it is 23");
    expect_plan("write", "{\"pattern\":\"\"}",
                "argument \"pattern\" of write must be a text without NUL, not an empty string");
    expect_plan("read", "{\"glob\":\"*\",\"empty_ok\":1}",
                "argument \"empty_ok\" of read must be true or false, not integer");
    expect_plan(
        "select", "{\"fields\":[]}",
        "argument \"fields\" of select must be a list of at least one text, not an empty array");
    expect_plan("select", "{\"fields\":[1]}",
                "argument \"fields\" of select must be a list of texts without NUL, not integer");
    expect_plan("read", "{\"glob\":\"*\",\"include_paths\":1}",
                "argument \"include_paths\" of read must be true, false or a text without NUL, not "
                "integer");
    expect_plan(
        "read", "{\"glob\":\"*\",\"on_bad_record\":\"ski\"}",
        "argument \"on_bad_record\" of read must be one of fail, skip, keep; it is \"ski\"");
    expect_plan("read", "{\"glob\":\"*\",\"on_bad_record\":\"skip, keep\"}",
                "argument \"on_bad_record\" of read must be one of fail, skip, keep; it is \"skip, "
                "keep\"");
    expect_plan("read", "{\"glob\":\"*\",\"split_bytes\":-5}",
                "argument \"split_bytes\" of read must not be negative; it is -5");
    expect_plan("map", "{\"function\":{\"kind\":\"python\"}}",
                "argument \"function\" of map must be a function, not map");
    expect_plan("map", "[]", "the arguments of map must be a map, not array");
}

/* A repeated name is refused: which one would win? */
static void test_op_args_repeated_name_is_refused(void **state) {
    (void)state;
    static const uint8_t twice[] = { 0x82, 0xa1, 'n', 1, 0xa1, 'n', 2 };
    zonda_error error = { 0 };
    const zn_op_def *range = zn_op_find(zn_bytes_of_text("from_range"));
    assert_err(zn_op_check_args(range, (zn_bytes){ twice, sizeof twice }, &error), PLAN);
    assert_string_equal(error.text, "argument \"n\" of from_range is given twice");
}

static void expect_format(const char *path, const char *given, const char *expected) {
    zonda_error error = { 0 };
    const char *format = NULL;
    assert_ok(zn_read_format(path, zn_bytes_of_text(given), &format, &error), error);
    assert_string_equal(format, expected);
}

/* The suffix under the compression decides, an explicit format wins. */
static void test_format_by_suffix_and_explicit(void **state) {
    (void)state;
    expect_format("a.jsonl", "", "jsonl");
    expect_format("a.b/c.ndjson.gz", "", "jsonl");
    expect_format("a.txt.zst", "", "text");
    expect_format("a.log.zstd", "", "text");
    expect_format("a.text", "", "text");
    expect_format("a.jsonl", "text", "text");
    expect_format("whatever", "jsonl", "jsonl");
    expect_format("a.msgpack", "", "msgpack");
    expect_format("a.mp.gz", "", "msgpack");
    expect_format("a.csv.zst", "", "csv");
    expect_format("a.tsv", "", "tsv");
    expect_format("a.bin", "", "binary");
    expect_format("a.txt.gz", "csv", "csv");
    const char *format = NULL;
    zonda_error error = { 0 };
    assert_ok(zn_write_format("o/{shard}.jsonl.zst", &format, &error), error);
    assert_string_equal(format, "jsonl");
}

/* Unknown ones list what is known. */
static void test_format_unknown_lists_known(void **state) {
    (void)state;
    const char *format = NULL;
    zonda_error error = { 0 };
    zn_bytes none = { 0 };
    assert_err(zn_read_format("a.parquet", none, &format, &error), PLAN);
    assert_non_null(strstr(error.text, "a.parquet"));
    assert_non_null(strstr(error.text, ".jsonl .ndjson (jsonl), .txt .text .log (text)"));
    assert_err(zn_read_format(".jsonl", none, &format, &error), PLAN);
    assert_err(zn_read_format("a.jsonl", zn_bytes_of_text("xls"), &format, &error), PLAN);
    assert_string_equal(error.text, "there is no format \"xls\"; known: jsonl, text, msgpack, csv, "
                                    "tsv, binary");
    zonda_err err = zn_read_format("a.jsonl.xz", none, &format, &error);
    assert_int_equal(err, zn_compression_available(ZN_COMPRESSION_XZ) ? ZONDA_OK
                                                                      : ZONDA_ERR_UNSUPPORTED);
    assert_err(zn_write_format("o/{shard}.xyz", &format, &error), PLAN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_op_table_entries_are_complete),
        cmocka_unit_test(test_op_table_dashes_are_underscores),
        cmocka_unit_test(test_op_table_unknown_name_lists_operators),
        cmocka_unit_test(test_op_args_of_narrow_operators_are_checked),
        cmocka_unit_test(test_op_args_valid_pass),
        cmocka_unit_test(test_op_args_wrong_are_plan_errors),
        cmocka_unit_test(test_op_args_repeated_name_is_refused),
        cmocka_unit_test(test_format_by_suffix_and_explicit),
        cmocka_unit_test(test_format_unknown_lists_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
