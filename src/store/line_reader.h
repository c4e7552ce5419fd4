/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_LINE_READER_H
#define ZN_STORE_LINE_READER_H

#include "base/buf.h"
#include "base/error.h"

/* Reads a text file line by line; decompresses by suffix. One thread. */
typedef struct zn_line_reader zn_line_reader;

/* Opens `path`: ".gz" (also several members), ".zst"/".zstd" (also several frames), else plain.
 * A line longer than `line_max` bytes is an error. Errors: IO (naming the file and the cause),
 * UNSUPPORTED (suffix without its library). */
zn_line_reader *zn_line_reader_open(const char *path, size_t line_max, zonda_error *error);
void zn_line_reader_destroy(zn_line_reader **reader);

/* Gets the next line without its end (LF or CRLF); `*got` is false at the end of the file. A last
 * line without newline counts. The line is borrowed until the next call. Errors, with file and
 * line number filled in: IO, CORRUPT (damaged or truncated compressed data), BAD_RECORD (line too
 * long: the rest of that line is skipped and reading can go on). */
zonda_err zn_line_reader_next(zn_line_reader *reader, zn_bytes *line, bool *got,
                              zonda_error *error);

/* Number of the line that was returned last, from 1. */
uint64_t zn_line_reader_number(const zn_line_reader *reader);

/* Bytes read from the file so far, as stored (compressed). */
uint64_t zn_line_reader_bytes(const zn_line_reader *reader);

#endif
