/* SPDX-License-Identifier: MPL-2.0 */
/* User functions in C: registered by name, or from a plug-in. The registry is a fixed table that
 * only grows: an entry is complete before the count that makes it visible is raised, so lookups on
 * slot threads need no lock. Registering happens before clusters open, on one thread.
 *
 * A call decodes its arguments into zones that are reused, and collects what the function packs in
 * the caller's buffer; function.c checks those bytes. State that `open` made is closed exactly
 * once, also when the task fails. Words of zonda_task_fail become the error; a bare code becomes a
 * sentence that names the function. */
#include "ops/function.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/plugin.h"
#include "record/object.h"
#include "record/value.h"
#include "wire/shape.h"
#include "wire/text.h"

enum {
    FUNCTIONS_MAX = 4096,
    ANSWER_BYTES_MAX = 4 * ZN_RECORD_BYTES_MAX, /* of one call */
    ARGS_MAX = 2
};

typedef struct registered {
    char name[ZN_NAME_BYTES_MAX + 1];
    zonda_function function;
} registered;

static registered *registry[FUNCTIONS_MAX];
static atomic_size_t registry_count;

typedef struct c_function {
    zonda_function function;
    char *name; /* for messages: function "NAME", with its plug-in */
    char *op;   /* the operator that calls it, as the user wrote it */
    zn_call_form form;
    zn_object_decoder *decoders[ARGS_MAX];
    msgpack_packer packer;
    zn_buf *packed;  /* where the running call's answer goes */
    size_t left;     /* bytes that it may still pack */
    bool overflowed; /* it wanted more */
    zn_buf truth;    /* answer of a filter */
    void *task_state;
} c_function;

static const registered *find(zn_bytes name) {
    size_t count = atomic_load_explicit(&registry_count, memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
        if (zn_bytes_equal(name, zn_bytes_of_text(registry[i]->name))) {
            return registry[i];
        }
    }
    return NULL;
}

zonda_err zonda_register(const char *name, const zonda_function *function, zonda_error *error) {
    zn_bytes text = zn_bytes_of_text(name == NULL ? "" : name);
    if (text.len == 0 || text.len > ZN_NAME_BYTES_MAX || !zn_text_is_valid(text)) {
        return zn_error_set(error, ZONDA_ERR_INVALID,
                            "the name of a function must be UTF-8 of 1 to %u bytes",
                            ZN_NAME_BYTES_MAX);
    }
    if (function == NULL || function->call == NULL) {
        return zn_error_set(error, ZONDA_ERR_INVALID, "function \"%s\" has no call", name);
    }
    if (find(text) != NULL) {
        return zn_error_set(error, ZONDA_ERR_REFUSED, "a function \"%s\" is registered already",
                            name);
    }
    size_t count = atomic_load_explicit(&registry_count, memory_order_relaxed);
    if (count == FUNCTIONS_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "function \"%s\" is one more than the limit of %u", name,
                            FUNCTIONS_MAX);
    }
    registered *entry = ZN_NEW(registered);
    memcpy(entry->name, text.data, text.len);
    entry->function = *function;
    registry[count] = entry;
    atomic_store_explicit(&registry_count, count + 1, memory_order_release);
    return ZONDA_OK;
}

static zonda_err fail_unknown(zn_bytes name, zonda_error *error) {
    zn_buf known = { 0 };
    size_t count = atomic_load_explicit(&registry_count, memory_order_acquire);
    for (size_t i = 0; i < count && known.len < ZN_ERROR_TEXT_BYTES_MAX; i++) {
        zn_buf_printf(&known, "%s%s", i == 0 ? "" : ", ", registry[i]->name);
    }
    if (count == 0) {
        zn_buf_append_text(&known, "none");
    }
    int shown = name.len < ZN_NAME_BYTES_MAX ? (int)name.len : ZN_NAME_BYTES_MAX;
    zn_error_set(error, ZONDA_ERR_NOT_FOUND,
                 "function \"%.*s\" is not registered in this process; registered: %.*s", shown,
                 (const char *)name.data, (int)known.len, (const char *)known.data);
    zn_buf_free(&known);
    return ZONDA_ERR_NOT_FOUND;
}

static zonda_err find_registered(zn_bytes name, c_function *out, zonda_error *error) {
    const registered *entry = find(name);
    if (entry == NULL) {
        return fail_unknown(name, error);
    }
    out->function = entry->function;
    out->name = zn_format("function \"%s\"", entry->name);
    return ZONDA_OK;
}

