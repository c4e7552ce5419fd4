/* SPDX-License-Identifier: MPL-2.0 */
/* The sandbox: which names user code sees. Everything is listed by name, so a newer Lua brings
 * nothing in by itself. Libraries are seen through empty read-only tables, because a change of one
 * would outlive a shard and make results depend on which shards ran before; the real string table
 * is only reachable as methods of strings, whose metatable is hidden. What is not here is missing
 * on purpose: io, os, package, debug, load and its kin (code from data, bytecode), string.dump,
 * collectgarbage, print, warn, math.randomseed. */
#include "ops/lua_sandbox.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stddef.h>

#include "record/lua_value.h"

static const char globals_key = 0;
static const char zonda_key = 0;
static const char seed_key = 0;

static const char *const base_names[] = {
    "assert", "error",  "getmetatable", "ipairs",   "pairs",  "pcall",    "rawequal", "rawget",
    "rawlen", "select", "tonumber",     "tostring", "xpcall", "_VERSION", NULL
};

typedef struct library {
    const char *name;
    lua_CFunction open;
    const char *removed; /* one function that is left out */
} library;

static const library libraries[] = {
    { LUA_STRLIBNAME, luaopen_string, "dump" },      { LUA_TABLIBNAME, luaopen_table, NULL },
    { LUA_MATHLIBNAME, luaopen_math, "randomseed" }, { LUA_UTF8LIBNAME, luaopen_utf8, NULL },
    { LUA_COLIBNAME, luaopen_coroutine, NULL },
};

enum {
    LIBRARY_COUNT = sizeof libraries / sizeof libraries[0]
};

static int refuse_change(lua_State *lua) {
    return luaL_error(lua, "%s cannot be changed", lua_tostring(lua, lua_upvalueindex(1)));
}

int zn_lua_sandbox_refuse_global(lua_State *lua) {
    return luaL_error(lua, "'%s' is not a local variable: declare it with 'local %s'",
                      luaL_tolstring(lua, 2, NULL), luaL_tolstring(lua, 2, NULL));
}

void zn_lua_sandbox_protect(lua_State *lua, const char *what) {
    lua_newtable(lua);
    lua_createtable(lua, 0, 4);
    lua_pushvalue(lua, -3);
    lua_setfield(lua, -2, "__index");
    lua_pushstring(lua, what);
    lua_pushcclosure(lua, refuse_change, 1);
    lua_setfield(lua, -2, "__newindex");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_setmetatable(lua, -2);
    lua_remove(lua, -2);
}

/* Hides the metatable of strings, and with it the real string table. */
static void hide_string_methods(lua_State *lua) {
    lua_pushliteral(lua, "");
    lua_getmetatable(lua, -1);
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 2);
}

/* Pushes all real library tables and takes out what is left out. */
static void open_libraries(lua_State *lua) {
    for (size_t i = 0; i < LIBRARY_COUNT; i++) {
        luaL_requiref(lua, libraries[i].name, libraries[i].open, 0);
        if (libraries[i].open == luaopen_math) {
            lua_getfield(lua, -1, "randomseed");
            lua_rawsetp(lua, LUA_REGISTRYINDEX, &seed_key);
        }
        if (libraries[i].removed != NULL) {
            lua_pushnil(lua);
            lua_setfield(lua, -2, libraries[i].removed);
        }
    }
}

/* Copies the allowed functions of the base library to the table at `globals`. */
static void open_base(lua_State *lua, int globals) {
    luaL_requiref(lua, LUA_GNAME, luaopen_base, 0);
    for (const char *const *name = base_names; *name != NULL; name++) {
        lua_getfield(lua, -1, *name);
        lua_setfield(lua, globals, *name);
    }
    lua_pop(lua, 1);
}

/* What Lua keeps for require and for load: nothing that user code could come by may have it. */
static void forget_libraries(lua_State *lua) {
    lua_newtable(lua);
    lua_setfield(lua, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_newtable(lua);
    lua_rawseti(lua, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}

void zn_lua_sandbox_open(lua_State *lua) {
    zn_lua_value_open(lua);
    lua_newtable(lua);
    int globals = lua_gettop(lua);
    lua_pushvalue(lua, globals);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &globals_key);
    open_base(lua, globals);
    open_libraries(lua);
    zn_lua_base_open(lua, globals, globals + 1, globals + 2, globals + LIBRARY_COUNT);
    for (int i = LIBRARY_COUNT - 1; i >= 0; i--) {
        zn_lua_sandbox_protect(lua, libraries[i].name);
        lua_setfield(lua, globals, libraries[i].name);
    }
    hide_string_methods(lua);
    lua_newtable(lua);
    lua_pushvalue(lua, -1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &zonda_key);
    zn_lua_zonda_open(lua);
    zn_lua_sandbox_protect(lua, "zonda");
    lua_setfield(lua, globals, "zonda");
    forget_libraries(lua);
    lua_pop(lua, 1);
}

void zn_lua_sandbox_push(lua_State *lua) {
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &globals_key);
}

void zn_lua_sandbox_push_zonda(lua_State *lua) {
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &zonda_key);
}

void zn_lua_sandbox_seed(lua_State *lua, lua_Integer first, lua_Integer second) {
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &seed_key);
    lua_pushinteger(lua, first);
    lua_pushinteger(lua, second);
    lua_call(lua, 2, 0);
}
