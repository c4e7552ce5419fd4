/* SPDX-License-Identifier: MPL-2.0 */
/* JSON to MessagePack: what is accepted, and column and cause of what is not. */
#include "test.h"

#include "base/limits.h"
#include "record/json.h"
#include "record/json_locate.h"
#include "record/value.h"

static int open_reader(void **state) {
    *state = zn_json_reader_new();
    return 0;
}

static int close_reader(void **state) {
    zn_json_reader *reader = *state;
    zn_json_reader_destroy(&reader);
    assert_null(reader);
    zn_json_reader_destroy(&reader);
    return 0;
}

typedef struct good_case {
    const char *json;
    const char *bytes;
    size_t len;
} good_case;

#define GOOD(json, bytes)                                                                          \
    { json, bytes, sizeof(bytes) - 1 }

static const good_case good_cases[] = {
    GOOD("null", "\xc0"),
    GOOD(" true\t", "\xc3"),
    GOOD("\r\nfalse\n", "\xc2"),
    GOOD("0", "\x00"),
    GOOD("-0", "\x00"),
    GOOD("-1", "\xff"),
    GOOD("9007199254740993", "\xcf\x00\x20\x00\x00\x00\x00\x00\x01"),
    GOOD("9223372036854775807", "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"),
    GOOD("9223372036854775808", "\xcf\x80\x00\x00\x00\x00\x00\x00\x00"),
    GOOD("18446744073709551615", "\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
    GOOD("-9223372036854775808", "\xd3\x80\x00\x00\x00\x00\x00\x00\x00"),
    GOOD("1.0", "\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"),
    GOOD("1e0", "\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"),
    GOOD("-0.0", "\xcb\x80\x00\x00\x00\x00\x00\x00\x00"),
    GOOD("0.1", "\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a"),
    GOOD("5e-324", "\xcb\x00\x00\x00\x00\x00\x00\x00\x01"),
    GOOD("1e-999", "\xcb\x00\x00\x00\x00\x00\x00\x00\x00"),
    GOOD("1.7976931348623157e308", "\xcb\x7f\xef\xff\xff\xff\xff\xff\xff"),
    GOOD("\"\"", "\xa0"),
    GOOD("\"\\u0000\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"", "\xab\x00"
                                                           "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
    GOOD("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\xa8\"\\/\b\f\n\r\t"),
    GOOD("\"\xf4\x8f\xbf\xbf\x7f\"", "\xa5\xf4\x8f\xbf\xbf\x7f"),
    GOOD("[]", "\x90"),
    GOOD("{}", "\x80"),
    GOOD("[ 1 , [ ] , { } ]", "\x93\x01\x90\x80"),
    GOOD("{\"b\":1,\"a\":[2.5],\"b\":null}", "\x83\xa1"
                                             "b\x01\xa1"
                                             "a\x91\xcb\x40\x04\x00\x00\x00\x00\x00\x00\xa1"
                                             "b\xc0"),
};

/* Accepted texts give exactly these bytes: types, 64-bit integers, field order, duplicates. */
static void test_json_read_good_text_gives_record(void **state) {
    for (size_t i = 0; i < sizeof good_cases / sizeof good_cases[0]; i++) {
        zn_buf out = { 0 };
        zonda_error error;
        zn_bytes text = zn_bytes_of_text(good_cases[i].json);
        assert_ok(zn_json_read(*state, text, &out, &error), error);
        assert_int_equal(out.len, good_cases[i].len);
        assert_memory_equal(out.data, good_cases[i].bytes, out.len);
        assert_ok(zn_value_check(zn_buf_bytes(&out), &error), error);
        assert_ok(zn_json_locate(text, &error), error);
        zn_buf_free(&out);
    }
}

typedef struct bad_case {
    const char *json;
    uint64_t column;
    const char *cause;
} bad_case;

static const bad_case bad_cases[] = {
    { "", 1, "unexpected end, expected a value" },
    { "  ", 3, "unexpected end, expected a value" },
    { "nul", 1, "expected a value, found 'n'" },
    { "nullx", 5, "expected the end of the record, found 'x'" },
    { "1 2", 3, "expected the end of the record, found '2'" },
    { "{} {}", 4, "expected the end of the record, found '{'" },
    { "\xef\xbb\xbf{}", 1, "expected a value, found byte 0xef" },
    { "[1,]", 4, "expected a value, found ']'" },
    { "[1 2]", 4, "expected ',' or ']', found '2'" },
    { "[1", 3, "unexpected end, expected ',' or ']'" },
    { "[", 2, "unexpected end, expected a value" },
    { "]", 1, "expected a value, found ']'" },
    { "[1}", 3, "expected ',' or ']', found '}'" },
    { "{\"a\":1]", 7, "expected ',' or '}', found ']'" },
    { "{\"a\":1 \"b\":2}", 8, "expected ',' or '}', found '\"'" },
    { "{\"a\":1,}", 8, "expected a key, found '}'" },
    { "{\"a\" 1}", 6, "expected ':', found '1'" },
    { "{\"a\":}", 6, "expected a value, found '}'" },
    { "{\"a\":", 6, "unexpected end, expected a value" },
    { "{\"a\"", 5, "unexpected end, expected ':'" },
    { "{1:2}", 2, "expected a key or '}', found '1'" },
    { "{", 2, "unexpected end, expected a key or '}'" },
    { "{\"a\":\"x}", 6, "unterminated string" },
    { "\"a\\", 1, "unterminated string" },
    { "{\"a\":\"x\ty\"}", 8, "control character in a string" },
    { "\"\\q\"", 2, "invalid escape in a string" },
    { "\"\\u12\"", 2, "invalid escape in a string: \\u needs four hex digits" },
    { "\"x\\u12g4\"", 3, "invalid escape in a string: \\u needs four hex digits" },
    { "\"\\ud800\"", 2, "invalid escape in a string: half of a surrogate pair" },
    { "\"\\ud800\\u0041\"", 2, "invalid escape in a string: half of a surrogate pair" },
    { "\"\\udc00\"", 2, "invalid escape in a string: half of a surrogate pair" },
    { "\"ab\xff\"", 4, "invalid UTF-8 in a string" },
    { "\"\xc0\x80\"", 2, "invalid UTF-8 in a string" },
    { "\"\xe0\x80\x80\"", 2, "invalid UTF-8 in a string" },
    { "\"\xed\xa0\x80\"", 2, "invalid UTF-8 in a string" },
    { "\"\xf4\x90\x80\x80\"", 2, "invalid UTF-8 in a string" },
    { "\"\xe2\x82\"", 2, "invalid UTF-8 in a string" },
    { "[18446744073709551616]", 2, "the number does not fit 64 bits" },
    { "[-9223372036854775809]", 2, "the number does not fit 64 bits" },
    { "123456789012345678901234567890", 1, "the number does not fit 64 bits" },
    { "{\"a\":1e999}", 6, "the number does not fit a double" },
    { "-1.5e+400", 1, "the number does not fit a double" },
    { "01", 1, "a number must not start with 0" },
    { "-01", 2, "a number must not start with 0" },
    { "-", 2, "unexpected end, expected a digit" },
    { "[1.]", 4, "expected a digit, found ']'" },
    { "[1e]", 4, "expected a digit, found ']'" },
    { "[1e+]", 5, "expected a digit, found ']'" },
    { "+1", 1, "expected a value, found '+'" },
    { ".5", 1, "expected a value, found '.'" },
    { "NaN", 1, "expected a value, found 'N'" },
    { "Infinity", 1, "expected a value, found 'I'" },
    { "'a'", 1, "expected a value, found '''" },
    { "[1,// x\n2]", 4, "expected a value, found '/'" },
    { "0x10", 2, "expected the end of the record, found 'x'" },
    { "\"a\"\x01", 4, "expected the end of the record, found byte 0x01" },
};

/* Refused texts name column and cause, and append nothing. */
static void test_json_read_bad_text_names_place(void **state) {
    for (size_t i = 0; i < sizeof bad_cases / sizeof bad_cases[0]; i++) {
        zn_buf out = { 0 };
        zn_put_nil(&out);
        zonda_error error = { 0 };
        zn_bytes text = zn_bytes_of_text(bad_cases[i].json);
        assert_err(zn_json_read(*state, text, &out, &error), BAD_RECORD);
        assert_string_equal(error.text, bad_cases[i].cause);
        assert_int_equal(error.column, bad_cases[i].column);
        assert_int_equal(out.len, 1);
        assert_err(zn_json_read(*state, text, &out, NULL), BAD_RECORD);
        zn_buf_free(&out);
    }
}

/* The very first text may be the empty one. */
static void test_json_read_empty_first_text_fails(void **state) {
    (void)state;
    zn_json_reader *reader = zn_json_reader_new();
    zn_buf out = { 0 };
    zonda_error error;
    assert_err(zn_json_read(reader, (zn_bytes){ 0 }, &out, &error), BAD_RECORD);
    assert_int_equal(error.column, 1);
    zn_json_reader_destroy(&reader);
}

/* A zero byte is like any other wrong byte, in and outside of strings. */
static void test_json_read_zero_byte_fails(void **state) {
    zn_buf out = { 0 };
    zonda_error error;
    zn_bytes text = { .data = (const uint8_t *)"1\0", .len = 2 };
    assert_err(zn_json_read(*state, text, &out, &error), BAD_RECORD);
    assert_string_equal(error.text, "expected the end of the record, found byte 0x00");
    text = (zn_bytes){ .data = (const uint8_t *)"\"a\0\"", .len = 4 };
    assert_err(zn_json_read(*state, text, &out, &error), BAD_RECORD);
    assert_string_equal(error.text, "control character in a string");
    assert_int_equal(error.column, 3);
    zn_buf_free(&out);
}

/* `depth` brackets with `inner` in the middle. */
static char *nested(size_t depth, const char *inner) {
    size_t length = strlen(inner);
    char *text = calloc(1, 2 * depth + length + 1);
    memset(text, '[', depth);
    memcpy(text + depth, inner, length);
    memset(text + depth + length, ']', depth);
    return text;
}

/* The limit counts all levels, empty ones too, as the check of records does. */
static void test_json_read_depth_is_limited(void **state) {
    static const char *const inner[] = { "", "7" };
    for (size_t i = 0; i < 2; i++) {
        zn_buf out = { 0 };
        zonda_error error;
        char *deepest = nested(ZN_RECORD_DEPTH_MAX, inner[i]);
        assert_ok(zn_json_read(*state, zn_bytes_of_text(deepest), &out, &error), error);
        assert_ok(zn_value_check(zn_buf_bytes(&out), &error), error);
        free(deepest);
        out.len = 0;
        for (size_t depth = ZN_RECORD_DEPTH_MAX + 1; depth < 100000; depth *= 8) {
            char *deeper = nested(depth, inner[i]);
            assert_err(zn_json_read(*state, zn_bytes_of_text(deeper), &out, &error), LIMIT);
            assert_int_equal(error.column, ZN_RECORD_DEPTH_MAX + 1);
            assert_int_equal(out.len, 0);
            free(deeper);
        }
        zn_buf_free(&out);
    }
}

/* No prefix of a record is a record: what is cut off is never taken for whole. */
static void test_json_read_every_prefix_fails(void **state) {
    static const char text[] = "{\"a\": [1, -2.5e3, \"x\\u00e9\\n\xc3\xa9\", true, null], "
                               "\"b\": {\"c\": {}, \"d\": []}}";
    zn_buf out = { 0 };
    zonda_error error;
    for (size_t len = 0; len < sizeof text - 1; len++) {
        uint8_t *copy = malloc(len + 1);
        memcpy(copy, text, len);
        assert_err(zn_json_read(*state, (zn_bytes){ .data = copy, .len = len }, &out, &error),
                   BAD_RECORD);
        assert_in_range(error.column, 1, len + 1);
        free(copy);
    }
    assert_ok(zn_json_read(*state, zn_bytes_of_text(text), &out, &error), error);
    zn_buf_free(&out);
}

/* Texts beyond the limit are refused unread. */
static void test_json_read_size_is_limited(void **state) {
    zn_buf out = { 0 };
    zonda_error error;
    zn_bytes text = { .data = (const uint8_t *)"1", .len = (size_t)ZN_RECORD_BYTES_MAX + 1 };
    assert_err(zn_json_read(*state, text, &out, &error), LIMIT);
}

/* More elements than simdjson's counts can say (0xFFFFFF) are all there. */
static void test_json_read_many_elements_are_counted(void **state) {
    const size_t count = 0xFFFFFF + 3;
    char *text = malloc(2 * count + 1);
    for (size_t i = 0; i < count; i++) {
        text[2 * i] = ',';
        text[2 * i + 1] = '7';
    }
    text[0] = '[';
    text[2 * count] = ']';
    zn_buf out = { 0 };
    zonda_error error;
    zn_bytes bytes = { .data = (const uint8_t *)text, .len = 2 * count + 1 };
    assert_ok(zn_json_read(*state, bytes, &out, &error), error);
    assert_int_equal(zn_value_head(zn_buf_bytes(&out)).count, count);
    assert_int_equal(out.len, 5 + count);
    free(text);
    zn_buf_free(&out);
}

/* A reader goes on after errors and after texts of very different sizes. */
static void test_json_read_reader_is_reusable(void **state) {
    zn_buf out = { 0 };
    zonda_error error;
    for (size_t length = 1; length < 8 * ZN_MIB; length = length * 7 + 3) {
        char *text = malloc(length + 2);
        memset(text, 'a', length + 2);
        text[0] = '"';
        zn_bytes bytes = { .data = (const uint8_t *)text, .len = length + 2 };
        out.len = 0;
        assert_err(zn_json_read(*state, bytes, &out, &error), BAD_RECORD);
        text[length + 1] = '"';
        assert_ok(zn_json_read(*state, bytes, &out, &error), error);
        assert_int_equal(zn_value_head(zn_buf_bytes(&out)).bytes.len, length);
        free(text);
    }
    zn_buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_read_good_text_gives_record),
        cmocka_unit_test(test_json_read_bad_text_names_place),
        cmocka_unit_test(test_json_read_empty_first_text_fails),
        cmocka_unit_test(test_json_read_zero_byte_fails),
        cmocka_unit_test(test_json_read_depth_is_limited),
        cmocka_unit_test(test_json_read_every_prefix_fails),
        cmocka_unit_test(test_json_read_size_is_limited),
        cmocka_unit_test(test_json_read_many_elements_are_counted),
        cmocka_unit_test(test_json_read_reader_is_reusable),
    };
    return cmocka_run_group_tests(tests, open_reader, close_reader);
}
