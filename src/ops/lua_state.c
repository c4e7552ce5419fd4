/* SPDX-License-Identifier: MPL-2.0 */
/* Lua states for user code. The allocator holds the memory limit; a count hook holds the
 * instruction limit and asks whether the job was cancelled. Code may catch the error of a limit
 * with pcall, so once a limit is hit the hook raises at every further instruction until the call is
 * over, and a call that ends well in spite of that has failed all the same. Coroutines inherit the
 * hook.
 *
 * All use of a state goes through zn_lua_state_call. One thread at a time. */
#include "ops/lua_state.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/lua_sandbox.h"
#include "record/utf8.h"

enum {
    HOOK_STEP = 10000,       /* instructions between two looks */
    TRACEBACK_LINES_MAX = 16 /* the innermost ones */
};

static void *allocate(void *context, void *memory, size_t old_bytes, size_t bytes) {
    zn_lua_state *state = context;
    size_t old = memory != NULL ? old_bytes : 0; /* else it is a type tag */
    if (bytes == 0) {
        free(memory);
        state->memory_used -= old;
        zn_memory_give(state->limits.memory, old);
        return NULL;
    }
    if (bytes > old && bytes - old > state->limits.memory_bytes - state->memory_used) {
        return NULL;
    }
    void *moved = realloc(memory, bytes);
    if (moved != NULL) {
        state->memory_used = state->memory_used - old + bytes;
        zn_memory_force(state->limits.memory, bytes);
        zn_memory_give(state->limits.memory, old);
    }
    return moved;
}

zn_lua_state *zn_lua_state_of(lua_State *lua) {
    zn_lua_state *state;
    memcpy(&state, lua_getextraspace(lua), sizeof state);
    return state;
}

static bool is_cancelled(const zn_lua_state *state) {
    const zonda_task *task = state->task;
    return task != NULL && task->host != NULL && task->host->cancelled != NULL &&
           task->host->cancelled(task->host->context);
}

static void count_step(lua_State *lua, lua_Debug *debug) {
    (void)debug;
    zn_lua_state_count(lua, HOOK_STEP);
}

void zn_lua_state_count(lua_State *lua, uint64_t instructions) {
    zn_lua_state *state = zn_lua_state_of(lua);
    state->instructions += instructions;
    if (state->stop == ZN_LUA_RUNS && state->instructions > state->limits.instructions) {
        state->stop = ZN_LUA_STOP_INSTRUCTIONS;
    } else if (state->stop == ZN_LUA_RUNS && is_cancelled(state)) {
        state->stop = ZN_LUA_STOP_CANCELLED;
    }
    if (state->stop != ZN_LUA_RUNS) {
        lua_sethook(lua, count_step, LUA_MASKCOUNT, 1);
        luaL_error(lua, "the call has to end");
    }
}

int zn_lua_state_fail(lua_State *lua, const zonda_error *failure) {
    zn_lua_state *state = zn_lua_state_of(lua);
    state->failure = *failure;
    state->stop = ZN_LUA_STOP_HOST;
    lua_sethook(lua, count_step, LUA_MASKCOUNT, 1);
    return luaL_error(lua, "%s", failure->text);
}

/* Appends one line for a Lua function; C functions say nothing to users. False if it is full. */
static bool add_line(zn_lua_state *state, size_t *used, const lua_Debug *debug) {
    char *at = state->traceback + *used;
    size_t room = sizeof state->traceback - *used;
    const char *what = strcmp(debug->what, "main") == 0 ? "main chunk" : "function";
    int len;
    if (debug->name != NULL) {
        len = snprintf(at, room, "%s%s:%d: in %s '%s'", *used > 0 ? "\n" : "", debug->short_src,
                       debug->currentline, debug->namewhat[0] != '\0' ? debug->namewhat : what,
                       debug->name);
    } else {
        len = snprintf(at, room, "%s%s:%d: in %s", *used > 0 ? "\n" : "", debug->short_src,
                       debug->currentline, what);
    }
    if (len < 0 || (size_t)len >= room) {
        *at = '\0';
        return false;
    }
    *used += (size_t)len;
    return true;
}

static void keep_traceback(zn_lua_state *state, lua_State *lua, int level) {
    lua_Debug debug;
    size_t used = 0;
    state->traceback[0] = '\0';
    unsigned lines = 0;
    for (; lines < TRACEBACK_LINES_MAX && lua_getstack(lua, level, &debug) != 0; level++) {
        lua_getinfo(lua, "Sln", &debug);
        if (strcmp(debug.what, "C") == 0) {
            continue;
        }
        if (!add_line(state, &used, &debug)) {
            return;
        }
        lines++;
    }
}

void zn_lua_state_trace(zn_lua_state *state, lua_State *coroutine) {
    keep_traceback(state, coroutine, 0);
}

/* The message handler: an error object becomes text while the stack is still there. An error that
 * comes from a coroutine has its traceback already. */
