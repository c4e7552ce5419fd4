/* SPDX-License-Identifier: MPL-2.0 */
/* Expressions and blocks: Lua text from the command line or from zonda_lua(). The chunk is compiled
 * once per stage; its _ENV is a userdata that resolves names, so a filter that looks at one field
 * reads that field from the bytes of the record and makes nothing. Only `r`, or a field that is a
 * map or list, makes the view of the whole record, and from then on all names are looked up in the
 * view, because it may have been changed.
 *
 * The text cannot keep anything from one record to the next: it has no upvalues but _ENV, and _ENV
 * and the libraries refuse assignments. */
#include "ops/lua_chunk.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/lua_check.h"
#include "ops/lua_sandbox.h"
#include "record/lua_value.h"
#include "record/value.h"

struct zn_lua_chunk {
    zn_lua_state *state; /* borrowed */
    zn_call_form form;
    bool is_block;
    bool is_map;      /* the record has fields */
    bool is_viewed;   /* the view of the record was made */
    zn_bytes record;  /* of the running call */
    zn_bytes earlier; /* FOLD: the accumulated value; JOIN: the left record */
    const char *name; /* during compilation */
    zn_bytes text;
    zonda_err compile_err;
};

/* User values of _ENV. */
enum {
    ENV_RECORD = 1,
    ENV_VALUES = ENV_RECORD
};

/* In front of a text that gets arguments; in the same line, for messages. */
static const char *argument_names(zn_call_form form) {
    switch (form) {
    case ZN_CALL_SHARD:
        return "local items, shard, emit = ...; ";
    case ZN_CALL_GROUP:
        return "local key, rows, emit = ...; ";
    default:
        return "";
    }
}

static const char env_key = 0;
static const char function_key = 0;

bool zn_lua_truth(lua_State *lua, int index) {
    return lua_toboolean(lua, index) != 0 && !zn_lua_is_null(lua, index);
}

void zn_lua_give(lua_State *lua, int index) {
    zn_lua_state *state = zn_lua_state_of(lua);
    if (state->out->len - state->out_start > state->limits.memory_bytes) {
        luaL_error(lua, "what one call emits is above the memory limit of %I bytes",
                   (lua_Integer)state->limits.memory_bytes);
    }
    zn_lua_encode(lua, index, state->out);
}

int zn_lua_emit(lua_State *lua) {
    luaL_checkany(lua, 1);
    if (zn_lua_state_of(lua)->out == NULL) {
        return luaL_error(lua, "'emit' works only during the call that got it");
    }
    zn_lua_give(lua, 1);
    return 0;
}

void zn_lua_push_side(lua_State *lua, zn_bytes record) {
    if (zn_value_head(record).type == ZN_VALUE_NIL) {
        lua_pushnil(lua);
    } else {
        zn_lua_push(lua, record);
    }
}

/* Pushes the view of the record, making it if it is not there. */
static void push_record(lua_State *lua, zn_lua_chunk *chunk) {
    if (chunk->is_viewed) {
        lua_getiuservalue(lua, 1, ENV_RECORD);
        return;
    }
    zn_lua_push(lua, chunk->record);
    lua_pushvalue(lua, -1);
    lua_setiuservalue(lua, 1, ENV_RECORD);
    chunk->is_viewed = true;
}

/* Pushes a field of the record; false, and nothing pushed, if there is none. */
static bool push_field(lua_State *lua, zn_lua_chunk *chunk, zn_bytes name) {
    zn_bytes value;
    if (!chunk->is_viewed) {
        if (!zn_value_field(chunk->record, name, &value)) {
            return false;
        }
        if (zn_lua_push_scalar(lua, value)) {
            return true;
        }
    }
    push_record(lua, chunk);
    lua_pushvalue(lua, 2);
    if (lua_gettable(lua, -2) != LUA_TNIL) {
        return true;
    }
    lua_pop(lua, 2);
    return false;
}

/* Whether the call gets something before the record: what is accumulated, or the state. */
static bool has_state(const zn_lua_chunk *chunk) {
    return chunk->form == ZN_CALL_FOLD || chunk->form == ZN_CALL_WINDOW;
}

static bool names(zn_bytes name, const char *text) {
    return zn_bytes_equal(name, zn_bytes_of_text(text));
}

/* Pushes the record of a side of a join; false, and nothing pushed, for other names. */
static bool push_side(lua_State *lua, const zn_lua_chunk *chunk, zn_bytes name) {
    bool is_left = names(name, "left");
    if (chunk->form != ZN_CALL_JOIN || (!is_left && !names(name, "right"))) {
        return false;
    }
    zn_lua_push_side(lua, is_left ? chunk->earlier : chunk->record);
    return true;
}

