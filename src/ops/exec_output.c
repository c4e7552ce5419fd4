/* SPDX-License-Identifier: MPL-2.0 */
/* From the bytes that a command writes to records. Bytes come in pieces of any size; what is not
 * yet whole stays with the caller and is given again, longer. To keep this linear, the search for a
 * newline goes on where it stopped, and a MessagePack value that was not whole is looked at again
 * only when there is twice as much of it, or nothing more to come. Called by op_exec.c. */
#include "ops/exec_output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "record/json.h"
#include "record/value.h"
#include "wire/shape.h"

enum {
    KEEP_BYTES_MAX = ZN_MIB,
    SHOWN_BYTES_MAX = 80 /* of a bad line */
};

struct zn_exec_output {
    bool is_json;
    zn_json_reader *json;
    zn_buf record;
    uint64_t number;  /* lines or values so far */
    size_t looked_at; /* bytes at the front in which there is no newline */
    size_t look_from; /* a value is not whole below this many bytes */
};

zn_exec_output *zn_exec_output_new(bool is_json) {
    zn_exec_output *output = ZN_NEW(zn_exec_output);
    output->is_json = is_json;
    output->json = is_json ? zn_json_reader_new() : NULL;
    return output;
}

void zn_exec_output_destroy(zn_exec_output **output) {
    if (*output == NULL) {
        return;
    }
    zn_json_reader_destroy(&(*output)->json);
    zn_buf_free(&(*output)->record);
    free(*output);
    *output = NULL;
}

void zn_exec_output_reset(zn_exec_output *output) {
    output->number = 0;
    output->looked_at = 0;
    output->look_from = 0;
}

static bool is_blank(zn_bytes line) {
    for (size_t i = 0; i < line.len; i++) {
        if (line.data[i] != ' ' && line.data[i] != '\t' && line.data[i] != '\r') {
            return false;
        }
    }
    return true;
}

static zonda_err refuse_line(const zn_exec_output *output, zn_bytes line, zonda_error *error) {
    int shown = line.len < SHOWN_BYTES_MAX ? (int)line.len : SHOWN_BYTES_MAX;
    char reason[sizeof error->text];
    char place[40] = "";
    zn_error_copy(reason, sizeof reason, error->text, strlen(error->text));
    if (error->column > 0) {
        snprintf(place, sizeof place, " (byte %" PRIu64 ")", error->column);
    }
    return zn_error_set(error, ZONDA_ERR_USER,
                        "line %" PRIu64 " of the command's output is no record: %.600s%s: %.*s",
                        output->number, reason, place, shown, (const char *)line.data);
}

static zonda_err refuse_size(const zn_exec_output *output, zonda_error *error) {
    return zn_error_set(
        error, ZONDA_ERR_USER, "%s %" PRIu64 " of the command's output has more than %u bytes",
        output->is_json ? "line" : "value", output->number + 1, ZN_RECORD_BYTES_MAX);
}

/* The next line without its end; false if there is none yet. */
static bool take_line(zn_exec_output *output, zn_bytes bytes, bool at_end, size_t *used,
                      zn_bytes *line) {
    const uint8_t *newline = NULL;
    if (bytes.len > output->looked_at) {
        newline = memchr(bytes.data + output->looked_at, '\n', bytes.len - output->looked_at);
    }
    if (newline == NULL && (!at_end || bytes.len == 0)) {
        output->looked_at = bytes.len;
        return false;
    }
    output->looked_at = 0;
    output->number++;
    line->data = bytes.data;
    line->len = newline == NULL ? bytes.len : (size_t)(newline - bytes.data);
    *used += line->len + (newline == NULL ? 0 : 1);
    return true;
}

static zonda_err next_line(zn_exec_output *output, zn_bytes bytes, bool at_end, size_t *used,
                           zn_bytes *record, bool *got, zonda_error *error) {
    zn_bytes line;
    zn_bytes rest = bytes;
    while (take_line(output, rest, at_end, used, &line)) {
        if (!is_blank(line)) {
            zn_buf_reset(&output->record, KEEP_BYTES_MAX);
            if (zn_json_read(output->json, line, &output->record, error) != ZONDA_OK) {
                return refuse_line(output, line, error);
            }
            *record = zn_buf_bytes(&output->record);
            *got = true;
            return ZONDA_OK;
        }
        rest = (zn_bytes){ .data = bytes.data + *used, .len = bytes.len - *used };
    }
    return rest.len > ZN_RECORD_BYTES_MAX ? refuse_size(output, error) : ZONDA_OK;
}

static zonda_err next_value(zn_exec_output *output, zn_bytes bytes, bool at_end, size_t *used,
                            zn_bytes *record, bool *got, zonda_error *error) {
    if (bytes.len == 0 || (!at_end && bytes.len < output->look_from)) {
        return ZONDA_OK;
    }
    size_t length = 0;
    zonda_err err = zn_shape_check(bytes, ZN_RECORD_DEPTH_MAX, &length, error);
    bool is_whole = err == ZONDA_OK;
    if (is_whole && length <= ZN_RECORD_BYTES_MAX) {
        output->number++;
        output->look_from = 0;
        *used = length;
        *record = (zn_bytes){ .data = bytes.data, .len = length };
        *got = true;
        return ZONDA_OK;
    }
    if (is_whole || bytes.len > ZN_RECORD_BYTES_MAX) {
        return refuse_size(output, error);
    }
    if (err == ZONDA_ERR_PROTOCOL && !at_end) {
        output->look_from = 2 * bytes.len;
        return ZONDA_OK;
    }
    zn_error_prefix(error, "value %" PRIu64 " of the command's output: ", output->number + 1);
    error->code = ZONDA_ERR_USER;
    return ZONDA_ERR_USER;
}

zonda_err zn_exec_output_next(zn_exec_output *output, zn_bytes bytes, bool at_end, size_t *used,
                              zn_bytes *record, bool *got, zonda_error *error) {
    *used = 0;
    *got = false;
    return output->is_json ? next_line(output, bytes, at_end, used, record, got, error)
                           : next_value(output, bytes, at_end, used, record, got, error);
}
