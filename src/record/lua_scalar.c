/* SPDX-License-Identifier: MPL-2.0 */
/* Values of data that are neither map nor list, as Lua values. What Lua has no type for becomes an
 * opaque userdata that can be compared, printed and written again, so that nothing changes
 * silently: nil (zonda.null, one per state), integers above int64, MessagePack extensions. */
#include "record/lua_value.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <string.h>

#include "record/lua_view.h"

const char zn_lua_null_type = 0;
const char zn_lua_uint64_type = 0;
const char zn_lua_ext_type = 0;

static const char null_value = 0;

void zn_lua_new_type(lua_State *lua, const char *type, const char *name) {
    lua_newtable(lua);
    lua_pushstring(lua, name);
    lua_setfield(lua, -2, "__name");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_pushvalue(lua, -1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, type);
}

void *zn_lua_test(lua_State *lua, int index, const char *type) {
    void *memory = lua_touserdata(lua, index);
    if (memory == NULL || lua_getmetatable(lua, index) == 0) {
        return NULL;
    }
    lua_rawgetp(lua, LUA_REGISTRYINDEX, type);
    bool same = lua_rawequal(lua, -1, -2) != 0;
    lua_pop(lua, 2);
    return same ? memory : NULL;
}

static void new_userdata(lua_State *lua, const char *type, const void *data, size_t len) {
    void *memory = lua_newuserdatauv(lua, len, 0);
    if (len > 0) {
        memcpy(memory, data, len);
    }
    lua_rawgetp(lua, LUA_REGISTRYINDEX, type);
    lua_setmetatable(lua, -2);
}

void zn_lua_push_null(lua_State *lua) {
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &null_value);
}

bool zn_lua_is_null(lua_State *lua, int index) {
    return lua_type(lua, index) == LUA_TUSERDATA && zn_lua_test(lua, index, &zn_lua_null_type);
}

bool zn_lua_push_scalar(lua_State *lua, zn_bytes value) {
    zn_value head = zn_value_head(value);
    switch (head.type) {
    case ZN_VALUE_NIL:
        zn_lua_push_null(lua);
        return true;
    case ZN_VALUE_BOOL:
        lua_pushboolean(lua, head.boolean);
        return true;
    case ZN_VALUE_INT:
        lua_pushinteger(lua, (lua_Integer)head.integer);
        return true;
    case ZN_VALUE_UINT:
        new_userdata(lua, &zn_lua_uint64_type, &head.uinteger, sizeof head.uinteger);
        return true;
    case ZN_VALUE_DOUBLE:
        lua_pushnumber(lua, head.number);
        return true;
    case ZN_VALUE_STRING:
    case ZN_VALUE_BINARY:
        lua_pushlstring(lua, (const char *)head.bytes.data, head.bytes.len);
        return true;
    case ZN_VALUE_EXT:
        new_userdata(lua, &zn_lua_ext_type, value.data, value.len);
        return true;
    default:
        return false;
    }
}

static int print_null(lua_State *lua) {
    lua_pushliteral(lua, "null");
    return 1;
}

static int print_uint64(lua_State *lua) {
    uint64_t *value = zn_lua_test(lua, 1, &zn_lua_uint64_type);
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value != NULL ? *value : 0);
    lua_pushstring(lua, text);
    return 1;
}

static int print_ext(lua_State *lua) {
    lua_pushliteral(lua, "extension");
    return 1;
}

/* Both operands of `..` as tostring writes them. */
static int concat(lua_State *lua) {
    luaL_tolstring(lua, 1, NULL);
    luaL_tolstring(lua, 2, NULL);
    lua_concat(lua, 2);
    return 1;
}

/* -1, 0, 1 as the number at `index` is below, equal to or above `value`; 2: not comparable. */
static int compare_with(lua_State *lua, int index, uint64_t value) {
    uint64_t *other = zn_lua_test(lua, index, &zn_lua_uint64_type);
    if (other != NULL) {
        return *other < value ? -1 : *other > value;
    }
    if (lua_isinteger(lua, index)) {
        return -1; /* a uint64 value is above every integer of Lua */
    }
    if (lua_type(lua, index) != LUA_TNUMBER) {
        luaL_error(lua, "attempt to compare uint64 with %s", zn_lua_type_name(lua, index));
    }
    double number = lua_tonumber(lua, index);
    if (number >= 18446744073709551616.0) {
        return 1;
    }
    if (!(number >= 0)) {
        return number < 0 ? -1 : 2;
    }
    uint64_t whole = (uint64_t)number; /* exact: doubles of this size have no fraction */
    return whole < value ? -1 : whole > value;
}

/* How the first operand compares with the second; one of them is a uint64. */
static int compare(lua_State *lua) {
    uint64_t *right = zn_lua_test(lua, 2, &zn_lua_uint64_type);
    if (right != NULL) {
        return compare_with(lua, 1, *right);
    }
    uint64_t *left = zn_lua_test(lua, 1, &zn_lua_uint64_type);
    int order = compare_with(lua, 2, left != NULL ? *left : 0);
    return order == 2 ? 2 : -order;
}

static int is_equal(lua_State *lua) {
    uint64_t *left = zn_lua_test(lua, 1, &zn_lua_uint64_type);
    uint64_t *right = zn_lua_test(lua, 2, &zn_lua_uint64_type);
    lua_pushboolean(lua, left != NULL && right != NULL && *left == *right);
    return 1;
}

static int is_less(lua_State *lua) {
    lua_pushboolean(lua, compare(lua) == -1);
    return 1;
}

static int is_at_most(lua_State *lua) {
    lua_pushboolean(lua, compare(lua) <= 0);
    return 1;
}

/* Ends the metatable on the stack. */
static void set_methods(lua_State *lua, const luaL_Reg *methods) {
    luaL_setfuncs(lua, methods, 0);
    lua_pop(lua, 1);
}

void zn_lua_scalar_open(lua_State *lua) {
    static const luaL_Reg null_methods[] = { { "__tostring", print_null }, { NULL, NULL } };
    static const luaL_Reg uint64_methods[] = {
        { "__tostring", print_uint64 }, { "__concat", concat },
        { "__eq", is_equal },           { "__lt", is_less },
        { "__le", is_at_most },         { NULL, NULL }
    };
    static const luaL_Reg ext_methods[] = { { "__tostring", print_ext }, { NULL, NULL } };
    zn_lua_new_type(lua, &zn_lua_null_type, "null");
    set_methods(lua, null_methods);
    zn_lua_new_type(lua, &zn_lua_uint64_type, "uint64");
    set_methods(lua, uint64_methods);
    zn_lua_new_type(lua, &zn_lua_ext_type, "extension");
    set_methods(lua, ext_methods);
    new_userdata(lua, &zn_lua_null_type, NULL, 0);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &null_value);
}
