/* SPDX-License-Identifier: MPL-2.0 */
/* sort: each shard of the input is sorted where it is made; each shard of the output is a range of
 * keys, found from samples of all inputs, and merges what they have in it. Equal keys keep their
 * order, in either direction. */
#include "ops/op_list.h"
#include "ops/pass_rows.h"
#include "ops/shuffle.h"

static const zn_arg_def sort_args[] = {
    { .name = "by",
      .type = ZN_ARG_KEY,
      .use = ZN_ARG_POSITIONAL,
      .doc = "field, fields (the first decides, then the next) or function to sort by" },
    { .name = "descending",
      .type = ZN_ARG_BOOL,
      .use = ZN_ARG_OPTION,
      .doc = "the largest first; equal ones stay as they come" },
    ZN_WIDE_SHARDS_ARG,
};

const zn_op_def zn_op_sort = { .name = "sort",
                               .op_class = ZN_OP_WIDE,
                               ZN_ARGS(sort_args),
                               .doc = "all records in one order, from shard to shard" };

const zn_op_def zn_op_sort_shard = { .name = "sort_shard",
                                     .op_class = ZN_OP_INNER,
                                     ZN_SHUFFLE_ARGS,
                                     .runtime = &zn_shuffle_runtime,
                                     .doc = "sorts the records of a shard" };

const zn_op_def zn_op_sort_total = { .name = "sort_total",
                                     .op_class = ZN_OP_INNER,
                                     .runtime = &zn_pass_rows_runtime,
                                     .doc = "a range of the sorted records of all shards" };
