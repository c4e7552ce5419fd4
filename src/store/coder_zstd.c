/* SPDX-License-Identifier: MPL-2.0 */
/* Streams of zstd frames (https://www.rfc-editor.org/rfc/rfc8878). Reading takes any number of
 * frames one after another, skippable ones too, and refuses a window above our limit, because the
 * window is memory that the file asks for. Writing makes one frame with a checksum. Its bytes
 * depend on the content alone: the caller feeds pieces of a fixed size. Used by stream.c. */
#include "store/coder.h"

#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"

enum {
    DEFAULT_LEVEL = 3
};

typedef struct zstd_decoder {
    zn_coder coder;
    ZSTD_DCtx *context;
    bool inside; /* a frame has begun and not ended */
    uint64_t frames;
} zstd_decoder;

typedef struct zstd_encoder {
    zn_coder coder;
    ZSTD_CCtx *context;
} zstd_encoder;

static zonda_err decoding_failed(size_t code, zonda_error *error) {
    if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "the zstd data asks for a window above the limit of %u MiB",
                            1u << (ZN_ZSTD_WINDOW_LOG_MAX - 20));
    }
    return zn_error_set(error, ZONDA_ERR_CORRUPT, "damaged zstd data: %s", ZSTD_getErrorName(code));
}

static zonda_err decode(zn_coder *coder, zn_coder_io *io, bool *done, zonda_error *error) {
    zstd_decoder *decoder = (zstd_decoder *)coder;
    if (!decoder->inside && io->in_len == 0) {
        *done = io->last && decoder->frames > 0;
        return !io->last || *done
                   ? ZONDA_OK
                   : zn_error_set(error, ZONDA_ERR_CORRUPT, "truncated zstd data: no byte");
    }
    ZSTD_inBuffer in = { io->in, io->in_len, 0 };
    ZSTD_outBuffer out = { io->out, io->out_len, 0 };
    size_t code = ZSTD_decompressStream(decoder->context, &out, &in);
    if (ZSTD_isError(code)) {
        return decoding_failed(code, error);
    }
    io->in += in.pos;
    io->in_len -= in.pos;
    io->out += out.pos;
    io->out_len -= out.pos;
    decoder->inside = code != 0;
    decoder->frames += code == 0;
    if (decoder->inside && io->last && io->in_len == 0 && out.pos == 0) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "truncated zstd data");
    }
    return ZONDA_OK;
}

static void destroy_decoder(zn_coder *coder) {
    zstd_decoder *decoder = (zstd_decoder *)coder;
    ZSTD_freeDCtx(decoder->context);
    free(decoder);
}

zn_coder *zn_zstd_decoder_new(void) {
    zstd_decoder *decoder = ZN_NEW(zstd_decoder);
    decoder->coder = (zn_coder){ .step = decode, .destroy = destroy_decoder };
    decoder->context = ZSTD_createDCtx();
    ZN_ASSERT(decoder->context != NULL);
    ZSTD_DCtx_setParameter(decoder->context, ZSTD_d_windowLogMax, ZN_ZSTD_WINDOW_LOG_MAX);
    return &decoder->coder;
}

static zonda_err encode(zn_coder *coder, zn_coder_io *io, bool *done, zonda_error *error) {
    zstd_encoder *encoder = (zstd_encoder *)coder;
    ZSTD_inBuffer in = { io->in, io->in_len, 0 };
    ZSTD_outBuffer out = { io->out, io->out_len, 0 };
    size_t left =
        ZSTD_compressStream2(encoder->context, &out, &in, io->last ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left)) {
        return zn_error_set(error, ZONDA_ERR_INTERNAL, "zstd cannot compress: %s",
                            ZSTD_getErrorName(left));
    }
    io->in += in.pos;
    io->in_len -= in.pos;
    io->out += out.pos;
    io->out_len -= out.pos;
    *done = io->last && left == 0;
    return ZONDA_OK;
}

static void destroy_encoder(zn_coder *coder) {
    zstd_encoder *encoder = (zstd_encoder *)coder;
    ZSTD_freeCCtx(encoder->context);
    free(encoder);
}

zn_coder *zn_zstd_encoder_new(int level) {
    zstd_encoder *encoder = ZN_NEW(zstd_encoder);
    encoder->coder = (zn_coder){ .step = encode, .destroy = destroy_encoder };
    encoder->context = ZSTD_createCCtx();
    ZN_ASSERT(encoder->context != NULL);
    ZSTD_CCtx_setParameter(encoder->context, ZSTD_c_compressionLevel,
                           level == 0 ? DEFAULT_LEVEL : level);
    ZSTD_CCtx_setParameter(encoder->context, ZSTD_c_checksumFlag, 1);
    return &encoder->coder;
}
