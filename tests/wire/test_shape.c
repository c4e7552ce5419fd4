/* SPDX-License-Identifier: MPL-2.0 */
/* The shape check: every type of MessagePack at its exact length, and everything that lies. */
#include "test.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "wire/shape.h"
#include "wire/text.h"

static zonda_err check(const void *data, size_t len, unsigned depth_max, size_t *used) {
    zonda_error error = { 0 };
    uint8_t *exact = zn_memdup(data, len);
    zonda_err code = zn_shape_check((zn_bytes){ exact, len }, depth_max, used, &error);
    free(exact);
    assert_int_equal(code, error.code);
    return code;
}

/* A head and how many bytes follow it. */
typedef struct shape_case {
    const char *head;
    size_t head_len;
    size_t payload;
} shape_case;

#define HEAD(text, payload)                                                                        \
    { text, sizeof text - 1, payload }

static const shape_case shapes[] = {
    HEAD("\x00", 0),           HEAD("\x7f", 0),           HEAD("\xe0", 0),
    HEAD("\xff", 0),           HEAD("\xc0", 0),           HEAD("\xc2", 0),
    HEAD("\xc3", 0),           HEAD("\xa0", 0),           HEAD("\xbf", 31),
    HEAD("\x80", 0),           HEAD("\x90", 0),           HEAD("\x8f", 30),
    HEAD("\x9f", 15),          HEAD("\xc4\x05", 5),       HEAD("\xc5\x01\x00", 256),
    HEAD("\xc6\0\0\1\0", 256), HEAD("\xc7\x05", 6),       HEAD("\xc8\x01\x00", 257),
    HEAD("\xc9\0\0\1\0", 257), HEAD("\xca", 4),           HEAD("\xcb", 8),
    HEAD("\xcc", 1),           HEAD("\xcd", 2),           HEAD("\xce", 4),
    HEAD("\xcf", 8),           HEAD("\xd0", 1),           HEAD("\xd1", 2),
    HEAD("\xd2", 4),           HEAD("\xd3", 8),           HEAD("\xd4", 2),
    HEAD("\xd5", 3),           HEAD("\xd6", 5),           HEAD("\xd7", 9),
    HEAD("\xd8", 17),          HEAD("\xd9\x05", 5),       HEAD("\xda\x01\x00", 256),
    HEAD("\xdb\0\0\1\0", 256), HEAD("\xdc\x01\x00", 256), HEAD("\xdd\0\0\1\0", 256),
    HEAD("\xde\x01\x00", 512), HEAD("\xdf\0\0\1\0", 512),
};

/* Exactly the right bytes are accepted, one too few is refused, more are left alone. */
static void test_shape_every_type_at_its_length(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        uint8_t bytes[600] = { 0 };
        size_t whole = shapes[i].head_len + shapes[i].payload;
        size_t used = 0;
        memcpy(bytes, shapes[i].head, shapes[i].head_len);
        assert_err(check(bytes, whole, 16, &used), OK);
        assert_int_equal(used, whole);
        assert_err(check(bytes, whole + 3, 16, &used), OK);
        assert_int_equal(used, whole);
        for (size_t len = 0; len < whole; len++) {
            assert_err(check(bytes, len, 16, &used), PROTOCOL);
        }
    }
}

/* The one type that does not exist, alone and inside. */
static void test_shape_reserved_type_is_refused(void **state) {
    (void)state;
    size_t used = 0;
    assert_err(check("\xc1", 1, 16, &used), PROTOCOL);
    assert_err(check("\x92\x01\xc1", 3, 16, &used), PROTOCOL);
}

/* Counts are compared with the bytes that are left, also the sum over several containers. */
static void test_shape_counts_that_lie_are_refused(void **state) {
    (void)state;
    size_t used = 0;
    assert_err(check("\xdd\xff\xff\xff\xff\x01", 6, 16, &used), PROTOCOL);
    assert_err(check("\xdf\xff\xff\xff\xff\x01", 6, 16, &used), PROTOCOL);
    assert_err(check("\xdf\x00\x00\x00\x01\x01", 6, 16, &used), PROTOCOL);
    assert_err(check("\x92\x92\x01\x01", 4, 16, &used), PROTOCOL);
}

/* Depth is counted in containers, and the limit itself is allowed. */
static void test_shape_depth_is_bounded(void **state) {
    (void)state;
    uint8_t bytes[ZN_RECORD_DEPTH_MAX + 2];
    size_t used = 0;
    memset(bytes, 0x91, sizeof bytes);
    for (unsigned depth = 1; depth <= ZN_RECORD_DEPTH_MAX; depth++) {
        bytes[depth] = 0xc0;
        assert_err(check(bytes, depth + 1, depth, &used), OK);
        assert_err(check(bytes, depth + 1, depth - 1, &used), LIMIT);
        bytes[depth] = 0x91;
    }
    assert_err(check("\x01", 1, 0, &used), OK);
    assert_err(check("\x90", 1, 0, &used), LIMIT);
}

/* The number of values is bounded where the caller asks for it. */
static void test_shape_values_are_bounded(void **state) {
    (void)state;
    zn_bytes bytes = { (const uint8_t *)"\x93\x01\x02\x03", 4 };
    size_t used = 0;
    assert_err(zn_shape_check_values(bytes, 16, 4, &used, NULL), OK);
    assert_err(zn_shape_check_values(bytes, 16, 3, &used, NULL), LIMIT);
}

/* Text is UTF-8 without NUL: the borders of every length and the forms that are forbidden. */
static void test_text_validity_table(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        bool valid;
    } texts[] = {
        { "", 0, true },
        { "plain ASCII of some length\x7f", 27, true },
        { "\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 18, true },
        { "\xed\x9f\xbf\xee\x80\x80", 6, true },
        { "\0", 1, false },
        { "12345678\0", 9, false },
        { "1234\0"
          "678",
          8, false },
        { "\x80", 1, false },
        { "\xc0\x80", 2, false },
        { "\xc1\xbf", 2, false },
        { "\xe0\x9f\xbf", 3, false },
        { "\xed\xa0\x80", 3, false },
        { "\xf0\x8f\xbf\xbf", 4, false },
        { "\xf4\x90\x80\x80", 4, false },
        { "\xf5\x80\x80\x80", 4, false },
        { "\xff", 1, false },
        { "\xc2", 1, false },
        { "\xe2\x82", 2, false },
        { "\xf0\x9f\x98", 3, false },
        { "\xc2"
          "a",
          2, false },
        { "1234567\xc2\xa9", 9, true },
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint8_t *exact = zn_memdup(texts[i].text, texts[i].len);
        assert_int_equal(zn_text_is_valid((zn_bytes){ exact, texts[i].len }), texts[i].valid);
        free(exact);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape_every_type_at_its_length),
        cmocka_unit_test(test_shape_reserved_type_is_refused),
        cmocka_unit_test(test_shape_counts_that_lie_are_refused),
        cmocka_unit_test(test_shape_depth_is_bounded),
        cmocka_unit_test(test_shape_values_are_bounded),
        cmocka_unit_test(test_text_validity_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
