/* SPDX-License-Identifier: MPL-2.0 */
/* Keys of records, for all operators that take one: fields are looked up in the bytes, a function
 * is called like that of map. Called once per record by everything that shuffles, so a field that
 * is a single name goes the short way, and its value is encoded from where it lies in the record.
 *
 * The encoding of a key is bounded, so that a row always fits into a block. */
#include "ops/key_source.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/function.h"
#include "record/key.h"
#include "record/value.h"

enum {
    KEEP_BYTES_MAX = ZN_MIB
};

typedef struct key_field {
    zn_bytes name;
    bool is_path; /* has a dot in it */
} key_field;

struct zn_key_source {
    zn_function *function; /* or fields */
    key_field *fields;
    uint32_t count;
    bool is_list; /* the key is an array, even of one field */
    zn_buf value; /* of the key at hand, where it has to be made */
};

static const uint8_t nil_byte = 0xc0;
static const zn_bytes nil_value = { .data = &nil_byte, .len = 1 };

static key_field field_of(zn_bytes name) {
    return (key_field){ .name = name, .is_path = memchr(name.data, '.', name.len) != NULL };
}

static void bind_fields(zn_key_source *self, zn_bytes spec) {
    zn_cursor cursor = zn_cursor_of(spec);
    zn_value head = zn_cursor_read(&cursor);
    self->is_list = head.type == ZN_VALUE_ARRAY;
    self->count = self->is_list ? head.count : 1;
    self->fields = zn_calloc(self->count, sizeof *self->fields);
    for (uint32_t i = 0; i < self->count; i++) {
        self->fields[i] = field_of(self->is_list ? zn_cursor_read(&cursor).bytes : head.bytes);
    }
}

zonda_err zn_key_source_bind(zn_op *op, const char *arg, zn_key_source **out, zonda_error *error) {
    zn_bytes spec;
    if (!zn_value_field(op->args, zn_bytes_of_text(arg), &spec)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "%s has no argument \"%s\"", op->def->name, arg);
    }
    zn_key_source *self = ZN_NEW(zn_key_source);
    if (zn_value_head(spec).type == ZN_VALUE_MAP) {
        zonda_err err = zn_function_bind(op, arg, ZN_CALL_MAP, &self->function, error);
        if (err != ZONDA_OK) {
            free(self);
            return err;
        }
    } else {
        bind_fields(self, spec);
    }
    *out = self;
    return ZONDA_OK;
}

void zn_key_source_unbind(zn_key_source **source) {
    zn_key_source *self = *source;
    if (self == NULL) {
        return;
    }
    zn_function_unbind(&self->function);
    free(self->fields);
    zn_buf_free(&self->value);
    free(self);
    *source = NULL;
}

zonda_err zn_key_source_begin(zn_key_source *source, zonda_task *task, zonda_error *error) {
    return source->function == NULL ? ZONDA_OK : zn_function_begin(source->function, task, error);
}

void zn_key_source_end(zn_key_source *source, zonda_task *task) {
    if (source->function != NULL) {
        zn_function_end(source->function, task);
    }
}

/* Trying the same record again cannot help. */
static zonda_err for_good(zonda_err code, zonda_error *error) {
    if (error != NULL) {
        error->permanent = true;
    }
    return code;
}

/* What a record does not have is nil; one that is no map has nothing. */
static zn_bytes find(const key_field *field, zn_bytes record) {
    zn_bytes value = nil_value;
    if (field->is_path) {
        zn_value_path(record, field->name, &value);
    } else {
        zn_value_field(record, field->name, &value);
    }
    return value;
}

static void put_list(const zn_key_source *self, zn_bytes record, zn_buf *out) {
    zn_put_array(out, self->count);
    for (uint32_t i = 0; i < self->count; i++) {
        zn_bytes value = find(&self->fields[i], record);
        zn_buf_append(out, value.data, value.len);
    }
}

/* The key of a record: borrowed from it, or made. */
static zonda_err find_value(zn_key_source *self, zonda_task *task, zn_bytes record, zn_bytes *out,
                            zonda_error *error) {
    if (self->function != NULL) {
        zn_buf_reset(&self->value, KEEP_BYTES_MAX);
        zonda_err err = zn_function_call(self->function, task, &record, &self->value, NULL, error);
        *out = zn_buf_bytes(&self->value);
        return err;
    }
    if (self->is_list) {
        zn_buf_reset(&self->value, KEEP_BYTES_MAX);
        put_list(self, record, &self->value);
        *out = zn_buf_bytes(&self->value);
    } else {
        *out = find(&self->fields[0], record);
    }
    return ZONDA_OK;
}

zonda_err zn_key_source_put(zn_key_source *source, zonda_task *task, zn_bytes record, zn_buf *out,
                            zonda_error *error) {
    zn_bytes value;
    zonda_err err = find_value(source, task, record, &value, error);
    if (err != ZONDA_OK) {
        return err;
    }
    size_t start = out->len;
    err = zn_key_put(out, value, error);
    if (err == ZONDA_OK && out->len - start > ZN_KEY_BYTES_MAX) {
        err = zn_error_set(error, ZONDA_ERR_LIMIT, "a key has %zu bytes, more than the limit of %u",
                           out->len - start, (unsigned)ZN_KEY_BYTES_MAX);
        out->len = start;
    }
    return err == ZONDA_OK ? err : for_good(err, error);
}

zonda_err zn_key_source_value(zn_key_source *source, zonda_task *task, zn_bytes record, zn_buf *out,
                              zonda_error *error) {
    zn_bytes value;
    zonda_err err = find_value(source, task, record, &value, error);
    if (err == ZONDA_OK) {
        zn_buf_append(out, value.data, value.len);
    }
    return err;
}
