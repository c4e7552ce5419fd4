/* SPDX-License-Identifier: MPL-2.0 */
/* Stands in for json_read.c and json_simdjson.cc in a build without simdjson. Reading JSON says
 * that it is not supported; writing works as always, with the digits of doubles found by printf. */
#include "record/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "record/json_number.h"

struct zn_json_reader {
    char nothing;
};

zn_json_reader *zn_json_reader_new(void) {
    return ZN_NEW(zn_json_reader);
}

void zn_json_reader_destroy(zn_json_reader **reader) {
    free(*reader);
    *reader = NULL;
}

zonda_err zn_json_read(zn_json_reader *reader, zn_bytes text, zn_buf *out, zonda_error *error) {
    (void)reader;
    (void)text;
    (void)out;
    return zn_error_set(
        error, ZONDA_ERR_UNSUPPORTED,
        "this build of Zonda cannot read JSON (it was configured without simdjson)");
}

zonda_err zn_json_read_padded(zn_json_reader *reader, zn_bytes text, const zn_json_names *names,
                              zn_buf *out, zonda_error *error) {
    (void)names;
    return zn_json_read(reader, text, out, error);
}

size_t zn_double_digits(double value, char out[ZN_DOUBLE_DIGITS_MAX]) {
    char text[ZN_DOUBLE_DIGITS_MAX];
    /* The first precision that reads back has no zeros at its end. */
    for (int digits = 0; digits <= 16; digits++) {
        snprintf(text, sizeof text, "%.*e", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    /* The locale may have its own decimal point, even of several bytes. */
    size_t length = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (strchr("0123456789e+-", *at) != NULL) {
            out[length++] = *at;
        } else if (length > 0 && out[length - 1] != '.') {
            out[length++] = '.';
        }
    }
    return length;
}
