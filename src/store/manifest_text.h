/* SPDX-License-Identifier: MPL-2.0 */
/* Inside store only: what is written in a manifest. */
#ifndef ZN_STORE_MANIFEST_TEXT_H
#define ZN_STORE_MANIFEST_TEXT_H

#include "base/digest.h"
#include "base/error.h"
#include "store/file.h"

/* What a manifest says. `document` is that of manifest.h. */
typedef struct zn_manifest_words {
    zn_bytes document;
    uint64_t shards;
    zn_digest content; /* of the two */
} zn_manifest_words;

/* An output that was there before the first run of the plan, and so is not of the plan. */
typedef struct zn_manifest_old {
    uint64_t shard;
    zn_file_info info;
} zn_manifest_old;

/* In the order of shards. */
typedef struct zn_manifest_olds {
    zn_manifest_old *items;
    size_t count;
    size_t capacity;
} zn_manifest_olds;

enum {
    ZN_MANIFEST_HEAD_BYTES = 80 /* of a text, enough for zn_manifest_text_is */
};

/* Error: PLAN (not such a document). */
zonda_err zn_manifest_words_set(zn_bytes document, uint64_t shards, zn_manifest_words *out,
                                zonda_error *error);

/* Appends the text. */
void zn_manifest_text_write(const zn_manifest_words *words, const zn_manifest_olds *olds,
                            zn_buf *out);

/* Whether a text that begins with `head` says the same. */
bool zn_manifest_text_is(const zn_manifest_words *words, zn_bytes head);

/* Reads the old outputs from a text. Errors: CORRUPT, UNSUPPORTED (a build without JSON). */
zonda_err zn_manifest_text_olds(zn_bytes text, zn_manifest_olds *out, zonda_error *error);

/* Appends to `out` in which way a text says something else, in one sentence for people. */
void zn_manifest_text_compare(const zn_manifest_words *words, zn_bytes text, zn_buf *out);

#endif
