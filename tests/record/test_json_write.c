/* SPDX-License-Identifier: MPL-2.0 */
/* MessagePack to JSON: exact text, and what JSON cannot say. */
#include "test.h"

#include <math.h>

#include "base/limits.h"
#include "record/json.h"
#include "record/value.h"

#define BYTES(text) ((zn_bytes){ .data = (const uint8_t *)(text), .len = sizeof(text) - 1 })

static void assert_written(zn_bytes record, const char *expected) {
    zn_buf out = { 0 };
    zonda_error error;
    assert_ok(zn_value_check(record, &error), error);
    assert_ok(zn_json_write(record, &out, &error), error);
    zn_buf_append_byte(&out, '\0');
    assert_string_equal((const char *)out.data, expected);
    zn_buf_free(&out);
}

/* Values of every type that JSON has, compact and in order. */
static void test_json_write_values_are_exact(void **state) {
    (void)state;
    assert_written(BYTES("\xc0"), "null");
    assert_written(BYTES("\xc3"), "true");
    assert_written(BYTES("\xc2"), "false");
    assert_written(BYTES("\x00"), "0");
    assert_written(BYTES("\xff"), "-1");
    assert_written(BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), "18446744073709551615");
    assert_written(BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), "-9223372036854775808");
    assert_written(BYTES("\xcf\x00\x20\x00\x00\x00\x00\x00\x01"), "9007199254740993");
    assert_written(BYTES("\x90"), "[]");
    assert_written(BYTES("\x80"), "{}");
    assert_written(BYTES("\x93\x01\x90\x92\x80\x02"), "[1,[],[{},2]]");
    assert_written(BYTES("\x83\xa1"
                         "b\x01\xa1"
                         "a\x81\xa0\xc0\xa1"
                         "b\x02"),
                   "{\"b\":1,\"a\":{\"\":null},\"b\":2}");
    assert_written(BYTES("\xca\x3f\x00\x00\x00"), "0.5");
}

/* Doubles: the fewest digits that read back, and always the look of a double. */
static void test_json_write_doubles_are_shortest(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        { 0.0, "0.0" },
        { -0.0, "-0.0" },
        { 1.0, "1.0" },
        { -1.5, "-1.5" },
        { 0.1, "0.1" },
        { 100000.0, "100000.0" },
        { 123456.789, "123456.789" },
        { 0.0001, "0.0001" },
        { 0.00012345678901234567, "0.00012345678901234567" },
        { -0.00012345678901234567, "-0.00012345678901234567" },
        { 0.00001, "1e-05" },
        { 1e15, "1000000000000000.0" },
        { 9007199254740993.0, "9007199254740992.0" },
        { 1e16, "1e+16" },
        { 1.5e16, "1.5e+16" },
        { 1e30, "1e+30" },
        { 1e308, "1e+308" },
        { 1.7976931348623157e308, "1.7976931348623157e+308" },
        { 2.2250738585072014e-308, "2.2250738585072014e-308" },
        { 5e-324, "5e-324" },
        { -5e-324, "-5e-324" },
        { 0.30000000000000004, "0.30000000000000004" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        zn_buf record = { 0 };
        zn_put_double(&record, cases[i].value);
        assert_written(zn_buf_bytes(&record), cases[i].text);
        zn_buf_free(&record);
    }
}

/* Escapes where JSON wants them, nowhere else, at every offset to the eight-byte look. */
static void test_json_write_strings_are_escaped(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *json;
    } cases[] = {
        { "\"", 1, "\\\"" },
        { "\\", 1, "\\\\" },
        { "/", 1, "/" },
        { "\b\f\n\r\t", 5, "\\b\\f\\n\\r\\t" },
        { "\0", 1, "\\u0000" },
        { "\x01\x1f", 2, "\\u0001\\u001f" },
        { "\x7f", 1, "\x7f" },
        { " !#[]", 5, " !#[]" },
        { "\xc3\xa9", 2, "\xc3\xa9" },
        { "\xe2\x82\xac", 3, "\xe2\x82\xac" },
        { "\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int before = 0; before < 18; before++) {
            char text[64];
            char json[128];
            memset(text, 'x', sizeof text);
            memcpy(text + before, cases[i].text, cases[i].len);
            size_t len = (size_t)before + cases[i].len + 9;
            snprintf(json, sizeof json, "\"%.*s%sxxxxxxxxx\"", before, "xxxxxxxxxxxxxxxxxx",
                     cases[i].json);
            zn_buf record = { 0 };
            zn_put_string(&record, (zn_bytes){ .data = (uint8_t *)text, .len = len });
            assert_written(zn_buf_bytes(&record), json);
            zn_buf_free(&record);
        }
    }
}

static void assert_refused(zn_bytes record, zonda_err code, const char *text) {
    zn_buf out = { 0 };
    zonda_error error;
    zn_buf_append_text(&out, "kept");
    assert_ok(zn_value_check(record, &error), error);
    assert_int_equal(zn_json_write(record, &out, &error), code);
    assert_int_equal(error.code, code);
    assert_string_equal(error.text, text);
    assert_int_equal(out.len, 4);
    assert_int_equal(zn_json_write(record, &out, NULL), code);
    zn_buf_free(&out);
}

