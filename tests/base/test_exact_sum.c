/* SPDX-License-Identifier: MPL-2.0 */
/* Sums without rounding. The random tests print their seed; give it in ZN_TEST_SEED to see a run
 * again. */
#include "test.h"

#include <float.h>
#include <math.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/exact_sum.h"

enum {
    ROUNDS = 2000,
    SUMMANDS_MAX = 40
};

static uint64_t next_random(uint64_t *seed) {
    *seed += 1;
    return zn_checksum((zn_bytes){ .data = (const uint8_t *)seed, .len = sizeof *seed });
}

static uint64_t first_seed(void) {
    const char *given = getenv("ZN_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : zn_random_id();
    print_message("ZN_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static void expect_sum(const double *values, size_t count, double expected) {
    zn_exact_sum sum = { 0 };
    for (size_t i = 0; i < count; i++) {
        zn_exact_sum_add_double(&sum, values[i]);
    }
    double rounded = zn_exact_sum_round(&sum, 0);
    assert_memory_equal(&rounded, &expected, sizeof expected);
    rounded = zn_exact_sum_round(&sum, 0);
    assert_memory_equal(&rounded, &expected, sizeof expected);
    zn_exact_sum_free(&sum);
}

#define EXPECT_SUM(expected, ...)                                                                  \
    expect_sum((const double[]){ __VA_ARGS__ },                                                    \
               sizeof((const double[]){ __VA_ARGS__ }) / sizeof(double), (expected))

/* What adding one by one would lose or overflow is there. */
static void test_exact_sum_loses_nothing(void **state) {
    (void)state;
    expect_sum(NULL, 0, 0.0);
    EXPECT_SUM(0.0, 0.0);
    EXPECT_SUM(1.0, 1e100, 1.0, -1e100);
    EXPECT_SUM(2.0, 1e16, 1.0, 1.0, -1e16);
    EXPECT_SUM(DBL_MAX, DBL_MAX, DBL_MAX, -DBL_MAX);
    EXPECT_SUM(INFINITY, DBL_MAX, DBL_MAX);
    EXPECT_SUM(-INFINITY, -DBL_MAX, -DBL_MAX);
    EXPECT_SUM(DBL_TRUE_MIN, DBL_MAX, DBL_TRUE_MIN, -DBL_MAX);
    EXPECT_SUM(-DBL_TRUE_MIN, -DBL_TRUE_MIN);
    EXPECT_SUM(DBL_MIN, DBL_MIN - DBL_TRUE_MIN, DBL_TRUE_MIN);
    EXPECT_SUM(0.0, 0.1, -0.1, 1e-320, -1e-320);
    EXPECT_SUM(1.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1);
    EXPECT_SUM(-4.0, -1.5, -2.5);
}

/* Halves go to the even neighbour, and the smallest bit below decides. */
static void test_exact_sum_rounds_to_even(void **state) {
    (void)state;
    EXPECT_SUM(0x1p53, 0x1p53, 1.0);
    EXPECT_SUM(0x1p53 + 4, 0x1p53 + 2, 1.0);
    EXPECT_SUM(0x1p53 + 2, 0x1p53, 1.0, DBL_TRUE_MIN);
    EXPECT_SUM(0x1p53, 0x1p53, 1.0, -DBL_TRUE_MIN);
    EXPECT_SUM(-0x1p53, -0x1p53, -1.0);
    EXPECT_SUM(DBL_MAX, DBL_MAX, 0x1p969);
    EXPECT_SUM(INFINITY, DBL_MAX, 0x1p970);
    zn_exact_sum large = { 0 };
    zn_exact_sum_add_double(&large, DBL_MAX);
    zn_exact_sum_add_double(&large, DBL_MAX);
    assert_true(zn_exact_sum_round(&large, 1) == DBL_MAX);
    zn_exact_sum_free(&large);
}

/* Integers of any size go in, with doubles too. */
static void test_exact_sum_of_integers(void **state) {
    (void)state;
    zn_exact_sum sum = { 0 };
    __int128 large = (__int128)UINT64_MAX << 60;
    zn_exact_sum_add_integer(&sum, large);
    zn_exact_sum_add_integer(&sum, -large);
    zn_exact_sum_add_integer(&sum, INT64_MIN);
    zn_exact_sum_add_integer(&sum, 3);
    zn_exact_sum_add_double(&sum, 0x1p63);
    zn_exact_sum_add_double(&sum, 0.25);
    assert_true(zn_exact_sum_round(&sum, 0) == 3.25);
    zn_exact_sum_free(&sum);
}

/* A multiple of 2^-300, small enough that the sum of all fits into 128 bits. */
static double random_double(uint64_t *seed, __int128 *exact) {
    int64_t bits = (int64_t)next_random(seed) >> (11 + next_random(seed) % 50);
    unsigned shift = (unsigned)(next_random(seed) % 60);
    *exact += (__int128)bits * ((__int128)1 << shift);
    return ldexp((double)bits, (int)shift - 300);
}

/* Adds the settled chunks of `from`. */
static void merge(zn_exact_sum *sum, zn_exact_sum *from) {
    zn_exact_sum_settle(from);
    for (uint32_t i = 0; i < from->count; i++) {
        assert_true(zn_exact_sum_add_chunk(sum, from->first + i, from->chunks[i]));
    }
    zn_exact_sum_free(from);
}

/* Against integers of 128 bits; the parts may be put together in any way. */
static void test_exact_sum_is_that_of_integers(void **state) {
    (void)state;
    uint64_t seed = first_seed();
    for (int round = 0; round < ROUNDS; round++) {
        zn_exact_sum parts[3] = { 0 };
        __int128 exact = 0;
        size_t count = next_random(&seed) % SUMMANDS_MAX;
        for (size_t i = 0; i < count; i++) {
            zn_exact_sum_add_double(&parts[next_random(&seed) % 3], random_double(&seed, &exact));
        }
        merge(&parts[0], &parts[2]);
        merge(&parts[1], &parts[0]);
        double expected = ldexp((double)exact, -300);
        assert_true(zn_exact_sum_round(&parts[1], 0) == expected);
        zn_exact_sum_free(&parts[1]);
    }
}

/* Doubles of all magnitudes: their negatives bring the sum back to the one that was left out. */
static void test_exact_sum_takes_back_what_was_added(void **state) {
    (void)state;
    uint64_t seed = first_seed();
    for (int round = 0; round < ROUNDS; round++) {
        zn_exact_sum sum = { 0 };
        double values[SUMMANDS_MAX];
        for (size_t i = 0; i < SUMMANDS_MAX; i++) {
            uint64_t raw = next_random(&seed);
            memcpy(&values[i], &raw, sizeof raw);
            values[i] = isfinite(values[i]) ? values[i] : 1.5;
            zn_exact_sum_add_double(&sum, values[i]);
        }
        for (size_t i = 1; i < SUMMANDS_MAX; i++) {
            zn_exact_sum_add_double(&sum, -values[i]);
        }
        assert_true(zn_exact_sum_round(&sum, 0) == values[0]);
        assert_true(sum.capacity <= ZN_EXACT_CHUNKS_MAX);
        zn_exact_sum_free(&sum);
    }
}

/* Chunks from outside are checked; the largest ones are no trouble. */
static void test_exact_sum_refuses_impossible_chunks(void **state) {
    (void)state;
    zn_exact_sum sum = { 0 };
    assert_false(zn_exact_sum_add_chunk(&sum, 0, INT64_C(1) << 32));
    assert_false(zn_exact_sum_add_chunk(&sum, 0, (int64_t)INT32_MIN - 1));
    assert_false(zn_exact_sum_add_chunk(&sum, 69, 1));
    assert_false(zn_exact_sum_add_chunk(&sum, UINT64_MAX, 1));
    for (int i = 0; i < 1000; i++) {
        assert_true(zn_exact_sum_add_chunk(&sum, 68, UINT32_MAX));
    }
    assert_true(isinf(zn_exact_sum_round(&sum, 0)));
    zn_exact_sum_free(&sum);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_sum_loses_nothing),
        cmocka_unit_test(test_exact_sum_rounds_to_even),
        cmocka_unit_test(test_exact_sum_of_integers),
        cmocka_unit_test(test_exact_sum_is_that_of_integers),
        cmocka_unit_test(test_exact_sum_takes_back_what_was_added),
        cmocka_unit_test(test_exact_sum_refuses_impossible_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
