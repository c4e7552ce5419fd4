/* SPDX-License-Identifier: MPL-2.0 */
/* Frames: content comes back as it went, and whatever is wrong with a header, a checksum or a
 * compressed body is found before it does harm. */
#include "test.h"

#include <zstd.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/limits.h"
#include "wire/frame.h"
#include "wire/message_table.h"

static zn_framer *framer;
static zn_buf frame;

/* Bytes that zstd can make smaller, or not. */
static zn_bytes make_content(size_t len, bool compressible) {
    uint8_t *bytes = zn_alloc(len);
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < len; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes[i] = compressible ? (uint8_t)(i % 17) : (uint8_t)state;
    }
    return (zn_bytes){ bytes, len };
}

static zonda_err unpack(zn_bytes *raw, zonda_error *error) {
    uint8_t *exact = zn_memdup(frame.data, frame.len);
    zonda_err code = zn_framer_unpack(framer, (zn_bytes){ exact, frame.len }, raw, error);
    if (code == ZONDA_OK && raw->data == exact + ZN_FRAME_HEADER_BYTES) {
        raw->data = frame.data + ZN_FRAME_HEADER_BYTES;
    }
    free(exact);
    return code;
}

static void expect(zonda_err expected) {
    zonda_error error = { 0 };
    zn_bytes raw = { 0 };
    zonda_err code = unpack(&raw, &error);
    assert_string_equal(zonda_err_name(code), zonda_err_name(expected));
    assert_int_equal(error.code, expected);
    assert_null(raw.data);
}

/* Writes header fields and the checksum that fits, as a clever forger would. */
static void forge(uint8_t flags, size_t body_bytes, size_t raw_bytes) {
    frame.data[5] = flags;
    zn_put_u32(frame.data + 8, (uint32_t)body_bytes);
    zn_put_u32(frame.data + 12, (uint32_t)raw_bytes);
    zn_bytes body = { frame.data + ZN_FRAME_HEADER_BYTES, frame.len - ZN_FRAME_HEADER_BYTES };
    zn_put_u64(frame.data + 16, zn_checksum(body));
}

/* All sizes around the threshold and up to the limit, compressible or not. */
static void test_frame_content_comes_back(void **state) {
    (void)state;
    static const size_t sizes[] = { 0,
                                    1,
                                    23,
                                    ZN_FRAME_COMPRESS_BYTES_MIN - 1,
                                    1024,
                                    1025,
                                    65536,
                                    ZN_MIB + 1,
                                    3000000,
                                    8 * ZN_MIB,
                                    ZN_FRAME_BYTES_MAX };
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        size_t len = sizes[i / 2];
        bool compressible = i % 2 == 0;
        zonda_error error = { 0 };
        zn_bytes raw;
        zn_bytes content = make_content(len, compressible);
        zn_framer_pack(framer, content, &frame);
        bool compressed = (frame.data[5] & ZN_FRAME_FLAG_ZSTD) != 0;
        assert_int_equal(compressed, compressible && len >= ZN_FRAME_COMPRESS_BYTES_MIN);
        assert_true(frame.len <= len + ZN_FRAME_HEADER_BYTES);
        assert_ok(unpack(&raw, &error), error);
        assert_true(zn_bytes_equal(raw, content));
        free((void *)(uintptr_t)content.data);
    }
}

/* The header is what frame.h says, byte by byte. */
static void test_frame_header_is_as_documented(void **state) {
    (void)state;
    zn_framer_pack(framer, zn_bytes_of_text("hello"), &frame);
    static const uint8_t expected[16] = { 'Z', 'N', 'D', 'A', 1, 0, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0 };
    assert_int_equal(frame.len, 29);
    assert_memory_equal(frame.data, expected, sizeof expected);
    assert_int_equal(zn_get_u64(frame.data + 16), zn_checksum(zn_bytes_of_text("hello")));
    assert_memory_equal(frame.data + 24, "hello", 5);
}

