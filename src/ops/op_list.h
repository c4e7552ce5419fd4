/* SPDX-License-Identifier: MPL-2.0 */
/* The runtimes that the operator table refers to. */
#ifndef ZN_OPS_OP_LIST_H
#define ZN_OPS_OP_LIST_H

#include "ops/op.h"

extern const zn_op_runtime zn_run_from_list;
extern const zn_op_runtime zn_run_from_range;
extern const zn_op_runtime zn_run_from_files;
extern const zn_op_runtime zn_run_read;
extern const zn_op_runtime zn_run_stage;
extern const zn_op_runtime zn_run_map;
extern const zn_op_runtime zn_run_flat_map;
extern const zn_op_runtime zn_run_filter;
extern const zn_op_runtime zn_run_select;
extern const zn_op_runtime zn_run_count_shard;
extern const zn_op_runtime zn_run_count_total;
extern const zn_op_runtime zn_run_reduce_shard;
extern const zn_op_runtime zn_run_reduce_total;
extern const zn_op_runtime zn_run_write_jsonl;
extern const zn_op_runtime zn_run_write_text;

#endif
