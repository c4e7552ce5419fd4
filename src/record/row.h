/* SPDX-License-Identifier: MPL-2.0 */
/* A row is what a shuffle moves: a record with its key. In blocks it is two values, a binary with
 * the key (record/key.h) and the record, so that blocks and their checks know nothing of rows. */
#ifndef ZN_RECORD_ROW_H
#define ZN_RECORD_ROW_H

#include "record/value.h"

typedef struct zn_row {
    zn_bytes key;    /* encodings: of the group, then of what sorts inside it */
    zn_bytes record; /* one checked value */
} zn_row;

/* Appends the two values. */
static inline void zn_row_put(zn_buf *out, zn_bytes key, zn_bytes record) {
    zn_put_binary(out, key);
    zn_buf_append(out, record.data, record.len);
}

/* Takes a row from checked values. False if there is none, or no key at its begin. */
static inline bool zn_row_take(zn_cursor *cursor, zn_row *out) {
    if (cursor->at == cursor->end) {
        return false;
    }
    if (cursor->at[0] == 0xc4) { /* a binary of up to 255 bytes, as nearly all keys are */
        out->key = (zn_bytes){ cursor->at + 2, cursor->at[1] };
        cursor->at += 2 + out->key.len;
        if (cursor->at == cursor->end) {
            return false;
        }
        out->record = zn_cursor_skip(cursor);
        return true;
    }
    zn_value head = zn_cursor_read(cursor);
    if (head.type != ZN_VALUE_BINARY || cursor->at == cursor->end) {
        return false;
    }
    out->key = head.bytes;
    out->record = zn_cursor_skip(cursor);
    return true;
}

#endif
