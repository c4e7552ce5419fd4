/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_BASE_SHORT_BYTES_H
#define ZN_BASE_SHORT_BYTES_H

#include "base/buf.h"

enum {
    ZN_SHORT_BYTES_MAX = 16
};

/* At most 16 bytes as two words, which overlap where there are fewer: together with the length they
 * say all. What keys and names are made of is mostly that short, and copying, comparing or hashing
 * words takes less than calling what works for any length. */
typedef struct zn_short_bytes {
    uint64_t head;
    uint64_t tail;
} zn_short_bytes;

static inline zn_short_bytes zn_short_bytes_load(const uint8_t *data, size_t len) {
    zn_short_bytes out = { 0 };
    if (len >= 8) {
        memcpy(&out.head, data, 8);
        memcpy(&out.tail, data + len - 8, 8);
    } else if (len >= 4) {
        memcpy(&out.head, data, 4);
        memcpy(&out.tail, data + len - 4, 4);
    } else if (len > 0) {
        out.head = data[0];
        out.tail = (uint64_t)data[len / 2] << 8 | data[len - 1];
    }
    return out;
}

/* Writes back what was loaded with that length. */
static inline void zn_short_bytes_store(zn_short_bytes bytes, uint8_t *out, size_t len) {
    if (len >= 8) {
        memcpy(out, &bytes.head, 8);
        memcpy(out + len - 8, &bytes.tail, 8);
    } else if (len >= 4) {
        uint32_t head = (uint32_t)bytes.head;
        uint32_t tail = (uint32_t)bytes.tail;
        memcpy(out, &head, 4);
        memcpy(out + len - 4, &tail, 4);
    } else if (len > 0) {
        out[0] = (uint8_t)bytes.head;
        out[len / 2] = (uint8_t)(bytes.tail >> 8);
        out[len - 1] = (uint8_t)bytes.tail;
    }
}

/* zn_bytes_equal for what is often short. */
static inline bool zn_short_bytes_equal(zn_bytes a, zn_bytes b) {
    if (a.len != b.len || a.len > ZN_SHORT_BYTES_MAX) {
        return zn_bytes_equal(a, b);
    }
    zn_short_bytes one = zn_short_bytes_load(a.data, a.len);
    zn_short_bytes other = zn_short_bytes_load(b.data, b.len);
    return ((one.head ^ other.head) | (one.tail ^ other.tail)) == 0;
}

/* zn_buf_append for what is often short. */
static inline void zn_short_bytes_append(zn_buf *buf, const void *data, size_t len) {
    if (len > ZN_SHORT_BYTES_MAX || len >= buf->capacity - buf->len) {
        zn_buf_append(buf, data, len);
        return;
    }
    zn_short_bytes_store(zn_short_bytes_load(data, len), buf->data + buf->len, len);
    buf->len += len;
}

#endif
