/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_BASE_ERROR_H
#define ZN_BASE_ERROR_H

#include <zonda/error.h>

/* Fills `error` (may be NULL) with code and text and clears the rest. Returns `code`, so that a
 * function can end with `return zn_error_set(error, …)`. Called where the problem is found. */
zonda_err zn_error_set(zonda_error *error, zonda_err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts words before the text that is there: "reading x.jsonl: " + text. Returns the code. */
zonda_err zn_error_prefix(zonda_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Fills in the place in a file; keeps code and text. `line`, `column` 0: unknown. */
void zn_error_at(zonda_error *error, const char *file, uint64_t line, uint64_t column);

/* Copies `text` cut to `size`, never in the middle of a UTF-8 character. */
void zn_error_copy(char *out, size_t size, const char *text, size_t text_bytes);

/* The code if it is a known one, else INTERNAL: for numbers that come from the wire. */
zonda_err zn_err_from_number(uint64_t number);

#endif
