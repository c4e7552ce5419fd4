/* SPDX-License-Identifier: MPL-2.0 */
/* JSONL: a line is a record in JSON; blank lines are none. */
#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "ops/reader.h"
#include "record/json.h"

static_assert((int)ZN_SPLITTER_PADDING >= (int)ZN_JSON_PADDING, "lines are parsed where they lie");

static zn_framer frame_lines(bool at_start) {
    (void)at_start;
    return zn_framer_lines();
}

typedef struct jsonl {
    zn_json_reader *json;
    zn_json_names names; /* of fields that are wanted, if `keeps` */
    size_t bytes_max;    /* of a line that is not kept whole */
    bool keeps;
} jsonl;

static void *open_json(void) {
    jsonl *self = ZN_NEW(jsonl);
    self->json = zn_json_reader_new();
    return self;
}

static void close_json(void *state) {
    jsonl *self = state;
    zn_json_reader_destroy(&self->json);
    free(self);
}

static void keep_json(void *state, const zn_bytes *names, size_t count, size_t bytes_max) {
    jsonl *self = state;
    self->names = zn_json_names_of(names, count);
    self->bytes_max = bytes_max;
    self->keeps = true;
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
    const jsonl *self = state;
    bool keeps = self->keeps && bytes.len <= self->bytes_max;
    return is_blank(bytes)
               ? ZONDA_OK
               : zn_json_read_padded(self->json, bytes, keeps ? &self->names : NULL, out, error);
}

const zn_reader_format zn_reader_jsonl = { .name = "jsonl",
                                           .suffix = ".jsonl",
                                           .has_lines = true,
                                           .framer = frame_lines,
                                           .open = open_json,
                                           .close = close_json,
                                           .keep = keep_json,
                                           .parse = parse_json };
