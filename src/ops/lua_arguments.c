/* SPDX-License-Identifier: MPL-2.0 */
/* Turns the arguments of a Lua call of an operator into its argument map, by the definitions in the
 * operator table: arguments by place, then one table of options. Datasets among the arguments are
 * inputs. The map is written in the order of the definitions, not in the order of a Lua table, so
 * that a script gives the same plan and the same function numbers everywhere. Types and ranges are
 * checked by zn_op_check_args, as for the other faces. */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/lua_plugin.h"
#include "ops/lua_script_state.h"
#include "record/lua_value.h"
#include "record/value.h"

/* The arguments of a call while they are sorted out. */
struct call {
    lua_State *lua;
    zn_lua_script *script;
    const zn_op_def *op;
    int next;  /* index of the next argument that is not used yet */
    int last;  /* index of the last argument */
    int given; /* index of the table argument name → value */
};

static int refuse(const struct call *call, const char *format, const char *detail) {
    zonda_error error;
    zn_error_set(&error, ZONDA_ERR_PLAN, format, call->op->name, detail);
    return zn_lua_script_refuse(call->lua, &error);
}

/* Takes all datasets out of the arguments; they become the inputs. */
static size_t *take_inputs(struct call *call, size_t *count) {
    size_t *inputs = lua_newuserdatauv(call->lua, ((size_t)call->last + 1) * sizeof *inputs, 0);
    int kept = 0;
    *count = 0;
    for (int i = 1; i <= call->last; i++) {
        if (zn_lua_dataset_node(call->lua, i, &inputs[*count])) {
            *count += 1;
        } else {
            lua_pushvalue(call->lua, i);
            lua_replace(call->lua, ++kept);
        }
    }
    call->last = kept;
    return inputs;
}

/* True for a table that has a string key: options, or a map. */
static bool has_names(lua_State *lua, int index) {
    if (lua_type(lua, index) != LUA_TTABLE) {
        return false;
    }
    bool found = false;
    lua_pushnil(lua);
    while (!found && lua_next(lua, index) != 0) {
        lua_pop(lua, 1);
        found = lua_type(lua, -1) == LUA_TSTRING;
        if (found) {
            lua_pop(lua, 1);
        }
    }
    return found;
}

static void set_given(const struct call *call, const char *name) {
    lua_setfield(call->lua, call->given, name);
}

/* Pushes a copy of the table at `index`, marked as a list. */
static void push_list(lua_State *lua, int index) {
    lua_newtable(lua);
    int copy = lua_gettop(lua);
    lua_pushnil(lua);
    while (lua_next(lua, index) != 0) {
        lua_pushvalue(lua, -2);
        lua_insert(lua, -2);
        lua_rawset(lua, copy);
    }
    zn_lua_mark_array(lua, copy);
}

/* The one argument that is a list, or all that are left, as a list. */
static void take_list(struct call *call, const zn_arg_def *arg) {
    lua_State *lua = call->lua;
    int last = call->last;
    bool has_options = arg->type == ZN_ARG_TEXTS && last > call->next && has_names(lua, last);
    last -= has_options ? 1 : 0;
    bool is_table = lua_type(lua, call->next) == LUA_TTABLE;
    if (call->next == last && (is_table || zn_lua_is_view(lua, last))) {
        if (is_table && !has_names(lua, last)) {
            push_list(lua, last);
        } else {
            lua_pushvalue(lua, last);
        }
        call->next++;
        set_given(call, arg->name);
        return;
    }
    lua_newtable(lua);
    for (lua_Integer i = 1; call->next <= last; i++) {
        lua_pushvalue(lua, call->next++);
        lua_rawseti(lua, -2, i);
    }
    zn_lua_mark_array(lua, -1);
    set_given(call, arg->name);
}

/* Whether the next argument is the table of options rather than the value of `arg`. */
static bool is_options(const struct call *call, const zn_arg_def *arg) {
    if (call->next < call->last || arg->type == ZN_ARG_VALUE || arg->type == ZN_ARG_NAMES ||
        arg->type == ZN_ARG_EXPRS || lua_type(call->lua, call->next) != LUA_TTABLE) {
        return false;
    }
    bool may_be_list = arg->type == ZN_ARG_COMMAND || arg->type == ZN_ARG_KEY;
    return !may_be_list || has_names(call->lua, call->next);
}

/* Whether the first argument is that which may lead: not the map that else comes first. */
static bool leads(const struct call *call) {
    return call->next <= call->last && !has_names(call->lua, call->next);
}

static void take_leading(struct call *call) {
    for (size_t i = 0; i < call->op->arg_count; i++) {
        if (call->op->args[i].leads && leads(call)) {
            lua_pushvalue(call->lua, call->next++);
            set_given(call, call->op->args[i].name);
        }
    }
}

static void take_positional(struct call *call) {
    for (size_t i = 0; i < call->op->arg_count && call->next <= call->last; i++) {
        const zn_arg_def *arg = &call->op->args[i];
        if (arg->use == ZN_ARG_OPTION) {
            continue;
        }
        if (arg->type == ZN_ARG_TEXTS || arg->type == ZN_ARG_VALUES) {
            take_list(call, arg);
        } else if (!is_options(call, arg)) {
            lua_pushvalue(call->lua, call->next++);
            set_given(call, arg->name);
        }
    }
}

