/* SPDX-License-Identifier: MPL-2.0 */
/* How many stages and tasks typical plans have: operators fuse into one pass, and only folds and
 * limits end a stage. */
#include "plan_test.h"

#include "base/limits.h"

typedef struct shape {
    const char *name;
    uint64_t tasks;
} shape;

static void expect_shapes(zonda_dataset *dataset, const shape *shapes, size_t count) {
    zn_plan *plan = good_plan_of(dataset);
    assert_int_equal(plan->stage_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(plan->stages[i].name, shapes[i].name);
        assert_int_equal(plan->stages[i].task_count, shapes[i].tasks);
    }
    zn_plan_destroy(&plan);
}

#define EXPECT(dataset, ...)                                                                       \
    do {                                                                                           \
        static const shape shapes[] = { __VA_ARGS__ };                                             \
        expect_shapes(dataset, shapes, sizeof shapes / sizeof *shapes);                            \
    } while (0)

static zonda_dataset *range(uint64_t n, uint64_t shards) {
    return zonda_from_range(n, &(zonda_range_options){ .shards = shards });
}

/* All narrow operators share the stage of their source. */
static void test_shapes_narrow_operators_are_one_pass(void **state) {
    (void)state;
    zonda_dataset *ds = zonda_read("data/*.jsonl", NULL);
    ds = zonda_map(ds, zonda_fn("f"));
    ds = zonda_flat_map(ds, zonda_fn("f"));
    ds = zonda_filter(ds, zonda_fn("f"));
    ds = zonda_select(ds, "a", "b", NULL);
    ds = zonda_drop(ds, "b", NULL);
    ds = zonda_rename(ds, "c", "a", NULL);
    ds = zonda_take_per_shard(ds, 10);
    ds = zonda_sample(ds, 0.5, 1);
    ds = zonda_window(ds, 2);
    ds = zonda_write(ds, "out/{shard}.jsonl", NULL);
    EXPECT(ds, { "read→map→flat_map→filter→select→drop→rename→take_per_shard→sample→window→"
                 "write_jsonl",
                 3 });
}

/* A fold adds a stage of one task. */
static void test_shapes_fold_adds_one_task(void **state) {
    (void)state;
    EXPECT(zonda_map(zonda_count(zonda_window(range(10, 5), 2)), zonda_fn("f")),
           { "from_range→window→count", 5 }, { "count→map", 1 });
}

/* A union is one stage, with what is before it and behind it; shards add up. */
static void test_shapes_union_is_one_stage(void **state) {
    (void)state;
    zonda_dataset *ds = zonda_union(zonda_map(range(10, 5), zonda_fn("f")), one_two_three());
    ds = zonda_write(zonda_filter(ds, zonda_fn("f")), "out/{shard}-of-{total}.jsonl", NULL);
    EXPECT(ds, { "union(from_range→map, from_list)→filter→write_jsonl", 8 });
    EXPECT(zonda_count(zonda_union(range(10, 5), range(10, 2))),
           { "union(from_range, from_range)→count", 7 }, { "count", 1 });
}

/* Unions of unions are one union; operators in between make branches of branches. */
static void test_shapes_union_of_unions(void **state) {
    (void)state;
    zonda_dataset *ds =
        zonda_union(zonda_union(range(9, 1), range(9, 2)), zonda_union(range(9, 3), range(9, 4)));
    EXPECT(ds, { "union(from_range, from_range, from_range, from_range)", 10 });
    ds = zonda_union(zonda_map(zonda_union(range(9, 1), range(9, 2)), zonda_fn("f")), range(9, 3));
    EXPECT(ds, { "union(union(from_range, from_range)→map, from_range)", 6 });
}

/* Branches may need stages of their own, which come first; one used twice is there twice. */
static void test_shapes_union_of_folds(void **state) {
    (void)state;
    zonda_dataset *base = range(10, 5);
    zonda_dataset *ds = zonda_union(zonda_count(zonda_dataset_share(base)), base);
    EXPECT(zonda_union(ds, zonda_count(range(6, 3))), { "from_range→count", 5 },
           { "from_range→count", 3 }, { "union(count, from_range, count)", 7 });
}

