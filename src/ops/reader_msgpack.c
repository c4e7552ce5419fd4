/* SPDX-License-Identifier: MPL-2.0 */
/* MessagePack: concatenated values, each a record. Where a value ends can be told of any bytes, so
 * reading goes on behind a bad one (reserved byte, nested too deeply, too long); a value that the
 * end of the file cuts off is one too. Bytes that were never MessagePack give whatever they say. */
#include "ops/reader.h"
#include "record/value.h"

static zn_framer frame_values(bool at_start) {
    (void)at_start;
    return zn_framer_msgpack();
}

static zonda_err parse_value(void *state, zn_bytes bytes, zn_buf *out, zonda_error *error) {
    (void)state;
    zonda_err err = zn_value_check(bytes, error);
    if (err == ZONDA_OK) {
        zn_buf_append(out, bytes.data, bytes.len);
    }
    return err;
}

const zn_reader_format zn_reader_msgpack = {
    .name = "msgpack", .suffix = ".msgpack", .framer = frame_values, .parse = parse_value
};
