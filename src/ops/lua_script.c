/* SPDX-License-Identifier: MPL-2.0 */
/* Pipeline scripts, evaluated. A script runs once, in the sandbox, and only writes down what it
 * calls: nodes with operators and arguments, shared data, functions by number. The driver makes
 * datasets of the nodes; a slot evaluates the same blob and takes function number i. Both do the
 * same in the same order, because a script sees nothing but its text and its arguments, random
 * numbers start alike, and options of a call are read in the order of the operator table.
 *
 * After the evaluation the globals are frozen: functions on records run in many places, and a
 * global that one of them assigns would be seen by some shards and not by others. */
#include "ops/lua_script.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/lua_sandbox.h"
#include "ops/lua_script_state.h"
#include "record/lua_value.h"
#include "record/value.h"

static const char functions_key = 0;
static const char globals_key = 0;

int zn_lua_script_refuse(lua_State *lua, const zonda_error *error) {
    zonda_error failure = *error;
    luaL_where(lua, 1);
    if (failure.text[0] != '\0') {
        zn_error_prefix(&failure, "%s", lua_tostring(lua, -1));
    }
    return zn_lua_state_fail(lua, &failure);
}

size_t zn_lua_script_keep(lua_State *lua, zn_lua_script *script, int index) {
    index = lua_absindex(lua, index);
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &functions_key);
    lua_pushvalue(lua, index);
    lua_rawseti(lua, -2, (lua_Integer)script->function_count + 1);
    lua_pop(lua, 1);
    return script->function_count++;
}

void zn_lua_script_push(lua_State *lua, size_t number) {
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &functions_key);
    lua_rawgeti(lua, -1, (lua_Integer)number + 1);
    lua_remove(lua, -2);
}

void zn_lua_script_push_globals(lua_State *lua) {
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &globals_key);
}

/* Pushes an empty table of globals that reads through to the sandbox. */
static void push_new_globals(lua_State *lua) {
    lua_newtable(lua);
    lua_createtable(lua, 0, 3);
    zn_lua_sandbox_push(lua);
    lua_setfield(lua, -2, "__index");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_setmetatable(lua, -2);
    lua_pushvalue(lua, -1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &globals_key);
}

/* Copies all pairs of the table at `from` to the one at `to`. */
static void copy_pairs(lua_State *lua, int from, int to) {
    lua_pushnil(lua);
    while (lua_next(lua, from) != 0) {
        lua_pushvalue(lua, -2);
        lua_insert(lua, -2);
        lua_rawset(lua, to);
    }
}

/* Moves the globals behind an empty table, so that every assignment reaches __newindex. */
static void freeze_globals(lua_State *lua) {
    zn_lua_script_push_globals(lua);
    int globals = lua_gettop(lua);
    zn_lua_sandbox_push(lua);
    lua_newtable(lua);
    copy_pairs(lua, globals + 1, globals + 2);
    copy_pairs(lua, globals, globals + 2);
    lua_pushnil(lua);
    while (lua_next(lua, globals) != 0) {
        lua_pop(lua, 1);
        lua_pushvalue(lua, -1);
        lua_pushnil(lua);
        lua_rawset(lua, globals);
    }
    lua_getmetatable(lua, globals);
    lua_pushvalue(lua, globals + 2);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, zn_lua_sandbox_refuse_global);
    lua_setfield(lua, -2, "__newindex");
    lua_settop(lua, globals - 1);
}

/* The global `arg`: a read-only list. */
static void set_arguments(lua_State *lua, const zn_lua_script *script, int globals) {
    zn_bytes list;
    if (zn_value_field(zn_buf_bytes(&script->blob), zn_bytes_of_text("args"), &list)) {
        zn_lua_push_frozen(lua, list);
        lua_setfield(lua, globals, "arg");
    }
}

static void add_output(lua_State *lua, zn_lua_script *script, int index) {
    size_t node;
    if (!zn_lua_dataset_node(lua, index, &node)) {
        luaL_error(lua, "%s: the script must return a dataset or a list of datasets, not a %s",
                   script->name, zn_lua_type_name(lua, index));
    }
    ZN_GROW(script->outputs, script->output_count, script->output_capacity);
    script->outputs[script->output_count++] = node;
}

/* What the script returned is at `index`. */
static void add_outputs(lua_State *lua, zn_lua_script *script, int index) {
    if (lua_type(lua, index) != LUA_TTABLE) {
        add_output(lua, script, index);
        return;
    }
    lua_Integer count = (lua_Integer)lua_rawlen(lua, index);
    lua_Integer pairs = 0;
    lua_pushnil(lua);
    while (lua_next(lua, index) != 0) {
        lua_pop(lua, 1);
        pairs++;
    }
    if (pairs != count) {
        luaL_error(lua,
                   "%s: the script must return a dataset or a list of datasets; this table "
                   "has other keys than 1 to n",
                   script->name);
    }
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(lua, index, i);
        add_output(lua, script, lua_gettop(lua));
        lua_pop(lua, 1);
    }
}

/* Behind a byte order mark and a first line for the shell; the newline stays, for line numbers. */
static zn_bytes program_of(zn_bytes text) {
    if (text.len >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0) {
        text.data += 3;
        text.len -= 3;
    }
    if (text.len > 0 && text.data[0] == '#') {
        while (text.len > 0 && text.data[0] != '\n') {
            text.data++;
            text.len--;
        }
    }
    return text;
}

