/* SPDX-License-Identifier: MPL-2.0 */
/* Text: a line is a record, a string; also an empty one. */
#include "ops/reader.h"
#include "ops/reader_utf8.h"
#include "record/value.h"

static zn_framer frame_lines(bool at_start) {
    (void)at_start;
    return zn_framer_lines();
}

static zonda_err parse_text(void *state, zn_bytes bytes, zn_buf *out, zonda_error *error) {
    (void)state;
    zonda_err err = zn_reader_check_utf8(bytes, error);
    if (err == ZONDA_OK) {
        zn_put_string(out, bytes);
    }
    return err;
}

const zn_reader_format zn_reader_text = {
    .name = "text", .suffix = ".txt", .has_lines = true, .framer = frame_lines, .parse = parse_text
};
