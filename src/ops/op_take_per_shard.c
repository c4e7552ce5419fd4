/* SPDX-License-Identifier: MPL-2.0 */
/* The first n records of each shard; and, as the halves of limit, of the whole dataset: each shard
 * gives at most n, and the one task that reads them all in order takes n of those. With the last of
 * them the shard has had enough: the source is not read any further (zn_op_enough), unless there is
 * a sink in between, whose files must be whole; then the rest is counted here and let go. */
#include <stdlib.h>

#include "base/alloc.h"
#include "ops/op_list.h"
#include "record/value.h"

typedef struct taking {
    uint64_t wanted;
    uint64_t left; /* of the shard at hand */
} taking;

static zonda_err open_take(zn_op *op, zonda_error *error) {
    uint64_t wanted = 0;
    if (!zn_value_field_uint(op->args, "n", &wanted)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "%s has no n", op->def->name);
    }
    taking *self = ZN_NEW(taking);
    self->wanted = wanted;
    op->state = self;
    return ZONDA_OK;
}

static void close_take(zn_op *op) {
    free(op->state);
    op->state = NULL;
}

static zonda_err begin_take(zn_op *op, zonda_task *task, zonda_error *error) {
    taking *self = op->state;
    self->left = self->wanted;
    if (self->left == 0) {
        zn_op_enough(op, task, error); /* the stage looks before it reads anything */
    }
    return ZONDA_OK;
}

static zonda_err push_record(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    taking *self = op->state;
    if (self->left == 0) {
        return zn_op_enough(op, task, error);
    }
    self->left--;
    zonda_err err = zn_op_emit(op, task, record, error);
    return err == ZONDA_OK && self->left == 0 ? zn_op_enough(op, task, error) : err;
}

static const zn_op_runtime take_runtime = {
    .open = open_take,
    .close = close_take,
    .begin = begin_take,
    .push = push_record,
};

static const zn_arg_def take_args[] = {
    { .name = "n",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_POSITIONAL,
      .max = INT64_MAX,
      .doc = "how many records of each shard; 0: none" },
};

const zn_op_def zn_op_take_per_shard = { .name = "take_per_shard",
                                         .op_class = ZN_OP_NARROW,
                                         ZN_ARGS(take_args),
                                         .runtime = &take_runtime,
                                         .doc = "the first records of each shard" };

static const zn_arg_def limit_args[] = {
    { .name = "n",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_POSITIONAL,
      .max = INT64_MAX,
      .doc = "how many records of the whole dataset; 0: none" },
};

const zn_op_def zn_op_limit = { .name = "limit",
                                .op_class = ZN_OP_FOLD,
                                ZN_ARGS(limit_args),
                                .doc = "the first records of the whole dataset, as one shard" };

const zn_op_def zn_op_limit_shard = { .name = "limit_shard",
                                      .op_class = ZN_OP_INNER,
                                      ZN_ARGS(limit_args),
                                      .runtime = &take_runtime,
                                      .doc = "what a shard may give to the limit" };

const zn_op_def zn_op_limit_total = { .name = "limit_total",
                                      .op_class = ZN_OP_INNER,
                                      ZN_ARGS(limit_args),
                                      .runtime = &take_runtime,
                                      .doc = "the first records of all shards" };
