/* SPDX-License-Identifier: MPL-2.0 */
/* Reading MessagePack values in place, without decoding whole records, and writing them
 * (wire/pack.h). A value here is a byte range that has passed zn_value_check: the readers trust it.
 */
#ifndef ZN_RECORD_VALUE_H
#define ZN_RECORD_VALUE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "wire/pack.h"

typedef enum zn_value_type {
    ZN_VALUE_NIL,
    ZN_VALUE_BOOL,
    ZN_VALUE_INT,  /* fits int64_t */
    ZN_VALUE_UINT, /* above INT64_MAX */
    ZN_VALUE_DOUBLE,
    ZN_VALUE_STRING,
    ZN_VALUE_BINARY,
    ZN_VALUE_ARRAY,
    ZN_VALUE_MAP,
    ZN_VALUE_EXT,
} zn_value_type;

/* The head of a value. `bytes` is the payload of string, binary and ext (without its type byte),
 * borrowed from the bytes that were read. */
typedef struct zn_value {
    zn_value_type type;
    union {
        bool boolean;
        int64_t integer;
        uint64_t uinteger;
        double number;
        zn_bytes bytes;
        uint32_t count; /* array: values; map: pairs */
    };
} zn_value;

/* Checks that `bytes` is exactly one value within the record limits (size, depth).
 * Errors: BAD_RECORD, LIMIT. */
zonda_err zn_value_check(zn_bytes bytes, zonda_error *error);

/* A cursor over checked bytes. */
typedef struct zn_cursor {
    const uint8_t *at;
    const uint8_t *end;
} zn_cursor;

static inline zn_cursor zn_cursor_of(zn_bytes bytes) {
    return (zn_cursor){ .at = bytes.data, .end = bytes.data + bytes.len };
}

/* Reads one head and moves behind it: for array and map to the first element, else behind the
 * value. */
zn_value zn_cursor_read(zn_cursor *cursor);

/* Moves behind one whole value and returns its bytes. */
zn_bytes zn_cursor_skip(zn_cursor *cursor);

/* The head of a value, without a cursor. */
zn_value zn_value_head(zn_bytes value);

/* The integer at `at`, where a checked value begins, if it is one of the forms that most are: not
 * negative, up to 32 bits. Gives how many bytes it has; 0 for all other values. Cheaper than a
 * head. */
static inline size_t zn_value_small_uint(const uint8_t *at, uint32_t *out) {
    if (at[0] < 0x80) {
        *out = at[0];
        return 1;
    }
    switch (at[0]) {
    case 0xcc:
        *out = at[1];
        return 2;
    case 0xcd:
        *out = (uint32_t)at[1] << 8 | at[2];
        return 3;
    case 0xce:
        *out = zn_get_u32_high_first(at + 1);
        return 5;
    default:
        return 0;
    }
}

static inline bool zn_value_is_nil(zn_bytes value) {
    return value.len > 0 && value.data[0] == 0xc0;
}

/* Finds the value of a string key in a map; the last one if a key is there twice. False if `map` is
 * not a map or has no such key. */
bool zn_value_field(zn_bytes map, zn_bytes key, zn_bytes *out);

/* The same for `count` keys in one pass; a value that is not there has no bytes. */
void zn_value_fields(zn_bytes map, const zn_bytes *keys, size_t count, zn_bytes *out);

/* The same for a path "a.b.c" of nested maps. A field whose name has the dots in it wins. */
bool zn_value_path(zn_bytes map, zn_bytes path, zn_bytes *out);

/* Convenience for arguments and bodies: false if absent or of another type. */
bool zn_value_field_text(zn_bytes map, const char *key, zn_bytes *out);
bool zn_value_field_uint(zn_bytes map, const char *key, uint64_t *out);
bool zn_value_field_bool(zn_bytes map, const char *key, bool *out);

/* A number of any kind as double; false if it is none. */
bool zn_value_number(zn_bytes value, double *out);

/* "map", "string", …: the names of types in messages for people. */
const char *zn_value_type_name(zn_value_type type);

#endif
