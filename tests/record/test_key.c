/* SPDX-License-Identifier: MPL-2.0 */
/* Keys: their order is that of values, whatever is in them. The random tests print their seed; give
 * it in ZN_TEST_SEED to see a run again. */
#include "test.h"

#include <math.h>

#include "base/clock.h"
#include "base/limits.h"
#include "key_model.h"
#include "record/key.h"

enum {
    ROUNDS = 20000,
    DEPTH = 3,
    DAMAGES = 8
};

static uint64_t first_seed(void) {
    const char *given = getenv("ZN_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : zn_random_id();
    print_message("ZN_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static int sign(int order) {
    return (order > 0) - (order < 0);
}

static bool begins_with(zn_bytes key, zn_bytes prefix) {
    return prefix.len <= key.len && memcmp(key.data, prefix.data, prefix.len) == 0;
}

static void put_key(zn_buf *out, const tree *value) {
    zonda_error error = { 0 };
    zn_buf bytes = { 0 };
    tree_put(value, &bytes);
    assert_ok(zn_value_check(zn_buf_bytes(&bytes), &error), error);
    assert_ok(zn_key_put(out, zn_buf_bytes(&bytes), &error), error);
    zn_buf_free(&bytes);
}

static zn_buf inverse_of(zn_bytes key) {
    zn_buf out = { 0 };
    zn_buf_append(&out, key.data, key.len);
    zn_key_invert(out.data, out.len);
    return out;
}

static void expect_inverse(zn_bytes a, zn_bytes b, int order) {
    zn_buf inverse_a = inverse_of(a);
    zn_buf inverse_b = inverse_of(b);
    assert_int_equal(sign(zn_key_compare(zn_buf_bytes(&inverse_a), zn_buf_bytes(&inverse_b))),
                     -order);
    assert_false(begins_with(a, zn_buf_bytes(&inverse_b)));
    assert_false(begins_with(zn_buf_bytes(&inverse_b), a));
    zn_key_invert(inverse_a.data, inverse_a.len);
    assert_memory_equal(inverse_a.data, a.data, a.len);
    zn_buf_free(&inverse_a);
    zn_buf_free(&inverse_b);
}

/* The order of two keys is that of their values; none begins as the other one. */
static void test_key_order_is_that_of_values(void **state) {
    (void)state;
    uint64_t seed = first_seed();
    zn_buf a = { 0 };
    zn_buf b = { 0 };
    for (int i = 0; i < ROUNDS; i++) {
        a.len = b.len = 0;
        tree one = tree_make(&seed, DEPTH);
        tree other = tree_make(&seed, DEPTH);
        put_key(&a, &one);
        put_key(&b, &other);
        int order = tree_compare(&one, &other);
        zn_bytes key_a = zn_buf_bytes(&a);
        zn_bytes key_b = zn_buf_bytes(&b);
        assert_int_equal(sign(zn_key_compare(key_a, key_b)), order);
        assert_int_equal(begins_with(key_a, key_b) || begins_with(key_b, key_a), order == 0);
        expect_inverse(key_a, key_b, order);
        tree_free(&one);
        tree_free(&other);
    }
    zn_buf_free(&a);
    zn_buf_free(&b);
}

/* Of two keys behind each other the first decides, then the second. */
static void test_key_concatenated_order_is_lexical(void **state) {
    (void)state;
    uint64_t seed = first_seed();
    zn_buf a = { 0 };
    zn_buf b = { 0 };
    for (int i = 0; i < ROUNDS; i++) {
        tree parts[4];
        for (int j = 0; j < 4; j++) {
            parts[j] = tree_make(&seed, (unsigned)j % 2);
        }
        a.len = b.len = 0;
        put_key(&a, &parts[0]);
        size_t first = a.len;
        put_key(&a, &parts[1]);
        put_key(&b, &parts[2]);
        put_key(&b, &parts[3]);
        int order = tree_compare(&parts[0], &parts[2]);
        order = order != 0 ? order : tree_compare(&parts[1], &parts[3]);
        assert_int_equal(sign(zn_key_compare(zn_buf_bytes(&a), zn_buf_bytes(&b))), order);
        assert_int_equal(zn_key_first(zn_buf_bytes(&a)), first);
        for (int j = 0; j < 4; j++) {
            tree_free(&parts[j]);
        }
    }
    zn_buf_free(&a);
    zn_buf_free(&b);
}

static bool model_has_nil(const tree *value) {
    bool found = value->type == ZN_VALUE_NIL;
    for (uint32_t i = 0; value->type == ZN_VALUE_ARRAY && i < value->count; i++) {
        found = found || value->items[i].type == ZN_VALUE_NIL;
    }
    return found;
}

/* A key gives back a value that is equal; a part of a key is none. */
static void test_key_value_round_trip(void **state) {
    (void)state;
    uint64_t seed = first_seed();
    zn_buf key = { 0 };
    zn_buf value = { 0 };
    zn_buf again = { 0 };
    for (int i = 0; i < ROUNDS; i++) {
        zonda_error error = { 0 };
        key.len = value.len = again.len = 0;
        tree one = tree_make(&seed, DEPTH);
        put_key(&key, &one);
        assert_int_equal(zn_key_first(zn_buf_bytes(&key)), key.len);
        assert_int_equal(zn_key_has_nil(zn_buf_bytes(&key)), model_has_nil(&one));
        assert_ok(zn_key_value(zn_buf_bytes(&key), &value, &error), error);
        assert_ok(zn_value_check(zn_buf_bytes(&value), &error), error);
        assert_ok(zn_key_put(&again, zn_buf_bytes(&value), &error), error);
        assert_int_equal(zn_key_compare(zn_buf_bytes(&key), zn_buf_bytes(&again)), 0);
        size_t cut = (size_t)(tree_random(&seed) % key.len);
        assert_int_equal(zn_key_first((zn_bytes){ key.data, cut }), 0);
        value.len = 0;
        assert_err(zn_key_value((zn_bytes){ key.data, cut }, &value, &error), CORRUPT);
        assert_int_equal(value.len, 0);
        tree_free(&one);
    }
    zn_buf_free(&key);
    zn_buf_free(&value);
    zn_buf_free(&again);
}

/* Damaged keys are refused, or are keys of something else. */
static void test_key_damage_is_survived(void **state) {
    (void)state;
    uint64_t seed = first_seed();
    zn_buf key = { 0 };
    zn_buf value = { 0 };
    for (int i = 0; i < ROUNDS; i++) {
        zonda_error error = { 0 };
        key.len = value.len = 0;
        tree one = tree_make(&seed, DEPTH);
        put_key(&key, &one);
        for (int j = 0; j < DAMAGES; j++) {
            uint64_t random = tree_random(&seed);
            key.data[(random >> 32) % key.len] =
                (uint8_t)(random % 4 == 0 ? random >> 8 & 3 : random >> 8);
            zn_bytes damaged = { key.data, key.len };
            size_t first = zn_key_first(damaged);
            assert_true(first <= key.len);
            zn_key_has_nil(damaged);
            value.len = 0;
            if (zn_key_value(damaged, &value, &error) == ZONDA_OK) {
                assert_int_not_equal(first, 0);
                assert_ok(zn_value_check(zn_buf_bytes(&value), &error), error);
            }
        }
        tree_free(&one);
    }
    zn_buf_free(&key);
    zn_buf_free(&value);
}

/* The key of one value that `put` has written, as a value again. */
static zn_buf value_of(zn_buf *value) {
    zonda_error error = { 0 };
    zn_buf key = { 0 };
    zn_buf out = { 0 };
    assert_ok(zn_key_put(&key, zn_buf_bytes(value), &error), error);
    assert_ok(zn_key_value(zn_buf_bytes(&key), &out, &error), error);
    zn_buf_free(&key);
    zn_buf_reset(value, 0);
    return out;
}

static void expect_double(double given) {
    zn_buf value = { 0 };
    zn_put_double(&value, given);
    zn_buf out = value_of(&value);
    zn_value head = zn_value_head(zn_buf_bytes(&out));
    if (given == trunc(given) && fabs(given) < 0x1p63) {
        assert_int_equal(head.type, ZN_VALUE_INT);
        assert_true((double)head.integer == given);
    } else if (given == 0x1p63) {
        assert_int_equal(head.type, ZN_VALUE_UINT);
        assert_true(head.uinteger == UINT64_C(1) << 63);
    } else {
        assert_int_equal(head.type, ZN_VALUE_DOUBLE);
        assert_memory_equal(&head.number, &given, sizeof given);
    }
    zn_buf_free(&out);
}

/* Whole numbers come back as integers where they fit, all others as the same double. */
static void test_key_value_of_numbers_is_exact(void **state) {
    (void)state;
    static const double doubles[] = { 0.0,        -0.0,      1.0,      -1.0,
                                      0.1,        -0.1,      0x1p52,   0x1p53,
                                      0x1p62,     0x1p63,    0x1p65,   -0x1p65,
                                      1e300,      -1e-300,   INFINITY, -INFINITY,
                                      0x1p-1074,  0x1p-1022, 1.5,      0x1.fffffffffffffp1023,
                                      0x0.8p-1022 };
    static const int64_t integers[] = {
        0, 1, -1, 127, 128, -128, INT32_MAX, INT64_MAX, INT64_MIN, INT64_MIN + 1, 255, 16384
    };
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++) {
        expect_double(doubles[i]);
    }
    zn_buf value = { 0 };
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        zn_put_int(&value, integers[i]);
        zn_buf out = value_of(&value);
        assert_true(zn_value_head(zn_buf_bytes(&out)).type == ZN_VALUE_INT);
        assert_true(zn_value_head(zn_buf_bytes(&out)).integer == integers[i]);
        zn_buf_free(&out);
    }
    zn_put_uint(&value, UINT64_MAX);
    zn_buf out = value_of(&value);
    assert_true(zn_value_head(zn_buf_bytes(&out)).uinteger == UINT64_MAX);
    zn_buf_free(&out);
    zn_buf_free(&value);
}

