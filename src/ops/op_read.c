/* SPDX-License-Identifier: MPL-2.0 */
/* Source that reads files: shard i is input i of those that the planner made, a file or a range of
 * one. The format is the given one, else that of the file's suffix; the planner has made sure that
 * there is one for every file. The readers (reader_<format>.c) find the records; this file chooses
 * the reader, deals with bad records by the policy, and adds the path where that was asked for.
 * Where the operators behind it are seen to read some fields only, the reader may leave out others.
 * What is wrong with the content fails the task for good, with file, line and column: reading it
 * again would find the same. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/bad_records.h"
#include "ops/fields_read.h"
#include "ops/format.h"
#include "ops/inputs.h"
#include "ops/op_list.h"
#include "ops/reader.h"
#include "record/value.h"

enum {
    KEEP_BYTES_MAX = ZN_MIB
};

typedef struct reading {
    zn_inputs *inputs;
    zn_bytes format; /* given; empty: by suffix */
    size_t record_max;
    zn_bytes path_field; /* name of the field for the path; empty: none */
    zn_bad_records *bad;
    const zn_reader_format *current; /* of `reader` */
    zn_reader *reader;               /* made for a file, kept for others of its format */
    bool keeps;                      /* only some fields of records are read */
    zn_field_names names;            /* those */
    zn_buf path;
    zn_buf record; /* with the path in it */
} reading;

static void close_read(zn_op *op) {
    reading *self = op->state;
    if (self == NULL) {
        return;
    }
    zn_reader_destroy(&self->reader);
    zn_bad_records_destroy(&self->bad);
    zn_inputs_destroy(&self->inputs);
    zn_buf_free(&self->path);
    zn_buf_free(&self->record);
    free(self);
    op->state = NULL;
}

/* The field that include_paths asks for. */
static zn_bytes path_field_of(zn_bytes args) {
    bool wanted = false;
    zn_bytes name = { 0 };
    if (!zn_value_field_text(args, "include_paths", &name) &&
        zn_value_field_bool(args, "include_paths", &wanted) && wanted) {
        name = zn_bytes_of_text("__file_path");
    }
    return name;
}

static zonda_err open_read(zn_op *op, zonda_error *error) {
    reading *self = ZN_NEW(reading);
    uint64_t record_max = 0;
    op->state = self;
    zn_value_field_text(op->args, "format", &self->format);
    zn_value_field_uint(op->args, "record_bytes_max", &record_max);
    self->record_max = record_max == 0 ? ZN_RECORD_BYTES_MAX : (size_t)record_max;
    self->path_field = path_field_of(op->args);
    self->keeps = zn_fields_read(op->next, &self->names) &&
                  (self->path_field.len == 0 || zn_field_names_add(&self->names, self->path_field));
    self->inputs = zn_inputs_open(op, error);
    if (self->inputs == NULL) {
        return error->code;
    }
    self->bad = zn_bad_records_new(op, error);
    return self->bad == NULL ? error->code : ZONDA_OK;
}

/* The record with the path as its last field. */
static zonda_err add_path(reading *self, zn_bytes *record, zonda_error *error) {
    zn_cursor cursor = zn_cursor_of(*record);
    zn_value map = zn_cursor_read(&cursor);
    zn_bytes found;
    int shown = self->path_field.len < 64 ? (int)self->path_field.len : 64;
    if (map.type != ZN_VALUE_MAP) {
        return zn_error_set(error, ZONDA_ERR_BAD_RECORD,
                            "include_paths needs maps as records, not %s",
                            zn_value_type_name(map.type));
    }
    if (zn_value_field(*record, self->path_field, &found)) {
        return zn_error_set(error, ZONDA_ERR_BAD_RECORD,
                            "the record has a field \"%.*s\" already; give include_paths another "
                            "name",
                            shown, (const char *)self->path_field.data);
    }
    zn_buf_reset(&self->record, KEEP_BYTES_MAX);
    zn_put_map(&self->record, map.count + 1);
    zn_buf_append(&self->record, cursor.at, (size_t)(cursor.end - cursor.at));
    zn_put_string(&self->record, self->path_field);
    zn_put_text(&self->record, (const char *)self->path.data);
    *record = zn_buf_bytes(&self->record);
    return ZONDA_OK;
}

static zonda_err emit_record(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    reading *self = op->state;
    if (self->path_field.len > 0) {
        zonda_err err = add_path(self, &record, error);
        if (err != ZONDA_OK) {
            error->permanent = true;
            return err;
        }
    }
    return zn_op_emit(op, task, record, error);
}

static zonda_err push_records(zn_op *op, zonda_task *task, zonda_error *error) {
    reading *self = op->state;
    for (;;) {
        zn_reader_item item;
        zonda_err err = zn_reader_next(self->reader, &item, error);
        if (err != ZONDA_OK) {
            /* A limit of the file, such as the memory that its compression asks for. */
            error->permanent = error->permanent || err == ZONDA_ERR_LIMIT;
            return err;
        }
        if (item.kind == ZN_READER_END) {
            return ZONDA_OK;
        }
        task->line = item.line;
        err = item.kind == ZN_READER_BAD
                  ? zn_bad_records_take(self->bad, task, self->reader, &item, self->current, error)
                  : emit_record(op, task, item.record, error);
        if (err != ZONDA_OK) {
            return err;
        }
    }
}

