/* SPDX-License-Identifier: MPL-2.0 */
/* Wide operators of a plan. Each becomes two inner ones: <op>_shard ends the stage of its input and
 * leaves rows, <op>_total begins the next stage and reads them. Arguments of the first are those of
 * the shuffle (ops/shuffle.h), of the second the user's that work on what is read; which rows it
 * reads is planned (ops/exchange.h). A dataset without shards goes through as one without shards:
 * neither stage is ever started. */
#include "plan/plan_wide.h"

#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "record/value.h"

zonda_err zn_plan_end_wide(zn_plan_build *build, const char *op, zn_bytes args, const char *shown,
                           const char *by, zn_wide_input *out, zonda_error *error) {
    zn_wide_input input = { .stage = (uint32_t)build->plan->stage_count,
                            .tasks = build->draft.tasks,
                            .by = by };
    zn_plan_add_op(build, op, args, shown);
    zonda_err err = zn_plan_end_stage(build, error);
    if (err == ZONDA_OK) {
        *out = input;
    }
    return err;
}

static void put_input(zn_buf *out, const zn_wide_input *input) {
    zn_put_map(out, 3);
    zn_put_text(out, "stage");
    zn_put_uint(out, input->stage);
    zn_put_text(out, "tasks");
    zn_put_uint(out, input->tasks);
    zn_put_text(out, "by");
    zn_put_text(out, input->by);
}

/* Whether one task reads one partition tells the coordinator which tasks to give out first. */
static void add_stage_input(zn_stage_draft *draft, const zn_wide_input *from) {
    bool by_partition = strcmp(from->by, "partition") == 0;
    zn_stage_input input = { .stage = from->stage,
                             .by = by_partition ? ZN_INPUT_PARTITION : ZN_INPUT_ALL };
    zn_plan_add_stage_input(draft, &input);
}

void zn_plan_begin_wide(zn_plan_build *build, const char *op, zn_bytes args, const char *shown,
                        const zn_wide_input *inputs, size_t input_count, uint64_t shards) {
    ZN_ASSERT(build->draft.op_count == 0 && build->draft.branch_count == 0);
    uint32_t used = 0;
    zn_buf list = { 0 };
    for (size_t i = 0; i < input_count; i++) {
        if (inputs[i].tasks > 0) {
            put_input(&list, &inputs[i]);
            add_stage_input(&build->draft, &inputs[i]);
            used++;
        }
    }
    zn_buf planned = { 0 };
    zn_put_map(&planned, 1);
    zn_put_text(&planned, "inputs");
    zn_put_array(&planned, used);
    zn_buf_append(&planned, list.data, list.len);
    zn_plan_add_planned_op(build, op, args, zn_buf_bytes(&planned), shown);
    build->draft.tasks = shards;
    zn_buf_free(&planned);
    zn_buf_free(&list);
}

zonda_err zn_plan_add_right(zn_plan_build *build, const zonda_dataset *right, zn_stage_draft *left,
                            zonda_error *error) {
    *left = (zn_stage_draft){ 0 };
    if (build->right_depth >= ZN_RIGHT_DEPTH_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "more than %u joins stand on the right of each other",
                            (unsigned)ZN_RIGHT_DEPTH_MAX);
    }
    zn_stage_draft saved = build->draft;
    build->draft = (zn_stage_draft){ 0 };
    build->right_depth++;
    zonda_err err = zn_plan_add_chain(build, right, error);
    build->right_depth--;
    if (err == ZONDA_OK) {
        *left = saved;
    } else {
        zn_plan_free_draft(&saved);
    }
    return err;
}

uint64_t zn_plan_wide_shards(zn_bytes args, uint64_t tasks) {
    uint64_t shards = 0;
    if (tasks == 0) {
        return 0;
    }
    if (zn_value_field_uint(args, "shards", &shards) || zn_value_field_uint(args, "n", &shards)) {
        return shards;
    }
    return tasks < ZN_WIDE_SHARDS_DEFAULT_MAX ? tasks : ZN_WIDE_SHARDS_DEFAULT_MAX;
}

/* Operators and how they are planned. */
static const struct {
    const char *op;
    zonda_err (*add)(zn_plan_build *build, const zonda_dataset *node, zonda_error *error);
} wides[] = {
    { "group_by", zn_plan_add_shuffled },
    { "deduplicate", zn_plan_add_shuffled },
    { "sort", zn_plan_add_shuffled },
    { "reshard", zn_plan_add_shuffled },
    { "aggregate", zn_plan_add_aggregate },
    { "join", zn_plan_add_join },
    { "sorted_merge_join", zn_plan_add_sorted_merge_join },
};

zonda_err zn_plan_add_wide(zn_plan_build *build, const zonda_dataset *node, zonda_error *error) {
    for (size_t i = 0; i < sizeof wides / sizeof *wides; i++) {
        if (strcmp(wides[i].op, node->op->name) == 0) {
            return wides[i].add(build, node, error);
        }
    }
    return zn_error_set(error, ZONDA_ERR_UNSUPPORTED, "the planner does not know the operator %s",
                        node->op->name);
}
