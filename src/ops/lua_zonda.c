/* SPDX-License-Identifier: MPL-2.0 */
/* The part of the global `zonda` that works inside functions on records: null, array(t),
 * counter(name, n), shared(name). Shared values are read in place and kept, so asking for one at
 * every record costs a look-up; they are read-only, as SEMANTICS demands. */
#include <lauxlib.h>

#include "ops/lua_sandbox.h"
#include "ops/lua_state.h"
#include "record/lua_value.h"

static const char shared_key = 0;

static int make_array(lua_State *lua) {
    if (lua_isnoneornil(lua, 1)) {
        lua_settop(lua, 0);
        lua_newtable(lua);
    }
    if (zn_lua_is_view(lua, 1)) {
        return luaL_error(lua, "zonda.array wants a table; lists from data stay lists");
    }
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_settop(lua, 1);
    zn_lua_mark_array(lua, 1);
    return 1;
}

static zonda_task *check_task(lua_State *lua, const char *what) {
    zonda_task *task = zn_lua_state_of(lua)->task;
    if (task == NULL) {
        luaL_error(lua, "zonda.%s works only in functions on records", what);
    }
    return task;
}

static int add_counter(lua_State *lua) {
    const char *name = luaL_checkstring(lua, 1);
    lua_Integer value = luaL_optinteger(lua, 2, 1);
    zonda_task *task = check_task(lua, "counter");
    if (zonda_task_counter(task, name, (int64_t)value) != ZONDA_OK) {
        return luaL_error(lua, "the counter '%s' cannot be added: too many, or its name is bad",
                          name);
    }
    return 0;
}

static int get_shared(lua_State *lua) {
    zn_bytes name;
    name.data = (const uint8_t *)luaL_checklstring(lua, 1, &name.len);
    zonda_task *task = check_task(lua, "shared");
    lua_settop(lua, 1);
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &shared_key);
    lua_pushvalue(lua, 1);
    if (lua_rawget(lua, 2) != LUA_TNIL) {
        return 1;
    }
    zn_bytes value;
    zonda_error error = { 0 };
    zonda_err err = zn_task_shared_bytes(task, name, &value, &error);
    if (err == ZONDA_ERR_NOT_FOUND) {
        return luaL_error(lua, "%s", error.text);
    }
    if (err != ZONDA_OK) {
        return zn_lua_state_fail(lua, &error);
    }
    zn_lua_push_frozen(lua, value);
    lua_pushvalue(lua, 1);
    lua_pushvalue(lua, -2);
    lua_rawset(lua, 2);
    return 1;
}

void zn_lua_zonda_open(lua_State *lua) {
    static const luaL_Reg functions[] = { { "array", make_array },
                                          { "counter", add_counter },
                                          { "shared", get_shared },
                                          { NULL, NULL } };
    luaL_setfuncs(lua, functions, 0);
    zn_lua_push_null(lua);
    lua_setfield(lua, -2, "null");
    lua_newtable(lua);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &shared_key);
}
