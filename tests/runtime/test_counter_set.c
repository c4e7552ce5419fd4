/* SPDX-License-Identifier: MPL-2.0 */
#include "test.h"

#include "runtime/counter_set.h"

/* Names come out sorted, each once, with all their values. */
static void test_counter_set_merges_and_sorts(void **state) {
    (void)state;
    zn_counter_set set = { 0 };
    zn_counter_set_add_value(&set, "b", 5);
    zn_counter_set_add_value(&set, "a", 1);
    zn_counter_set_add_value(&set, "ab", 2);
    zn_counter_set_add_value(&set, "b", 3);
    assert_int_equal(set.count, 3);
    assert_string_equal(set.items[0].name, "a");
    assert_string_equal(set.items[1].name, "ab");
    assert_string_equal(set.items[2].name, "b");
    assert_int_equal(set.items[2].sum, 8);
    assert_int_equal(set.items[2].min, 3);
    assert_int_equal(set.items[2].max, 5);
    assert_int_equal(set.items[2].count, 2);
    zn_counter_set_free(&set);
    assert_int_equal(set.count, 0);
}

/* Sums and counts stop at the ends of their range instead of wrapping. */
static void test_counter_set_saturates(void **state) {
    (void)state;
    zn_counter_set set = { 0 };
    zn_bytes name = zn_bytes_of_text("n");
    zonda_counter high = { .sum = INT64_MAX, .max = 1, .count = UINT64_MAX };
    zonda_counter low = { .sum = INT64_MIN, .min = -1, .count = 1 };
    zn_counter_set_add(&set, name, &high);
    zn_counter_set_add(&set, name, &high);
    assert_int_equal(set.items[0].sum, INT64_MAX);
    assert_true(set.items[0].count == UINT64_MAX);
    zn_counter_set_free(&set);
    zn_counter_set_add(&set, name, &low);
    zn_counter_set_add(&set, name, &low);
    assert_int_equal(set.items[0].sum, INT64_MIN);
    assert_int_equal(set.items[0].count, 2);
    zn_counter_set_free(&set);
    zn_counter_set_add_value(&set, "n", UINT64_MAX);
    assert_int_equal(set.items[0].sum, INT64_MAX);
    zn_counter_set_free(&set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counter_set_merges_and_sorts),
        cmocka_unit_test(test_counter_set_saturates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
