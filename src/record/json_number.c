/* SPDX-License-Identifier: MPL-2.0 */
/* Doubles as JSON text for json_write.c. The digits come from the C++ library (or printf); here
 * they are laid out the way people write numbers, and so that a double always reads back as a
 * double: 1.0, 100000.0, 1e+16, 5e-324. The bounds are those of Python's repr, which most JSON in
 * the wild has been written with. */
#include "record/json_number.h"

#include <string.h>

enum {
    PLAIN_EXPONENT_MIN = -4,
    PLAIN_EXPONENT_MAX = 15,
    DIGITS_MAX = 17,
};

/* Digits without point, and the power of ten of the first one. */
typedef struct decimal {
    bool negative;
    char digits[DIGITS_MAX];
    size_t count;
    int exponent;
} decimal;

static decimal split(const char *text, size_t length) {
    decimal out = { .count = 0 };
    size_t at = 0;
    if (text[at] == '-') {
        out.negative = true;
        at++;
    }
    for (; text[at] != 'e'; at++) {
        if (text[at] != '.') {
            out.digits[out.count++] = text[at];
        }
    }
    bool below_one = text[at + 1] == '-';
    for (at += 2; at < length; at++) {
        out.exponent = out.exponent * 10 + (text[at] - '0');
    }
    out.exponent = below_one ? -out.exponent : out.exponent;
    return out;
}

static char *put_zeros(char *at, size_t count) {
    memset(at, '0', count);
    return at + count;
}

static char *put_digits(char *at, const decimal *number, size_t from, size_t to) {
    memcpy(at, number->digits + from, to - from);
    return at + (to - from);
}

/* Below one: 0.00123. */
static char *put_small(char *at, const decimal *number) {
    *at++ = '0';
    *at++ = '.';
    at = put_zeros(at, (size_t)(-number->exponent - 1));
    return put_digits(at, number, 0, number->count);
}

/* From one on: 123.45 or 12300.0. */
static char *put_plain(char *at, const decimal *number) {
    size_t whole = (size_t)number->exponent + 1;
    if (number->count > whole) {
        at = put_digits(at, number, 0, whole);
        *at++ = '.';
        return put_digits(at, number, whole, number->count);
    }
    at = put_digits(at, number, 0, number->count);
    at = put_zeros(at, whole - number->count);
    *at++ = '.';
    *at++ = '0';
    return at;
}

void zn_json_put_double(zn_buf *out, double value) {
    char digits[ZN_DOUBLE_DIGITS_MAX];
    size_t length = zn_double_digits(value, digits);
    decimal number = split(digits, length);
    if (number.exponent < PLAIN_EXPONENT_MIN || number.exponent > PLAIN_EXPONENT_MAX) {
        zn_buf_append(out, digits, length);
        return;
    }
    char text[1 + 2 + (-PLAIN_EXPONENT_MIN) + DIGITS_MAX + 2];
    char *at = text;
    if (number.negative) {
        *at++ = '-';
    }
    at = number.exponent < 0 ? put_small(at, &number) : put_plain(at, &number);
    zn_buf_append(out, text, (size_t)(at - text));
}
