/* SPDX-License-Identifier: MPL-2.0 */
/* reshard: the records of all shards in their order, cut anew into shards of about equal bytes.
 * Without a number the planner leaves everything as it is. */
#include "base/limits.h"
#include "ops/op_list.h"
#include "ops/pass_rows.h"
#include "ops/shuffle.h"

static const zn_arg_def reshard_args[] = {
    { .name = "n",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_OPTIONAL,
      .min = 1,
      .max = ZN_STAGE_TASKS_MAX,
      .doc = "shards of the result; without it nothing changes" },
};

const zn_op_def zn_op_reshard = { .name = "reshard",
                                  .op_class = ZN_OP_WIDE,
                                  ZN_ARGS(reshard_args),
                                  .doc = "the same records in another number of shards" };

const zn_op_def zn_op_reshard_shard = { .name = "reshard_shard",
                                        .op_class = ZN_OP_INNER,
                                        ZN_SHUFFLE_ARGS,
                                        .runtime = &zn_shuffle_runtime,
                                        .doc = "keeps the records of a shard in their order" };

const zn_op_def zn_op_reshard_total = { .name = "reshard_total",
                                        .op_class = ZN_OP_INNER,
                                        .runtime = &zn_pass_rows_runtime,
                                        .doc = "a part of the records of all shards" };
