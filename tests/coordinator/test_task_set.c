/* SPDX-License-Identifier: MPL-2.0 */
/* Sets of runs: merging, splitting, and a long random comparison with a plain array. */
#include "test.h"

#include "coordinator/task_set.h"

static zn_task_run at(const zn_task_set *set, uint32_t task) {
    zn_task_run run = { 0, 0, 0 };
    assert_true(zn_task_set_next(set, task, &run));
    return run;
}

/* Neighbours with one value become one run, whatever the order in which they come. */
static void test_task_set_neighbours_merge(void **state) {
    (void)state;
    zn_task_set set = { 0 };
    zn_task_set_insert(&set, (zn_task_run){ 0, 5, 1 });
    zn_task_set_insert(&set, (zn_task_run){ 10, 5, 1 });
    assert_int_equal(set.run_count, 2);
    zn_task_set_insert(&set, (zn_task_run){ 5, 5, 1 });
    assert_int_equal(set.run_count, 1);
    assert_int_equal(at(&set, 0).count, 15);
    zn_task_set_insert(&set, (zn_task_run){ 15, 1, 2 });
    assert_int_equal(set.run_count, 2);
    assert_int_equal(set.task_count, 16);
    zn_task_set_free(&set);
}

/* Removing from the middle leaves both ends with their value. */
static void test_task_set_remove_middle_splits(void **state) {
    (void)state;
    zn_task_set set = { 0 };
    zn_task_set_insert(&set, (zn_task_run){ 0, 100, 7 });
    zn_task_set_remove(&set, 40, 20);
    assert_int_equal(set.run_count, 2);
    assert_int_equal(set.task_count, 80);
    uint64_t value = 0;
    assert_true(zn_task_set_get(&set, 39, &value));
    assert_int_equal(value, 7);
    assert_false(zn_task_set_get(&set, 40, NULL));
    assert_false(zn_task_set_get(&set, 59, NULL));
    assert_true(zn_task_set_get(&set, 60, NULL));
    assert_int_equal(at(&set, 45).first, 60);
    assert_int_equal(at(&set, 70).count, 30);
    zn_task_set_free(&set);
}

/* What lies right before and right behind is found, what lies further away is not. */
static void test_task_set_around_finds_touching_runs(void **state) {
    (void)state;
    zn_task_set set = { 0 };
    uint64_t before = 9;
    uint64_t after = 9;
    zn_task_set_around(&set, 5, 5, &before, &after);
    assert_true(before == 0 && after == 0);
    zn_task_set_insert(&set, (zn_task_run){ 0, 5, 1 });
    zn_task_set_insert(&set, (zn_task_run){ 10, 5, 2 });
    zn_task_set_around(&set, 5, 5, &before, &after);
    assert_true(before == 1 && after == 2);
    zn_task_set_around(&set, 6, 3, &before, &after);
    assert_true(before == 0 && after == 0);
    zn_task_set_around(&set, 15, 1, &before, &after);
    assert_true(before == 2 && after == 0);
    zn_task_set_free(&set);
}

/* Popping takes at most what is asked for, from the front. */
static void test_task_set_pop_bounded_takes_front(void **state) {
    (void)state;
    zn_task_set set = { 0 };
    zn_task_run run = { 0, 0, 0 };
    assert_false(zn_task_set_pop(&set, 10, &run));
    zn_task_set_insert(&set, (zn_task_run){ 3, 10, 1 });
    assert_true(zn_task_set_pop(&set, 4, &run));
    assert_int_equal(run.first, 3);
    assert_int_equal(run.count, 4);
    assert_false(zn_task_set_pop(&set, 0, &run));
    assert_true(zn_task_set_pop(&set, 100, &run));
    assert_int_equal(run.first, 7);
    assert_int_equal(run.count, 6);
    assert_int_equal(set.task_count, 0);
    assert_int_equal(set.run_count, 0);
    zn_task_set_free(&set);
}

