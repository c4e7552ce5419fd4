/* SPDX-License-Identifier: MPL-2.0 */
/* How wide operators cut a plan: what ends a stage, what begins the next, what reads what. */
#include "plan_test.h"

#include <zonda/wide.h>

#include "base/limits.h"
#include "plan/plan_wide.h"
#include "record/json.h"

static zonda_dataset *range(uint64_t n, uint64_t shards) {
    return zonda_from_range(n, &(zonda_range_options){ .shards = shards });
}

static void put_json(zn_buf *out, const char *json) {
    zn_json_reader *reader = zn_json_reader_new();
    zonda_error error = { 0 };
    assert_int_equal(zn_json_read(reader, zn_bytes_of_text(json), out, &error), ZONDA_OK);
    zn_json_reader_destroy(&reader);
}

static zonda_dataset *wide(const char *name, const char *args, zonda_dataset *input) {
    zn_buf map = { 0 };
    put_json(&map, args);
    zonda_dataset *node = zn_dataset_apply(name, zn_buf_bytes(&map), &input, 1);
    zn_buf_free(&map);
    return node;
}

static void expect_stage(const zn_plan *plan, size_t index, uint64_t tasks, const char *inputs) {
    assert_true(index < plan->stage_count);
    zn_buf text = { 0 };
    for (size_t i = 0; i < plan->stages[index].input_count; i++) {
        const zn_stage_input *input = &plan->stages[index].inputs[i];
        zn_buf_printf(&text, "%s%u", i == 0 ? "" : ",", (unsigned)input->stage);
        if (input->by == ZN_INPUT_PARTITION) {
            zn_buf_printf(&text, " from %u", (unsigned)input->first);
        }
    }
    zn_buf_append_byte(&text, 0);
    assert_string_equal((const char *)text.data, inputs);
    zn_buf_free(&text);
    assert_int_equal(plan->stages[index].task_count, tasks);
}

/* The dry run of a plan, without its first line, which has the fingerprint. */
static void expect_print(zonda_dataset *dataset, const char *wanted) {
    zn_plan *plan = good_plan_of(dataset);
    zn_buf text = { 0 };
    zn_plan_print(plan, &text);
    zn_buf_append_byte(&text, 0);
    assert_string_equal(strchr((const char *)text.data, '\n') + 1, wanted);
    zn_buf_free(&text);
    zn_plan_destroy(&plan);
}

/* A group is keyed and partitioned where its input is made, and reduced where it is read. */
static void test_plan_wide_group_by_has_two_halves(void **state) {
    (void)state;
    zonda_dataset *ds = wide("group_by",
                             "{\"key\":[\"a\",\"b\"],\"shards\":7,\"sort_by\":\"c\","
                             "\"reduce\":{\"kind\":\"c\",\"name\":\"f\"},\"descending\":true}",
                             range(10, 3));
    expect_print(ds, "stage 0: from_range→group_by (3 tasks)\n"
                     "  from_range n=10 shards=3\n"
                     "  group_by_shard by=[\"a\",\"b\"] mode=\"hash\" shards=7 keep=\"all\""
                     " sort_by=\"c\" descending=true\n"
                     "stage 1: group_by (7 tasks)\n"
                     "  group_by_total reduce=c:\"f\"\n"
                     "    reads: stage 0 (3 tasks) by partition\n");
}

/* A combiner works before the shuffle and is not needed behind it. */
static void test_plan_wide_combine_is_of_the_first_half(void **state) {
    (void)state;
    zonda_dataset *ds = wide("group_by",
                             "{\"key\":\"a\",\"reduce\":{\"kind\":\"c\",\"name\":\"f\"},"
                             "\"combine\":{\"kind\":\"c\",\"name\":\"g\"}}",
                             range(10, 3));
    expect_print(ds, "stage 0: from_range→group_by (3 tasks)\n"
                     "  from_range n=10 shards=3\n"
                     "  group_by_shard by=\"a\" mode=\"hash\" shards=3 keep=\"function\""
                     " combine=c:\"g\"\n"
                     "stage 1: group_by (3 tasks)\n"
                     "  group_by_total reduce=c:\"f\"\n"
                     "    reads: stage 0 (3 tasks) by partition\n");
}

