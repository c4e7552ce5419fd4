/* SPDX-License-Identifier: MPL-2.0 */
#include "plan_test.h"

#include "base/limits.h"

static void expect_stage(const zn_plan *plan, size_t index, const char *name, uint64_t tasks) {
    assert_true(index < plan->stage_count);
    assert_string_equal(plan->stages[index].name, name);
    assert_int_equal(plan->stages[index].task_count, tasks);
    assert_non_null(zn_plan_find_blob(plan, plan->stages[index].body));
}

static void expect_code(zonda_dataset *dataset, const char *code, const char *word) {
    zonda_error error = bad_plan_of(dataset);
    assert_string_equal(zonda_err_name(error.code), code);
    if (strstr(error.text, word) == NULL) {
        fail_msg("\"%s\" does not have \"%s\"", error.text, word);
    }
}

/* Narrow operators and sinks share one stage with their source. */
static void test_plan_narrow_operators_fuse(void **state) {
    (void)state;
    zonda_dataset *dataset = zonda_read("data/*.jsonl", NULL);
    dataset = zonda_filter(dataset, zonda_fn("keep"));
    dataset = zonda_select(dataset, "a", "b", NULL);
    dataset = zonda_write(dataset, "out/{shard:05d}.jsonl.zst", NULL);
    zn_plan *plan = good_plan_of(dataset);
    assert_int_equal(plan->stage_count, 1);
    expect_stage(plan, 0, "read→filter→select→write_jsonl", 3);
    assert_int_equal(plan->blob_count, 3); /* the paths, the manifest and the body */
    zn_plan_destroy(&plan);
}

/* A list has a task for each item, and its items travel in one blob. */
static void test_plan_list_has_task_for_each_item(void **state) {
    (void)state;
    zn_plan *plan = good_plan_of(one_two_three());
    expect_stage(plan, 0, "from_list", 3);
    zn_bytes items = { .data = (const uint8_t *)"\x93\x01\x02\x03", .len = 4 };
    const zn_plan_blob *blob = zn_plan_find_blob(plan, zn_digest_of(items));
    assert_non_null(blob);
    assert_true(zn_bytes_equal(zn_buf_bytes(&blob->bytes), items));
    zn_plan_destroy(&plan);
}

/* The body is what slots will read: index, tasks, operators with their arguments, shared data. */
static void test_plan_body_has_documented_form(void **state) {
    (void)state;
    zn_plan *plan = good_plan_of(zonda_select(zonda_from_range(10, NULL), "a", NULL));
    const zn_plan_blob *body = zn_plan_find_blob(plan, plan->stages[0].body);
    static const char expected[] = "\x84\xa5stage\x00\xa5tasks\x0a\xa3ops\x92"
                                   "\x92\xaa"
                                   "from_range\x82\xa1n\x0a\xa6shards\x0a"
                                   "\x92\xa6select\x81\xa6"
                                   "fields\x91\xa1"
                                   "a"
                                   "\xa6shared\x80";
    assert_int_equal(body->bytes.len, sizeof expected - 1);
    assert_memory_equal(body->bytes.data, expected, sizeof expected - 1);
    zn_plan_destroy(&plan);
}

