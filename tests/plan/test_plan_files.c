/* SPDX-License-Identifier: MPL-2.0 */
/* Files of a plan: what is cut and where, where kept records go, and when a huge file is noticed.
 */
#include "plan_test.h"

#include <zonda/log.h>

/* The plan's description, which shows arguments and inputs; the caller frees. */
static char *text_of(const char *glob, const zonda_read_options *options, uint64_t *tasks) {
    zn_plan *plan = good_plan_of(zonda_read(glob, options));
    zn_buf text = { 0 };
    zn_plan_print(plan, &text);
    zn_buf_append_byte(&text, 0);
    *tasks = plan->stages[0].task_count;
    zn_plan_destroy(&plan);
    return (char *)text.data;
}

static void expect_plan(const char *glob, const zonda_read_options *options, uint64_t tasks,
                        const char *part) {
    uint64_t got = 0;
    char *text = text_of(glob, options, &got);
    assert_int_equal(got, tasks);
    if (strstr(text, part) == NULL) {
        fail_msg("no %s in %s", part, text);
    }
    free(text);
}

/* Files of 1000 bytes: lines are cut at any byte, CSV where records begin, others not at all. */
static void test_plan_files_split_table(void **state) {
    (void)state;
    zonda_read_options split = { .split_bytes = 400 };
    expect_plan(
        "*.jsonl", &split, 9,
        "inputs: 9: {\"path\":\"data/a.jsonl\",\"offset\":0,\"length\":400,\"aligned\":false}, "
        "{\"path\":\"data/a.jsonl\",\"offset\":400,\"length\":400,\"aligned\":false}, "
        "{\"path\":\"data/a.jsonl\",\"offset\":800,\"length\":200,\"aligned\":false}, …");
    expect_plan("*.csv", &split, 9,
                "{\"path\":\"data/a.csv\",\"offset\":0,\"length\":401,\"aligned\":true}, "
                "{\"path\":\"data/a.csv\",\"offset\":401,\"length\":400,\"aligned\":true}, "
                "{\"path\":\"data/a.csv\",\"offset\":801,\"length\":199,\"aligned\":true}, …");
    expect_plan("*.jsonl.gz", &split, 3, "inputs: 3: \"data/a.jsonl.gz\"");
    expect_plan("*.msgpack", &split, 3, "inputs: 3: \"data/a.msgpack\"");
    split.split_bytes = 1000;
    expect_plan("*.txt", &split, 3, "inputs: 3: \"data/a.txt\"");
    split.split_bytes = 999;
    expect_plan("*.txt", &split, 6, "\"offset\":999,\"length\":1,");
}

/* A size that cannot be looked up, and more shards than there may be, are errors of the plan. */
static void test_plan_files_split_failures(void **state) {
    (void)state;
    zonda_read_options split = { .split_bytes = 1 };
    zonda_error error = bad_plan_of(zonda_read("*gone.txt", &split));
    assert_err(error.code, IO);
    error = bad_plan_of(zonda_read("*gone.csv", &split));
    assert_err(error.code, IO);
}

/* Kept records go to the current folder of the driver unless another is given. */
static void test_plan_files_bad_records_folder_is_absolute(void **state) {
    (void)state;
    zonda_read_options options = { .on_bad_record = "keep" };
    expect_plan("*.txt", &options, 3, "bad_records=\"/the/folder/bad-records\"");
    options.bad_records = "elsewhere";
    expect_plan("*.txt", &options, 3, "bad_records=\"/the/folder/elsewhere\"");
    options.bad_records = "/root/of/all";
    expect_plan("*.txt", &options, 3, "bad_records=\"/root/of/all\"");
}

static void count_huge(zonda_log_level level, const char *id, const char *text, void *context) {
    assert_int_equal(level, ZONDA_LOG_WARN);
    assert_string_equal(id, "one-huge-shard");
    assert_non_null(strstr(text, "data/a"));
    ++*(int *)context;
}

static zonda_err one_huge(const char *path, uint64_t *out, zonda_error *error) {
    (void)error;
    *out = strstr(path, "/a") != NULL ? UINT64_C(1) << 30 : 1000;
    return ZONDA_OK;
}

static int warnings_of(const char *glob, const zonda_read_options *options,
                       const zn_plan_files *files) {
    int warnings = 0;
    zonda_error error = { 0 };
    zonda_dataset *dataset = zonda_read(glob, options);
    zonda_log_set(count_huge, ZONDA_LOG_WARN, &warnings);
    zn_plan *plan = zn_plan_new(dataset, NULL, 0, files, &error);
    zonda_log_set(NULL, ZONDA_LOG_ERROR, NULL);
    assert_non_null(plan);
    zn_plan_destroy(&plan);
    zonda_dataset_destroy(&dataset);
    return warnings;
}

/* One huge file that could be cut earns a warning; equal ones, or one that cannot be cut, do not.
 */
static void test_plan_files_one_huge_earns_a_warning(void **state) {
    (void)state;
    zn_plan_files files = fake_files;
    zonda_read_options split = { .split_bytes = UINT64_C(1) << 29 };
    files.size = one_huge;
    assert_int_equal(warnings_of("*.txt", NULL, &files), 1);
    assert_int_equal(warnings_of("*.txt", &split, &files), 0);
    assert_int_equal(warnings_of("*.txt.gz", NULL, &files), 0);
    assert_int_equal(warnings_of("*.bin", NULL, &files), 0);
    assert_int_equal(warnings_of("*huge.txt", NULL, &fake_files), 0);
    assert_int_equal(warnings_of("*.txt", NULL, &fake_files), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_files_split_table),
        cmocka_unit_test(test_plan_files_split_failures),
        cmocka_unit_test(test_plan_files_bad_records_folder_is_absolute),
        cmocka_unit_test(test_plan_files_one_huge_earns_a_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
