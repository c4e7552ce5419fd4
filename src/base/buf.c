/* SPDX-License-Identifier: MPL-2.0 */
/* Byte buffers and borrowed byte ranges. A zn_buf grows by doubling, so appending is linear over
 * its life; hot paths keep one and reset it instead of allocating. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

void zn_buf_reserve(zn_buf *buf, size_t extra) {
    if (buf->capacity - buf->len >= extra) {
        return;
    }
    size_t needed = 0;
    ZN_ASSERT(!__builtin_add_overflow(buf->len, extra, &needed));
    size_t capacity = buf->capacity < 64 ? 64 : buf->capacity;
    while (capacity < needed) {
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    }
    buf->data = zn_realloc(buf->data, capacity, 1);
    buf->capacity = capacity;
}

void zn_buf_reserve_exact(zn_buf *buf, size_t extra) {
    if (buf->capacity - buf->len < extra) {
        size_t needed = 0;
        ZN_ASSERT(!__builtin_add_overflow(buf->len, extra, &needed));
        buf->data = zn_realloc(buf->data, needed, 1);
        buf->capacity = needed;
    }
}

void zn_buf_append_text(zn_buf *buf, const char *text) {
    zn_buf_append(buf, text, strlen(text));
}

void zn_buf_printf(zn_buf *buf, const char *format, ...) {
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ZN_ASSERT(length >= 0);
    zn_buf_reserve(buf, (size_t)length + 1);
    vsnprintf((char *)buf->data + buf->len, (size_t)length + 1, format, again);
    va_end(again);
    buf->len += (size_t)length;
}

void zn_buf_reset(zn_buf *buf, size_t keep_max) {
    buf->len = 0;
    if (buf->capacity > keep_max) {
        zn_buf_free(buf);
    }
}

void zn_buf_free(zn_buf *buf) {
    free(buf->data);
    *buf = (zn_buf){ 0 };
}

zn_bytes zn_bytes_of_text(const char *text) {
    return (zn_bytes){ .data = (const uint8_t *)text, .len = strlen(text) };
}

void zn_put_u32(uint8_t *out, uint32_t value) {
    for (unsigned i = 0; i < 4; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

void zn_put_u64(uint8_t *out, uint64_t value) {
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

uint32_t zn_get_u32(const uint8_t *in) {
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++) {
        value |= (uint32_t)in[i] << (8 * i);
    }
    return value;
}

uint64_t zn_get_u64(const uint8_t *in) {
    return (uint64_t)zn_get_u32(in) | (uint64_t)zn_get_u32(in + 4) << 32;
}