/* __index of _ENV: what a bare name means. */
static int resolve(lua_State *lua) {
    zn_lua_chunk *chunk = *(zn_lua_chunk **)lua_touserdata(lua, 1);
    if (lua_type(lua, 2) != LUA_TSTRING) {
        return 0;
    }
    zn_bytes name;
    name.data = (const uint8_t *)lua_tolstring(lua, 2, &name.len);
    if (push_side(lua, chunk, name)) {
        return 1;
    }
    bool has_record = chunk->form != ZN_CALL_JOIN && argument_names(chunk->form)[0] == '\0';
    if (name.len == 1 && name.data[0] == 'r' && has_record) {
        push_record(lua, chunk);
        return 1;
    }
    if (name.len == 1 && name.data[0] == 'a' && has_state(chunk)) {
        zn_lua_push(lua, chunk->earlier);
        return 1;
    }
    if (chunk->is_block && name.len == 4 && memcmp(name.data, "emit", 4) == 0) {
        lua_pushcfunction(lua, zn_lua_emit);
        return 1;
    }
    if (chunk->is_map && push_field(lua, chunk, name)) {
        return 1;
    }
    lua_pushvalue(lua, 2);
    lua_rawget(lua, lua_upvalueindex(1));
    return 1;
}

/* Pushes a new _ENV. */
static void push_env(lua_State *lua, zn_lua_chunk *chunk) {
    zn_lua_chunk **env = lua_newuserdatauv(lua, sizeof(zn_lua_chunk *), ENV_VALUES);
    *env = chunk;
    lua_createtable(lua, 0, 3);
    zn_lua_sandbox_push(lua);
    lua_pushcclosure(lua, resolve, 1);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, zn_lua_sandbox_refuse_global);
    lua_setfield(lua, -2, "__newindex");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_setmetatable(lua, -2);
}

/* Loads names of arguments + prefix + text + suffix; pushes the function, or raises the message. */
static void load_text(lua_State *lua, const zn_lua_chunk *chunk, const char *prefix,
                      const char *suffix) {
    lua_pushfstring(lua, "=%s", chunk->name);
    const char *name = lua_tostring(lua, -1);
    luaL_Buffer buffer;
    luaL_buffinit(lua, &buffer);
    luaL_addstring(&buffer, argument_names(chunk->form));
    luaL_addstring(&buffer, prefix);
    luaL_addlstring(&buffer, (const char *)chunk->text.data, chunk->text.len);
    luaL_addstring(&buffer, suffix);
    luaL_pushresult(&buffer);
    size_t len;
    const char *text = lua_tolstring(lua, -1, &len);
    if (luaL_loadbufferx(lua, text, len, name, "t") != LUA_OK) {
        lua_error(lua);
    }
}

