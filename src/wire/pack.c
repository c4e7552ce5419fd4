/* SPDX-License-Identifier: MPL-2.0 */
/* MessagePack values appended to a buffer, always in their shortest form: equal values have equal
 * bytes, which is what makes outputs and fingerprints reproducible. Called once per field of every
 * record and message that is made, so each call checks the room once and stores directly.
 *
 * Lengths above 32 bits cannot be expressed; whoever has sizes from outside has checked them
 * against the record limit long before. */
#include "wire/pack.h"

#include <string.h>

#include "base/assert.h"

enum {
    HEAD_BYTES_MAX = 9
};

/* Room for one head; the caller adds what it has used to out->len. */
static inline uint8_t *room(zn_buf *out, size_t bytes) {
    if (out->capacity - out->len < bytes) {
        zn_buf_reserve(out, bytes);
    }
    return out->data + out->len;
}

static inline void put_1(zn_buf *out, unsigned byte) {
    *room(out, 1) = (uint8_t)byte;
    out->len += 1;
}

static inline void put_tag_8(zn_buf *out, uint8_t tag, uint8_t value) {
    uint8_t *at = room(out, HEAD_BYTES_MAX);
    at[0] = tag;
    at[1] = value;
    out->len += 2;
}

static inline void put_tag_16(zn_buf *out, uint8_t tag, uint16_t value) {
    uint8_t *at = room(out, HEAD_BYTES_MAX);
    at[0] = tag;
    at[1] = (uint8_t)(value >> 8);
    at[2] = (uint8_t)value;
    out->len += 3;
}

static inline void store_32(uint8_t *at, uint32_t value) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    value = __builtin_bswap32(value);
#endif
    memcpy(at, &value, sizeof value);
}

static inline void put_tag_32(zn_buf *out, uint8_t tag, uint32_t value) {
    uint8_t *at = room(out, HEAD_BYTES_MAX);
    at[0] = tag;
    store_32(at + 1, value);
    out->len += 5;
}

static inline void put_tag_64(zn_buf *out, uint8_t tag, uint64_t value) {
    uint8_t *at = room(out, HEAD_BYTES_MAX);
    at[0] = tag;
    store_32(at + 1, (uint32_t)(value >> 32));
    store_32(at + 5, (uint32_t)value);
    out->len += 9;
}

void zn_put_nil(zn_buf *out) {
    put_1(out, 0xc0);
}

void zn_put_bool(zn_buf *out, bool value) {
    put_1(out, value ? 0xc3 : 0xc2);
}

void zn_put_uint(zn_buf *out, uint64_t value) {
    if (value < 0x80) {
        put_1(out, (unsigned)value);
    } else if (value <= UINT8_MAX) {
        put_tag_8(out, 0xcc, (uint8_t)value);
    } else if (value <= UINT16_MAX) {
        put_tag_16(out, 0xcd, (uint16_t)value);
    } else if (value <= UINT32_MAX) {
        put_tag_32(out, 0xce, (uint32_t)value);
    } else {
        put_tag_64(out, 0xcf, value);
    }
}

void zn_put_int(zn_buf *out, int64_t value) {
    if (value >= 0) {
        zn_put_uint(out, (uint64_t)value);
    } else if (value >= -32) {
        put_1(out, (uint8_t)value);
    } else if (value >= INT8_MIN) {
        put_tag_8(out, 0xd0, (uint8_t)value);
    } else if (value >= INT16_MIN) {
        put_tag_16(out, 0xd1, (uint16_t)value);
    } else if (value >= INT32_MIN) {
        put_tag_32(out, 0xd2, (uint32_t)value);
    } else {
        put_tag_64(out, 0xd3, (uint64_t)value);
    }
}

void zn_put_double(zn_buf *out, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_tag_64(out, 0xcb, bits);
}

/* The payload goes behind its head in the same room. */
static inline void put_payload(zn_buf *out, zn_bytes bytes) {
    if (bytes.len > 0) {
        memcpy(room(out, bytes.len), bytes.data, bytes.len);
        out->len += bytes.len;
    }
}

/* Strings and binaries share the three long heads, which follow each other. */
static inline void put_long_head(zn_buf *out, uint8_t tag_8, size_t len) {
    ZN_ASSERT(len <= UINT32_MAX);
    if (len <= UINT8_MAX) {
        put_tag_8(out, tag_8, (uint8_t)len);
    } else if (len <= UINT16_MAX) {
        put_tag_16(out, (uint8_t)(tag_8 + 1), (uint16_t)len);
    } else {
        put_tag_32(out, (uint8_t)(tag_8 + 2), (uint32_t)len);
    }
}

void zn_put_string_head(zn_buf *out, size_t len) {
    if (len < 32) {
        put_1(out, 0xa0 | (unsigned)len);
    } else {
        put_long_head(out, 0xd9, len);
    }
}

void zn_put_string(zn_buf *out, zn_bytes text) {
    zn_put_string_head(out, text.len);
    put_payload(out, text);
}

void zn_put_text(zn_buf *out, const char *text) {
    zn_put_string(out, zn_bytes_of_text(text));
}

void zn_put_binary_head(zn_buf *out, size_t len) {
    put_long_head(out, 0xc4, len);
}

void zn_put_binary(zn_buf *out, zn_bytes bytes) {
    put_long_head(out, 0xc4, bytes.len);
    put_payload(out, bytes);
}

static inline void put_container(zn_buf *out, unsigned fix, uint8_t tag_16, uint32_t count) {
    if (count < 16) {
        put_1(out, fix | count);
    } else if (count <= UINT16_MAX) {
        put_tag_16(out, tag_16, (uint16_t)count);
    } else {
        put_tag_32(out, (uint8_t)(tag_16 + 1), count);
    }
}

void zn_put_array(zn_buf *out, uint32_t count) {
    put_container(out, 0x90, 0xdc, count);
}

void zn_put_map(zn_buf *out, uint32_t pairs) {
    put_container(out, 0x80, 0xde, pairs);
}
