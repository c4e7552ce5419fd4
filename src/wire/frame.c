/* SPDX-License-Identifier: MPL-2.0 */
/* Frames: what is between a message and a ZeroMQ message part. The header lets a receiver refuse
 * what it cannot read before it looks further: another program (magic), another version, damage
 * (checksum), a bomb (sizes, checked against the limit and against what zstd itself says before
 * anything is inflated). ZeroMQ keeps message boundaries and TCP has a checksum, but a frame may
 * also come from a broken peer, and 64 bits of XXH3 cost next to nothing.
 *
 * Why the threshold: packing and inflating a RESULT costs about 6 us however small it is. At 400
 * bytes that saves 170, worth it on links below 28 MB/s; at 800 bytes 61 MB/s; at 1.6 KB 114 MB/s,
 * about what a gigabit link gives; from 12 KB on about 300 MB/s, whatever the size. So 1 KiB suits
 * links between hosts; inproc, ipc and loopback, which are faster than all of these, go plain.
 * zstd format: RFC 8878. */
#include "wire/frame.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/digest.h"
#include "base/limits.h"
#include "wire/message_table.h"

enum {
    LEVEL = 1, /* of zstd: a link is faster than a higher level is good */
    KEEP_BYTES = ZN_MIB,
    AT_VERSION = 4,
    AT_FLAGS = 5,
    AT_ZERO = 6,
    AT_BODY_BYTES = 8,
    AT_RAW_BYTES = 12,
    AT_CHECKSUM = 16,
};

static const char magic[4] = { 'Z', 'N', 'D', 'A' };

struct zn_framer {
    ZSTD_CCtx *compressor;
    ZSTD_DCtx *decompressor;
    zn_buf inflated;
    bool plain;
};

zn_framer *zn_framer_new(void) {
    zn_framer *framer = ZN_NEW(zn_framer);
    framer->compressor = ZSTD_createCCtx();
    framer->decompressor = ZSTD_createDCtx();
    if (framer->compressor == NULL || framer->decompressor == NULL) {
        abort();
    }
    ZSTD_CCtx_setParameter(framer->compressor, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_DCtx_setParameter(framer->decompressor, ZSTD_d_windowLogMax, ZN_ZSTD_WINDOW_LOG_MAX);
    return framer;
}

void zn_framer_keep_plain(zn_framer *framer) {
    framer->plain = true;
}

bool zn_framer_is_plain(const zn_framer *framer) {
    return framer->plain;
}

void zn_framer_destroy(zn_framer **framer) {
    if (framer == NULL || *framer == NULL) {
        return;
    }
    ZSTD_freeCCtx((*framer)->compressor);
    ZSTD_freeDCtx((*framer)->decompressor);
    zn_buf_free(&(*framer)->inflated);
    free(*framer);
    *framer = NULL;
}

/* Bytes of the compressed body behind the header in `out`, 0 if it would not be smaller. */
static size_t compress(zn_framer *framer, zn_bytes raw, zn_buf *out) {
    if (framer->plain || raw.len < ZN_FRAME_COMPRESS_BYTES_MIN) {
        return 0;
    }
    size_t len = ZSTD_compress2(framer->compressor, out->data + ZN_FRAME_HEADER_BYTES, raw.len - 1,
                                raw.data, raw.len);
    return ZSTD_isError(len) ? 0 : len;
}

static void begin_frame(zn_bytes raw, zn_buf *out) {
    ZN_ASSERT(raw.len <= ZN_FRAME_BYTES_MAX);
    zn_buf_reset(out, KEEP_BYTES);
    zn_buf_reserve(out, ZN_FRAME_HEADER_BYTES + raw.len);
}

/* Fills in the header before `len` bytes of the body. */
static void put_header(uint8_t *head, uint8_t flags, size_t len, size_t raw_len) {
    memset(head, 0, ZN_FRAME_HEADER_BYTES);
    memcpy(head, magic, sizeof magic);
    head[AT_VERSION] = ZN_PROTOCOL_VERSION;
    head[AT_FLAGS] = flags;
    zn_put_u32(head + AT_BODY_BYTES, (uint32_t)len);
    zn_put_u32(head + AT_RAW_BYTES, (uint32_t)raw_len);
    zn_put_u64(head + AT_CHECKSUM, zn_checksum((zn_bytes){ head + ZN_FRAME_HEADER_BYTES, len }));
}

void zn_frame_put_header(uint8_t *frame, size_t frame_bytes) {
    ZN_ASSERT(frame_bytes >= ZN_FRAME_HEADER_BYTES);
    size_t len = frame_bytes - ZN_FRAME_HEADER_BYTES;
    ZN_ASSERT(len <= ZN_FRAME_BYTES_MAX);
    put_header(frame, 0, len, len);
}

void zn_framer_pack(zn_framer *framer, zn_bytes raw, zn_buf *out) {
    begin_frame(raw, out);
    size_t len = compress(framer, raw, out);
    uint8_t flags = len == 0 ? 0 : ZN_FRAME_FLAG_ZSTD;
    if (len == 0 && raw.len > 0) {
        len = raw.len;
        memcpy(out->data + ZN_FRAME_HEADER_BYTES, raw.data, raw.len);
    }
    put_header(out->data, flags, len, raw.len);
    out->len = ZN_FRAME_HEADER_BYTES + len;
}

/* Magic and version come first: a frame of another version may differ in everything else. */
static zonda_err check_head(zn_bytes frame, zonda_error *error) {
    if (frame.len <= AT_VERSION || memcmp(frame.data, magic, sizeof magic) != 0) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL, "%zu bytes that are not a Zonda frame",
                            frame.len);
    }
    if (frame.data[AT_VERSION] != ZN_PROTOCOL_VERSION) {
        return zn_error_set(error, ZONDA_ERR_VERSION,
                            "the peer speaks protocol version %u, this program version %u",
                            frame.data[AT_VERSION], ZN_PROTOCOL_VERSION);
    }
    if (frame.len < ZN_FRAME_HEADER_BYTES) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL, "a frame of %zu bytes has no whole header",
                            frame.len);
    }
    if ((frame.data[AT_FLAGS] & ~ZN_FRAME_FLAG_ZSTD) != 0 || frame.data[AT_ZERO] != 0 ||
        frame.data[AT_ZERO + 1] != 0) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL, "a frame has unknown flags");
    }
    return ZONDA_OK;
}

