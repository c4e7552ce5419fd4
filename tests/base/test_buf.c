/* SPDX-License-Identifier: MPL-2.0 */
/* Buffers grow without losing anything, and numbers have one byte order. */
#include "test.h"

#include "base/alloc.h"

/* What is appended in pieces is there in order. */
static void test_buf_append_grows_and_keeps(void **state) {
    (void)state;
    zn_buf buf = { 0 };
    for (unsigned i = 0; i < 1000; i++) {
        zn_buf_append_byte(&buf, (uint8_t)i);
        zn_buf_append(&buf, "", 0);
        zn_buf_append_text(&buf, "ab");
    }
    assert_int_equal(buf.len, 3000);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(buf.data[3 * i], (uint8_t)i);
        assert_memory_equal(buf.data + 3 * i + 1, "ab", 2);
    }
    zn_buf_free(&buf);
    assert_null(buf.data);
}

/* Formatted text has no terminator in its length. */
static void test_buf_printf_appends_text(void **state) {
    (void)state;
    zn_buf buf = { 0 };
    zn_buf_printf(&buf, "%d-%s", 12, "x");
    zn_buf_printf(&buf, "%s", "");
    assert_int_equal(buf.len, 4);
    assert_memory_equal(buf.data, "12-x", 4);
    zn_buf_free(&buf);
}

/* Reset keeps small memory for reuse and gives large memory back. */
static void test_buf_reset_keeps_up_to_a_limit(void **state) {
    (void)state;
    zn_buf buf = { 0 };
    zn_buf_reserve(&buf, 100);
    zn_buf_append_text(&buf, "abc");
    zn_buf_reset(&buf, 4096);
    assert_int_equal(buf.len, 0);
    assert_non_null(buf.data);
    zn_buf_reserve(&buf, 10000);
    zn_buf_reset(&buf, 4096);
    assert_null(buf.data);
}

/* Equality of ranges, also of empty ones without memory. */
static void test_bytes_equal_compares_content(void **state) {
    (void)state;
    zn_bytes none = { NULL, 0 };
    assert_true(zn_bytes_equal(none, zn_bytes_of_text("")));
    assert_true(zn_bytes_equal(zn_bytes_of_text("ab"), zn_bytes_of_text("ab")));
    assert_false(zn_bytes_equal(zn_bytes_of_text("ab"), zn_bytes_of_text("ac")));
    assert_false(zn_bytes_equal(zn_bytes_of_text("ab"), zn_bytes_of_text("a")));
}

/* Numbers are little-endian, whatever the machine. */
static void test_numbers_are_little_endian(void **state) {
    (void)state;
    uint8_t bytes[8];
    zn_put_u32(bytes, 0x01020304);
    assert_memory_equal(bytes, "\4\3\2\1", 4);
    assert_int_equal(zn_get_u32(bytes), 0x01020304);
    zn_put_u64(bytes, UINT64_C(0x0102030405060708));
    assert_memory_equal(bytes, "\10\7\6\5\4\3\2\1", 8);
    assert_true(zn_get_u64(bytes) == UINT64_C(0x0102030405060708));
    zn_put_u64(bytes, UINT64_MAX);
    assert_true(zn_get_u64(bytes) == UINT64_MAX);
}

/* The allocator's helpers copy what they should. */
static void test_alloc_copies_are_whole(void **state) {
    (void)state;
    char *text = zn_format("%s %d", "a", 7);
    char *copy = zn_strndup(text, 1);
    void *memory = zn_memdup(text, 4);
    assert_string_equal(text, "a 7");
    assert_string_equal(copy, "a");
    assert_memory_equal(memory, "a 7", 4);
    free(text);
    free(copy);
    free(memory);
    int *items = NULL;
    size_t count = 0;
    size_t capacity = 0;
    for (int i = 0; i < 100; i++) {
        ZN_GROW(items, count, capacity);
        items[count++] = i;
    }
    assert_int_equal(items[99], 99);
    free(items);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_append_grows_and_keeps),
        cmocka_unit_test(test_buf_printf_appends_text),
        cmocka_unit_test(test_buf_reset_keeps_up_to_a_limit),
        cmocka_unit_test(test_bytes_equal_compares_content),
        cmocka_unit_test(test_numbers_are_little_endian),
        cmocka_unit_test(test_alloc_copies_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
