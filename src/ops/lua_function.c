/* SPDX-License-Identifier: MPL-2.0 */
/* User functions in Lua, as operators see them: expressions and blocks (lua_chunk.c) and functions
 * of pipeline scripts (lua_script_function.c). Filters that only compare are answered without Lua
 * where that is certain (predicate.c). Each has a Lua state of its own in each slot, so no
 * function can see what another one keeps.
 *
 * math.random starts anew for every shard, by (job, stage, shard, place in the chain), so a task
 * that is run again gives the same. */
#include "ops/function.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "ops/lua_chunk.h"
#include "ops/lua_group.h"
#include "ops/lua_script_function.h"
#include "ops/lua_shard.h"
#include "ops/predicate.h"
#include "record/value.h"

enum {
    NAME_BYTES = 64
};

typedef struct lua_function {
    zn_lua_state *state; /* of the chunk */
    zn_lua_chunk *chunk;
    zn_lua_script_function *script; /* or this */
    zn_predicate *predicate;        /* FILTER: answers instead of the chunk; NULL: none */
    zn_call_form form;
    zn_lua_shard shard; /* SHARD: the running one */
    zn_lua_group group; /* GROUP: likewise */
    uint64_t place;     /* of the operator in its chain, for seeds */
} lua_function;

static void unbind_function(void *opaque) {
    lua_function *function = opaque;
    if (function == NULL) {
        return;
    }
    zn_lua_script_function_destroy(&function->script);
    zn_predicate_destroy(&function->predicate);
    zn_lua_chunk_destroy(&function->chunk);
    zn_lua_state_destroy(&function->state);
    zn_lua_group_free(&function->group);
    free(function);
}

static uint64_t place_of(const zn_op *op) {
    uint64_t place = 0;
    for (; op->next != NULL; op = op->next) {
        place++;
    }
    return place;
}

/* Most filters compare fields with constants, which needs no Lua. */
static void bind_predicate(lua_function *function, zn_bytes text) {
    function->predicate = zn_predicate_new(text);
    size_t count = 0;
    const zn_bytes *names =
        function->predicate == NULL ? NULL : zn_predicate_names(function->predicate, &count);
    for (size_t i = 0; i < count; i++) {
        if (zn_lua_chunk_has_global(function->chunk, names[i])) {
            zn_predicate_set_global(function->predicate, i);
        }
    }
}

static zonda_err bind_chunk(lua_function *function, zn_bytes spec, bool is_block, zn_call_form form,
                            const zn_op *op, zonda_error *error) {
    zn_bytes text;
    if (!zn_value_field_text(spec, "text", &text)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "a Lua function has no text");
    }
    char name[NAME_BYTES];
    zn_bytes user_name = zn_op_user_name(op->def);
    zn_error_copy(name, sizeof name, (const char *)user_name.data, user_name.len);
    zonda_error found = { 0 };
    zn_lua_limits limits = zn_stage_exec_lua_limits(op->stage);
    function->state = zn_lua_state_new(&limits, &found);
    if (function->state != NULL) {
        function->chunk = zn_lua_chunk_new(function->state, name, is_block, form, text, &found);
    }
    if (function->chunk == NULL) {
        return zn_error_set(error, found.code, "%s", found.text);
    }
    if (form == ZN_CALL_FILTER && !is_block) {
        bind_predicate(function, text);
    }
    return ZONDA_OK;
}