/* The table of options, which is all that may be left. */
static void take_options(struct call *call) {
    lua_State *lua = call->lua;
    if (call->next > call->last) {
        return;
    }
    if (call->next < call->last || lua_type(lua, call->next) != LUA_TTABLE) {
        refuse(call, "%s has too many arguments; options go into one table, as in {%s}",
               "name = value");
    }
    lua_pushnil(lua);
    while (lua_next(lua, call->next) != 0) {
        if (lua_type(lua, -2) != LUA_TSTRING) {
            refuse(call, "the options of %s need names, as in {%s}", "name = value");
        }
        lua_pushvalue(lua, -2);
        if (lua_rawget(lua, call->given) != LUA_TNIL) {
            refuse(call, "%s has the argument \"%s\" twice", lua_tostring(lua, -3));
        }
        lua_pop(lua, 1);
        lua_pushvalue(lua, -2);
        lua_insert(lua, -2);
        lua_rawset(lua, call->given);
    }
}

/* A function of the script, as function.h has it. */
static void put_function(const struct call *call) {
    zn_buf *out = &call->script->scratch;
    size_t number = zn_lua_script_keep(call->lua, call->script, -1);
    zn_put_map(out, 3);
    zn_put_text(out, "kind");
    zn_put_text(out, "lua-script");
    zn_put_text(out, "script");
    zn_put_binary(out, zn_digest_bytes(&call->script->digest));
    zn_put_text(out, "index");
    zn_put_uint(out, number);
}

/* The value of an argument is on the top. */
static void put_argument(const struct call *call, const zn_arg_def *arg) {
    lua_State *lua = call->lua;
    zn_put_text(&call->script->scratch, arg->name);
    int is_whole = 0;
    lua_Integer number = lua_tointegerx(lua, -1, &is_whole);
    bool takes_function = zn_arg_takes_function(arg);
    if (takes_function && lua_type(lua, -1) == LUA_TFUNCTION) {
        put_function(call);
    } else if (takes_function && zn_lua_plugin_put(lua, lua_gettop(lua), &call->script->scratch)) {
        return;
    } else if (zn_lua_plugin_is(lua, lua_gettop(lua))) {
        refuse(call,
               "%s cannot take a plug-in, or a function of one, for \"%s\": where a function is "
               "wanted write p.NAME",
               arg->name);
    } else if (arg->type == ZN_ARG_UINT && lua_type(lua, -1) == LUA_TNUMBER && is_whole != 0) {
        zn_put_int(&call->script->scratch, (int64_t)number); /* 1e6 is an integer here */
    } else if (lua_type(lua, -1) == LUA_TFUNCTION) {
        refuse(call, "the argument \"%s\" of an operator cannot be a function", arg->name);
    } else {
        zn_lua_encode(lua, -1, &call->script->scratch);
    }
}

/* Puts a name that no definition has, so that the check of all faces says what is known. */
static bool put_unknown(const struct call *call, uint32_t known) {
    lua_State *lua = call->lua;
    uint32_t pairs = 0;
    lua_pushnil(lua);
    while (lua_next(lua, call->given) != 0) {
        lua_pop(lua, 1);
        pairs++;
    }
    if (pairs == known) {
        return false;
    }
    const char *least = NULL;
    lua_pushnil(lua);
    while (lua_next(lua, call->given) != 0) {
        lua_pop(lua, 1);
        const char *name = lua_tostring(lua, -1);
        if (zn_op_arg(call->op, zn_bytes_of_text(name)) == NULL &&
            (least == NULL || strcmp(name, least) < 0)) {
            least = name;
        }
    }
    zn_buf_reset(&call->script->scratch, ZN_MIB);
    zn_put_map(&call->script->scratch, 1);
    zn_put_text(&call->script->scratch, least);
    zn_put_nil(&call->script->scratch);
    return true;
}

/* Writes the map to the scratch buffer: once to count, once for good. */
static void put_arguments(const struct call *call) {
    lua_State *lua = call->lua;
    uint32_t count = 0;
    for (size_t i = 0; i < call->op->arg_count; i++) {
        count += lua_getfield(lua, call->given, call->op->args[i].name) != LUA_TNIL;
        lua_pop(lua, 1);
    }
    zn_buf_reset(&call->script->scratch, ZN_MIB);
    if (put_unknown(call, count)) {
        return;
    }
    zn_put_map(&call->script->scratch, count);
    for (size_t i = 0; i < call->op->arg_count; i++) {
        if (lua_getfield(lua, call->given, call->op->args[i].name) != LUA_TNIL) {
            put_argument(call, &call->op->args[i]);
        }
        lua_pop(lua, 1);
    }
}

size_t zn_lua_call_record(lua_State *lua, zn_lua_script *script, const zn_op_def *op) {
    luaL_checkstack(lua, 32, NULL);
    struct call call = { .lua = lua, .script = script, .op = op, .next = 1 };
    call.last = lua_gettop(lua);
    size_t input_count;
    size_t *inputs = take_inputs(&call, &input_count);
    lua_newtable(lua);
    call.given = lua_gettop(lua);
    take_leading(&call);
    take_positional(&call);
    take_options(&call);
    put_arguments(&call);
    zonda_error error = { 0 };
    if (zn_op_check_args(op, zn_buf_bytes(&script->scratch), &error) != ZONDA_OK) {
        zn_lua_script_refuse(lua, &error);
    }
    if (script->node_count >= ZN_STAGES_MAX) {
        luaL_error(lua, "more than %d datasets", (int)ZN_STAGES_MAX);
    }
    ZN_GROW(script->nodes, script->node_count, script->node_capacity);
    zn_script_node *node = &script->nodes[script->node_count];
    *node = (zn_script_node){ .op = op->name, .input_count = input_count };
    node->args = (zn_bytes){ .data = zn_memdup(script->scratch.data, script->scratch.len),
                             .len = script->scratch.len };
    if (input_count > 0) {
        node->inputs = zn_memdup(inputs, input_count * sizeof *inputs);
    }
    return script->node_count++;
}
