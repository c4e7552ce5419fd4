/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_LUA_PLUGIN_H
#define ZN_OPS_LUA_PLUGIN_H

#include <lua.h>

#include "base/buf.h"
#include "base/digest.h"

/* Functions of plug-ins in pipeline scripts. Everything here may raise Lua errors. */

/* Sets zonda.plugin in the table on the top. */
void zn_lua_plugin_open(lua_State *lua);

/* Appends the argument value of the function of a plug-in at `index`; false if it is none. */
bool zn_lua_plugin_put(lua_State *lua, int index, zn_buf *out);

/* True for a plug-in or a function of one: values that cannot change. */
bool zn_lua_plugin_is(lua_State *lua, int index);

#endif
