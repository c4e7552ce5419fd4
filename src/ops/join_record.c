/* SPDX-License-Identifier: MPL-2.0 */
/* The record of a pair: all fields of the left record, then those of the right one, as they are. No
 * value is ever lost without a word: a field that both records have is an error, unless it is a key
 * field of that name on both sides (equal by definition, so it appears once), or a suffix tells the
 * two apart. A function may make the record in any other way. A record without a partner stays as
 * it is. */
#include "ops/join_record.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/function.h"
#include "record/value.h"

enum {
    SHOWN_BYTES_MAX = 64
};

struct zn_join_record {
    zn_join_how how;
    zn_function *combine; /* NULL: fields are put together */
    zn_bytes suffix;      /* no bytes: none */
    zn_bytes *once;
    uint32_t once_count;
    zn_bytes *names; /* of the fields of the left record */
    size_t name_count;
    size_t name_capacity;
    zn_buf name; /* with the suffix; or the head of the map */
    zn_buf out;
};

static void read_once(zn_join_record *self, zn_bytes args) {
    zn_bytes list = { 0 };
    if (!zn_value_field(args, zn_bytes_of_text("once"), &list)) {
        return;
    }
    zn_cursor cursor = zn_cursor_of(list);
    self->once_count = zn_cursor_read(&cursor).count;
    self->once = zn_calloc(self->once_count, sizeof *self->once);
    for (uint32_t i = 0; i < self->once_count; i++) {
        self->once[i] = zn_cursor_read(&cursor).bytes;
    }
}

zonda_err zn_join_record_bind(zn_op *op, zn_join_record **out, zonda_error *error) {
    zn_bytes how = { 0 };
    zn_bytes given = { 0 };
    zn_function *combine = NULL;
    zn_join_record found = { 0 };
    zn_value_field_text(op->args, "how", &how);
    if (!zn_join_how_find(how, &found.how)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "a join has an unknown \"how\"");
    }
    if (zn_value_field(op->args, zn_bytes_of_text("combine"), &given)) {
        zonda_err err = zn_function_bind(op, "combine", ZN_CALL_JOIN, &combine, error);
        if (err != ZONDA_OK) {
            return err;
        }
    }
    zn_join_record *self = zn_memdup(&found, sizeof found);
    self->combine = combine;
    zn_value_field_text(op->args, "suffix", &self->suffix);
    read_once(self, op->args);
    *out = self;
    return ZONDA_OK;
}

void zn_join_record_unbind(zn_join_record **record) {
    zn_join_record *self = *record;
    if (self == NULL) {
        return;
    }
    zn_function_unbind(&self->combine);
    zn_buf_free(&self->name);
    zn_buf_free(&self->out);
    free(self->names);
    free(self->once);
    free(self);
    *record = NULL;
}

zn_join_how zn_join_record_how(const zn_join_record *record) {
    return record->how;
}

zonda_err zn_join_record_begin(zn_join_record *record, zonda_task *task, zonda_error *error) {
    return record->combine == NULL ? ZONDA_OK : zn_function_begin(record->combine, task, error);
}

void zn_join_record_end(zn_join_record *record, zonda_task *task) {
    if (record->combine != NULL) {
        zn_function_end(record->combine, task);
    }
    zn_buf_reset(&record->out, ZN_MIB);
}

static int shown(zn_bytes text) {
    return text.len < SHOWN_BYTES_MAX ? (int)text.len : SHOWN_BYTES_MAX;
}

static zonda_err check_map(zn_bytes record, const char *side, zonda_error *error) {
    zn_value_type type = zn_value_head(record).type;
    if (type == ZN_VALUE_MAP) {
        return ZONDA_OK;
    }
    zn_error_set(error, ZONDA_ERR_USER,
                 "a record of the %s side is no map but %s; give combine to make the record of a "
                 "pair from such records",
                 side, zn_value_type_name(type));
    error->permanent = true;
    return ZONDA_ERR_USER;
}

static zonda_err fail_clash(zn_bytes name, zonda_error *error) {
    zn_error_set(error, ZONDA_ERR_USER,
                 "field \"%.*s\" is in the left and in the right record, and is no key field of "
                 "both; give a suffix for the right one, or combine, or rename or drop it before",
                 shown(name), (const char *)name.data);
    error->permanent = true;
    return ZONDA_ERR_USER;
}

static zonda_err fail_suffixed(zn_bytes name, zn_bytes suffixed, zonda_error *error) {
    zn_error_set(error, ZONDA_ERR_USER,
                 "field \"%.*s\" is in the left and in the right record, and with the suffix it "
                 "meets a field \"%.*s\"; give another suffix, or combine",
                 shown(name), (const char *)name.data, shown(suffixed),
                 (const char *)suffixed.data);
    error->permanent = true;
    return ZONDA_ERR_USER;
}

static void read_names(zn_join_record *self, zn_cursor cursor, uint32_t pairs) {
    self->name_count = 0;
    for (uint32_t i = 0; i < pairs; i++) {
        zn_value key = zn_value_head(zn_cursor_skip(&cursor));
        zn_cursor_skip(&cursor);
        if (key.type == ZN_VALUE_STRING) {
            ZN_GROW(self->names, self->name_count, self->name_capacity);
            self->names[self->name_count++] = key.bytes;
        }
    }
}

