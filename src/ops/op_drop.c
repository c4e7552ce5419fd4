/* SPDX-License-Identifier: MPL-2.0 */
/* Leaves some fields of each record out and keeps all others, in their order. A path "a.b" leaves
 * field b of the map in field a out; a field whose name has the dots in it wins, as in select. What
 * a record does not have is no mistake. Works on the bytes: first the keys that have to go are
 * found, then everything else is copied around them; maps are written again only where a key in
 * them goes. */
#include <stdlib.h>

#include "base/alloc.h"
#include "ops/narrow.h"
#include "ops/op_list.h"
#include "record/value.h"

typedef struct dropping {
    uint32_t path_count;
    zn_bytes *paths;
    const uint8_t **keys; /* where those keys of the record begin that have to go */
    size_t key_count;
    size_t key_capacity;
    zn_buf out;
} dropping;

static zonda_err open_drop(zn_op *op, zonda_error *error) {
    zn_bytes fields;
    if (!zn_value_field(op->args, zn_bytes_of_text("fields"), &fields)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "drop has no fields");
    }
    zn_cursor cursor = zn_cursor_of(fields);
    dropping *self = ZN_NEW(dropping);
    self->path_count = zn_cursor_read(&cursor).count;
    self->paths = zn_calloc(self->path_count, sizeof *self->paths);
    for (uint32_t i = 0; i < self->path_count; i++) {
        self->paths[i] = zn_cursor_read(&cursor).bytes;
    }
    op->state = self;
    return ZONDA_OK;
}

static void close_drop(zn_op *op) {
    dropping *self = op->state;
    if (self == NULL) {
        return;
    }
    free(self->paths);
    free(self->keys);
    zn_buf_free(&self->out);
    free(self);
    op->state = NULL;
}

/* Whether a path goes through a field of this name. */
static bool is_step(zn_bytes name, zn_bytes path) {
    zn_bytes start = { .data = path.data, .len = name.len };
    bool fits = name.len == path.len || (name.len < path.len && path.data[name.len] == '.');
    return fits && zn_bytes_equal(name, start);
}

/* Notes every key of the map that is exactly `name`. */
static void note_keys(dropping *self, zn_bytes map, zn_bytes name) {
    zn_cursor cursor = zn_cursor_of(map);
    for (uint32_t left = zn_cursor_read(&cursor).count; left > 0; left--) {
        zn_bytes key = zn_cursor_skip(&cursor);
        zn_cursor_skip(&cursor);
        zn_value head = zn_value_head(key);
        if (head.type == ZN_VALUE_STRING && zn_bytes_equal(head.bytes, name)) {
            ZN_GROW(self->keys, self->key_count, self->key_capacity);
            self->keys[self->key_count++] = key.data;
        }
    }
}

/* Finds what a path names, by the rule of zn_value_path: the longest name wins in each map. */
static void note_path(dropping *self, zn_bytes map, zn_bytes path) {
    while (zn_value_head(map).type == ZN_VALUE_MAP) {
        zn_bytes best = { 0 };
        size_t taken = 0;
        zn_cursor cursor = zn_cursor_of(map);
        for (uint32_t left = zn_cursor_read(&cursor).count; left > 0; left--) {
            zn_value name = zn_value_head(zn_cursor_skip(&cursor));
            zn_bytes value = zn_cursor_skip(&cursor);
            if (name.type == ZN_VALUE_STRING && name.bytes.len >= taken &&
                is_step(name.bytes, path)) {
                best = value;
                taken = name.bytes.len;
            }
        }
        if (best.len == 0) {
            return;
        }
        if (taken == path.len) {
            note_keys(self, map, path);
            return;
        }
        path.data += taken + 1;
        path.len -= taken + 1;
        map = best;
    }
}

static bool is_noted(const dropping *self, const uint8_t *key) {
    for (size_t i = 0; i < self->key_count; i++) {
        if (self->keys[i] == key) {
            return true;
        }
    }
    return false;
}

static bool has_noted(const dropping *self, zn_bytes value) {
    for (size_t i = 0; i < self->key_count; i++) {
        if (self->keys[i] >= value.data && self->keys[i] < value.data + value.len) {
            return true;
        }
    }
    return false;
}

/* The depth of records is limited, and so is this recursion. */
static void copy_map(dropping *self, zn_bytes map) {
    zn_cursor cursor = zn_cursor_of(map);
    uint32_t pairs = zn_cursor_read(&cursor).count;
    zn_cursor first = cursor;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < pairs; i++) {
        kept += is_noted(self, zn_cursor_skip(&cursor).data) ? 0 : 1;
        zn_cursor_skip(&cursor);
    }
    zn_put_map(&self->out, kept);
    cursor = first;
    for (uint32_t i = 0; i < pairs; i++) {
        zn_bytes key = zn_cursor_skip(&cursor);
        zn_bytes value = zn_cursor_skip(&cursor);
        if (is_noted(self, key.data)) {
            continue;
        }
        zn_buf_append(&self->out, key.data, key.len);
        if (has_noted(self, value)) {
            copy_map(self, value);
        } else {
            zn_buf_append(&self->out, value.data, value.len);
        }
    }
}

static zonda_err push_record(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    dropping *self = op->state;
    zonda_err err = zn_narrow_check_map(op, record, error);
    if (err != ZONDA_OK) {
        return err;
    }
    self->key_count = 0;
    for (uint32_t i = 0; i < self->path_count; i++) {
        note_path(self, record, self->paths[i]);
    }
    if (self->key_count == 0) {
        return zn_op_emit(op, task, record, error);
    }
    self->out.len = 0;
    copy_map(self, record);
    return zn_op_emit(op, task, zn_buf_bytes(&self->out), error);
}

static const zn_op_runtime drop_runtime = {
    .open = open_drop,
    .close = close_drop,
    .push = push_record,
};

static const zn_arg_def drop_args[] = {
    { .name = "fields",
      .type = ZN_ARG_TEXTS,
      .use = ZN_ARG_POSITIONAL,
      .doc = "fields to leave out; a.b is field b of field a" },
};

const zn_op_def zn_op_drop = { .name = "drop",
                               .op_class = ZN_OP_NARROW,
                               ZN_ARGS(drop_args),
                               .runtime = &drop_runtime,
                               .doc = "each record without the given fields" };
