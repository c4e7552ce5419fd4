/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_LUA_SCRIPT_FUNCTION_H
#define ZN_OPS_LUA_SCRIPT_FUNCTION_H

#include "ops/function.h"
#include "ops/lua_state.h"

/* Function number `index` of a pipeline script, in a slot. */
typedef struct zn_lua_script_function zn_lua_script_function;

/* Evaluates the script of `blob`, which is borrowed for life. Errors: as zn_lua_script_new; PLAN
 * (no such function). */
zonda_err zn_lua_script_function_new(zn_bytes blob, uint64_t index, zn_call_form form,
                                     const zn_lua_limits *limits, zn_lua_script_function **out,
                                     zonda_error *error);

/* Puts the function in the state that it has right after the evaluation, before a shard's first
 * record; its Lua state may be another one afterwards. Errors as above. */
zonda_err zn_lua_script_function_begin(zn_lua_script_function *function, zonda_error *error);

/* Calls it as zn_function_call does. */
zonda_err zn_lua_script_function_call(zn_lua_script_function *function, const zn_bytes *args,
                                      zn_buf *out, bool *truth, zonda_error *error);
/* Pushes the function; in protected calls. */
void zn_lua_script_function_push(lua_State *lua);

zn_lua_state *zn_lua_script_function_state(const zn_lua_script_function *function);
void zn_lua_script_function_destroy(zn_lua_script_function **function);

#endif
