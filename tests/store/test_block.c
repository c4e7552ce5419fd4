/* SPDX-License-Identifier: MPL-2.0 */
/* Blocks: equal after a round trip, and no damage anywhere in one goes unnoticed. */
#include "test.h"

#include "base/digest.h"
#include "base/limits.h"
#include "store/block.h"

/* Appends `count` records: small integers, or texts that compress. */
static void put_records(zn_buf *out, uint32_t count, bool texts) {
    static const char text[] = "\xB6the same text again 22";
    for (uint32_t i = 0; i < count; i++) {
        if (texts) {
            zn_buf_append(out, text, 23);
        } else {
            zn_buf_append_byte(out, (uint8_t)(i * 37 % 128));
        }
    }
}

static zonda_err unpack(zn_block_codec *codec, zn_bytes bytes, zn_bytes *records, uint32_t *count,
                        size_t *used) {
    size_t need = 0;
    zonda_error error = { 0 };
    zonda_err code = zn_block_unpack(codec, bytes, records, count, used, &need, &error);
    assert_int_equal(code, error.code);
    assert_true((code == ZONDA_ERR_NOT_FOUND) == (need > bytes.len));
    return code;
}

/* Plain and compressed blocks, one after another in one buffer, come back equal. */
static void test_block_round_trip_is_equal(void **state) {
    (void)state;
    static const uint32_t counts[] = { 0, 1, 5, 1000, 100000 };
    zn_block_codec *codec = zn_block_codec_new();
    zn_buf blocks = { 0 };
    for (size_t i = 0; i < 10; i++) {
        zn_buf records = { 0 };
        put_records(&records, counts[i / 2], i % 2 == 1);
        zn_block_pack(codec, zn_buf_bytes(&records), counts[i / 2], &blocks);
        zn_buf_free(&records);
    }
    zn_bytes rest = zn_buf_bytes(&blocks);
    for (size_t i = 0; i < 10; i++) {
        zn_buf expected = { 0 };
        put_records(&expected, counts[i / 2], i % 2 == 1);
        zn_bytes records = { 0 };
        uint32_t count = 0;
        size_t used = 0;
        assert_int_equal(unpack(codec, rest, &records, &count, &used), ZONDA_OK);
        assert_int_equal(count, counts[i / 2]);
        assert_true(zn_bytes_equal(records, zn_buf_bytes(&expected)));
        rest = (zn_bytes){ rest.data + used, rest.len - used };
        zn_buf_free(&expected);
    }
    assert_int_equal(rest.len, 0);
    zn_buf_free(&blocks);
    zn_block_codec_destroy(&codec);
}

/* Equal records make equal blocks, from a fresh codec and from a used one. */
static void test_block_bytes_are_deterministic(void **state) {
    (void)state;
    zn_block_codec *used = zn_block_codec_new();
    zn_block_codec *fresh = zn_block_codec_new();
    zn_buf records = { 0 };
    zn_buf first = { 0 };
    zn_buf second = { 0 };
    put_records(&records, 5000, false);
    zn_block_pack(used, zn_buf_bytes(&records), 5000, &first);
    zn_buf_reset(&records, SIZE_MAX);
    zn_buf_reset(&first, SIZE_MAX);
    put_records(&records, 5000, true);
    zn_block_pack(used, zn_buf_bytes(&records), 5000, &first);
    zn_block_pack(fresh, zn_buf_bytes(&records), 5000, &second);
    assert_true(first.len < records.len / 2);
    assert_true(zn_bytes_equal(zn_buf_bytes(&first), zn_buf_bytes(&second)));
    zn_buf_free(&records);
    zn_buf_free(&first);
    zn_buf_free(&second);
    zn_block_codec_destroy(&used);
    zn_block_codec_destroy(&fresh);
}

