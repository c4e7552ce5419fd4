/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_BASE_BUF_H
#define ZN_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes. Valid for as long as whoever lent them says. */
typedef struct zn_bytes {
    const uint8_t *data;
    size_t len;
} zn_bytes;

/* A growing byte buffer. All zero is a valid, empty one; reset keeps the memory for reuse. */
typedef struct zn_buf {
    uint8_t *data;
    size_t len;
    size_t capacity;
} zn_buf;

void zn_buf_reserve(zn_buf *buf, size_t extra);
/* The same without room for more, for what is large and filled once. */
void zn_buf_reserve_exact(zn_buf *buf, size_t extra);

static inline void zn_buf_append(zn_buf *buf, const void *data, size_t len) {
    if (len > 0) {
        if (buf->capacity - buf->len < len) {
            zn_buf_reserve(buf, len);
        }
        memcpy(buf->data + buf->len, data, len);
        buf->len += len;
    }
}

static inline void zn_buf_append_byte(zn_buf *buf, uint8_t byte) {
    if (buf->capacity == buf->len) {
        zn_buf_reserve(buf, 1);
    }
    buf->data[buf->len++] = byte;
}

void zn_buf_append_text(zn_buf *buf, const char *text);
void zn_buf_printf(zn_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Empties the buffer; memory above `keep_max` bytes is given back. */
void zn_buf_reset(zn_buf *buf, size_t keep_max);

/* Releases the memory and leaves an empty buffer. */
void zn_buf_free(zn_buf *buf);

static inline zn_bytes zn_buf_bytes(const zn_buf *buf) {
    return (zn_bytes){ .data = buf->data, .len = buf->len };
}

zn_bytes zn_bytes_of_text(const char *text);

static inline bool zn_bytes_equal(zn_bytes a, zn_bytes b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Little-endian numbers, as in every file and frame of Zonda. */
void zn_put_u32(uint8_t *out, uint32_t value);
void zn_put_u64(uint8_t *out, uint64_t value);
uint32_t zn_get_u32(const uint8_t *in);

/* Big-endian: numbers that compare as their bytes do. */
static inline uint32_t zn_get_u32_high_first(const uint8_t *in) {
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

static inline uint64_t zn_get_u64_high_first(const uint8_t *in) {
    return (uint64_t)zn_get_u32_high_first(in) << 32 | zn_get_u32_high_first(in + 4);
}
uint64_t zn_get_u64(const uint8_t *in);

#endif
