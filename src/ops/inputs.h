/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_INPUTS_H
#define ZN_OPS_INPUTS_H

#include "ops/op.h"
#include "store/splitter.h"

/* The blob with an input (list item, path) per shard, for sources. */
typedef struct zn_inputs zn_inputs;

/* Fetches the blob that argument "inputs" of `op` names and checks it: an array with an item per
 * shard of the stage. Errors: PLAN, UNKNOWN_BLOB, CANCELLED. */
zn_inputs *zn_inputs_open(zn_op *op, zonda_error *error);
void zn_inputs_destroy(zn_inputs **inputs);

/* The input of a shard: a checked value, borrowed for the life of the stage. */
zn_bytes zn_inputs_item(zn_inputs *inputs, uint64_t shard);

/* The same where it must be a path; `out` gets it as a C string. Error: PLAN. */
zonda_err zn_inputs_path(zn_inputs *inputs, uint64_t shard, zn_buf *out, zonda_error *error);

/* The same where it may also be a part of a file, a map {"path", "offset", "length", "aligned"};
 * see zn_file_range. */
zonda_err zn_inputs_range(zn_inputs *inputs, uint64_t shard, zn_buf *out, zn_file_range *range,
                          zonda_error *error);

#endif
