/* SPDX-License-Identifier: MPL-2.0 */
/* The table of a broadcast join: what is in it comes out in order, and its memory is accounted. */
#include "../store/folder.h"
#include "base/limits.h"
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

static uint32_t find(zn_join_table *table, uint32_t key) {
    uint8_t bytes[4];
    zonda_error error = { 0 };
    uint32_t first = 0;
    assert_ok(zn_join_table_find(table, number_key(key, bytes), &first, &error), error);
    return first;
}

static char *records_of(zn_join_table *table, uint32_t key) {
    zonda_error error = { 0 };
    zn_buf text = { 0 };
    assert_ok(zn_join_table_each(table, find(table, key), collect, &text, &error), error);
    zn_buf_append_byte(&text, '\0');
    return (char *)text.data;
}

/* Adds many records of many keys, and looks all of them up. */
static void check_order(zn_memory *memory, const char *folder) {
    zn_join_table *table = zn_join_table_new(memory, folder);
    char text[16];
    for (uint32_t i = 0; i < RECORDS; i++) {
        snprintf(text, sizeof text, "r%u", i);
        add(table, i % KEYS, text);
    }
    zn_join_table_finish(table);
    for (uint32_t key = 0; key < KEYS; key++) {
        char expected[64];
        snprintf(expected, sizeof expected, "r%u r%u r%u r%u ", key, key + KEYS, key + 2 * KEYS,
                 key + 3 * KEYS);
        char *records = records_of(table, key);
        assert_string_equal(records, expected);
        free(records);
    }
    assert_int_equal(find(table, KEYS), ZN_JOIN_TABLE_NONE);
    char *none = records_of(table, KEYS);
    assert_string_equal(none, "");
    free(none);
    zn_join_table_destroy(&table);
    assert_int_equal(memory->used, 0);
}

/* Records of a key come in the order in which they were added, however the table has grown. */
static void test_join_table_keeps_the_order_of_a_key(void **state) {
    zn_memory memory = { .limit = UINT64_MAX };
    check_order(&memory, *state);
    assert_true(memory.peak > (uint64_t)RECORDS * 6);
}

/* The same when keys and records have to go to a file, early or late. */
static void test_join_table_spills_what_the_account_refuses(void **state) {
    for (uint64_t limit = 0; limit <= 2 * ZN_MIB; limit += 100 * ZN_KIB) {
        zn_memory memory = { .limit = limit };
        check_order(&memory, *state);
    }
    assert_int_equal(folder_count(*state), 0);
}

/* Records larger than what a file gathers, and a key that is looked for while they are added. */
static void test_join_table_spills_large_records(void **state) {
    zn_memory memory = { .limit = 100 };
    zn_join_table *table = zn_join_table_new(&memory, *state);
    char *large = zn_alloc(ZN_MIB + 1);
    memset(large, 'x', ZN_MIB);
    large[ZN_MIB] = '\0';
    for (uint32_t key = 0; key < 4; key++) {
        add(table, key, large);
        add(table, 0, "small");
    }
    char *records = records_of(table, 0);
    assert_int_equal(strlen(records), ZN_MIB + 1 + 4 * strlen("small "));
    free(records);
    assert_true(memory.used < ZN_MIB);
    free(large);
    zn_join_table_destroy(&table);
    assert_int_equal(memory.used, 0);
}

static void test_join_table_without_a_folder_for_its_file_fails(void **state) {
    (void)state;
    zn_memory memory = { .limit = 100 };
    zn_join_table *table = zn_join_table_new(&memory, "/nowhere/at/all");
    uint8_t bytes[4];
    zonda_error error = { 0 };
    char record[200];
    memset(record, 'x', sizeof record);
    assert_err(zn_join_table_add(table, number_key(1, bytes),
                                 (zn_bytes){ (const uint8_t *)record, sizeof record }, &error),
               IO);
    zn_join_table_destroy(&table);
    assert_int_equal(memory.used, 0);
}

/* Where only keys are wanted a key is kept once. */
static void test_join_table_of_keys_keeps_each_once(void **state) {
    zn_memory memory = { .limit = UINT64_MAX };
    zn_join_table *table = zn_join_table_new(&memory, *state);
    add(table, 7, "");
    uint64_t used = memory.used;
    for (unsigned i = 0; i < 1000; i++) {
        add(table, 7, "");
    }
    assert_int_equal(memory.used, used);
    assert_int_equal(find(table, 7), 0);
    zn_join_table_destroy(&table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        folder_test(test_join_table_keeps_the_order_of_a_key),
        folder_test(test_join_table_of_keys_keeps_each_once),
        folder_test(test_join_table_spills_what_the_account_refuses),
        folder_test(test_join_table_spills_large_records),
        folder_test(test_join_table_without_a_folder_for_its_file_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
