/* SPDX-License-Identifier: MPL-2.0 */
/* User functions behind one interface: picks the kind of function that an argument names, and
 * checks what a function gives, whatever its kind: every value whole and within the limits of a
 * record, exactly one from a map or a fold. Operators downstream may therefore trust the bytes.
 * begin and end pair up for each task, also when the task failed before or in begin. */
#include "ops/function.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/profile.h"
#include "ops/group.h"
#include "record/value.h"
#include "wire/shape.h"

struct zn_function {
    const zn_function_kind *kind;
    zn_call_form form;
    const zn_op *op;
    void *state;
    bool begun;
};

static zonda_err find_kind(zn_op *op, zn_bytes spec, const zn_function_kind **out,
                           zonda_error *error) {
    zn_bytes name = { 0 };
    zn_value_field_text(spec, "kind", &name);
    if (zn_bytes_equal(name, zn_bytes_of_text("c")) ||
        zn_bytes_equal(name, zn_bytes_of_text("plugin"))) {
        *out = &zn_function_c;
        return ZONDA_OK;
    }
    if (name.len > 4 && zn_bytes_equal((zn_bytes){ name.data, 4 }, zn_bytes_of_text("lua-"))) {
#ifdef ZN_HAVE_LUA
        *out = &zn_function_lua;
        return ZONDA_OK;
#else
        return zn_error_set(error, ZONDA_ERR_UNSUPPORTED,
                            "the function of %s is Lua, but this program was built without Lua",
                            op->def->name);
#endif
    }
    return zn_error_set(error, ZONDA_ERR_PLAN, "the function of %s has no known kind",
                        op->def->name);
}

zonda_err zn_function_bind(zn_op *op, const char *arg, zn_call_form form, zn_function **out,
                           zonda_error *error) {
    zn_bytes spec;
    if (!zn_value_field(op->args, zn_bytes_of_text(arg), &spec)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "%s has no argument \"%s\"", op->def->name, arg);
    }
    const zn_function_kind *kind = NULL;
    zonda_err err = find_kind(op, spec, &kind, error);
    if (err != ZONDA_OK) {
        return err;
    }
    void *state = NULL;
    err = kind->bind(spec, form, op, &state, error);
    if (err != ZONDA_OK) {
        return err;
    }
    zn_function *function = ZN_NEW(zn_function);
    function->kind = kind;
    function->form = form;
    function->op = op;
    function->state = state;
    *out = function;
    return ZONDA_OK;
}

void zn_function_unbind(zn_function **function) {
    if (*function == NULL) {
        return;
    }
    (*function)->kind->unbind((*function)->state);
    free(*function);
    *function = NULL;
}

/* What the function sees of the task: the shard of its own branch of the stage. */
static void enter(const zn_function *function, zonda_task *task) {
    task->shard = zn_op_shard(function->op, task);
    task->shard_count = function->op->shard_count;
}

zonda_err zn_function_begin(zn_function *function, zonda_task *task, zonda_error *error) {
    zonda_err err = ZONDA_OK;
    enter(function, task);
    if (function->kind->begin != NULL) {
        err = function->kind->begin(function->state, task, error);
    }
    function->begun = err == ZONDA_OK;
    return err;
}

void zn_function_end(zn_function *function, zonda_task *task) {
    if (!function->begun) {
        return;
    }
    function->begun = false;
    enter(function, task);
    if (function->kind->end != NULL) {
        function->kind->end(function->state, task);
    }
}