static zonda_err bind_script(lua_function *function, zn_bytes spec, zn_call_form form,
                             const zn_op *op, zonda_error *error) {
    zn_bytes script;
    zn_digest digest;
    uint64_t index;
    if (!zn_value_field(spec, zn_bytes_of_text("script"), &script) ||
        !zn_digest_from_bytes(zn_value_head(script).bytes, &digest) ||
        !zn_value_field_uint(spec, "index", &index)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "a function of a script has no digest or index");
    }
    const zn_task_host *host = zn_stage_exec_host(op->stage);
    zn_bytes blob;
    zonda_err err = host->blob(host->context, digest, &blob, error);
    zn_lua_limits limits = zn_stage_exec_lua_limits(op->stage);
    if (err == ZONDA_OK) {
        err = zn_lua_script_function_new(blob, index, form, &limits, &function->script, error);
    }
    return err;
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
    function->form = form;
    zonda_err err;
    if (is_kind(kind, "lua-expression") || is_kind(kind, "lua-block")) {
        err = bind_chunk(function, spec, is_kind(kind, "lua-block"), form, op, error);
    } else if (is_kind(kind, "lua-script")) {
        err = bind_script(function, spec, form, op, error);
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

/* A limit that user code exceeds is the user's mistake. */
static zonda_err as_user_error(zonda_err err, zonda_error *error) {
    if (err != ZONDA_ERR_LIMIT) {
        return err;
    }
    if (error != NULL) {
        error->code = ZONDA_ERR_USER;
    }
    return ZONDA_ERR_USER;
}

static zn_lua_state *state_of(const lua_function *function) {
    return function->script != NULL ? zn_lua_script_function_state(function->script)
                                    : function->state;
}

typedef void push_function(lua_State *lua);

/* What pushes the function itself, for forms that call it in their own way. */
static push_function *pusher_of(const lua_function *function) {
    return function->script != NULL ? zn_lua_script_function_push : zn_lua_chunk_push;
}

static zonda_err begin(void *opaque, zonda_task *task, zonda_error *error) {
    lua_function *function = opaque;
    if (function->script != NULL) {
        zonda_err err = zn_lua_script_function_begin(function->script, error);
        if (err != ZONDA_OK) {
            return as_user_error(err, error);
        }
    }
    zn_lua_state *state = state_of(function);
    const zn_attempt_id *id = &task->attempt;
    zn_lua_state_seed(state, mix(mix(id->job.value) + id->stage.value),
                      mix(mix(id->task) + function->place));
    state->task = task;
    zn_lua_shard_begin(&function->shard, pusher_of(function));
    return ZONDA_OK;
}

static void end(void *opaque, zonda_task *task) {
    (void)task;
    state_of(opaque)->task = NULL;
}

static zonda_err call(void *opaque, zonda_task *task, const zn_bytes *args, zn_buf *out,
                      bool *truth, zonda_error *error) {
    (void)task;
    lua_function *function = opaque;
    if (function->predicate != NULL) {
        zn_predicate_answer answer = zn_predicate_ask(function->predicate, args[0]);
        if (answer != ZN_PREDICATE_UNSURE) {
            *truth = answer == ZN_PREDICATE_TRUE;
            return ZONDA_OK;
        }
    }
    if (function->form == ZN_CALL_SHARD) {
        return as_user_error(
            zn_lua_shard_step(&function->shard, state_of(function), args, out, truth, error),
            error);
    }
    zonda_err err = function->script != NULL
                        ? zn_lua_script_function_call(function->script, args, out, truth, error)
                        : zn_lua_chunk_call(function->chunk, args, out, truth, error);
    return as_user_error(err, error);
}

static zonda_err finish(void *opaque, zonda_task *task, zn_buf *out, zonda_error *error) {
    (void)task;
    lua_function *function = opaque;
    bool more = false;
    return as_user_error(
        zn_lua_shard_step(&function->shard, state_of(function), NULL, out, &more, error), error);
}

static zonda_err group(void *opaque, zonda_task *task, const zn_group *rows, zonda_error *error) {
    (void)task;
    lua_function *function = opaque;
    bool is_own = true;
    zonda_err err = zn_lua_group_call(&function->group, state_of(function), pusher_of(function),
                                      rows, &is_own, error);
    return is_own ? as_user_error(err, error) : err;
}

const zn_function_kind zn_function_lua = {
    .bind = bind_function,
    .unbind = unbind_function,
    .begin = begin,
    .end = end,
    .call = call,
    .finish = finish,
    .group = group,
};
