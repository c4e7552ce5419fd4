/* SPDX-License-Identifier: MPL-2.0 */
/* Values to keys. Sort, group and join encode a key for every record, and afterwards only compare,
 * hash and copy bytes, so the encoding is short (an integer below 2^14 takes three bytes, one below
 * 2^63 at most ten) and comparing needs no look at types. The format is in key_format.h; key_read.c
 * is the way back.
 *
 * Containers recurse; the depth of a checked value is bounded. */
#include "record/key.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/short_bytes.h"
#include "record/key_format.h"
#include "record/value.h"

enum {
    NUMBER_BYTES_MAX = 13 /* sign, tag, exponent, 63 bits in sevens */
};

/* A number that is not zero: ± 2^exponent × 1.bits, the bits from the highest one down. */
typedef struct number {
    bool negative;
    int exponent;
    uint64_t bits;
} number;

static inline number split_integer(bool negative, uint64_t magnitude) {
    int zeros = __builtin_clzll(magnitude);
    return (
        number){ .negative = negative, .exponent = 63 - zeros, .bits = magnitude << zeros << 1 };
}

/* Not for zero and NaN. Infinity has the exponent after the largest one, and no bits. */
static number split_double(double value) {
    uint64_t raw;
    memcpy(&raw, &value, sizeof raw);
    int biased = (int)(raw >> 52 & 0x7ff);
    uint64_t fraction = raw << 12;
    number out = { .negative = raw >> 63 != 0, .exponent = biased - 1023, .bits = fraction };
    if (biased == 0) {
        int zeros = __builtin_clzll(fraction);
        out.exponent = -1023 - zeros;
        out.bits = fraction << zeros << 1;
    }
    return out;
}

/* Spreads the highest 56 bits over eight bytes, seven in each, above its lowest bit. */
static inline uint64_t spread(uint64_t bits) {
    bits >>= 8;
    bits = (bits & UINT64_C(0x00fffffff0000000)) << 4 | (bits & UINT64_C(0x000000000fffffff));
    bits = (bits & UINT64_C(0x0fffc0000fffc000)) << 2 | (bits & UINT64_C(0x00003fff00003fff));
    bits = (bits & UINT64_C(0x3f803f803f803f80)) << 1 | (bits & UINT64_C(0x007f007f007f007f));
    return bits << 1;
}

static inline void store_64(uint8_t *at, uint64_t value) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    memcpy(at, &value, sizeof value);
}

/* Writes the bits, at least one byte. Room for nine is wanted. */
static inline size_t put_bits(uint8_t *at, uint64_t bits) {
    const uint64_t more = UINT64_C(0x0101010101010101);
    uint64_t groups = spread(bits);
    if ((bits & 0xff) != 0) {
        store_64(at, groups | more);
        at[8] = (uint8_t)(bits & 0xfe);
        return 9;
    }
    size_t len = groups == 0 ? 1 : 8 - (size_t)__builtin_ctzll(groups) / 8;
    store_64(at, groups | (len == 1 ? 0 : more << (8 * (9 - len))));
    return len;
}

static void put_number(zn_buf *out, number value) {
    zn_buf_reserve(out, NUMBER_BYTES_MAX);
    uint8_t *start = out->data + out->len;
    uint8_t *at = start;
    if (value.negative) {
        *at++ = KEY_NEGATIVE;
    }
    uint8_t *magnitude = at;
    if (value.exponent >= 0 && value.exponent < 64) {
        *at++ = (uint8_t)(KEY_ONE + value.exponent);
    } else {
        unsigned biased = (unsigned)(value.exponent + KEY_EXPONENT_BIAS);
        *at++ = value.exponent < 0 ? KEY_TINY : KEY_HUGE;
        *at++ = (uint8_t)(biased >> 8);
        *at++ = (uint8_t)biased;
    }
    at += put_bits(at, value.bits);
    if (value.negative) {
        zn_key_invert(magnitude, (size_t)(at - magnitude));
    }
    out->len += (size_t)(at - start);
}

