/* SPDX-License-Identifier: MPL-2.0 */
/* The two sides of a join are shuffles like any other. Only their errors differ: a key that cannot
 * be made, or a record out of order, has to be looked for on one side. */
#include "ops/join_side.h"

static zonda_err open_side(zn_op *op, zonda_error *error) {
    return zn_shuffle_runtime.open(op, error);
}

static void close_side(zn_op *op) {
    zn_shuffle_runtime.close(op);
}

static zonda_err begin_side(zn_op *op, zonda_task *task, zonda_error *error) {
    return zn_shuffle_runtime.begin(op, task, error);
}

static zonda_err push_left(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    zonda_err err = zn_shuffle_runtime.push(op, task, record, error);
    return err == ZONDA_OK ? err : zn_error_prefix(error, "left side: ");
}

static zonda_err push_right(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    zonda_err err = zn_shuffle_runtime.push(op, task, record, error);
    return err == ZONDA_OK ? err : zn_error_prefix(error, "right side: ");
}

static zonda_err end_side(zn_op *op, zonda_task *task, zonda_error *error) {
    return zn_shuffle_runtime.end(op, task, error);
}

static void abort_side(zn_op *op, zonda_task *task) {
    zn_shuffle_runtime.abort(op, task);
}

const zn_op_runtime zn_join_left_runtime = {
    .open = open_side,
    .close = close_side,
    .begin = begin_side,
    .push = push_left,
    .end = end_side,
    .abort = abort_side,
};

const zn_op_runtime zn_join_right_runtime = {
    .open = open_side,
    .close = close_side,
    .begin = begin_side,
    .push = push_right,
    .end = end_side,
    .abort = abort_side,
};
