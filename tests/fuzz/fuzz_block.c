/* SPDX-License-Identifier: MPL-2.0 */
/* Any bytes as a block, and any bytes behind a header that is made to fit, so that the fuzzer gets
 * past the checksum. A block that passes must hold what its header says, and its records must
 * stand the readers that trust them. */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/limits.h"
#include "record/value.h"
#include "store/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    CHOICE_BYTES = 5
};

static void check(bool good) {
    if (!good) {
        abort();
    }
}

static void unpack(zn_block_codec *codec, zn_bytes block) {
    zonda_error error = { 0 };
    zn_bytes records = { 0 };
    uint32_t count = 0;
    size_t used = 0;
    size_t need = 0;
    zonda_err code = zn_block_unpack(codec, block, &records, &count, &used, &need, &error);
    if (code != ZONDA_OK) {
        check(error.code == code && error.text[0] != '\0');
        check((code == ZONDA_ERR_NOT_FOUND) == (need > block.len));
        return;
    }
    check(used <= block.len && records.len == zn_get_u32(block.data + 20));
    zn_cursor cursor = zn_cursor_of(records);
    for (uint32_t i = 0; i < count; i++) {
        check(cursor.at < cursor.end);
        zn_bytes record = zn_cursor_skip(&cursor);
        check(zn_value_check(record, &error) == ZONDA_OK);
    }
    check(cursor.at == cursor.end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static zn_block_codec *codec;
    static zn_buf forged;
    if (codec == NULL) {
        codec = zn_block_codec_new();
    }
    unpack(codec, (zn_bytes){ data, size });
    if (size < CHOICE_BYTES) {
        return 0;
    }
    /* The first bytes choose compression, count and raw size; the rest is stored. */
    zn_bytes stored = { data + CHOICE_BYTES, size - CHOICE_BYTES };
    bool zstd = (data[0] & 1) != 0;
    uint8_t header[ZN_BLOCK_HEADER_BYTES] = { 'Z', 'N', 'B', '1', zstd };
    zn_put_u32(header + 8, data[1] | (uint32_t)data[2] << 8);
    zn_put_u32(header + 16, (uint32_t)stored.len);
    zn_put_u32(header + 20, zstd ? data[3] | (uint32_t)data[4] << 8 : (uint32_t)stored.len);
    zn_put_u64(header + 24, zn_checksum(stored));
    zn_buf_reset(&forged, SIZE_MAX);
    zn_buf_append(&forged, header, sizeof header);
    zn_buf_append(&forged, stored.data, stored.len);
    unpack(codec, zn_buf_bytes(&forged));
    return 0;
}
