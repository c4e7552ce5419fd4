/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_COLLECT_H
#define ZN_OPS_COLLECT_H

#include "ops/op.h"

/* The last operator of every chain: keeps the result of a task. Not in the operator table. */
extern const zn_op_def zn_op_collect;

/* The result of the task that has just ended: inline `records`, or `*reference` (then true). Both
 * borrowed until the next task. */
bool zn_collect_result(const zn_op *op, zn_bytes *records, zn_reference *reference);

/* Bytes of all records of the result. */
uint64_t zn_collect_bytes(const zn_op *op);

#endif
