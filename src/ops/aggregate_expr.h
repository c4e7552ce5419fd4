/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_AGGREGATE_EXPR_H
#define ZN_OPS_AGGREGATE_EXPR_H

#include "base/buf.h"
#include "base/error.h"

/* The expressions of aggregate: "count()", "sum(size)", "quantile(size, 0.9)". A field is a name or
 * a path, written as it is, or between quotes if it has a bracket, a comma or a quote in it. */
typedef enum zn_aggregate_kind {
    ZN_AGGREGATE_COUNT,
    ZN_AGGREGATE_SUM,
    ZN_AGGREGATE_MIN,
    ZN_AGGREGATE_MAX,
    ZN_AGGREGATE_MEAN,
    ZN_AGGREGATE_FIRST,
    ZN_AGGREGATE_LAST,
    ZN_AGGREGATE_LIST,
    ZN_AGGREGATE_DISTINCT,
    ZN_AGGREGATE_QUANTILE,
} zn_aggregate_kind;

/* All texts are borrowed from the arguments. */
typedef struct zn_aggregate_expr {
    zn_aggregate_kind kind;
    zn_bytes text;  /* as it was written */
    zn_bytes name;  /* of the field that it makes */
    zn_bytes field; /* that it works on; no bytes: count() */
    double q;       /* QUANTILE: from 0 to 1 */
    uint32_t set;   /* DISTINCT, QUANTILE: the set of values that it is made from */
} zn_aggregate_expr;

/* All that an aggregate computes. A set is the values of a field of a group, each once, with their
 * number; expressions over the same field share it. */
typedef struct zn_aggregate {
    zn_aggregate_expr *exprs;
    uint32_t count;
    zn_bytes *sets; /* fields */
    uint32_t set_count;
    zn_bytes *by; /* names of the fields that the key becomes; none: there is no key */
    uint32_t by_count;
    bool by_list; /* the key is an array of as many values */
} zn_aggregate;

/* Reads the arguments "exprs" (a map of names to expressions) and "by" (a key, may be missing) of
 * checked arguments. Errors: PLAN (an expression that cannot be read, a name that is there twice),
 * naming the text. */
zonda_err zn_aggregate_read(zn_bytes args, zn_aggregate *out, zonda_error *error);
void zn_aggregate_free(zn_aggregate *aggregate);

/* "sum", "quantile", …: for messages. */
const char *zn_aggregate_kind_name(zn_aggregate_kind kind);

#endif
