/* SPDX-License-Identifier: MPL-2.0 */
/* MessagePack records to JSON text. Called once per record by every sink that writes JSON lines and
 * by the stream of results, so the usual case is fast: strings are copied in runs that need no
 * escape, eight bytes at a look.
 *
 * The open containers are a small array, not the call stack. What JSON cannot say is an error that
 * names the cause and the place in the record; nothing is changed silently. */
#include "record/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "record/json_number.h"
#include "record/utf8.h"
#include "record/value.h"

/* An open container. In a map `key` is the one whose value is being written. */
typedef struct level {
    zn_bytes key;
    uint32_t count;
    uint32_t left;
    bool map;
} level;

typedef struct writer {
    zn_cursor cursor;
    zn_buf *out;
    zonda_error *error;
    unsigned depth;
    level levels[ZN_RECORD_DEPTH_MAX];
} writer;

static inline void put_bytes(zn_buf *out, const void *data, size_t len) {
    if (out->capacity - out->len < len) {
        zn_buf_reserve(out, len);
    }
    if (len > 0) {
        memcpy(out->data + out->len, data, len);
        out->len += len;
    }
}

static inline void put_char(zn_buf *out, char byte) {
    put_bytes(out, &byte, 1);
}

/* Adds one step of the place to `text`. Keys may hold anything: only plain characters are shown. */
static size_t describe_step(const level *step, char *text, size_t size) {
    if (!step->map) {
        int length = snprintf(text, size, "[%u]", step->count - step->left - 1);
        return (size_t)length < size ? (size_t)length : size - 1;
    }
    size_t length = 0;
    text[length++] = '.';
    for (size_t i = 0; i < step->key.len && length + 1 < size; i++) {
        uint8_t byte = step->key.data[i];
        text[length++] = byte >= 0x20 && byte < 0x7f ? (char)byte : '?';
    }
    return length;
}

/* Puts the way to the value that could not be written behind the cause: " at .a.b[3]". */
static zonda_err refuse(writer *self, const char *cause) {
    char place[256] = "";
    size_t length = 0;
    for (unsigned i = 0; i < self->depth && length + 16 < sizeof place; i++) {
        length += describe_step(&self->levels[i], place + length, sizeof place - length);
    }
    place[length] = '\0';
    return zn_error_set(self->error, ZONDA_ERR_BAD_RECORD, "%s%s%s", cause,
                        length > 0 ? " at " : "", place);
}

/* True if one of the eight bytes must be looked at: below 0x20, quote, backslash, or not ASCII.
 * The usual trick of detecting a zero byte by its borrow; false alarms only cost time. */
static inline bool has_special(const uint8_t *at) {
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word;
    memcpy(&word, at, sizeof word);
    uint64_t quote = word ^ (ones * '"');
    uint64_t slash = word ^ (ones * '\\');
    uint64_t found = (word - ones * 0x20) | (quote - ones) | (slash - ones) | word;
    return (found & (ones * 0x80)) != 0;
}

/* The first byte that needs an escape, or is not valid UTF-8, or the end. */
static const uint8_t *end_of_run(const uint8_t *at, const uint8_t *end) {
    const uint8_t *start = at;
    for (;;) {
        while (end - at >= 8 && !has_special(at)) {
            at += 8;
        }
        /* The last few bytes are looked at together with some that are known to be good. */
        if (end - at < 8 && end - start >= 8 && !has_special(end - 8)) {
            return end;
        }
        const uint8_t *near = end - at >= 8 ? at + 8 : end;
        while (at < near) {
            if (*at < 0x20 || *at == '"' || *at == '\\') {
                return at;
            }
            unsigned length = zn_utf8_length(at, end);
            if (length == 0) {
                return at;
            }
            at += length;
        }
        if (at >= end) {
            return end;
        }
    }
}

static void put_escape(zn_buf *out, uint8_t byte) {
    static const char hex[] = "0123456789abcdef";
    static const char short_forms[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n',  ['\f'] = 'f',
        ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\',
    };
    char text[6] = { '\\', short_forms[byte] };
    if (text[1] != '\0') {
        put_bytes(out, text, 2);
        return;
    }
    memcpy(text + 1, "u00", 3);
    text[4] = hex[byte >> 4];
    text[5] = hex[byte & 15];
    put_bytes(out, text, 6);
}

