/* SPDX-License-Identifier: MPL-2.0 */
/* Reading and appending single MessagePack values. */
#include "test.h"

#include "base/limits.h"
#include "record/value.h"

#define BYTES(text) ((zn_bytes){ .data = (const uint8_t *)(text), .len = sizeof(text) - 1 })

typedef struct head_case {
    const char *bytes;
    size_t len;
    zn_value_type type;
    int64_t number; /* integer, bool, count, payload length, or the double as an integer */
} head_case;

#define CASE(text, type, number)                                                                   \
    { text, sizeof(text) - 1, type, number }

static const head_case head_cases[] = {
    CASE("\xc0", ZN_VALUE_NIL, 0),
    CASE("\xc2", ZN_VALUE_BOOL, 0),
    CASE("\xc3", ZN_VALUE_BOOL, 1),
    CASE("\x00", ZN_VALUE_INT, 0),
    CASE("\x7f", ZN_VALUE_INT, 127),
    CASE("\xe0", ZN_VALUE_INT, -32),
    CASE("\xff", ZN_VALUE_INT, -1),
    CASE("\xcc\xff", ZN_VALUE_INT, 255),
    CASE("\xcd\xff\xfe", ZN_VALUE_INT, 65534),
    CASE("\xce\xff\xff\xff\xfe", ZN_VALUE_INT, 4294967294),
    CASE("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", ZN_VALUE_INT, INT64_MAX),
    CASE("\xcf\x80\x00\x00\x00\x00\x00\x00\x00", ZN_VALUE_UINT, INT64_MIN),
    CASE("\xcf\x00\x00\x00\x00\x00\x00\x00\x05", ZN_VALUE_INT, 5),
    CASE("\xd0\x80", ZN_VALUE_INT, -128),
    CASE("\xd0\x05", ZN_VALUE_INT, 5),
    CASE("\xd1\x80\x00", ZN_VALUE_INT, -32768),
    CASE("\xd2\x80\x00\x00\x00", ZN_VALUE_INT, INT32_MIN),
    CASE("\xd3\x80\x00\x00\x00\x00\x00\x00\x00", ZN_VALUE_INT, INT64_MIN),
    CASE("\xca\xc0\x40\x00\x00", ZN_VALUE_DOUBLE, -3),
    CASE("\xcb\x40\x08\x00\x00\x00\x00\x00\x00", ZN_VALUE_DOUBLE, 3),
    CASE("\xa0", ZN_VALUE_STRING, 0),
    CASE("\xa3xyz", ZN_VALUE_STRING, 3),
    CASE("\xd9\x02xy", ZN_VALUE_STRING, 2),
    CASE("\xda\x00\x02xy", ZN_VALUE_STRING, 2),
    CASE("\xdb\x00\x00\x00\x02xy", ZN_VALUE_STRING, 2),
    CASE("\xc4\x02xy", ZN_VALUE_BINARY, 2),
    CASE("\xc5\x00\x02xy", ZN_VALUE_BINARY, 2),
    CASE("\xc6\x00\x00\x00\x02xy", ZN_VALUE_BINARY, 2),
    CASE("\xd4\x01x", ZN_VALUE_EXT, 1),
    CASE("\xd5\x01xx", ZN_VALUE_EXT, 2),
    CASE("\xd6\x01xxxx", ZN_VALUE_EXT, 4),
    CASE("\xd7\x01xxxxxxxx", ZN_VALUE_EXT, 8),
    CASE("\xd8\x01xxxxxxxxxxxxxxxx", ZN_VALUE_EXT, 16),
    CASE("\xc7\x03\x01xyz", ZN_VALUE_EXT, 3),
    CASE("\xc8\x00\x03\x01xyz", ZN_VALUE_EXT, 3),
    CASE("\xc9\x00\x00\x00\x03\x01xyz", ZN_VALUE_EXT, 3),
    CASE("\x90", ZN_VALUE_ARRAY, 0),
    CASE("\x92\x01\x91\x02", ZN_VALUE_ARRAY, 2),
    CASE("\xdc\x00\x01\x01", ZN_VALUE_ARRAY, 1),
    CASE("\xdd\x00\x00\x00\x01\x01", ZN_VALUE_ARRAY, 1),
    CASE("\x80", ZN_VALUE_MAP, 0),
    CASE("\x81\xa1k\x92\x01\xa1x", ZN_VALUE_MAP, 1),
    CASE("\xde\x00\x01\x01\x02", ZN_VALUE_MAP, 1),
    CASE("\xdf\x00\x00\x00\x01\x01\x02", ZN_VALUE_MAP, 1),
};

