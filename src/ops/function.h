/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_FUNCTION_H
#define ZN_OPS_FUNCTION_H

#include "ops/op.h"

/* A user function bound to an operator of a stage: C, a plug-in or Lua behind one interface.
 *
 * In arguments a function is a MessagePack map:
 *   {"kind": "c", "name": NAME}
 *   {"kind": "plugin", "plugin": digest of its blob, "file": FILE for messages, "name": NAME}
 *   {"kind": "lua-expression" | "lua-block", "text": TEXT}
 *   {"kind": "lua-script", "script": digest of the script's blob, "index": number of the function}
 * The blob of a script is the map {"name": file name, "text": source, "args": [texts]}. */
typedef struct zn_function zn_function;
struct zn_group;

typedef enum zn_call_form {
    ZN_CALL_MAP,      /* 1 argument, 1 value */
    ZN_CALL_FILTER,   /* 1 argument, truth */
    ZN_CALL_FLAT_MAP, /* 1 argument, any number of values */
    ZN_CALL_FOLD,     /* 2 arguments (accumulated, record), 1 value */
    ZN_CALL_WINDOW,   /* 2 arguments (state, record), truth and 1 value (the next state) */
    ZN_CALL_SHARD,    /* 1 argument, truth (wants more records) and any number of values */
    ZN_CALL_JOIN,     /* 2 arguments (left, right; nil where a side has none), 1 value */
    ZN_CALL_GROUP,    /* a key and its records, any number of values; see group.h */
} zn_call_form;

/* One kind of function; kinds are registered in function.c. `state` is the implementation's. */
typedef struct zn_function_kind {
    zonda_err (*bind)(zn_bytes spec, zn_call_form form, zn_op *op, void **state,
                      zonda_error *error);
    void (*unbind)(void *state);
    zonda_err (*begin)(void *state, zonda_task *task, zonda_error *error);
    void (*end)(void *state, zonda_task *task);
    zonda_err (*call)(void *state, zonda_task *task, const zn_bytes *args, zn_buf *out, bool *truth,
                      zonda_error *error);
    /* SHARD: no more records come. Appends what the function still gives. */
    zonda_err (*finish)(void *state, zonda_task *task, zn_buf *out, zonda_error *error);
    /* GROUP: instead of call. What it gives to `emit` is any number of values, not checked yet. */
    zonda_err (*group)(void *state, zonda_task *task, const struct zn_group *group,
                       zonda_error *error);
} zn_function_kind;

/* Implemented in function_c.c and lua_function.c. */
extern const zn_function_kind zn_function_c;   /* registered ones and those of plug-ins */
extern const zn_function_kind zn_function_lua; /* expressions, blocks and scripts */

/* Binds the function in argument `arg` of `op` to the stage. Errors: PLAN, NOT_FOUND, USER. */
zonda_err zn_function_bind(zn_op *op, const char *arg, zn_call_form form, zn_function **out,
                           zonda_error *error);
void zn_function_unbind(zn_function **function);

/* Around the records of a shard; `end` also after a failure. */
zonda_err zn_function_begin(zn_function *function, zonda_task *task, zonda_error *error);
void zn_function_end(zn_function *function, zonda_task *task);

/* Calls it with the checked values `args` (as many as the form says). Appends what it gives to
 * `out`; with FILTER sets `*truth` instead, with WINDOW and SHARD both. Errors: USER with message
 * and traceback; a map that gives none or two values is USER. */
zonda_err zn_function_call(zn_function *function, zonda_task *task, const zn_bytes *args,
                           zn_buf *out, bool *truth, zonda_error *error);

/* With GROUP, instead: the function pulls from the group and gives values to it. Errors as above;
 * those of the group pass through. */
zonda_err zn_function_group(zn_function *function, zonda_task *task, const struct zn_group *group,
                            zonda_error *error);

/* With SHARD, once, behind the last record of a shard that has not failed, before
 * zn_function_end: appends what the function gives at the end. Errors as above. */
zonda_err zn_function_finish(zn_function *function, zonda_task *task, zn_buf *out,
                             zonda_error *error);

#endif