/* Datasets without shards add nothing, not even if all are so. */
static void test_shapes_union_with_nothing(void **state) {
    (void)state;
    EXPECT(zonda_union(zonda_from_list(NULL, 0), one_two_three()),
           { "union(from_list, from_list)", 3 });
    EXPECT(
        zonda_map(zonda_union(zonda_from_list(NULL, 0), zonda_from_range(0, NULL)), zonda_fn("f")),
        { "union(from_list, from_range)→map", 0 });
    EXPECT(zonda_count(zonda_union(zonda_from_list(NULL, 0), zonda_from_range(0, NULL))),
           { "union(from_list, from_range)→count", 0 }, { "count", 1 });
}

/* Doubling a dataset again and again meets a limit, not the end of memory. */
static void test_shapes_union_is_limited(void **state) {
    (void)state;
    zonda_dataset *ds = range(1, 1);
    for (int i = 0; i < 60; i++) {
        zonda_dataset *again = zonda_dataset_share(ds);
        ds = zonda_union(ds, again);
    }
    zonda_error error = bad_plan_of(ds);
    assert_err(error.code, LIMIT);
    ds = range(1, 1);
    for (unsigned i = 0; i <= ZN_UNION_DEPTH_MAX; i++) {
        ds = zonda_map(zonda_union(ds, range(1, 1)), zonda_fn("f"));
    }
    error = bad_plan_of(ds);
    assert_err(error.code, LIMIT);
}

/* A pattern must tell the shards of all branches apart; a broken branch breaks the plan. */
static void test_shapes_union_errors_are_errors_of_the_plan(void **state) {
    (void)state;
    zonda_dataset *ds = zonda_union(range(1, 1), range(1, 1));
    zonda_error error = bad_plan_of(zonda_write(ds, "out.jsonl", NULL));
    assert_err(error.code, PLAN);
    error = bad_plan_of(zonda_union(range(1, 1), zonda_read("none*", NULL)));
    assert_err(error.code, NO_MATCH);
    error = bad_plan_of(zonda_union(range(1, 1), NULL));
    assert_err(error.code, INVALID);
    error = bad_plan_of(zonda_union(range(1, 1), zonda_window(range(1, 1), 0)));
    assert_err(error.code, PLAN);
}

/* What would run is shown branch by branch. */
static void test_shapes_union_is_explained(void **state) {
    (void)state;
    zn_plan *plan = good_plan_of(zonda_window(zonda_union(range(9, 2), one_two_three()), 2));
    zn_buf text = { 0 };
    zn_plan_print(plan, &text);
    zn_buf_append_byte(&text, '\0');
    static const char expected[] = "stage 0: union(from_range, from_list)→window (5 tasks)\n"
                                   "  branch 0 (2 tasks)\n"
                                   "    from_range n=9 shards=2\n"
                                   "  branch 1 (3 tasks)\n"
                                   "    from_list\n"
                                   "      inputs: 3: 1, 2, 3\n"
                                   "  window n=2\n";
    const char *start = strchr((const char *)text.data, '\n') + 1;
    assert_string_equal(start, expected);
    zn_buf_free(&text);
    zn_plan_destroy(&plan);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes_narrow_operators_are_one_pass),
        cmocka_unit_test(test_shapes_fold_adds_one_task),
        cmocka_unit_test(test_shapes_union_is_one_stage),
        cmocka_unit_test(test_shapes_union_of_unions),
        cmocka_unit_test(test_shapes_union_of_folds),
        cmocka_unit_test(test_shapes_union_with_nothing),
        cmocka_unit_test(test_shapes_union_is_limited),
        cmocka_unit_test(test_shapes_union_errors_are_errors_of_the_plan),
        cmocka_unit_test(test_shapes_union_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