static int64_t number_of(zn_value value) {
    switch (value.type) {
    case ZN_VALUE_BOOL:
        return value.boolean;
    case ZN_VALUE_INT:
        return value.integer;
    case ZN_VALUE_UINT:
        return (int64_t)value.uinteger;
    case ZN_VALUE_DOUBLE:
        return (int64_t)value.number;
    case ZN_VALUE_STRING:
    case ZN_VALUE_BINARY:
    case ZN_VALUE_EXT:
        return (int64_t)value.bytes.len;
    case ZN_VALUE_ARRAY:
    case ZN_VALUE_MAP:
        return value.count;
    case ZN_VALUE_NIL:
        break;
    }
    return 0;
}

/* Every form of the format reads as its type and value, and skip moves behind the whole value. */
static void test_value_head_every_form_reads(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof head_cases / sizeof head_cases[0]; i++) {
        const head_case *c = &head_cases[i];
        zn_bytes bytes = { .data = (const uint8_t *)c->bytes, .len = c->len };
        zonda_error error;
        assert_ok(zn_value_check(bytes, &error), error);
        zn_value value = zn_value_head(bytes);
        assert_int_equal(value.type, c->type);
        assert_int_equal(number_of(value), c->number);
        zn_cursor cursor = zn_cursor_of(bytes);
        assert_int_equal(zn_cursor_skip(&cursor).len, c->len);
        assert_ptr_equal(cursor.at, cursor.end);
        cursor = zn_cursor_of(bytes);
        zn_cursor_read(&cursor);
        bool open = value.type == ZN_VALUE_ARRAY || value.type == ZN_VALUE_MAP;
        assert_true(open ? cursor.at <= cursor.end : cursor.at == cursor.end);
    }
}

/* No prefix of a value passes the check, and neither does a value with a byte behind it. */
static void test_value_check_cut_or_long_fails(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof head_cases / sizeof head_cases[0]; i++) {
        const head_case *c = &head_cases[i];
        zonda_error error;
        for (size_t len = 0; len < c->len; len++) {
            uint8_t *copy = malloc(len + 1);
            memcpy(copy, c->bytes, len);
            assert_err(zn_value_check((zn_bytes){ .data = copy, .len = len }, &error), BAD_RECORD);
            free(copy);
        }
        uint8_t longer[64];
        memcpy(longer, c->bytes, c->len);
        longer[c->len] = 0xc0;
        assert_err(zn_value_check((zn_bytes){ .data = longer, .len = c->len + 1 }, &error),
                   BAD_RECORD);
        assert_string_equal(error.text, "1 bytes follow after the record");
    }
}

/* The reserved byte and counts that cannot fit are bad records. */
static void test_value_check_hostile_fails(void **state) {
    (void)state;
    static const char *const hostile[] = { "\xc1", "\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff",
                                           "\xdb\xff\xff\xff\xff" };
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        zonda_error error;
        assert_err(zn_value_check(zn_bytes_of_text(hostile[i]), &error), BAD_RECORD);
        assert_int_equal(error.code, ZONDA_ERR_BAD_RECORD);
        assert_err(zn_value_check(zn_bytes_of_text(hostile[i]), NULL), BAD_RECORD);
    }
}

/* Nesting up to the limit passes and can be skipped, one more is LIMIT. */
static void test_value_check_depth_is_limited(void **state) {
    (void)state;
    uint8_t bytes[ZN_RECORD_DEPTH_MAX + 2];
    memset(bytes, 0x91, sizeof bytes);
    zonda_error error;
    bytes[ZN_RECORD_DEPTH_MAX] = 0x01;
    zn_bytes deepest = { .data = bytes, .len = ZN_RECORD_DEPTH_MAX + 1 };
    assert_ok(zn_value_check(deepest, &error), error);
    zn_cursor cursor = zn_cursor_of(deepest);
    assert_int_equal(zn_cursor_skip(&cursor).len, deepest.len);
    bytes[ZN_RECORD_DEPTH_MAX] = 0x91;
    bytes[ZN_RECORD_DEPTH_MAX + 1] = 0x01;
    assert_err(zn_value_check((zn_bytes){ .data = bytes, .len = sizeof bytes }, &error), LIMIT);
}

/* The size limit is checked before anything is read. */
static void test_value_check_size_is_limited(void **state) {
    (void)state;
    zonda_error error;
    uint8_t byte = 0xc0;
    zn_bytes bytes = { .data = &byte, .len = (size_t)ZN_RECORD_BYTES_MAX + 1 };
    assert_err(zn_value_check(bytes, &error), LIMIT);
}

static void assert_bytes(const zn_buf *buf, const char *expected, size_t len) {
    assert_int_equal(buf->len, len);
    assert_memory_equal(buf->data, expected, len);
}