static zonda_err find_in_plugin(zn_bytes spec, zn_bytes name, const zn_op *op, c_function *out,
                                zonda_error *error) {
    zn_bytes digest_bytes;
    zn_digest digest;
    zn_bytes text = zn_bytes_of_text("?");
    if (!zn_value_field(spec, zn_bytes_of_text("plugin"), &digest_bytes) ||
        !zn_digest_from_bytes(zn_value_head(digest_bytes).bytes, &digest)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "a function of a plug-in has no digest");
    }
    zn_value_field_text(spec, "file", &text);
    char *file = zn_strndup((const char *)text.data, text.len);
    const zonda_plugin_table *table = NULL;
    zonda_err err = zn_plugin_load(zn_stage_exec_host(op->stage), digest, file, &table, error);
    if (err == ZONDA_OK) {
        err = zn_plugin_find(table, file, name, &out->function, error);
    }
    if (err == ZONDA_OK) {
        out->name = zn_format("function \"%.*s\" of plug-in %s", (int)name.len,
                              (const char *)name.data, file);
    }
    free(file);
    return err;
}

static zonda_err bind_function(zn_bytes spec, zn_call_form form, zn_op *op, void **state,
                               zonda_error *error) {
    zn_bytes name;
    zn_bytes kind = { 0 };
    if (!zn_value_field_text(spec, "name", &name) || name.len > ZN_NAME_BYTES_MAX) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the function of %s has no name or a long one",
                            op->def->name);
    }
    c_function found = { .form = form };
    zn_value_field_text(spec, "kind", &kind);
    zonda_err err = zn_bytes_equal(kind, zn_bytes_of_text("plugin"))
                        ? find_in_plugin(spec, name, op, &found, error)
                        : find_registered(name, &found, error);
    if (err != ZONDA_OK) {
        return err;
    }
    c_function *self = ZN_NEW(c_function);
    *self = found;
    zn_bytes user_name = zn_op_user_name(op->def);
    self->op = zn_strndup((const char *)user_name.data, user_name.len);
    for (size_t i = 0; i < ARGS_MAX; i++) {
        self->decoders[i] = zn_object_decoder_new();
    }
    *state = self;
    return ZONDA_OK;
}

static void unbind_function(void *state) {
    c_function *self = state;
    for (size_t i = 0; i < ARGS_MAX; i++) {
        zn_object_decoder_destroy(&self->decoders[i]);
    }
    zn_buf_free(&self->truth);
    free(self->name);
    free(self->op);
    free(self);
}

/* Around every call of the user's code: should it crash, the worker can say where. */
static void enter(const c_function *self, zonda_task *task, void *task_state) {
    task->state = task_state;
    task->failure.code = ZONDA_OK;
    if (task->host->entered != NULL) {
        task->host->entered(task->host->context, self->op, self->name);
    }
}

static void leave(zonda_task *task) {
    task->state = NULL;
    if (task->host->entered != NULL) {
        task->host->entered(task->host->context, NULL, NULL);
    }
}

/* What the function said through the task, else what its code says. A function that ignored a
 * failed look-up of shared data and went on has not failed. */
static zonda_err take_failure(const c_function *self, zonda_task *task, zonda_err code,
                              zonda_error *error) {
    zonda_err said = task->failure.code;
    if (said == ZONDA_ERR_USER || (said != ZONDA_OK && said == code)) {
        *error = task->failure;
        task->failure.code = ZONDA_OK;
        return said;
    }
    if (code == ZONDA_OK) {
        return ZONDA_OK;
    }
    return zn_error_set(error, ZONDA_ERR_USER, "%s returned %s (%d)", self->name,
                        zonda_err_name(code), (int)code);
}

static zonda_err begin_shard(void *state, zonda_task *task, zonda_error *error) {
    c_function *self = state;
    self->task_state = NULL;
    if (self->function.open == NULL) {
        return ZONDA_OK;
    }
    enter(self, task, NULL);
    zonda_err code = self->function.open(task, &self->task_state);
    leave(task);
    return take_failure(self, task, code, error);
}

static void end_shard(void *state, zonda_task *task) {
    c_function *self = state;
    if (self->function.close == NULL) {
        return;
    }
    enter(self, task, self->task_state);
    self->function.close(task, self->task_state);
    leave(task);
    self->task_state = NULL;
}

