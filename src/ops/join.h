/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_JOIN_H
#define ZN_OPS_JOIN_H

#include "ops/join_buffer.h"
#include "ops/join_how.h"
#include "record/row.h"

/* The heart of a join of two shuffles: both sides come in one stream of rows, sorted by key, and
 * become pairs. A key with nil in it (zn_key_has_nil) has no partner. */

/* What a join pulls from and gives to. */
typedef struct zn_join_sides {
    void *context;
    /* The next row in the order of keys, of equal keys those of the right side first; borrowed
     * until the next call. */
    zonda_err (*next)(void *context, zn_row *row, bool *is_right, bool *found, zonda_error *error);
    /* Takes a pair. A side without bytes has no record in it. */
    zonda_err (*put)(void *context, zn_bytes left, zn_bytes right, zonda_error *error);
} zn_join_sides;

/* Gives the pairs of each key: for each left record, in order, its right ones in order; right
 * records without a partner in order. `rights` holds the right records of a key; it is empty before
 * and, unless the call fails, behind. Errors: those of the callbacks and of `rights`. */
zonda_err zn_join_run(zn_join_how how, zn_join_buffer *rights, const zn_join_sides *sides,
                      zonda_error *error);

#endif
