/* SPDX-License-Identifier: MPL-2.0 */
/* Blocks of records: the unit in which results are stored and sent. The checksum covers the stored
 * bytes; what it does not cover (the header) is checked against what it claims: sizes against each
 * other and the limits, the count against the records, which are walked one by one. So a damaged
 * block is found wherever the damage is, and no allocation follows an unchecked number.
 *
 * A level without entropy coding, like lz4: level 1 was a third to a half of what a shuffle costs,
 * and blocks live for minutes, mostly in the page cache. Contexts are made at first use
 * and kept, because a fresh one costs more than a small block. Written by segments, read by the
 * fetcher. */
#include "store/block.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/profile.h"
#include "wire/shape.h"

enum {
    LEVEL = -3,
    FLAG_ZSTD = 1,
    KEEP_BYTES = 4 * ZN_BLOCK_RAW_BYTES,
};

static const uint8_t magic[4] = { 'Z', 'N', 'B', '1' };

struct zn_block_codec {
    ZSTD_CCtx *compressor;
    ZSTD_DCtx *decompressor;
    zn_buf raw;
    bool trusts;
};

typedef struct block_header {
    uint32_t flags;
    uint32_t count;
    uint32_t stored_len;
    uint32_t raw_len;
    uint64_t checksum;
} block_header;

zn_block_codec *zn_block_codec_new(void) {
    return ZN_NEW(zn_block_codec);
}

void zn_block_codec_trust(zn_block_codec *codec) {
    codec->trusts = true;
}

void zn_block_codec_destroy(zn_block_codec **codec) {
    zn_block_codec *self = *codec;
    if (self == NULL) {
        return;
    }
    ZSTD_freeCCtx(self->compressor);
    ZSTD_freeDCtx(self->decompressor);
    zn_buf_free(&self->raw);
    free(self);
    *codec = NULL;
}

/* Compresses to `out`, which has room for the worst case. 0 if that does not make it smaller. */
static size_t compress(zn_block_codec *codec, zn_bytes records, uint8_t *out, size_t room) {
    if (codec->compressor == NULL) {
        codec->compressor = ZSTD_createCCtx();
        ZN_ASSERT(codec->compressor != NULL);
    }
    int before = zn_profile_enter(ZN_SECTION_COMPRESSING);
    size_t len = ZSTD_compressCCtx(codec->compressor, out, room, records.data, records.len, LEVEL);
    zn_profile_leave(before);
    return ZSTD_isError(len) || len >= records.len ? 0 : len;
}

void zn_block_pack(zn_block_codec *codec, zn_bytes records, uint32_t count, zn_buf *out) {
    ZN_ASSERT(records.len <= ZN_BLOCK_BYTES_MAX);
    size_t room = ZSTD_compressBound(records.len);
    zn_buf_reserve(out, ZN_BLOCK_HEADER_BYTES + room);
    uint8_t *header = out->data + out->len;
    uint8_t *stored = header + ZN_BLOCK_HEADER_BYTES;
    size_t len = compress(codec, records, stored, room);
    uint32_t flags = len > 0 ? FLAG_ZSTD : 0;
    if (len == 0 && records.len > 0) {
        memcpy(stored, records.data, records.len);
        len = records.len;
    }
    memcpy(header, magic, sizeof magic);
    zn_put_u32(header + 4, flags);
    zn_put_u32(header + 8, count);
    zn_put_u32(header + 12, 0);
    zn_put_u32(header + 16, (uint32_t)len);
    zn_put_u32(header + 20, (uint32_t)records.len);
    zn_put_u64(header + 24, zn_checksum((zn_bytes){ stored, len }));
    out->len += ZN_BLOCK_HEADER_BYTES + len;
}

static zonda_err need_more(size_t bytes, size_t *need, zonda_error *error) {
    *need = bytes;
    return zn_error_set(error, ZONDA_ERR_NOT_FOUND, "a block needs %zu bytes", bytes);
}

static zonda_err read_header(const uint8_t *in, block_header *out, zonda_error *error) {
    block_header header = { .flags = zn_get_u32(in + 4),
                            .count = zn_get_u32(in + 8),
                            .stored_len = zn_get_u32(in + 16),
                            .raw_len = zn_get_u32(in + 20),
                            .checksum = zn_get_u64(in + 24) };
    if (memcmp(in, magic, sizeof magic) != 0) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "a block begins with other bytes than ZNB1");
    }
    if (header.flags > FLAG_ZSTD || zn_get_u32(in + 12) != 0) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "a block has unknown flags (%u)",
                            header.flags);
    }
    if (header.raw_len > ZN_BLOCK_BYTES_MAX || header.stored_len > ZN_BLOCK_BYTES_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "a block of %u bytes (%u stored), above the limit of %d",
                            header.raw_len, header.stored_len, ZN_BLOCK_BYTES_MAX);
    }
    bool smaller = header.stored_len < header.raw_len;
    bool consistent = header.flags == FLAG_ZSTD ? smaller : header.stored_len == header.raw_len;
    if (!consistent || header.count > header.raw_len ||
        (header.count == 0) != (header.raw_len == 0)) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT,
                            "the sizes of a block do not fit: %u bytes, %u stored, %u records",
                            header.raw_len, header.stored_len, header.count);
    }
    *out = header;
    return ZONDA_OK;
}

