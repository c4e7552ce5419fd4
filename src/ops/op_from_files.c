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
    zonda_err err = zn_inputs_path(self->inputs, task->attempt.task, &self->path, error);
    if (err != ZONDA_OK) {
        return err;
    }
    task->file = (const char *)self->path.data;
    return zn_op_emit(op, task, zn_inputs_item(self->inputs, task->attempt.task), error);
}

const zn_op_runtime zn_run_from_files = {
    .open = open_files,
    .close = close_files,
    .run = run_files,
};
