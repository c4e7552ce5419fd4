/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_EXCHANGE_H
#define ZN_OPS_EXCHANGE_H

#include "ops/op.h"
#include "record/row.h"

/* The reading side of a shuffle: the rows that earlier stages have for one shard of this one. Used
 * by operators that begin a stage; they pull rows and push what comes of them.
 *
 * Planned arguments (`op->planned`): {"inputs": [{"stage": index, "tasks": its tasks, "by": HOW},
 * …]} in the order in which rows of equal keys come; stages without tasks are left out, an operator
 * without inputs has no rows. `shard_count` of the op is how many shards there are. HOW:
 *   "partition"  rows were partitioned by hash into `shard_count` partitions; merged by key
 *   "range"      each task's rows are sorted; shards are ranges of keys of about equal bytes, found
 *                from the samples in the indexes. Rows of one key may span shards, cut between
 *                tasks of the input, so that equal keys cannot make one shard hold everything
 *   "bytes"      shards are ranges of all rows in order (task, position), of about equal bytes, cut
 *                at any row; not merged by key
 *   "task"       shard i is task i of the input, in its order
 * What lies where (the indexes of all tasks of the inputs) is read once per worker and stage into a
 * table in the scratch folder that all its slots use; a shard reads only its own part of it. */
typedef struct zn_exchange zn_exchange;

/* Once per slot and stage. Errors: PLAN. */
zn_exchange *zn_exchange_new(zn_op *op, zonda_error *error);
void zn_exchange_destroy(zn_exchange **exchange);

/* Opens the rows of the task's shard. Errors: WORKER_LOST, CORRUPT, IO, DISK_FULL, CANCELLED. */
zonda_err zn_exchange_begin(zn_exchange *exchange, zonda_task *task, zonda_error *error);

/* The next row, borrowed until the next call; `*input` (may be NULL) is the place of its stage in
 * "inputs". Counts it as read by the task, asks for cancellation now and then. */
zonda_err zn_exchange_next(zn_exchange *exchange, zonda_task *task, zn_row *row, size_t *input,
                           bool *found, zonda_error *error);

/* Ends the shard; also after a failure, also if it was not begun. */
void zn_exchange_end(zn_exchange *exchange, zonda_task *task);

#endif
