/* SPDX-License-Identifier: MPL-2.0 */
/* Unions: datasets side by side in one stage. Each dataset is compiled as if it were alone; stages
 * that it needs before its last one come first, and its last one becomes a branch of the stage that
 * goes on behind the union. So operators before the union stay fused with their sources, and those
 * behind it with every branch. Datasets without shards have no branch. A union of unions without
 * operators in between is one union. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "plan/plan_build.h"

/* Datasets in a list. */
typedef struct dataset_list {
    const zonda_dataset **items;
    size_t count;
    size_t capacity;
} dataset_list;

static void push_inputs(dataset_list *list, const zonda_dataset *node) {
    for (size_t i = node->input_count; i > 0; i--) {
        ZN_GROW(list->items, list->count, list->capacity);
        list->items[list->count++] = node->inputs[i - 1];
    }
}

/* All datasets that the union is made of, in order, with the unions among them dissolved. */
static zonda_err find_branches(zn_plan_build *build, const zonda_dataset *node, dataset_list *out,
                               zonda_error *error) {
    dataset_list todo = { 0 };
    zonda_err err = ZONDA_OK;
    push_inputs(&todo, node);
    while (todo.count > 0 && err == ZONDA_OK) {
        const zonda_dataset *next = todo.items[--todo.count];
        if (next->op->many_inputs) {
            push_inputs(&todo, next);
            continue;
        }
        if (++build->branches > ZN_STAGE_BRANCHES_MAX) {
            err = zn_error_set(error, ZONDA_ERR_LIMIT, "the plan unites more than %u datasets",
                               (unsigned)ZN_STAGE_BRANCHES_MAX);
        }
        ZN_GROW(out->items, out->count, out->capacity);
        out->items[out->count++] = next;
    }
    free(todo.items);
    return err;
}

/* "union(" a, b ")": the names of the branches. */
static void add_name(zn_buf *name, const zn_buf *branch, bool is_first) {
    if (name->len <= ZN_NAME_BYTES_MAX) {
        zn_buf_append_text(name, is_first ? "union(" : ", ");
        zn_buf_append(name, branch->data, branch->len);
    }
}

static zonda_err add_branches(zn_plan_build *build, const dataset_list *list, zonda_error *error) {
    zn_stage_draft united = { 0 };
    zonda_err err = ZONDA_OK;
    for (size_t i = 0; i < list->count && err == ZONDA_OK; i++) {
        err = zn_plan_add_chain(build, list->items[i], error);
        if (err == ZONDA_OK) {
            add_name(&united.name, &build->draft.name, i == 0);
            if (build->draft.tasks > 0) {
                zn_plan_add_branch(&united, &build->draft);
            }
        }
        zn_plan_free_draft(&build->draft);
    }
    zn_buf_append_text(&united.name, ")");
    build->draft = united;
    return err;
}

zonda_err zn_plan_add_union(zn_plan_build *build, const zonda_dataset *node, zonda_error *error) {
    if (build->union_depth >= ZN_UNION_DEPTH_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "more than %u unions stand in each other with operators in between",
                            (unsigned)ZN_UNION_DEPTH_MAX);
    }
    build->union_depth++;
    dataset_list list = { 0 };
    zonda_err err = find_branches(build, node, &list, error);
    if (err == ZONDA_OK) {
        err = add_branches(build, &list, error);
    }
    free(list.items);
    build->union_depth--;
    return err;
}