/* Maps come back with their fields in key order, the last of equal ones. */
static void test_key_value_of_map_has_fields_in_order(void **state) {
    (void)state;
    zn_buf value = { 0 };
    zn_put_map(&value, 3);
    zn_put_text(&value, "b");
    zn_put_int(&value, 1);
    zn_put_text(&value, "a");
    zn_put_int(&value, 2);
    zn_put_text(&value, "b");
    zn_put_int(&value, 3);
    zn_buf out = value_of(&value);
    static const uint8_t wanted[] = { 0x82, 0xa1, 'a', 2, 0xa1, 'b', 3 };
    assert_int_equal(out.len, sizeof wanted);
    assert_memory_equal(out.data, wanted, sizeof wanted);
    zn_buf_free(&out);
}

static void expect_refused(zn_bytes value) {
    zonda_error error = { 0 };
    zn_buf out = { 0 };
    zn_buf_append_text(&out, "before");
    assert_ok(zn_value_check(value, &error), error);
    assert_err(zn_key_put(&out, value, &error), BAD_RECORD);
    assert_int_equal(out.len, 6);
    zn_buf_free(&out);
}

/* NaN and extension types are refused wherever they are, and nothing is appended. */
static void test_key_without_order_is_refused(void **state) {
    (void)state;
    static const uint8_t nan[] = { 0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0 };
    static const uint8_t single_nan[] = { 0xca, 0xff, 0xc0, 0, 0 };
    static const uint8_t in_array[] = { 0x92, 1, 0xca, 0x7f, 0xc0, 0, 0 };
    static const uint8_t in_map[] = { 0x81, 0xa1, 'a', 0x91, 0xca, 0x7f, 0xc0, 0, 0 };
    static const uint8_t map_key[] = { 0x81, 0xca, 0x7f, 0xc0, 0, 0, 1 };
    static const uint8_t ext[] = { 0xd4, 5, 1 };
    static const uint8_t ext_inside[] = { 0x91, 0x91, 0xd4, 5, 1 };
    expect_refused((zn_bytes){ nan, sizeof nan });
    expect_refused((zn_bytes){ single_nan, sizeof single_nan });
    expect_refused((zn_bytes){ in_array, sizeof in_array });
    expect_refused((zn_bytes){ in_map, sizeof in_map });
    expect_refused((zn_bytes){ map_key, sizeof map_key });
    expect_refused((zn_bytes){ ext, sizeof ext });
    expect_refused((zn_bytes){ ext_inside, sizeof ext_inside });
}

