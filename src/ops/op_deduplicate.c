/* SPDX-License-Identifier: MPL-2.0 */
/* deduplicate: the first record of each key. Each shard of the input gives the first that it has of
 * a key; the shards of the output take the first of those. Rows of equal keys come in the order of
 * shards, so what is first does not depend on who was faster. */
#include <stdlib.h>

#include "base/alloc.h"
#include "ops/exchange.h"
#include "ops/op_list.h"
#include "ops/shuffle.h"
#include "record/key.h"

typedef struct firsts {
    zn_exchange *exchange;
    zn_buf last; /* key of the last record given */
} firsts;

static zonda_err open_firsts(zn_op *op, zonda_error *error) {
    zn_exchange *exchange = zn_exchange_new(op, error);
    if (exchange == NULL) {
        return error->code;
    }
    firsts *self = ZN_NEW(firsts);
    self->exchange = exchange;
    op->state = self;
    return ZONDA_OK;
}

static void close_firsts(zn_op *op) {
    firsts *self = op->state;
    if (self == NULL) {
        return;
    }
    zn_exchange_destroy(&self->exchange);
    zn_buf_free(&self->last);
    free(self);
    op->state = NULL;
}

/* Gives the record unless there was one with its key. No key is empty. */
static zonda_err give_first(zn_op *op, zonda_task *task, const zn_row *row, zonda_error *error) {
    firsts *self = op->state;
    if (zn_bytes_equal(row->key, zn_buf_bytes(&self->last))) {
        return ZONDA_OK;
    }
    self->last.len = 0;
    zn_buf_append(&self->last, row->key.data, row->key.len);
    return zn_op_emit(op, task, row->record, error);
}

static zonda_err run_firsts(zn_op *op, zonda_task *task, zonda_error *error) {
    firsts *self = op->state;
    zn_row row;
    bool found = true;
    self->last.len = 0;
    zonda_err err = zn_exchange_begin(self->exchange, task, error);
    while (err == ZONDA_OK && found) {
        err = zn_exchange_next(self->exchange, task, &row, NULL, &found, error);
        if (err == ZONDA_OK && found) {
            err = give_first(op, task, &row, error);
        }
    }
    zn_exchange_end(self->exchange, task);
    return err;
}

static const zn_op_runtime deduplicate_total_runtime = {
    .open = open_firsts,
    .close = close_firsts,
    .run = run_firsts,
};

static const zn_arg_def deduplicate_args[] = {
    { .name = "key",
      .type = ZN_ARG_KEY,
      .use = ZN_ARG_POSITIONAL,
      .doc = "field, fields or function that tells which records are alike" },
    ZN_WIDE_SHARDS_ARG,
};

const zn_op_def zn_op_deduplicate = { .name = "deduplicate",
                                      .op_class = ZN_OP_WIDE,
                                      ZN_ARGS(deduplicate_args),
                                      .doc = "the first record of each key" };

const zn_op_def zn_op_deduplicate_shard = { .name = "deduplicate_shard",
                                            .op_class = ZN_OP_INNER,
                                            ZN_SHUFFLE_ARGS,
                                            .runtime = &zn_shuffle_runtime,
                                            .doc = "the first record of each key in a shard" };

const zn_op_def zn_op_deduplicate_total = { .name = "deduplicate_total",
                                            .op_class = ZN_OP_INNER,
                                            .runtime = &deduplicate_total_runtime,
                                            .doc = "the first of those of all shards" };