/* No bit of a frame may change without being noticed. */
static void test_frame_every_bit_flip_is_noticed(void **state) {
    (void)state;
    for (int compressible = 0; compressible < 2; compressible++) {
        zn_bytes content = make_content(1100, compressible != 0);
        zn_framer_pack(framer, content, &frame);
        for (size_t bit = 0; bit < 8 * frame.len; bit++) {
            zonda_error error = { 0 };
            zn_bytes raw;
            frame.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            zonda_err code = unpack(&raw, &error);
            assert_int_not_equal(code, ZONDA_OK);
            assert_int_equal(code == ZONDA_ERR_VERSION, bit / 8 == 4);
            frame.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        free((void *)(uintptr_t)content.data);
    }
}

/* Cut off anywhere, or with bytes too many. */
static void test_frame_of_another_length_is_refused(void **state) {
    (void)state;
    zn_framer_pack(framer, zn_bytes_of_text("hello"), &frame);
    size_t whole = frame.len;
    for (frame.len = 0; frame.len < whole; frame.len++) {
        expect(ZONDA_ERR_PROTOCOL);
    }
    zn_buf_append_byte(&frame, 0);
    expect(ZONDA_ERR_PROTOCOL);
}

/* Another version is told apart by its first five bytes, whatever the rest is. */
static void test_frame_of_another_version_names_both(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_bytes raw;
    frame.len = 0;
    zn_buf_append(&frame, "ZNDA\x07", 5);
    assert_err(unpack(&raw, &error), VERSION);
    char ours[32];
    snprintf(ours, sizeof ours, "version %d", ZN_PROTOCOL_VERSION);
    assert_non_null(strstr(error.text, "version 7"));
    assert_non_null(strstr(error.text, ours));
}

/* Sizes beyond the limit are refused without looking at the body. */
static void test_frame_oversize_is_a_limit(void **state) {
    (void)state;
    zn_framer_pack(framer, zn_bytes_of_text("hello"), &frame);
    forge(0, (size_t)ZN_FRAME_BYTES_MAX + 1, 5);
    expect(ZONDA_ERR_LIMIT);
    forge(ZN_FRAME_FLAG_ZSTD, 5, (size_t)ZN_FRAME_BYTES_MAX + 1);
    expect(ZONDA_ERR_LIMIT);
    forge(0, UINT32_MAX, UINT32_MAX);
    expect(ZONDA_ERR_LIMIT);
    forge(0, 5, 6);
    expect(ZONDA_ERR_PROTOCOL);
    forge(2, 5, 5);
    expect(ZONDA_ERR_PROTOCOL);
}

/* Puts a zstd body of `len` zeros behind a header that says `raw_bytes`. */
static void forge_compressed(size_t len, size_t raw_bytes) {
    uint8_t *zeros = zn_calloc(len, 1);
    zn_buf_reset(&frame, 0);
    zn_framer_pack(framer, (zn_bytes){ zeros, 1 }, &frame);
    zn_buf_reserve(&frame, ZSTD_compressBound(len));
    size_t body =
        ZSTD_compress(frame.data + ZN_FRAME_HEADER_BYTES, ZSTD_compressBound(len), zeros, len, 1);
    frame.len = ZN_FRAME_HEADER_BYTES + body;
    free(zeros);
    forge(ZN_FRAME_FLAG_ZSTD, body, raw_bytes);
}

/* A body that inflates to another size than the header says never gets more room than that. */
static void test_frame_zstd_bomb_is_refused(void **state) {
    (void)state;
    forge_compressed((size_t)64 * ZN_MIB, 100);
    expect(ZONDA_ERR_PROTOCOL);
    forge_compressed((size_t)64 * ZN_MIB, ZN_FRAME_BYTES_MAX);
    expect(ZONDA_ERR_PROTOCOL);
    forge_compressed(2000, 1999);
    expect(ZONDA_ERR_PROTOCOL);
    forge_compressed(2000, 2001);
    expect(ZONDA_ERR_PROTOCOL);
    forge_compressed(2000, 2000);
    frame.data[frame.len - 1] ^= 0x55; /* damage that the forged checksum hides */
    size_t half = frame.len / 2;
    frame.data[half] ^= 0x55;
    forge(ZN_FRAME_FLAG_ZSTD, frame.len - ZN_FRAME_HEADER_BYTES, 2000);
    zn_bytes raw;
    unpack(&raw, NULL);
    forge_compressed(2000, 2000);
    frame.len -= 3;
    forge(ZN_FRAME_FLAG_ZSTD, frame.len - ZN_FRAME_HEADER_BYTES, 2000);
    expect(ZONDA_ERR_CORRUPT);
}

/* Two zstd frames in one body give more than the first one says. */
static void test_frame_with_two_bodies_is_refused(void **state) {
    (void)state;
    forge_compressed(2000, 2000);
    size_t body = frame.len - ZN_FRAME_HEADER_BYTES;
    zn_buf_reserve(&frame, body);
    memcpy(frame.data + frame.len, frame.data + ZN_FRAME_HEADER_BYTES, body);
    frame.len += body;
    forge(ZN_FRAME_FLAG_ZSTD, 2 * body, 2000);
    expect(ZONDA_ERR_CORRUPT);
}

static int set_up(void **state) {
    (void)state;
    framer = zn_framer_new();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    zn_framer_destroy(&framer);
    zn_framer_destroy(&framer);
    zn_buf_free(&frame);
    return 0;
}

/* What is compressed itself goes as it is, even if zstd could do something with it. */
static void test_frame_plain_is_not_compressed(void **state) {
    (void)state;
    zn_bytes content = make_content(64 * ZN_KIB, true);
    zn_bytes raw;
    zonda_error error = { 0 };
    zn_buf_reset(&frame, SIZE_MAX);
    zn_buf_reserve(&frame, ZN_FRAME_HEADER_BYTES + content.len);
    frame.len = ZN_FRAME_HEADER_BYTES;
    zn_buf_append(&frame, content.data, content.len);
    zn_frame_put_header(frame.data, frame.len);
    assert_ok(unpack(&raw, &error), error);
    assert_true(zn_bytes_equal(raw, content));
    zn_framer_pack(framer, content, &frame);
    assert_true(frame.len < content.len);
    free((void *)(uintptr_t)content.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_content_comes_back),
        cmocka_unit_test(test_frame_header_is_as_documented),
        cmocka_unit_test(test_frame_every_bit_flip_is_noticed),
        cmocka_unit_test(test_frame_of_another_length_is_refused),
        cmocka_unit_test(test_frame_of_another_version_names_both),
        cmocka_unit_test(test_frame_oversize_is_a_limit),
        cmocka_unit_test(test_frame_zstd_bomb_is_refused),
        cmocka_unit_test(test_frame_with_two_bodies_is_refused),
        cmocka_unit_test(test_frame_plain_is_not_compressed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