/* Segments of running jobs and partitions depend on these bytes. */
static void test_key_bytes_are_short_and_fixed(void **state) {
    (void)state;
    static const uint8_t record[] = { 0x9a, 0xc0, 0xc2, 0xc3, 0,    1, 0xcc, 200,
                                      0xff, 0xa2, 0,    'x',  0xc4, 0, 0x90 };
    static const uint8_t wanted[] = { 0x58, 0x02, 0x03, 0x04, 0x06, 0x08, 0x00, 0x0f,
                                      0x90, 0x05, 0xf7, 0xff, 0x50, 0x01, 0x01, 'x',
                                      0x00, 0x51, 0x00, 0x58, 0x00, 0x00 };
    zonda_error error = { 0 };
    zn_buf key = { 0 };
    assert_ok(zn_key_put(&key, (zn_bytes){ record, sizeof record }, &error), error);
    assert_int_equal(key.len, sizeof wanted);
    assert_memory_equal(key.data, wanted, sizeof wanted);
    zn_buf_free(&key);
}

/* The deepest value is a key, and a key nested deeper is corrupt. */
static void test_key_depth_is_bounded(void **state) {
    (void)state;
    uint8_t nested[ZN_RECORD_DEPTH_MAX];
    memset(nested, 0x91, sizeof nested);
    nested[sizeof nested - 1] = 0x90;
    zonda_error error = { 0 };
    zn_buf key = { 0 };
    zn_buf value = { 0 };
    assert_ok(zn_key_put(&key, (zn_bytes){ nested, sizeof nested }, &error), error);
    assert_ok(zn_key_value(zn_buf_bytes(&key), &value, &error), error);
    assert_int_equal(value.len, sizeof nested);
    assert_memory_equal(value.data, nested, sizeof nested);
    zn_buf deeper = { 0 };
    zn_buf_append_byte(&deeper, key.data[0]);
    zn_buf_append(&deeper, key.data, key.len);
    zn_buf_append_byte(&deeper, 0);
    assert_int_equal(zn_key_first(zn_buf_bytes(&deeper)), 0);
    assert_err(zn_key_value(zn_buf_bytes(&deeper), &value, &error), CORRUPT);
    zn_buf_free(&deeper);
    zn_buf_free(&value);
    zn_buf_free(&key);
}

