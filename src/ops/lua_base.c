/* SPDX-License-Identifier: MPL-2.0 */
/* Replacements of functions of Lua's own library, for three reasons. Views of records must pass for
 * tables (type, next). Nothing may run without end where no instructions are counted: the table
 * functions and string.rep loop in C over counts that user code makes up, and finalizers run with
 * the hook off, as do message handlers and the closing of coroutines that the hook has ended.
 * Nothing may get around a protected metatable (rawset). */
#include <lauxlib.h>

#include "ops/lua_sandbox.h"
#include "ops/lua_state.h"
#include "record/lua_value.h"

enum {
    ELEMENTS_MAX = 1 << 26 /* more than the memory limit has room for */
};

static int type_of(lua_State *lua) {
    luaL_checkany(lua, 1);
    lua_pushstring(lua, zn_lua_type_name(lua, 1));
    return 1;
}

static int next_pair(lua_State *lua) {
    if (!zn_lua_is_view(lua, 1)) {
        luaL_checktype(lua, 1, LUA_TTABLE);
    }
    lua_settop(lua, 2);
    if (zn_lua_next(lua, 1)) {
        return 2;
    }
    lua_pushnil(lua);
    return 1;
}

static int set_raw(lua_State *lua) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    luaL_checkany(lua, 2);
    luaL_checkany(lua, 3);
    if (luaL_getmetafield(lua, 1, "__metatable") != LUA_TNIL) {
        return luaL_error(lua, "cannot change a protected table");
    }
    lua_settop(lua, 3);
    lua_rawset(lua, 1);
    return 1;
}

static int set_metatable(lua_State *lua) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    luaL_argexpected(lua, lua_isnil(lua, 2) || lua_istable(lua, 2), 2, "nil or table");
    if (luaL_getmetafield(lua, 1, "__metatable") != LUA_TNIL) {
        return luaL_error(lua, "cannot change a protected metatable");
    }
    if (lua_istable(lua, 2)) {
        lua_pushliteral(lua, "__gc");
        if (lua_rawget(lua, 2) != LUA_TNIL) {
            return luaL_error(lua, "there are no finalizers here: remove '__gc'");
        }
    }
    lua_settop(lua, 2);
    lua_setmetatable(lua, 1);
    return 1;
}

/* Calls the original, which is the upvalue, with all arguments. */
static int call_original(lua_State *lua) {
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, lua_gettop(lua) - 1, LUA_MULTRET);
    return lua_gettop(lua);
}

static int repeat(lua_State *lua) {
    size_t len = 0;
    size_t separator_len = 0;
    luaL_checklstring(lua, 1, &len);
    luaL_checkinteger(lua, 2);
    luaL_optlstring(lua, 3, "", &separator_len);
    if (len + separator_len == 0) {
        lua_pushliteral(lua, "");
        return 1;
    }
    return call_original(lua);
}

/* For functions that go over all elements of their first argument. */
static int use_elements(lua_State *lua) {
    int type = lua_type(lua, 1);
    if ((type == LUA_TTABLE || type == LUA_TUSERDATA) && luaL_len(lua, 1) > ELEMENTS_MAX) {
        return luaL_error(lua, "more than %d elements", (int)ELEMENTS_MAX);
    }
    return call_original(lua);
}

/* For functions with the range of elements at two arguments. */
static void check_range(lua_State *lua, int first, int last) {
    lua_Integer from = luaL_optinteger(lua, first, 1);
    lua_Integer to = lua_isnoneornil(lua, last) ? from : luaL_checkinteger(lua, last);
    if (to > from && (lua_Unsigned)to - (lua_Unsigned)from > ELEMENTS_MAX) {
        luaL_error(lua, "more than %d elements", (int)ELEMENTS_MAX);
    }
}

static int move_elements(lua_State *lua) {
    check_range(lua, 2, 3);
    return call_original(lua);
}

static int concat_elements(lua_State *lua) {
    check_range(lua, 3, 4);
    return use_elements(lua);
}

static bool must_end(lua_State *lua) {
    return zn_lua_state_of(lua)->stop != ZN_LUA_RUNS;
}

/* The message handler of xpcall: the user's, which is the upvalue, but not for an error that the
 * hook raises, because Lua calls handlers of such errors with the hook off. */
