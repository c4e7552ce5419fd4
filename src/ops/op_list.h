/* SPDX-License-Identifier: MPL-2.0 */
/* All operators. The file of an operator has its arguments, its runtime and its definition; the
 * order here is that of the reference. Inner ones, which only the planner makes, come last. */
#ifndef ZN_OPS_OP_LIST_H
#define ZN_OPS_OP_LIST_H

#include "ops/op.h"

#define ZN_OP_LIST(X)                                                                              \
    X(from_list)                                                                                   \
    X(from_range)                                                                                  \
    X(from_files)                                                                                  \
    X(read)                                                                                        \
    X(map)                                                                                         \
    X(flat_map)                                                                                    \
    X(filter)                                                                                      \
    X(select)                                                                                      \
    X(drop)                                                                                        \
    X(rename)                                                                                      \
    X(take_per_shard)                                                                              \
    X(window)                                                                                      \
    X(window_by)                                                                                   \
    X(map_shard)                                                                                   \
    X(sample)                                                                                      \
    X(exec)                                                                                        \
    X(each)                                                                                        \
    X(union)                                                                                       \
    X(limit)                                                                                       \
    X(count)                                                                                       \
    X(reduce)                                                                                      \
    X(group_by)                                                                                    \
    X(deduplicate)                                                                                 \
    X(sort)                                                                                        \
    X(reshard)                                                                                     \
    X(aggregate)                                                                                   \
    X(join)                                                                                        \
    X(sorted_merge_join)                                                                           \
    X(write)                                                                                       \
    X(write_jsonl)                                                                                 \
    X(write_text)                                                                                  \
    X(write_msgpack)                                                                               \
    X(write_csv)                                                                                   \
    X(write_tsv)                                                                                   \
    X(write_binary)                                                                                \
    X(stage)                                                                                       \
    X(limit_shard)                                                                                 \
    X(limit_total)                                                                                 \
    X(count_shard)                                                                                 \
    X(count_total)                                                                                 \
    X(reduce_shard)                                                                                \
    X(reduce_total)                                                                                \
    X(group_by_shard)                                                                              \
    X(group_by_total)                                                                              \
    X(deduplicate_shard)                                                                           \
    X(deduplicate_total)                                                                           \
    X(sort_shard)                                                                                  \
    X(sort_total)                                                                                  \
    X(reshard_shard)                                                                               \
    X(reshard_total)                                                                               \
    X(aggregate_shard)                                                                             \
    X(aggregate_rows)                                                                              \
    X(aggregate_total)                                                                             \
    X(join_left)                                                                                   \
    X(join_right)                                                                                  \
    X(join_total)                                                                                  \
    X(join_rows)                                                                                   \
    X(join_broadcast)                                                                              \
    X(sorted_merge_join_left)                                                                      \
    X(sorted_merge_join_right)                                                                     \
    X(sorted_merge_join_total)

#define ZN_DECLARE_OP(name) extern const zn_op_def zn_op_##name;
ZN_OP_LIST(ZN_DECLARE_OP)
#undef ZN_DECLARE_OP

/* For the definition of an operator: its array of arguments. */
#define ZN_ARGS(array) .args = (array), .arg_count = sizeof(array) / sizeof((array)[0])

#endif
