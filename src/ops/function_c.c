/* SPDX-License-Identifier: MPL-2.0 */
/* User functions in C: registered by name (function_registry.c), or from a plug-in.
 *
 * A call decodes its arguments into zones that are reused, and collects what the function packs in
 * the caller's buffer; function.c checks those bytes. State that `open` made is closed exactly
 * once, also when the task fails. Words of zonda_task_fail become the error; a bare code becomes a
 * sentence that names the function. */
#include "ops/function.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/short_bytes.h"
#include "ops/function_registry.h"
#include "ops/group.h"
#include "ops/plugin.h"
#include "record/object.h"
#include "record/value.h"
#include "wire/shape.h"

enum {
    ANSWER_BYTES_MAX = 4 * ZN_RECORD_BYTES_MAX, /* of one call */
    ARGS_MAX = 2,
    KEEP_BYTES_MAX = ZN_MIB,
    FLUSH_BYTES = 64 * ZN_KIB /* of what a function of groups packs */
};

/* The group that a function runs on. What the function packs goes on in whole values as soon as
 * there is enough of it. */
struct zonda_rows {
    struct c_function *function;
    zonda_task *task;
    const zn_group *group;
    size_t flush_bytes; /* go on with what is packed when there is so much */
    zonda_error error;  /* of the group: pulling or emitting failed */
};

typedef struct c_function {
    zonda_function function;
    char *name; /* for messages: function "NAME", with its plug-in */
    char *op;   /* the operator that calls it, as the user wrote it */
    zn_call_form form;
    zn_object_decoder *decoders[ARGS_MAX];
    msgpack_packer packer;
    zn_buf *packed;   /* where the running call's answer goes */
    size_t left;      /* bytes that it may still pack */
    bool overflowed;  /* it wanted more */
    zn_buf answer;    /* of a filter, or of a function of groups */
    zonda_rows *rows; /* of the running call; NULL: not on a group */
    void *task_state;
} c_function;

static zonda_err find_registered(zn_bytes name, c_function *out, zonda_error *error) {
    zonda_err err = zn_registry_find(name, &out->function, error);
    if (err == ZONDA_OK) {
        out->name = zn_format("function \"%.*s\"", (int)name.len, (const char *)name.data);
    }
    return err;
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

static zonda_err check_form(const c_function *found, zonda_error *error) {
    if (found->form == ZN_CALL_GROUP && found->function.group == NULL) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "%s works on records, not on groups: it has no "
                            "`group`",
                            found->name);
    }
    if (found->form != ZN_CALL_GROUP && found->function.call == NULL) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "%s works on groups, not on records: it has no "
                            "`call`",
                            found->name);
    }
    return ZONDA_OK;
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
    if (err == ZONDA_OK) {
        err = check_form(&found, error);
    }
    if (err != ZONDA_OK) {
        free(found.name);
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
    zn_buf_free(&self->answer);
    free(self->name);
    free(self->op);
    free(self);
}

/* The user's code runs (on): should it crash, the worker can say where. */
static void resume(const c_function *self, zonda_task *task, void *task_state) {
    task->state = task_state;
    if (task->host->entered != NULL) {
        task->host->entered(task->host->context, self->op, self->name);
    }
}

