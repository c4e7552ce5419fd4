/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_LUA_SANDBOX_H
#define ZN_OPS_LUA_SANDBOX_H

#include <lua.h>

/* What user code can reach. All functions may raise Lua errors. */

/* Prepares a new state: types of values, libraries, zonda. */
void zn_lua_sandbox_open(lua_State *lua);

/* Pushes the table of globals: name → function or read-only library. Whoever lets user code at it
 * puts something in between that keeps it from being changed. */
void zn_lua_sandbox_push(lua_State *lua);

/* Pushes the table behind the global `zonda`, for more functions. */
void zn_lua_sandbox_push_zonda(lua_State *lua);

/* Replaces the table on the top by an empty one that reads through to it and refuses changes;
 * `what` names it in the error. */
void zn_lua_sandbox_protect(lua_State *lua, const char *what);

/* Raises the error for an assignment to a global; a __newindex method. */
int zn_lua_sandbox_refuse_global(lua_State *lua);

/* Starts math.random from two numbers. */
void zn_lua_sandbox_seed(lua_State *lua, lua_Integer first, lua_Integer second);

/* Replaces functions of the libraries whose tables are at these indices by ones that
 * know views, cannot run without end in C, and do not leave the sandbox; see lua_base.c. */
void zn_lua_base_open(lua_State *lua, int globals, int strings, int tables, int coroutines);

/* Sets find, match, gmatch, gsub in the table at `strings`, as Lua's own but for one thing: their
 * steps count as instructions; see lua_strings.c. */
void zn_lua_strings_open(lua_State *lua, int strings);

/* `pairs`, in a fixed order; see lua_pairs.c. */
int zn_lua_pairs(lua_State *lua);

/* The functions of the global `zonda` that every function has: null, array, counter, shared. Fills
 * the table on the top. */
void zn_lua_zonda_open(lua_State *lua);

#endif