/* Makes the reader that the file needs, unless it is there. */
static zonda_err choose_reader(reading *self, zonda_error *error) {
    const char *name = NULL;
    zonda_err err = zn_read_format((const char *)self->path.data, self->format, &name, error);
    if (err != ZONDA_OK) {
        return err;
    }
    const zn_reader_format *format = zn_reader_format_find(name);
    if (format == NULL) {
        return zn_error_set(error, ZONDA_ERR_UNSUPPORTED, "nothing reads the format %s", name);
    }
    if (self->current != format) {
        zn_reader_destroy(&self->reader);
        self->reader = zn_reader_new(format, self->record_max);
        if (self->keeps) {
            zn_reader_keep(self->reader, self->names.names, self->names.count);
        }
        self->current = format;
    }
    return ZONDA_OK;
}

/* A range counts its lines from where it begins; people count from the start of the file. */
static void correct_lines(reading *self, zonda_task *task, zonda_error *error) {
    uint64_t before = 0;
    zonda_error ignored;
    if (zn_reader_lines_before(self->reader, &before, &ignored) != ZONDA_OK) {
        return;
    }
    task->line += task->line == 0 ? 0 : before;
    error->line += error->line == 0 ? 0 : before;
}

static zonda_err read_range(zn_op *op, zonda_task *task, zn_file_range range, zonda_error *error) {
    reading *self = op->state;
    zonda_err err = zn_reader_open(self->reader, task->file, range, error);
    if (err != ZONDA_OK) {
        error->permanent = err == ZONDA_ERR_BAD_RECORD || err == ZONDA_ERR_LIMIT;
        return err;
    }
    err = push_records(op, task, error);
    if (err != ZONDA_OK && err != ZONDA_ERR_CANCELLED && range.offset > 0) {
        correct_lines(self, task, error);
    }
    task->bytes_in = zn_reader_bytes(self->reader);
    return err;
}

static zonda_err run_read(zn_op *op, zonda_task *task, zonda_error *error) {
    reading *self = op->state;
    zn_file_range range = { 0 };
    zonda_err err =
        zn_inputs_range(self->inputs, zn_op_shard(op, task), &self->path, &range, error);
    if (err == ZONDA_OK) {
        err = choose_reader(self, error);
    }
    if (err != ZONDA_OK) {
        return err;
    }
    task->file = (const char *)self->path.data;
    err = read_range(op, task, range, error);
    zn_reader_close(self->reader);
    return err;
}

static zonda_err end_read(zn_op *op, zonda_task *task, zonda_error *error) {
    reading *self = op->state;
    return zn_bad_records_end(self->bad, task, error);
}

static void abort_read(zn_op *op, zonda_task *task) {
    (void)task;
    reading *self = op->state;
    zn_bad_records_abort(self->bad);
}

static void sweep_read(zn_op *op, zn_attempt_id attempt) {
    reading *self = op->state;
    zn_bad_records_sweep(self->bad, attempt);
}

static const zn_op_runtime read_runtime = {
    .open = open_read,
    .close = close_read,
    .run = run_read,
    .end = end_read,
    .abort = abort_read,
    .sweep = sweep_read,
};

static const zn_arg_def read_args[] = {
    { .name = "glob",
      .type = ZN_ARG_TEXT,
      .use = ZN_ARG_POSITIONAL,
      .doc = "pattern of paths: * ? [..] {a,b} **" },
    { .name = "format",
      .type = ZN_ARG_TEXT,
      .use = ZN_ARG_OPTION,
      .doc = "jsonl, text, msgpack, csv, tsv or binary; without it the suffix decides" },
    { .name = "empty_ok",
      .type = ZN_ARG_BOOL,
      .use = ZN_ARG_OPTION,
      .doc = "no match is an empty dataset, not an error" },
    { .name = "include_paths",
      .type = ZN_ARG_SWITCH,
      .use = ZN_ARG_OPTION,
      .doc = "adds the path to every record, as the last field: __file_path, or the name given" },
    { .name = "split_bytes",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_OPTION,
      .max = INT64_MAX,
      .doc = "cuts plain files of lines into ranges of about so many bytes, each a shard" },
    { .name = "on_bad_record",
      .type = ZN_ARG_TEXT,
      .use = ZN_ARG_OPTION,
      .choices = "fail, skip, keep",
      .doc = "fail, skip (and count), or keep: skip, and write it to a file of bad_records" },
    { .name = "bad_records",
      .type = ZN_ARG_TEXT,
      .use = ZN_ARG_OPTION,
      .doc = "folder for records that are kept; bad-records in the current folder without it" },
    { .name = "record_bytes_max",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_OPTION,
      .max = ZN_RECORD_BYTES_MAX,
      .doc = "a longer record is a bad one; 0: 64 MiB" },
};

const zn_op_def zn_op_read = {
    .name = "read",
    .op_class = ZN_OP_SOURCE,
    ZN_ARGS(read_args),
    .runtime = &read_runtime,
    .doc = "the records of the files that match, each file (or range of one) a shard"
};
