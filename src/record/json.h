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

/* Appends the JSON text of a checked record, without a newline, compact, UTF-8 as it is. Doubles
 * are written in the shortest form that reads back the same, always with '.', 'e' or so that they
 * stay doubles (1.0, not 1). On failure `out` is as it was. Errors: BAD_RECORD naming the cause
 * and the place (NaN, infinity, binary, ext, a key that is not a string, invalid UTF-8). */
zonda_err zn_json_write(zn_bytes record, zn_buf *out, zonda_error *error);

#endif
