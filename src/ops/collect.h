/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_COLLECT_H
#define ZN_OPS_COLLECT_H

#include "ops/op.h"
#include "store/segment.h"

/* The last operator of every chain: keeps the result of a task. Not in the operator table. */
extern const zn_op_def zn_op_collect;

/* The result of the task that has just ended: inline `records`, or `*reference` (then true). Both
 * borrowed until the next task. */
bool zn_collect_result(const zn_op *op, zn_bytes *records, zn_reference *reference);

/* Bytes of all records of the result. */
uint64_t zn_collect_bytes(const zn_op *op);

/* ---- results with an index, for the operator before the collector, which then emits nothing ----
 */

/* The segment of the stage, to start an indexed result in. */
zn_segment *zn_collect_segment(zn_op *op);

/* Finishes the indexed result: it becomes that of the task. `with_parts`: the outcome names its
 * largest partitions. Errors: IO, DISK_FULL. */
zonda_err zn_collect_finish_indexed(zn_op *op, zonda_task *task, bool with_parts,
                                    zonda_error *error);

/* The largest partitions of the result, borrowed until the next task. Returns how many. */
size_t zn_collect_parts(const zn_op *op, const zn_part **parts);

#endif