/* What JSON has no form for is an error that names cause and place and writes nothing. */
static void test_json_write_inexpressible_fails(void **state) {
    (void)state;
    const zonda_err code = ZONDA_ERR_BAD_RECORD;
    assert_refused(BYTES("\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"), code, "JSON cannot express NaN");
    assert_refused(BYTES("\xcb\xff\xf0\x00\x00\x00\x00\x00\x00"), code,
                   "JSON cannot express infinity");
    assert_refused(BYTES("\xca\x7f\x80\x00\x00"), code, "JSON cannot express infinity");
    assert_refused(BYTES("\x92\x01\xc4\x00"), code, "JSON cannot express binary at [1]");
    assert_refused(BYTES("\x81\xa1"
                         "a\x92\x00\x81\xa3"
                         "b\x01"
                         "c\xd4\x05\x00"),
                   code, "JSON cannot express a MessagePack extension at .a[1].b?c");
    assert_refused(BYTES("\x82\xa1"
                         "a\x01\x05\x02"),
                   code, "JSON cannot express a key of type integer");
    assert_refused(BYTES("\x81\xa1"
                         "a\x81\xc0\x02"),
                   code, "JSON cannot express a key of type nil at .a");
    assert_refused(BYTES("\x81\x91\x01\x02"), code, "JSON cannot express a key of type array");
}

/* Strings that are not UTF-8 are refused at every offset, as value and as key. */
static void test_json_write_invalid_utf8_fails(void **state) {
    (void)state;
    static const char *const invalid[] = {
        "\x80",
        "\xff",
        "\xc3",
        "\xc3(",
        "\xc1\xbf",
        "\xe2\x82",
        "\xe2(\xa1",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5",
        "\xf0\x9f\x98",
    };
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        for (int before = 0; before < 10; before++) {
            zn_buf text = { 0 };
            zn_buf_printf(&text, "%.*s%s", before, "xxxxxxxxxx", invalid[i]);
            zn_buf record = { 0 };
            zn_put_string(&record, zn_buf_bytes(&text));
            assert_refused(zn_buf_bytes(&record), ZONDA_ERR_BAD_RECORD,
                           "JSON cannot express a string that is not valid UTF-8");
            zn_buf_append_text(&text, "xxxxxxxxxx");
            record.len = 0;
            zn_put_map(&record, 1);
            zn_put_string(&record, zn_buf_bytes(&text));
            zn_put_nil(&record);
            zn_buf out = { 0 };
            zonda_error error;
            assert_err(zn_json_write(zn_buf_bytes(&record), &out, &error), BAD_RECORD);
            const char *cause = "JSON cannot express a key that is not valid UTF-8 at .";
            assert_memory_equal(error.text, cause, strlen(cause));
            zn_buf_free(&out);
            zn_buf_free(&record);
            zn_buf_free(&text);
        }
    }
}

/* The deepest record that passes the check is written; a deeper one is LIMIT, not an overrun. */
static void test_json_write_depth_is_limited(void **state) {
    (void)state;
    uint8_t bytes[ZN_RECORD_DEPTH_MAX + 1];
    memset(bytes, 0x91, sizeof bytes);
    zn_buf out = { 0 };
    zonda_error error;
    bytes[ZN_RECORD_DEPTH_MAX - 1] = 0x90;
    zn_bytes record = { .data = bytes, .len = ZN_RECORD_DEPTH_MAX };
    assert_ok(zn_json_write(record, &out, &error), error);
    assert_int_equal(out.len, 2 * ZN_RECORD_DEPTH_MAX);
    bytes[ZN_RECORD_DEPTH_MAX - 1] = 0x91;
    bytes[ZN_RECORD_DEPTH_MAX] = 0x90;
    record.len++;
    assert_err(zn_json_write(record, &out, &error), LIMIT);
    assert_int_equal(out.len, 2 * ZN_RECORD_DEPTH_MAX);
    zn_buf_free(&out);
}

/* A way of long names to the bad value is cut to what the error has room for. */
static void test_json_write_long_place_is_cut(void **state) {
    (void)state;
    uint8_t name[200];
    memset(name, 'n', sizeof name);
    zn_buf record = { 0 };
    for (int i = 0; i < 100; i++) {
        zn_put_map(&record, 1);
        zn_put_string(&record, (zn_bytes){ .data = name, .len = sizeof name });
    }
    zn_put_double(&record, NAN);
    zn_buf out = { 0 };
    zonda_error error;
    assert_err(zn_json_write(zn_buf_bytes(&record), &out, &error), BAD_RECORD);
    assert_in_range(strlen(error.text), 200, 300);
    zn_buf_free(&out);
    zn_buf_free(&record);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_write_values_are_exact),
        cmocka_unit_test(test_json_write_doubles_are_shortest),
        cmocka_unit_test(test_json_write_strings_are_escaped),
        cmocka_unit_test(test_json_write_inexpressible_fails),
        cmocka_unit_test(test_json_write_invalid_utf8_fails),
        cmocka_unit_test(test_json_write_depth_is_limited),
        cmocka_unit_test(test_json_write_long_place_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
