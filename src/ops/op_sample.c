/* SPDX-License-Identifier: MPL-2.0 */
/* Keeps each record with probability p. Chance is a hash of the seed, the shard and the position of
 * the record in the shard, nothing else, so the same dataset gives the same sample in every job, on
 * every worker and attempt. Another seed gives an independent sample; a larger p with the same seed
 * gives a superset. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "ops/op_list.h"
#include "record/value.h"

typedef struct sampling {
    bool all;
    uint64_t below; /* hashes that are kept */
    uint64_t seed;
    uint64_t position;
} sampling;

static zonda_err open_sample(zn_op *op, zonda_error *error) {
    zn_bytes given = { 0 };
    double p = 0;
    if (!zn_value_field(op->args, zn_bytes_of_text("p"), &given) || !zn_value_number(given, &p) ||
        !(p >= 0 && p <= 1)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "sample has no valid p");
    }
    sampling *self = ZN_NEW(sampling);
    self->all = p >= 1;
    self->below = self->all ? 0 : (uint64_t)ldexp(p, 64);
    zn_value_field_uint(op->args, "seed", &self->seed);
    op->state = self;
    return ZONDA_OK;
}

static void close_sample(zn_op *op) {
    free(op->state);
    op->state = NULL;
}

static zonda_err begin_sample(zn_op *op, zonda_task *task, zonda_error *error) {
    (void)task;
    (void)error;
    sampling *self = op->state;
    self->position = 0;
    return ZONDA_OK;
}

static zonda_err push_record(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    sampling *self = op->state;
    uint8_t place[24];
    zn_put_u64(place, self->seed);
    zn_put_u64(place + 8, zn_op_shard(op, task));
    zn_put_u64(place + 16, self->position++);
    zn_bytes bytes = { .data = place, .len = sizeof place };
    if (!self->all && zn_checksum(bytes) >= self->below) {
        return ZONDA_OK;
    }
    return zn_op_emit(op, task, record, error);
}

static const zn_op_runtime sample_runtime = {
    .open = open_sample,
    .close = close_sample,
    .begin = begin_sample,
    .push = push_record,
};

static const zn_arg_def sample_args[] = {
    { .name = "p",
      .type = ZN_ARG_NUMBER,
      .use = ZN_ARG_POSITIONAL,
      .max = 1,
      .doc = "how likely each record is kept, from 0 to 1" },
    { .name = "seed",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_OPTIONAL,
      .max = INT64_MAX,
      .doc = "another seed gives another sample; 0 if not given" },
};

const zn_op_def zn_op_sample = { .name = "sample",
                                 .op_class = ZN_OP_NARROW,
                                 ZN_ARGS(sample_args),
                                 .runtime = &sample_runtime,
                                 .doc = "a random part of the records, the same in every run" };
