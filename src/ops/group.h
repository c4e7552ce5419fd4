/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_GROUP_H
#define ZN_OPS_GROUP_H

#include "ops/function.h"
#include "record/row.h"

/* The rows of one key, as a function of form ZN_CALL_GROUP sees them: it pulls as many as it wants
 * and gives values at any time. */
typedef struct zn_group {
    void *context;
    zn_bytes key; /* a value */
    /* The next record, borrowed until the next call; false in `*found` at the end of the group. */
    zonda_err (*next)(void *context, zn_bytes *record, bool *found, zonda_error *error);
    /* Takes one checked value that the function gives. */
    zonda_err (*emit)(void *context, zn_bytes value, zonda_error *error);
} zn_group;

/* Cuts a stream of rows, sorted by key, into groups by the first encoding of their keys, and calls
 * a function for each: for reduce of group_by and for combine. `emit` gets what the function gives
 * with the group's key encoding. Rows that the function does not pull are skipped. */
typedef zonda_err zn_group_pull(void *context, zn_row *row, bool *found, zonda_error *error);
typedef zonda_err zn_group_emit(void *context, zn_bytes key, zn_bytes value, zonda_error *error);

zonda_err zn_group_run(zn_function *function, zonda_task *task, zn_group_pull *pull,
                       zn_group_emit *emit, void *context, zonda_error *error);

#endif
