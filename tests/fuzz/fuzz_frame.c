/* SPDX-License-Identifier: MPL-2.0 */
/* Any bytes as a frame, and any bytes behind a header that is made to fit, so that the fuzzer gets
 * past the checksum: the content must have the length that the header says. */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/limits.h"
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void unpack(zn_framer *framer, zn_bytes frame) {
    zonda_error error = { 0 };
    zn_bytes raw = { 0 };
    zonda_err code = zn_framer_unpack(framer, frame, &raw, &error);
    bool consistent = code == ZONDA_OK
                          ? raw.len == zn_get_u32(frame.data + 12) && raw.len <= ZN_FRAME_BYTES_MAX
                          : error.code == code && error.text[0] != '\0';
    if (!consistent) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static zn_framer *framer;
    static zn_buf forged;
    if (framer == NULL) {
        framer = zn_framer_new();
    }
    unpack(framer, (zn_bytes){ data, size });
    if (size < 5) {
        return 0;
    }
    /* The first five bytes choose flags and raw bytes, the rest is the body. */
    zn_bytes body = { data + 5, size - 5 };
    zn_framer_pack(framer, (zn_bytes){ data, 0 }, &forged);
    zn_buf_append(&forged, body.data, body.len);
    forged.data[5] = data[0] & ZN_FRAME_FLAG_ZSTD;
    zn_put_u32(forged.data + 8, (uint32_t)body.len);
    zn_put_u32(forged.data + 12, zn_get_u32(data + 1) % (ZN_FRAME_BYTES_MAX + 2u));
    zn_put_u64(forged.data + 16, zn_checksum(body));
    unpack(framer, zn_buf_bytes(&forged));
    return 0;
}
