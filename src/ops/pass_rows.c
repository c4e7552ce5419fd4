/* SPDX-License-Identifier: MPL-2.0 */
/* The second half of operators that only move records: what the shuffle has for a shard, in its
 * order, is the shard. */
#include "ops/pass_rows.h"

zonda_err zn_pass_rows_open(zn_op *op, zonda_error *error) {
    op->state = zn_exchange_new(op, error);
    return op->state == NULL ? error->code : ZONDA_OK;
}

void zn_pass_rows_close(zn_op *op) {
    zn_exchange *exchange = op->state;
    zn_exchange_destroy(&exchange);
    op->state = NULL;
}

static zonda_err run_rows(zn_op *op, zonda_task *task, zonda_error *error) {
    zn_exchange *exchange = op->state;
    zn_row row;
    bool found = true;
    zonda_err err = zn_exchange_begin(exchange, task, error);
    while (err == ZONDA_OK && found) {
        err = zn_exchange_next(exchange, task, &row, NULL, &found, error);
        if (err == ZONDA_OK && found) {
            err = zn_op_emit(op, task, row.record, error);
        }
    }
    zn_exchange_end(exchange, task);
    return err;
}

const zn_op_runtime zn_pass_rows_runtime = {
    .open = zn_pass_rows_open,
    .close = zn_pass_rows_close,
    .run = run_rows,
};
