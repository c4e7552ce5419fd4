/* SPDX-License-Identifier: MPL-2.0 */
/* Datasets in pipeline scripts: handles of nodes, whose methods are the operators of the operator
 * table, and zonda.<source> and zonda.put. Nothing runs here; a call only adds a node. */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/lua_plugin.h"
#include "ops/lua_sandbox.h"
#include "ops/lua_script_state.h"
#include "record/lua_value.h"

static const char dataset_key = 0;

bool zn_lua_dataset_node(lua_State *lua, int index, size_t *node) {
    if (lua_type(lua, index) != LUA_TUSERDATA || lua_getmetatable(lua, index) == 0) {
        return false;
    }
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &dataset_key);
    bool same = lua_rawequal(lua, -1, -2) != 0;
    lua_pop(lua, 2);
    if (same) {
        memcpy(node, lua_touserdata(lua, index), sizeof *node);
    }
    return same;
}

static zn_lua_script *check_evaluating(lua_State *lua, const char *what) {
    zn_lua_script *script = zn_lua_state_of(lua)->owner;
    if (script == NULL || !script->is_evaluating) {
        luaL_error(lua, "%s cannot be used in functions on records", what);
    }
    return script;
}

static void push_dataset(lua_State *lua, size_t node) {
    memcpy(lua_newuserdatauv(lua, sizeof node, 0), &node, sizeof node);
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &dataset_key);
    lua_setmetatable(lua, -2);
}

/* One closure per operator: the upvalue is its definition. */
static int call_operator(lua_State *lua) {
    const zn_op_def *op = lua_touserdata(lua, lua_upvalueindex(1));
    zn_lua_script *script = check_evaluating(lua, op->name);
    size_t node;
    if (op->op_class != ZN_OP_SOURCE && !zn_lua_dataset_node(lua, 1, &node)) {
        return luaL_error(lua, "call %s with a colon, as in ds:%s(…)", op->name, op->name);
    }
    push_dataset(lua, zn_lua_call_record(lua, script, op));
    return 1;
}

/* __index of datasets, for names that are not operators; the upvalue is the table of methods. */
static int find_method(lua_State *lua) {
    lua_pushvalue(lua, 2);
    if (lua_rawget(lua, lua_upvalueindex(1)) != LUA_TNIL) {
        return 1;
    }
    zn_bytes name;
    name.data = (const uint8_t *)luaL_tolstring(lua, 2, &name.len);
    zonda_error error = { 0 };
    const zn_op_def *op = zn_op_find_user(name, &error);
    if (op != NULL) {
        zn_error_set(&error, ZONDA_ERR_PLAN, "%s begins a dataset: write zonda.%s(…)", op->name,
                     op->name);
    }
    return zn_lua_script_refuse(lua, &error);
}

static int print_dataset(lua_State *lua) {
    size_t node;
    if (!zn_lua_dataset_node(lua, 1, &node)) {
        return luaL_error(lua, "a dataset is expected");
    }
    const zn_lua_script *script = zn_lua_state_of(lua)->owner;
    lua_pushfstring(lua, "dataset (%s)", script->nodes[node].op);
    return 1;
}

static zn_script_put *find_put(zn_lua_script *script, const char *name) {
    for (size_t i = 0; i < script->put_count; i++) {
        if (strcmp(script->puts[i].name, name) == 0) {
            return &script->puts[i];
        }
    }
    return NULL;
}

/* zonda.put(name, value); the last value of a name counts. */
static int put(lua_State *lua) {
    zn_lua_script *script = check_evaluating(lua, "zonda.put");
    size_t len;
    const char *name = luaL_checklstring(lua, 1, &len);
    luaL_checkany(lua, 2);
    if (len == 0 || len > ZN_NAME_BYTES_MAX || strlen(name) != len) {
        return luaL_error(lua, "a name of shared data has 1 to %d bytes", (int)ZN_NAME_BYTES_MAX);
    }
    zn_buf_reset(&script->scratch, ZN_MIB);
    zn_lua_encode(lua, 2, &script->scratch);
    zn_script_put *put = find_put(script, name);
    if (put == NULL) {
        ZN_GROW(script->puts, script->put_count, script->put_capacity);
        put = &script->puts[script->put_count++];
        *put = (zn_script_put){ .name = zn_strdup(name) };
    }
    free((void *)(uintptr_t)put->value.data);
    put->value = (zn_bytes){ .data = zn_memdup(script->scratch.data, script->scratch.len),
                             .len = script->scratch.len };
    return 0;
}

/* table[name] = the closure of an operator, for all of a kind. */
static void set_operators(lua_State *lua, int table, bool sources) {
    size_t count;
    const zn_op_def *const *ops = zn_op_table(&count);
    for (size_t i = 0; i < count; i++) {
        bool is_source = ops[i]->op_class == ZN_OP_SOURCE;
        if (ops[i]->op_class == ZN_OP_INNER || is_source != sources) {
            continue;
        }
        lua_pushlightuserdata(lua, (void *)(uintptr_t)ops[i]);
        lua_pushcclosure(lua, call_operator, 1);
        lua_setfield(lua, table, ops[i]->name);
    }
}

void zn_lua_dataset_open(lua_State *lua) {
    zn_lua_sandbox_push_zonda(lua);
    int zonda = lua_gettop(lua);
    set_operators(lua, zonda, true);
    lua_pushcfunction(lua, put);
    lua_setfield(lua, zonda, "put");
    zn_lua_plugin_open(lua);
    lua_newtable(lua);
    set_operators(lua, zonda + 1, false);
    lua_newtable(lua);
    lua_insert(lua, -2);
    lua_pushcclosure(lua, find_method, 1);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, print_dataset);
    lua_setfield(lua, -2, "__tostring");
    lua_pushliteral(lua, "dataset");
    lua_setfield(lua, -2, "__name");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &dataset_key);
    lua_settop(lua, zonda - 1);
}
