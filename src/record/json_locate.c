/* SPDX-License-Identifier: MPL-2.0 */
/* A strict JSON scanner that says where and why a text is wrong. json_read.c calls it when simdjson
 * has refused a text, since simdjson says neither; so it may be slow, but it must find every cause
 * that simdjson finds, and accept what simdjson accepts.
 *
 * It is a loop over states with one bit per open container, no recursion, no allocation. The first
 * cause in text order wins. Columns count bytes from 1; an unterminated string is reported where it
 * starts, a missing rest behind the last byte.
 *
 * The grammar: RFC 8259. Strings must be valid UTF-8 and escapes must make valid UTF-8. */
#include "record/json_locate.h"

#include <string.h>

#include "base/limits.h"
#include "record/json_simdjson.h"
#include "record/utf8.h"

typedef enum state {
    WANT_VALUE,
    WANT_VALUE_OR_CLOSE, /* behind '[' */
    WANT_KEY,            /* behind ',' in a map */
    WANT_KEY_OR_CLOSE,   /* behind '{' */
    WANT_COLON,
    WANT_COMMA_OR_CLOSE, /* behind a value */
} state;

typedef struct scanner {
    const uint8_t *start;
    const uint8_t *at;
    const uint8_t *end;
    state state;
    unsigned depth;
    bool in_map[ZN_RECORD_DEPTH_MAX];
    zonda_error *error;
} scanner;

/* Adds the column to an error that has just been set. */
static zonda_err place(scanner *scan, const uint8_t *at, zonda_err code) {
    if (scan->error != NULL) {
        scan->error->column = (uint64_t)(at - scan->start) + 1;
    }
    return code;
}

static zonda_err bad(scanner *scan, const uint8_t *at, const char *cause) {
    return place(scan, at, zn_error_set(scan->error, ZONDA_ERR_BAD_RECORD, "%s", cause));
}

/* The byte at the scanner is not what the state wants. */
static zonda_err unexpected(scanner *scan, const char *wanted) {
    zonda_err code = ZONDA_ERR_BAD_RECORD;
    if (scan->at == scan->end) {
        zn_error_set(scan->error, code, "unexpected end, expected %s", wanted);
    } else if (*scan->at > ' ' && *scan->at < 0x7f) {
        zn_error_set(scan->error, code, "expected %s, found '%c'", wanted, *scan->at);
    } else {
        zn_error_set(scan->error, code, "expected %s, found byte 0x%02x", wanted, *scan->at);
    }
    return place(scan, scan->at, code);
}

static void skip_space(scanner *scan) {
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r')) {
        scan->at++;
    }
}

static bool is_digit(const scanner *scan) {
    return scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9';
}

static bool skip_digits(scanner *scan) {
    if (!is_digit(scan)) {
        return false;
    }
    while (is_digit(scan)) {
        scan->at++;
    }
    return true;
}

static bool skip_byte(scanner *scan, uint8_t byte) {
    if (scan->at < scan->end && *scan->at == byte) {
        scan->at++;
        return true;
    }
    return false;
}

static bool fits_64_bits(const uint8_t *digits, const uint8_t *end, bool negative) {
    uint64_t value = 0;
    for (const uint8_t *at = digits; at < end; at++) {
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value)) {
            return false;
        }
    }
    return !negative || value <= (uint64_t)INT64_MAX + 1;
}

/* The exponent behind 'e', cut to what changes nothing for a double. */
static int64_t exponent_of(const uint8_t *at, const uint8_t *end) {
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+')) {
        at++;
    }
    int64_t value = 0;
    for (; at < end; at++) {
        value = value > INT32_MAX ? value : value * 10 + (*at - '0');
    }
    return negative ? -value : value;
}

/* Tells too large from too small, which reads as zero: the power of ten of the first digit that is
 * not zero says on which side of 1 a number out of range is. */