static int evaluate(lua_State *lua) {
    zn_lua_script *script = lua_touserdata(lua, 1);
    lua_newtable(lua);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &functions_key);
    zn_lua_dataset_open(lua);
    zn_bytes text = program_of(script->text);
    lua_pushfstring(lua, "@%s", script->name);
    if (luaL_loadbufferx(lua, (const char *)text.data, text.len, lua_tostring(lua, -1), "t") !=
        LUA_OK) {
        return lua_error(lua);
    }
    int chunk = lua_gettop(lua);
    push_new_globals(lua);
    set_arguments(lua, script, chunk + 1);
    lua_setupvalue(lua, chunk, 1);
    lua_call(lua, 0, 1);
    add_outputs(lua, script, lua_gettop(lua));
    freeze_globals(lua);
    return 0;
}

static zonda_err read_blob(zn_lua_script *script, zonda_error *error) {
    zn_bytes blob = zn_buf_bytes(&script->blob);
    zn_bytes name;
    if (zn_value_check(blob, NULL) != ZONDA_OK || !zn_value_field_text(blob, "name", &name) ||
        !zn_value_field_text(blob, "text", &script->text)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the blob of a Lua script is not one");
    }
    script->name = zn_strndup((const char *)name.data, name.len);
    script->digest = zn_digest_of(blob);
    return ZONDA_OK;
}

/* Takes the memory of `blob`. */
static zn_lua_script *evaluate_blob(zn_buf *blob, const zn_lua_limits *limits,
                                    const zn_script_host *host, zonda_error *error) {
    zn_lua_script *script = ZN_NEW(zn_lua_script);
    script->blob = *blob;
    *blob = (zn_buf){ 0 };
    zonda_err err = read_blob(script, error);
    if (err == ZONDA_OK) {
        script->state = zn_lua_state_new(limits, error);
        err = script->state != NULL ? ZONDA_OK : ZONDA_ERR_LIMIT;
    }
    if (err == ZONDA_OK) {
        script->state->owner = script;
        script->is_evaluating = true;
        script->host = host;
        err = zn_lua_state_call(script->state, evaluate, script, error);
        script->is_evaluating = false;
        script->host = NULL;
    }
    if (err != ZONDA_OK) {
        zn_lua_script_destroy(&script);
    }
    return script;
}

zn_lua_script *zn_lua_script_load(zn_bytes blob, const zn_lua_limits *limits, zonda_error *error) {
    zn_buf copy = { 0 };
    zn_buf_append(&copy, blob.data, blob.len);
    return evaluate_blob(&copy, limits, NULL, error);
}

zn_lua_script *zn_lua_script_new(const char *name, zn_bytes text, const char *const *args,
                                 size_t arg_count, const zn_script_host *host, zonda_error *error) {
    static const zn_script_host nobody;
    host = host == NULL ? &nobody : host;
    zn_lua_limits limits = zn_lua_limits_of(host->limits.memory_bytes, host->limits.instructions);
    if (text.len > ZN_RECORD_BYTES_MAX / 2) {
        zn_error_set(error, ZONDA_ERR_LIMIT, "the script has %zu bytes, more than the limit of %u",
                     text.len, ZN_RECORD_BYTES_MAX / 2);
        return NULL;
    }
    zn_buf blob = { 0 };
    zn_put_map(&blob, 3);
    zn_put_text(&blob, "name");
    zn_put_text(&blob, name);
    zn_put_text(&blob, "text");
    zn_put_string(&blob, text);
    zn_put_text(&blob, "args");
    zn_put_array(&blob, (uint32_t)arg_count);
    for (size_t i = 0; i < arg_count; i++) {
        zn_put_text(&blob, args[i]);
    }
    return evaluate_blob(&blob, &limits, host, error);
}

void zn_lua_script_destroy(zn_lua_script **script) {
    zn_lua_script *old = *script;
    if (old == NULL) {
        return;
    }
    zn_lua_state_destroy(&old->state);
    for (size_t i = 0; i < old->node_count; i++) {
        free((void *)(uintptr_t)old->nodes[i].args.data);
        free(old->nodes[i].inputs);
    }
    for (size_t i = 0; i < old->put_count; i++) {
        free((void *)(uintptr_t)old->puts[i].name);
        free((void *)(uintptr_t)old->puts[i].value.data);
    }
    free(old->nodes);
    free(old->puts);
    free(old->outputs);
    free(old->name);
    zn_buf_free(&old->blob);
    zn_buf_free(&old->scratch);
    free(old);
    *script = NULL;
}

zn_bytes zn_lua_script_blob(const zn_lua_script *script, zn_digest *digest) {
    *digest = script->digest;
    return zn_buf_bytes(&script->blob);
}

const zn_script_node *zn_lua_script_nodes(const zn_lua_script *script, size_t *count) {
    *count = script->node_count;
    return script->nodes;
}

const zn_script_put *zn_lua_script_puts(const zn_lua_script *script, size_t *count) {
    *count = script->put_count;
    return script->puts;
}

const size_t *zn_lua_script_outputs(const zn_lua_script *script, size_t *count) {
    *count = script->output_count;
    return script->outputs;
}
