/* SPDX-License-Identifier: MPL-2.0 */
/* The inside of an evaluated script, for the lua_*.c files of this folder. */
#ifndef ZN_OPS_LUA_SCRIPT_STATE_H
#define ZN_OPS_LUA_SCRIPT_STATE_H

#include "ops/lua_script.h"
#include "ops/lua_state.h"
#include "ops/op_table.h"

struct zn_lua_script {
    zn_lua_state *state;
    zn_buf blob;
    zn_digest digest; /* of the blob */
    char *name;       /* from the blob, as all below */
    zn_bytes text;
    bool is_evaluating;         /* datasets may be made only now */
    const zn_script_host *host; /* during the evaluation in a driver; NULL: in a slot */
    zn_script_node *nodes;
    size_t node_count;
    size_t node_capacity;
    zn_script_put *puts;
    size_t put_count;
    size_t put_capacity;
    size_t *outputs;
    size_t output_count;
    size_t output_capacity;
    size_t function_count;
    zn_buf scratch; /* what is encoded just now; here, so that an error does not leak it */
};

/* Evaluates the script of a blob, in a slot. Errors as zn_lua_script_new; PLAN: not such a blob. */
zn_lua_script *zn_lua_script_load(zn_bytes blob, const zn_lua_limits *limits, zonda_error *error);

/* Everything below is called inside of a protected call and may raise Lua errors. */

/* Adds zonda.from_list and all other sources, zonda.put, and the methods of datasets. */
void zn_lua_dataset_open(lua_State *lua);

/* True and the number of its node if the value at `index` is a dataset. */
bool zn_lua_dataset_node(lua_State *lua, int index, size_t *node);

/* Adds the dataset arguments and the argument map of a call of `op` at the stack from index 1 on to
 * the script's nodes and returns the number of the new one; see lua_arguments.c. */
size_t zn_lua_call_record(lua_State *lua, zn_lua_script *script, const zn_op_def *op);

/* Raises a PLAN error at the line of the script that runs just now. */
int zn_lua_script_refuse(lua_State *lua, const zonda_error *error);

/* Keeps the function at `index` and returns its number; pushes it by its number, or nil. */
size_t zn_lua_script_keep(lua_State *lua, zn_lua_script *script, int index);
void zn_lua_script_push(lua_State *lua, size_t number);

/* Pushes the table of globals of the script. */
void zn_lua_script_push_globals(lua_State *lua);

/* True if the function at `index` cannot keep anything from one call to the next but in local
 * variables that hold plain values. Those are noted, for zn_lua_closure_restore, which sets them
 * back. See lua_closure.c. */
bool zn_lua_closure_is_plain(lua_State *lua, int index);
void zn_lua_closure_restore(lua_State *lua);

#endif
