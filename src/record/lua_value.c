/* SPDX-License-Identifier: MPL-2.0 */
/* What Lua's own library asks of records: names of types, text for people, and the set-up of all
 * types of values that come from data (lua_scalar.c, lua_view.c). Text goes through a buffer that
 * is a userdata, so that it is freed when an error is raised in between. */
#include "record/lua_value.h"

#include <lauxlib.h>

#include "base/limits.h"
#include "record/json.h"
#include "record/lua_view.h"

static const char buffers_type = 0;

enum {
    TEXT_BYTES_MAX = 4096
};

const char *zn_lua_type_name(lua_State *lua, int index) {
    if (lua_type(lua, index) != LUA_TUSERDATA) {
        return luaL_typename(lua, index);
    }
    if (zn_lua_is_view(lua, index)) {
        return "table";
    }
    if (zn_lua_is_null(lua, index)) {
        return "null";
    }
    if (zn_lua_test(lua, index, &zn_lua_uint64_type) != NULL) {
        return "uint64";
    }
    return zn_lua_test(lua, index, &zn_lua_ext_type) != NULL ? "extension" : "userdata";
}

/* A record being written, and its text. */
typedef struct buffers {
    zn_buf record;
    zn_buf text;
} buffers;

static int free_buffers(lua_State *lua) {
    buffers *both = zn_lua_test(lua, 1, &buffers_type);
    if (both != NULL) {
        zn_buf_free(&both->record);
        zn_buf_free(&both->text);
    }
    return 0;
}

static buffers *push_buffers(lua_State *lua) {
    buffers *both = lua_newuserdatauv(lua, sizeof *both, 0);
    *both = (buffers){ 0 };
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &buffers_type);
    lua_setmetatable(lua, -2);
    return both;
}

/* A view as JSON, cut to what a person reads. */
static int print_view(lua_State *lua) {
    buffers *both = push_buffers(lua);
    zn_lua_encode(lua, 1, &both->record);
    zonda_error error;
    if (zn_json_write(zn_buf_bytes(&both->record), &both->text, &error) != ZONDA_OK) {
        lua_pushfstring(lua, "record (%s)", error.text);
        return 1;
    }
    if (both->text.len > TEXT_BYTES_MAX) {
        both->text.len = TEXT_BYTES_MAX;
        zn_buf_append_text(&both->text, "...");
    }
    lua_pushlstring(lua, (const char *)both->text.data, both->text.len);
    zn_buf_free(&both->record);
    zn_buf_free(&both->text);
    return 1;
}

static int concat_view(lua_State *lua) {
    luaL_tolstring(lua, 1, NULL);
    luaL_tolstring(lua, 2, NULL);
    lua_concat(lua, 2);
    return 1;
}

static int next_of_view(lua_State *lua) {
    lua_settop(lua, 2);
    if (zn_lua_next(lua, 1)) {
        return 2;
    }
    lua_pushnil(lua);
    return 1;
}

static int pairs_of_view(lua_State *lua) {
    lua_pushcfunction(lua, next_of_view);
    lua_pushvalue(lua, 1);
    lua_pushnil(lua);
    return 3;
}

void zn_lua_value_open(lua_State *lua) {
    static const luaL_Reg view_methods[] = { { "__tostring", print_view },
                                             { "__concat", concat_view },
                                             { "__pairs", pairs_of_view },
                                             { NULL, NULL } };
    zn_lua_scalar_open(lua);
    zn_lua_view_open(lua);
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &zn_lua_view_type);
    luaL_setfuncs(lua, view_methods, 0);
    lua_pop(lua, 1);
    zn_lua_new_type(lua, &zn_lua_array_type, "list");
    lua_pop(lua, 1);
    zn_lua_new_type(lua, &buffers_type, "buffers");
    lua_pushcfunction(lua, free_buffers);
    lua_setfield(lua, -2, "__gc");
    lua_pop(lua, 1);
}
