/* SPDX-License-Identifier: MPL-2.0 */
/* zonda.plugin(path) in pipeline scripts: an object whose fields are functions, to be given to
 * operators. The sandbox has no I/O, so the driver reads the file and tells its digest. In a slot
 * the script is evaluated only for its Lua functions, and what it gives to operators is not looked
 * at: there is no file, and the digest is none.
 *
 * Both kinds of object are userdata: a plug-in is its file name and digest, a function is that
 * with a name as its user value. */
#include "ops/lua_plugin.h"

#include <lauxlib.h>
#include <string.h>

#include "base/error.h"
#include "ops/lua_script_state.h"
#include "ops/plugin.h"

enum {
    FILE_BYTES_MAX = 256
};

typedef struct plugin {
    zn_digest digest;
    char file[FILE_BYTES_MAX];
} plugin;

static const char plugin_key = 0;
static const char function_key = 0;

static const plugin *plugin_at(lua_State *lua, int index, const char *key) {
    if (lua_type(lua, index) != LUA_TUSERDATA || lua_getmetatable(lua, index) == 0) {
        return NULL;
    }
    lua_rawgetp(lua, LUA_REGISTRYINDEX, key);
    bool same = lua_rawequal(lua, -1, -2) != 0;
    lua_pop(lua, 2);
    return same ? lua_touserdata(lua, index) : NULL;
}

/* Pushes a copy of `what` of the kind `key`, with room for one user value. */
static void push(lua_State *lua, const plugin *what, const char *key) {
    memcpy(lua_newuserdatauv(lua, sizeof *what, 1), what, sizeof *what);
    lua_rawgetp(lua, LUA_REGISTRYINDEX, key);
    lua_setmetatable(lua, -2);
}

static int load(lua_State *lua) {
    size_t len;
    const char *path = luaL_checklstring(lua, 1, &len);
    zn_lua_script *script = zn_lua_state_of(lua)->owner;
    if (script == NULL || !script->is_evaluating) {
        return luaL_error(lua, "zonda.plugin cannot be used in functions on records");
    }
    if (len == 0 || strlen(path) != len) {
        return luaL_error(lua, "zonda.plugin wants the path of a file");
    }
    const char *slash = strrchr(path, '/');
    const char *file = slash == NULL ? path : slash + 1;
    plugin made = { 0 };
    zn_error_copy(made.file, sizeof made.file, file, strlen(file));
    if (script->host != NULL && script->host->plugin != NULL) {
        zonda_error error = { 0 };
        if (script->host->plugin(script->host->context, path, &made.digest, &error) != ZONDA_OK) {
            return zn_lua_script_refuse(lua, &error);
        }
    }
    push(lua, &made, &plugin_key);
    return 1;
}

static int index_plugin(lua_State *lua) {
    const plugin *self = plugin_at(lua, 1, &plugin_key);
    if (self == NULL || lua_type(lua, 2) != LUA_TSTRING || lua_rawlen(lua, 2) == 0) {
        return luaL_error(lua, "a function of a plug-in has a name, as in p.shorten");
    }
    push(lua, self, &function_key);
    lua_pushvalue(lua, 2);
    lua_setiuservalue(lua, -2, 1);
    return 1;
}

static int refuse_call(lua_State *lua) {
    return luaL_error(lua, "a function of a plug-in is for operators, as in ds:map(p.shorten): Lua "
                           "cannot call it");
}

static int print_plugin(lua_State *lua) {
    const plugin *self = plugin_at(lua, 1, &plugin_key);
    lua_pushfstring(lua, "plug-in %s", self == NULL ? "?" : self->file);
    return 1;
}

static int print_function(lua_State *lua) {
    const plugin *self = plugin_at(lua, 1, &function_key);
    if (self != NULL && lua_getiuservalue(lua, 1, 1) == LUA_TSTRING) {
        lua_pushfstring(lua, "function %s of plug-in %s", lua_tostring(lua, -1), self->file);
    } else {
        lua_pushliteral(lua, "function of a plug-in");
    }
    return 1;
}

static void make_metatable(lua_State *lua, const char *key, const luaL_Reg *methods,
                           const char *name) {
    lua_newtable(lua);
    luaL_setfuncs(lua, methods, 0);
    lua_pushstring(lua, name);
    lua_setfield(lua, -2, "__name");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_rawsetp(lua, LUA_REGISTRYINDEX, key);
}

void zn_lua_plugin_open(lua_State *lua) {
    static const luaL_Reg of_plugin[] = { { "__index", index_plugin },
                                          { "__tostring", print_plugin },
                                          { NULL, NULL } };
    static const luaL_Reg of_function[] = { { "__call", refuse_call },
                                            { "__tostring", print_function },
                                            { NULL, NULL } };
    make_metatable(lua, &plugin_key, of_plugin, "plug-in");
    make_metatable(lua, &function_key, of_function, "function of a plug-in");
    lua_pushcfunction(lua, load);
    lua_setfield(lua, -2, "plugin");
}

bool zn_lua_plugin_put(lua_State *lua, int index, zn_buf *out) {
    const plugin *self = plugin_at(lua, index, &function_key);
    if (self == NULL) {
        return false;
    }
    lua_getiuservalue(lua, index, 1);
    zn_bytes name;
    name.data = (const uint8_t *)lua_tolstring(lua, -1, &name.len);
    zn_plugin_put_function(out, self->digest, zn_bytes_of_text(self->file), name);
    lua_pop(lua, 1);
    return true;
}

bool zn_lua_plugin_is(lua_State *lua, int index) {
    return plugin_at(lua, index, &plugin_key) != NULL ||
           plugin_at(lua, index, &function_key) != NULL;
}
