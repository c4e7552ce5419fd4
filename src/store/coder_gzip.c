/* SPDX-License-Identifier: MPL-2.0 */
/* Streams of gzip members (https://www.rfc-editor.org/rfc/rfc1952), the only file that knows zlib.
 * Reading takes any number of members one after another, and zero bytes after the last one, as
 * gzip does. Writing makes one member whose header has no time and no name, so that its bytes
 * depend on the content alone. Without zlib there are no gzip coders. Used by stream.c. */
#include "store/coder.h"

#ifndef ZN_HAVE_ZLIB

zn_coder *zn_gzip_decoder_new(void) {
    return NULL;
}

zn_coder *zn_gzip_encoder_new(int level) {
    (void)level;
    return NULL;
}

#else

#include <stdlib.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/assert.h"

/* zlib's way to say "gzip, 32 KiB window". */
enum {
    GZIP_WINDOW_BITS = 15 + 16,
    MEMORY_LEVEL = 8,
    OS_UNKNOWN = 255,
    PIECE_MAX = 1 << 30
};

typedef struct gzip_coder {
    zn_coder coder;
    z_stream stream;
    gz_header header; /* encoder: zlib keeps a pointer to it */
    bool inside;      /* decoder: a member has begun and not ended */
    uint64_t members;
} gzip_coder;

static uInt piece(size_t len) {
    return len > PIECE_MAX ? (uInt)PIECE_MAX : (uInt)len;
}

/* Lends `io` to zlib, runs it, and moves `io` ahead. */
static int run(gzip_coder *gzip, zn_coder_io *io, int (*call)(z_stream *, int), int flush) {
    z_stream *stream = &gzip->stream;
    uInt in = piece(io->in_len);
    uInt out = piece(io->out_len);
    stream->next_in = (z_const Bytef *)io->in;
    stream->avail_in = in;
    stream->next_out = io->out;
    stream->avail_out = out;
    int code = call(stream, flush);
    io->in += in - stream->avail_in;
    io->in_len -= in - stream->avail_in;
    io->out += out - stream->avail_out;
    io->out_len -= out - stream->avail_out;
    return code;
}

/* Between members: true if another one begins here. */
static bool begin_member(gzip_coder *gzip, zn_coder_io *io) {
    while (gzip->members > 0 && io->in_len > 0 && *io->in == 0) {
        io->in++;
        io->in_len--;
    }
    if (io->in_len == 0) {
        return false;
    }
    inflateReset(&gzip->stream);
    gzip->inside = true;
    return true;
}

static zonda_err decode(zn_coder *coder, zn_coder_io *io, bool *done, zonda_error *error) {
    gzip_coder *gzip = (gzip_coder *)coder;
    if (!gzip->inside && !begin_member(gzip, io)) {
        *done = io->last && gzip->members > 0;
        return !io->last || *done
                   ? ZONDA_OK
                   : zn_error_set(error, ZONDA_ERR_CORRUPT, "truncated gzip data: no byte");
    }
    size_t room = io->out_len;
    int code = run(gzip, io, inflate, Z_NO_FLUSH);
    if (code == Z_STREAM_END) {
        gzip->inside = false;
        gzip->members++;
        return ZONDA_OK;
    }
    if (code != Z_OK && code != Z_BUF_ERROR) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "damaged gzip data: %s",
                            gzip->stream.msg != NULL ? gzip->stream.msg : zError(code));
    }
    if (io->last && io->in_len == 0 && io->out_len == room) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "truncated gzip data");
    }
    return ZONDA_OK;
}

static void destroy_decoder(zn_coder *coder) {
    gzip_coder *gzip = (gzip_coder *)coder;
    inflateEnd(&gzip->stream);
    free(gzip);
}

zn_coder *zn_gzip_decoder_new(void) {
    gzip_coder *gzip = ZN_NEW(gzip_coder);
    gzip->coder = (zn_coder){ .step = decode, .destroy = destroy_decoder };
    ZN_ASSERT(inflateInit2(&gzip->stream, GZIP_WINDOW_BITS) == Z_OK);
    return &gzip->coder;
}

static zonda_err encode(zn_coder *coder, zn_coder_io *io, bool *done, zonda_error *error) {
    int code = run((gzip_coder *)coder, io, deflate, io->last ? Z_FINISH : Z_NO_FLUSH);
    *done = code == Z_STREAM_END;
    if (*done || code == Z_OK || code == Z_BUF_ERROR) {
        return ZONDA_OK;
    }
    return zn_error_set(error, ZONDA_ERR_INTERNAL, "zlib cannot compress: %s", zError(code));
}

static void destroy_encoder(zn_coder *coder) {
    gzip_coder *gzip = (gzip_coder *)coder;
    deflateEnd(&gzip->stream);
    free(gzip);
}

zn_coder *zn_gzip_encoder_new(int level) {
    gzip_coder *gzip = ZN_NEW(gzip_coder);
    gzip->coder = (zn_coder){ .step = encode, .destroy = destroy_encoder };
    gzip->header.os = OS_UNKNOWN;
    int clamped = level < 0 ? 1 : level > Z_BEST_COMPRESSION ? Z_BEST_COMPRESSION : level;
    int code = deflateInit2(&gzip->stream, clamped == 0 ? Z_DEFAULT_COMPRESSION : clamped,
                            Z_DEFLATED, GZIP_WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY);
    ZN_ASSERT(code == Z_OK);
    ZN_ASSERT(deflateSetHeader(&gzip->stream, &gzip->header) == Z_OK);
    return &gzip->coder;
}

#endif
