/* SPDX-License-Identifier: MPL-2.0 */
/* Doubles as JSON text. */
#ifndef ZN_RECORD_JSON_NUMBER_H
#define ZN_RECORD_JSON_NUMBER_H

#include "base/buf.h"

enum {
    ZN_DOUBLE_DIGITS_MAX = 32
};

/* Appends a finite double in the fewest digits that read back the same: plain from 1e-4 to below
 * 1e16, else with an exponent; always with '.' or 'e'. */
void zn_json_put_double(zn_buf *out, double value);

/* Writes the shortest digits of a finite double as "-d.ddde-XX" (no '.' for one digit), without a
 * terminator, and returns their length. Implemented beside the JSON parser, or by printf. */
size_t zn_double_digits(double value, char out[ZN_DOUBLE_DIGITS_MAX]);

#endif
