/* SPDX-License-Identifier: MPL-2.0 */
/* group_by in Lua: f(key, rows, emit). `rows` is a C closure that pulls the next record of the
 * group whenever it is called, and `emit` one that gives its argument to the operators behind, so
 * nothing waits here but the record at hand. Both work only during the call that got them.
 *
 * A failure of the group (a segment cannot be read, an operator behind fails, a limit has enough)
 * ends the call, which user code cannot prevent, and passes through unchanged. The instruction
 * limit holds for the time from one record to the next. Called by lua_function.c. */
#include "ops/lua_group.h"

#include <lauxlib.h>

#include "base/limits.h"
#include "ops/lua_chunk.h"
#include "record/lua_value.h"

enum {
    KEEP_BYTES_MAX = ZN_MIB
};

/* The group that the running closure is of; raises an error if its call is over, or if the group
 * has failed before and the function goes on, as it can where a coroutine had the error. */
static zn_lua_group *check_group(lua_State *lua, const char *name) {
    zn_lua_group *self = lua_touserdata(lua, lua_upvalueindex(1));
    lua_Integer call = lua_tointeger(lua, lua_upvalueindex(2));
    if (self->group == NULL || (uint64_t)call != self->call) {
        luaL_error(lua, "'%s' works only during the call that got it", name);
    }
    if (self->error.code != ZONDA_OK) {
        zn_lua_state_fail(lua, &self->error);
    }
    return self;
}

static int fail_group(lua_State *lua, zn_lua_group *self, zonda_err err) {
    self->error.code = err;
    return zn_lua_state_fail(lua, &self->error);
}

/* rows(); also the iterator of a for loop, which passes two arguments. */
static int next_row(lua_State *lua) {
    zn_lua_group *self = check_group(lua, "rows");
    zn_bytes record;
    bool found = false;
    zn_lua_state_of(lua)->instructions = 0;
    zonda_err err = self->group->next(self->group->context, &record, &found, &self->error);
    if (err != ZONDA_OK) {
        return fail_group(lua, self, err);
    }
    if (found) {
        zn_lua_push(lua, record);
    } else {
        lua_pushnil(lua);
    }
    return 1;
}

static void give(lua_State *lua, zn_lua_group *self, int index) {
    zn_buf_reset(&self->out, KEEP_BYTES_MAX);
    zn_lua_encode(lua, index, &self->out);
    zonda_err err = self->group->emit(self->group->context, zn_buf_bytes(&self->out), &self->error);
    if (err != ZONDA_OK) {
        fail_group(lua, self, err);
    }
}

static int emit_value(lua_State *lua) {
    zn_lua_group *self = check_group(lua, "emit");
    luaL_checkany(lua, 1);
    give(lua, self, 1);
    return 0;
}

static void push_closure(lua_State *lua, zn_lua_group *self, lua_CFunction function) {
    lua_pushlightuserdata(lua, self);
    lua_pushinteger(lua, (lua_Integer)self->call);
    lua_pushcclosure(lua, function, 2);
}

static int run(lua_State *lua) {
    zn_lua_group *self = lua_touserdata(lua, 1);
    self->push(lua);
    zn_lua_push(lua, self->group->key);
    push_closure(lua, self, next_row);
    push_closure(lua, self, emit_value);
    lua_call(lua, 3, 1);
    if (!lua_isnil(lua, -1)) {
        give(lua, self, -1);
    }
    return 0;
}

zonda_err zn_lua_group_call(zn_lua_group *group, zn_lua_state *state, void (*push)(lua_State *),
                            const zn_group *rows, bool *is_own, zonda_error *error) {
    group->group = rows;
    group->call++;
    group->push = push;
    group->error.code = ZONDA_OK;
    zonda_err err = zn_lua_state_call(state, run, group, error);
    group->group = NULL;
    *is_own = group->error.code == ZONDA_OK;
    if (*is_own) {
        return err;
    }
    if (error != NULL) {
        *error = group->error;
    }
    return group->error.code;
}

void zn_lua_group_free(zn_lua_group *group) {
    zn_buf_free(&group->out);
}
