/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_SINK_ARGS_H
#define ZN_OPS_SINK_ARGS_H

#include "ops/op_table.h"

/* What a sink was told, checked. Owned by whoever read it. */
typedef struct zn_sink_args {
    char *pattern;
    int level; /* 0: the default of the compression */
    bool skip_existing;
} zn_sink_args;

/* Reads the arguments of a sink for `shards` shards. Errors: PLAN (pattern, level), UNSUPPORTED
 * (a compression that this build cannot write). */
zonda_err zn_sink_args_read(const zn_op_def *op, zn_bytes args, uint64_t shards, zn_sink_args *out,
                            zonda_error *error);
void zn_sink_args_free(zn_sink_args *args);

/* The format that `write` uses for a pattern, from the suffix before that of a compression; the
 * operator is then "write_<format>". Static. Error: PLAN listing what is known. */
zonda_err zn_write_format(const char *pattern, const char **format, zonda_error *error);

#endif