static int handle_error(lua_State *lua) {
    zn_lua_state *state = zn_lua_state_of(lua);
    if (state->traceback[0] == '\0') {
        keep_traceback(state, lua, 1); /* 0 is this function */
    }
    if (lua_type(lua, 1) == LUA_TSTRING) {
        return 1;
    }
    if (lua_type(lua, 1) == LUA_TNUMBER || luaL_getmetafield(lua, 1, "__tostring") != LUA_TNIL) {
        lua_settop(lua, 1);
        luaL_tolstring(lua, 1, NULL);
        return 1;
    }
    lua_pushfstring(lua, "the error is a %s value", luaL_typename(lua, 1));
    return 1;
}

void zn_lua_clean_text(char *text) {
    const uint8_t *end = (const uint8_t *)text + strlen(text);
    while (*text != '\0') {
        unsigned len = zn_utf8_length((const uint8_t *)text, end);
        if (len == 0) {
            *text = '?';
            len = 1;
        }
        text += len;
    }
}

/* The limit that was hit, or else the error object on the top, as an error. */
static zonda_err describe_limit(const zn_lua_state *state, int status, zonda_error *error) {
    const zn_lua_limits *limits = &state->limits;
    if (state->stop == ZN_LUA_STOP_INSTRUCTIONS) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "the call exceeds the instruction limit of %" PRIu64,
                            limits->instructions);
    }
    if (status == LUA_ERRMEM) {
        bool small = limits->memory_bytes < ZN_MIB;
        return zn_error_set(error, ZONDA_ERR_LIMIT, "Lua exceeds the memory limit of %zu %s",
                            limits->memory_bytes / (small ? ZN_KIB : ZN_MIB),
                            small ? "KiB" : "MiB");
    }
    lua_State *lua = state->lua;
    const char *text = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : "an error";
    return zn_error_set(error, ZONDA_ERR_USER, "%s", text);
}

static zonda_err describe(zn_lua_state *state, int status, zonda_error *error) {
    zonda_error found = { 0 };
    if (state->stop == ZN_LUA_STOP_HOST) {
        found = state->failure;
    } else if (state->stop == ZN_LUA_STOP_CANCELLED) {
        zn_error_set(&found, ZONDA_ERR_CANCELLED, "cancelled");
    } else {
        describe_limit(state, status, &found);
    }
    zn_error_copy(found.traceback, sizeof found.traceback, state->traceback,
                  strlen(state->traceback));
    zn_lua_clean_text(found.text);
    zn_lua_clean_text(found.traceback);
    if (error != NULL) {
        *error = found;
    }
    return found.code;
}

zonda_err zn_lua_state_call(zn_lua_state *state, lua_CFunction body, void *context,
                            zonda_error *error) {
    lua_State *lua = state->lua;
    state->instructions = 0;
    if (state->stop != ZN_LUA_RUNS) {
        state->stop = ZN_LUA_RUNS;
        lua_sethook(lua, count_step, LUA_MASKCOUNT, HOOK_STEP);
    }
    state->traceback[0] = '\0';
    lua_settop(lua, 0);
    lua_pushcfunction(lua, handle_error);
    lua_pushcfunction(lua, body);
    lua_pushlightuserdata(lua, context);
    int status = lua_pcall(lua, 1, 0, 1);
    zonda_err err = ZONDA_OK;
    if (status != LUA_OK || state->stop != ZN_LUA_RUNS) {
        err = describe(state, status, error);
    }
    lua_settop(lua, 0);
    return err;
}

static int open_sandbox(lua_State *lua) {
    zn_lua_sandbox_open(lua);
    return 0;
}

zn_lua_state *zn_lua_state_new(const zn_lua_limits *limits, zonda_error *error) {
    zn_lua_state *state = ZN_NEW(zn_lua_state);
    state->limits = *limits;
    state->lua = lua_newstate(allocate, state);
    if (state->lua == NULL) {
        zn_error_set(error, ZONDA_ERR_LIMIT, "the memory limit of %zu bytes is too small for Lua",
                     limits->memory_bytes);
        zn_lua_state_destroy(&state);
        return NULL;
    }
    memcpy(lua_getextraspace(state->lua), &state, sizeof state);
    lua_sethook(state->lua, count_step, LUA_MASKCOUNT, HOOK_STEP);
    if (zn_lua_state_call(state, open_sandbox, NULL, error) != ZONDA_OK) {
        zn_lua_state_destroy(&state);
        return NULL;
    }
    zn_lua_state_seed(state, 0, 0);
    return state;
}

void zn_lua_state_destroy(zn_lua_state **state) {
    if (*state == NULL) {
        return;
    }
    if ((*state)->lua != NULL) {
        lua_close((*state)->lua);
    }
    free(*state);
    *state = NULL;
}

static int seed(lua_State *lua) {
    const uint64_t *numbers = lua_touserdata(lua, 1);
    zn_lua_sandbox_seed(lua, (lua_Integer)numbers[0], (lua_Integer)numbers[1]);
    return 0;
}

void zn_lua_state_seed(zn_lua_state *state, uint64_t first, uint64_t second) {
    uint64_t numbers[] = { first, second };
    zonda_error error;
    zn_lua_state_call(state, seed, numbers, &error); /* sets numbers only: nothing can fail */
}
