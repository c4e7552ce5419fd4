/* SPDX-License-Identifier: MPL-2.0 */
/* Finds out whether a function of a script can keep state between calls. A slot runs the shards
 * that it happens to get; if a function counted them in a variable outside of itself, results would
 * depend on that. So a function whose closure holds only plain values (numbers, texts, other such
 * functions) gets those set back for every shard, and any other one (tables, coroutines, iterators)
 * gets a freshly evaluated script.
 *
 * The walk goes over upvalues, and from _ENV over the globals that the script has set. */
#include <lauxlib.h>

#include "ops/lua_plugin.h"
#include "ops/lua_sandbox.h"
#include "ops/lua_script_state.h"
#include "record/lua_value.h"

static const char plain_key = 0;

/* The stack of the walk: at `seen` a table function → true, at `plain` a list of function, number
 * of the upvalue, value. */
struct walk {
    lua_State *lua;
    int seen;
    int plain;
    unsigned depth;
};

enum {
    DEPTH_MAX = 64 /* functions in functions; deeper ones count as not plain */
};

static bool is_plain_function(struct walk *walk, int index);

static bool is_plain(struct walk *walk, int index) {
    size_t node;
    switch (lua_type(walk->lua, index)) {
    case LUA_TNIL:
    case LUA_TBOOLEAN:
    case LUA_TNUMBER:
    case LUA_TSTRING:
        return true;
    case LUA_TFUNCTION:
        return is_plain_function(walk, index);
    case LUA_TUSERDATA:
        return zn_lua_is_null(walk->lua, index) || zn_lua_is_frozen(walk->lua, index) ||
               zn_lua_plugin_is(walk->lua, index) || zn_lua_dataset_node(walk->lua, index, &node);
    default:
        return false;
    }
}

/* Whether the value at `index` is one that the sandbox has under the name at `name`. */
static bool is_builtin(struct walk *walk, int name, int index) {
    lua_State *lua = walk->lua;
    zn_lua_sandbox_push(lua);
    lua_pushvalue(lua, name);
    lua_rawget(lua, -2);
    bool same = lua_rawequal(lua, -1, index) != 0;
    lua_pop(lua, 2);
    return same;
}

/* The globals: what the script has set must be plain too. */
static bool are_plain_globals(struct walk *walk, int index) {
    lua_State *lua = walk->lua;
    lua_pushvalue(lua, index);
    if (lua_rawget(lua, walk->seen) != LUA_TNIL) {
        lua_pop(lua, 1);
        return true;
    }
    lua_pop(lua, 1);
    lua_pushvalue(lua, index);
    lua_pushboolean(lua, 1);
    lua_rawset(lua, walk->seen);
    if (luaL_getmetafield(lua, index, "__index") != LUA_TTABLE) {
        return false;
    }
    int table = lua_gettop(lua);
    bool plain = true;
    lua_pushnil(lua);
    while (plain && lua_next(lua, table) != 0) {
        plain = is_builtin(walk, table + 1, table + 2) || is_plain(walk, table + 2);
        lua_settop(lua, table + 1);
    }
    lua_settop(lua, table - 1);
    return plain;
}

/* Notes the value on the top for zn_lua_closure_restore. */
static void note(struct walk *walk, int function, int number) {
    lua_State *lua = walk->lua;
    lua_Integer used = (lua_Integer)lua_rawlen(lua, walk->plain);
    lua_pushvalue(lua, function);
    lua_rawseti(lua, walk->plain, used + 1);
    lua_pushinteger(lua, number);
    lua_rawseti(lua, walk->plain, used + 2);
    lua_pushvalue(lua, -1);
    lua_rawseti(lua, walk->plain, used + 3);
}

/* The upvalue is on the top. A nil cannot be an element of the list: a light userdata stands for
 * it. */
static bool is_plain_upvalue(struct walk *walk, int function, int number) {
    lua_State *lua = walk->lua;
    zn_lua_script_push_globals(lua);
    bool is_globals = lua_rawequal(lua, -1, -2) != 0;
    lua_pop(lua, 1);
    if (is_globals) {
        return are_plain_globals(walk, lua_gettop(lua));
    }
    if (!is_plain(walk, lua_gettop(lua))) {
        return false;
    }
    if (lua_isnil(lua, -1)) {
        lua_pop(lua, 1);
        lua_pushlightuserdata(lua, (void *)(uintptr_t)&plain_key);
    }
    note(walk, function, number);
    return true;
}

static bool is_plain_function(struct walk *walk, int index) {
    lua_State *lua = walk->lua;
    luaL_checkstack(lua, 16, NULL);
    if (lua_iscfunction(lua, index)) {
        return lua_getupvalue(lua, index, 1) == NULL; /* the caller cleans the stack */
    }
    lua_pushvalue(lua, index);
    bool known = lua_rawget(lua, walk->seen) != LUA_TNIL;
    lua_pop(lua, 1);
    if (known || walk->depth >= DEPTH_MAX) {
        return known;
    }
    walk->depth++;
    lua_pushvalue(lua, index);
    lua_pushboolean(lua, 1);
    lua_rawset(lua, walk->seen);
    int top = lua_gettop(lua);
    bool plain = true;
    for (int i = 1; plain && lua_getupvalue(lua, index, i) != NULL; i++) {
        plain = is_plain_upvalue(walk, index, i);
        lua_settop(lua, top);
    }
    walk->depth--;
    return plain;
}

bool zn_lua_closure_is_plain(lua_State *lua, int index) {
    index = lua_absindex(lua, index);
    lua_newtable(lua);
    lua_newtable(lua);
    struct walk walk = { .lua = lua, .seen = lua_gettop(lua) - 1, .plain = lua_gettop(lua) };
    bool plain = is_plain_function(&walk, index);
    lua_settop(lua, walk.plain);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &plain_key);
    lua_pop(lua, 1);
    return plain;
}

void zn_lua_closure_restore(lua_State *lua) {
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &plain_key);
    int list = lua_gettop(lua);
    lua_Integer count = (lua_Integer)lua_rawlen(lua, list);
    for (lua_Integer i = 1; i <= count; i += 3) {
        lua_rawgeti(lua, list, i);
        lua_rawgeti(lua, list, i + 1);
        int number = (int)lua_tointeger(lua, -1);
        lua_pop(lua, 1);
        lua_rawgeti(lua, list, i + 2);
        if (lua_touserdata(lua, -1) == &plain_key) {
            lua_pop(lua, 1);
            lua_pushnil(lua);
        }
        lua_setupvalue(lua, -2, number);
        lua_settop(lua, list);
    }
    lua_pop(lua, 1);
}
