/* SPDX-License-Identifier: MPL-2.0 */
/* map_shard in Lua. Records are pushed through a chain of operators, but the function pulls them:
 * so it runs in a coroutine, in which items() waits until the next record comes. The coroutine is
 * made when the first record comes, or at the end of a shard without any. One that is still waiting
 * when the shard fails is let go, and runs no further.
 *
 * Only the coroutine itself may wait: a coroutine that the user makes in it would give its wait to
 * whoever resumed it. A limit holds for the time from one record to the next. Coroutines inherit
 * the hook that counts instructions. Called by lua_function.c. */
#include "ops/lua_shard.h"

#include <lauxlib.h>

#include "ops/lua_chunk.h"
#include "record/lua_value.h"

static const char coroutine_key = 0;

/* Pushes the record that has come, or nil at the end. */
static int take_record(lua_State *lua, int status, lua_KContext context) {
    (void)status;
    zn_lua_shard *shard = (zn_lua_shard *)context;
    const zn_bytes *record = shard->record;
    shard->record = NULL;
    if (record != NULL) {
        zn_lua_push(lua, *record);
    } else {
        lua_pushnil(lua);
    }
    return 1;
}

/* items(); also the iterator of a for loop, which passes two arguments. */
static int next_record(lua_State *lua) {
    zn_lua_shard *shard = lua_touserdata(lua, lua_upvalueindex(1));
    if (lua != shard->coroutine) {
        return luaL_error(lua, "'items' works only in the function that got it, not in a coroutine "
                               "that it makes");
    }
    lua_KContext context = (lua_KContext)shard;
    if (shard->record != NULL || shard->is_last) {
        return take_record(lua, LUA_OK, context);
    }
    lua_settop(lua, 0);
    shard->is_asking = true;
    return lua_yieldk(lua, 0, context, take_record);
}

/* Makes the coroutine, with the function and its arguments on its stack. */
static void start(lua_State *lua, zn_lua_shard *shard) {
    const zonda_task *task = zn_lua_state_of(lua)->task;
    lua_State *coroutine = lua_newthread(lua);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &coroutine_key);
    shard->push(lua);
    lua_pushlightuserdata(lua, shard);
    lua_pushcclosure(lua, next_record, 1);
    lua_createtable(lua, 0, 2);
    lua_pushinteger(lua, (lua_Integer)task->shard);
    lua_setfield(lua, -2, "index");
    lua_pushinteger(lua, (lua_Integer)task->shard_count);
    lua_setfield(lua, -2, "total");
    lua_pushcfunction(lua, zn_lua_emit);
    lua_xmove(lua, coroutine, 4);
    shard->coroutine = coroutine;
}

/* The function has returned: its first result is a record unless it is nil. */
static void take_result(lua_State *lua, zn_lua_shard *shard, int count) {
    shard->is_over = true;
    if (count == 0) {
        return;
    }
    lua_pop(shard->coroutine, count - 1);
    lua_xmove(shard->coroutine, lua, 1);
    if (!lua_isnil(lua, -1)) {
        zn_lua_give(lua, -1);
    }
}

static int step(lua_State *lua) {
    zn_lua_shard *shard = lua_touserdata(lua, 1);
    int args = 0;
    if (shard->coroutine == NULL) {
        start(lua, shard);
        args = 3;
    }
    shard->is_asking = false;
    int count = 0;
    int status = lua_resume(shard->coroutine, lua, args, &count);
    if (status == LUA_OK) {
        take_result(lua, shard, count);
        return 0;
    }
    if (status == LUA_YIELD && shard->is_asking) {
        lua_pop(shard->coroutine, count);
        return 0;
    }
    zn_lua_state_trace(zn_lua_state_of(lua), shard->coroutine);
    if (status == LUA_YIELD) {
        return luaL_error(lua, "the function yields, but not in a coroutine that it makes");
    }
    lua_xmove(shard->coroutine, lua, 1);
    return lua_error(lua);
}

void zn_lua_shard_begin(zn_lua_shard *shard, void (*push)(lua_State *)) {
    *shard = (zn_lua_shard){ .push = push };
}

zonda_err zn_lua_shard_step(zn_lua_shard *shard, zn_lua_state *state, const zn_bytes *record,
                            zn_buf *out, bool *more, zonda_error *error) {
    if (!shard->is_over) {
        size_t start_bytes = out->len;
        shard->record = record;
        shard->is_last = record == NULL;
        state->out = out;
        state->out_start = start_bytes;
        zonda_err err = zn_lua_state_call(state, step, shard, error);
        state->out = NULL;
        shard->record = NULL;
        if (err != ZONDA_OK) {
            shard->is_over = true; /* what is left of it cannot go on */
            out->len = start_bytes;
            return err;
        }
    }
    *more = !shard->is_over;
    return ZONDA_OK;
}
