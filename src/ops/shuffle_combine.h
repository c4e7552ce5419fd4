/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_SHUFFLE_COMBINE_H
#define ZN_OPS_SHUFFLE_COMBINE_H

#include "ops/function.h"
#include "ops/shuffle_key.h"
#include "store/sorter.h"

/* Makes fewer rows of those with equal keys, for the sorter of a shuffle. */
typedef struct zn_shuffle_combine {
    zn_shuffle_key *key;   /* borrowed */
    zn_function *function; /* NULL: keeps the first row of each key */
    zn_sorter *sorter;     /* of what the function gives, if rows are sorted inside their keys */
    zonda_task *task;      /* that runs */
    zn_buf group;          /* encoding of the key whose first row was kept last */
    zn_buf row_key;        /* of what the function gave */
    zn_combiner combiner;
} zn_shuffle_combine;

/* Binds argument "combine" if `with_function`. `key` is borrowed and has been opened. */
zonda_err zn_shuffle_combine_open(zn_op *op, zn_shuffle_key *key, bool with_function,
                                  zn_shuffle_combine *combine, zonda_error *error);
void zn_shuffle_combine_close(zn_shuffle_combine *combine);

/* Around the records of a task; `end` also after a failure. */
zonda_err zn_shuffle_combine_begin(zn_shuffle_combine *combine, zonda_task *task,
                                   zonda_error *error);
void zn_shuffle_combine_end(zn_shuffle_combine *combine, zonda_task *task);

#endif
