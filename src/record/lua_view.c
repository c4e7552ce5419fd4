/* SPDX-License-Identifier: MPL-2.0 */
/* Maps and lists of data as Lua sees them: userdata that behave like tables. A view reads the bytes
 * of the record in place, so a function that looks at two fields of twenty pays for two.
 *
 * Invariants. The bytes never change; what a script assigns goes to the table FIELDS, and names of
 * new fields to ORDER, which is why old fields keep their place. An inner map or list is one view,
 * kept in FIELDS of the outer one, so that changes of it are not lost; it keeps its parent alive
 * and marks it as changed together with itself. A list is moved to FIELDS whole at its first change
 * (and when it is read against its order), so its elements 1 … count never have holes.
 *
 * Reading costs stay linear: a list remembers where it was read last, a map that is searched often
 * gets an index. */
#include "record/lua_view.h"

#include <lauxlib.h>
#include <string.h>

#include "base/assert.h"

enum {
    COUNT_SMALL = 32, /* containers up to here are searched without help */
    SEARCHES_MAX = 4, /* walks over a large map before it gets an index */
};

const char zn_lua_view_type = 0;
const char zn_lua_removed = 0;

/* A view of `bytes`; the caller sets the parent. */
static zn_lua_view *new_view(lua_State *lua, zn_bytes bytes, size_t copy_bytes) {
    zn_value head = zn_value_head(bytes);
    zn_lua_view *view = lua_newuserdatauv(lua, sizeof *view + copy_bytes, ZN_VIEW_VALUES);
    *view = (zn_lua_view){ .bytes = bytes,
                           .count = head.count,
                           .is_list = head.type == ZN_VALUE_ARRAY };
    if (copy_bytes > 0) {
        view->bytes.data = memcpy(view + 1, bytes.data, copy_bytes);
    }
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &zn_lua_view_type);
    lua_setmetatable(lua, -2);
    return view;
}

void zn_lua_push(lua_State *lua, zn_bytes value) {
    if (!zn_lua_push_scalar(lua, value)) {
        new_view(lua, value, value.len);
    }
}

void zn_lua_push_frozen(lua_State *lua, zn_bytes value) {
    if (!zn_lua_push_scalar(lua, value)) {
        new_view(lua, value, 0)->frozen = true;
    }
}

bool zn_lua_is_view(lua_State *lua, int index) {
    return lua_type(lua, index) == LUA_TUSERDATA && zn_lua_test(lua, index, &zn_lua_view_type);
}

bool zn_lua_is_frozen(lua_State *lua, int index) {
    const zn_lua_view *view = zn_lua_test(lua, index, &zn_lua_view_type);
    return view != NULL && view->frozen;
}

zn_cursor zn_lua_view_begin(const zn_lua_view *view) {
    zn_cursor cursor = zn_cursor_of(view->bytes);
    zn_cursor_read(&cursor);
    return cursor;
}

zn_value zn_lua_view_read_key(zn_cursor *cursor) {
    zn_cursor start = *cursor;
    zn_value key = zn_cursor_read(cursor);
    if (key.type == ZN_VALUE_MAP || key.type == ZN_VALUE_ARRAY) {
        *cursor = start;
        zn_cursor_skip(cursor);
    }
    return key;
}

/* Pushes a user value of the view at `index`, making it a table first if it is nil. */
static void push_table(lua_State *lua, int index, int which) {
    if (lua_getiuservalue(lua, index, which) != LUA_TNIL) {
        return;
    }
    lua_pop(lua, 1);
    lua_newtable(lua);
    lua_pushvalue(lua, -1);
    lua_setiuservalue(lua, index, which);
}

/* Pushes what FIELDS has under `key`; false, and nothing pushed, if that is nothing. */
static bool push_noted(lua_State *lua, int index, int key) {
    if (lua_getiuservalue(lua, index, ZN_VIEW_FIELDS) == LUA_TNIL) {
        lua_pop(lua, 1);
        return false;
    }
    lua_pushvalue(lua, key);
    int type = lua_rawget(lua, -2);
    lua_remove(lua, -2);
    if (type == LUA_TNIL) {
        lua_pop(lua, 1);
        return false;
    }
    return true;
}

/* FIELDS[key] = the value on the top, which stays. */
static void note(lua_State *lua, int index, int key) {
    push_table(lua, index, ZN_VIEW_FIELDS);
    lua_pushvalue(lua, key);
    lua_pushvalue(lua, -3);
    lua_rawset(lua, -3);
    lua_pop(lua, 1);
}

void zn_lua_view_push_inner(lua_State *lua, int index, zn_bytes bytes, int key) {
    if (zn_lua_push_scalar(lua, bytes) || push_noted(lua, index, key)) {
        return;
    }
    zn_lua_view *outer = lua_touserdata(lua, index);
    zn_lua_view *view = new_view(lua, bytes, 0);
    view->parent = outer;
    view->frozen = outer->frozen;
    lua_pushvalue(lua, index);
    lua_setiuservalue(lua, -2, ZN_VIEW_PARENT);
    note(lua, index, key);
}