/* A range has as many shards as asked for, else up to 64, and none of nothing. */
static void test_plan_range_chooses_shards(void **state) {
    (void)state;
    static const struct {
        uint64_t n, shards, tasks;
    } cases[] = { { 0, 0, 0 },   { 0, 5, 0 },   { 1, 0, 1 },
                  { 64, 0, 64 }, { 65, 0, 64 }, { 1000000, 1000, 1000 },
                  { 3, 10, 10 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        zonda_range_options options = { .shards = cases[i].shards };
        zn_plan *plan = good_plan_of(zonda_from_range(cases[i].n, &options));
        assert_int_equal(plan->stages[0].task_count, cases[i].tasks);
        zn_plan_destroy(&plan);
    }
}

/* Folds end a stage and begin one of a single task; what follows joins that one. */
static void test_plan_folds_chain_stages(void **state) {
    (void)state;
    zonda_dataset *dataset = zonda_from_range(1000, &(zonda_range_options){ .shards = 8 });
    dataset = zonda_map(dataset, zonda_fn("f"));
    dataset = zonda_reduce(dataset, zonda_fn("add"), NULL);
    dataset = zonda_map(dataset, zonda_fn("g"));
    dataset = zonda_count(dataset);
    zn_plan *plan = good_plan_of(dataset);
    assert_int_equal(plan->stage_count, 3);
    expect_stage(plan, 0, "from_range→map→reduce", 8);
    expect_stage(plan, 1, "reduce→map→count", 1);
    expect_stage(plan, 2, "count", 1);
    zn_plan_destroy(&plan);
}

static zn_bytes op_args(const zn_plan *plan, size_t stage, size_t index) {
    const zn_plan_blob *body = zn_plan_find_blob(plan, plan->stages[stage].body);
    zn_bytes ops = { 0 };
    assert_true(zn_value_field(zn_buf_bytes(&body->bytes), zn_bytes_of_text("ops"), &ops));
    zn_cursor cursor = zn_cursor_of(ops);
    assert_true(index < zn_cursor_read(&cursor).count);
    for (size_t i = 0; i < index; i++) {
        zn_cursor_skip(&cursor);
    }
    zn_cursor_read(&cursor);
    zn_cursor_skip(&cursor);
    return zn_cursor_skip(&cursor);
}

/* The halves of a reduce get their own functions and the identity. */
static void test_plan_reduce_halves_get_functions(void **state) {
    (void)state;
    zonda_reduce_options options = { .global = zonda_fn("merge"),
                                     .identity = "\x07",
                                     .identity_bytes = 1 };
    zn_plan *plan = good_plan_of(zonda_reduce(one_two_three(), zonda_fn("add"), &options));
    zn_bytes name = { 0 };
    uint64_t identity = 0;
    assert_true(zn_value_path(op_args(plan, 0, 1), zn_bytes_of_text("function.name"), &name));
    assert_memory_equal(name.data,
                        "\xa3"
                        "add",
                        4);
    assert_true(zn_value_field_uint(op_args(plan, 0, 1), "identity", &identity));
    assert_int_equal(identity, 7);
    assert_true(zn_value_path(op_args(plan, 1, 1), zn_bytes_of_text("function.name"), &name));
    assert_memory_equal(name.data, "\xa5merge", 6);
    zn_plan_destroy(&plan);
}

/* A fold over nothing does not start a stage for it, and its own stage is told. */
static void test_plan_fold_over_nothing_is_told(void **state) {
    (void)state;
    zn_plan *plan = good_plan_of(zonda_count(zonda_from_list(NULL, 0)));
    expect_stage(plan, 0, "from_list→count", 0);
    expect_stage(plan, 1, "count", 1);
    bool empty = false;
    uint64_t stage = 9;
    assert_true(zn_value_field_bool(op_args(plan, 1, 0), "empty", &empty));
    assert_true(zn_value_field_uint(op_args(plan, 1, 0), "stage", &stage));
    assert_true(empty);
    assert_int_equal(stage, 0);
    zn_plan_destroy(&plan);
    plan = good_plan_of(zonda_count(one_two_three()));
    assert_false(zn_value_field_bool(op_args(plan, 1, 0), "empty", &empty));
    zn_plan_destroy(&plan);
}

/* The same dataset has the same fingerprint and bytes, any difference another one. */
static void test_plan_fingerprint_follows_content(void **state) {
    (void)state;
    zn_plan *one = good_plan_of(zonda_map(zonda_read("d/*.txt", NULL), zonda_fn("f")));
    zn_plan *same = good_plan_of(zonda_map(zonda_read("d/*.txt", NULL), zonda_fn("f")));
    assert_true(zn_digest_equal(one->fingerprint, same->fingerprint));
    assert_int_equal(one->blob_count, same->blob_count);
    for (size_t i = 0; i < one->blob_count; i++) {
        assert_true(zn_bytes_equal(zn_buf_bytes(&one->blobs[i].bytes),
                                   zn_buf_bytes(&same->blobs[i].bytes)));
    }
    zonda_dataset *others[] = {
        zonda_map(zonda_read("d/*.txt", NULL), zonda_fn("g")),
        zonda_map(zonda_read("d/*.jsonl", NULL), zonda_fn("f")),
        zonda_filter(zonda_read("d/*.txt", NULL), zonda_fn("f")),
        zonda_read("d/*.txt", NULL),
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        zn_plan *other = good_plan_of(others[i]);
        assert_false(zn_digest_equal(one->fingerprint, other->fingerprint));
        zn_plan_destroy(&other);
    }
    zn_plan_destroy(&one);
    zn_plan_destroy(&same);
}

/* The very bytes that are hashed are part of what other versions must be able to resume. */
static void test_plan_fingerprint_is_golden(void **state) {
    (void)state;
    char text[ZN_DIGEST_TEXT];
    zn_plan *plan = good_plan_of(zonda_count(one_two_three()));
    zn_digest_text(plan->fingerprint, text);
    assert_string_equal(text, "3d1ff1b9294557fe166d24dbf6472e72");
    zn_plan_destroy(&plan);
}

/* Shared data is part of every body, and equal values are one blob. */
static void test_plan_shared_data_is_deduplicated(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_bytes value = { .data = (const uint8_t *)"\xa3xyz", .len = 4 };
    zn_plan_shared shared[] = { { "a", value }, { "b", value } };
    zonda_dataset *dataset = zonda_count(one_two_three());
    zn_plan *plan = zn_plan_new(dataset, shared, 2, &fake_files, &error);
    zn_plan *without = zn_plan_new(dataset, NULL, 0, &fake_files, &error);
    zonda_dataset_destroy(&dataset);
    assert_int_equal(plan->blob_count, 4); /* items, value, two bodies */
    assert_non_null(zn_plan_find_blob(plan, zn_digest_of(value)));
    assert_false(zn_digest_equal(plan->fingerprint, without->fingerprint));
    zn_plan_destroy(&plan);
    zn_plan_destroy(&without);
}

/* A script travels once, however many operators have functions from it. */
static void test_plan_script_is_one_blob(void **state) {
    (void)state;
    zn_bytes script = { .data = (const uint8_t *)"\x80", .len = 1 };
    zn_buf args = { 0 };
    zn_put_map(&args, 1);
    zn_put_text(&args, "function");
    zn_put_map(&args, 3);
    zn_put_text(&args, "kind");
    zn_put_text(&args, "lua-script");
    zn_put_text(&args, "script");
    zn_digest digest = zn_digest_of(script);
    zn_put_binary(&args, zn_digest_bytes(&digest));
    zn_put_text(&args, "index");
    zn_put_uint(&args, 0);
    zonda_dataset *dataset = one_two_three();
    for (int i = 0; i < 3; i++) {
        dataset = zn_dataset_apply_script("map", zn_buf_bytes(&args), &dataset, 1, script);
    }
    zn_buf_free(&args);
    zn_plan *plan = good_plan_of(dataset);
    assert_int_equal(plan->blob_count, 3);
    assert_non_null(zn_plan_find_blob(plan, digest));
    zn_plan_destroy(&plan);
}

/* The name of a long stage is cut between characters and says so. */
static void test_plan_long_stage_name_is_cut(void **state) {
    (void)state;
    zonda_dataset *dataset = one_two_three();
    for (int i = 0; i < 100; i++) {
        dataset = zonda_select(dataset, "a", NULL);
    }
    zn_plan *plan = good_plan_of(dataset);
    const char *name = plan->stages[0].name;
    assert_true(strlen(name) <= ZN_NAME_BYTES_MAX);
    assert_true(strlen(name) > ZN_NAME_BYTES_MAX - 12);
    assert_string_equal(name + strlen(name) - 3, "…");
    assert_memory_equal(name, "from_list→select→", strlen("from_list→select→"));
    zn_plan_destroy(&plan);
}

/* Operators after a sink work on its paths, in the same stage. */
static void test_plan_goes_on_after_sink(void **state) {
    (void)state;
    zonda_dataset *dataset = zonda_write_text(one_two_three(), "o/{shard}.txt", NULL);
    zn_plan *plan = good_plan_of(zonda_count(zonda_map(dataset, zonda_fn("f"))));
    expect_stage(plan, 0, "from_list→write_text→map→count", 3);
    zn_plan_destroy(&plan);
}

/* No match is an empty dataset only where that was allowed. */
static void test_plan_no_match_needs_empty_ok(void **state) {
    (void)state;
    expect_code(zonda_read("none/*.jsonl", NULL), "NO_MATCH", "none/*.jsonl");
    expect_code(zonda_from_files("none/*", NULL), "NO_MATCH", "none/*");
    zn_plan *plan =
        good_plan_of(zonda_read("none/*.jsonl", &(zonda_read_options){ .empty_ok = true }));
    assert_int_equal(plan->stages[0].task_count, 0);
    zn_plan_destroy(&plan);
    plan = good_plan_of(zonda_from_files("none", &(zonda_files_options){ .empty_ok = true }));
    assert_int_equal(plan->stages[0].task_count, 0);
    zn_plan_destroy(&plan);
}

/* Everything that can be known to be wrong is an error of the plan. */
static void test_plan_errors_are_found(void **state) {
    (void)state;
    expect_code(zonda_read("d/*.parquet", NULL), "PLAN", "jsonl");
    expect_code(zonda_read("d/*.txt", &(zonda_read_options){ .format = "xml" }), "PLAN", "xml");
    expect_code(zonda_read("none/*.txt", &(zonda_read_options){ .format = "xml" }), "PLAN", "xml");
    expect_code(zonda_read("broken/*.txt", &(zonda_read_options){ .empty_ok = true }), "IO",
                "broken");
    expect_code(zonda_write(one_two_three(), "o/{shard}.xyz", NULL), "PLAN", "jsonl");
    expect_code(zonda_write_jsonl(one_two_three(), "o/all.jsonl", NULL), "PLAN", "{shard}");
    expect_code(zonda_write_jsonl(one_two_three(), "o/{shart}.jsonl", NULL), "PLAN", "shart");
    expect_code(zonda_from_range(2, &(zonda_range_options){ .shards = UINT64_MAX }), "PLAN",
                "shards");
    expect_code(zonda_map(zonda_from_list(NULL, 1), zonda_fn("f")), "INVALID", "NULL");
    zonda_error error = { 0 };
    assert_null(zn_plan_new(NULL, NULL, 0, &fake_files, &error));
    assert_err(error.code, INVALID);
    assert_null(zn_plan_new(NULL, NULL, 0, &fake_files, NULL));
}

/* One shard may go to a pattern without a number. */
static void test_plan_single_shard_needs_no_number(void **state) {
    (void)state;
    zonda_dataset *dataset = zonda_count(one_two_three());
    zn_plan *plan = good_plan_of(zonda_write(dataset, "count.jsonl", NULL));
    expect_stage(plan, 1, "count→write_jsonl", 1);
    zn_plan_destroy(&plan);
}

/* A job that would send more than a coordinator keeps is refused before anything is sent. */
static void test_plan_too_much_shared_data_is_refused(void **state) {
    (void)state;
    zonda_error error = { 0 };
    uint8_t byte = 0x01;
    zn_plan_shared shared = { "big", { .data = &byte, .len = (size_t)ZN_BLOB_BYTES_MAX + 1 } };
    zonda_dataset *dataset = one_two_three();
    assert_null(zn_plan_new(dataset, &shared, 1, &fake_files, &error));
    assert_err(error.code, LIMIT);
    assert_non_null(strstr(error.text, "shared data \"big\""));
    zonda_dataset_destroy(&dataset);
}

/* More stages than a job may have are refused. */
static void test_plan_too_many_stages_are_refused(void **state) {
    (void)state;
    zonda_dataset *dataset = one_two_three();
    for (int i = 0; i < ZN_STAGES_MAX; i++) {
        dataset = zonda_count(dataset);
    }
    expect_code(dataset, "LIMIT", "stages");
}

/* A dry run says what would run, in words. */
static void test_plan_print_shows_everything(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_bytes value = { .data = (const uint8_t *)"\xa3xyz", .len = 4 };
    zn_plan_shared shared = { "names", value };
    zonda_dataset *dataset = zonda_read("data/*.jsonl", NULL);
    dataset = zonda_filter(dataset, zonda_lua("size > \"1\""));
    dataset = zonda_map(dataset, zonda_fn("shorten"));
    dataset = zonda_count(dataset);
    zn_plan *plan = zn_plan_new(dataset, &shared, 1, &fake_files, &error);
    zonda_dataset_destroy(&dataset);
    zn_buf out = { 0 };
    zn_plan_print(plan, &out);
    zn_buf_append_byte(&out, 0);
    char *first_line_end = strchr((char *)out.data, '\n');
    assert_non_null(first_line_end);
    assert_memory_equal(out.data, "plan ", 5);
    assert_memory_equal(first_line_end - 19, ": 2 stages, 4 tasks", 19);
    assert_string_equal(first_line_end + 1,
                        "stage 0: read→filter→map→count (3 tasks)\n"
                        "  read glob=\"data/*.jsonl\"\n"
                        "    inputs: 3: \"data/a.jsonl\", \"data/b.jsonl\", \"data/c.jsonl\"\n"
                        "  filter function=lua-expression:\"size > \\\"1\\\"\"\n"
                        "  map function=c:\"shorten\"\n"
                        "  count_shard\n"
                        "stage 1: count (1 task)\n"
                        "  stage stage=0\n"
                        "  count_total\n"
                        "shared names: 4 bytes\n");
    zn_buf_free(&out);
    zn_plan_destroy(&plan);
}

/* Explaining is for users: text for a good dataset, the error of a bad one. */
static void test_plan_explain_gives_text_or_error(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zonda_dataset *dataset = zonda_from_list(NULL, 0);
    char *text = zonda_dataset_explain(dataset, &error);
    assert_non_null(text);
    assert_non_null(strstr(text, "stage 0: from_list (0 tasks, never started)\n"));
    free(text);
    zonda_dataset_destroy(&dataset);
    dataset = zonda_read("/nonexistent/zonda/*.jsonl", NULL);
    assert_null(zonda_dataset_explain(dataset, &error));
    assert_err(error.code, NO_MATCH);
    zonda_dataset_destroy(&dataset);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_narrow_operators_fuse),
        cmocka_unit_test(test_plan_list_has_task_for_each_item),
        cmocka_unit_test(test_plan_body_has_documented_form),
        cmocka_unit_test(test_plan_range_chooses_shards),
        cmocka_unit_test(test_plan_folds_chain_stages),
        cmocka_unit_test(test_plan_reduce_halves_get_functions),
        cmocka_unit_test(test_plan_fold_over_nothing_is_told),
        cmocka_unit_test(test_plan_fingerprint_follows_content),
        cmocka_unit_test(test_plan_fingerprint_is_golden),
        cmocka_unit_test(test_plan_shared_data_is_deduplicated),
        cmocka_unit_test(test_plan_script_is_one_blob),
        cmocka_unit_test(test_plan_long_stage_name_is_cut),
        cmocka_unit_test(test_plan_goes_on_after_sink),
        cmocka_unit_test(test_plan_no_match_needs_empty_ok),
        cmocka_unit_test(test_plan_errors_are_found),
        cmocka_unit_test(test_plan_single_shard_needs_no_number),
        cmocka_unit_test(test_plan_too_much_shared_data_is_refused),
        cmocka_unit_test(test_plan_too_many_stages_are_refused),
        cmocka_unit_test(test_plan_print_shows_everything),
        cmocka_unit_test(test_plan_explain_gives_text_or_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
