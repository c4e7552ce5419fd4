/* SPDX-License-Identifier: MPL-2.0 */
/* How joins cut a plan: two shuffles and what reads them, or a right side that is broadcast; who
 * decides which; and what is refused before anything runs. */
#include "plan_test.h"

#include <zonda/wide.h>

#include "base/limits.h"

static zonda_dataset *range(uint64_t n, uint64_t shards) {
    return zonda_from_range(n, &(zonda_range_options){ .shards = shards });
}

static zonda_join_options on_id(void) {
    return (zonda_join_options){ .on = zonda_field("id") };
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

/* Both sides end with a shuffle into as many partitions; the right one comes first. */
static void test_plan_join_shuffles_both_sides(void **state) {
    (void)state;
    zonda_join_options options = { .left_on = zonda_field("id"),
                                   .right_on = zonda_field("ref"),
                                   .how = "left",
                                   .suffix = "_r",
                                   .broadcast = ZONDA_BROADCAST_NEVER };
    expect_print(zonda_join(range(10, 3), range(10, 5), &options),
                 "stage 0: from_range→join (5 tasks)\n"
                 "  from_range n=10 shards=5\n"
                 "  join_right by=\"ref\" mode=\"hash\" shards=5 keep=\"all\" drop_nil=true\n"
                 "stage 1: from_range→join (3 tasks)\n"
                 "  from_range n=10 shards=3\n"
                 "  join_left by=\"id\" mode=\"hash\" shards=5 keep=\"all\"\n"
                 "stage 2: join (5 tasks)\n"
                 "  join_total how=\"left\" suffix=\"_r\"\n"
                 "    reads: stage 0 (5 tasks) by partition, stage 1 (3 tasks) by partition\n");
}

/* The right side becomes a stage of rows, and the join goes on in the stage of the left one. */
static void test_plan_join_broadcast_is_a_part_of_the_left_stage(void **state) {
    (void)state;
    zonda_join_options options = on_id();
    options.how = "semi";
    options.broadcast = ZONDA_BROADCAST_ALWAYS;
    zonda_dataset *ds = zonda_join(range(10, 3), zonda_limit(range(10, 2), 5), &options);
    expect_print(zonda_count(ds), "stage 0: from_range→limit (2 tasks)\n"
                                  "  from_range n=10 shards=2\n"
                                  "  limit_shard n=5\n"
                                  "stage 1: limit→join (1 task)\n"
                                  "  stage stage=0\n"
                                  "  limit_total n=5\n"
                                  "  join_rows by=\"id\" only_keys=true\n"
                                  "stage 2: from_range→join→count (3 tasks)\n"
                                  "  from_range n=10 shards=3\n"
                                  "  join_broadcast by=\"id\" how=\"semi\" once=[\"id\"] stage=1\n"
                                  "  count_shard\n"
                                  "stage 3: count (1 task)\n"
                                  "  stage stage=2\n"
                                  "  count_total\n");
    zn_plan *plan = good_plan_of(zonda_join(range(10, 3), range(10, 2), &options));
    assert_int_equal(plan->stage_count, 2);
    assert_int_equal(plan->stages[1].input_count, 1);
    assert_int_equal(plan->stages[1].inputs[0].stage, 0);
    zn_plan_destroy(&plan);
}

static bool is_broadcast(zonda_dataset *right, const zonda_join_options *options) {
    zn_plan *plan = good_plan_of(zonda_join(range(10, 3), right, options));
    zn_buf text = { 0 };
    zn_plan_print(plan, &text);
    zn_buf_append_byte(&text, 0);
    bool found = strstr((const char *)text.data, "join_broadcast") != NULL;
    assert_true(found != (strstr((const char *)text.data, "join_total") != NULL));
    zn_buf_free(&text);
    zn_plan_destroy(&plan);
    return found;
}

/* Unasked, only what is known to be small is broadcast. */
static void test_plan_join_broadcasts_what_is_known_to_be_small(void **state) {
    (void)state;
    zonda_join_options options = on_id();
    assert_true(is_broadcast(one_two_three(), &options));
    assert_true(is_broadcast(zonda_read("small*.jsonl", NULL), &options));
    assert_false(is_broadcast(zonda_read("huge*-huge.jsonl", NULL), &options));
    assert_false(is_broadcast(zonda_read("small*.jsonl.gz", NULL), &options));
    assert_false(is_broadcast(zonda_read("gone*-gone.jsonl", NULL), &options));
    assert_false(is_broadcast(zonda_from_files("small*", NULL), &options));
    assert_true(is_broadcast(range(ZN_BROADCAST_BYTES_MAX / 8, 1), &options));
    assert_false(is_broadcast(range(ZN_BROADCAST_BYTES_MAX / 8 + 1, 1), &options));
    assert_true(is_broadcast(zonda_select(zonda_filter(range(9, 1), zonda_lua("true")), "id", NULL),
                             &options));
    assert_false(is_broadcast(zonda_flat_map(range(9, 1), zonda_lua_block("emit(r)")), &options));
    assert_false(is_broadcast(zonda_limit(range(9, 1), 1), &options));
    assert_false(is_broadcast(zonda_union(range(9, 1), range(9, 1)), &options));
}

/* Files of the left side do not count; files of the right one all do. */
static void test_plan_join_size_is_that_of_the_right_side(void **state) {
    (void)state;
    zonda_join_options options = on_id();
    zonda_dataset *ds =
        zonda_join(zonda_read("huge*-huge.jsonl", NULL), zonda_read("a*.jsonl", NULL), &options);
    zn_plan *plan = good_plan_of(ds);
    assert_int_equal(plan->stage_count, 2);
    zn_plan_destroy(&plan);
}

/* What a broadcast cannot do is not chosen, however small the right side is. */
static void test_plan_join_auto_knows_when_not_to_broadcast(void **state) {
    (void)state;
    zonda_join_options options = on_id();
    options.how = "right";
    assert_false(is_broadcast(one_two_three(), &options));
    options.how = "full";
    assert_false(is_broadcast(one_two_three(), &options));
    options.how = "anti";
    assert_true(is_broadcast(one_two_three(), &options));
    options.shards = 7;
    assert_false(is_broadcast(one_two_three(), &options));
}

static void expect_shape(zonda_dataset *dataset, size_t stages, uint64_t tasks, size_t inputs) {
    zn_plan *plan = good_plan_of(dataset);
    assert_int_equal(plan->stage_count, stages);
    assert_int_equal(plan->stages[stages - 1].task_count, tasks);
    assert_int_equal(plan->stages[stages - 1].input_count, inputs);
    zn_plan_destroy(&plan);
}

/* As many shards as the side with more of them, up to a limit; or as many as are given. */
static void test_plan_join_shards_are_those_of_the_larger_side(void **state) {
    (void)state;
    zonda_join_options options = on_id();
    options.broadcast = ZONDA_BROADCAST_NEVER;
    expect_shape(zonda_join(range(10, 3), range(10, 5), &options), 3, 5, 2);
    expect_shape(zonda_join(range(999, 300), range(10, 5), &options), 3, 256, 2);
    expect_shape(zonda_join(range(10, 3), range(0, 5), &options), 3, 3, 1);
    expect_shape(zonda_join(range(0, 3), range(10, 5), &options), 3, 5, 1);
    expect_shape(zonda_join(range(0, 3), range(0, 5), &options), 3, 0, 0);
    options.shards = 1000;
    expect_shape(zonda_join(range(10, 3), range(10, 5), &options), 3, 1000, 2);
    expect_shape(zonda_join(range(0, 3), range(0, 5), &options), 3, 0, 0);
}

/* A dataset joins with itself, joins stand on both sides of joins, in long chains and in unions. */
static void test_plan_join_of_joins(void **state) {
    (void)state;
    zonda_join_options options = on_id();
    options.broadcast = ZONDA_BROADCAST_NEVER;
    zonda_dataset *one = range(10, 3);
    expect_shape(zonda_join(zonda_dataset_share(one), one, &options), 3, 3, 2);
    zonda_dataset *chain = range(10, 3);
    for (unsigned i = 0; i < 500; i++) {
        chain = zonda_join(chain, range(10, 2), &options);
    }
    expect_shape(chain, 1001, 3, 2);
    zonda_dataset *right = zonda_join(range(10, 1), range(10, 2), &options);
    expect_shape(zonda_join(range(10, 4), right, &options), 5, 4, 2);
    zonda_dataset *branch = zonda_join(range(10, 2), range(10, 2), &options);
    expect_shape(zonda_union(range(5, 5), branch), 3, 7, 2);
}

/* Right sides are compiled inside each other, so their depth has a limit. */
static void test_plan_join_depth_on_the_right_is_limited(void **state) {
    (void)state;
    zonda_join_options options = on_id();
    zonda_dataset *deep = range(10, 1);
    for (unsigned i = 0; i <= ZN_RIGHT_DEPTH_MAX; i++) {
        deep = zonda_join(range(10, 1), deep, &options);
    }
    zonda_error error = bad_plan_of(deep);
    assert_int_equal(error.code, ZONDA_ERR_LIMIT);
}

/* One field is one field, alone or in a list, as long as both keys are made of fields. */
static void test_plan_join_key_of_one_field_has_one_form(void **state) {
    (void)state;
    static const char *const names[] = { "a", "b" };
    zonda_join_options options = { .left_on = zonda_fields(1, names),
                                   .right_on = zonda_field("a"),
                                   .broadcast = ZONDA_BROADCAST_NEVER };
    zn_plan *list = good_plan_of(zonda_join(range(9, 1), range(9, 1), &options));
    options.left_on = zonda_field("a");
    zn_plan *name = good_plan_of(zonda_join(range(9, 1), range(9, 1), &options));
    options = (zonda_join_options){ .on = zonda_field("a"), .broadcast = ZONDA_BROADCAST_NEVER };
    zn_plan *on = good_plan_of(zonda_join(range(9, 1), range(9, 1), &options));
    assert_true(zn_digest_equal(list->fingerprint, name->fingerprint));
    assert_true(zn_digest_equal(list->fingerprint, on->fingerprint));
    zn_plan_destroy(&list);
    zn_plan_destroy(&name);
    zn_plan_destroy(&on);
}

/* Shard meets shard: nothing is partitioned, and nothing dropped that tells whether it is sorted.
 */
static void test_plan_sorted_merge_join_reads_task_by_task(void **state) {
    (void)state;
    zonda_join_options options = on_id();
    expect_print(zonda_sorted_merge_join(range(10, 3), range(10, 3), &options),
                 "stage 0: from_range→sorted_merge_join (3 tasks)\n"
                 "  from_range n=10 shards=3\n"
                 "  sorted_merge_join_right by=\"id\" mode=\"task\" keep=\"all\"\n"
                 "stage 1: from_range→sorted_merge_join (3 tasks)\n"
                 "  from_range n=10 shards=3\n"
                 "  sorted_merge_join_left by=\"id\" mode=\"task\" keep=\"all\"\n"
                 "stage 2: sorted_merge_join (3 tasks)\n"
                 "  sorted_merge_join_total once=[\"id\"]\n"
                 "    reads: stage 0 (3 tasks) by task, stage 1 (3 tasks) by task\n");
}

/* Other shards on the other side is a mistake, unless there are none at all. */
static void test_plan_sorted_merge_join_needs_as_many_shards(void **state) {
    (void)state;
    zonda_join_options options = on_id();
    zonda_error error = bad_plan_of(zonda_sorted_merge_join(range(10, 3), range(10, 5), &options));
    assert_int_equal(error.code, ZONDA_ERR_PLAN);
    assert_string_equal(error.text,
                        "sorted_merge_join needs as many shards on both sides, but the left one "
                        "has 3 and the right one 5; use join, which needs no order");
    expect_shape(zonda_sorted_merge_join(range(10, 3), range(0, 5), &options), 3, 3, 1);
    expect_shape(zonda_sorted_merge_join(range(0, 3), range(10, 5), &options), 3, 5, 1);
    expect_shape(zonda_sorted_merge_join(range(0, 3), range(0, 5), &options), 3, 0, 0);
}

static void expect_refused(const zonda_join_options *options, const char *text) {
    zonda_error error = bad_plan_of(zonda_join(range(9, 1), range(9, 1), options));
    assert_int_equal(error.code, ZONDA_ERR_PLAN);
    assert_string_equal(error.text, text);
}

/* Arguments that do not go together are refused when the dataset is built. */
static void test_plan_join_arguments_must_fit_together(void **state) {
    (void)state;
    static const char *const names[] = { "a", "b" };
    static const char keys[] = "join needs the key: either \"on\", or \"left_on\" and \"right_on\"";
    expect_refused(NULL, keys);
    zonda_join_options options = { .left_on = zonda_field("a") };
    expect_refused(&options, keys);
    options.on = zonda_field("a");
    expect_refused(&options, keys);
    options =
        (zonda_join_options){ .left_on = zonda_fields(2, names), .right_on = zonda_field("a") };
    expect_refused(&options, "the key of join has 2 fields on the left and 1 on the right");
    options = on_id();
    options.how = "outer";
    expect_refused(&options, "argument \"how\" of join must be one of inner, left, right, full, "
                             "semi, anti; it is \"outer\"");
    options.how = "semi";
    options.combine = zonda_fn("f");
    expect_refused(&options, "join of kind \"semi\" gives records of the left side as they are, so "
                             "it takes no \"combine\"");
    options.how = NULL;
    options.suffix = "_r";
    expect_refused(&options, "join takes \"combine\" or \"suffix\", not both: a suffix has no "
                             "meaning where a function makes the records");
}

/* A broadcast that cannot give the result is refused, too. */
static void test_plan_join_broadcast_is_refused_where_it_cannot_be(void **state) {
    (void)state;
    zonda_join_options options = on_id();
    options.broadcast = ZONDA_BROADCAST_ALWAYS;
    options.how = "full";
    expect_refused(&options, "a join with broadcast cannot be of kind \"full\": no task sees all "
                             "partners of a right record; leave broadcast out, or swap the sides");
    options.how = "left";
    options.shards = 3;
    expect_refused(&options, "a join with broadcast keeps the shards of the left side, so it takes "
                             "no \"shards\"");
    zonda_error error = bad_plan_of(zonda_sorted_merge_join(range(9, 1), range(9, 1), &options));
    assert_int_equal(error.code, ZONDA_ERR_PLAN);
    assert_non_null(strstr(error.text, "sorted_merge_join has no argument \"broadcast\""));
}

/* What went wrong on a side is what the user hears of. */
static void test_plan_join_errors_of_a_side_come_out(void **state) {
    (void)state;
    zonda_join_options options = on_id();
    zonda_error error =
        bad_plan_of(zonda_join(range(9, 1), zonda_read("none*.jsonl", NULL), &options));
    assert_int_equal(error.code, ZONDA_ERR_NO_MATCH);
    error = bad_plan_of(zonda_join(zonda_read("none*.jsonl", NULL), range(9, 1), &options));
    assert_int_equal(error.code, ZONDA_ERR_NO_MATCH);
    error = bad_plan_of(zonda_join(NULL, range(9, 1), &options));
    assert_int_equal(error.code, ZONDA_ERR_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_join_shuffles_both_sides),
        cmocka_unit_test(test_plan_join_broadcast_is_a_part_of_the_left_stage),
        cmocka_unit_test(test_plan_join_broadcasts_what_is_known_to_be_small),
        cmocka_unit_test(test_plan_join_size_is_that_of_the_right_side),
        cmocka_unit_test(test_plan_join_auto_knows_when_not_to_broadcast),
        cmocka_unit_test(test_plan_join_shards_are_those_of_the_larger_side),
        cmocka_unit_test(test_plan_join_of_joins),
        cmocka_unit_test(test_plan_join_depth_on_the_right_is_limited),
        cmocka_unit_test(test_plan_join_key_of_one_field_has_one_form),
        cmocka_unit_test(test_plan_sorted_merge_join_reads_task_by_task),
        cmocka_unit_test(test_plan_sorted_merge_join_needs_as_many_shards),
        cmocka_unit_test(test_plan_join_arguments_must_fit_together),
        cmocka_unit_test(test_plan_join_broadcast_is_refused_where_it_cannot_be),
        cmocka_unit_test(test_plan_join_errors_of_a_side_come_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
