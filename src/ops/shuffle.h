/* SPDX-License-Identifier: MPL-2.0 */
/* The writing side of a shuffle, shared by the operators that end a stage with one
 * ("group_by_shard" and so on; each is a definition of its own, so that errors name it). Arguments,
 * made by the planner:
 *   "by"          KEY (key_source.h) that decides the partition; absent: rows have no key
 *   "sort_by"     KEY that sorts inside it; absent: order of (shard, position)
 *   "descending"  true: inverts the encoding of "sort_by" if there is one, else that of "by"
 *   "mode"        "hash": "shards" partitions by the hash of "by" alone, sorted by key
 *                 "range": one partition, sorted by key, index with samples
 *                 "bytes": one partition in the order of arrival, index per block
 *                 "task":  one partition in the order of arrival, whose keys must ascend (error
 *                          INVALID, naming the record, if they do not)
 *   "shards"      number of partitions of "hash"
 *   "keep"        "all" (also if absent); "first": one row per "by", the first; "function": what
 *                 argument "combine", a function of form ZN_CALL_GROUP, makes of the rows of a key;
 *                 "rows": records that come are rows already, [binary key][record] behind each
 *                 other, and are taken so
 *   "drop_nil"    true: records whose key has nil (zn_key_has_nil) are dropped
 * The task's outcome gets a reference to the index of the segment (none if there are no rows) and,
 * with "hash", its largest partitions; rows and their bytes count as given by the task. A stage may
 * follow with ops/exchange.h. */
#ifndef ZN_OPS_SHUFFLE_H
#define ZN_OPS_SHUFFLE_H

#include "base/limits.h"
#include "ops/op.h"

extern const zn_op_runtime zn_shuffle_runtime;

/* The arguments above, for definitions: ZN_SHUFFLE_ARGS in place of ZN_ARGS. */
extern const zn_arg_def zn_shuffle_args[];
enum {
    ZN_SHUFFLE_ARG_COUNT = 8
};
#define ZN_SHUFFLE_ARGS .args = zn_shuffle_args, .arg_count = ZN_SHUFFLE_ARG_COUNT

/* The argument of wide operators that says how many shards their result has. */
#define ZN_WIDE_SHARDS_ARG                                                                         \
    {                                                                                              \
        .name = "shards", .type = ZN_ARG_UINT, .use = ZN_ARG_OPTION, .min = 1,                     \
        .max = ZN_STAGE_TASKS_MAX,                                                                 \
        .doc = "shards of the result; else as many as there are, at most 256"                      \
    }

#endif
