/* SPDX-License-Identifier: MPL-2.0 */
/* Bytes as two words are the same bytes: for all lengths, and no byte beside them is touched. */
#include "test.h"

#include "base/short_bytes.h"

enum {
    AROUND = 8,
    ROOM = ZN_SHORT_BYTES_MAX + 2 * AROUND
};

/* Bytes that all differ, in a block of exactly that length, so that a sanitizer sees what is read.
 */
static uint8_t *some_bytes(size_t len) {
    uint8_t *bytes = malloc(len > 0 ? len : 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(0xf0 - 7 * i);
    }
    return bytes;
}

static void test_short_bytes_are_stored_as_they_were_loaded(void **state) {
    (void)state;
    for (size_t len = 0; len <= ZN_SHORT_BYTES_MAX; len++) {
        uint8_t out[ROOM];
        uint8_t untouched[ROOM];
        uint8_t *bytes = some_bytes(len);
        memset(out, 0xaa, sizeof out);
        memset(untouched, 0xaa, sizeof untouched);
        zn_short_bytes_store(zn_short_bytes_load(bytes, len), out + AROUND, len);
        assert_memory_equal(out, untouched, AROUND);
        assert_memory_equal(out + AROUND, bytes, len);
        assert_memory_equal(out + AROUND + len, untouched, ROOM - AROUND - len);
        free(bytes);
    }
}

/* A difference anywhere is seen, also past the length up to which words are compared. */
static void test_short_bytes_equal_sees_every_byte(void **state) {
    (void)state;
    for (size_t len = 0; len <= ZN_SHORT_BYTES_MAX + 4; len++) {
        uint8_t *one = some_bytes(len);
        uint8_t *other = some_bytes(len);
        zn_bytes a = { one, len };
        zn_bytes b = { other, len };
        assert_true(zn_short_bytes_equal(a, b));
        for (size_t i = 0; i < len; i++) {
            other[i] ^= 0x10;
            assert_false(zn_short_bytes_equal(a, b));
            other[i] ^= 0x10;
        }
        if (len > 0) {
            assert_false(zn_short_bytes_equal(a, (zn_bytes){ other, len - 1 }));
        }
        free(one);
        free(other);
    }
}

/* All lengths one behind the other, in a buffer that has to grow and in one that need not. */
static void test_short_bytes_append_is_append(void **state) {
    (void)state;
    zn_buf words = { 0 };
    zn_buf plain = { 0 };
    for (int round = 0; round < 2; round++) {
        words.len = plain.len = 0;
        for (size_t len = 0; len <= 2 * ZN_SHORT_BYTES_MAX; len++) {
            uint8_t *bytes = some_bytes(len);
            zn_short_bytes_append(&words, bytes, len);
            zn_buf_append(&plain, bytes, len);
            free(bytes);
        }
        assert_true(zn_bytes_equal(zn_buf_bytes(&words), zn_buf_bytes(&plain)));
    }
    zn_buf_free(&words);
    zn_buf_free(&plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_bytes_are_stored_as_they_were_loaded),
        cmocka_unit_test(test_short_bytes_equal_sees_every_byte),
        cmocka_unit_test(test_short_bytes_append_is_append),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
