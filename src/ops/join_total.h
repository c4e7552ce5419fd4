/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_JOIN_TOTAL_H
#define ZN_OPS_JOIN_TOTAL_H

#include "ops/op.h"

/* The source that joins the rows of two shuffles, for join and sorted_merge_join: pulls the rows of
 * both sides through ops/exchange.h, whose first input is the right side and whose second is the
 * left one; one without tasks is left out. Arguments: those of join_record.h, and
 *   "right"  false: the right side has no rows, so the first input is the left one */
extern const zn_op_runtime zn_join_total_runtime;

extern const zn_arg_def zn_join_total_args[];
enum {
    ZN_JOIN_TOTAL_ARG_COUNT = 5
};
#define ZN_JOIN_TOTAL_ARGS .args = zn_join_total_args, .arg_count = ZN_JOIN_TOTAL_ARG_COUNT

#endif
