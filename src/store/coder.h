/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_CODER_H
#define ZN_STORE_CODER_H

#include "base/buf.h"
#include "base/error.h"

/* What a step takes from and writes to; the step moves both ahead. */
typedef struct zn_coder_io {
    const uint8_t *in;
    size_t in_len;
    uint8_t *out;
    size_t out_len;
    bool last; /* nothing comes after `in` */
} zn_coder_io;

/* One direction of one compressed format. It knows no files; one thread. */
typedef struct zn_coder zn_coder;
struct zn_coder {
    /* Goes ahead as far as `io` allows. Every step takes input, gives output, or ends: with `last`
     * and no input left it sets `*done` once all output is out. Decoders: CORRUPT, LIMIT. */
    zonda_err (*step)(zn_coder *coder, zn_coder_io *io, bool *done, zonda_error *error);
    void (*destroy)(zn_coder *coder);
};

/* The zstd pair; `level` 0 is the default, others are clamped to what the library knows. */
zn_coder *zn_zstd_encoder_new(int level);
zn_coder *zn_zstd_decoder_new(void);

/* The gzip pair; NULL where it is not built in. */
zn_coder *zn_gzip_encoder_new(int level);
zn_coder *zn_gzip_decoder_new(void);

/* The xz pair; NULL where it is not built in. */
zn_coder *zn_xz_encoder_new(int level);
zn_coder *zn_xz_decoder_new(void);

/* NULL-safe; clears the pointer. */
static inline void zn_coder_destroy(zn_coder **coder) {
    if (*coder != NULL) {
        (*coder)->destroy(*coder);
        *coder = NULL;
    }
}

#endif