static inline void put_integer(zn_buf *out, int64_t value) {
    if (value == 0) {
        zn_buf_append_byte(out, KEY_ZERO);
    } else {
        uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
        put_number(out, split_integer(value < 0, magnitude));
    }
}

static zonda_err put_double(zn_buf *out, double value, zonda_error *error) {
    if (isnan(value)) {
        return zn_error_set(error, ZONDA_ERR_BAD_RECORD,
                            "a key is or has NaN, which has no place in an order");
    }
    if (value == 0) {
        zn_buf_append_byte(out, KEY_ZERO);
    } else {
        put_number(out, split_double(value));
    }
    return ZONDA_OK;
}

/* Whether one of eight bytes is 0 or 1. */
static inline bool has_special(uint64_t word) {
    return ((word - UINT64_C(0x0202020202020202)) & ~word & UINT64_C(0x8080808080808080)) != 0;
}

/* How many bytes go into the encoding as they are. */
static size_t plain_bytes(zn_bytes bytes) {
    size_t at = 0;
    for (; bytes.len - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, bytes.data + at, sizeof word);
        if (has_special(word)) {
            break;
        }
    }
    while (at < bytes.len && bytes.data[at] > KEY_ESCAPE) {
        at++;
    }
    return at;
}

/* Most texts that are keys: short, and nothing in them to escape. False if it is another one. */
static inline bool put_short(zn_buf *out, uint8_t tag, zn_bytes bytes) {
    if (bytes.len < 4 || bytes.len > ZN_SHORT_BYTES_MAX) {
        return false;
    }
    zn_short_bytes words = zn_short_bytes_load(bytes.data, bytes.len);
    bool special = bytes.len >= 8 ? has_special(words.head) || has_special(words.tail)
                                  : has_special(words.head | words.tail << 32);
    if (special) {
        return false;
    }
    uint8_t *at = out->data + out->len;
    at[0] = tag;
    zn_short_bytes_store(words, at + 1, bytes.len);
    at[1 + bytes.len] = KEY_END;
    out->len += bytes.len + 2;
    return true;
}

static void put_bytes(zn_buf *out, uint8_t tag, zn_bytes bytes) {
    if (out->capacity - out->len < bytes.len + 2) {
        zn_buf_reserve(out, bytes.len + 2);
    }
    if (put_short(out, tag, bytes)) {
        return;
    }
    zn_buf_append_byte(out, tag);
    while (bytes.len > 0) {
        size_t plain = plain_bytes(bytes);
        zn_buf_append(out, bytes.data, plain);
        if (plain < bytes.len) {
            zn_buf_append_byte(out, KEY_ESCAPE);
            zn_buf_append_byte(out, (uint8_t)(bytes.data[plain++] + 1));
        }
        bytes.data += plain;
        bytes.len -= plain;
    }
    zn_buf_append_byte(out, KEY_END);
}

static zonda_err put_value(zn_buf *out, zn_cursor *cursor, zonda_error *error);

static zonda_err put_array(zn_buf *out, zn_cursor *cursor, uint32_t count, zonda_error *error) {
    zonda_err err = ZONDA_OK;
    zn_buf_append_byte(out, KEY_ARRAY);
    for (; count > 0 && err == ZONDA_OK; count--) {
        err = put_value(out, cursor, error);
    }
    zn_buf_append_byte(out, KEY_END);
    return err;
}

/* A field of a map, encoded. */
typedef struct field {
    zn_bytes key;
    zn_bytes value;
    uint32_t place; /* in the map: the last of equal fields is the one that counts */
} field;

static int compare_fields(const void *a, const void *b) {
    const field *one = a;
    const field *other = b;
    int order = zn_key_compare(one->key, other->key);
    return order != 0 ? order : (one->place > other->place) - (one->place < other->place);
}

