/* SPDX-License-Identifier: MPL-2.0 */
/* The halves of count: each shard gives its number of records, one task sums them. The sum starts
 * at 0, so a dataset without shards has a count too. */
#include <stdlib.h>

#include "base/alloc.h"
#include "ops/op_list.h"
#include "record/value.h"

static zonda_err open_count(zn_op *op, zonda_error *error) {
    (void)error;
    op->state = ZN_NEW(uint64_t);
    return ZONDA_OK;
}

static void close_count(zn_op *op) {
    free(op->state);
    op->state = NULL;
}

static zonda_err begin_count(zn_op *op, zonda_task *task, zonda_error *error) {
    (void)task;
    (void)error;
    *(uint64_t *)op->state = 0;
    return ZONDA_OK;
}

static zonda_err push_one(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    (void)task;
    (void)record;
    (void)error;
    *(uint64_t *)op->state += 1;
    return ZONDA_OK;
}

static zonda_err push_sum(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    (void)task;
    zn_value head = zn_value_head(record);
    uint64_t *sum = op->state;
    if (head.type != ZN_VALUE_INT || head.integer < 0) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the count of a shard is a %s, not a number",
                            zn_value_type_name(head.type));
    }
    if (__builtin_add_overflow(*sum, (uint64_t)head.integer, sum)) {
        return zn_error_set(error, ZONDA_ERR_LIMIT, "the number of records exceeds 64 bits");
    }
    return ZONDA_OK;
}

static zonda_err end_count(zn_op *op, zonda_task *task, zonda_error *error) {
    zn_buf record = { 0 };
    zn_put_uint(&record, *(const uint64_t *)op->state);
    zonda_err err = zn_op_emit(op, task, zn_buf_bytes(&record), error);
    zn_buf_free(&record);
    return err;
}

static const zn_op_runtime count_shard_runtime = {
    .open = open_count,
    .close = close_count,
    .begin = begin_count,
    .push = push_one,
    .end = end_count,
};

static const zn_op_runtime count_total_runtime = {
    .open = open_count,
    .close = close_count,
    .begin = begin_count,
    .push = push_sum,
    .end = end_count,
};

const zn_op_def zn_op_count = { .name = "count",
                                .op_class = ZN_OP_FOLD,
                                .doc = "the number of records" };

const zn_op_def zn_op_count_shard = { .name = "count_shard",
                                      .op_class = ZN_OP_INNER,
                                      .runtime = &count_shard_runtime,
                                      .doc = "the number of records of the shard" };

const zn_op_def zn_op_count_total = { .name = "count_total",
                                      .op_class = ZN_OP_INNER,
                                      .runtime = &count_total_runtime,
                                      .doc = "the sum of the counts of all shards" };
