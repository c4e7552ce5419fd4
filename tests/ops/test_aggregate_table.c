/* SPDX-License-Identifier: MPL-2.0 */
/* The hash table of aggregate: what is in it is found, and its memory is asked for and given back.
 */
#include "test.h"

#include "base/limits.h"
#include "ops/aggregate_table.h"

enum {
    KEYS = 20000,
    STATE_BYTES = 24
};

static void *find(zn_aggregate_table *table, zn_bytes key) {
    return zn_aggregate_table_find(table, key, zn_aggregate_table_hash(key), 3, STATE_BYTES);
}

/* The key number `i`: 0 to 30 bytes, all different. */
static zn_bytes key_of(unsigned i, char out[32]) {
    int len = snprintf(out, 32, "%0*u", (int)(i % 30) + 1, i);
    return (zn_bytes){ (const uint8_t *)out, i == 0 ? 0 : (size_t)len };
}

/* Keys with their states, through all growth, in the order in which they came. */
static void test_aggregate_table_keeps_what_it_gets(void **state) {
    (void)state;
    zn_aggregate_table *table = zn_aggregate_table_new();
    char text[32];
    for (int round = 0; round < 2; round++) {
        zn_aggregate_table_begin(table, NULL);
        for (unsigned pass = 0; pass < 3; pass++) {
            for (unsigned i = 0; i < KEYS; i++) {
                uint64_t *values = find(table, key_of(i, text));
                assert_non_null(values);
                assert_int_equal((uintptr_t)values % 8, 0);
                assert_int_equal(values[0], pass == 0 ? 0 : i + pass);
                assert_int_equal(values[2], 0);
                values[0] = i + pass + 1;
            }
        }
        zn_aggregate_entry entry;
        size_t at = 0;
        for (unsigned i = 0; i < KEYS; i++) {
            assert_true(zn_aggregate_table_next(table, &at, &entry));
            assert_true(zn_bytes_equal(entry.key, key_of(i, text)));
            assert_int_equal(entry.tag, 3);
            assert_int_equal(((uint64_t *)entry.state)[0], i + 3);
        }
        assert_false(zn_aggregate_table_next(table, &at, &entry));
        zn_aggregate_table_end(table);
    }
    zn_aggregate_table_destroy(&table);
    assert_null(table);
    zn_aggregate_table_destroy(&table);
}

/* Adds keys until there is no room; returns how many there were. */
static unsigned fill(zn_aggregate_table *table) {
    char text[32];
    unsigned count = 0;
    while (count < 1000000 && find(table, key_of(count, text)) != NULL) {
        count++;
    }
    return count;
}

/* A table takes half of what is left, never more, and gives all back. */
static void test_aggregate_table_asks_for_memory(void **state) {
    (void)state;
    zn_memory memory = { .limit = 4 * ZN_MIB };
    zn_aggregate_table *table = zn_aggregate_table_new();
    zn_aggregate_table_begin(table, &memory);
    uint64_t least = memory.used;
    unsigned count = fill(table);
    assert_in_range(count, 10000, 50000);
    assert_in_range(memory.peak, ZN_MIB, 2 * ZN_MIB);
    zn_aggregate_table_clear(table);
    assert_int_equal(memory.used, least);
    assert_int_equal(fill(table), count);
    zn_aggregate_table_end(table);
    assert_int_equal(memory.used, 0);
    zn_aggregate_table_end(table);
    assert_int_equal(memory.used, 0);
    zn_aggregate_table_destroy(&table);
}

/* Without any memory there is room for a little, and for one key of any size. */
static void test_aggregate_table_works_without_memory(void **state) {
    (void)state;
    zn_memory memory = { .limit = 10, .used = 10 };
    zn_aggregate_table *table = zn_aggregate_table_new();
    zn_aggregate_table_begin(table, &memory);
    zn_buf large = { 0 };
    zn_buf_reserve(&large, 2 * ZN_KEY_BYTES_MAX);
    memset(large.data, 'x', 2 * ZN_KEY_BYTES_MAX);
    zn_bytes key = { large.data, 2 * ZN_KEY_BYTES_MAX };
    assert_non_null(find(table, key));
    assert_non_null(find(table, key));
    large.data[0] = 'y';
    assert_null(find(table, key));
    zn_aggregate_table_clear(table);
    unsigned count = fill(table);
    assert_in_range(count, 100, 1000);
    assert_false(zn_aggregate_table_charge(table, 1));
    zn_aggregate_table_end(table);
    assert_int_equal(memory.used, 10);
    zn_aggregate_table_destroy(&table);
    zn_buf_free(&large);
}

/* What states hold outside is charged as it grows, and is no longer once they are forgotten. */
static void test_aggregate_table_charges_what_states_hold(void **state) {
    (void)state;
    zn_memory memory = { .limit = 4 * ZN_MIB };
    zn_aggregate_table *table = zn_aggregate_table_new();
    zn_aggregate_table_begin(table, &memory);
    char text[32];
    assert_non_null(find(table, key_of(1, text)));
    uint64_t least = memory.used;
    assert_true(zn_aggregate_table_charge(table, ZN_MIB));
    assert_in_range(memory.used, least + ZN_MIB, least + ZN_MIB + 64 * ZN_KIB);
    uint64_t used = memory.used;
    assert_true(zn_aggregate_table_charge(table, 100));
    assert_int_equal(memory.used, used);
    assert_false(zn_aggregate_table_charge(table, 3 * ZN_MIB));
    assert_true(memory.used >= least + 3 * ZN_MIB);
    zn_aggregate_table_clear(table);
    assert_int_equal(memory.used, least);
    zn_aggregate_table_destroy(&table);
    assert_int_equal(memory.used, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aggregate_table_keeps_what_it_gets),
        cmocka_unit_test(test_aggregate_table_asks_for_memory),
        cmocka_unit_test(test_aggregate_table_works_without_memory),
        cmocka_unit_test(test_aggregate_table_charges_what_states_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
