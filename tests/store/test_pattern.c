/* SPDX-License-Identifier: MPL-2.0 */
/* Output patterns: tables of what they become and of what is refused when the plan is made. */
#include "test.h"

#include "store/pattern.h"

/* Every placeholder, width, brace and slash rule, rendered. */
static void test_pattern_path_table(void **state) {
    (void)state;
    static const struct {
        const char *pattern;
        uint64_t shard;
        uint64_t total;
        const char *path;
    } rows[] = {
        { "out.jsonl", 0, 1, "out.jsonl" },
        { "out/{shard}.txt", 7, 10, "out/7.txt" },
        { "{shard:05d}-of-{total:05d}", 7, 10, "00007-of-00010" },
        { "{shard:5d}|", 7, 10, "    7|" },
        { "{shard:d}", 7, 10, "7" },
        { "{shard:01d}", 123, 200, "123" },
        { "{basename}.gz", 3, 4, "shard_3.gz" },
        { "{{{shard}}}", 3, 4, "{3}" },
        { "{{shard}}{shard}", 3, 4, "{shard}3" },
        { "a//b///{shard}", 1, 2, "a/b/1" },
        { "//a/{shard}", 1, 2, "/a/1" },
        { "s3://bucket//a/{shard}", 1, 2, "s3://bucket/a/1" },
        { "file:///a//{shard}", 1, 2, "file:///a/1" },
        { "a b/\xC3\xA9'{shard}\"", 1, 2, "a b/\xC3\xA9'1\"" },
        { "{shard}", UINT64_MAX, UINT64_MAX, "18446744073709551615" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        zonda_error error = { 0 };
        assert_ok(zn_pattern_check(rows[i].pattern, rows[i].total, &error), error);
        char *path = zn_pattern_path(rows[i].pattern, rows[i].shard, rows[i].total);
        assert_string_equal(path, rows[i].path);
        free(path);
    }
}

/* What cannot be rendered, or would put several shards into one file, is PLAN with its reason. */
static void test_pattern_check_refuses_table(void **state) {
    (void)state;
    static const struct {
        const char *pattern;
        uint64_t shards;
        const char *reason;
    } rows[] = {
        { "", 1, "names no file" },
        { "out/", 1, "names no file" },
        { "out.jsonl", 2, "no {shard}" },
        { "out-{total}.jsonl", 2, "no {shard}" },
        { "{{shard}}", 2, "no {shard}" },
        { "{shards}", 1, "unknown placeholder '{shards}'" },
        { "{}", 1, "unknown placeholder '{}'" },
        { "{Shard}", 1, "unknown placeholder" },
        { "{shard:}", 1, "bad width" },
        { "{shard:5}", 1, "bad width" },
        { "{shard:5x}", 1, "bad width" },
        { "{shard:65d}", 1, "bad width" },
        { "{shard:99999999999999999999d}", 1, "bad width" },
        { "{shard:-5d}", 1, "bad width" },
        { "{basename:5d}", 1, "bad width" },
        { "{shard", 1, "unbalanced brace at byte 1" },
        { "a{", 1, "unbalanced brace at byte 2" },
        { "a}b", 1, "unbalanced brace at byte 2" },
        { "{sh{ard}}", 1, "unbalanced brace at byte 1" },
        { "{shard}}", 1, "unbalanced brace at byte 8" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        zonda_error error = { 0 };
        assert_err(zn_pattern_check(rows[i].pattern, rows[i].shards, &error), PLAN);
        if (strstr(error.text, rows[i].reason) == NULL) {
            fail_msg("'%s': %s", rows[i].pattern, error.text);
        }
    }
}

/* One shard needs no placeholder, no shard neither; {basename} tells shards apart. */
static void test_pattern_check_accepts_what_is_distinct(void **state) {
    (void)state;
    zonda_error error = { 0 };
    assert_ok(zn_pattern_check("out.jsonl", 1, &error), error);
    assert_ok(zn_pattern_check("out.jsonl", 0, &error), error);
    assert_ok(zn_pattern_check("{basename}.jsonl", 5, &error), error);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pattern_path_table),
        cmocka_unit_test(test_pattern_check_refuses_table),
        cmocka_unit_test(test_pattern_check_accepts_what_is_distinct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
