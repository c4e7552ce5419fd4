/* SPDX-License-Identifier: MPL-2.0 */
/* Binary: the file is one record, its bytes; also an empty file. */
#include "ops/reader.h"
#include "record/value.h"

static zn_framer frame_file(bool at_start) {
    (void)at_start;
    return zn_framer_whole();
}

static zonda_err parse_bytes(void *state, zn_bytes bytes, zn_buf *out, zonda_error *error) {
    (void)state;
    (void)error;
    zn_put_binary(out, bytes);
    return ZONDA_OK;
}

const zn_reader_format zn_reader_binary = {
    .name = "binary", .suffix = ".bin", .is_whole = true, .framer = frame_file, .parse = parse_bytes
};