static int handle_message(lua_State *lua) {
    if (must_end(lua)) {
        return 1;
    }
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, lua_gettop(lua) - 1, 1);
    return 1;
}

static int return_all(lua_State *lua, int status, lua_KContext context) {
    (void)status;
    (void)context;
    return lua_gettop(lua);
}

static int call_protected(lua_State *lua) {
    luaL_checktype(lua, 2, LUA_TFUNCTION);
    lua_pushvalue(lua, 2);
    lua_pushcclosure(lua, handle_message, 1);
    lua_replace(lua, 2);
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_callk(lua, lua_gettop(lua) - 1, LUA_MULTRET, 0, return_all);
    return return_all(lua, LUA_OK, 0);
}

static int close_coroutine(lua_State *lua) {
    if (must_end(lua)) {
        return luaL_error(lua, "the call has to end");
    }
    return call_original(lua);
}

/* What coroutine.wrap gives; the upvalues are coroutine.resume, coroutine.close, the coroutine. */
static int resume_wrapped(lua_State *lua) {
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_pushvalue(lua, lua_upvalueindex(3));
    lua_insert(lua, 2);
    lua_call(lua, lua_gettop(lua) - 1, LUA_MULTRET);
    if (lua_toboolean(lua, 1) != 0) {
        return lua_gettop(lua) - 1;
    }
    lua_State *coroutine = lua_tothread(lua, lua_upvalueindex(3));
    int status = lua_status(coroutine);
    if (!must_end(lua) && status != LUA_OK && status != LUA_YIELD) {
        lua_pushvalue(lua, lua_upvalueindex(2));
        lua_pushvalue(lua, lua_upvalueindex(3));
        lua_call(lua, 1, 0);
    }
    lua_settop(lua, 2);
    if (lua_type(lua, 2) == LUA_TSTRING) {
        luaL_where(lua, 1);
        lua_insert(lua, 2);
        lua_concat(lua, 2);
    }
    return lua_error(lua);
}

/* The upvalues are coroutine.create, coroutine.resume, coroutine.close. */
static int wrap_coroutine(lua_State *lua) {
    luaL_checktype(lua, 1, LUA_TFUNCTION);
    lua_settop(lua, 1);
    lua_pushvalue(lua, lua_upvalueindex(2));
    lua_pushvalue(lua, lua_upvalueindex(3));
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_pushvalue(lua, 1);
    lua_call(lua, 1, 1);
    lua_pushcclosure(lua, resume_wrapped, 3);
    return 1;
}

/* table[name] = a closure of `function` over what was there. */
static void wrap(lua_State *lua, int table, const char *name, lua_CFunction function) {
    lua_getfield(lua, table, name);
    lua_pushcclosure(lua, function, 1);
    lua_setfield(lua, table, name);
}

static void open_coroutines(lua_State *lua, int coroutines) {
    lua_getfield(lua, coroutines, "create");
    lua_getfield(lua, coroutines, "resume");
    lua_getfield(lua, coroutines, "close");
    lua_pushcclosure(lua, wrap_coroutine, 3);
    lua_setfield(lua, coroutines, "wrap");
    wrap(lua, coroutines, "close", close_coroutine);
}

void zn_lua_base_open(lua_State *lua, int globals, int strings, int tables, int coroutines) {
    static const luaL_Reg replaced[] = {
        { "type", type_of },   { "pairs", zn_lua_pairs },         { "next", next_pair },
        { "rawset", set_raw }, { "setmetatable", set_metatable }, { NULL, NULL }
    };
    lua_pushvalue(lua, globals);
    luaL_setfuncs(lua, replaced, 0);
    lua_pop(lua, 1);
    wrap(lua, globals, "xpcall", call_protected);
    open_coroutines(lua, coroutines);
    wrap(lua, strings, "rep", repeat);
    zn_lua_strings_open(lua, strings);
    wrap(lua, tables, "insert", use_elements);
    wrap(lua, tables, "remove", use_elements);
    wrap(lua, tables, "sort", use_elements);
    wrap(lua, tables, "concat", concat_elements);
    wrap(lua, tables, "move", move_elements);
}