/* False if the string is not valid UTF-8. */
static bool put_string(zn_buf *out, zn_bytes text) {
    const uint8_t *at = text.data;
    const uint8_t *end = text.data + text.len;
    put_char(out, '"');
    while (at < end) {
        const uint8_t *stop = end_of_run(at, end);
        put_bytes(out, at, (size_t)(stop - at));
        at = stop;
        if (at < end) {
            if (*at >= 0x80) {
                return false;
            }
            put_escape(out, *at++);
        }
    }
    put_char(out, '"');
    return true;
}

static void put_integer(zn_buf *out, uint64_t magnitude, bool negative) {
    char text[21];
    char *at = text + sizeof text;
    do {
        *--at = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude > 0);
    if (negative) {
        *--at = '-';
    }
    put_bytes(out, at, (size_t)(text + sizeof text - at));
}

static zonda_err put_number(writer *self, double number) {
    if (isnan(number)) {
        return refuse(self, "JSON cannot express NaN");
    }
    if (isinf(number)) {
        return refuse(self, "JSON cannot express infinity");
    }
    zn_json_put_double(self->out, number);
    return ZONDA_OK;
}

static zonda_err open_level(writer *self, bool map, uint32_t count) {
    if (self->depth == ZN_RECORD_DEPTH_MAX) {
        return zn_error_set(self->error, ZONDA_ERR_LIMIT,
                            "nested deeper than the limit of %d levels", ZN_RECORD_DEPTH_MAX);
    }
    put_char(self->out, map ? '{' : '[');
    self->levels[self->depth++] = (level){ .map = map, .count = count, .left = count };
    return ZONDA_OK;
}

static zonda_err put_value(writer *self) {
    zn_value value = zn_cursor_read(&self->cursor);
    switch (value.type) {
    case ZN_VALUE_NIL:
        put_bytes(self->out, "null", 4);
        return ZONDA_OK;
    case ZN_VALUE_BOOL:
        put_bytes(self->out, value.boolean ? "true" : "false", value.boolean ? 4 : 5);
        return ZONDA_OK;
    case ZN_VALUE_INT:
        put_integer(self->out,
                    value.integer < 0 ? -(uint64_t)value.integer : (uint64_t)value.integer,
                    value.integer < 0);
        return ZONDA_OK;
    case ZN_VALUE_UINT:
        put_integer(self->out, value.uinteger, false);
        return ZONDA_OK;
    case ZN_VALUE_DOUBLE:
        return put_number(self, value.number);
    case ZN_VALUE_STRING:
        return put_string(self->out, value.bytes)
                   ? ZONDA_OK
                   : refuse(self, "JSON cannot express a string that is not valid UTF-8");
    case ZN_VALUE_ARRAY:
        return open_level(self, false, value.count);
    case ZN_VALUE_MAP:
        return open_level(self, true, value.count);
    case ZN_VALUE_BINARY:
        return refuse(self, "JSON cannot express binary");
    case ZN_VALUE_EXT:
        break;
    }
    return refuse(self, "JSON cannot express a MessagePack extension");
}

static zonda_err put_key(writer *self, level *top) {
    zn_value key = zn_cursor_read(&self->cursor);
    if (key.type != ZN_VALUE_STRING) {
        char cause[80];
        snprintf(cause, sizeof cause, "JSON cannot express a key of type %s",
                 zn_value_type_name(key.type));
        self->depth--;
        return refuse(self, cause);
    }
    top->key = key.bytes;
    if (!put_string(self->out, key.bytes)) {
        return refuse(self, "JSON cannot express a key that is not valid UTF-8");
    }
    put_char(self->out, ':');
    return ZONDA_OK;
}

/* Goes on in the innermost container: closes it, or writes its next value. */
static zonda_err put_next(writer *self) {
    level *top = &self->levels[self->depth - 1];
    if (top->left == 0) {
        put_char(self->out, top->map ? '}' : ']');
        self->depth--;
        return ZONDA_OK;
    }
    if (top->left-- < top->count) {
        put_char(self->out, ',');
    }
    zonda_err err = top->map ? put_key(self, top) : ZONDA_OK;
    return err == ZONDA_OK ? put_value(self) : err;
}

zonda_err zn_json_write(zn_bytes record, zn_buf *out, zonda_error *error) {
    writer self;
    self.cursor = zn_cursor_of(record);
    self.out = out;
    self.error = error;
    self.depth = 0;
    size_t start = out->len;
    zonda_err err = put_value(&self);
    while (err == ZONDA_OK && self.depth > 0) {
        err = put_next(&self);
    }
    if (err != ZONDA_OK) {
        out->len = start;
    }
    return err;
}
