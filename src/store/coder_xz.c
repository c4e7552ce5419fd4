/* SPDX-License-Identifier: MPL-2.0 */
/* Streams of .xz (https://tukaani.org/xz/xz-file-format.txt), the only file that knows liblzma.
 * Reading takes any number of streams one after another with their padding; integrity checks are
 * verified. The dictionary that a file asks for is memory that an outsider chooses, so the decoder
 * has a limit, which what `xz -9` writes needs less than half of. Writing makes one stream with a
 * CRC64, whose bytes depend on content and level alone. Without liblzma there are no xz coders.
 * Used by stream.c. */
#include "store/coder.h"

#ifndef ZN_HAVE_LZMA

zn_coder *zn_xz_decoder_new(void) {
    return NULL;
}

zn_coder *zn_xz_encoder_new(int level) {
    (void)level;
    return NULL;
}

#else

#include <lzma.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"

enum {
    PRESET_DEFAULT = 6,
    PRESET_MAX = 9
};

typedef struct xz_coder {
    zn_coder coder;
    lzma_stream stream;
    bool any; /* decoder: a byte was seen */
} xz_coder;

/* Lends `io` to liblzma, runs it, and moves `io` ahead. */
static lzma_ret run(xz_coder *xz, zn_coder_io *io, lzma_action action) {
    xz->stream.next_in = io->in;
    xz->stream.avail_in = io->in_len;
    xz->stream.next_out = io->out;
    xz->stream.avail_out = io->out_len;
    lzma_ret code = lzma_code(&xz->stream, action);
    io->in = xz->stream.next_in;
    io->in_len = xz->stream.avail_in;
    io->out = xz->stream.next_out;
    io->out_len = xz->stream.avail_out;
    return code;
}

static zonda_err fail_decoding(lzma_ret code, zonda_error *error) {
    switch (code) {
    case LZMA_MEMLIMIT_ERROR:
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "the xz data needs more than the limit of %u MiB of memory",
                            (unsigned)(ZN_XZ_MEMORY_BYTES / ZN_MIB));
    case LZMA_BUF_ERROR:
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "truncated xz data");
    case LZMA_FORMAT_ERROR:
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "damaged xz data: no xz header");
    case LZMA_OPTIONS_ERROR:
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "xz data of an unknown kind");
    case LZMA_MEM_ERROR:
        return zn_error_set(error, ZONDA_ERR_LIMIT, "no memory to decode the xz data");
    default:
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "damaged xz data");
    }
}

static zonda_err decode(zn_coder *coder, zn_coder_io *io, bool *done, zonda_error *error) {
    xz_coder *xz = (xz_coder *)coder;
    xz->any = xz->any || io->in_len > 0;
    if (!xz->any) {
        return io->last ? zn_error_set(error, ZONDA_ERR_CORRUPT, "truncated xz data: no byte")
                        : ZONDA_OK;
    }
    size_t room = io->out_len;
    size_t given = io->in_len;
    lzma_ret code = run(xz, io, io->last ? LZMA_FINISH : LZMA_RUN);
    *done = code == LZMA_STREAM_END;
    if (*done || code == LZMA_OK) {
        return ZONDA_OK;
    }
    /* No progress is an error only when nothing more can come. */
    if (code == LZMA_BUF_ERROR && (!io->last || io->out_len < room || io->in_len < given)) {
        return ZONDA_OK;
    }
    return fail_decoding(code, error);
}

static void destroy(zn_coder *coder) {
    xz_coder *xz = (xz_coder *)coder;
    lzma_end(&xz->stream);
    free(xz);
}

zn_coder *zn_xz_decoder_new(void) {
    xz_coder *xz = ZN_NEW(xz_coder);
    xz->coder = (zn_coder){ .step = decode, .destroy = destroy };
    xz->stream = (lzma_stream)LZMA_STREAM_INIT;
    lzma_ret code = lzma_stream_decoder(&xz->stream, ZN_XZ_MEMORY_BYTES, LZMA_CONCATENATED);
    ZN_ASSERT(code == LZMA_OK);
    return &xz->coder;
}

static zonda_err encode(zn_coder *coder, zn_coder_io *io, bool *done, zonda_error *error) {
    lzma_ret code = run((xz_coder *)coder, io, io->last ? LZMA_FINISH : LZMA_RUN);
    *done = code == LZMA_STREAM_END;
    if (*done || code == LZMA_OK || code == LZMA_BUF_ERROR) {
        return ZONDA_OK;
    }
    return zn_error_set(error, ZONDA_ERR_INTERNAL, "liblzma cannot compress: code %d", (int)code);
}

zn_coder *zn_xz_encoder_new(int level) {
    xz_coder *xz = ZN_NEW(xz_coder);
    xz->coder = (zn_coder){ .step = encode, .destroy = destroy };
    xz->stream = (lzma_stream)LZMA_STREAM_INIT;
    int preset = level == 0 ? PRESET_DEFAULT : level < 0 ? 1 : level;
    preset = preset > PRESET_MAX ? PRESET_MAX : preset;
    lzma_ret code = lzma_easy_encoder(&xz->stream, (uint32_t)preset, LZMA_CHECK_CRC64);
    ZN_ASSERT(code == LZMA_OK);
    return &xz->coder;
}

#endif
