/* SPDX-License-Identifier: MPL-2.0 */
/* States of expressions: what they compute, and that it does not depend on how the values are cut
 * into states. The random test prints its seed; give it in ZN_TEST_SEED to see a run again. */
#include "test.h"

#include <math.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "fake_host.h"
#include "ops/aggregate_state.h"
#include "record/json.h"

enum {
    ROUNDS = 3000,
    VALUES_MAX = 30
};

/* A group of one expression. */
typedef struct group {
    zn_buf args;
    zn_aggregate aggregate;
    zn_aggregate_heap heap;
    uint64_t states[8];
} group;

static const zn_aggregate_kind_def *def_of(const group *self) {
    return zn_aggregate_kind_def_of(self->aggregate.exprs[0].kind);
}

static void open_group(group *self, const char *expr) {
    zonda_error error = { 0 };
    *self = (group){ .heap = { .room = ZN_RECORD_BYTES_MAX, .value_bytes = UINT64_MAX } };
    zn_put_map(&self->args, 1);
    zn_put_text(&self->args, "exprs");
    zn_put_map(&self->args, 1);
    zn_put_text(&self->args, "x");
    zn_put_text(&self->args, expr);
    assert_ok(zn_aggregate_read(zn_buf_bytes(&self->args), &self->aggregate, &error), error);
    assert_true(zn_aggregate_states_bytes(&self->aggregate) <= sizeof self->states);
}

static void close_group(group *self) {
    zn_aggregate_states_clear(&self->aggregate, &self->heap, self->states);
    assert_int_equal(self->heap.bytes, 0);
    zn_buf_free(&self->heap.key);
    zn_aggregate_free(&self->aggregate);
    zn_buf_free(&self->args);
}

static zonda_err update(group *self, zn_bytes value, zonda_error *error) {
    return def_of(self)->update(&self->heap, &self->aggregate.exprs[0], self->states, value, error);
}

/* What is in the state goes, in its stored form, into `to`. */
static void give_on(group *self, group *to) {
    zonda_error error = { 0 };
    zn_buf stored = { 0 };
    zn_aggregate_states_put(&self->aggregate, &self->heap, self->states, &stored);
    assert_ok(zn_value_check(zn_buf_bytes(&stored), &error), error);
    zn_aggregate_states_clear(&self->aggregate, &self->heap, self->states);
    assert_int_equal(self->heap.bytes, 0);
    assert_ok(zn_aggregate_states_merge(&to->aggregate, &to->heap, to->states,
                                        zn_buf_bytes(&stored), &error),
              error);
    zn_buf_free(&stored);
}

static zonda_err result_of(group *self, zn_buf *out, zonda_error *error) {
    return def_of(self)->result(&self->heap, &self->aggregate.exprs[0], self->states, out, error);
}

/* Values are a JSON array; the result is JSON too, or the name of an error. */
static void expect(const char *expr, const char *values, const char *expected) {
    zonda_error error = { 0 };
    group whole;
    zn_buf list = { 0 };
    zn_buf result = { 0 };
    zn_buf json = { 0 };
    open_group(&whole, expr);
    fake_json(values, &list);
    zn_cursor cursor = zn_cursor_of(zn_buf_bytes(&list));
    zonda_err err = ZONDA_OK;
    for (uint32_t left = zn_cursor_read(&cursor).count; left > 0 && err == ZONDA_OK; left--) {
        err = update(&whole, zn_cursor_skip(&cursor), &error);
    }
    if (err == ZONDA_OK) {
        err = result_of(&whole, &result, &error);
    }
    if (err == ZONDA_OK) {
        assert_ok(zn_json_write(zn_buf_bytes(&result), &json, &error), error);
    } else {
        assert_true(error.permanent);
        zn_buf_append_text(&json, zonda_err_name(err));
    }
    zn_buf_append_byte(&json, '\0');
    assert_string_equal((const char *)json.data, expected);
    close_group(&whole);
    zn_buf_free(&json);
    zn_buf_free(&result);
    zn_buf_free(&list);
}