static bool key_matches(lua_State *lua, zn_value key, int index, zn_bytes text) {
    if (key.type == ZN_VALUE_STRING || key.type == ZN_VALUE_BINARY) {
        return text.data != NULL && zn_bytes_equal(key.bytes, text);
    }
    return key.type == ZN_VALUE_INT && lua_isinteger(lua, index) &&
           lua_tointeger(lua, index) == key.integer;
}

static const uint8_t *search(lua_State *lua, const zn_lua_view *view, int key) {
    zn_bytes text = { 0 };
    if (lua_type(lua, key) == LUA_TSTRING) {
        text.data = (const uint8_t *)lua_tolstring(lua, key, &text.len);
    }
    const uint8_t *found = NULL;
    zn_cursor cursor = zn_lua_view_begin(view);
    while (cursor.at < cursor.end) {
        const uint8_t *start = cursor.at;
        if (key_matches(lua, zn_lua_view_read_key(&cursor), key, text)) {
            found = start;
        }
        zn_cursor_skip(&cursor);
    }
    return found;
}

/* Pushes the index of a map, making it first. */
static void push_index(lua_State *lua, int index, const zn_lua_view *view) {
    if (lua_getiuservalue(lua, index, ZN_VIEW_INDEX) != LUA_TNIL) {
        return;
    }
    lua_pop(lua, 1);
    lua_newtable(lua);
    zn_cursor cursor = zn_lua_view_begin(view);
    while (cursor.at < cursor.end) {
        lua_Integer offset = (lua_Integer)(cursor.at - view->bytes.data);
        zn_value key = zn_lua_view_read_key(&cursor);
        zn_cursor_skip(&cursor);
        if (key.type == ZN_VALUE_INT) {
            lua_pushinteger(lua, (lua_Integer)key.integer);
        } else if (key.type == ZN_VALUE_STRING || key.type == ZN_VALUE_BINARY) {
            lua_pushlstring(lua, (const char *)key.bytes.data, key.bytes.len);
        } else {
            continue;
        }
        lua_pushinteger(lua, offset);
        lua_rawset(lua, -3);
    }
    lua_pushvalue(lua, -1);
    lua_setiuservalue(lua, index, ZN_VIEW_INDEX);
}

const uint8_t *zn_lua_view_find(lua_State *lua, int index, int key) {
    zn_lua_view *view = lua_touserdata(lua, index);
    int type = lua_type(lua, key);
    if (type != LUA_TSTRING && type != LUA_TNUMBER) {
        return NULL;
    }
    if (view->count <= COUNT_SMALL || view->searches < SEARCHES_MAX) {
        view->searches++;
        return search(lua, view, key);
    }
    push_index(lua, index, view);
    lua_pushvalue(lua, key);
    const uint8_t *found = NULL;
    if (lua_rawget(lua, -2) == LUA_TNUMBER) {
        found = view->bytes.data + lua_tointeger(lua, -1);
    }
    lua_pop(lua, 2);
    return found;
}

static int index_map(lua_State *lua, zn_lua_view *view) {
    if (push_noted(lua, 1, 2)) {
        if (lua_touserdata(lua, -1) == &zn_lua_removed) {
            lua_pushnil(lua);
        }
        return 1;
    }
    const uint8_t *found = zn_lua_view_find(lua, 1, 2);
    if (found == NULL) {
        return 0;
    }
    zn_cursor cursor = { .at = found, .end = view->bytes.data + view->bytes.len };
    zn_lua_view_read_key(&cursor);
    zn_lua_view_push_inner(lua, 1, zn_cursor_skip(&cursor), 2);
    return 1;
}

/* Moves to element `number` (from 0) and returns its bytes. */
static zn_bytes read_element(zn_lua_view *view, uint32_t number) {
    zn_cursor cursor = { .at = view->at, .end = view->bytes.data + view->bytes.len };
    if (view->at == NULL || number < view->at_index) {
        cursor = zn_lua_view_begin(view);
        view->at_index = 0;
    }
    for (; view->at_index < number; view->at_index++) {
        zn_cursor_skip(&cursor);
    }
    view->at = cursor.at;
    return zn_cursor_skip(&cursor);
}

void zn_lua_view_load(lua_State *lua, int index) {
    zn_lua_view *view = lua_touserdata(lua, index);
    if (view->loaded) {
        return;
    }
    lua_createtable(lua, (int)(view->count < COUNT_SMALL ? view->count : COUNT_SMALL), 0);
    int table = lua_gettop(lua);
    for (uint32_t i = 0; i < view->count; i++) {
        lua_pushinteger(lua, (lua_Integer)i + 1);
        zn_lua_view_push_inner(lua, index, read_element(view, i), table + 1);
        lua_rawset(lua, table);
    }
    lua_setiuservalue(lua, index, ZN_VIEW_FIELDS);
    view->loaded = true;
}

