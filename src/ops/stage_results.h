/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_STAGE_RESULTS_H
#define ZN_OPS_STAGE_RESULTS_H

#include "ops/op.h"

/* Reads all records of an earlier stage, in the order of its tasks. Small results lie in pages that
 * come through the host, large ones in segments. All of it comes from outside, so order, bytes and
 * number of records are checked before a record is shown. One thread. */
typedef struct zn_stage_results zn_stage_results;

zn_stage_results *zn_stage_results_new(const zn_op *op, zn_stage_id stage);
void zn_stage_results_destroy(zn_stage_results **results);

/* Calls `visit` for each record, borrowed during the call; ends at its first error. Errors: those,
 * WORKER_LOST, CORRUPT, PROTOCOL, IO, CANCELLED. */
typedef zonda_err zn_stage_results_visit(void *context, zn_bytes record, zonda_error *error);
zonda_err zn_stage_results_read(zn_stage_results *results, zn_stage_results_visit *visit,
                                void *context, zonda_error *error);

#endif