static int append_packed(void *context, const char *data, size_t len) {
    c_function *self = context;
    if (len > self->left) {
        self->overflowed = true;
        return -1;
    }
    self->left -= len;
    zn_buf_append(self->packed, data, len);
    return 0;
}

/* Runs the C code: its answer goes to `out`. Without arguments it is the end of the shard. */
static zonda_err run_call(c_function *self, zonda_task *task, const msgpack_object *args,
                          size_t count, zn_buf *out, zonda_error *error) {
    self->packed = out;
    self->left = ANSWER_BYTES_MAX;
    self->overflowed = false;
    msgpack_packer_init(&self->packer, self, append_packed);
    enter(self, task, self->task_state);
    zonda_err code = args != NULL ? self->function.call(task, args, count, &self->packer)
                                  : self->function.finish(task, &self->packer);
    leave(task);
    zonda_err err = take_failure(self, task, code, error);
    if (err == ZONDA_OK && self->overflowed) {
        err = zn_error_set(error, ZONDA_ERR_USER,
                           "%s packed more than the limit of %u bytes in one call", self->name,
                           ANSWER_BYTES_MAX);
    }
    return err;
}

/* The truth of the one value that a filter packed. */
static zonda_err read_truth(zn_bytes answer, bool *truth, zonda_error *error) {
    if (answer.len == 0) {
        return zn_error_set(error, ZONDA_ERR_USER,
                            "the function gave no value where one is wanted");
    }
    if (zn_value_check(answer, error) != ZONDA_OK) {
        zn_error_prefix(error, "the answer of the function: ");
        error->code = ZONDA_ERR_USER;
        return ZONDA_ERR_USER;
    }
    zn_value head = zn_value_head(answer);
    *truth = head.type != ZN_VALUE_NIL && (head.type != ZN_VALUE_BOOL || head.boolean);
    return ZONDA_OK;
}

/* Takes the first of two packed values for the truth; what follows is checked by function.c. */
static zonda_err read_pair(zn_bytes answer, bool *truth, zn_buf *out, zonda_error *error) {
    size_t used = 0;
    zonda_err err = zn_shape_check(answer, ZN_RECORD_DEPTH_MAX, &used, error);
    if (err != ZONDA_OK) {
        return zn_error_set(error, ZONDA_ERR_USER,
                            "the function must give two values: whether to go on, and the state");
    }
    zn_bytes first = { .data = answer.data, .len = used };
    err = read_truth(first, truth, error);
    if (err == ZONDA_OK) {
        zn_buf_append(out, answer.data + used, answer.len - used);
    }
    return err;
}

static zonda_err call_function(void *state, zonda_task *task, const zn_bytes *args, zn_buf *out,
                               bool *truth, zonda_error *error) {
    c_function *self = state;
    bool pair =
        self->form == ZN_CALL_FOLD || self->form == ZN_CALL_WINDOW || self->form == ZN_CALL_JOIN;
    size_t count = pair ? 2 : 1;
    msgpack_object objects[ARGS_MAX];
    for (size_t i = 0; i < count; i++) {
        const msgpack_object *object = NULL;
        zonda_err err = zn_object_decode(self->decoders[i], args[i], &object, error);
        if (err != ZONDA_OK) {
            return err;
        }
        objects[i] = *object;
    }
    if (self->form == ZN_CALL_SHARD) {
        *truth = true;
    }
    if (self->form != ZN_CALL_FILTER && self->form != ZN_CALL_WINDOW) {
        return run_call(self, task, objects, count, out, error);
    }
    self->truth.len = 0;
    zonda_err err = run_call(self, task, objects, count, &self->truth, error);
    if (err == ZONDA_OK && self->form == ZN_CALL_WINDOW) {
        return read_pair(zn_buf_bytes(&self->truth), truth, out, error);
    }
    return err != ZONDA_OK ? err : read_truth(zn_buf_bytes(&self->truth), truth, error);
}

static zonda_err finish_shard(void *state, zonda_task *task, zn_buf *out, zonda_error *error) {
    c_function *self = state;
    return self->function.finish == NULL ? ZONDA_OK : run_call(self, task, NULL, 0, out, error);
}

const zn_function_kind zn_function_c = {
    .bind = bind_function,
    .unbind = unbind_function,
    .begin = begin_shard,
    .end = end_shard,
    .call = call_function,
    .finish = finish_shard,
};