/* Checks concatenated values; at most `count_max` of them. */
static zonda_err check_values(zn_bytes values, uint64_t count_max, uint64_t *count,
                              zonda_error *error) {
    *count = 0;
    while (values.len > 0) {
        size_t used = 0;
        zonda_err err = zn_shape_check(values, ZN_RECORD_DEPTH_MAX, &used, error);
        if (err != ZONDA_OK) {
            zn_error_prefix(error, "the function gave bad MessagePack: ");
            error->code = ZONDA_ERR_USER;
            return ZONDA_ERR_USER;
        }
        if (used > ZN_RECORD_BYTES_MAX) {
            return zn_error_set(error, ZONDA_ERR_USER,
                                "the function gave a record of %zu bytes, more than the limit of "
                                "%u",
                                used, ZN_RECORD_BYTES_MAX);
        }
        *count += 1;
        if (*count > count_max) {
            return zn_error_set(error, ZONDA_ERR_USER,
                                "the function gave more than one value where one is wanted");
        }
        values.data += used;
        values.len -= used;
    }
    return ZONDA_OK;
}

zonda_err zn_function_call(zn_function *function, zonda_task *task, const zn_bytes *args,
                           zn_buf *out, bool *truth, zonda_error *error) {
    size_t start = out == NULL ? 0 : out->len;
    enter(function, task);
    int before = zn_profile_enter_record(ZN_SECTION_USER);
    zonda_err err = function->kind->call(function->state, task, args, out, truth, error);
    zn_profile_leave_record(before);
    if (err != ZONDA_OK || function->form == ZN_CALL_FILTER) {
        return err;
    }
    zn_bytes values = { .data = out->data + start, .len = out->len - start };
    bool many = function->form == ZN_CALL_FLAT_MAP || function->form == ZN_CALL_SHARD;
    uint64_t count = 0;
    err = check_values(values, many ? UINT64_MAX : 1, &count, error);
    if (err == ZONDA_OK && count == 0 && !many) {
        err = zn_error_set(error, ZONDA_ERR_USER, "the function gave no value where one is wanted");
    }
    return err;
}

/* A group whose function is not trusted yet. Other operators run while it pulls and emits. */
typedef struct guarded_group {
    zn_function *function;
    zonda_task *task;
    const zn_group *group;
} guarded_group;

static zonda_err next_guarded(void *context, zn_bytes *record, bool *found, zonda_error *error) {
    guarded_group *guarded = context;
    int before = zn_profile_enter_record(ZN_SECTION_SHUFFLING);
    zonda_err err = guarded->group->next(guarded->group->context, record, found, error);
    zn_profile_leave_record(before);
    enter(guarded->function, guarded->task);
    return err;
}

static zonda_err emit_guarded(void *context, zn_bytes values, zonda_error *error) {
    guarded_group *guarded = context;
    uint64_t count = 0;
    int before = zn_profile_enter_record(ZN_SECTION_OTHER);
    zonda_err err = check_values(values, UINT64_MAX, &count, error);
    zn_cursor cursor = zn_cursor_of(values);
    while (err == ZONDA_OK && cursor.at < cursor.end) {
        err = guarded->group->emit(guarded->group->context, zn_cursor_skip(&cursor), error);
    }
    zn_profile_leave_record(before);
    enter(guarded->function, guarded->task);
    return err;
}

zonda_err zn_function_group(zn_function *function, zonda_task *task, const zn_group *group,
                            zonda_error *error) {
    guarded_group guarded = { .function = function, .task = task, .group = group };
    zn_group seen = {
        .context = &guarded, .key = group->key, .next = next_guarded, .emit = emit_guarded
    };
    enter(function, task);
    int before = zn_profile_enter_record(ZN_SECTION_USER);
    zonda_err err = function->kind->group(function->state, task, &seen, error);
    zn_profile_leave_record(before);
    return err;
}

zonda_err zn_function_finish(zn_function *function, zonda_task *task, zn_buf *out,
                             zonda_error *error) {
    size_t start = out->len;
    enter(function, task);
    int before = zn_profile_enter_record(ZN_SECTION_USER);
    zonda_err err = function->kind->finish(function->state, task, out, error);
    zn_profile_leave_record(before);
    if (err != ZONDA_OK) {
        return err;
    }
    uint64_t count = 0;
    zn_bytes values = { .data = out->data + start, .len = out->len - start };
    return check_values(values, UINT64_MAX, &count, error);
}
