/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_BODY_H
#define ZN_OPS_BODY_H

#include "ops/op.h"

/* The body of a stage (stage_exec.h), taken apart. Plain data; borrows from the bytes. */
typedef struct zn_body_op {
    const zn_op_def *def;
    zn_bytes args;
    zn_bytes planned;
    size_t next;    /* index of the operator behind it; ZN_BODY_END: none */
    uint64_t first; /* its shards are the tasks from `first` on, */
    uint64_t tasks; /* so many of them */
} zn_body_op;

#define ZN_BODY_END SIZE_MAX

/* Where a range of tasks begins: an operator that is a source. */
typedef struct zn_body_source {
    size_t op;
    uint64_t first;
    uint64_t tasks;
} zn_body_source;

/* What is measured while its tasks run. */
typedef enum zn_body_profile {
    ZN_BODY_PROFILE_NONE = 0,
    ZN_BODY_PROFILE_TIMES = 1, /* where the time goes */
    ZN_BODY_PROFILE_SPANS = 2, /* and what happens when */
} zn_body_profile;

typedef struct zn_body {
    zn_stage_id stage;
    uint64_t task_count;
    zn_bytes shared; /* map */
    zn_bytes folder; /* absolute path to work in; empty: any */
    zn_lua_limits lua;
    uint64_t profile; /* zn_body_profile */
    zn_body_op *ops;  /* at least one */
    size_t op_count;
    zn_body_source *sources; /* ascending; their ranges are all tasks */
    size_t source_count;
    size_t source_capacity;
} zn_body;

/* Any bytes are safe. Errors: PLAN. The owner frees with zn_body_free. */
zonda_err zn_body_parse(zn_bytes bytes, zn_body *out, zonda_error *error);
void zn_body_free(zn_body *body);

#endif
