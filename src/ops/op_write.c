/* SPDX-License-Identifier: MPL-2.0 */
/* The sinks: a file per shard that appears whole or not at all. Records go to a temporary file; at
 * the end of the shard it is sealed, the coordinator is asked for permission, and only then it gets
 * its name and its path becomes the record of the shard. A refusal means that another attempt has
 * won: the file is removed and nothing is said. An empty shard writes an empty, valid file. What
 * records are in a file is the business of the writers (writer.h), one for each format. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"
#include "ops/op_list.h"
#include "ops/sink_args.h"
#include "ops/writer.h"
#include "record/value.h"
#include "store/pattern.h"
#include "store/sink_file.h"

enum {
    KEEP_BYTES_MAX = ZN_MIB
};

/* X(format, what it says in the reference) */
#define ZN_WRITER_LIST(X)                                                                          \
    X(jsonl, "a file per shard, a line of JSON per record")                                        \
    X(text, "a file per shard, a line per record, which must be a string")                         \
    X(msgpack, "a file per shard, the MessagePack values one after the other")                     \
    X(csv, "a file per shard, a row per record; the fields of the first are the header")           \
    X(tsv, "as write_csv, with tabs")                                                              \
    X(binary, "a file per shard, the bytes of its records, which must be binaries or strings")

static const struct {
    const char *op;
    const zn_writer *writer;
} writers[] = {
#define ROW(format, doc) { "write_" #format, &zn_writer_##format },
    ZN_WRITER_LIST(ROW)
#undef ROW
};

typedef struct sink {
    const zn_writer *writer;
    void *writing; /* state of the writer */
    zn_sink_args args;
    char *path; /* of the shard that is being written */
    zn_sink_file *file;
    uint64_t records;
    zn_buf bytes; /* of a record */
} sink;

static const zn_writer *find_writer(const char *op) {
    for (size_t i = 0; i < sizeof writers / sizeof writers[0]; i++) {
        if (strcmp(writers[i].op, op) == 0) {
            return writers[i].writer;
        }
    }
    ZN_UNREACHABLE();
}

static zonda_err open_sink(zn_op *op, zonda_error *error) {
    zn_sink_args args;
    zonda_err err = zn_sink_args_read(op->def, op->args, op->shard_count, &args, error);
    if (err != ZONDA_OK) {
        return err;
    }
    sink *self = ZN_NEW(sink);
    self->args = args;
    self->writer = find_writer(op->def->name);
    self->writing = self->writer->open == NULL ? NULL : self->writer->open();
    op->state = self;
    return ZONDA_OK;
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
    if (self->writer->close != NULL) {
        self->writer->close(self->writing);
    }
    zn_buf_free(&self->bytes);
    zn_sink_args_free(&self->args);
    free(self);
    op->state = NULL;
}

static zonda_err begin_file(zn_op *op, zonda_task *task, zonda_error *error) {
    sink *self = op->state;
    drop_file(self);
    self->records = 0;
    if (self->writer->begin != NULL) {
        self->writer->begin(self->writing);
    }
    self->path = zn_pattern_path(self->args.pattern, zn_op_shard(op, task), op->shard_count);
    self->file = zn_sink_file_open(self->path, task->attempt, self->args.level, error);
    return self->file == NULL ? error->code : ZONDA_OK;
}

static zonda_err push_record(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    (void)task;
    sink *self = op->state;
    self->records++;
    zn_buf_reset(&self->bytes, KEEP_BYTES_MAX);
    zonda_err err = self->writer->put(self->writing, record, &self->bytes, error);
    if (err != ZONDA_OK) {
        zn_error_prefix(error, "record %" PRIu64 " of the shard: ", self->records);
        error->permanent = true;
        return err;
    }
    return zn_sink_file_write(self->file, zn_buf_bytes(&self->bytes), error);
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
    char *path =
        zn_pattern_path(self->args.pattern, attempt.task - op->shard_first, op->shard_count);
    zn_sink_file_sweep(path, attempt);
    free(path);
}

static const zn_op_runtime write_runtime = {
    .open = open_sink,
    .close = close_sink,
    .begin = begin_file,
    .push = push_record,
    .end = end_file,
    .abort = abort_file,
    .sweep = sweep_file,
};

static const zn_arg_def write_args[] = {
    { .name = "pattern",
      .type = ZN_ARG_TEXT,
      .use = ZN_ARG_POSITIONAL,
      .doc = "path with {shard}, {total}, {basename}; a width as in {shard:05d}" },
    { .name = "level",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_OPTION,
      .max = 22,
      .doc = "of the compression: .gz 1 to 9, .zst 1 to 22; 0: its default" },
};

const zn_op_def zn_op_write = { .name = "write",
                                .op_class = ZN_OP_SINK,
                                ZN_ARGS(write_args),
                                .doc = "a file per shard; the suffix decides the format" };

#define DEFINE(format, words)                                                                      \
    const zn_op_def zn_op_write_##format = { .name = "write_" #format,                             \
                                             .op_class = ZN_OP_SINK,                               \
                                             ZN_ARGS(write_args),                                  \
                                             .runtime = &write_runtime,                            \
                                             .doc = words };
ZN_WRITER_LIST(DEFINE)
#undef DEFINE