static int index_list(lua_State *lua, zn_lua_view *view) {
    int is_integer = 0;
    lua_Integer number = lua_tointegerx(lua, 2, &is_integer);
    if (lua_type(lua, 2) != LUA_TNUMBER || is_integer == 0 || number < 1 ||
        number > (lua_Integer)view->count) {
        return 0;
    }
    uint32_t place = (uint32_t)(number - 1);
    if (!view->loaded && view->count > COUNT_SMALL && view->at != NULL && place < view->at_index) {
        zn_lua_view_load(lua, 1);
    }
    if (view->loaded) {
        lua_getiuservalue(lua, 1, ZN_VIEW_FIELDS);
        lua_rawgeti(lua, -1, number);
        return 1;
    }
    lua_pushinteger(lua, number); /* the key may have been a float */
    zn_lua_view_push_inner(lua, 1, read_element(view, place), lua_gettop(lua));
    return 1;
}

/* The view that a metamethod was called on. */
static zn_lua_view *check_view(lua_State *lua) {
    zn_lua_view *view = zn_lua_test(lua, 1, &zn_lua_view_type);
    if (view == NULL) {
        luaL_error(lua, "a record is expected");
    }
    return view;
}

static int index_view(lua_State *lua) {
    zn_lua_view *view = check_view(lua);
    return view->is_list ? index_list(lua, view) : index_map(lua, view);
}

static void mark_changed(zn_lua_view *view) {
    for (; view != NULL && !view->changed; view = view->parent) {
        view->changed = true;
    }
}

static void assign_field(lua_State *lua) {
    zn_lua_view *view = lua_touserdata(lua, 1);
    if (lua_type(lua, 2) != LUA_TSTRING) {
        luaL_error(lua, "the name of a field must be a string, not a %s", zn_lua_type_name(lua, 2));
    }
    bool noted = push_noted(lua, 1, 2);
    bool old = noted || zn_lua_view_find(lua, 1, 2) != NULL;
    lua_settop(lua, 3);
    if (lua_isnil(lua, 3)) {
        if (!old) {
            return;
        }
        lua_pushlightuserdata(lua, (void *)(uintptr_t)&zn_lua_removed);
    }
    note(lua, 1, 2);
    if (!old) {
        push_table(lua, 1, ZN_VIEW_ORDER);
        lua_pushvalue(lua, 2);
        lua_rawseti(lua, -2, (lua_Integer)lua_rawlen(lua, -2) + 1);
    }
    mark_changed(view);
}

static void assign_element(lua_State *lua) {
    zn_lua_view *view = lua_touserdata(lua, 1);
    int is_integer = 0;
    lua_Integer number = lua_tointegerx(lua, 2, &is_integer);
    lua_Integer count = (lua_Integer)view->count;
    if (lua_type(lua, 2) != LUA_TNUMBER || is_integer == 0) {
        luaL_error(lua, "a list has elements 1, 2, 3 …, no field '%s'",
                   luaL_tolstring(lua, 2, NULL));
    }
    bool removes = lua_isnil(lua, 3);
    if (removes && (number < 1 || number > count)) {
        return;
    }
    if (removes && number != count) {
        luaL_error(lua, "element %I of a list of %I cannot be nil: use table.remove or zonda.null",
                   number, count);
    }
    if (number < 1 || number > count + 1 || count + 1 >= (lua_Integer)UINT32_MAX) {
        luaL_error(lua, "there is no element %I in a list of %I", number, count);
    }
    zn_lua_view_load(lua, 1);
    lua_getiuservalue(lua, 1, ZN_VIEW_FIELDS);
    lua_pushvalue(lua, 3);
    lua_rawseti(lua, -2, number);
    view->count = (uint32_t)(removes ? count - 1 : number > count ? number : count);
    mark_changed(view);
}

static int assign_view(lua_State *lua) {
    zn_lua_view *view = check_view(lua);
    if (view->frozen) {
        luaL_error(lua, "this value is read-only");
    }
    if (view->is_list) {
        assign_element(lua);
    } else {
        assign_field(lua);
    }
    return 0;
}

static int count_view(lua_State *lua) {
    zn_lua_view *view = check_view(lua);
    lua_pushinteger(lua, view->is_list ? (lua_Integer)view->count : 0);
    return 1;
}

void zn_lua_view_open(lua_State *lua) {
    static const luaL_Reg methods[] = { { "__index", index_view },
                                        { "__newindex", assign_view },
                                        { "__len", count_view },
                                        { NULL, NULL } };
    zn_lua_new_type(lua, &zn_lua_view_type, "record");
    luaL_setfuncs(lua, methods, 0);
    lua_pop(lua, 1);
}
