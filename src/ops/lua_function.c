/* SPDX-License-Identifier: MPL-2.0 */
/* User functions in Lua, as operators see them: expressions and blocks (lua_chunk.c) and functions
 * of pipeline scripts (lua_script_function.c). Each has a Lua state of its own in each slot, so no
 * function can see what another one keeps.
 *
 * A function that exceeds a limit is the user's mistake, so its error becomes USER here. */
#include "ops/function.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "ops/lua_chunk.h"
#include "record/value.h"

typedef struct lua_function {
    zn_lua_state *state;
    zn_lua_chunk *chunk;
    uint64_t place; /* of the operator in its chain, for seeds */
} lua_function;

static void unbind_function(void *opaque) {
    lua_function *function = opaque;
    if (function == NULL) {
        return;
    }
    zn_lua_chunk_destroy(&function->chunk);
    zn_lua_state_destroy(&function->state);
    free(function);
}

static uint64_t place_of(const zn_op *op) {
    uint64_t place = 0;
    for (; op->next != NULL; op = op->next) {
        place++;
    }
    return place;
}

static zonda_err bind_chunk(lua_function *function, zn_bytes spec, bool is_block, zn_call_form form,
                            const zn_op *op, zonda_error *error) {
    zn_bytes text;
    if (!zn_value_field_text(spec, "text", &text)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "a Lua function has no text");
    }
    zonda_error found = { 0 };
    function->state = zn_lua_state_new(&zn_lua_limits_default, &found);
    if (function->state != NULL) {
        function->chunk =
            zn_lua_chunk_new(function->state, op->def->name, is_block, form, text, &found);
    }
    if (function->chunk == NULL) {
        return zn_error_set(error, found.code, "%s", found.text);
    }
    return ZONDA_OK;
}

static bool is_kind(zn_bytes kind, const char *name) {
    return zn_bytes_equal(kind, zn_bytes_of_text(name));
}

static zonda_err bind_function(zn_bytes spec, zn_call_form form, zn_op *op, void **state,
                               zonda_error *error) {
    zn_bytes kind;
    if (!zn_value_field_text(spec, "kind", &kind)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "a function has no kind");
    }
    lua_function *function = ZN_NEW(lua_function);
    function->place = place_of(op);
    zonda_err err;
    if (is_kind(kind, "lua-expression") || is_kind(kind, "lua-block")) {
        err = bind_chunk(function, spec, is_kind(kind, "lua-block"), form, op, error);
    } else {
        err = zn_error_set(error, ZONDA_ERR_PLAN, "a Lua function of unknown kind \"%.*s\"",
                           (int)(kind.len < 64 ? kind.len : 64), (const char *)kind.data);
    }
    if (err != ZONDA_OK) {
        unbind_function(function);
        return err;
    }
    *state = function;
    return ZONDA_OK;
}

/* One step of splitmix64 (http://prng.di.unimi.it/splitmix64.c): spreads numbers that are close. */
static uint64_t mix(uint64_t number) {
    number += UINT64_C(0x9e3779b97f4a7c15);
    number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
    return number ^ (number >> 31);
}

static zonda_err begin(void *opaque, zonda_task *task, zonda_error *error) {
    (void)error;
    lua_function *function = opaque;
    const zn_attempt_id *id = &task->attempt;
    zn_lua_state_seed(function->state, mix(mix(id->job.value) + id->stage.value),
                      mix(mix(id->task) + function->place));
    function->state->task = task;
    return ZONDA_OK;
}

static void end(void *opaque, zonda_task *task) {
    (void)task;
    lua_function *function = opaque;
    function->state->task = NULL;
}

static zonda_err call(void *opaque, zonda_task *task, const zn_bytes *args, zn_buf *out,
                      bool *truth, zonda_error *error) {
    (void)task;
    lua_function *function = opaque;
    zonda_err err = zn_lua_chunk_call(function->chunk, args, out, truth, error);
    if (err == ZONDA_ERR_LIMIT) {
        err = ZONDA_ERR_USER;
        if (error != NULL) {
            error->code = err;
        }
    }
    return err;
}

const zn_function_kind zn_function_lua = {
    .bind = bind_function, .unbind = unbind_function, .begin = begin, .end = end, .call = call
};
