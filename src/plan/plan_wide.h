/* SPDX-License-Identifier: MPL-2.0 */
/* Inside plan only: wide operators, whose stage ends with rows that the next one reads. */
#ifndef ZN_PLAN_PLAN_WIDE_H
#define ZN_PLAN_PLAN_WIDE_H

#include "plan/plan_build.h"

/* Rows that a stage has for a later one; see ops/exchange.h for `by`. Below, `shown` is as for
 * zn_plan_add_op. */
typedef struct zn_wide_input {
    uint32_t stage;
    uint64_t tasks; /* 0: there are no rows */
    const char *by;
} zn_wide_input;

/* Ends the draft with the inner operator `op` and turns it into a stage. The draft is empty
 * afterwards. Error: LIMIT. */
zonda_err zn_plan_end_wide(zn_plan_build *build, const char *op, zn_bytes args, const char *shown,
                           const char *by, zn_wide_input *out, zonda_error *error);

/* Begins the draft, which is empty, with the inner operator `op`, a source of `shards` shards that
 * reads the rows of the inputs; those without tasks are left out. */
void zn_plan_begin_wide(zn_plan_build *build, const char *op, zn_bytes args, const char *shown,
                        const zn_wide_input *inputs, size_t input_count, uint64_t shards);

/* Moves the draft, which is the left side, to `*left` and compiles the right side of an operator
 * with two inputs as the draft. On failure `*left` is empty. Errors: LIMIT, those of planning. */
zonda_err zn_plan_add_right(zn_plan_build *build, const zonda_dataset *right, zn_stage_draft *left,
                            zonda_error *error);

/* How many shards a wide operator makes of `tasks`: what argument "shards", or "n", says; else as
 * many as there are, up to ZN_WIDE_SHARDS_DEFAULT_MAX. Of none none. */
uint64_t zn_plan_wide_shards(zn_bytes args, uint64_t tasks);

/* group_by, deduplicate, sort, reshard. */
zonda_err zn_plan_add_shuffled(zn_plan_build *build, const zonda_dataset *node, zonda_error *error);

/* Those with two inputs; the left one is the draft. */
zonda_err zn_plan_add_join(zn_plan_build *build, const zonda_dataset *node, zonda_error *error);
zonda_err zn_plan_add_sorted_merge_join(zn_plan_build *build, const zonda_dataset *node,
                                        zonda_error *error);

/* aggregate. */
zonda_err zn_plan_add_aggregate(zn_plan_build *build, const zonda_dataset *node,
                                zonda_error *error);

/* Adds any wide operator. Errors: LIMIT, those of planning. */
zonda_err zn_plan_add_wide(zn_plan_build *build, const zonda_dataset *node, zonda_error *error);

#endif
