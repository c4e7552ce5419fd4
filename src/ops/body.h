/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_BODY_H
#define ZN_OPS_BODY_H

#include "ops/op.h"

/* The body of a stage (stage_exec.h), taken apart. Plain data; borrows from the bytes. */
typedef struct zn_body_op {
    const zn_op_def *def;
    zn_bytes args;
} zn_body_op;

typedef struct zn_body {
    zn_stage_id stage;
    uint64_t task_count;
    zn_bytes shared; /* map */
    zn_lua_limits lua;
    zn_body_op *ops; /* the source first; at least one */
    size_t op_count;
} zn_body;

/* Any bytes are safe. Errors: PLAN. The owner frees with zn_body_free. */
zonda_err zn_body_parse(zn_bytes bytes, zn_body *out, zonda_error *error);
void zn_body_free(zn_body *body);

#endif
