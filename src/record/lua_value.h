/* SPDX-License-Identifier: MPL-2.0 */
/* Records as Lua values. Every function here may raise a Lua error, so it is called in protected
 * mode, and buffers that it writes to belong to someone outside of the protected call.
 *
 * From MessagePack: integers are integers, doubles floats, strings and binaries strings, nil is
 * zonda.null. Maps and lists are views (lua_view.h): they look like tables, read the bytes in place
 * and note changes beside them. Integers above int64 and extensions are opaque values that compare,
 * print and are written as they came.
 *
 * To MessagePack: strings that are UTF-8 are strings, all others binaries; nil and zonda.null are
 * nil; a table with the keys 1 … n, n > 0, is a list; one made by zonda.array is a list, also when
 * empty; every other table is a map with sorted keys. Views are written as they came, with what was
 * changed in its old place and new fields last. */
#ifndef ZN_RECORD_LUA_VALUE_H
#define ZN_RECORD_LUA_VALUE_H

#include <lua.h>

#include "base/buf.h"

/* Prepares a state; once, before everything else. */
void zn_lua_value_open(lua_State *lua);

/* Pushes a checked value; maps and lists are copied. */
void zn_lua_push(lua_State *lua, zn_bytes value);

/* The same without a copy, for bytes that outlive the state; maps and lists are read-only. */
void zn_lua_push_frozen(lua_State *lua, zn_bytes value);

/* Pushes a value that is neither map nor list; false, and nothing pushed, if it is one. */
bool zn_lua_push_scalar(lua_State *lua, zn_bytes value);

void zn_lua_push_null(lua_State *lua);
bool zn_lua_is_null(lua_State *lua, int index);

/* True for views, which are maps and lists from data. */
bool zn_lua_is_view(lua_State *lua, int index);

/* True for views that zn_lua_push_frozen made, and those in them. */
bool zn_lua_is_frozen(lua_State *lua, int index);

/* "table" for views, "null", "uint64", "extension"; else what lua_typename says. */
const char *zn_lua_type_name(lua_State *lua, int index);

/* lua_next for tables and views: pops a key, pushes the next key and its value, or nothing and
 * returns false at the end. */
bool zn_lua_next(lua_State *lua, int index);

/* Marks the table at `index` as a list, whatever it holds. Error: it has a metatable. */
void zn_lua_mark_array(lua_State *lua, int index);

/* Appends the value at `index` to `out`, which keeps undefined bytes behind its old length if an
 * error is raised. The error names the place of what cannot be written, such as "field a.b[3]". */
void zn_lua_encode(lua_State *lua, int index, zn_buf *out);

#endif
