/* SPDX-License-Identifier: MPL-2.0 */
/* Walking over views: `next` for maps (fields in their order, then new ones in the order of their
 * assignment) and lists. A map remembers which key it gave last, so a whole loop costs one walk
 * over its bytes, also if a key is there twice; any other key is searched for. */
#include "record/lua_value.h"

#include <lauxlib.h>

#include "record/lua_view.h"

/* Pushes a key as a Lua value; nil cannot be one. */
static void push_key(lua_State *lua, zn_bytes key) {
    if (!zn_lua_push_scalar(lua, key)) {
        zn_lua_push(lua, key);
    }
}

static const uint8_t *end_of(const zn_lua_view *view) {
    return view->bytes.data + view->bytes.len;
}

/* Pushes key and value at `at` and remembers the place; false, and nothing pushed, if the field was
 * removed. */
static bool push_pair(lua_State *lua, int index, const uint8_t *at) {
    zn_lua_view *view = lua_touserdata(lua, index);
    zn_cursor cursor = { .at = at, .end = end_of(view) };
    push_key(lua, zn_cursor_skip(&cursor));
    int key = lua_gettop(lua);
    bool noted = lua_getiuservalue(lua, index, ZN_VIEW_FIELDS) == LUA_TTABLE;
    if (noted) {
        lua_pushvalue(lua, key);
        noted = lua_rawget(lua, -2) != LUA_TNIL;
    }
    if (noted && lua_touserdata(lua, -1) == &zn_lua_removed) {
        lua_settop(lua, key - 1);
        return false;
    }
    if (noted) {
        lua_replace(lua, key + 1);
        lua_settop(lua, key + 1);
    } else {
        lua_settop(lua, key);
        zn_lua_view_push_inner(lua, index, zn_cursor_skip(&cursor), key);
    }
    view->at = at;
    view->at_index = 0;
    return true;
}

/* The same for the first new field behind number `after` that is still there. */
static bool push_new_pair(lua_State *lua, int index, lua_Integer after) {
    zn_lua_view *view = lua_touserdata(lua, index);
    int top = lua_gettop(lua);
    if (lua_getiuservalue(lua, index, ZN_VIEW_ORDER) == LUA_TNIL) {
        lua_settop(lua, top);
        return false;
    }
    lua_getiuservalue(lua, index, ZN_VIEW_FIELDS);
    for (lua_Integer i = after + 1; lua_rawgeti(lua, top + 1, i) != LUA_TNIL; i++) {
        lua_pushvalue(lua, -1);
        lua_rawget(lua, top + 2);
        if (lua_touserdata(lua, -1) != &zn_lua_removed) {
            lua_replace(lua, top + 2);
            lua_replace(lua, top + 1);
            view->at = NULL;
            view->at_index = (uint32_t)i;
            return true;
        }
        lua_pop(lua, 2);
    }
    lua_settop(lua, top);
    return false;
}

/* True if the key that was given last is the one at `key`. */
static bool was_last(lua_State *lua, const zn_lua_view *view, int key) {
    if (view->at == NULL) {
        return false;
    }
    zn_cursor cursor = { .at = view->at, .end = end_of(view) };
    zn_bytes last = zn_cursor_skip(&cursor);
    int type = lua_type(lua, key);
    if (type != LUA_TSTRING && type != LUA_TNUMBER) {
        return true; /* keys that only a loop can have come by */
    }
    push_key(lua, last);
    bool same = lua_rawequal(lua, -1, key) != 0;
    lua_pop(lua, 1);
    return same;
}

/* The number of the new field at `key`, or 0. */
static lua_Integer number_of_new(lua_State *lua, int index, int key) {
    zn_lua_view *view = lua_touserdata(lua, index);
    lua_Integer number = 0;
    if (lua_getiuservalue(lua, index, ZN_VIEW_ORDER) == LUA_TTABLE) {
        lua_Integer last = view->at == NULL ? (lua_Integer)view->at_index : 0;
        lua_Integer start = last > 0 ? last : 1;
        for (lua_Integer i = start; number == 0 && lua_rawgeti(lua, -1, i) != LUA_TNIL; i++) {
            number = lua_rawequal(lua, -1, key) != 0 ? i : 0;
            lua_pop(lua, 1);
        }
        for (lua_Integer i = 1; number == 0 && i < start; i++) {
            lua_rawgeti(lua, -1, i);
            number = lua_rawequal(lua, -1, key) != 0 ? i : 0;
            lua_pop(lua, 1);
        }
    }
    return number;
}

/* The key is on the top; leaves key and value instead of it, or nothing. */
static bool next_field(lua_State *lua, int index) {
    zn_lua_view *view = lua_touserdata(lua, index);
    int key = lua_gettop(lua);
    zn_cursor cursor = zn_lua_view_begin(view);
    lua_Integer number = 0;
    if (!lua_isnil(lua, key)) {
        const uint8_t *at = was_last(lua, view, key) ? view->at : zn_lua_view_find(lua, index, key);
        number = at == NULL ? number_of_new(lua, index, key) : 0;
        if (at == NULL && number == 0) {
            luaL_error(lua, "invalid key to 'next'");
        }
        cursor.at = at == NULL ? cursor.end : at;
        if (at != NULL) {
            zn_lua_view_read_key(&cursor);
            zn_cursor_skip(&cursor);
        }
    }
    lua_settop(lua, key - 1);
    while (cursor.at < cursor.end) {
        if (push_pair(lua, index, cursor.at)) {
            return true;
        }
        zn_lua_view_read_key(&cursor);
        zn_cursor_skip(&cursor);
    }
    return push_new_pair(lua, index, number);
}

static bool next_element(lua_State *lua, int index) {
    const zn_lua_view *view = lua_touserdata(lua, index);
    lua_Integer number = lua_isnil(lua, -1) ? 0 : luaL_checkinteger(lua, -1);
    lua_pop(lua, 1);
    if (number < 0 || number >= (lua_Integer)view->count) {
        return false;
    }
    lua_pushinteger(lua, number + 1);
    lua_geti(lua, index, number + 1);
    return true;
}

bool zn_lua_next(lua_State *lua, int index) {
    if (!zn_lua_is_view(lua, index)) {
        return lua_next(lua, index) != 0;
    }
    luaL_checkstack(lua, 8, NULL);
    index = lua_absindex(lua, index);
    const zn_lua_view *view = lua_touserdata(lua, index);
    return view->is_list ? next_element(lua, index) : next_field(lua, index);
}
