/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_STREAM_H
#define ZN_STORE_STREAM_H

#include "base/buf.h"
#include "base/error.h"

typedef enum zn_compression {
    ZN_COMPRESSION_NONE,
    ZN_COMPRESSION_GZIP,
    ZN_COMPRESSION_ZSTD,
    ZN_COMPRESSION_XZ,
} zn_compression;

/* From the suffix of a path; `*stem_len` (may be NULL) is the length without that suffix. */
zn_compression zn_compression_of(const char *path, size_t *stem_len);

/* Whether this build can read and write it. */
bool zn_compression_available(zn_compression compression);

/* The highest level of its encoder; levels count from 1. 0: it has none. */
int zn_compression_level_max(zn_compression compression);

/* A file that is read in order, decompressed. One thread. A failed stream keeps failing alike. */
typedef struct zn_in_stream zn_in_stream;
/* Errors, with the file filled in: IO, UNSUPPORTED (suffix without its library). */
zn_in_stream *zn_in_stream_open(const char *path, zonda_error *error);
void zn_in_stream_destroy(zn_in_stream **stream);

/* Reads up to `size` bytes; `*got` 0 means the end. Errors, with the file filled in: IO, CORRUPT
 * (damaged or truncated), LIMIT (memory that zstd or xz data asks for). */
zonda_err zn_in_stream_read(zn_in_stream *stream, uint8_t *out, size_t size, size_t *got,
                            zonda_error *error);

/* Goes on at a byte of a plain file. Errors, with the file: IO, also where the file ends before it;
 * UNSUPPORTED for a compressed one. */
zonda_err zn_in_stream_seek(zn_in_stream *stream, uint64_t offset, zonda_error *error);

/* Bytes taken from the file so far. */
uint64_t zn_in_stream_bytes(const zn_in_stream *stream);

/* A file that is written in order to a descriptor, compressed. `level` 0: the default. The bytes
 * depend on the content and the level alone, not on how it was cut into writes. The descriptor is
 * borrowed. Errors: IO, UNSUPPORTED; a failed stream keeps failing alike. One thread. */
typedef struct zn_out_stream zn_out_stream;
zn_out_stream *zn_out_stream_new(int fd, zn_compression compression, int level);
void zn_out_stream_destroy(zn_out_stream **stream);
zonda_err zn_out_stream_write(zn_out_stream *stream, zn_bytes bytes, zonda_error *error);

/* Writes what is buffered and the end of the compressed format. */
zonda_err zn_out_stream_finish(zn_out_stream *stream, zonda_error *error);

/* Bytes given to the descriptor so far, as stored. */
uint64_t zn_out_stream_bytes(const zn_out_stream *stream);

#endif
