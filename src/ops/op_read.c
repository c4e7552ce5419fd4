/* SPDX-License-Identifier: MPL-2.0 */
/* Source that reads files: shard i is file i of those that the planner found, a record per line.
 * The format is the given one, else that of the file's suffix; the planner has made sure that there
 * is one for every file. A line that is no record fails the task for good, with file, line and
 * column: reading it again would find the same. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/format.h"
#include "ops/inputs.h"
#include "ops/op_list.h"
#include "record/json.h"
#include "record/utf8.h"
#include "record/value.h"
#include "store/line_reader.h"

enum {
    KEEP_BYTES_MAX = ZN_MIB
};

typedef struct reading {
    zn_inputs *inputs;
    zn_bytes format;      /* given; empty: by suffix */
    bool is_json;         /* the file at hand */
    zn_json_reader *json; /* made for the first such file */
    zn_buf path;
    zn_buf record;
} reading;

static zonda_err open_read(zn_op *op, zonda_error *error) {
    zn_bytes format = { 0 };
    zn_value_field_text(op->args, "format", &format);
    zn_inputs *inputs = zn_inputs_open(op, error);
    if (inputs == NULL) {
        return error->code;
    }
    reading *self = ZN_NEW(reading);
    self->inputs = inputs;
    self->format = format;
    op->state = self;
    return ZONDA_OK;
}

static void close_read(zn_op *op) {
    reading *self = op->state;
    if (self == NULL) {
        return;
    }
    zn_json_reader_destroy(&self->json);
    zn_inputs_destroy(&self->inputs);
    zn_buf_free(&self->path);
    zn_buf_free(&self->record);
    free(self);
    op->state = NULL;
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

static zonda_err put_text(zn_bytes line, zn_buf *out, zonda_error *error) {
    const uint8_t *end = line.data + line.len;
    for (const uint8_t *at = line.data; at < end;) {
        unsigned length = zn_utf8_length(at, end);
        if (length == 0) {
            zonda_err err = zn_error_set(error, ZONDA_ERR_BAD_RECORD,
                                         "the line is not valid UTF-8 at byte 0x%02x", *at);
            error->column = (uint64_t)(at - line.data) + 1;
            return err;
        }
        at += length;
    }
    zn_put_string(out, line);
    return ZONDA_OK;
}

/* A record from a line. */
static zonda_err put_record(reading *self, zn_bytes line, zonda_error *error) {
    zn_buf_reset(&self->record, KEEP_BYTES_MAX);
    zonda_err err = self->is_json ? zn_json_read(self->json, line, &self->record, error)
                                  : put_text(line, &self->record, error);
    if (err == ZONDA_OK && self->record.len > ZN_RECORD_BYTES_MAX) {
        err = zn_error_set(error, ZONDA_ERR_BAD_RECORD,
                           "the record has %zu bytes, more than the limit of %u", self->record.len,
                           ZN_RECORD_BYTES_MAX);
    }
    return err;
}

/* Everything about the content of a file stays as it is when the file is read again. */
static zonda_err mark_permanent(zonda_err err, zonda_error *error) {
    if (err == ZONDA_ERR_BAD_RECORD || err == ZONDA_ERR_LIMIT) {
        error->permanent = true;
    }
    return err;
}

static zonda_err push_lines(zn_op *op, zonda_task *task, zn_line_reader *lines,
                            zonda_error *error) {
    reading *self = op->state;
    for (;;) {
        zn_bytes line = { 0 };
        bool got = false;
        zonda_err err = zn_line_reader_next(lines, &line, &got, error);
        if (err != ZONDA_OK || !got) {
            return mark_permanent(err, error);
        }
        if (self->is_json && is_blank(line)) {
            continue;
        }
        task->line = zn_line_reader_number(lines);
        err = put_record(self, line, error);
        if (err != ZONDA_OK) {
            return mark_permanent(err, error);
        }
        err = zn_op_emit(op, task, zn_buf_bytes(&self->record), error);
        if (err != ZONDA_OK) {
            return err;
        }
    }
}

static zonda_err choose_format(reading *self, zonda_error *error) {
    const char *format = NULL;
    zonda_err err = zn_read_format((const char *)self->path.data, self->format, &format, error);
    if (err != ZONDA_OK) {
        return err;
    }
    self->is_json = strcmp(format, "jsonl") == 0;
    if (self->is_json && self->json == NULL) {
        self->json = zn_json_reader_new();
    }
    return ZONDA_OK;
}

static zonda_err run_read(zn_op *op, zonda_task *task, zonda_error *error) {
    reading *self = op->state;
    zonda_err err = zn_inputs_path(self->inputs, zn_op_shard(op, task), &self->path, error);
    if (err == ZONDA_OK) {
        err = choose_format(self, error);
    }
    if (err != ZONDA_OK) {
        return err;
    }
    task->file = (const char *)self->path.data;
    zn_line_reader *lines = zn_line_reader_open(task->file, ZN_RECORD_BYTES_MAX, error);
    if (lines == NULL) {
        return error->code;
    }
    err = push_lines(op, task, lines, error);
    task->bytes_in = zn_line_reader_bytes(lines);
    zn_line_reader_destroy(&lines);
    return err;
}

static const zn_op_runtime read_runtime = {
    .open = open_read,
    .close = close_read,
    .run = run_read,
};

static const zn_arg_def read_args[] = {
    { .name = "glob",
      .type = ZN_ARG_TEXT,
      .use = ZN_ARG_POSITIONAL,
      .doc = "pattern of paths: * ? [..] {a,b} **" },
    { .name = "format",
      .type = ZN_ARG_TEXT,
      .use = ZN_ARG_OPTION,
      .doc = "jsonl or text; without it the suffix decides" },
    { .name = "empty_ok",
      .type = ZN_ARG_BOOL,
      .use = ZN_ARG_OPTION,
      .doc = "no match is an empty dataset, not an error" },
};

const zn_op_def zn_op_read = { .name = "read",
                               .op_class = ZN_OP_SOURCE,
                               ZN_ARGS(read_args),
                               .runtime = &read_runtime,
                               .doc = "the records of the files that match, each file a shard" };