/* Partitions are within bounds, and keys spread over all of them. */
static void test_key_partition_spreads_keys(void **state) {
    (void)state;
    unsigned hits[7] = { 0 };
    for (int i = 0; i < 7000; i++) {
        zonda_error error = { 0 };
        zn_buf value = { 0 };
        zn_buf key = { 0 };
        zn_put_int(&value, i);
        assert_ok(zn_key_put(&key, zn_buf_bytes(&value), &error), error);
        assert_int_equal(zn_key_partition(zn_buf_bytes(&key), 1), 0);
        uint32_t partition = zn_key_partition(zn_buf_bytes(&key), 7);
        assert_true(partition < 7);
        hits[partition]++;
        zn_buf_free(&value);
        zn_buf_free(&key);
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(hits[i], 800, 1200);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_order_is_that_of_values),
        cmocka_unit_test(test_key_concatenated_order_is_lexical),
        cmocka_unit_test(test_key_value_round_trip),
        cmocka_unit_test(test_key_damage_is_survived),
        cmocka_unit_test(test_key_value_of_numbers_is_exact),
        cmocka_unit_test(test_key_value_of_map_has_fields_in_order),
        cmocka_unit_test(test_key_without_order_is_refused),
        cmocka_unit_test(test_key_bytes_are_short_and_fixed),
        cmocka_unit_test(test_key_depth_is_bounded),
        cmocka_unit_test(test_key_partition_spreads_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
