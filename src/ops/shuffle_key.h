/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_SHUFFLE_KEY_H
#define ZN_OPS_SHUFFLE_KEY_H

#include "ops/key_source.h"

/* The key of a row of a shuffle, as its arguments say. */
typedef struct zn_shuffle_key {
    zn_key_source *by;      /* NULL: rows have no key */
    zn_key_source *sort_by; /* NULL: none */
    bool descending;
    zn_buf bytes;  /* of the record at hand */
    size_t by_len; /* of them: the encoding of `by` */
} zn_shuffle_key;

/* Binds arguments "by", "sort_by" and "descending", as far as they are there. */
zonda_err zn_shuffle_key_open(zn_op *op, zn_shuffle_key *key, zonda_error *error);
void zn_shuffle_key_close(zn_shuffle_key *key);

/* Around the records of a task; `end` also after a failure. */
zonda_err zn_shuffle_key_begin(zn_shuffle_key *key, zonda_task *task, zonda_error *error);
void zn_shuffle_key_end(zn_shuffle_key *key, zonda_task *task);

/* The encoding of `by` alone, not inverted, into `key->bytes`. */
zonda_err zn_shuffle_key_find(zn_shuffle_key *key, zonda_task *task, zn_bytes record,
                              zonda_error *error);

/* Makes of it the key of the row. */
zonda_err zn_shuffle_key_finish(zn_shuffle_key *key, zonda_task *task, zn_bytes record,
                                zonda_error *error);

#endif
