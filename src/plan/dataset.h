/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_PLAN_DATASET_H
#define ZN_PLAN_DATASET_H

#include <zonda/dataset.h>

#include "base/buf.h"
#include "base/digest.h"
#include "ops/op_table.h"

/* A node: an operator, its arguments, its inputs. Reference-counted, immutable once made, so that
 * a dataset can be used twice. */
struct zonda_dataset {
    unsigned references;
    zonda_error error; /* the first in the chain; code OK: none */
    const zn_op_def *op;
    zn_buf args; /* MessagePack map, checked */
    zonda_dataset **inputs;
    size_t input_count;
    zn_buf script; /* blob of the script that its functions come from; empty: none */
};

/* The generic way to a node, used by all three faces. Consumes `inputs`; copies `args` (a
 * MessagePack map) after checking them against the operator table. Never NULL: errors are kept. */
zonda_dataset *zn_dataset_apply(const char *op, zn_bytes args, zonda_dataset **inputs,
                                size_t input_count);

/* The same with the blob of the script that functions in `args` refer to. */
zonda_dataset *zn_dataset_apply_script(const char *op, zn_bytes args, zonda_dataset **inputs,
                                       size_t input_count, zn_bytes script);

/* A dataset that is only an error. */
zonda_dataset *zn_dataset_failed(const zonda_error *error);

#endif