static void put_fields(zn_buf *out, field *fields, uint32_t count) {
    qsort(fields, count, sizeof *fields, compare_fields);
    zn_buf_append_byte(out, KEY_MAP);
    for (uint32_t i = 0; i < count; i++) {
        if (i + 1 == count || zn_key_compare(fields[i].key, fields[i + 1].key) != 0) {
            zn_buf_append(out, fields[i].key.data, fields[i].key.len);
            zn_buf_append(out, fields[i].value.data, fields[i].value.len);
        }
    }
    zn_buf_append_byte(out, KEY_END);
}

static zonda_err put_map(zn_buf *out, zn_cursor *cursor, uint32_t count, zonda_error *error) {
    zn_buf parts = { 0 };
    size_t *ends = zn_calloc((size_t)count * 2 + 1, sizeof *ends);
    field *fields = zn_calloc((size_t)count + 1, sizeof *fields);
    zonda_err err = ZONDA_OK;
    for (size_t i = 0; i < (size_t)count * 2 && err == ZONDA_OK; i++) {
        err = put_value(&parts, cursor, error);
        ends[i + 1] = parts.len;
    }
    if (err == ZONDA_OK) {
        for (uint32_t i = 0; i < count; i++) {
            const size_t *end = &ends[(size_t)i * 2];
            fields[i] = (field){ { parts.data + end[0], end[1] - end[0] },
                                 { parts.data + end[1], end[2] - end[1] },
                                 i };
        }
        put_fields(out, fields, count);
    }
    free(fields);
    free(ends);
    zn_buf_free(&parts);
    return err;
}

static zonda_err put_value(zn_buf *out, zn_cursor *cursor, zonda_error *error) {
    zn_value head = zn_cursor_read(cursor);
    switch (head.type) {
    case ZN_VALUE_NIL:
        zn_buf_append_byte(out, KEY_NIL);
        return ZONDA_OK;
    case ZN_VALUE_BOOL:
        zn_buf_append_byte(out, head.boolean ? KEY_TRUE : KEY_FALSE);
        return ZONDA_OK;
    case ZN_VALUE_INT:
        put_integer(out, head.integer);
        return ZONDA_OK;
    case ZN_VALUE_UINT:
        put_number(out, split_integer(false, head.uinteger));
        return ZONDA_OK;
    case ZN_VALUE_DOUBLE:
        return put_double(out, head.number, error);
    case ZN_VALUE_STRING:
        put_bytes(out, KEY_STRING, head.bytes);
        return ZONDA_OK;
    case ZN_VALUE_BINARY:
        put_bytes(out, KEY_BINARY, head.bytes);
        return ZONDA_OK;
    case ZN_VALUE_ARRAY:
        return put_array(out, cursor, head.count, error);
    case ZN_VALUE_MAP:
        return put_map(out, cursor, head.count, error);
    case ZN_VALUE_EXT:
        break;
    }
    return zn_error_set(error, ZONDA_ERR_BAD_RECORD,
                        "a key is or has a value of an extension type, which has no order");
}

zonda_err zn_key_put(zn_buf *out, zn_bytes value, zonda_error *error) {
    size_t start = out->len;
    uint32_t integer;
    if ((value.data[0] & 0xe0) == 0xa0) { /* the length is in there */
        put_bytes(out, KEY_STRING, (zn_bytes){ value.data + 1, value.data[0] & 0x1f });
        return ZONDA_OK;
    }
    if (zn_value_small_uint(value.data, &integer) > 0) {
        put_integer(out, integer);
        return ZONDA_OK;
    }
    zn_cursor cursor = zn_cursor_of(value);
    zonda_err err = put_value(out, &cursor, error);
    if (err != ZONDA_OK) {
        out->len = start;
    }
    return err;
}

void zn_key_invert(uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)~bytes[i];
    }
}

uint32_t zn_key_partition(zn_bytes key, uint32_t count) {
    return (uint32_t)(((unsigned __int128)zn_checksum(key) * count) >> 64);
}
