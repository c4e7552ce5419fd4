/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_KEY_SOURCE_H
#define ZN_OPS_KEY_SOURCE_H

#include "ops/op.h"

/* Gives the key of a record, as an argument of type ZN_ARG_KEY says it: the name of a field (nil
 * where it is missing; "a.b" is nested), a list of names (the key is the array of their values), or
 * a function of one argument. In arguments: a text, an array of texts, or the map of function.h. */
typedef struct zn_key_source zn_key_source;

/* Binds argument `arg` of `op`. Errors: PLAN, NOT_FOUND, USER. */
zonda_err zn_key_source_bind(zn_op *op, const char *arg, zn_key_source **out, zonda_error *error);
void zn_key_source_unbind(zn_key_source **source);

/* Around the records of a shard; `end` also after a failure. */
zonda_err zn_key_source_begin(zn_key_source *source, zonda_task *task, zonda_error *error);
void zn_key_source_end(zn_key_source *source, zonda_task *task);

/* Appends the encoding (record/key.h) of the record's key to `out`; nothing on failure. Errors:
 * BAD_RECORD (the value cannot be a key), LIMIT (its encoding has more than ZN_KEY_BYTES_MAX), USER
 * (the function failed). */
zonda_err zn_key_source_put(zn_key_source *source, zonda_task *task, zn_bytes record, zn_buf *out,
                            zonda_error *error);

/* Appends the key itself, as a value. */
zonda_err zn_key_source_value(zn_key_source *source, zonda_task *task, zn_bytes record, zn_buf *out,
                              zonda_error *error);

#endif
