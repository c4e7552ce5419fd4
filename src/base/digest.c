/* SPDX-License-Identifier: MPL-2.0 */
/* The only file that knows xxhash. Digests are stored in its canonical (big-endian) form, so they
 * are the same bytes on every machine. Where the library can choose the widest vectors of the
 * processor when it runs, it does: the same hashes, four times as fast with AVX-512. */
#include "base/digest.h"

#include <stdio.h>
#include <string.h>
#ifdef ZN_HAVE_XXH_DISPATCH
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

uint64_t zn_checksum(zn_bytes bytes) {
    return XXH3_64bits(bytes.data, bytes.len);
}

zn_digest zn_digest_of(zn_bytes bytes) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data, bytes.len));
    zn_digest digest;
    memcpy(digest.bytes, canonical.digest, sizeof digest.bytes);
    return digest;
}

bool zn_digest_equal(zn_digest a, zn_digest b) {
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

bool zn_digest_is_none(zn_digest digest) {
    return zn_digest_equal(digest, (zn_digest){ { 0 } });
}

char *zn_digest_text(zn_digest digest, char out[ZN_DIGEST_TEXT]) {
    for (size_t i = 0; i < sizeof digest.bytes; i++) {
        snprintf(out + 2 * i, 3, "%02x", digest.bytes[i]);
    }
    return out;
}

bool zn_digest_from_bytes(zn_bytes bytes, zn_digest *out) {
    if (bytes.len != ZN_DIGEST_BYTES) {
        return false;
    }
    memcpy(out->bytes, bytes.data, ZN_DIGEST_BYTES);
    return true;
}
