/* SPDX-License-Identifier: MPL-2.0 */
/* The sinks: a file per shard that appears whole or not at all. Records go to a temporary file; at
 * the end of the shard it is sealed, the coordinator is asked for permission, and only then it gets
 * its name and its path becomes the record of the shard. A refusal means that another attempt has
 * won: the file is removed and nothing is said. An empty shard writes an empty, valid file. What
 * records are in a file is the business of the writers (writer.h), one for each format.
 *
 * Before its first file gets its name, a slot puts the manifest of the plan beside the outputs, so
 * a run that never finishes a file leaves nothing. With skip_existing that comes first, and then an
 * output that is there and is of the plan stays, and nothing before the sink is run. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"
#include "base/profile.h"
#include "ops/op_list.h"
#include "ops/sink_args.h"
#include "ops/writer.h"
#include "record/value.h"
#include "store/manifest.h"
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
    zn_manifest *manifest; /* NULL: none */
    bool claimed;          /* it is in its place */
    bool kept;             /* the output was there: records are let go */
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

/* The manifest of the outputs, of which the planner has written the document. */
static zonda_err open_manifest(zn_op *op, zonda_error *error) {
    sink *self = op->state;
    zn_bytes value = { 0 };
    zn_bytes document = { 0 };
    zn_digest digest;
    if (op->planned.len == 0) {
        return self->args.skip_existing
                   ? zn_error_set(error, ZONDA_ERR_PLAN, "%s has no manifest", op->def->name)
                   : ZONDA_OK;
    }
    if (!zn_value_field(op->planned, zn_bytes_of_text("manifest"), &value) ||
        zn_value_head(value).type != ZN_VALUE_BINARY ||
        !zn_digest_from_bytes(zn_value_head(value).bytes, &digest)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the manifest of %s has no digest",
                            op->def->name);
    }
    const zn_task_host *host = zn_stage_exec_host(op->stage);
    zonda_err err = host->blob(host->context, digest, &document, error);
    if (err != ZONDA_OK) {
        return err;
    }
    self->manifest = zn_manifest_new(self->args.pattern, op->shard_count, document, error);
    return self->manifest == NULL ? error->code : ZONDA_OK;
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
    return open_manifest(op, error);
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
    zn_manifest_destroy(&self->manifest);
    zn_buf_free(&self->bytes);
    zn_sink_args_free(&self->args);
    free(self);
    op->state = NULL;
}

static zonda_err claim_outputs(sink *self, zonda_error *error) {
    if (self->manifest == NULL || self->claimed) {
        return ZONDA_OK;
    }
    zonda_err err = zn_manifest_claim(self->manifest, self->args.skip_existing, error);
    self->claimed = err == ZONDA_OK;
    return err;
}

static zonda_err begin_file(zn_op *op, zonda_task *task, zonda_error *error) {
    sink *self = op->state;
    drop_file(self);
    self->records = 0;
    self->kept = false;
    if (self->writer->begin != NULL) {
        self->writer->begin(self->writing);
    }
    zonda_err err = self->args.skip_existing ? claim_outputs(self, error) : ZONDA_OK;
    if (err != ZONDA_OK) {
        return err;
    }
    uint64_t shard = zn_op_shard(op, task);
    self->path = zn_pattern_path(self->args.pattern, shard, op->shard_count);
    if (self->args.skip_existing && zn_manifest_covers(self->manifest, shard)) {
        self->kept = true;
        zonda_task_counter(task, "partitions_skipped", 1);
        zn_op_enough(op, task, error);
        return ZONDA_OK;
    }
    self->file = zn_sink_file_open(self->path, task->attempt, self->args.level, error);
    return self->file == NULL ? error->code : ZONDA_OK;
}

static zonda_err put_record(sink *self, zn_bytes record, zonda_error *error) {
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

static zonda_err push_record(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    (void)task;
    sink *self = op->state;
    if (self->kept) {
        return ZONDA_OK;
    }
    int before = zn_profile_enter_record(ZN_SECTION_ENCODING);
    zonda_err err = put_record(self, record, error);
    zn_profile_leave_record(before);
    return err;
}

static zonda_err emit_path(zn_op *op, zonda_task *task, zonda_error *error) {
    sink *self = op->state;
    zn_buf record = { 0 };
    zn_put_text(&record, self->path);
    zonda_err err = zn_op_emit(op, task, zn_buf_bytes(&record), error);
    zn_buf_free(&record);
    return err;
}

/* Gives the file its name, unless the outputs have become those of another run. */
static zonda_err publish(sink *self, zonda_error *error) {
    if (self->manifest == NULL) {
        return zn_sink_file_publish(self->file, error);
    }
    zonda_err err = claim_outputs(self, error);
    if (err == ZONDA_OK) {
        err = zn_manifest_enter(self->manifest, error);
    }
    if (err == ZONDA_OK) {
        err = zn_sink_file_publish(self->file, error);
        zn_manifest_leave(self->manifest);
    }
    return err;
}

static zonda_err end_file(zn_op *op, zonda_task *task, zonda_error *error) {
    sink *self = op->state;
    if (self->kept) {
        return emit_path(op, task, error);
    }
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
    err = publish(self, error);
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

/* Where the shards have folders of their own nobody looks for what is in them. */
static void clear_folder(zn_op *op) {
    sink *self = op->state;
    const char *rest = NULL;
    char *folder = zn_pattern_folder(self->args.pattern, &rest);
    zn_sink_file_sweep_folder(folder, zn_stage_exec_job(op->stage), zn_stage_exec_stage(op->stage));
    free(folder);
}

static const zn_op_runtime write_runtime = {
    .open = open_sink,
    .close = close_sink,
    .begin = begin_file,
    .push = push_record,
    .end = end_file,
    .abort = abort_file,
    .sweep = sweep_file,
    .clear = clear_folder,
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
      .doc = "of the compression: .gz and .xz 1 to 9, .zst 1 to 22; 0: its default" },
    { .name = "skip_existing",
      .type = ZN_ARG_BOOL,
      .use = ZN_ARG_OPTION,
      .doc = "keep outputs that are there, if they are of the same plan and inputs" },
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
