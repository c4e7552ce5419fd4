/* SPDX-License-Identifier: MPL-2.0 */
/* Keys back to values. Keys come out of files and over the network, so everything here checks what
 * it reads: a scan never leaves the bytes that it was given, and nesting is bounded as in records.
 * The format is in key_format.h. */
#include "base/limits.h"
#include "record/key.h"
#include "record/key_format.h"
#include "record/value.h"

static zonda_err fail_corrupt(zonda_error *error) {
    return zn_error_set(error, ZONDA_ERR_CORRUPT, "the bytes of a key are not those of a value");
}

static inline uint8_t peek(const zn_cursor *cursor) {
    return cursor->at < cursor->end ? *cursor->at : KEY_END;
}

/* Moves behind the bits of a number; in an inverted one `flip` is 0xff. */
static bool skip_bits(zn_cursor *cursor, uint8_t flip) {
    while (cursor->at < cursor->end) {
        uint8_t byte = *cursor->at++ ^ flip;
        if ((byte & 1) == 0) {
            return true;
        }
    }
    return false;
}

/* Moves behind a number without its sign. */
static bool skip_magnitude(zn_cursor *cursor, uint8_t flip) {
    if (cursor->at == cursor->end) {
        return false;
    }
    uint8_t tag = *cursor->at++ ^ flip;
    if (tag == KEY_TINY || tag == KEY_HUGE) {
        if (cursor->end - cursor->at < 2) {
            return false;
        }
        cursor->at += 2;
    } else if (tag < KEY_ONE || tag > KEY_HUGE) {
        return false;
    }
    return skip_bits(cursor, flip);
}

/* Moves behind the end of a text. */
static bool skip_bytes(zn_cursor *cursor) {
    const uint8_t *end = NULL;
    if (cursor->at < cursor->end) {
        end = memchr(cursor->at, KEY_END, (size_t)(cursor->end - cursor->at));
    }
    cursor->at = end == NULL ? cursor->end : end + 1;
    return end != NULL;
}

static bool skip_key(zn_cursor *cursor, unsigned depth);

/* Elements up to the end: any number of them, or, of a map, an even one. */
static bool skip_elements(zn_cursor *cursor, bool pairs, unsigned depth) {
    if (depth == 0) {
        return false;
    }
    while (cursor->at < cursor->end && *cursor->at != KEY_END) {
        if (!skip_key(cursor, depth - 1) || (pairs && !skip_key(cursor, depth - 1))) {
            return false;
        }
    }
    return cursor->at < cursor->end && *cursor->at++ == KEY_END;
}

/* Moves behind one encoding. False, with the cursor anywhere inside, if there is none. */
static bool skip_key(zn_cursor *cursor, unsigned depth) {
    uint8_t tag = peek(cursor);
    if (tag >= KEY_TINY && tag <= KEY_HUGE) {
        return skip_magnitude(cursor, 0);
    }
    cursor->at += tag == KEY_END ? 0 : 1;
    switch (tag) {
    case KEY_NIL:
    case KEY_FALSE:
    case KEY_TRUE:
    case KEY_ZERO:
        return true;
    case KEY_NEGATIVE:
        return skip_magnitude(cursor, 0xff);
    case KEY_STRING:
    case KEY_BINARY:
        return skip_bytes(cursor);
    case KEY_ARRAY:
        return skip_elements(cursor, false, depth);
    case KEY_MAP:
        return skip_elements(cursor, true, depth);
    default:
        return false;
    }
}

size_t zn_key_first(zn_bytes key) {
    zn_cursor cursor = { key.data, key.data + key.len };
    return skip_key(&cursor, ZN_RECORD_DEPTH_MAX) ? (size_t)(cursor.at - key.data) : 0;
}

bool zn_key_has_nil(zn_bytes key) {
    zn_cursor cursor = { key.data, key.data + key.len };
    uint8_t tag = peek(&cursor);
    if (tag != KEY_ARRAY) {
        return tag == KEY_NIL;
    }
    cursor.at++;
    while (peek(&cursor) != KEY_END && peek(&cursor) != KEY_NIL) {
        if (!skip_key(&cursor, ZN_RECORD_DEPTH_MAX)) {
            return false;
        }
    }
    return peek(&cursor) == KEY_NIL;
}

/* The bits behind the point, from the highest one down; false if they are more than 63. */
static bool read_bits(zn_cursor *cursor, uint8_t flip, uint64_t *out) {
    uint64_t bits = 0;
    for (int shift = 57; shift >= 1; shift -= 7) {
        uint8_t byte = *cursor->at++ ^ flip;
        bits |= (uint64_t)(byte >> 1) << shift;
        if ((byte & 1) == 0) {
            *out = bits;
            return true;
        }
    }
    return false;
}

static double make_double(bool negative, int exponent, uint64_t bits) {
    int biased = exponent + 1023;
    uint64_t fraction = bits >> 12;
    if (biased <= 0) {
        fraction = (fraction | UINT64_C(1) << 52) >> (1 - biased);
        biased = 0;
    }
    uint64_t raw = (uint64_t)negative << 63 | (uint64_t)biased << 52 | fraction;
    double value;
    memcpy(&value, &raw, sizeof value);
    return value;
}

