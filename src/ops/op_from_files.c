/* SPDX-License-Identifier: MPL-2.0 */
/* Source of paths: shard i is path i of those that the planner found. The file itself is not
 * touched; errors downstream name it all the same. */
#include <stdlib.h>

#include "base/alloc.h"
#include "ops/inputs.h"
#include "ops/op_list.h"
#include "record/value.h"

typedef struct files {
    zn_inputs *inputs;
    zn_buf path;
} files;

static zonda_err open_files(zn_op *op, zonda_error *error) {
    zn_inputs *inputs = zn_inputs_open(op, error);
    if (inputs == NULL) {
        return error->code;
    }
    files *self = ZN_NEW(files);
    self->inputs = inputs;
    op->state = self;
    return ZONDA_OK;
}

static void close_files(zn_op *op) {
    files *self = op->state;
    if (self == NULL) {
        return;
    }
    zn_inputs_destroy(&self->inputs);
    zn_buf_free(&self->path);
    free(self);
    op->state = NULL;
}

static zonda_err run_files(zn_op *op, zonda_task *task, zonda_error *error) {
    files *self = op->state;
    zonda_err err = zn_inputs_path(self->inputs, zn_op_shard(op, task), &self->path, error);
    if (err != ZONDA_OK) {
        return err;
    }
    task->file = (const char *)self->path.data;
    return zn_op_emit(op, task, zn_inputs_item(self->inputs, zn_op_shard(op, task)), error);
}

static const zn_op_runtime from_files_runtime = {
    .open = open_files,
    .close = close_files,
    .run = run_files,
};

static const zn_arg_def files_args[] = {
    { .name = "glob",
      .type = ZN_ARG_TEXT,
      .use = ZN_ARG_POSITIONAL,
      .doc = "pattern of paths: * ? [..] {a,b} **" },
    { .name = "empty_ok",
      .type = ZN_ARG_BOOL,
      .use = ZN_ARG_OPTION,
      .doc = "no match is an empty dataset, not an error" },
};

const zn_op_def zn_op_from_files = { .name = "from_files",
                                     .op_class = ZN_OP_SOURCE,
                                     ZN_ARGS(files_args),
                                     .runtime = &from_files_runtime,
                                     .doc = "the sorted paths that match, each a shard" };