/* Before every call of the user's code; leave() follows. */
static void enter(const c_function *self, zonda_task *task, void *task_state) {
    task->failure.code = ZONDA_OK;
    resume(self, task, task_state);
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

/* Bytes of the whole values at the begin. */
static size_t whole_values(zn_bytes packed) {
    size_t whole = 0;
    size_t used = 0;
    zonda_error ignored;
    while (whole < packed.len &&
           zn_shape_check((zn_bytes){ packed.data + whole, packed.len - whole },
                          ZN_RECORD_DEPTH_MAX, &used, &ignored) == ZONDA_OK) {
        whole += used;
    }
    return whole;
}

/* Gives the first `bytes` of what was packed to the group, while the user's code waits. */
static bool give(zonda_rows *rows, size_t bytes) {
    c_function *self = rows->function;
    leave(rows->task);
    zn_bytes values = { self->answer.data, bytes };
    zonda_err err = rows->group->emit(rows->group->context, values, &rows->error);
    resume(self, rows->task, self->task_state);
    rows->error.code = err;
    memmove(self->answer.data, self->answer.data + bytes, self->answer.len - bytes);
    self->answer.len -= bytes;
    self->left = ANSWER_BYTES_MAX - self->answer.len;
    return err == ZONDA_OK;
}

/* Whether the task cannot end well any more. */
static bool has_failed(const zonda_rows *rows) {
    return rows->error.code != ZONDA_OK || rows->task->failure.code == ZONDA_ERR_USER;
}

/* A value that is not whole yet is looked at again when there is twice as much of it. False if
 * nothing more is wanted. */
static bool flush_some(zonda_rows *rows) {
    c_function *self = rows->function;
    if (has_failed(rows)) {
        self->answer.len = 0;
        return false;
    }
    if (self->answer.len < rows->flush_bytes) {
        return true;
    }
    size_t whole = whole_values(zn_buf_bytes(&self->answer));
    bool well = whole == 0 || give(rows, whole);
    rows->flush_bytes = self->answer.len * 2 > FLUSH_BYTES ? self->answer.len * 2 : FLUSH_BYTES;
    return well;
}

static __attribute__((noinline)) int append_any(c_function *self, const char *data, size_t len) {
    if (len > self->left) {
        self->overflowed = true;
        return -1;
    }
    self->left -= len;
    zn_buf_append(self->packed, data, len);
    return self->rows == NULL || flush_some(self->rows) ? 0 : -1;
}

/* Called several times for each value, mostly with a byte or a word; so that is done here, without
 * a call. */
static int append_packed(void *context, const char *data, size_t len) {
    c_function *self = context;
    zn_buf *out = self->packed;
    if (len > ZN_SHORT_BYTES_MAX || len > self->left || len >= out->capacity - out->len ||
        self->rows != NULL) {
        return append_any(self, data, len);
    }
    const uint8_t *in = (const uint8_t *)data;
    uint8_t *end = out->data + out->len;
    self->left -= len;
    out->len += len;
    if (len == 1) {
        *end = *in;
    } else {
        zn_short_bytes_store(zn_short_bytes_load(in, len), end, len);
    }
    return 0;
}

static void begin_packing(c_function *self, zn_buf *out) {
    self->packed = out;
    self->left = ANSWER_BYTES_MAX;
    self->overflowed = false;
    msgpack_packer_init(&self->packer, self, append_packed);
}

static zonda_err end_packing(c_function *self, zonda_task *task, zonda_err code,
                             zonda_error *error) {
    zonda_err err = take_failure(self, task, code, error);
    if (err == ZONDA_OK && self->overflowed) {
        err = zn_error_set(error, ZONDA_ERR_USER,
                           "%s packed more than the limit of %u bytes in one call", self->name,
                           ANSWER_BYTES_MAX);
    }
    return err;
}

/* Runs the C code: its answer goes to `out`. Without arguments it is the end of the shard. */
static zonda_err run_call(c_function *self, zonda_task *task, const msgpack_object *args,
                          size_t count, zn_buf *out, zonda_error *error) {
    begin_packing(self, out);
    enter(self, task, self->task_state);
    zonda_err code = args != NULL ? self->function.call(task, args, count, &self->packer)
                                  : self->function.finish(task, &self->packer);
    leave(task);
    return end_packing(self, task, code, error);
}

/* The truth of the one value that a filter packed. */
static zonda_err read_truth(zn_bytes answer, bool *truth, zonda_error *error) {
    if (answer.len == 0) {
        return zn_error_set(error, ZONDA_ERR_USER,
                            "the function gave no value where one is wanted");
    }
    bool is_bool = answer.len == 1 && (answer.data[0] & 0xfe) == 0xc2; /* by far the most */
    if (!is_bool && zn_value_check(answer, error) != ZONDA_OK) {
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
    self->answer.len = 0;
    zonda_err err = run_call(self, task, objects, count, &self->answer, error);
    if (err == ZONDA_OK && self->form == ZN_CALL_WINDOW) {
        return read_pair(zn_buf_bytes(&self->answer), truth, out, error);
    }
    return err != ZONDA_OK ? err : read_truth(zn_buf_bytes(&self->answer), truth, error);
}

static zonda_err finish_shard(void *state, zonda_task *task, zn_buf *out, zonda_error *error) {
    c_function *self = state;
    return self->function.finish == NULL ? ZONDA_OK : run_call(self, task, NULL, 0, out, error);
}

const msgpack_object *zonda_rows_next(zonda_rows *rows) {
    c_function *self = rows->function;
    if (has_failed(rows)) {
        return NULL;
    }
    zn_bytes record;
    bool found = false;
    const msgpack_object *object = NULL;
    leave(rows->task);
    zonda_err err = rows->group->next(rows->group->context, &record, &found, &rows->error);
    if (err == ZONDA_OK && found) {
        err = zn_object_decode(self->decoders[1], record, &object, &rows->error);
    }
    resume(self, rows->task, self->task_state);
    rows->error.code = err;
    return object;
}

static zonda_err call_group(void *state, zonda_task *task, const zn_group *group,
                            zonda_error *error) {
    c_function *self = state;
    const msgpack_object *key = NULL;
    zonda_err err = zn_object_decode(self->decoders[0], group->key, &key, error);
    if (err != ZONDA_OK) {
        return err;
    }
    zonda_rows rows = {
        .function = self, .task = task, .group = group, .flush_bytes = FLUSH_BYTES
    };
    zn_buf_reset(&self->answer, KEEP_BYTES_MAX);
    begin_packing(self, &self->answer);
    self->rows = &rows;
    enter(self, task, self->task_state);
    zonda_err code = self->function.group(task, key, &rows, &self->packer);
    leave(task);
    self->rows = NULL;
    if (rows.error.code != ZONDA_OK) {
        *error = rows.error;
        task->failure.code = ZONDA_OK;
        return rows.error.code;
    }
    err = end_packing(self, task, code, error);
    return err != ZONDA_OK ? err : group->emit(group->context, zn_buf_bytes(&self->answer), error);
}

const zn_function_kind zn_function_c = {
    .bind = bind_function,
    .unbind = unbind_function,
    .begin = begin_shard,
    .end = end_shard,
    .call = call_function,
    .finish = finish_shard,
    .group = call_group,
};
