/* SPDX-License-Identifier: MPL-2.0 */
/* The shards of one dataset, then those of others. Nothing runs for it: the planner gives the stage
 * a branch for each dataset, and what follows the union follows all branches (body.h). */
#include "ops/op_list.h"

const zn_op_def zn_op_union = {
    .name = "union",
    .op_class = ZN_OP_NARROW,
    .many_inputs = true,
    .doc = "the shards of this dataset, then those of others; as a verb: union GLOB…, with the "
           "options of read",
};
