/* SPDX-License-Identifier: MPL-2.0 */
/* Functions of pipeline scripts in slots. The script is evaluated when the stage is opened; before
 * each shard the function gets the state that it had then: by setting back its variables where they
 * hold plain values (lua_closure.c), else by evaluating the script again. So what a shard gives
 * does not depend on the shards that the slot ran before. */
#include "ops/lua_script_function.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "ops/lua_chunk.h"
#include "ops/lua_script_state.h"
#include "record/lua_value.h"

struct zn_lua_script_function {
    zn_bytes blob;
    uint64_t index;
    zn_call_form form;
    zn_lua_limits limits;
    zn_lua_script *script;
    bool is_plain; /* its state can be set back */
    bool is_used;  /* it ran since the script was evaluated */
    /* The running call. */
    const zn_bytes *args;
    bool truth;
};

static const char function_key = 0;

static int choose(lua_State *lua) {
    zn_lua_script_function *function = lua_touserdata(lua, 1);
    zn_lua_script_push(lua, (size_t)function->index);
    if (lua_type(lua, -1) != LUA_TFUNCTION) {
        return luaL_error(lua, "the script %s has no function number %I", function->script->name,
                          (lua_Integer)function->index);
    }
    function->is_plain = zn_lua_closure_is_plain(lua, -1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &function_key);
    return 0;
}

/* Evaluates the script; what was there before goes only if that works. */
static zonda_err evaluate(zn_lua_script_function *function, zonda_error *error) {
    zonda_error found = { 0 };
    zn_lua_script *old = function->script;
    function->script = zn_lua_script_load(function->blob, &function->limits, &found);
    if (function->script != NULL) {
        zn_lua_state_call(function->script->state, choose, function, &found);
    }
    if (found.code != ZONDA_OK) {
        zn_lua_script_destroy(&function->script);
        function->script = old;
        if (error != NULL) {
            *error = found;
        }
        return found.code;
    }
    zn_lua_script_destroy(&old);
    function->is_used = false;
    return ZONDA_OK;
}

zonda_err zn_lua_script_function_new(zn_bytes blob, uint64_t index, zn_call_form form,
                                     const zn_lua_limits *limits, zn_lua_script_function **out,
                                     zonda_error *error) {
    zn_lua_script_function *function = ZN_NEW(zn_lua_script_function);
    *function =
        (zn_lua_script_function){ .blob = blob, .index = index, .form = form, .limits = *limits };
    zonda_err err = ZONDA_ERR_PLAN;
    if (index >= INT32_MAX) {
        zn_error_set(error, err, "a script has no function of that number");
    } else {
        err = evaluate(function, error);
    }
    if (err != ZONDA_OK) {
        zn_lua_script_function_destroy(&function);
        return err;
    }
    *out = function;
    return ZONDA_OK;
}

static int restore(lua_State *lua) {
    zn_lua_closure_restore(lua);
    return 0;
}

zonda_err zn_lua_script_function_begin(zn_lua_script_function *function, zonda_error *error) {
    if (!function->is_used) {
        function->is_used = true;
        return ZONDA_OK;
    }
    if (function->is_plain) {
        return zn_lua_state_call(function->script->state, restore, NULL, error);
    }
    zonda_err err = evaluate(function, error);
    function->is_used = true;
    return err;
}

void zn_lua_script_function_push(lua_State *lua) {
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &function_key);
}

static int run(lua_State *lua) {
    zn_lua_script_function *function = lua_touserdata(lua, 1);
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &function_key);
    int args = 1;
    if (function->form == ZN_CALL_JOIN) {
        zn_lua_push_side(lua, function->args[0]);
        zn_lua_push_side(lua, function->args[1]);
        args = 2;
    } else {
        zn_lua_push(lua, function->args[0]);
    }
    if (function->form == ZN_CALL_FOLD || function->form == ZN_CALL_WINDOW) {
        zn_lua_push(lua, function->args[1]);
        args = 2;
    } else if (function->form == ZN_CALL_FLAT_MAP) {
        lua_pushcfunction(lua, zn_lua_emit);
        args = 2;
    }
    lua_call(lua, args, LUA_MULTRET);
    bool gave = lua_gettop(lua) > 1;
    switch (function->form) {
    case ZN_CALL_FILTER:
        function->truth = gave && zn_lua_truth(lua, 2);
        return 0;
    case ZN_CALL_WINDOW:
        lua_settop(lua, 3);
        function->truth = zn_lua_truth(lua, 2);
        zn_lua_give(lua, 3);
        return 0;
    case ZN_CALL_FLAT_MAP:
        if (gave && !lua_isnil(lua, 2)) {
            zn_lua_give(lua, 2);
        }
        return 0;
    default:
        if (!gave) {
            return luaL_error(lua, "the function returned nothing; a record is wanted");
        }
        zn_lua_give(lua, 2);
        return 0;
    }
}

zonda_err zn_lua_script_function_call(zn_lua_script_function *function, const zn_bytes *args,
                                      zn_buf *out, bool *truth, zonda_error *error) {
    zn_lua_state *state = function->script->state;
    size_t start = out != NULL ? out->len : 0;
    function->args = args;
    state->out = out;
    state->out_start = start;
    zonda_err err = zn_lua_state_call(state, run, function, error);
    state->out = NULL;
    function->args = NULL;
    if (err != ZONDA_OK) {
        if (out != NULL) {
            out->len = start;
        }
        return err;
    }
    if (function->form == ZN_CALL_FILTER || function->form == ZN_CALL_WINDOW) {
        *truth = function->truth;
    }
    return ZONDA_OK;
}

zn_lua_state *zn_lua_script_function_state(const zn_lua_script_function *function) {
    return function->script->state;
}

void zn_lua_script_function_destroy(zn_lua_script_function **function) {
    if (*function == NULL) {
        return;
    }
    zn_lua_script_destroy(&(*function)->script);
    free(*function);
    *function = NULL;
}