static bool is_among(const zn_bytes *names, size_t count, zn_bytes name) {
    for (size_t i = 0; i < count; i++) {
        if (zn_bytes_equal(names[i], name)) {
            return true;
        }
    }
    return false;
}

/* Puts the name of a right field that the left record has too. */
static zonda_err put_suffixed(zn_join_record *self, zn_bytes name, zn_bytes right,
                              zonda_error *error) {
    if (self->suffix.len == 0) {
        return fail_clash(name, error);
    }
    self->name.len = 0;
    zn_buf_append(&self->name, name.data, name.len);
    zn_buf_append(&self->name, self->suffix.data, self->suffix.len);
    zn_bytes suffixed = zn_buf_bytes(&self->name);
    zn_bytes unused;
    if (is_among(self->names, self->name_count, suffixed) ||
        zn_value_field(right, suffixed, &unused)) {
        return fail_suffixed(name, suffixed, error);
    }
    zn_put_string(&self->out, suffixed);
    return ZONDA_OK;
}

/* Appends the fields of the right record, and says how many were left out. */
static zonda_err put_right(zn_join_record *self, zn_bytes right, uint32_t *left_out,
                           zonda_error *error) {
    zn_cursor cursor = zn_cursor_of(right);
    *left_out = 0;
    for (uint32_t pairs = zn_cursor_read(&cursor).count; pairs > 0; pairs--) {
        zn_bytes key = zn_cursor_skip(&cursor);
        zn_bytes value = zn_cursor_skip(&cursor);
        zn_value head = zn_value_head(key);
        bool both =
            head.type == ZN_VALUE_STRING && is_among(self->names, self->name_count, head.bytes);
        if (both && is_among(self->once, self->once_count, head.bytes)) {
            ++*left_out;
            continue;
        }
        if (!both) {
            zn_buf_append(&self->out, key.data, key.len);
        } else {
            zonda_err err = put_suffixed(self, head.bytes, right, error);
            if (err != ZONDA_OK) {
                return err;
            }
        }
        zn_buf_append(&self->out, value.data, value.len);
    }
    return ZONDA_OK;
}

/* Puts both records together. How many fields there are is known at the end, so the head of the map
 * is put into room before them. */
static zonda_err merge(zn_join_record *self, zn_bytes left, zn_bytes right, zn_bytes *out,
                       zonda_error *error) {
    static const uint8_t room[5]; /* of the longest head */
    zn_cursor cursor = zn_cursor_of(left);
    uint32_t pairs = zn_cursor_read(&cursor).count;
    uint32_t left_out = 0;
    read_names(self, cursor, pairs);
    self->out.len = 0;
    zn_buf_append(&self->out, room, sizeof room);
    zn_buf_append(&self->out, cursor.at, (size_t)(cursor.end - cursor.at));
    zonda_err err = put_right(self, right, &left_out, error);
    if (err != ZONDA_OK) {
        return err;
    }
    self->name.len = 0;
    zn_put_map(&self->name, pairs + zn_value_head(right).count - left_out);
    size_t start = sizeof room - self->name.len;
    memcpy(self->out.data + start, self->name.data, self->name.len);
    *out = (zn_bytes){ self->out.data + start, self->out.len - start };
    if (out->len <= ZN_RECORD_BYTES_MAX) {
        return ZONDA_OK;
    }
    zn_error_set(error, ZONDA_ERR_LIMIT,
                 "a pair makes a record of %zu bytes, more than the limit of %u", out->len,
                 ZN_RECORD_BYTES_MAX);
    error->permanent = true;
    return ZONDA_ERR_LIMIT;
}

static zonda_err combine(zn_join_record *self, zonda_task *task, zn_bytes left, zn_bytes right,
                         zn_bytes *out, zonda_error *error) {
    static const uint8_t nil[] = { 0xc0 };
    static const zn_bytes none = { nil, sizeof nil };
    zn_bytes sides[2] = { left.len == 0 ? none : left, right.len == 0 ? none : right };
    self->out.len = 0;
    zonda_err err = zn_function_call(self->combine, task, sides, &self->out, NULL, error);
    *out = zn_buf_bytes(&self->out);
    return err;
}

zonda_err zn_join_record_make(zn_join_record *record, zonda_task *task, zn_bytes left,
                              zn_bytes right, zn_bytes *out, zonda_error *error) {
    if (record->combine != NULL) {
        return combine(record, task, left, right, out, error);
    }
    if (!zn_join_how_has_pairs(record->how)) {
        *out = left;
        return ZONDA_OK;
    }
    zonda_err err = left.len == 0 ? ZONDA_OK : check_map(left, "left", error);
    if (err == ZONDA_OK && right.len > 0) {
        err = check_map(right, "right", error);
    }
    if (err != ZONDA_OK) {
        return err;
    }
    if (left.len > 0 && right.len > 0) {
        return merge(record, left, right, out, error);
    }
    *out = left.len > 0 ? left : right;
    return ZONDA_OK;
}
