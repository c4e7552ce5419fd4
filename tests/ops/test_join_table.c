/* SPDX-License-Identifier: MPL-2.0 */
/* The table of a broadcast join: what is in it comes out in order, and its memory is accounted. */
#include "test.h"

#include "ops/join_table.h"
#include "record/value.h"

enum {
    KEYS = 5000,
    RECORDS = 20000
};

static zn_bytes number_key(uint32_t number, uint8_t *out) {
    zn_put_u32(out, number);
    return (zn_bytes){ out, 4 };
}

static void add(zn_join_table *table, uint32_t key, const char *record) {
    uint8_t bytes[4];
    zonda_error error = { 0 };
    assert_ok(zn_join_table_add(table, number_key(key, bytes), zn_bytes_of_text(record), &error),
              error);
}

static zonda_err collect(void *context, zn_bytes record, zonda_error *error) {
    (void)error;
    zn_buf_printf(context, "%.*s ", TEST_TEXT(record));
    return ZONDA_OK;
}

static char *records_of(const zn_join_table *table, uint32_t key) {
    uint8_t bytes[4];
    zonda_error error = { 0 };
    zn_buf text = { 0 };
    uint32_t first = zn_join_table_find(table, number_key(key, bytes));
    assert_ok(zn_join_table_each(table, first, collect, &text, &error), error);
    zn_buf_append_byte(&text, '\0');
    return (char *)text.data;
}

/* Records of a key come in the order in which they were added, however the table has grown. */
static void test_join_table_keeps_the_order_of_a_key(void **state) {
    (void)state;
    zn_memory memory = { .limit = UINT64_MAX };
    zn_join_table *table = zn_join_table_new(&memory, true);
    char text[16];
    for (uint32_t i = 0; i < RECORDS; i++) {
        snprintf(text, sizeof text, "r%u", i);
        add(table, i % KEYS, text);
    }
    zonda_error error = { 0 };
    assert_ok(zn_join_table_finish(table, &error), error);
    assert_true(memory.used > RECORDS * sizeof text);
    for (uint32_t key = 0; key < KEYS; key++) {
        char expected[64];
        snprintf(expected, sizeof expected, "r%u r%u r%u r%u ", key, key + KEYS, key + 2 * KEYS,
                 key + 3 * KEYS);
        char *records = records_of(table, key);
        assert_string_equal(records, expected);
        free(records);
    }
    uint8_t bytes[4];
    assert_int_equal(zn_join_table_find(table, number_key(KEYS, bytes)), ZN_JOIN_TABLE_NONE);
    char *none = records_of(table, KEYS);
    assert_string_equal(none, "");
    free(none);
    zn_join_table_destroy(&table);
    assert_int_equal(memory.used, 0);
}

/* Where only keys are wanted a key is kept once. */
static void test_join_table_of_keys_keeps_each_once(void **state) {
    (void)state;
    zn_memory memory = { .limit = UINT64_MAX };
    zn_join_table *table = zn_join_table_new(&memory, true);
    add(table, 7, "");
    uint64_t used = memory.used;
    for (unsigned i = 0; i < 1000; i++) {
        add(table, 7, "");
    }
    assert_int_equal(memory.used, used);
    uint8_t bytes[4];
    assert_int_equal(zn_join_table_find(table, number_key(7, bytes)), 0);
    zn_join_table_destroy(&table);
}

/* What does not fit is counted to the end, so that the error can say how much it is. */
static void test_join_table_above_the_limit_says_its_size(void **state) {
    (void)state;
    zn_memory memory = { .limit = 1000 };
    zn_join_table *table = zn_join_table_new(&memory, true);
    for (uint32_t i = 0; i < 100; i++) {
        add(table, i, "0123456789");
    }
    assert_true(memory.used <= 1000);
    zonda_error error = { 0 };
    assert_err(zn_join_table_finish(table, &error), LIMIT);
    assert_true(error.permanent);
    unsigned long long size = 0;
    assert_int_equal(sscanf(error.text, "the right side takes %llu bytes of memory", &size), 1);
    assert_in_range(size, 100 * 14, 100 * 14 * 10);
    assert_non_null(strstr(error.text, "the limit of 1000; give slots more memory, or join "
                                       "without broadcast"));
    zn_join_table_destroy(&table);
    assert_int_equal(memory.used, 0);
}

/* The planner's choice is no reason to fail. */
static void test_join_table_without_limit_is_charged_by_force(void **state) {
    (void)state;
    zn_memory memory = { .limit = 1000 };
    zn_join_table *table = zn_join_table_new(&memory, false);
    for (uint32_t i = 0; i < 100; i++) {
        add(table, i, "0123456789");
    }
    zonda_error error = { 0 };
    assert_ok(zn_join_table_finish(table, &error), error);
    assert_true(memory.used > 1000);
    char *records = records_of(table, 99);
    assert_string_equal(records, "0123456789 ");
    free(records);
    zn_join_table_destroy(&table);
    assert_int_equal(memory.used, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join_table_keeps_the_order_of_a_key),
        cmocka_unit_test(test_join_table_of_keys_keeps_each_once),
        cmocka_unit_test(test_join_table_above_the_limit_says_its_size),
        cmocka_unit_test(test_join_table_without_limit_is_charged_by_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