/* Integers stay integers; only the whole sum has to fit, into what the values are. */
static void test_aggregate_sum_of_integers(void **state) {
    (void)state;
    expect("sum(f)", "[]", "null");
    expect("sum(f)", "[1,2,-5]", "-2");
    expect("sum(f)", "[9223372036854775807]", "9223372036854775807");
    expect("sum(f)", "[9223372036854775807,1]", "LIMIT");
    expect("sum(f)", "[9223372036854775807,1,-1]", "9223372036854775807");
    expect("sum(f)", "[9223372036854775807,9223372036854775807,-9223372036854775807]",
           "9223372036854775807");
    expect("sum(f)", "[-9223372036854775808]", "-9223372036854775808");
    expect("sum(f)", "[-9223372036854775808,-1]", "LIMIT");
    expect("sum(f)", "[9223372036854775808]", "9223372036854775808");
    expect("sum(f)", "[9223372036854775808,9223372036854775807]", "18446744073709551615");
    expect("sum(f)", "[18446744073709551615,1]", "LIMIT");
    expect("sum(f)", "[1,\"2\"]", "BAD_RECORD");
    expect("sum(f)", "[true]", "BAD_RECORD");
}

/* A double among them makes a double, which is rounded once. */
static void test_aggregate_sum_with_doubles(void **state) {
    (void)state;
    expect("sum(f)", "[1,2.5]", "3.5");
    expect("sum(f)", "[1,2.0]", "3.0");
    expect("sum(f)", "[1e16,1,1,-1e16]", "2.0");
    expect("sum(f)", "[9223372036854775807,9223372036854775807,0.5]", "1.8446744073709552e+19");
    expect("sum(f)", "[0.1,0.2,0.3,-0.3,-0.2,-0.1]", "0.0");
    expect("mean(f)", "[]", "null");
    expect("mean(f)", "[1,2]", "1.5");
    expect("mean(f)", "[9223372036854775807,9223372036854775807]", "9.223372036854776e+18");
    expect("mean(f)", "[1.7976931348623157e308,1.7976931348623157e308]", "1.7976931348623157e+308");
}

/* Infinities and NaN go through, whatever they meet. */
static void test_aggregate_sum_of_specials(void **state) {
    (void)state;
    static const struct {
        double values[3];
        double expected;
    } rows[] = { { { 1, INFINITY, 2 }, INFINITY },
                 { { -INFINITY, 1, 1 }, -INFINITY },
                 { { INFINITY, -INFINITY, 1 }, NAN },
                 { { NAN, INFINITY, 1 }, NAN } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        group whole;
        group part;
        open_group(&whole, "sum(f)");
        open_group(&part, "sum(f)");
        for (int j = 0; j < 3; j++) {
            zonda_error error = { 0 };
            zn_buf value = { 0 };
            zn_put_double(&value, rows[i].values[j]);
            assert_ok(update(&part, zn_buf_bytes(&value), &error), error);
            give_on(&part, &whole);
            zn_buf_free(&value);
        }
        zn_buf result = { 0 };
        assert_int_equal(result_of(&whole, &result, NULL), ZONDA_OK);
        double sum = zn_value_head(zn_buf_bytes(&result)).number;
        assert_true(isnan(rows[i].expected) ? isnan(sum) : sum == rows[i].expected);
        zn_buf_free(&result);
        close_group(&part);
        close_group(&whole);
    }
}

/* Values come out as they came in; the order is that of keys, the first of equal ones stays. */
static void test_aggregate_of_values(void **state) {
    (void)state;
    expect("count(f)", "[1,\"x\"]", "2");
    expect("min(f)", "[]", "null");
    expect("min(f)", "[3,2.0,2,\"a\"]", "2.0");
    expect("max(f)", "[3,2.0,3.0]", "3");
    expect("max(f)", "[3,\"a\",[1],{\"b\":1,\"a\":2}]", "{\"b\":1,\"a\":2}");
    expect("min(f)", "[false,-1e300]", "false");
    expect("first(f)", "[]", "null");
    expect("first(f)", "[[5],6]", "[5]");
    expect("last(f)", "[5,\"six\"]", "\"six\"");
    expect("list(f)", "[]", "[]");
    expect("list(f)", "[1,[2],\"3\",1]", "[1,[2],\"3\",1]");
}