static zonda_err check_sizes(zn_bytes frame, zonda_error *error) {
    uint32_t body_bytes = zn_get_u32(frame.data + AT_BODY_BYTES);
    uint32_t raw_bytes = zn_get_u32(frame.data + AT_RAW_BYTES);
    bool compressed = (frame.data[AT_FLAGS] & ZN_FRAME_FLAG_ZSTD) != 0;
    if (body_bytes > ZN_FRAME_BYTES_MAX || raw_bytes > ZN_FRAME_BYTES_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "a frame of %u bytes, %u when inflated; at most %u", body_bytes,
                            raw_bytes, (unsigned)ZN_FRAME_BYTES_MAX);
    }
    if (body_bytes != frame.len - ZN_FRAME_HEADER_BYTES ||
        (!compressed && raw_bytes != body_bytes)) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL,
                            "a frame says %u bytes, %u when inflated; %zu came", body_bytes,
                            raw_bytes, frame.len - ZN_FRAME_HEADER_BYTES);
    }
    return ZONDA_OK;
}

static zonda_err inflate(zn_framer *framer, zn_bytes body, size_t raw_bytes, zn_bytes *raw,
                         zonda_error *error) {
    if (ZSTD_getFrameContentSize(body.data, body.len) != raw_bytes) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL,
                            "a frame says %zu bytes when inflated, its content says another number",
                            raw_bytes);
    }
    zn_buf_reset(&framer->inflated, KEEP_BYTES);
    zn_buf_reserve(&framer->inflated, raw_bytes);
    size_t len = ZSTD_decompressDCtx(framer->decompressor, framer->inflated.data, raw_bytes,
                                     body.data, body.len);
    if (ZSTD_isError(len) || len != raw_bytes) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "a frame cannot be inflated: %s",
                            ZSTD_isError(len) ? ZSTD_getErrorName(len) : "it is too short");
    }
    *raw = (zn_bytes){ framer->inflated.data, len };
    return ZONDA_OK;
}

zonda_err zn_framer_unpack(zn_framer *framer, zn_bytes frame, zn_bytes *raw, zonda_error *error) {
    zonda_err code = check_head(frame, error);
    if (code == ZONDA_OK) {
        code = check_sizes(frame, error);
    }
    if (code != ZONDA_OK) {
        return code;
    }
    zn_bytes body = { frame.data + ZN_FRAME_HEADER_BYTES, frame.len - ZN_FRAME_HEADER_BYTES };
    if (zn_checksum(body) != zn_get_u64(frame.data + AT_CHECKSUM)) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT,
                            "the checksum of a frame of %zu bytes is wrong", body.len);
    }
    if ((frame.data[AT_FLAGS] & ZN_FRAME_FLAG_ZSTD) != 0) {
        return inflate(framer, body, zn_get_u32(frame.data + AT_RAW_BYTES), raw, error);
    }
    *raw = body;
    return ZONDA_OK;
}
