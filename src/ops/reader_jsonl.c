/* SPDX-License-Identifier: MPL-2.0 */
/* JSONL: a line is a record in JSON; blank lines are none. */
#include "ops/reader.h"
#include "record/json.h"

static zn_framer frame_lines(bool at_start) {
    (void)at_start;
    return zn_framer_lines();
}

static void *open_json(void) {
    return zn_json_reader_new();
}

static void close_json(void *state) {
    zn_json_reader *json = state;
    zn_json_reader_destroy(&json);
}

static bool is_blank(zn_bytes line) {
    for (size_t i = 0; i < line.len; i++) {
        uint8_t byte = line.data[i];
        if (byte != ' ' && byte != '\t' && byte != '\r') {
            return false;
        }
    }
    return true;
}

static zonda_err parse_json(void *state, zn_bytes bytes, zn_buf *out, zonda_error *error) {
    return is_blank(bytes) ? ZONDA_OK : zn_json_read(state, bytes, out, error);
}

const zn_reader_format zn_reader_jsonl = { .name = "jsonl",
                                           .suffix = ".jsonl",
                                           .has_lines = true,
                                           .framer = frame_lines,
                                           .open = open_json,
                                           .close = close_json,
                                           .parse = parse_json };
