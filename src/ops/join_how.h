/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_JOIN_HOW_H
#define ZN_OPS_JOIN_HOW_H

#include "base/buf.h"

/* What is in the result of a join. A partner is a record of the other side with an equal key. */
typedef enum zn_join_how {
    ZN_JOIN_INNER, /* pairs */
    ZN_JOIN_LEFT,  /* pairs, and left records without a partner */
    ZN_JOIN_RIGHT, /* pairs, and right records without a partner */
    ZN_JOIN_FULL,  /* pairs, and all records without a partner */
    ZN_JOIN_SEMI,  /* left records that have a partner */
    ZN_JOIN_ANTI,  /* left records that have none */
} zn_join_how;

/* Of argument "how", for definitions and checks; in the order of the enum. */
#define ZN_JOIN_HOW_CHOICES "inner, left, right, full, semi, anti"

/* The one of that name; INNER if it is no bytes. False if there is none. */
bool zn_join_how_find(zn_bytes name, zn_join_how *out);

/* Whether left, or right, records without a partner are in the result. */
bool zn_join_how_keeps_left(zn_join_how how);
bool zn_join_how_keeps_right(zn_join_how how);

/* Whether the result has pairs, and not just records of the left side. */
bool zn_join_how_has_pairs(zn_join_how how);

#endif
