/* SPDX-License-Identifier: MPL-2.0 */
/* Values as msgpack-c objects. */
#include "test.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "record/object.h"
#include "record/value.h"

static int append(void *out, const char *data, size_t len) {
    zn_buf_append(out, data, len);
    return 0;
}

/* Decodes, packs again with msgpack-c, and compares. */
static void expect_same(zn_object_decoder *decoder, zn_bytes value) {
    zonda_error error = { 0 };
    const msgpack_object *object = NULL;
    assert_ok(zn_value_check(value, &error), error);
    assert_ok(zn_object_decode(decoder, value, &object, &error), error);
    zn_buf again = { 0 };
    msgpack_packer packer;
    msgpack_packer_init(&packer, &again, append);
    assert_int_equal(msgpack_pack_object(&packer, *object), 0);
    assert_int_equal(again.len, value.len);
    assert_memory_equal(again.data, value.data, value.len);
    zn_buf_free(&again);
}

/* Every type survives, single floats and the types of extensions included. */
static void test_object_every_type_survives(void **state) {
    (void)state;
    static const uint8_t values[] = {
        0xdc, 0,    17,   0xc0, 0xc2, 0xc3, 0x7f, 0xe0, 0xd0, 0x80, 0xcf, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xd3, 0x80, 0,    0,    0,    0,    0,
        0,    0,    0xca, 0x3f, 0x80, 0,    0,    0xcb, 0x3f, 0xf0, 0,    0,    0,
        0,    0,    0,    0xa2, 'h',  'i',  0xc4, 1,    0xff, 0x92, 1,    2,    0x81,
        0xa1, 'k',  0x90, 0xd4, 0xfb, 9,    0xc7, 3,    5,    1,    2,    3,    0x80,
    };
    zn_object_decoder *decoder = zn_object_decoder_new();
    expect_same(decoder, (zn_bytes){ values, sizeof values });
    zn_object_decoder_destroy(&decoder);
    assert_null(decoder);
    zn_object_decoder_destroy(&decoder);
}

/* The deepest record that passes the check is decoded. */
static void test_object_deepest_record_is_decoded(void **state) {
    (void)state;
    uint8_t nested[ZN_RECORD_DEPTH_MAX];
    memset(nested, 0x91, sizeof nested);
    nested[sizeof nested - 1] = 0x90;
    zn_object_decoder *decoder = zn_object_decoder_new();
    expect_same(decoder, (zn_bytes){ nested, sizeof nested });
    expect_same(decoder, (zn_bytes){ nested + sizeof nested - 1, 1 });
    zn_object_decoder_destroy(&decoder);
}

/* More values than the limit are refused; then the decoder goes on. */
static void test_object_too_many_values_are_refused(void **state) {
    (void)state;
    zn_buf value = { 0 };
    zn_put_array(&value, ZN_OBJECT_VALUES_MAX + 1);
    for (unsigned i = 0; i <= ZN_OBJECT_VALUES_MAX; i++) {
        zn_put_nil(&value);
    }
    zn_object_decoder *decoder = zn_object_decoder_new();
    const msgpack_object *object = NULL;
    zonda_error error = { 0 };
    assert_err(zn_object_decode(decoder, zn_buf_bytes(&value), &object, &error), LIMIT);
    assert_null(object);
    static const uint8_t one[] = { 1 };
    expect_same(decoder, (zn_bytes){ one, sizeof one });
    zn_object_decoder_destroy(&decoder);
    zn_buf_free(&value);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_object_every_type_survives),
        cmocka_unit_test(test_object_deepest_record_is_decoded),
        cmocka_unit_test(test_object_too_many_values_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
