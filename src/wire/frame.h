/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WIRE_FRAME_H
#define ZN_WIRE_FRAME_H

#include "base/buf.h"
#include "base/error.h"

/* A frame is one ZeroMQ message part: a header of 24 bytes, then the body.
 *   0  magic "ZNDA"        4  version (ZN_PROTOCOL_VERSION)   5  flags (bit 0: zstd)
 *   6  zero, 2 bytes       8  body bytes, u32                12  raw bytes, u32
 *  16  XXH3-64 of the body as sent, u64                       (little-endian)
 * The place of magic and version never changes, so that any two versions can tell each other. */
enum {
    ZN_FRAME_HEADER_BYTES = 24,
    ZN_FRAME_FLAG_ZSTD = 1
};

/* Holds the zstd contexts of one thread, for reuse (a fresh one costs more than a small frame). */
typedef struct zn_framer zn_framer;
zn_framer *zn_framer_new(void);
void zn_framer_destroy(zn_framer **framer);

/* From now on packs nothing compressed: for links that are faster than zstd. */
void zn_framer_keep_plain(zn_framer *framer);
bool zn_framer_is_plain(const zn_framer *framer);

/* Replaces `out` by the frame of `raw` (at most ZN_FRAME_BYTES_MAX). It is compressed from
 * ZN_FRAME_COMPRESS_BYTES_MIN on, where that makes it smaller. */
void zn_framer_pack(zn_framer *framer, zn_bytes raw, zn_buf *out);

/* Makes a frame, without compression, of `frame_bytes` bytes of which all but the first
 * ZN_FRAME_HEADER_BYTES are there: fills in these. */
void zn_frame_put_header(uint8_t *frame, size_t frame_bytes);

/* Checks a frame and sets `*raw` to its content, which is borrowed from `frame` or, if it was
 * compressed, from the framer until the next call. Errors: PROTOCOL (not a frame, lengths, flags),
 * VERSION (the text names both versions), CORRUPT (checksum), LIMIT (sizes). */
zonda_err zn_framer_unpack(zn_framer *framer, zn_bytes frame, zn_bytes *raw, zonda_error *error);

#endif
