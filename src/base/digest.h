/* SPDX-License-Identifier: MPL-2.0 */
/* Hashes: XXH3 (https://xxhash.com), 64 bits for checksums, 128 bits for content addresses and
 * plan fingerprints. Not cryptographic: they detect accidents, not attackers. */
#ifndef ZN_BASE_DIGEST_H
#define ZN_BASE_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum {
    ZN_DIGEST_BYTES = 16,
    ZN_DIGEST_TEXT = 33
};

/* The name of some bytes. All zero means "none". */
typedef struct zn_digest {
    uint8_t bytes[ZN_DIGEST_BYTES];
} zn_digest;

uint64_t zn_checksum(zn_bytes bytes);
zn_digest zn_digest_of(zn_bytes bytes);
bool zn_digest_equal(zn_digest a, zn_digest b);
bool zn_digest_is_none(zn_digest digest);

/* Hex text, terminated, in `out`. Returns `out`. */
char *zn_digest_text(zn_digest digest, char out[ZN_DIGEST_TEXT]);

/* From 16 raw bytes as they come from the wire; false if the length is another. */
bool zn_digest_from_bytes(zn_bytes bytes, zn_digest *out);

static inline zn_bytes zn_digest_bytes(const zn_digest *digest) {
    return (zn_bytes){ .data = digest->bytes, .len = ZN_DIGEST_BYTES };
}

#endif