/* The others, one behind another: each reads the stage before it. */
static void test_plan_wide_operators_follow_each_other(void **state) {
    (void)state;
    zonda_dataset *ds = wide("deduplicate", "{\"key\":\"a\",\"shards\":2}", range(10, 3));
    ds = wide("sort", "{\"by\":\"a\",\"descending\":true,\"shards\":4}", ds);
    ds = wide("reshard", "{\"n\":5}", ds);
    ds = zonda_count(ds);
    expect_print(ds, "stage 0: from_range→deduplicate (3 tasks)\n"
                     "  from_range n=10 shards=3\n"
                     "  deduplicate_shard by=\"a\" mode=\"hash\" shards=2 keep=\"first\"\n"
                     "stage 1: deduplicate→sort (2 tasks)\n"
                     "  deduplicate_total\n"
                     "    reads: stage 0 (3 tasks) by partition\n"
                     "  sort_shard by=\"a\" descending=true mode=\"range\"\n"
                     "stage 2: sort→reshard (4 tasks)\n"
                     "  sort_total\n"
                     "    reads: stage 1 (2 tasks) by range\n"
                     "  reshard_shard mode=\"bytes\"\n"
                     "stage 3: reshard→count (5 tasks)\n"
                     "  reshard_total\n"
                     "    reads: stage 2 (4 tasks) by bytes\n"
                     "  count_shard\n"
                     "stage 4: count (1 task)\n"
                     "  stage stage=3\n"
                     "  count_total\n");
}

/* The number of shards is that of the input, up to a limit, unless it is given. */
static void test_plan_wide_shards_are_those_of_the_input(void **state) {
    (void)state;
    zn_plan *plan = good_plan_of(wide("sort", "{\"by\":\"a\"}", range(1000, 256)));
    expect_stage(plan, 1, 256, "0");
    zn_plan_destroy(&plan);
    plan = good_plan_of(wide("sort", "{\"by\":\"a\"}", range(1000, 257)));
    expect_stage(plan, 1, ZN_WIDE_SHARDS_DEFAULT_MAX, "0");
    zn_plan_destroy(&plan);
    plan = good_plan_of(wide("sort", "{\"by\":\"a\",\"shards\":1000}", range(10, 1)));
    expect_stage(plan, 1, 1000, "0");
    zn_plan_destroy(&plan);
}

/* Nothing is started for a dataset without shards, and nothing is read. */
static void test_plan_wide_of_no_shards_has_none(void **state) {
    (void)state;
    zonda_dataset *ds = wide("deduplicate", "{\"key\":\"a\",\"shards\":4}", range(0, 3));
    zn_plan *plan = good_plan_of(zonda_count(ds));
    assert_int_equal(plan->stage_count, 3);
    expect_stage(plan, 0, 0, "");
    expect_stage(plan, 1, 0, "");
    expect_stage(plan, 2, 1, "");
    zn_plan_destroy(&plan);
}

/* Without a number reshard leaves everything as it is. */
static void test_plan_wide_reshard_without_number_is_nothing(void **state) {
    (void)state;
    zn_plan *plan = good_plan_of(wide("reshard", "{}", range(10, 3)));
    assert_int_equal(plan->stage_count, 1);
    assert_string_equal(plan->stages[0].name, "from_range");
    zn_plan_destroy(&plan);
}

/* Branches of a union may begin with what a wide operator left; the stage reads all of them. */
static void test_plan_wide_stands_in_unions(void **state) {
    (void)state;
    zonda_dataset *left = wide("reshard", "{\"n\":2}", range(10, 3));
    zonda_dataset *right = wide("deduplicate", "{\"key\":\"a\"}", zonda_limit(range(10, 4), 3));
    zonda_dataset *ds = zonda_union(left, zonda_union(range(5, 5), right));
    zn_plan *plan = good_plan_of(wide("sort", "{\"by\":\"a\"}", ds));
    assert_int_equal(plan->stage_count, 5);
    expect_stage(plan, 0, 3, "");
    expect_stage(plan, 1, 4, "");
    expect_stage(plan, 2, 1, "1");
    expect_stage(plan, 3, 2 + 5 + 1, "0,2 from 7");
    expect_stage(plan, 4, 8, "3");
    assert_string_equal(plan->stages[3].name, "union(reshard, from_range, deduplicate)→sort");
    zn_plan_destroy(&plan);
}

