/* SPDX-License-Identifier: MPL-2.0 */
/* Into how many ranges the rows of many tasks are divided, and where. */
#include "test.h"

#include "base/limits.h"
#include "ops/exchange_divide.h"
#include "record/key.h"

enum {
    SHARDS = 256
};

static zn_sorter *make_sorter(void) {
    return zn_sorter_new(&(zn_sorter_options){ .scratch = ".", .sorted = true });
}

/* Each task has one sample of key `task % 1000` in each of its blocks. */
static zn_exchange_division *divide(zn_sorter *sorter, uint32_t tasks, uint32_t blocks,
                                    uint64_t bytes) {
    zonda_error error = { 0 };
    zn_exchange_division *division = zn_exchange_division_new(ZN_EXCHANGE_RANGE, SHARDS, sorter);
    zn_buf key = { 0 };
    for (uint32_t task = 0; task < tasks; task++) {
        for (uint32_t block = 0; block < blocks; block++) {
            zn_buf value = { 0 };
            zn_put_uint(&value, (task + block * 37) % 1000);
            key.len = 0;
            assert_ok(zn_key_put(&key, zn_buf_bytes(&value), &error), error);
            zn_buf_free(&value);
            zn_exchange_division_add_bytes(division, bytes);
            assert_ok(zn_exchange_division_add_sample(division, 0, task, zn_buf_bytes(&key), bytes,
                                                      &error),
                      error);
        }
    }
    assert_ok(zn_exchange_division_settle(division, &error), error);
    zn_buf_free(&key);
    return division;
}

static uint64_t count_ranges(const zn_exchange_division *division) {
    uint64_t last = 0;
    for (uint64_t shard = 0; shard < SHARDS; shard++) {
        zn_exchange_borders borders = zn_exchange_division_borders(division, shard);
        last = borders.lower.set ? shard : last;
    }
    return last + 1;
}

static uint64_t ranges_of(uint32_t tasks, uint32_t blocks, uint64_t bytes) {
    zn_sorter *sorter = make_sorter();
    zn_exchange_division *division = divide(sorter, tasks, blocks, bytes);
    uint64_t count = count_ranges(division);
    zn_exchange_division_destroy(&division);
    zn_sorter_destroy(&sorter);
    return count;
}

/* As many ranges as shards, where that does not mean to read everything again and again. */
static void test_divide_makes_a_range_for_each_shard(void **state) {
    (void)state;
    assert_int_equal(ranges_of(100, 40, 16 * ZN_KIB), SHARDS);
    assert_int_equal(ranges_of(10, 30, 100), SHARDS);
}

/* Of little in many tasks fewer ranges; none is not possible. */
static void test_divide_of_many_small_tasks_makes_fewer_ranges(void **state) {
    (void)state;
    assert_int_equal(ranges_of(1000, 3, ZN_MIB), 24);
    assert_int_equal(ranges_of(2000, 1, 10000), 13);
    assert_int_equal(ranges_of(50000, 1, 100), 1);
}

/* What is behind the last range is in it. */
static void test_divide_last_range_has_the_rest(void **state) {
    (void)state;
    zn_sorter *sorter = make_sorter();
    zn_exchange_division *division = divide(sorter, 2000, 1, 10000);
    zn_exchange_border row = { .set = true, .key = { (const uint8_t *)"\xff", 1 } };
    uint64_t last = count_ranges(division) - 1;
    assert_int_equal(zn_exchange_division_shard(division, &row), last);
    assert_false(zn_exchange_division_borders(division, last).upper.set);
    zn_exchange_division_destroy(&division);
    zn_sorter_destroy(&sorter);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_divide_makes_a_range_for_each_shard),
        cmocka_unit_test(test_divide_of_many_small_tasks_makes_fewer_ranges),
        cmocka_unit_test(test_divide_last_range_has_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