static uint64_t next_random(uint64_t *seed) {
    *seed += 1;
    return zn_checksum((zn_bytes){ .data = (const uint8_t *)seed, .len = sizeof *seed });
}

static void put_random(uint64_t *seed, bool numbers, zn_buf *out) {
    uint64_t random = next_random(seed);
    unsigned shift = (unsigned)(next_random(seed) % 64);
    switch (random % (numbers ? 3 : 5)) {
    case 0:
        zn_put_int(out, (int64_t)(random >> 32) - INT64_C(0x80000000));
        break;
    case 1:
        zn_put_double(out, ldexp((double)(int64_t)random, (int)shift - 100));
        break;
    case 2:
        zn_put_int(out, (int64_t)random >> shift);
        break;
    case 3:
        zn_put_text(out, shift % 2 == 0 ? "a" : "b");
        break;
    default:
        zn_put_array(out, 1);
        zn_put_uint(out, shift % 4);
        break;
    }
}

/* The same values in one state, and cut into many that are put together in order. */
static void compare_cuts(const char *expr, bool numbers, uint64_t *seed) {
    zonda_error error = { 0 };
    group whole;
    group part;
    group total;
    open_group(&whole, expr);
    open_group(&part, expr);
    open_group(&total, expr);
    zn_buf value = { 0 };
    for (uint64_t left = next_random(seed) % VALUES_MAX; left > 0; left--) {
        value.len = 0;
        put_random(seed, numbers, &value);
        assert_ok(update(&whole, zn_buf_bytes(&value), &error), error);
        assert_ok(update(&part, zn_buf_bytes(&value), &error), error);
        if (next_random(seed) % 4 == 0) {
            give_on(&part, &total);
        }
    }
    give_on(&part, &total);
    zn_buf one = { 0 };
    zn_buf other = { 0 };
    zonda_err err = result_of(&whole, &one, &error);
    assert_int_equal(result_of(&total, &other, &error), err);
    assert_int_equal(one.len, other.len);
    assert_int_equal(one.len == 0 ? 0 : memcmp(one.data, other.data, one.len), 0);
    zn_buf_free(&one);
    zn_buf_free(&other);
    zn_buf_free(&value);
    close_group(&whole);
    close_group(&part);
    close_group(&total);
}

