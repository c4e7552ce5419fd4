/* SPDX-License-Identifier: MPL-2.0 */
/* The sinks: a file per shard that appears whole or not at all. Records go to a temporary file; at
 * the end of the shard it is sealed, the coordinator is asked for permission, and only then it gets
 * its name and its path becomes the record of the shard. A refusal means that another attempt has
 * won: the file is removed and nothing is said. An empty shard writes an empty, valid file. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/op_list.h"
#include "record/json.h"
#include "record/value.h"
#include "store/pattern.h"
#include "store/sink_file.h"

enum {
    KEEP_BYTES_MAX = ZN_MIB
};

typedef zonda_err put_line(zn_bytes record, zn_buf *out, zonda_error *error);

typedef struct sink {
    put_line *put;
    char *pattern;
    int level;
    char *path; /* of the shard that is being written */
    zn_sink_file *file;
    uint64_t records;
    zn_buf line;
} sink;

static zonda_err put_text(zn_bytes record, zn_buf *out, zonda_error *error) {
    zn_value head = zn_value_head(record);
    if (head.type != ZN_VALUE_STRING) {
        return zn_error_set(error, ZONDA_ERR_BAD_RECORD,
                            "write_text needs a string as record, not %s",
                            zn_value_type_name(head.type));
    }
    zn_buf_append(out, head.bytes.data, head.bytes.len);
    return ZONDA_OK;
}

static zonda_err open_sink(zn_op *op, put_line *put, zonda_error *error) {
    zn_bytes pattern = { 0 };
    uint64_t level = 0;
    zn_value_field_uint(op->args, "level", &level);
    if (!zn_value_field_text(op->args, "pattern", &pattern) || pattern.len > ZN_PATH_BYTES_MAX) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "%s has no valid pattern", op->def->name);
    }
    sink *self = ZN_NEW(sink);
    self->put = put;
    self->pattern = zn_strndup((const char *)pattern.data, pattern.len);
    self->level = (int)level;
    op->state = self;
    return zn_pattern_check(self->pattern, zn_stage_exec_shard_count(op->stage), error);
}

static zonda_err open_jsonl(zn_op *op, zonda_error *error) {
    return open_sink(op, zn_json_write, error);
}

static zonda_err open_text(zn_op *op, zonda_error *error) {
    return open_sink(op, put_text, error);
}

static void drop_file(sink *self) {
    zn_sink_file_destroy(&self->file);
    free(self->path);
    self->path = NULL;
}

static void close_sink(zn_op *op) {
    sink *self = op->state;
    if (self == NULL) {
        return;
    }
    drop_file(self);
    zn_buf_free(&self->line);
    free(self->pattern);
    free(self);
    op->state = NULL;
}

static zonda_err begin_file(zn_op *op, zonda_task *task, zonda_error *error) {
    sink *self = op->state;
    drop_file(self);
    self->records = 0;
    self->path =
        zn_pattern_path(self->pattern, task->attempt.task, zn_stage_exec_shard_count(op->stage));
    self->file = zn_sink_file_open(self->path, task->attempt, self->level, error);
    return self->file == NULL ? error->code : ZONDA_OK;
}

static zonda_err push_record(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    (void)task;
    sink *self = op->state;
    self->records++;
    zn_buf_reset(&self->line, KEEP_BYTES_MAX);
    zonda_err err = self->put(record, &self->line, error);
    if (err != ZONDA_OK) {
        zn_error_prefix(error, "record %" PRIu64 " of the shard: ", self->records);
        error->permanent = true;
        return err;
    }
    zn_buf_append_byte(&self->line, '\n');
    return zn_sink_file_write(self->file, zn_buf_bytes(&self->line), error);
}

static zonda_err emit_path(zn_op *op, zonda_task *task, zonda_error *error) {
    sink *self = op->state;
    zn_buf record = { 0 };
    zn_put_text(&record, self->path);
    zonda_err err = zn_op_emit(op, task, zn_buf_bytes(&record), error);
    zn_buf_free(&record);
    return err;
}

static zonda_err end_file(zn_op *op, zonda_task *task, zonda_error *error) {
    sink *self = op->state;
    zonda_err err = zn_sink_file_seal(self->file, error);
    if (err != ZONDA_OK) {
        return err;
    }
    task->bytes_out = zn_sink_file_bytes(self->file);
    bool granted = false;
    err = task->host->commit(task->host->context, task->attempt, &granted, error);
    if (err != ZONDA_OK) {
        return err;
    }
    if (!granted) {
        task->withdrawn = true;
        drop_file(self);
        return ZONDA_OK;
    }
    err = zn_sink_file_publish(self->file, error);
    if (err == ZONDA_OK) {
        err = emit_path(op, task, error);
    }
    drop_file(self);
    return err;
}

static void abort_file(zn_op *op, zonda_task *task) {
    (void)task;
    drop_file(op->state);
}

static void sweep_file(zn_op *op, zn_attempt_id attempt) {
    sink *self = op->state;
    char *path = zn_pattern_path(self->pattern, attempt.task, zn_stage_exec_shard_count(op->stage));
    zn_sink_file_sweep(path, attempt);
    free(path);
}

#define AROUND_FILE                                                                                \
    .close = close_sink, .begin = begin_file, .push = push_record, .end = end_file,                \
    .abort = abort_file, .sweep = sweep_file

static const zn_op_runtime write_jsonl_runtime = { .open = open_jsonl, AROUND_FILE };

static const zn_op_runtime write_text_runtime = { .open = open_text, AROUND_FILE };

static const zn_arg_def write_args[] = {
    { .name = "pattern",
      .type = ZN_ARG_TEXT,
      .use = ZN_ARG_POSITIONAL,
      .doc = "path with {shard}, {total}, {basename}; a width as in {shard:05d}" },
    { .name = "level",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_OPTION,
      .max = 22,
      .doc = "of the compression; 0: its default" },
};

const zn_op_def zn_op_write = { .name = "write",
                                .op_class = ZN_OP_SINK,
                                ZN_ARGS(write_args),
                                .doc = "a file per shard; the suffix decides the format" };

const zn_op_def zn_op_write_jsonl = { .name = "write_jsonl",
                                      .op_class = ZN_OP_SINK,
                                      ZN_ARGS(write_args),
                                      .runtime = &write_jsonl_runtime,
                                      .doc = "a file per shard, a line of JSON per record" };

const zn_op_def zn_op_write_text = {
    .name = "write_text",
    .op_class = ZN_OP_SINK,
    ZN_ARGS(write_args),
    .runtime = &write_text_runtime,
    .doc = "a file per shard, a line per record, which must be a string"
};
