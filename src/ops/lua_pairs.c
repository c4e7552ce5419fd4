/* SPDX-License-Identifier: MPL-2.0 */
/* `pairs` in a fixed order. Lua walks a table in the order of hashes, which differ from process to
 * process; a function that emits while it walks would give other results in every attempt, and
 * results must be a function of plan and input. So keys come sorted: numbers, then texts by their
 * bytes, then false and true, then all else (tables, functions) in Lua's own order. The keys are
 * those of the moment of the call; what was removed since is skipped. A plain list is walked as
 * always, at no cost. */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "ops/lua_sandbox.h"
#include "record/lua_value.h"

/* A key as the sort sees it; the key itself is element `at` of a Lua list. */
struct key {
    int rank;
    bool is_integer;
    lua_Integer integer; /* or false and true */
    lua_Number number;
    zn_bytes text;
    lua_Integer at;
};

enum {
    RANK_NUMBER,
    RANK_TEXT,
    RANK_BOOLEAN,
    RANK_OTHER
};

static int compare_bytes(zn_bytes a, zn_bytes b) {
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.data, b.data, len) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_keys(const void *left, const void *right) {
    const struct key *a = left;
    const struct key *b = right;
    if (a->rank != b->rank) {
        return a->rank - b->rank;
    }
    int order = 0;
    if (a->rank == RANK_TEXT) {
        order = compare_bytes(a->text, b->text);
    } else if (a->rank == RANK_NUMBER && !(a->is_integer && b->is_integer)) {
        order = (a->number > b->number) - (a->number < b->number);
    } else if (a->rank != RANK_OTHER) {
        order = (a->integer > b->integer) - (a->integer < b->integer);
    }
    return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

static struct key read_key(lua_State *lua, int index, lua_Integer at) {
    struct key key = { .rank = RANK_OTHER, .at = at };
    switch (lua_type(lua, index)) {
    case LUA_TNUMBER:
        key.rank = RANK_NUMBER;
        key.is_integer = lua_isinteger(lua, index) != 0;
        key.integer = lua_tointeger(lua, index);
        key.number = lua_tonumber(lua, index);
        break;
    case LUA_TSTRING:
        key.rank = RANK_TEXT;
        key.text.data = (const uint8_t *)lua_tolstring(lua, index, &key.text.len);
        break;
    case LUA_TBOOLEAN:
        key.rank = RANK_BOOLEAN;
        key.integer = lua_toboolean(lua, index);
        break;
    default:
        break;
    }
    return key;
}

/* Counts the pairs of the table at index 1; `*in_order` if Lua gives them as 1, 2, 3 …, n. */
static lua_Integer count_pairs(lua_State *lua, bool *in_order) {
    lua_Integer count = 0;
    *in_order = true;
    lua_pushnil(lua);
    while (lua_next(lua, 1) != 0) {
        lua_pop(lua, 1);
        count++;
        *in_order = *in_order && lua_isinteger(lua, -1) && lua_tointeger(lua, -1) == count;
    }
    return count;
}

/* Pushes the list of all keys of the table at index 1, sorted. */
static void push_keys(lua_State *lua, lua_Integer count) {
    struct key *keys = lua_newuserdatauv(lua, (size_t)count * sizeof *keys, 0);
    lua_createtable(lua, (int)count, 0);
    int found = lua_gettop(lua);
    lua_Integer used = 0;
    lua_pushnil(lua);
    while (lua_next(lua, 1) != 0) {
        lua_pop(lua, 1);
        keys[used] = read_key(lua, -1, used + 1);
        used++;
        lua_pushvalue(lua, -1);
        lua_rawseti(lua, found, used);
    }
    qsort(keys, (size_t)used, sizeof *keys, compare_keys);
    lua_createtable(lua, (int)used, 0);
    for (lua_Integer i = 0; i < used; i++) {
        lua_rawgeti(lua, found, keys[i].at);
        lua_rawseti(lua, -2, i + 1);
    }
}

/* The iterator; its upvalues are the list of keys and the number of the last one. */
static int next_sorted(lua_State *lua) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_Integer at = lua_tointeger(lua, lua_upvalueindex(2));
    for (;;) {
        lua_settop(lua, 1);
        if (lua_rawgeti(lua, lua_upvalueindex(1), ++at) == LUA_TNIL) {
            return 1;
        }
        lua_pushvalue(lua, 2);
        if (lua_rawget(lua, 1) != LUA_TNIL) {
            break;
        }
    }
    lua_pushinteger(lua, at);
    lua_replace(lua, lua_upvalueindex(2));
    return 2;
}

static int next_in_list(lua_State *lua) {
    lua_settop(lua, 2);
    if (lua_next(lua, 1) != 0) {
        return 2;
    }
    lua_pushnil(lua);
    return 1;
}

int zn_lua_pairs(lua_State *lua) {
    luaL_checkany(lua, 1);
    if (luaL_getmetafield(lua, 1, "__pairs") != LUA_TNIL) {
        lua_pushvalue(lua, 1);
        lua_call(lua, 1, 3);
        return 3;
    }
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_settop(lua, 1);
    bool in_order;
    lua_Integer count = count_pairs(lua, &in_order);
    if (in_order) {
        lua_pushcfunction(lua, next_in_list);
    } else {
        push_keys(lua, count);
        lua_pushinteger(lua, 0);
        lua_pushcclosure(lua, next_sorted, 2);
    }
    lua_pushvalue(lua, 1);
    lua_pushnil(lua);
    return 3;
}
