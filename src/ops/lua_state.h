/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_LUA_STATE_H
#define ZN_OPS_LUA_STATE_H

#include <lua.h>

#include "ops/lua_limits.h"
#include "ops/task.h"

/* Why user code has to end, whatever it catches. */
typedef enum zn_lua_stop {
    ZN_LUA_RUNS,
    ZN_LUA_STOP_INSTRUCTIONS,
    ZN_LUA_STOP_CANCELLED,
    ZN_LUA_STOP_HOST, /* the slot could not do what it was asked for; see `failure` */
} zn_lua_stop;

/* A sandbox: a Lua state with bounded memory and instructions and nothing to reach outside. */
typedef struct zn_lua_state {
    lua_State *lua;
    zn_lua_limits limits;
    size_t memory_used;
    uint64_t instructions; /* of the running call, counted in steps */
    zn_lua_stop stop;
    zonda_task *task;    /* of the running shard; NULL: none */
    zonda_error failure; /* with ZN_LUA_STOP_HOST */
    zn_buf *out;         /* what `emit` appends to; NULL: nobody may emit now */
    size_t out_start;    /* bytes that were there before the call */
    void *owner;         /* whoever evaluates a script in it; see lua_dataset.c */
    char traceback[ZN_ERROR_TEXT_BYTES_MAX]; /* of the last error */
} zn_lua_state;

/* Error: LIMIT. NULL on failure. */
zn_lua_state *zn_lua_state_new(const zn_lua_limits *limits, zonda_error *error);
void zn_lua_state_destroy(zn_lua_state **state);

/* Starts math.random again from these two numbers. */
void zn_lua_state_seed(zn_lua_state *state, uint64_t first, uint64_t second);

/* Calls `body` in protected mode, with `context` as a light userdata for its only argument; what it
 * leaves on the stack is gone. Errors: USER (an error was raised; message and traceback), LIMIT
 * (memory, instructions), CANCELLED, what a call to the slot gave. */
zonda_err zn_lua_state_call(zn_lua_state *state, lua_CFunction body, void *context,
                            zonda_error *error);

/* Counts work in C as instructions of the running call. Raises an error if it has to end. */
void zn_lua_state_count(lua_State *lua, uint64_t instructions);

/* Keeps the traceback of a coroutine that has failed or waits, for the error that the running call
 * is about to raise because of it. */
void zn_lua_state_trace(zn_lua_state *state, lua_State *coroutine);

/* The sandbox that a Lua state belongs to. */
zn_lua_state *zn_lua_state_of(lua_State *lua);

/* Ends the running call with `failure`, which user code cannot catch. Does not return. */
int zn_lua_state_fail(lua_State *lua, const zonda_error *failure);

/* Makes text of user code fit for messages: bytes that are not UTF-8 become '?'. */
void zn_lua_clean_text(char *text);

#endif
