/* SPDX-License-Identifier: MPL-2.0 */
/* Pairs of equal keys. Rows of both sides come in one stream, sorted by key, the right ones of a
 * key before its left ones. So only the right rows of one key are ever held, in a buffer that goes
 * to disk when they are many, and left rows stream against it. What a left row is paired with is
 * known when it comes; whether right rows have a partner, when their key is over. */
#include "ops/join.h"

#include <string.h>

#include "record/key.h"

/* The key that rows come for just now. */
typedef struct running {
    zn_join_how how;
    zn_join_buffer *rights; /* empty where it is enough to know that there are some */
    const zn_join_sides *sides;
    zn_buf key;
    bool begun;   /* there is a key */
    bool has_nil; /* the key has no partners */
    bool right;   /* there was a right row of the key */
    bool left;    /* there was a left one */
    zn_bytes row; /* the left record that is paired just now */
} running;

static zonda_err put_alone(void *context, zn_bytes record, zonda_error *error) {
    const running *self = context;
    return self->sides->put(self->sides->context, (zn_bytes){ 0 }, record, error);
}

static zonda_err put_pair(void *context, zn_bytes record, zonda_error *error) {
    const running *self = context;
    return self->sides->put(self->sides->context, self->row, record, error);
}

/* The key is over. */
static zonda_err end_key(running *self, zonda_error *error) {
    zonda_err err = ZONDA_OK;
    if (zn_join_how_keeps_right(self->how) && !self->left) {
        err = zn_join_buffer_each(self->rights, put_alone, self, error);
    }
    zn_join_buffer_clear(self->rights);
    return err;
}

static zonda_err begin_key(running *self, zn_bytes key, zonda_error *error) {
    if (self->begun && zn_bytes_equal(zn_buf_bytes(&self->key), key)) {
        return ZONDA_OK;
    }
    zonda_err err = end_key(self, error);
    self->key.len = 0;
    zn_buf_append(&self->key, key.data, key.len);
    self->begun = true;
    self->has_nil = zn_key_has_nil(key);
    self->right = false;
    self->left = false;
    return err;
}

static zonda_err take_right(running *self, zn_bytes record, zonda_error *error) {
    self->right = true;
    if (self->has_nil) {
        return zn_join_how_keeps_right(self->how) ? put_alone(self, record, error) : ZONDA_OK;
    }
    return zn_join_how_has_pairs(self->how) ? zn_join_buffer_add(self->rights, record, error)
                                            : ZONDA_OK;
}

static zonda_err take_left(running *self, zn_bytes record, zonda_error *error) {
    bool has_partner = self->right && !self->has_nil;
    self->left = true;
    if (has_partner && zn_join_how_has_pairs(self->how)) {
        self->row = record;
        return zn_join_buffer_each(self->rights, put_pair, self, error);
    }
    if (has_partner ? self->how == ZN_JOIN_SEMI : zn_join_how_keeps_left(self->how)) {
        return self->sides->put(self->sides->context, record, (zn_bytes){ 0 }, error);
    }
    return ZONDA_OK;
}

static zonda_err run(running *self, zonda_error *error) {
    while (true) {
        zn_row row;
        bool is_right = false;
        bool found = false;
        zonda_err err = self->sides->next(self->sides->context, &row, &is_right, &found, error);
        if (err != ZONDA_OK) {
            return err;
        }
        if (!found) {
            return end_key(self, error);
        }
        err = begin_key(self, row.key, error);
        if (err == ZONDA_OK) {
            err =
                is_right ? take_right(self, row.record, error) : take_left(self, row.record, error);
        }
        if (err != ZONDA_OK) {
            return err;
        }
    }
}

zonda_err zn_join_run(zn_join_how how, zn_join_buffer *rights, const zn_join_sides *sides,
                      zonda_error *error) {
    running self = { .how = how, .rights = rights, .sides = sides };
    zonda_err err = run(&self, error);
    zn_buf_free(&self.key);
    return err;
}
