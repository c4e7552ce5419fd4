/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_BLOCK_H
#define ZN_STORE_BLOCK_H

#include "base/buf.h"
#include "base/error.h"

/* A block: concatenated records behind a header of 32 bytes, little-endian.
 *   0  magic "ZNB1"      4  flags, u32 (bit 0: zstd)     8  record count, u32    12  zero, u32
 *  16  stored bytes, u32 20  raw bytes, u32             24  XXH3-64 of the stored bytes, u64 */
enum {
    ZN_BLOCK_HEADER_BYTES = 32
};

/* Holds zstd contexts for reuse; one thread. */
typedef struct zn_block_codec zn_block_codec;
zn_block_codec *zn_block_codec_new(void);
void zn_block_codec_destroy(zn_block_codec **codec);

/* For blocks that this very process has written: the checksum says that they are the same, and what
 * is in them is not checked again. */
void zn_block_codec_trust(zn_block_codec *codec);

/* Appends the block of `records` (`count` of them) to `out`; compressed where that makes it
 * smaller. */
void zn_block_pack(zn_block_codec *codec, zn_bytes records, uint32_t count, zn_buf *out);

/* Reads the block at the start of `bytes`. `*records` is borrowed from `bytes` or from the codec
 * until the next call; `*used` is the size of the whole block. Records are checked values.
 * `*need` (with code NOT_FOUND) says how many bytes must be there when `bytes` ends too early.
 * Errors: CORRUPT (what differs), LIMIT, NOT_FOUND (more bytes needed). */
zonda_err zn_block_unpack(zn_block_codec *codec, zn_bytes bytes, zn_bytes *records, uint32_t *count,
                          size_t *used, size_t *need, zonda_error *error);

/* The same with a buffer of the caller's for what has to be decompressed, so that many readers can
 * share one codec: `*records` is borrowed from `bytes` or from `room`. */
zonda_err zn_block_unpack_to(zn_block_codec *codec, zn_bytes bytes, zn_buf *room, zn_bytes *records,
                             uint32_t *count, size_t *used, size_t *need, zonda_error *error);

#endif
