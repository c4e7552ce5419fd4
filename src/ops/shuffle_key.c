/* SPDX-License-Identifier: MPL-2.0 */
/* Keys of rows: the encoding of what partitions, then that of what sorts inside, one of them
 * inverted where the order is descending. Used by the writing side of shuffles, for records and for
 * what combining makes of them. */
#include "ops/shuffle_key.h"

#include "base/limits.h"
#include "record/key.h"
#include "record/value.h"

static zonda_err bind_key(zn_op *op, const char *arg, zn_key_source **out, zonda_error *error) {
    zn_bytes value;
    if (!zn_value_field(op->args, zn_bytes_of_text(arg), &value)) {
        return ZONDA_OK;
    }
    return zn_key_source_bind(op, arg, out, error);
}

zonda_err zn_shuffle_key_open(zn_op *op, zn_shuffle_key *key, zonda_error *error) {
    zn_value_field_bool(op->args, "descending", &key->descending);
    zonda_err err = bind_key(op, "by", &key->by, error);
    return err == ZONDA_OK ? bind_key(op, "sort_by", &key->sort_by, error) : err;
}

void zn_shuffle_key_close(zn_shuffle_key *key) {
    zn_key_source_unbind(&key->by);
    zn_key_source_unbind(&key->sort_by);
    zn_buf_free(&key->bytes);
}

zonda_err zn_shuffle_key_begin(zn_shuffle_key *key, zonda_task *task, zonda_error *error) {
    zonda_err err = key->by == NULL ? ZONDA_OK : zn_key_source_begin(key->by, task, error);
    if (err == ZONDA_OK && key->sort_by != NULL) {
        err = zn_key_source_begin(key->sort_by, task, error);
    }
    return err;
}

void zn_shuffle_key_end(zn_shuffle_key *key, zonda_task *task) {
    if (key->by != NULL) {
        zn_key_source_end(key->by, task);
    }
    if (key->sort_by != NULL) {
        zn_key_source_end(key->sort_by, task);
    }
}

zonda_err zn_shuffle_key_find(zn_shuffle_key *key, zonda_task *task, zn_bytes record,
                              zonda_error *error) {
    zn_buf_reset(&key->bytes, 2 * ZN_KEY_BYTES_MAX);
    zonda_err err =
        key->by == NULL ? ZONDA_OK : zn_key_source_put(key->by, task, record, &key->bytes, error);
    key->by_len = key->bytes.len;
    return err;
}

zonda_err zn_shuffle_key_finish(zn_shuffle_key *key, zonda_task *task, zn_bytes record,
                                zonda_error *error) {
    size_t inverted = key->sort_by == NULL ? 0 : key->by_len;
    zonda_err err = key->sort_by == NULL
                        ? ZONDA_OK
                        : zn_key_source_put(key->sort_by, task, record, &key->bytes, error);
    if (err == ZONDA_OK && key->descending) {
        zn_key_invert(key->bytes.data + inverted, key->bytes.len - inverted);
    }
    return err;
}
