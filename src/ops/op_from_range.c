/* SPDX-License-Identifier: MPL-2.0 */
/* Source of the numbers 0 … n-1. Shard i of k has those from n*i/k up to n*(i+1)/k: contiguous,
 * complete, sizes differ by at most one. The products need more than 64 bits. */
#include <stdlib.h>

#include "base/alloc.h"
#include "ops/op_list.h"
#include "record/value.h"

typedef struct range {
    uint64_t n;
    zn_buf record;
} range;

static zonda_err open_range(zn_op *op, zonda_error *error) {
    uint64_t n = 0;
    if (!zn_value_field_uint(op->args, "n", &n) || n > INT64_MAX) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "from_range has no valid n");
    }
    range *self = ZN_NEW(range);
    self->n = n;
    op->state = self;
    return ZONDA_OK;
}

static void close_range(zn_op *op) {
    range *self = op->state;
    if (self != NULL) {
        zn_buf_free(&self->record);
    }
    free(self);
    op->state = NULL;
}

static uint64_t split(uint64_t n, uint64_t part, uint64_t parts) {
    return (uint64_t)((unsigned __int128)n * part / parts);
}

static zonda_err run_range(zn_op *op, zonda_task *task, zonda_error *error) {
    range *self = op->state;
    uint64_t shards = op->shard_count;
    uint64_t at = split(self->n, zn_op_shard(op, task), shards);
    uint64_t end = split(self->n, zn_op_shard(op, task) + 1, shards);
    for (; at < end; at++) {
        self->record.len = 0;
        zn_put_uint(&self->record, at);
        zonda_err err = zn_op_emit(op, task, zn_buf_bytes(&self->record), error);
        if (err != ZONDA_OK) {
            return err;
        }
    }
    return ZONDA_OK;
}

static const zn_op_runtime from_range_runtime = {
    .open = open_range,
    .close = close_range,
    .run = run_range,
};

static const zn_arg_def range_args[] = {
    { .name = "n",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_POSITIONAL,
      .max = INT64_MAX,
      .doc = "how many numbers" },
    { .name = "shards",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_OPTION,
      .max = ZN_STAGE_TASKS_MAX,
      .doc = "number of shards; 0: as many as useful" },
};

const zn_op_def zn_op_from_range = { .name = "from_range",
                                     .op_class = ZN_OP_SOURCE,
                                     ZN_ARGS(range_args),
                                     .runtime = &from_range_runtime,
                                     .doc = "the numbers from 0 to n-1" };