static bool is_blank(zn_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(" \t\r\n", text.data[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* Pushes the compiled function. An expression is loaded twice: bare, for messages that point at the
 * user's own text, and in brackets, which make sure that it is one expression. */
static void load_chunk(lua_State *lua, const zn_lua_chunk *chunk) {
    if (chunk->is_block) {
        load_text(lua, chunk, "", "");
        return;
    }
    if (is_blank(chunk->text)) {
        luaL_error(lua, "%s: the expression is empty", chunk->name);
    }
    load_text(lua, chunk, "return ", "");
    if (chunk->form != ZN_CALL_WINDOW) {
        load_text(lua, chunk, "return (", "\n)");
    }
}

static int compile(lua_State *lua) {
    zn_lua_chunk *chunk = lua_touserdata(lua, 1);
    load_chunk(lua, chunk);
    push_env(lua, chunk);
    lua_pushvalue(lua, -1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &env_key);
    lua_setupvalue(lua, -2, 1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &function_key);
    return 0;
}

zn_lua_chunk *zn_lua_chunk_new(zn_lua_state *state, const char *name, bool is_block,
                               zn_call_form form, zn_bytes text, zonda_error *error) {
    zn_lua_chunk *chunk = ZN_NEW(zn_lua_chunk);
    *chunk = (zn_lua_chunk){
        .state = state, .form = form, .is_block = is_block, .name = name, .text = text
    };
    if (zn_lua_state_call(state, compile, chunk, error) != ZONDA_OK) {
        zn_lua_chunk_destroy(&chunk);
    }
    return chunk;
}

void zn_lua_chunk_destroy(zn_lua_chunk **chunk) {
    free(*chunk);
    *chunk = NULL;
}

typedef struct global {
    zn_bytes name;
    bool found;
} global;

static int find_global(lua_State *lua) {
    global *wanted = lua_touserdata(lua, 1);
    zn_lua_sandbox_push(lua);
    lua_pushlstring(lua, (const char *)wanted->name.data, wanted->name.len);
    wanted->found = lua_rawget(lua, -2) != LUA_TNIL;
    return 0;
}

bool zn_lua_chunk_has_global(const zn_lua_chunk *chunk, zn_bytes name) {
    global wanted = { .name = name };
    zonda_error ignored;
    return zn_lua_state_call(chunk->state, find_global, &wanted, &ignored) != ZONDA_OK ||
           wanted.found;
}

void zn_lua_chunk_push(lua_State *lua) {
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &function_key);
}

/* One call: the context is what the caller of zn_lua_chunk_call gave. */
typedef struct call {
    zn_lua_chunk *chunk;
    bool truth;
} call;

static int run(lua_State *lua) {
    call *running = lua_touserdata(lua, 1);
    zn_lua_chunk *chunk = running->chunk;
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &function_key);
    lua_call(lua, 0, chunk->form == ZN_CALL_WINDOW ? 2 : 1);
    if (chunk->form == ZN_CALL_WINDOW) {
        running->truth = zn_lua_truth(lua, -2);
        zn_lua_give(lua, -1);
    } else if (chunk->form == ZN_CALL_FILTER) {
        running->truth = zn_lua_truth(lua, -1);
    } else if (chunk->form != ZN_CALL_FLAT_MAP || !lua_isnil(lua, -1)) {
        zn_lua_give(lua, -1);
    }
    return 0;
}

/* Lets go of the view of the last record. */
static void forget_record(zn_lua_chunk *chunk) {
    lua_State *lua = chunk->state->lua;
    if (chunk->is_viewed) {
        lua_rawgetp(lua, LUA_REGISTRYINDEX, &env_key);
        lua_pushnil(lua);
        lua_setiuservalue(lua, -2, ENV_RECORD);
        lua_pop(lua, 1);
        chunk->is_viewed = false;
    }
}

zonda_err zn_lua_chunk_call(zn_lua_chunk *chunk, const zn_bytes *args, zn_buf *out, bool *truth,
                            zonda_error *error) {
    call running = { .chunk = chunk };
    bool is_pair = chunk->form == ZN_CALL_JOIN;
    chunk->record = args[is_pair || has_state(chunk) ? 1 : 0];
    chunk->earlier = args[0];
    chunk->is_map = !is_pair && zn_value_head(chunk->record).type == ZN_VALUE_MAP;
    size_t start = out != NULL ? out->len : 0;
    chunk->state->out = out;
    chunk->state->out_start = start;
    zonda_err err = zn_lua_state_call(chunk->state, run, &running, error);
    chunk->state->out = NULL;
    forget_record(chunk);
    if (err != ZONDA_OK) {
        if (out != NULL) {
            out->len = start;
        }
        return err;
    }
    if (chunk->form == ZN_CALL_FILTER || chunk->form == ZN_CALL_WINDOW) {
        *truth = running.truth;
    }
    return ZONDA_OK;
}

/* Only loads. */
static int check(lua_State *lua) {
    load_chunk(lua, lua_touserdata(lua, 1));
    return 0;
}

zonda_err zn_lua_check(const char *op, bool is_block, bool pair, zn_bytes text,
                       zonda_error *error) {
    zn_lua_limits limits = zn_lua_limits_of(0, 0);
    zn_lua_state *state = zn_lua_state_new(&limits, error);
    if (state == NULL) {
        return ZONDA_ERR_LIMIT;
    }
    zn_lua_chunk chunk = {
        .name = op, .form = pair ? ZN_CALL_WINDOW : ZN_CALL_MAP, .is_block = is_block, .text = text
    };
    zonda_error found = { 0 };
    zonda_err err = zn_lua_state_call(state, check, &chunk, &found);
    if (err != ZONDA_OK) {
        int shown = text.len < 200 ? (int)text.len : 200;
        err = zn_error_set(error, ZONDA_ERR_PLAN, "%s in '%.*s'", found.text, shown,
                           (const char *)text.data);
        if (error != NULL) {
            zn_lua_clean_text(error->text);
        }
    }
    zn_lua_state_destroy(&state);
    return err;
}
