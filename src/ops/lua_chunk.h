/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_LUA_CHUNK_H
#define ZN_OPS_LUA_CHUNK_H

#include "ops/function.h"
#include "ops/lua_state.h"

/* An expression or block, compiled in a state of its own. A bare name in it is a field of the
 * record, else a global of the sandbox; `r` is the record, in folds `a` is the accumulated value,
 * in blocks `emit` gives a record. One for a pair has `left` and `right` instead. One that runs
 * along a shard has `items`, `shard` and `emit`, one that runs on groups `key`, `rows` and `emit`.
 */
typedef struct zn_lua_chunk zn_lua_chunk;

/* `name` is what messages call it, such as "filter". Errors: USER (it does not compile), LIMIT. */
zn_lua_chunk *zn_lua_chunk_new(zn_lua_state *state, const char *name, bool is_block,
                               zn_call_form form, zn_bytes text, zonda_error *error);

/* Calls it as zn_function_call does. */
zonda_err zn_lua_chunk_call(zn_lua_chunk *chunk, const zn_bytes *args, zn_buf *out, bool *truth,
                            zonda_error *error);
void zn_lua_chunk_destroy(zn_lua_chunk **chunk);

/* Whether a bare name that is no field is something else than nil. */
bool zn_lua_chunk_has_global(const zn_lua_chunk *chunk, zn_bytes name);

/* Pushes the function, which gets items, shard and emit (SHARD), or key, rows and emit (GROUP); in
 * protected calls, with these forms only. */
void zn_lua_chunk_push(lua_State *lua);

/* What both chunks and functions of scripts do with results; in protected calls. */

/* The truth of a filter's answer: false, nil and null are false. */
bool zn_lua_truth(lua_State *lua, int index);

/* Pushes the record of one side of a join; one that is not there is nil. */
void zn_lua_push_side(lua_State *lua, zn_bytes record);

/* The global `emit`: appends its argument to state->out. */
int zn_lua_emit(lua_State *lua);

/* Appends the value at `index` to state->out. */
void zn_lua_give(lua_State *lua, int index);

#endif