/* Whether a double of that exponent has these bits, and no others behind them. */
static bool fits_double(int exponent, uint64_t bits) {
    if (exponent < KEY_EXPONENT_MIN || exponent > KEY_EXPONENT_INFINITE ||
        (exponent == KEY_EXPONENT_INFINITE && bits != 0)) {
        return false;
    }
    int precision = exponent < -1022 ? exponent - KEY_EXPONENT_MIN : KEY_PRECISION_BITS;
    return precision == 0 ? bits == 0 : bits << precision == 0;
}

static bool put_integer(zn_buf *out, bool negative, int exponent, uint64_t bits) {
    if (exponent < 0 || exponent > 63 || (exponent < 63 && bits << exponent != 0)) {
        return false;
    }
    uint64_t magnitude = UINT64_C(1) << exponent;
    magnitude |= exponent == 0 ? 0 : bits >> (64 - exponent);
    if (!negative) {
        zn_put_uint(out, magnitude);
    } else if (magnitude <= (uint64_t)INT64_MAX + 1) {
        zn_put_int(out, (int64_t)(0 - magnitude));
    } else {
        return false;
    }
    return true;
}

static bool read_number(zn_cursor *cursor, bool negative, zn_buf *out) {
    uint8_t flip = negative ? 0xff : 0;
    zn_cursor end = *cursor;
    if (!skip_magnitude(&end, flip)) {
        return false;
    }
    uint8_t tag = *cursor->at++ ^ flip;
    int exponent = tag - KEY_ONE;
    if (tag == KEY_TINY || tag == KEY_HUGE) {
        int high = cursor->at[0] ^ flip;
        exponent = (high << 8 | (cursor->at[1] ^ flip)) - KEY_EXPONENT_BIAS;
        cursor->at += 2;
    }
    uint64_t bits = 0;
    if (!read_bits(cursor, flip, &bits)) {
        return false;
    }
    if (put_integer(out, negative, exponent, bits)) {
        return true;
    }
    if (!fits_double(exponent, bits)) {
        return false;
    }
    zn_put_double(out, make_double(negative, exponent, bits));
    return true;
}

/* Undoes the escapes. */
static bool read_bytes(zn_cursor *cursor, bool is_string, zn_buf *out) {
    const uint8_t *start = cursor->at;
    if (!skip_bytes(cursor)) {
        return false;
    }
    zn_buf plain = { 0 };
    const uint8_t *end = cursor->at - 1;
    bool valid = true;
    zn_buf_reserve(&plain, (size_t)(end - start));
    while (start < end && valid) {
        const uint8_t *escape = memchr(start, KEY_ESCAPE, (size_t)(end - start));
        const uint8_t *stop = escape == NULL ? end : escape;
        zn_buf_append(&plain, start, (size_t)(stop - start));
        start = stop;
        if (escape != NULL) {
            valid = escape + 1 < end && (escape[1] == 1 || escape[1] == 2);
            start = valid ? escape + 2 : end;
            zn_buf_append_byte(&plain, valid ? (uint8_t)(escape[1] - 1) : 0);
        }
    }
    if (valid && is_string) {
        zn_put_string(out, zn_buf_bytes(&plain));
    } else if (valid) {
        zn_put_binary(out, zn_buf_bytes(&plain));
    }
    zn_buf_free(&plain);
    return valid;
}

static bool read_key(zn_cursor *cursor, unsigned depth, zn_buf *out);

/* The count comes before the elements, so they are counted first. */
static bool read_elements(zn_cursor *cursor, bool pairs, unsigned depth, zn_buf *out) {
    zn_cursor ahead = *cursor;
    uint64_t count = 0;
    for (; depth > 0 && peek(&ahead) != KEY_END; count++) {
        if (!skip_key(&ahead, depth - 1)) {
            return false;
        }
    }
    if (depth == 0 || ahead.at == ahead.end || count > UINT32_MAX || (pairs && count % 2 != 0)) {
        return false;
    }
    if (pairs) {
        zn_put_map(out, (uint32_t)(count / 2));
    } else {
        zn_put_array(out, (uint32_t)count);
    }
    for (; count > 0; count--) {
        if (!read_key(cursor, depth - 1, out)) {
            return false;
        }
    }
    cursor->at++;
    return true;
}

static bool read_key(zn_cursor *cursor, unsigned depth, zn_buf *out) {
    uint8_t tag = peek(cursor);
    if (tag >= KEY_TINY && tag <= KEY_HUGE) {
        return read_number(cursor, false, out);
    }
    cursor->at += tag == KEY_END ? 0 : 1;
    switch (tag) {
    case KEY_NIL:
        zn_put_nil(out);
        return true;
    case KEY_FALSE:
    case KEY_TRUE:
        zn_put_bool(out, tag == KEY_TRUE);
        return true;
    case KEY_ZERO:
        zn_put_int(out, 0);
        return true;
    case KEY_NEGATIVE:
        return read_number(cursor, true, out);
    case KEY_STRING:
    case KEY_BINARY:
        return read_bytes(cursor, tag == KEY_STRING, out);
    case KEY_ARRAY:
    case KEY_MAP:
        return read_elements(cursor, tag == KEY_MAP, depth, out);
    default:
        return false;
    }
}

zonda_err zn_key_value(zn_bytes key, zn_buf *out, zonda_error *error) {
    size_t start = out->len;
    zn_cursor cursor = { key.data, key.data + key.len };
    if (!read_key(&cursor, ZN_RECORD_DEPTH_MAX, out)) {
        out->len = start;
        return fail_corrupt(error);
    }
    return ZONDA_OK;
}
