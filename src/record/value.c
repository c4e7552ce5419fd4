/* SPDX-License-Identifier: MPL-2.0 */
/* MessagePack values read in place. Everything between source and sink that looks into a record
 * comes through here, so a record is never decoded as a whole and nothing is allocated.
 *
 * Only zn_value_check faces bytes from outside. All others trust that a check has been passed: that
 * heads are whole and that counts and lengths fit. They do not recurse, whatever the nesting.
 *
 * The format: https://github.com/msgpack/msgpack/blob/master/spec.md. Heads that carry their value
 * in the first byte (small integers, short strings, small containers) are the common case and are
 * decided first; the others are one switch over the first byte. */
#include "record/value.h"

#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "wire/shape.h"

static inline uint16_t load_16(const uint8_t *in) {
    return (uint16_t)(in[0] << 8 | in[1]);
}

static inline uint32_t load_32(const uint8_t *in) {
    uint32_t value;
    memcpy(&value, in, sizeof value);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    value = __builtin_bswap32(value);
#endif
    return value;
}

static inline uint64_t load_64(const uint8_t *in) {
    uint64_t value;
    memcpy(&value, in, sizeof value);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static inline zn_value integer_value(int64_t value) {
    return (zn_value){ .type = ZN_VALUE_INT, .integer = value };
}

static inline zn_value unsigned_value(uint64_t value) {
    if (value > INT64_MAX) {
        return (zn_value){ .type = ZN_VALUE_UINT, .uinteger = value };
    }
    return integer_value((int64_t)value);
}

static inline zn_value single_value(const uint8_t *in) {
    uint32_t bits = load_32(in);
    float number;
    memcpy(&number, &bits, sizeof number);
    return (zn_value){ .type = ZN_VALUE_DOUBLE, .number = (double)number };
}

static inline zn_value double_value(const uint8_t *in) {
    uint64_t bits = load_64(in);
    double number;
    memcpy(&number, &bits, sizeof number);
    return (zn_value){ .type = ZN_VALUE_DOUBLE, .number = number };
}

/* Payload of `len` bytes at `in`; moves the cursor behind it. */
static inline zn_value take_payload(zn_cursor *cursor, zn_value_type type, const uint8_t *in,
                                    size_t len) {
    cursor->at = in + len;
    return (zn_value){ .type = type, .bytes = { .data = in, .len = len } };
}

static inline zn_value take(zn_cursor *cursor, size_t head_bytes, zn_value value) {
    cursor->at += head_bytes;
    return value;
}

static inline zn_value container(zn_value_type type, uint32_t count) {
    return (zn_value){ .type = type, .count = count };
}

/* First bytes 0xca to 0xd3. */
__attribute__((always_inline)) static inline zn_value read_number(zn_cursor *cursor) {
    const uint8_t *at = cursor->at;
    switch (at[0]) {
    case 0xca:
        return take(cursor, 5, single_value(at + 1));
    case 0xcb:
        return take(cursor, 9, double_value(at + 1));
    case 0xcc:
        return take(cursor, 2, integer_value(at[1]));
    case 0xcd:
        return take(cursor, 3, integer_value(load_16(at + 1)));
    case 0xce:
        return take(cursor, 5, integer_value(load_32(at + 1)));
    case 0xcf:
        return take(cursor, 9, unsigned_value(load_64(at + 1)));
    case 0xd0:
        return take(cursor, 2, integer_value((int8_t)at[1]));
    case 0xd1:
        return take(cursor, 3, integer_value((int16_t)load_16(at + 1)));
    case 0xd2:
        return take(cursor, 5, integer_value((int32_t)load_32(at + 1)));
    default:
        return take(cursor, 9, integer_value((int64_t)load_64(at + 1)));
    }
}

/* First bytes 0xc0 to 0xdf without numbers and the reserved one. */
static zn_value read_tagged(zn_cursor *cursor) {
    const uint8_t *at = cursor->at;
    switch (at[0]) {
    case 0xc2:
    case 0xc3:
        return take(cursor, 1, (zn_value){ .type = ZN_VALUE_BOOL, .boolean = at[0] == 0xc3 });
    case 0xc4:
        return take_payload(cursor, ZN_VALUE_BINARY, at + 2, at[1]);
    case 0xc5:
        return take_payload(cursor, ZN_VALUE_BINARY, at + 3, load_16(at + 1));
    case 0xc6:
        return take_payload(cursor, ZN_VALUE_BINARY, at + 5, load_32(at + 1));
    case 0xc7:
        return take_payload(cursor, ZN_VALUE_EXT, at + 3, at[1]);
    case 0xc8:
        return take_payload(cursor, ZN_VALUE_EXT, at + 4, load_16(at + 1));
    case 0xc9:
        return take_payload(cursor, ZN_VALUE_EXT, at + 6, load_32(at + 1));
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
        return take_payload(cursor, ZN_VALUE_EXT, at + 2, (size_t)1 << (at[0] - 0xd4));
    case 0xd9:
        return take_payload(cursor, ZN_VALUE_STRING, at + 2, at[1]);
    case 0xda:
        return take_payload(cursor, ZN_VALUE_STRING, at + 3, load_16(at + 1));
    case 0xdb:
        return take_payload(cursor, ZN_VALUE_STRING, at + 5, load_32(at + 1));
    case 0xdc:
        return take(cursor, 3, container(ZN_VALUE_ARRAY, load_16(at + 1)));
    case 0xdd:
        return take(cursor, 5, container(ZN_VALUE_ARRAY, load_32(at + 1)));
    case 0xde:
        return take(cursor, 3, container(ZN_VALUE_MAP, load_16(at + 1)));
    case 0xdf:
        return take(cursor, 5, container(ZN_VALUE_MAP, load_32(at + 1)));
    default:
        ZN_ASSERT(at[0] == 0xc0);
        return take(cursor, 1, (zn_value){ .type = ZN_VALUE_NIL });
    }
}

__attribute__((always_inline)) static inline zn_value read_head(zn_cursor *cursor) {
    ZN_ASSERT(cursor->at < cursor->end);
    uint8_t first = cursor->at[0];
    if (first < 0x80) {
        return take(cursor, 1, integer_value(first));
    }
    if (first >= 0xe0) {
        return take(cursor, 1, integer_value((int8_t)first));
    }
    if (first >= 0xca && first <= 0xd3) {
        return read_number(cursor);
    }
    if (first >= 0xc0) {
        return read_tagged(cursor);
    }
    if (first >= 0xa0) {
        return take_payload(cursor, ZN_VALUE_STRING, cursor->at + 1, first & 0x1f);
    }
    zn_value_type type = first >= 0x90 ? ZN_VALUE_ARRAY : ZN_VALUE_MAP;
    return take(cursor, 1, container(type, first & 0x0f));
}

/* Values directly inside of a value. */
static inline uint64_t children(zn_value value) {
    if (value.type == ZN_VALUE_MAP) {
        return (uint64_t)value.count * 2;
    }
    return value.type == ZN_VALUE_ARRAY ? value.count : 0;
}

static inline zn_bytes skip_value(zn_cursor *cursor) {
    const uint8_t *start = cursor->at;
    for (uint64_t left = 1; left > 0; left--) {
        ZN_ASSERT(cursor->at < cursor->end);
        uint8_t first = *cursor->at;
        size_t plain = zn_shape_plain_bytes[first];
        if (plain > 0) {
            cursor->at += plain;
        } else if ((first & 0xe0) == 0x80) { /* a small map, from 0x90 on a small array */
            cursor->at++;
            left += first < 0x90 ? 2 * (first & 0x0fU) : first & 0x0fU;
        } else {
            left += children(zn_cursor_read(cursor));
        }
    }
    ZN_ASSERT(cursor->at <= cursor->end);
    return (zn_bytes){ .data = start, .len = (size_t)(cursor->at - start) };
}

zonda_err zn_value_check(zn_bytes bytes, zonda_error *error) {
    if (bytes.len > ZN_RECORD_BYTES_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "the record has %zu bytes, more than the limit of %u", bytes.len,
                            ZN_RECORD_BYTES_MAX);
    }
    if (bytes.len == 0) {
        return zn_error_set(error, ZONDA_ERR_BAD_RECORD, "the record is empty");
    }
    size_t used = 0;
    zonda_err err = zn_shape_check(bytes, ZN_RECORD_DEPTH_MAX, &used, error);
    if (err != ZONDA_OK) {
        /* The same broken bytes are a broken protocol in a frame, but a bad record here. */
        if (err == ZONDA_ERR_PROTOCOL) {
            err = ZONDA_ERR_BAD_RECORD;
            if (error != NULL) {
                error->code = err;
            }
        }
        return err;
    }
    if (used != bytes.len) {
        return zn_error_set(error, ZONDA_ERR_BAD_RECORD, "%zu bytes follow after the record",
                            bytes.len - used);
    }
    return ZONDA_OK;
}