/* Shared on both sides, a dataset is compiled for each. */
static void test_plan_wide_of_shared_input_is_compiled_twice(void **state) {
    (void)state;
    zonda_dataset *one = wide("reshard", "{\"n\":2}", range(10, 3));
    zn_plan *plan = good_plan_of(zonda_union(zonda_dataset_share(one), one));
    assert_int_equal(plan->stage_count, 3);
    expect_stage(plan, 2, 4, "0,1");
    zn_plan_destroy(&plan);
}

/* What differs in keys, shards or order is another plan; the same again is the same. */
static void test_plan_wide_fingerprint_is_of_the_arguments(void **state) {
    (void)state;
    static const char *const args[] = { "{\"by\":\"a\"}", "{\"by\":\"b\"}",
                                        "{\"by\":\"a\",\"descending\":true}",
                                        "{\"by\":\"a\",\"shards\":4}" };
    zn_digest digests[4];
    for (size_t i = 0; i < 4; i++) {
        zn_plan *plan = good_plan_of(wide("sort", args[i], range(10, 3)));
        zn_plan *again = good_plan_of(wide("sort", args[i], range(10, 3)));
        assert_true(zn_digest_equal(plan->fingerprint, again->fingerprint));
        digests[i] = plan->fingerprint;
        zn_plan_destroy(&plan);
        zn_plan_destroy(&again);
        for (size_t before = 0; before < i; before++) {
            assert_false(zn_digest_equal(digests[i], digests[before]));
        }
    }
}

/* The very bytes that are hashed are part of what other versions must be able to resume. */
static void test_plan_wide_fingerprint_is_golden(void **state) {
    (void)state;
    char text[ZN_DIGEST_TEXT];
    zn_plan *plan = good_plan_of(zonda_sort(range(10, 3), zonda_field("a"), NULL));
    assert_string_equal(zn_digest_text(plan->fingerprint, text),
                        "5d49fcf51a1db6573aaabdeaed2d0828");
    zn_plan_destroy(&plan);
}

/* Sides of an operator with two inputs: the right one is compiled while the left one waits. */
static void test_plan_wide_right_side_is_a_draft_of_its_own(void **state) {
    (void)state;
    static const zn_plan_settings settings = { 0 };
    zn_plan_build build = { .plan = ZN_NEW(zn_plan), .settings = &settings, .files = &fake_files };
    zonda_error error = { 0 };
    zonda_dataset *left = range(10, 3);
    zonda_dataset *right = wide("reshard", "{\"n\":2}", range(10, 5));
    assert_int_equal(zn_plan_add_chain(&build, left, &error), ZONDA_OK);
    zn_stage_draft waiting;
    assert_int_equal(zn_plan_add_right(&build, right, &waiting, &error), ZONDA_OK);
    assert_int_equal(waiting.tasks, 3);
    assert_int_equal(build.draft.tasks, 2);
    assert_int_equal(build.plan->stage_count, 1);
    zn_plan_free_draft(&waiting);
    build.right_depth = ZN_RIGHT_DEPTH_MAX;
    assert_int_equal(zn_plan_add_right(&build, right, &waiting, &error), ZONDA_ERR_LIMIT);
    assert_null(waiting.ops.data);
    zn_plan_free_draft(&build.draft);
    zn_plan_destroy(&build.plan);
    zn_paths_free(&build.inputs);
    zonda_dataset_destroy(&left);
    zonda_dataset_destroy(&right);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_wide_group_by_has_two_halves),
        cmocka_unit_test(test_plan_wide_combine_is_of_the_first_half),
        cmocka_unit_test(test_plan_wide_operators_follow_each_other),
        cmocka_unit_test(test_plan_wide_shards_are_those_of_the_input),
        cmocka_unit_test(test_plan_wide_of_no_shards_has_none),
        cmocka_unit_test(test_plan_wide_reshard_without_number_is_nothing),
        cmocka_unit_test(test_plan_wide_stands_in_unions),
        cmocka_unit_test(test_plan_wide_of_shared_input_is_compiled_twice),
        cmocka_unit_test(test_plan_wide_fingerprint_is_of_the_arguments),
        cmocka_unit_test(test_plan_wide_fingerprint_is_golden),
        cmocka_unit_test(test_plan_wide_right_side_is_a_draft_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