/* A removal may span many runs. */
static void test_task_set_remove_many_runs_empties(void **state) {
    (void)state;
    zn_task_set set = { 0 };
    for (uint32_t i = 0; i < 1000; i++) {
        zn_task_set_insert(&set, (zn_task_run){ 999 - i, 1, i });
    }
    assert_int_equal(set.run_count, 1000);
    zn_task_set_remove(&set, 1, 998);
    assert_int_equal(set.run_count, 2);
    assert_true(zn_task_set_get(&set, 0, NULL));
    assert_true(zn_task_set_get(&set, 999, NULL));
    zn_task_set_free(&set);
}

/* Removing scattered runs gives their memory back. */
static void test_task_set_scattered_removal_shrinks(void **state) {
    (void)state;
    zn_task_set set = { 0 };
    for (uint32_t i = 0; i < 100000; i++) {
        zn_task_set_insert(&set, (zn_task_run){ i, 1, i });
    }
    assert_true(set.chunk_count < 1000);
    for (uint32_t i = 0; i < 100000; i++) {
        if (i % 100 != 0) {
            zn_task_set_remove(&set, i, 1);
        }
    }
    assert_int_equal(set.run_count, 1000);
    assert_true(set.chunk_count < 100);
    zn_task_set_free(&set);
}

enum {
    MODEL_TASKS = 4000,
    MODEL_STEPS = 60000
};

static uint32_t next_random(uint64_t *seed) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

/* Compares the whole set with the model: 0 is "not there", else the value. */
static void compare(const zn_task_set *set, const uint8_t *model) {
    size_t runs = 0;
    uint64_t tasks = 0;
    zn_task_run run;
    for (uint32_t task = 0; task < MODEL_TASKS; task++) {
        uint64_t value = 0;
        assert_int_equal(zn_task_set_get(set, task, &value), model[task] != 0);
        assert_int_equal(value, model[task]);
        tasks += model[task] != 0;
        runs += model[task] != 0 && (task == 0 || model[task - 1] != model[task]);
    }
    assert_int_equal(set->run_count, runs);
    assert_int_equal(set->task_count, tasks);
    for (uint32_t task = 0; zn_task_set_next(set, task, &run); task = run.first + run.count) {
        assert_int_equal(model[run.first], run.value);
    }
}

/* Random inserts and removals agree with an array, in content and in the number of runs. */
static void test_task_set_random_agrees_with_array(void **state) {
    (void)state;
    static uint8_t model[MODEL_TASKS + 1];
    uint64_t seed = 20240607;
    zn_task_set set = { 0 };
    for (int step = 0; step < MODEL_STEPS; step++) {
        uint32_t first = next_random(&seed) % MODEL_TASKS;
        uint32_t longest = 1 + next_random(&seed) % 4;
        bool there = model[first] != 0;
        uint32_t count = 0;
        while (count < longest && first + count < MODEL_TASKS &&
               (model[first + count] != 0) == there) {
            count++;
        }
        uint8_t value = (uint8_t)(1 + next_random(&seed) % 2);
        if (there) {
            zn_task_set_remove(&set, first, count);
        } else {
            zn_task_set_insert(&set, (zn_task_run){ first, count, value });
        }
        memset(model + first, there ? 0 : value, count);
        if (step % 5000 == 0) {
            compare(&set, model);
        }
    }
    compare(&set, model);
    zn_task_set_free(&set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_task_set_neighbours_merge),
        cmocka_unit_test(test_task_set_remove_middle_splits),
        cmocka_unit_test(test_task_set_around_finds_touching_runs),
        cmocka_unit_test(test_task_set_pop_bounded_takes_front),
        cmocka_unit_test(test_task_set_remove_many_runs_empties),
        cmocka_unit_test(test_task_set_scattered_removal_shrinks),
        cmocka_unit_test(test_task_set_random_agrees_with_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