/* Any flipped bit of a plain or a compressed block is an error; none is taken for good. */
static void test_block_flipped_bits_are_detected(void **state) {
    (void)state;
    zn_block_codec *codec = zn_block_codec_new();
    for (int texts = 0; texts < 2; texts++) {
        zn_buf records = { 0 };
        zn_buf block = { 0 };
        put_records(&records, 40, texts == 1);
        zn_block_pack(codec, zn_buf_bytes(&records), 40, &block);
        assert_int_equal(zn_get_u32(block.data + 4), texts);
        for (size_t bit = 0; bit < block.len * 8; bit++) {
            block.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            zn_bytes out = { 0 };
            uint32_t count = 0;
            size_t used = 0;
            zonda_err code = unpack(codec, zn_buf_bytes(&block), &out, &count, &used);
            /* A length that grew asks for bytes that never come; the reader then says CORRUPT. */
            bool length = bit / 8 >= 16 && bit / 8 < 20;
            assert_true(code == ZONDA_ERR_CORRUPT || code == ZONDA_ERR_LIMIT ||
                        (length && code == ZONDA_ERR_NOT_FOUND));
            block.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        zn_buf_free(&records);
        zn_buf_free(&block);
    }
    zn_block_codec_destroy(&codec);
}

/* Any beginning of a block says how many bytes are needed, and that many are then enough. */
static void test_block_beginnings_say_what_they_need(void **state) {
    (void)state;
    zn_block_codec *codec = zn_block_codec_new();
    zn_buf records = { 0 };
    zn_buf block = { 0 };
    put_records(&records, 100, true);
    zn_block_pack(codec, zn_buf_bytes(&records), 100, &block);
    for (size_t len = 0; len < block.len; len++) {
        zn_bytes out;
        uint32_t count = 0;
        size_t used = 0;
        size_t need = 0;
        zonda_error error = { 0 };
        assert_err(zn_block_unpack(codec, (zn_bytes){ block.data, len }, &out, &count, &used, &need,
                                   &error),
                   NOT_FOUND);
        assert_int_equal(need, len < ZN_BLOCK_HEADER_BYTES ? ZN_BLOCK_HEADER_BYTES : block.len);
    }
    zn_buf_free(&records);
    zn_buf_free(&block);
    zn_block_codec_destroy(&codec);
}

/* Writes a plain block with a right checksum around bytes that need not be records. */
static void forge(zn_buf *out, zn_bytes stored, uint32_t flags, uint32_t count, uint32_t raw) {
    uint8_t header[ZN_BLOCK_HEADER_BYTES] = { 'Z', 'N', 'B', '1' };
    zn_put_u32(header + 4, flags);
    zn_put_u32(header + 8, count);
    zn_put_u32(header + 16, (uint32_t)stored.len);
    zn_put_u32(header + 20, raw);
    zn_put_u64(header + 24, zn_checksum(stored));
    zn_buf_reset(out, SIZE_MAX);
    zn_buf_append(out, header, sizeof header);
    zn_buf_append(out, stored.data, stored.len);
}

/* Blocks with a right checksum but wrong content: counts, values, sizes, compressed bytes. */
static void test_block_forged_is_corrupt(void **state) {
    (void)state;
    static const struct {
        const char *stored;
        size_t len;
        uint32_t flags;
        uint32_t count;
        uint32_t raw;
    } rows[] = {
        { "\x01\x02", 2, 0, 1, 2 },             /* a record more than counted */
        { "\x01\x02", 2, 0, 3, 2 },             /* a record less, and more than bytes */
        { "\x93\x01\x02", 3, 0, 1, 3 },         /* an array that is not all there */
        { "\xC1", 1, 0, 1, 1 },                 /* the byte that MessagePack never uses */
        { "\xDB\xFF\xFF\xFF\xFF", 5, 0, 1, 5 }, /* a text of 4 GiB */
        { "\x01", 1, 0, 0, 1 },                 /* bytes, but no record */
        { "", 0, 0, 1, 0 },                     /* a record, but no bytes */
        { "\x01\x02", 2, 0, 2, 3 },             /* plain, and sizes differ */
        { "\x01\x02", 2, 1, 2, 100 },           /* no zstd frame */
        { "\x01\x02", 2, 1, 2, 2 },             /* compressed, and not smaller */
    };
    zn_block_codec *codec = zn_block_codec_new();
    zn_buf block = { 0 };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        zn_bytes stored = { (const uint8_t *)rows[i].stored, rows[i].len };
        forge(&block, stored, rows[i].flags, rows[i].count, rows[i].raw);
        zn_bytes out;
        uint32_t count = 0;
        size_t used = 0;
        assert_err(unpack(codec, zn_buf_bytes(&block), &out, &count, &used), CORRUPT);
    }
    zn_buf_free(&block);
    zn_block_codec_destroy(&codec);
}

/* A value nested deeper than the limit is refused, because readers trust what passes here. */
static void test_block_deep_record_is_corrupt(void **state) {
    (void)state;
    uint8_t deep[ZN_RECORD_DEPTH_MAX + 10];
    memset(deep, 0x91, sizeof deep);
    deep[sizeof deep - 1] = 0;
    zn_block_codec *codec = zn_block_codec_new();
    zn_buf block = { 0 };
    forge(&block, (zn_bytes){ deep, sizeof deep }, 0, 1, sizeof deep);
    zn_bytes out;
    uint32_t count = 0;
    size_t used = 0;
    assert_err(unpack(codec, zn_buf_bytes(&block), &out, &count, &used), CORRUPT);
    zn_buf_free(&block);
    zn_block_codec_destroy(&codec);
}

/* Sizes above the limit are refused before anything is allocated for them. */
static void test_block_sizes_above_the_limit_are_refused(void **state) {
    (void)state;
    zn_block_codec *codec = zn_block_codec_new();
    zn_buf block = { 0 };
    forge(&block, zn_bytes_of_text("x"), 1, 1, UINT32_MAX);
    zn_bytes out;
    uint32_t count = 0;
    size_t used = 0;
    assert_err(unpack(codec, zn_buf_bytes(&block), &out, &count, &used), LIMIT);
    zn_put_u32(block.data + 16, UINT32_MAX);
    assert_err(unpack(codec, zn_buf_bytes(&block), &out, &count, &used), LIMIT);
    zn_buf_free(&block);
    zn_block_codec_destroy(&codec);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_round_trip_is_equal),
        cmocka_unit_test(test_block_bytes_are_deterministic),
        cmocka_unit_test(test_block_flipped_bits_are_detected),
        cmocka_unit_test(test_block_beginnings_say_what_they_need),
        cmocka_unit_test(test_block_forged_is_corrupt),
        cmocka_unit_test(test_block_deep_record_is_corrupt),
        cmocka_unit_test(test_block_sizes_above_the_limit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
