/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_PLAN_DATASET_H
#define ZN_PLAN_DATASET_H

#include <zonda/dataset.h>

#include "base/buf.h"
#include "base/digest.h"
#include "ops/op_table.h"
#include "plan/plugin_file.h"

/* A node: an operator, its arguments, its inputs. Reference-counted, immutable once made, so that
 * a dataset can be used twice. */
struct zonda_dataset {
    unsigned references;
    zonda_error error; /* the first in the chain; code OK: none */
    const zn_op_def *op;
    zn_buf args; /* MessagePack map, checked */
    zonda_dataset **inputs;
    size_t input_count;
    zonda_plugin **plugins; /* those that functions in its arguments are of */
    size_t plugin_count;
    zn_buf script; /* blob of the script that its functions come from; empty: none */
};

/* The generic way to a node, used by all three faces. Consumes `inputs`; copies `args` (a
 * MessagePack map) after checking them against the operator table. Never NULL: errors are kept. */
zonda_dataset *zn_dataset_apply(const char *op, zn_bytes args, zonda_dataset **inputs,
                                size_t input_count);

/* The same with the blob of the script that functions in `args` refer to. */
zonda_dataset *zn_dataset_apply_script(const char *op, zn_bytes args, zonda_dataset **inputs,
                                       size_t input_count, zn_bytes script);

/* Gives a dataset that was just made the plug-ins that its functions are of; `plugins` may have
 * others. A function of a plug-in that is not there makes it an error. */
void zn_dataset_attach_plugins(zonda_dataset *dataset, const zonda_plugin *const *plugins,
                               size_t count);

/* A dataset that is only an error. */
zonda_dataset *zn_dataset_failed(const zonda_error *error);

#endif
