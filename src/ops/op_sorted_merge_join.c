/* SPDX-License-Identifier: MPL-2.0 */
/* sorted_merge_join: a join of two datasets whose shards are sorted by the key already and belong
 * together in pairs. Nothing is partitioned or sorted: shard i of the result is made of shard i of
 * both sides. The writing side of each checks that keys ascend, so that a record which would be
 * passed over is an error and not a loss. */
#include "ops/join_check.h"
#include "ops/join_side.h"
#include "ops/join_total.h"
#include "ops/op_list.h"

static const zn_arg_def sorted_args[] = { ZN_JOIN_USER_ARGS };

const zn_op_def zn_op_sorted_merge_join = {
    .name = "sorted_merge_join",
    .op_class = ZN_OP_WIDE,
    ZN_ARGS(sorted_args),
    .check = zn_join_check,
    .two_inputs = true,
    .doc = "as join, for two datasets with as many shards, each sorted by the key"
};

const zn_op_def zn_op_sorted_merge_join_left = { .name = "sorted_merge_join_left",
                                                 .op_class = ZN_OP_INNER,
                                                 ZN_SHUFFLE_ARGS,
                                                 .runtime = &zn_join_left_runtime,
                                                 .doc = "the left side of a join, checked" };

const zn_op_def zn_op_sorted_merge_join_right = { .name = "sorted_merge_join_right",
                                                  .op_class = ZN_OP_INNER,
                                                  ZN_SHUFFLE_ARGS,
                                                  .runtime = &zn_join_right_runtime,
                                                  .doc = "the right side of a join, checked" };

const zn_op_def zn_op_sorted_merge_join_total = { .name = "sorted_merge_join_total",
                                                  .op_class = ZN_OP_INNER,
                                                  ZN_JOIN_TOTAL_ARGS,
                                                  .runtime = &zn_join_total_runtime,
                                                  .doc = "pairs of equal keys" };
