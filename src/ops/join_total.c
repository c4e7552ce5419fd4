/* SPDX-License-Identifier: MPL-2.0 */
/* The reading side of a join of two shuffles: an exchange with both of them for inputs gives the
 * rows of a shard sorted by key, right ones first; what join.h makes of them are the shard's
 * records. */
#include "ops/join_total.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "ops/exchange.h"
#include "ops/join.h"
#include "ops/join_record.h"
#include "record/value.h"

typedef struct total {
    zn_exchange *exchange;
    zn_join_record *record;
    bool has_right; /* the first input is the right side */
} total;

/* The running task, for callbacks. */
typedef struct pulling {
    zn_op *op;
    zonda_task *task;
} pulling;

static void close_total(zn_op *op) {
    total *self = op->state;
    if (self == NULL) {
        return;
    }
    zn_exchange_destroy(&self->exchange);
    zn_join_record_unbind(&self->record);
    free(self);
    op->state = NULL;
}

static zonda_err open_total(zn_op *op, zonda_error *error) {
    total *self = ZN_NEW(total);
    op->state = self;
    self->has_right = true;
    zn_value_field_bool(op->args, "right", &self->has_right);
    zonda_err err = zn_join_record_bind(op, &self->record, error);
    if (err != ZONDA_OK) {
        return err;
    }
    self->exchange = zn_exchange_new(op, error);
    return self->exchange == NULL ? ZONDA_ERR_PLAN : ZONDA_OK;
}

static zonda_err begin_total(zn_op *op, zonda_task *task, zonda_error *error) {
    total *self = op->state;
    zonda_err err = zn_join_record_begin(self->record, task, error);
    return err != ZONDA_OK ? err : zn_exchange_begin(self->exchange, task, error);
}

static zonda_err next_row(void *context, zn_row *row, bool *is_right, bool *found,
                          zonda_error *error) {
    const pulling *pull = context;
    const total *self = pull->op->state;
    size_t input = 0;
    zonda_err err = zn_exchange_next(self->exchange, pull->task, row, &input, found, error);
    *is_right = self->has_right && input == 0;
    return err;
}

static zonda_err put_pair(void *context, zn_bytes left, zn_bytes right, zonda_error *error) {
    const pulling *pull = context;
    const total *self = pull->op->state;
    zn_bytes record = { 0 };
    zonda_err err = zn_join_record_make(self->record, pull->task, left, right, &record, error);
    return err != ZONDA_OK ? err : zn_op_emit(pull->op, pull->task, record, error);
}

static zonda_err run_total(zn_op *op, zonda_task *task, zonda_error *error) {
    const total *self = op->state;
    const zn_task_host *host = zn_stage_exec_host(op->stage);
    pulling pull = { .op = op, .task = task };
    zn_join_sides sides = { .context = &pull, .next = next_row, .put = put_pair };
    zn_join_buffer *rights = zn_join_buffer_new(host->scratch, host->memory);
    zonda_err err = zn_join_run(zn_join_record_how(self->record), rights, &sides, error);
    zn_task_spilled(task, zn_join_buffer_spilled_bytes(rights));
    zn_join_buffer_destroy(&rights);
    return err;
}

static void let_go(zn_op *op, zonda_task *task) {
    total *self = op->state;
    zn_exchange_end(self->exchange, task);
    zn_join_record_end(self->record, task);
}

static zonda_err end_total(zn_op *op, zonda_task *task, zonda_error *error) {
    (void)error;
    let_go(op, task);
    return ZONDA_OK;
}

const zn_op_runtime zn_join_total_runtime = {
    .open = open_total,
    .close = close_total,
    .begin = begin_total,
    .run = run_total,
    .end = end_total,
    .abort = let_go,
};

const zn_arg_def zn_join_total_args[] = {
    ZN_JOIN_RECORD_ARGS,
    { .name = "right",
      .type = ZN_ARG_BOOL,
      .use = ZN_ARG_OPTION,
      .doc = "whether the right side has rows" },
};

_Static_assert(sizeof zn_join_total_args / sizeof *zn_join_total_args == ZN_JOIN_TOTAL_ARG_COUNT,
               "the header says how many arguments there are");
