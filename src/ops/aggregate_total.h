/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_AGGREGATE_TOTAL_H
#define ZN_OPS_AGGREGATE_TOTAL_H

#include "ops/op.h"

/* The reduce side of aggregate: a source that reads the rows of op_aggregate.c. */
extern const zn_op_runtime zn_aggregate_total_runtime;

#endif