zn_value zn_cursor_read(zn_cursor *cursor) {
    return read_head(cursor);
}

zn_bytes zn_cursor_skip(zn_cursor *cursor) {
    return skip_value(cursor);
}

zn_value zn_value_head(zn_bytes value) {
    zn_cursor cursor = zn_cursor_of(value);
    return read_head(&cursor);
}

/* Opens a map: the cursor stands before the first key. 0 pairs for everything else. */
static inline uint32_t open_map(zn_bytes map, zn_cursor *cursor) {
    *cursor = zn_cursor_of(map);
    if (map.len == 0) {
        return 0;
    }
    if ((*map.data & 0xf0) == 0x80) {
        cursor->at++;
        return *map.data & 0x0f;
    }
    zn_value head = zn_cursor_read(cursor);
    return head.type == ZN_VALUE_MAP ? head.count : 0;
}

/* Moves behind a key, whatever its type. Only strings are ever looked for: anything else gives no
 * data. */
static inline zn_bytes take_name(zn_cursor *cursor) {
    uint8_t first = *cursor->at;
    if (first >= 0xa0 && first <= 0xbf) {
        return take_payload(cursor, ZN_VALUE_STRING, cursor->at + 1, first & 0x1f).bytes;
    }
    zn_cursor start = *cursor;
    zn_value key = zn_cursor_read(cursor);
    if (children(key) > 0) {
        *cursor = start;
        skip_value(cursor);
    }
    return key.type == ZN_VALUE_STRING ? key.bytes : (zn_bytes){ 0 };
}

