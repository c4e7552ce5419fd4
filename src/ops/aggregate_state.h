/* SPDX-License-Identifier: MPL-2.0 */
/* What an aggregate knows of a group while its records come: a state per expression. States take
 * values, take other states in their stored form, and give their stored form or their result; what
 * comes out does not depend on which records went into which state, only on their order. */
#ifndef ZN_OPS_AGGREGATE_STATE_H
#define ZN_OPS_AGGREGATE_STATE_H

#include "ops/aggregate_expr.h"
#include "record/value.h"

/* What states share. */
typedef struct zn_aggregate_heap {
    uint64_t bytes;       /* that states hold beside their fixed part */
    uint64_t value_bytes; /* a state with a value of more sets `large` */
    bool large;           /* a state should go into a row before it grows on */
    uint64_t room;        /* bytes that lists may still take; LIMIT if that is not enough */
    zn_buf key;           /* scratch */
} zn_aggregate_heap;

/* How the states of a kind work. A state is `bytes` long, a multiple of 8, and begins all zero. */
typedef struct zn_aggregate_kind_def {
    size_t bytes;
    /* Takes a value that is not nil. Errors: BAD_RECORD (of the wrong type), LIMIT. */
    zonda_err (*update)(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                        zn_bytes value, zonda_error *error);
    /* Takes a stored form of states whose values come behind. Errors: CORRUPT, LIMIT. */
    zonda_err (*merge)(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                       zn_bytes stored, zonda_error *error);
    /* DISTINCT, QUANTILE: takes the next value of the set, in key order, which `count` records
     * have. Errors: LIMIT. */
    zonda_err (*take)(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                      zn_bytes value, uint64_t count, zonda_error *error);
    /* Appends the stored form, one value. */
    void (*put)(zn_aggregate_heap *heap, void *state, zn_buf *out);
    /* Appends the result, one value. Errors: LIMIT (an integer of more than 64 bits). */
    zonda_err (*result)(zn_aggregate_heap *heap, const zn_aggregate_expr *expr, void *state,
                        zn_buf *out, zonda_error *error);
    /* Frees what it holds beside its fixed part and makes it all zero. */
    void (*clear)(zn_aggregate_heap *heap, void *state);
} zn_aggregate_kind_def;

const zn_aggregate_kind_def *zn_aggregate_kind_def_of(zn_aggregate_kind kind);

/* Implemented in aggregate_number.c and aggregate_value.c. */
extern const zn_aggregate_kind_def zn_aggregate_count;
extern const zn_aggregate_kind_def zn_aggregate_sum;
extern const zn_aggregate_kind_def zn_aggregate_mean;
extern const zn_aggregate_kind_def zn_aggregate_min;
extern const zn_aggregate_kind_def zn_aggregate_max;
extern const zn_aggregate_kind_def zn_aggregate_first;
extern const zn_aggregate_kind_def zn_aggregate_last;
extern const zn_aggregate_kind_def zn_aggregate_list;
extern const zn_aggregate_kind_def zn_aggregate_distinct;
extern const zn_aggregate_kind_def zn_aggregate_quantile;

/* The states of a group, one behind the other. */
size_t zn_aggregate_states_bytes(const zn_aggregate *aggregate);
void zn_aggregate_states_clear(const zn_aggregate *aggregate, zn_aggregate_heap *heap,
                               void *states);

/* Appends their stored form, an array; `merge` takes one. Errors: CORRUPT, LIMIT. */
void zn_aggregate_states_put(const zn_aggregate *aggregate, zn_aggregate_heap *heap, void *states,
                             zn_buf *out);
zonda_err zn_aggregate_states_merge(const zn_aggregate *aggregate, zn_aggregate_heap *heap,
                                    void *states, zn_bytes stored, zonda_error *error);

/* A record of an expression that cannot be right: sets CORRUPT. */
zonda_err zn_aggregate_corrupt(zonda_error *error);

#endif