static bool is_large(const uint8_t *digits, const uint8_t *end) {
    int64_t power = 0;
    bool behind_point = false;
    bool seen = false;
    const uint8_t *at = digits;
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            behind_point = true;
        } else {
            seen = seen || *at != '0';
            power += seen && !behind_point ? 1 : 0;
            power -= !seen && behind_point ? 1 : 0;
        }
    }
    return seen && power + (at < end ? exponent_of(at + 1, end) : 0) > 0;
}

static zonda_err scan_number(scanner *scan) {
    const uint8_t *start = scan->at;
    bool negative = skip_byte(scan, '-');
    const uint8_t *digits = scan->at;
    if (skip_byte(scan, '0')) {
        if (is_digit(scan)) {
            return bad(scan, digits, "a number must not start with 0");
        }
    } else if (!skip_digits(scan)) {
        return unexpected(scan, "a digit");
    }
    bool is_double = skip_byte(scan, '.');
    if (is_double && !skip_digits(scan)) {
        return unexpected(scan, "a digit");
    }
    if (skip_byte(scan, 'e') || skip_byte(scan, 'E')) {
        is_double = true;
        (void)(skip_byte(scan, '-') || skip_byte(scan, '+'));
        if (!skip_digits(scan)) {
            return unexpected(scan, "a digit");
        }
    }
    if (!is_double && !fits_64_bits(digits, scan->at, negative)) {
        return bad(scan, start, "the number does not fit 64 bits");
    }
    zn_bytes number = { .data = start, .len = (size_t)(scan->at - start) };
    if (is_double && !zn_simdjson_in_range(number) && is_large(digits, scan->at)) {
        return bad(scan, start, "the number does not fit a double");
    }
    return ZONDA_OK;
}

/* Four hex digits behind "\u"; -1 if they are not. */
static int32_t hex_4(const uint8_t *at, const uint8_t *end) {
    if (end - at < 4) {
        return -1;
    }
    int32_t value = 0;
    for (unsigned i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef";
        uint8_t lower = at[i] >= 'A' && at[i] <= 'F' ? (uint8_t)(at[i] + 32) : at[i];
        const char *digit = memchr(digits, lower, 16);
        if (digit == NULL) {
            return -1;
        }
        value = value * 16 + (int32_t)(digit - digits);
    }
    return value;
}

static zonda_err scan_escape(scanner *scan) {
    const uint8_t *start = scan->at++;
    if (scan->at == scan->end || memchr("\"\\/bfnrtu", *scan->at, 9) == NULL) {
        return bad(scan, start, "invalid escape in a string");
    }
    if (*scan->at++ != 'u') {
        return ZONDA_OK;
    }
    int32_t unit = hex_4(scan->at, scan->end);
    if (unit < 0) {
        return bad(scan, start, "invalid escape in a string: \\u needs four hex digits");
    }
    scan->at += 4;
    if (unit < 0xd800 || unit > 0xdfff) {
        return ZONDA_OK;
    }
    int32_t low = -1;
    if (unit < 0xdc00 && skip_byte(scan, '\\') && skip_byte(scan, 'u')) {
        low = hex_4(scan->at, scan->end);
    }
    if (low < 0xdc00 || low > 0xdfff) {
        return bad(scan, start, "invalid escape in a string: half of a surrogate pair");
    }
    scan->at += 4;
    return ZONDA_OK;
}

static zonda_err scan_string(scanner *scan) {
    const uint8_t *start = scan->at++;
    /* What is open at the end is not an invalid escape, but a string that was not closed. */
    while (scan->at < scan->end) {
        uint8_t byte = *scan->at;
        if (byte == '"') {
            scan->at++;
            return ZONDA_OK;
        }
        if (byte == '\\' && scan->end - scan->at > 1) {
            zonda_err err = scan_escape(scan);
            if (err != ZONDA_OK) {
                return err;
            }
        } else if (byte < 0x20) {
            return bad(scan, scan->at, "control character in a string");
        } else if (byte < 0x80) {
            scan->at++;
        } else {
            unsigned length = zn_utf8_length(scan->at, scan->end);
            if (length == 0) {
                return bad(scan, scan->at, "invalid UTF-8 in a string");
            }
            scan->at += length;
        }
    }
    return bad(scan, start, "unterminated string");
}

