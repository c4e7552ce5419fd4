/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_READER_UTF8_H
#define ZN_OPS_READER_UTF8_H

#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "record/utf8.h"

/* The first byte from `at` on that may not be ASCII; 32 are looked at together. */
static inline const uint8_t *zn_reader_pass_ascii(const uint8_t *at, const uint8_t *end) {
    for (uint64_t words[4]; end - at >= (long)sizeof words; at += sizeof words) {
        memcpy(words, at, sizeof words);
        if (((words[0] | words[1] | words[2] | words[3]) & UINT64_C(0x8080808080808080)) != 0) {
            break;
        }
    }
    while (at < end && *at < 0x80) {
        at++;
    }
    return at;
}

/* Text that is not UTF-8 is a bad record, never a changed one; the column is its first such byte.
 * For the formats whose fields are texts. */
static inline zonda_err zn_reader_check_utf8(zn_bytes bytes, zonda_error *error) {
    const uint8_t *end = bytes.data + bytes.len;
    for (const uint8_t *at = zn_reader_pass_ascii(bytes.data, end); at < end;
         at = zn_reader_pass_ascii(at, end)) {
        unsigned length = zn_utf8_length(at, end);
        if (length == 0) {
            zn_error_set(error, ZONDA_ERR_BAD_RECORD, "the line is not valid UTF-8 at byte 0x%02x",
                         *at);
            error->column = (uint64_t)(at - bytes.data) + 1;
            return ZONDA_ERR_BAD_RECORD;
        }
        at += length;
    }
    return ZONDA_OK;
}

#endif
