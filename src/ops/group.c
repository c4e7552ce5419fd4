/* SPDX-License-Identifier: MPL-2.0 */
/* Cuts rows in key order into groups. The function pulls records of its group; the row that turns
 * out to be of the next group waits, borrowed from the stream, until that group begins. Nothing is
 * gathered, so a group may be of any size. Called by group_by on both sides of its shuffle. */
#include "ops/group.h"

#include <string.h>

#include "record/key.h"

typedef struct groups {
    zn_group_pull *pull;
    zn_group_emit *emit;
    void *context;
    zn_row row; /* pulled and not given yet, if `waits` */
    bool waits;
    bool is_over; /* the stream has no more rows */
    zn_buf key;   /* encoding of the running group's key */
    zn_buf value; /* the key itself */
} groups;

static zonda_err pull_row(groups *self, zonda_error *error) {
    if (self->waits || self->is_over) {
        return ZONDA_OK;
    }
    zonda_err err = self->pull(self->context, &self->row, &self->waits, error);
    self->is_over = err == ZONDA_OK && !self->waits;
    return err;
}

/* No encoding is the begin of another one, so the key's bytes at the front are the same key. */
static bool is_of_group(const groups *self) {
    return self->waits && self->row.key.len >= self->key.len &&
           memcmp(self->row.key.data, self->key.data, self->key.len) == 0;
}

static zonda_err next_record(void *context, zn_bytes *record, bool *found, zonda_error *error) {
    groups *self = context;
    zonda_err err = pull_row(self, error);
    if (err != ZONDA_OK) {
        return err;
    }
    *found = is_of_group(self);
    if (*found) {
        *record = self->row.record;
        self->waits = false;
    }
    return ZONDA_OK;
}

static zonda_err emit_value(void *context, zn_bytes value, zonda_error *error) {
    groups *self = context;
    return self->emit(self->context, zn_buf_bytes(&self->key), value, error);
}

/* Takes the key of the row that waits. */
static zonda_err begin_group(groups *self, zonda_error *error) {
    size_t len = zn_key_first(self->row.key);
    if (len == 0) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "a row of a shuffle has no key");
    }
    self->key.len = 0;
    self->value.len = 0;
    zn_buf_append(&self->key, self->row.key.data, len);
    return zn_key_value(zn_buf_bytes(&self->key), &self->value, error);
}

static zonda_err run_group(groups *self, zn_function *function, zonda_task *task,
                           zonda_error *error) {
    zonda_err err = begin_group(self, error);
    if (err != ZONDA_OK) {
        return err;
    }
    zn_group group = {
        .context = self, .key = zn_buf_bytes(&self->value), .next = next_record, .emit = emit_value
    };
    err = zn_function_group(function, task, &group, error);
    bool found = true;
    zn_bytes skipped;
    while (err == ZONDA_OK && found) {
        err = next_record(self, &skipped, &found, error);
    }
    return err;
}

zonda_err zn_group_run(zn_function *function, zonda_task *task, zn_group_pull *pull,
                       zn_group_emit *emit, void *context, zonda_error *error) {
    groups self = { .pull = pull, .emit = emit, .context = context };
    zonda_err err = pull_row(&self, error);
    while (err == ZONDA_OK && self.waits) {
        err = run_group(&self, function, task, error);
    }
    zn_buf_free(&self.key);
    zn_buf_free(&self.value);
    return err;
}