static zonda_err scan_word(scanner *scan) {
    static const char *const words[] = { "null", "true", "false" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(scan->end - scan->at) >= length && memcmp(scan->at, words[i], length) == 0) {
            scan->at += length;
            return ZONDA_OK;
        }
    }
    return unexpected(scan, "a value");
}

static zonda_err open_container(scanner *scan) {
    if (scan->depth == ZN_RECORD_DEPTH_MAX) {
        return place(scan, scan->at,
                     zn_error_set(scan->error, ZONDA_ERR_LIMIT,
                                  "nested deeper than the limit of %d levels",
                                  ZN_RECORD_DEPTH_MAX));
    }
    bool map = *scan->at++ == '{';
    scan->in_map[scan->depth++] = map;
    scan->state = map ? WANT_KEY_OR_CLOSE : WANT_VALUE_OR_CLOSE;
    return ZONDA_OK;
}

static zonda_err scan_value(scanner *scan) {
    if (scan->at == scan->end) {
        return unexpected(scan, "a value");
    }
    uint8_t byte = *scan->at;
    if (byte == '{' || byte == '[') {
        return open_container(scan);
    }
    scan->state = WANT_COMMA_OR_CLOSE;
    if (byte == '"') {
        return scan_string(scan);
    }
    return byte == '-' || is_digit(scan) ? scan_number(scan) : scan_word(scan);
}

/* Closes the innermost container if the next byte does. */
static bool close_container(scanner *scan) {
    if (!skip_byte(scan, scan->in_map[scan->depth - 1] ? '}' : ']')) {
        return false;
    }
    scan->depth--;
    scan->state = WANT_COMMA_OR_CLOSE;
    return true;
}

static zonda_err scan_key(scanner *scan) {
    if (scan->at == scan->end || *scan->at != '"') {
        return unexpected(scan, scan->state == WANT_KEY ? "a key" : "a key or '}'");
    }
    scan->state = WANT_COLON;
    return scan_string(scan);
}

static zonda_err scan_comma(scanner *scan) {
    bool map = scan->in_map[scan->depth - 1];
    if (!skip_byte(scan, ',')) {
        return unexpected(scan, map ? "',' or '}'" : "',' or ']'");
    }
    scan->state = map ? WANT_KEY : WANT_VALUE;
    return ZONDA_OK;
}

static zonda_err scan_step(scanner *scan) {
    switch (scan->state) {
    case WANT_VALUE_OR_CLOSE:
        return close_container(scan) ? ZONDA_OK : scan_value(scan);
    case WANT_KEY_OR_CLOSE:
        return close_container(scan) ? ZONDA_OK : scan_key(scan);
    case WANT_KEY:
        return scan_key(scan);
    case WANT_COLON:
        if (!skip_byte(scan, ':')) {
            return unexpected(scan, "':'");
        }
        scan->state = WANT_VALUE;
        return ZONDA_OK;
    case WANT_COMMA_OR_CLOSE:
        return close_container(scan) ? ZONDA_OK : scan_comma(scan);
    case WANT_VALUE:
        break;
    }
    return scan_value(scan);
}

zonda_err zn_json_locate(zn_bytes text, zonda_error *error) {
    scanner scan = { .start = text.data,
                     .at = text.data,
                     .end = text.data + text.len,
                     .state = WANT_VALUE,
                     .error = error };
    do {
        skip_space(&scan);
        zonda_err err = scan_step(&scan);
        if (err != ZONDA_OK) {
            return err;
        }
    } while (scan.depth > 0 || scan.state == WANT_VALUE);
    skip_space(&scan);
    return scan.at == scan.end ? ZONDA_OK : unexpected(&scan, "the end of the record");
}
