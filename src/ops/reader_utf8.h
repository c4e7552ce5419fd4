/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_READER_UTF8_H
#define ZN_OPS_READER_UTF8_H

#include "base/buf.h"
#include "base/error.h"
#include "record/utf8.h"

/* Text that is not UTF-8 is a bad record, never a changed one; the column is its first such byte.
 * For the formats whose fields are texts. */
static inline zonda_err zn_reader_check_utf8(zn_bytes bytes, zonda_error *error) {
    const uint8_t *end = bytes.data + bytes.len;
    for (const uint8_t *at = bytes.data; at < end;) {
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