static void test_aggregate_does_not_depend_on_cuts(void **state) {
    (void)state;
    const char *given = getenv("ZN_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : zn_random_id();
    print_message("ZN_TEST_SEED=%llu\n", (unsigned long long)seed);
    for (int i = 0; i < ROUNDS; i++) {
        compare_cuts("sum(f)", true, &seed);
        compare_cuts("mean(f)", true, &seed);
        compare_cuts("count(f)", false, &seed);
        compare_cuts("min(f)", false, &seed);
        compare_cuts("max(f)", false, &seed);
        compare_cuts("first(f)", false, &seed);
        compare_cuts("last(f)", false, &seed);
        compare_cuts("list(f)", false, &seed);
    }
}

static void take(group *self, const char *json, uint64_t count, zonda_err expected) {
    zonda_error error = { 0 };
    zn_buf value = { 0 };
    fake_json(json, &value);
    for (uint64_t i = 0; i < count; i++) {
        assert_ok(update(self, zn_buf_bytes(&value), &error), error);
    }
    assert_int_equal(def_of(self)->take(&self->heap, &self->aggregate.exprs[0], self->states,
                                        zn_buf_bytes(&value), count, &error),
                     expected);
    zn_buf_free(&value);
}

/* The value of a quantile, of 1 (once), 2 (three times) and 7 (six times). */
static void expect_quantile(const char *expr, int64_t expected) {
    static const uint64_t counts[] = { 1, 3, 6 };
    static const char *const values[] = { "1", "2", "7" };
    zonda_error error = { 0 };
    group whole;
    open_group(&whole, expr);
    for (int i = 0; i < 3; i++) { /* all are counted before the first is taken */
        zn_buf value = { 0 };
        fake_json(values[i], &value);
        for (uint64_t j = 0; j < counts[i]; j++) {
            assert_ok(update(&whole, zn_buf_bytes(&value), &error), error);
        }
        zn_buf_free(&value);
    }
    for (int i = 0; i < 3; i++) {
        zn_buf value = { 0 };
        fake_json(values[i], &value);
        def_of(&whole)->take(&whole.heap, &whole.aggregate.exprs[0], whole.states,
                             zn_buf_bytes(&value), counts[i], &error);
        zn_buf_free(&value);
    }
    zn_buf result = { 0 };
    assert_ok(result_of(&whole, &result, &error), error);
    assert_int_equal(zn_value_head(zn_buf_bytes(&result)).integer, expected);
    zn_buf_free(&result);
    close_group(&whole);
}

static void test_aggregate_quantile_is_a_value(void **state) {
    (void)state;
    expect_quantile("quantile(f, 0)", 1);
    expect_quantile("quantile(f, 0.1)", 1);
    expect_quantile("quantile(f, 0.11)", 2);
    expect_quantile("quantile(f, 0.4)", 2);
    expect_quantile("quantile(f, 0.41)", 7);
    expect_quantile("quantile(f, 1)", 7);
}

/* Lists grow up to the size of a record. */
static void test_aggregate_lists_are_bounded(void **state) {
    (void)state;
    group whole;
    open_group(&whole, "distinct(f)");
    whole.heap.room = 5;
    take(&whole, "\"ab\"", 1, ZONDA_OK);
    take(&whole, "\"b\"", 1, ZONDA_OK);
    take(&whole, "1", 1, ZONDA_ERR_LIMIT);
    close_group(&whole);
}

/* Stored forms come from other hosts: what cannot be one is corrupt. */
static void test_aggregate_bad_stored_forms_are_corrupt(void **state) {
    (void)state;
    static const struct {
        const char *expr;
        const char *stored;
    } rows[] = {
        { "sum(f)", "1" },
        { "sum(f)", "[]" },
        { "sum(f)", "[[1]]" },
        { "sum(f)", "[[1,\"x\"]]" },
        { "sum(f)", "[[-1,1]]" },
        { "sum(f)", "[[1,99,0,0,0]]" },
        { "sum(f)", "[[1,0,0]]" },
        { "sum(f)", "[[1,1,0,0,69,1]]" },
        { "sum(f)", "[[1,1,0,0,18446744073709551615,1]]" },
        { "sum(f)", "[[1,1,0,0,2,\"x\"]]" },
        { "sum(f)", "[[1,1,0,0,2,9223372036854775807]]" },
        { "count(f)", "[\"x\"]" },
        { "count(f)", "[-1]" },
        { "list(f)", "[{}]" },
        { "quantile(f, 1)", "[-1]" },
        { "min(f)", "[1,2]" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        zonda_error error = { 0 };
        group whole;
        zn_buf stored = { 0 };
        open_group(&whole, rows[i].expr);
        fake_json(rows[i].stored, &stored);
        assert_err(zn_aggregate_states_merge(&whole.aggregate, &whole.heap, whole.states,
                                             zn_buf_bytes(&stored), &error),
                   CORRUPT);
        zn_buf_free(&stored);
        close_group(&whole);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aggregate_sum_of_integers),
        cmocka_unit_test(test_aggregate_sum_with_doubles),
        cmocka_unit_test(test_aggregate_sum_of_specials),
        cmocka_unit_test(test_aggregate_of_values),
        cmocka_unit_test(test_aggregate_does_not_depend_on_cuts),
        cmocka_unit_test(test_aggregate_quantile_is_a_value),
        cmocka_unit_test(test_aggregate_lists_are_bounded),
        cmocka_unit_test(test_aggregate_bad_stored_forms_are_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
