/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_LUA_SHARD_H
#define ZN_OPS_LUA_SHARD_H

#include "ops/lua_state.h"

/* A Lua function that runs along a shard: f(items, shard, emit). Plain data; it must stay where it
 * is as long as the Lua states that it runs in. */
typedef struct zn_lua_shard {
    lua_State *coroutine;      /* NULL: not started */
    const zn_bytes *record;    /* what the next items() gives */
    bool is_last;              /* items() has no more records to wait for */
    bool is_asking;            /* it has come to items(), and waits */
    bool is_over;              /* it has returned */
    void (*push)(lua_State *); /* pushes the function */
} zn_lua_shard;

/* Before the first record of a shard. */
void zn_lua_shard_begin(zn_lua_shard *shard, void (*push)(lua_State *));

/* Runs the function in `state` until it wants another record than `record`, or, if that is NULL
 * because the shard is over, until it returns. What it emits and returns is appended to `out`;
 * `*more` is false once it has returned. Errors as zn_lua_state_call. */
zonda_err zn_lua_shard_step(zn_lua_shard *shard, zn_lua_state *state, const zn_bytes *record,
                            zn_buf *out, bool *more, zonda_error *error);

#endif