/* Room for a raw block, and no more: there may be hundreds. Some to spare, because blocks are of
 * about the same size. */
static void make_room(zn_buf *out, size_t raw_len) {
    zn_buf_reset(out, KEEP_BYTES);
    if (out->capacity < raw_len) {
        zn_buf_free(out);
        out->capacity = raw_len + raw_len / 16;
        out->data = zn_alloc(out->capacity);
    }
}

static zonda_err decompress(zn_block_codec *codec, zn_bytes stored, uint32_t raw_len, zn_buf *out,
                            zn_bytes *raw, zonda_error *error) {
    if (ZSTD_getFrameContentSize(stored.data, stored.len) != raw_len) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT,
                            "a block's compressed bytes are not of %u bytes", raw_len);
    }
    if (codec->decompressor == NULL) {
        codec->decompressor = ZSTD_createDCtx();
        ZN_ASSERT(codec->decompressor != NULL);
    }
    make_room(out, raw_len);
    size_t len =
        ZSTD_decompressDCtx(codec->decompressor, out->data, raw_len, stored.data, stored.len);
    if (ZSTD_isError(len) || len != raw_len) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "a block does not decompress: %s",
                            ZSTD_isError(len) ? ZSTD_getErrorName(len) : "too short");
    }
    out->len = raw_len;
    *raw = zn_buf_bytes(out);
    return ZONDA_OK;
}

/* Every record must be one whole value within the limits, and their number the one in the header:
 * then readers may trust them. */
static zonda_err check_records(zn_bytes raw, uint32_t count, zonda_error *error) {
    uint32_t found = 0;
    zonda_error cause;
    for (zn_bytes rest = raw; rest.len > 0; found++) {
        size_t used = 0;
        if (zn_shape_check(rest, ZN_RECORD_DEPTH_MAX, &used, &cause) != ZONDA_OK) {
            return zn_error_set(error, ZONDA_ERR_CORRUPT, "record %u of a block is no value: %s",
                                found, cause.text);
        }
        if (used > ZN_RECORD_BYTES_MAX) {
            return zn_error_set(error, ZONDA_ERR_CORRUPT, "record %u of a block has %zu bytes",
                                found, used);
        }
        rest.data += used;
        rest.len -= used;
    }
    if (found != count) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "a block of %u records has %u", count, found);
    }
    return ZONDA_OK;
}

zonda_err zn_block_unpack(zn_block_codec *codec, zn_bytes bytes, zn_bytes *records, uint32_t *count,
                          size_t *used, size_t *need, zonda_error *error) {
    return zn_block_unpack_to(codec, bytes, &codec->raw, records, count, used, need, error);
}

zonda_err zn_block_unpack_to(zn_block_codec *codec, zn_bytes bytes, zn_buf *room, zn_bytes *records,
                             uint32_t *count, size_t *used, size_t *need, zonda_error *error) {
    if (bytes.len < ZN_BLOCK_HEADER_BYTES) {
        return need_more(ZN_BLOCK_HEADER_BYTES, need, error);
    }
    block_header header = { 0 };
    zonda_err code = read_header(bytes.data, &header, error);
    if (code != ZONDA_OK) {
        return code;
    }
    if (bytes.len - ZN_BLOCK_HEADER_BYTES < header.stored_len) {
        return need_more(ZN_BLOCK_HEADER_BYTES + header.stored_len, need, error);
    }
    zn_bytes stored = { bytes.data + ZN_BLOCK_HEADER_BYTES, header.stored_len };
    if (zn_checksum(stored) != header.checksum) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "the checksum of a block is wrong");
    }
    zn_bytes raw = stored;
    if (header.flags == FLAG_ZSTD) {
        code = decompress(codec, stored, header.raw_len, room, &raw, error);
    }
    if (code == ZONDA_OK && !codec->trusts) {
        code = check_records(raw, header.count, error);
    }
    if (code == ZONDA_OK) {
        *records = raw;
        *count = header.count;
        *used = ZN_BLOCK_HEADER_BYTES + header.stored_len;
    }
    return code;
}
