/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_CLI_PIPELINE_H
#define ZN_CLI_PIPELINE_H

#include <zonda/cluster.h>

#include "ops/lua_limits.h"
#include "plan/plugin_file.h"

/* What the words of `zonda run` ask for: datasets to execute in order. All zero is empty; plug-ins
 * and limits are set before it is built. */
typedef struct zn_pipeline {
    zn_plugin_list plugins; /* those of the command line, then those of the script */
    zn_lua_limits limits;   /* of the evaluation of a script; 0: the usual ones */
    zonda_dataset **datasets;
    size_t count;
    struct zn_lua_script *script; /* NULL: verbs */
} zn_pipeline;

/* From verbs, or from a script if the first word ends in ".lua"; the words after it are its
 * arguments. Errors: PLAN, IO (the script cannot be read), USER (the script failed), UNSUPPORTED.
 */
zonda_err zn_pipeline_build(char *const *words, size_t count, zn_pipeline *out, zonda_error *error);

/* Gives the cluster what the script put. */
zonda_err zn_pipeline_put_shared(const zn_pipeline *pipeline, zonda_cluster *cluster,
                                 zonda_error *error);

void zn_pipeline_free(zn_pipeline *pipeline);

#endif