/* Integers take the shortest form at both sides of every boundary. */
static void test_value_put_integers_are_shortest(void **state) {
    (void)state;
    static const struct {
        int64_t value;
        const char *bytes;
        size_t len;
    } cases[] = {
        { 0, "\x00", 1 },
        { 127, "\x7f", 1 },
        { 128, "\xcc\x80", 2 },
        { 255, "\xcc\xff", 2 },
        { 256, "\xcd\x01\x00", 3 },
        { 65535, "\xcd\xff\xff", 3 },
        { 65536, "\xce\x00\x01\x00\x00", 5 },
        { 4294967295, "\xce\xff\xff\xff\xff", 5 },
        { 4294967296, "\xcf\x00\x00\x00\x01\x00\x00\x00\x00", 9 },
        { INT64_MAX, "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 9 },
        { -1, "\xff", 1 },
        { -32, "\xe0", 1 },
        { -33, "\xd0\xdf", 2 },
        { -128, "\xd0\x80", 2 },
        { -129, "\xd1\xff\x7f", 3 },
        { -32768, "\xd1\x80\x00", 3 },
        { -32769, "\xd2\xff\xff\x7f\xff", 5 },
        { INT32_MIN, "\xd2\x80\x00\x00\x00", 5 },
        { (int64_t)INT32_MIN - 1, "\xd3\xff\xff\xff\xff\x7f\xff\xff\xff", 9 },
        { INT64_MIN, "\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        zn_buf buf = { 0 };
        zn_put_int(&buf, cases[i].value);
        assert_bytes(&buf, cases[i].bytes, cases[i].len);
        assert_int_equal(zn_value_head(zn_buf_bytes(&buf)).integer, cases[i].value);
        zn_buf_free(&buf);
    }
    zn_buf buf = { 0 };
    zn_put_uint(&buf, UINT64_MAX);
    assert_bytes(&buf, "\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9);
    zn_buf_free(&buf);
}

/* Strings, binaries, arrays and maps take the shortest head at every boundary and read back. */
static void test_value_put_lengths_are_shortest(void **state) {
    (void)state;
    static const struct {
        uint32_t length;
        size_t string_head;
        size_t binary_head;
        size_t container_head;
    } cases[] = {
        { 0, 1, 2, 1 },   { 15, 1, 2, 1 },  { 16, 1, 2, 3 },    { 31, 1, 2, 3 },    { 32, 2, 2, 3 },
        { 255, 2, 2, 3 }, { 256, 3, 3, 3 }, { 65535, 3, 3, 3 }, { 65536, 5, 5, 5 },
    };
    uint8_t *data = calloc(1, 65536);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        zn_bytes payload = { .data = data, .len = cases[i].length };
        zn_buf buf = { 0 };
        zn_put_string(&buf, payload);
        assert_int_equal(buf.len, cases[i].string_head + payload.len);
        assert_int_equal(zn_value_head(zn_buf_bytes(&buf)).type, ZN_VALUE_STRING);
        assert_int_equal(zn_value_head(zn_buf_bytes(&buf)).bytes.len, payload.len);
        buf.len = 0;
        zn_put_binary(&buf, payload);
        assert_int_equal(buf.len, cases[i].binary_head + payload.len);
        assert_int_equal(zn_value_head(zn_buf_bytes(&buf)).type, ZN_VALUE_BINARY);
        assert_int_equal(zn_value_head(zn_buf_bytes(&buf)).bytes.len, payload.len);
        buf.len = 0;
        zn_put_array(&buf, cases[i].length);
        assert_int_equal(buf.len, cases[i].container_head);
        assert_int_equal(zn_value_head(zn_buf_bytes(&buf)).type, ZN_VALUE_ARRAY);
        assert_int_equal(zn_value_head(zn_buf_bytes(&buf)).count, cases[i].length);
        buf.len = 0;
        zn_put_map(&buf, cases[i].length);
        assert_int_equal(buf.len, cases[i].container_head);
        assert_int_equal(zn_value_head(zn_buf_bytes(&buf)).type, ZN_VALUE_MAP);
        assert_int_equal(zn_value_head(zn_buf_bytes(&buf)).count, cases[i].length);
        zn_buf_free(&buf);
    }
    free(data);
}

/* Nil, booleans and doubles, whose form is fixed. */
static void test_value_put_fixed_forms_are_exact(void **state) {
    (void)state;
    zn_buf buf = { 0 };
    zn_put_nil(&buf);
    zn_put_bool(&buf, true);
    zn_put_bool(&buf, false);
    zn_put_double(&buf, -2.0);
    zn_put_text(&buf, "hi");
    assert_bytes(&buf, "\xc0\xc3\xc2\xcb\xc0\x00\x00\x00\x00\x00\x00\x00\xa2hi", 15);
    zn_buf_free(&buf);
}

/* {"a": 1, 7: 0, [1]: 0, "m": {"x.y": 2, "x": {"y": 3, "z": 4}, "x": {"y": 5}}, "a": 6,
 * "m.q": 8, "s": "t", "b": true, "": {"e": 9}} */
static const char sample[] =
    "\x89\xa1"
    "a\x01\x07\x00\x91\x01\x00\xa1m\x83\xa3x.y\x02\xa1x\x82\xa1y\x03\xa1z\x04\xa1x"
    "\x81\xa1y\x05\xa1"
    "a\x06\xa3m.q\x08\xa1s\xa1t\xa1"
    "b\xc3\xa0\x81\xa1"
    "e\x09";

/* Fields by name: the last of equal keys wins, keys of other types never match. */
static void test_value_field_finds_last_of_name(void **state) {
    (void)state;
    zn_bytes out = { 0 };
    zonda_error error;
    assert_ok(zn_value_check(BYTES(sample), &error), error);
    assert_true(zn_value_field(BYTES(sample), BYTES("a"), &out));
    assert_int_equal(zn_value_head(out).integer, 6);
    assert_true(zn_value_field(BYTES(sample), BYTES("m.q"), &out));
    assert_int_equal(zn_value_head(out).integer, 8);
    zn_bytes before = out;
    assert_false(zn_value_field(BYTES(sample), BYTES("q"), &out));
    assert_false(zn_value_field(BYTES(sample), BYTES("\x07"), &out));
    assert_false(zn_value_field(BYTES("\x01"), BYTES("a"), &out));
    assert_false(zn_value_field(BYTES("\x91\xa1"
                                      "a"),
                                BYTES("a"), &out));
    assert_false(zn_value_field((zn_bytes){ 0 }, BYTES("a"), &out));
    assert_ptr_equal(out.data, before.data);
}

/* Paths go down maps; a name with dots wins over the way through its parts. */
static void test_value_path_follows_names(void **state) {
    (void)state;
    static const struct {
        const char *path;
        int64_t expected; /* -1: not there */
    } cases[] = {
        { "a", 6 },      { "m.x.y", 2 }, { "m.x.z", -1 }, { "m.q", 8 },   { ".e", 9 },
        { "m.q.r", -1 }, { "a.b", -1 },  { "m.", -1 },    { "m.x.", -1 }, { ".", -1 },
        { "m..x", -1 },  { "zz", -1 },   { "s.t", -1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        zn_bytes out = { 0 };
        bool found = zn_value_path(BYTES(sample), zn_bytes_of_text(cases[i].path), &out);
        assert_int_equal(found ? zn_value_head(out).integer : -1, cases[i].expected);
    }
}

/* The typed helpers say false for what is absent or of another type. */
static void test_value_field_typed_checks_type(void **state) {
    (void)state;
    zn_bytes text = { 0 };
    uint64_t number = 0;
    bool flag = false;
    zn_bytes map = BYTES(sample);
    assert_true(zn_value_field_text(map, "s", &text));
    assert_true(zn_bytes_equal(text, BYTES("t")));
    assert_false(zn_value_field_text(map, "a", &text));
    assert_false(zn_value_field_text(map, "nope", &text));
    assert_true(zn_value_field_uint(map, "a", &number));
    assert_int_equal(number, 6);
    assert_false(zn_value_field_uint(map, "s", &number));
    assert_false(zn_value_field_uint(BYTES("\x81\xa1n\xff"), "n", &number));
    assert_true(
        zn_value_field_uint(BYTES("\x81\xa1n\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), "n", &number));
    assert_true(number == UINT64_MAX);
    assert_true(zn_value_field_bool(map, "b", &flag));
    assert_true(flag);
    assert_false(zn_value_field_bool(map, "a", &flag));
}

/* Every type has a name for people. */
static void test_value_type_name_is_known(void **state) {
    (void)state;
    for (zn_value_type type = ZN_VALUE_NIL; type <= ZN_VALUE_EXT; type++) {
        assert_string_not_equal(zn_value_type_name(type), "unknown");
    }
    assert_string_equal(zn_value_type_name(ZN_VALUE_MAP), "map");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value_head_every_form_reads),
        cmocka_unit_test(test_value_check_cut_or_long_fails),
        cmocka_unit_test(test_value_check_hostile_fails),
        cmocka_unit_test(test_value_check_depth_is_limited),
        cmocka_unit_test(test_value_check_size_is_limited),
        cmocka_unit_test(test_value_put_integers_are_shortest),
        cmocka_unit_test(test_value_put_lengths_are_shortest),
        cmocka_unit_test(test_value_put_fixed_forms_are_exact),
        cmocka_unit_test(test_value_field_finds_last_of_name),
        cmocka_unit_test(test_value_path_follows_names),
        cmocka_unit_test(test_value_field_typed_checks_type),
        cmocka_unit_test(test_value_type_name_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
