/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_PLAN_ARGUMENTS_H
#define ZN_PLAN_ARGUMENTS_H

#include <zonda/wide.h>

#include "base/buf.h"
#include "base/error.h"

enum {
    ZN_ARGUMENTS_PLUGINS_MAX = 8 /* functions of plug-ins in one call of an operator */
};

/* A map of operator arguments that is being written. All zero is an empty one. The first problem
 * is kept and comes out of finish. */
typedef struct zn_arguments {
    zn_buf pairs;
    uint32_t count;
    const zonda_plugin *plugins[ZN_ARGUMENTS_PLUGINS_MAX]; /* of its functions, borrowed */
    size_t plugin_count;
    zonda_error error;
} zn_arguments;

void zn_arguments_uint(zn_arguments *args, const char *name, uint64_t value);
void zn_arguments_double(zn_arguments *args, const char *name, double value);
void zn_arguments_bool(zn_arguments *args, const char *name, bool value);

/* Problems: NULL, not UTF-8 (INVALID). */
void zn_arguments_text(zn_arguments *args, const char *name, const char *text);

/* A list of texts that ends with NULL. Problems: NULL, not UTF-8 (INVALID). */
void zn_arguments_words(zn_arguments *args, const char *name, const char *const *words);

/* Problems: not one value (INVALID). */
void zn_arguments_value(zn_arguments *args, const char *name, zn_bytes value);

/* The value that the checked map `from` has under `key`, if there is one. */
void zn_arguments_copy(zn_arguments *args, const char *name, zn_bytes from, const char *key);

/* A function in the form of ops/function.h. Problems: none given (INVALID), Lua that does not
 * compile (USER). */
void zn_arguments_function(zn_arguments *args, const char *name, zonda_func function);

/* A key in the form of ops/key_source.h. Problems: none given, a NULL or no UTF-8 in it (INVALID).
 */
void zn_arguments_key(zn_arguments *args, const char *name, zonda_key key);

/* The same, but a key that is all zero is left out. */
void zn_arguments_key_if_given(zn_arguments *args, const char *name, zonda_key key);

/* Keeps `error` as the problem, unless there is one already. */
void zn_arguments_fail(zn_arguments *args, const zonda_error *error);

/* Appends the MessagePack map to `out`, or returns the problem. Frees what `args` holds. */
zonda_err zn_arguments_finish(zn_arguments *args, zn_buf *out, zonda_error *error);

/* Ends a public function: applies the operator to the inputs, which are consumed, or gives a
 * dataset that is the first problem there was, earlier in the chain or with the arguments. */
zonda_dataset *zn_arguments_apply(zn_arguments *args, const char *op, zonda_dataset **inputs,
                                  size_t input_count);

#endif