/* Whether it is a string and that one. */
static inline bool is_named(zn_bytes name, zn_bytes key) {
    return name.len == key.len && name.data != NULL &&
           (key.len == 0 ||
            (name.data[0] == key.data[0] && memcmp(name.data, key.data, key.len) == 0));
}

bool zn_value_field(zn_bytes map, zn_bytes key, zn_bytes *out) {
    zn_cursor cursor;
    bool found = false;
    for (uint32_t left = open_map(map, &cursor); left > 0; left--) {
        zn_bytes name = take_name(&cursor);
        zn_bytes value = skip_value(&cursor);
        if (is_named(name, key)) {
            *out = value;
            found = true;
        }
    }
    return found;
}

void zn_value_fields(zn_bytes map, const zn_bytes *keys, size_t count, zn_bytes *out) {
    zn_cursor cursor;
    memset(out, 0, count * sizeof *out);
    for (uint32_t left = open_map(map, &cursor); left > 0; left--) {
        zn_bytes name = take_name(&cursor);
        zn_bytes value = skip_value(&cursor);
        for (size_t i = 0; i < count; i++) {
            if (is_named(name, keys[i])) {
                out[i] = value;
            }
        }
    }
}

/* True if `name` is the whole of `path` or ends where `path` has a dot. */
static inline bool is_step(zn_bytes name, zn_bytes path) {
    if (name.len > path.len || (name.len < path.len && path.data[name.len] != '.')) {
        return false;
    }
    return name.len == 0 || memcmp(name.data, path.data, name.len) == 0;
}

/* Each round takes the longest name that the rest of the path begins with, so names with dots win,
 * and the last of equal names. */
bool zn_value_path(zn_bytes map, zn_bytes path, zn_bytes *out) {
    for (;;) {
        zn_cursor cursor;
        zn_bytes best = { 0 };
        size_t taken = 0;
        for (uint32_t left = open_map(map, &cursor); left > 0; left--) {
            zn_bytes name = take_name(&cursor);
            zn_bytes value = skip_value(&cursor);
            if (name.data != NULL && name.len >= taken && is_step(name, path)) {
                best = value;
                taken = name.len;
            }
        }
        if (best.len == 0) {
            return false;
        }
        if (taken == path.len) {
            *out = best;
            return true;
        }
        path.data += taken + 1;
        path.len -= taken + 1;
        map = best;
    }
}

/* The head of a named field, if it is there. */
static bool field_head(zn_bytes map, const char *key, zn_value *out) {
    zn_bytes value;
    if (!zn_value_field(map, zn_bytes_of_text(key), &value)) {
        return false;
    }
    *out = zn_value_head(value);
    return true;
}

bool zn_value_field_text(zn_bytes map, const char *key, zn_bytes *out) {
    zn_value head;
    if (!field_head(map, key, &head) || head.type != ZN_VALUE_STRING) {
        return false;
    }
    *out = head.bytes;
    return true;
}

bool zn_value_field_uint(zn_bytes map, const char *key, uint64_t *out) {
    zn_value head;
    if (!field_head(map, key, &head)) {
        return false;
    }
    if (head.type == ZN_VALUE_INT && head.integer >= 0) {
        *out = (uint64_t)head.integer;
        return true;
    }
    if (head.type == ZN_VALUE_UINT) {
        *out = head.uinteger;
        return true;
    }
    return false;
}

bool zn_value_field_bool(zn_bytes map, const char *key, bool *out) {
    zn_value head;
    if (!field_head(map, key, &head) || head.type != ZN_VALUE_BOOL) {
        return false;
    }
    *out = head.boolean;
    return true;
}

bool zn_value_number(zn_bytes value, double *out) {
    zn_value head = zn_value_head(value);
    switch (head.type) {
    case ZN_VALUE_INT:
        *out = (double)head.integer;
        return true;
    case ZN_VALUE_UINT:
        *out = (double)head.uinteger;
        return true;
    case ZN_VALUE_DOUBLE:
        *out = head.number;
        return true;
    default:
        return false;
    }
}

const char *zn_value_type_name(zn_value_type type) {
    static const char *const names[] = {
        [ZN_VALUE_NIL] = "nil",       [ZN_VALUE_BOOL] = "bool",     [ZN_VALUE_INT] = "integer",
        [ZN_VALUE_UINT] = "integer",  [ZN_VALUE_DOUBLE] = "number", [ZN_VALUE_STRING] = "string",
        [ZN_VALUE_BINARY] = "binary", [ZN_VALUE_ARRAY] = "array",   [ZN_VALUE_MAP] = "map",
        [ZN_VALUE_EXT] = "extension",
    };
    return (size_t)type < sizeof names / sizeof names[0] ? names[type] : "unknown";
}
