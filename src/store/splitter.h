/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_SPLITTER_H
#define ZN_STORE_SPLITTER_H

#include "base/error.h"
#include "store/framer.h"

/* The part of a file that is read: the records that begin in it. All zero: the whole file. */
typedef struct zn_file_range {
    uint64_t offset;
    uint64_t length; /* 0: up to the end */
    bool aligned;    /* a record begins at `offset`; else one does behind the next newline, or at
                        `offset` if a newline is before it */
} zn_file_range;

enum {
    ZN_SPLITTER_PADDING = 64 /* bytes */
};

/* Bytes of a record as they lie in the file, with what ends it. ZN_SPLITTER_PADDING bytes behind
 * them, whatever they are, can be read. Borrowed until the next call. */
typedef struct zn_piece {
    zn_bytes bytes;
    bool cut;        /* it is longer than the limit; zn_splitter_rest gives what follows */
    uint64_t offset; /* of the first byte in the (decompressed) file */
    uint64_t line;   /* of the first byte, from 1, counted from where reading began */
} zn_piece;

/* Reads a file record by record, decompressed by suffix: ".gz", ".zst", ".zstd", ".xz", each also
 * with several members, frames or streams. One thread. */
typedef struct zn_splitter zn_splitter;

/* A record of more than `record_max` bytes comes cut, so memory is bounded by about twice that.
 * Errors: IO (naming the file and the cause), UNSUPPORTED (suffix without its library, or a range
 * of a compressed file). */
zn_splitter *zn_splitter_open(const char *path, zn_framer framer, zn_file_range range,
                              size_t record_max, zonda_error *error);
void zn_splitter_destroy(zn_splitter **splitter);

/* Gets the next record; `*got` is false at the end. What the end of the file cuts off counts as
 * one. Errors, with the file and the line, which come again at every later call: IO, CORRUPT
 * (damaged or truncated compressed data), LIMIT (memory to decompress). */
zonda_err zn_splitter_next(zn_splitter *splitter, zn_piece *out, bool *got, zonda_error *error);

/* Gets more bytes of the record that came cut; `*got` is false behind its last one. What was not
 * asked for is passed over by the next zn_splitter_next. */
zonda_err zn_splitter_rest(zn_splitter *splitter, zn_bytes *out, bool *got, zonda_error *error);

/* Bytes read from the file so far, as stored (compressed). */
uint64_t zn_splitter_bytes(const zn_splitter *splitter);

#endif
