/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_RECORD_JSON_H
#define ZN_RECORD_JSON_H

#include "base/buf.h"
#include "base/error.h"

/* Turns JSON texts into MessagePack records; owns the parser and its buffers. One thread. */
typedef struct zn_json_reader zn_json_reader;
zn_json_reader *zn_json_reader_new(void);
void zn_json_reader_destroy(zn_json_reader **reader);

/* Appends the record of one JSON text (a JSONL line without its newline) to `out`. Field order is
 * kept, integers stay 64-bit integers. On failure nothing is appended and error->column is the byte
 * (from 1) where the cause was found. Errors: BAD_RECORD (syntax, invalid UTF-8, an integer beyond
 * 64 bits, a number beyond double), LIMIT (depth, size of text or record, memory for the parser),
 * UNSUPPORTED in a build without simdjson. Columns are set for BAD_RECORD and depth. */
zonda_err zn_json_read(zn_json_reader *reader, zn_bytes text, zn_buf *out, zonda_error *error);

/* Fields that are read of records; borrowed. `lengths` has bit n if a name of n bytes is among
 * them, and bit 63 for all longer ones. */
typedef struct zn_json_names {
    const zn_bytes *names;
    size_t count;
    uint64_t lengths;
} zn_json_names;

/* Borrows the names. */
static inline zn_json_names zn_json_names_of(const zn_bytes *names, size_t count) {
    zn_json_names all = { names, count, 0 };
    for (size_t i = 0; i < count; i++) {
        all.lengths |= UINT64_C(1) << (names[i].len < 63 ? names[i].len : 63);
    }
    return all;
}

enum {
    ZN_JSON_PADDING = 64, /* bytes */
};

/* As zn_json_read, for a text behind which ZN_JSON_PADDING bytes, whatever they are, can be read,
 * which saves copying it. Of a map only the fields in `names` become part of the record, in the
 * order of the text, unless `names` is NULL or more than 64 fields have such names, which are then
 * the same again and again; what is wrong anywhere in the text is found all the same. */
zonda_err zn_json_read_padded(zn_json_reader *reader, zn_bytes text, const zn_json_names *names,
                              zn_buf *out, zonda_error *error);

/* Appends the JSON text of a checked record, without a newline, compact, UTF-8 as it is. Doubles
 * are written in the shortest form that reads back the same, always with '.', 'e' or so that they
 * stay doubles (1.0, not 1). On failure `out` is as it was. Errors: BAD_RECORD naming the cause
 * and the place (NaN, infinity, binary, ext, a key that is not a string, invalid UTF-8). */
zonda_err zn_json_write(zn_bytes record, zn_buf *out, zonda_error *error);

#endif
