/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_LUA_GROUP_H
#define ZN_OPS_LUA_GROUP_H

#include "ops/group.h"
#include "ops/lua_state.h"

/* A Lua function that runs on groups: f(key, rows, emit). Plain data, all zero at first; it must
 * stay where it is as long as the Lua states that it runs in. */
typedef struct zn_lua_group {
    const zn_group *group; /* of the running call; NULL: none */
    uint64_t call;         /* number of the running call: its rows and emit work in no other */
    zn_buf out;
    zonda_error error;         /* the group's: pulling or emitting failed */
    void (*push)(lua_State *); /* pushes the function */
} zn_lua_group;

/* Runs the function that `push` pushes in `state`. What it emits and returns goes to the group at
 * once. `*is_own` is false if the error is the group's, which passes through as it is. Errors:
 * those, and as zn_lua_state_call. */
zonda_err zn_lua_group_call(zn_lua_group *group, zn_lua_state *state, void (*push)(lua_State *),
                            const zn_group *rows, bool *is_own, zonda_error *error);
void zn_lua_group_free(zn_lua_group *group);

#endif
