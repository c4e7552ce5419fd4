/* SPDX-License-Identifier: MPL-2.0 */
/* The planner: walks the chain of a dataset from its source on and cuts it into stages. Narrow
 * operators and sinks join the stage of their input. A fold is two halves: one at the end of the
 * stage that it folds, one that begins the next stage, whose only task reads the results of the
 * stage before. Wide operators are cut likewise, see plan_wide.c. Pure: the same dataset, shared
 * data and files give the same bytes, and the files come through a callback. Called by the driver
 * before a job is opened, and for dry runs. */
#include "plan/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"
#include "ops/lua_limits.h"
#include "plan/plan_build.h"
#include "plan/plan_wide.h"
#include "record/value.h"

/* A fold and its halves. */
typedef struct fold_halves {
    const char *fold;
    const char *shard;
    const char *total;
} fold_halves;

static const fold_halves folds[] = {
    { "count", "count_shard", "count_total" },
    { "reduce", "reduce_shard", "reduce_total" },
    { "limit", "limit_shard", "limit_total" },
};

static const fold_halves *find_halves(const char *fold) {
    for (size_t i = 0; i < sizeof folds / sizeof *folds; i++) {
        if (strcmp(folds[i].fold, fold) == 0) {
            return &folds[i];
        }
    }
    ZN_UNREACHABLE();
}

/* The arguments of one half of a fold: {"function": F, "identity": V if there is one}. `primary`
 * names the argument with the function; where it is missing, `fallback` serves. */
static void put_half(zn_buf *out, zn_bytes args, const char *primary, const char *fallback) {
    uint64_t n = 0;
    if (zn_value_field_uint(args, "n", &n)) { /* of limit: both halves have all arguments */
        zn_buf_append(out, args.data, args.len);
        return;
    }
    zn_bytes function = { 0 };
    zn_bytes identity = { 0 };
    bool has_function = zn_value_field(args, zn_bytes_of_text(primary), &function) ||
                        zn_value_field(args, zn_bytes_of_text(fallback), &function);
    bool has_identity = zn_value_field(args, zn_bytes_of_text("identity"), &identity);
    zn_put_map(out, (has_function ? 1U : 0U) + (has_identity ? 1U : 0U));
    if (has_function) {
        zn_put_text(out, "function");
        zn_buf_append(out, function.data, function.len);
    }
    if (has_identity) {
        zn_put_text(out, "identity");
        zn_buf_append(out, identity.data, identity.len);
    }
}

/* The source of the stage behind a fold. */
static void put_stage_source(zn_buf *out, size_t stage, bool empty) {
    zn_put_map(out, empty ? 2 : 1);
    zn_put_text(out, "stage");
    zn_put_uint(out, stage);
    if (empty) {
        zn_put_text(out, "empty");
        zn_put_bool(out, true);
    }
}

/* Lets the stage end when it has given what the limit asks for. Files are wanted whatever is done
 * with their paths, so a stage that writes runs as a whole. */
static void limit_stage(zn_stage_draft *draft, zn_bytes args) {
    uint64_t n = 0;
    if (draft->writes || !zn_value_field_uint(args, "n", &n)) {
        return;
    }
    draft->limit = n;
    draft->tasks = n == 0 ? 0 : draft->tasks;
}

static zonda_err add_fold(zn_plan_build *build, const zonda_dataset *node, zonda_error *error) {
    const fold_halves *halves = find_halves(node->op->name);
    zn_buf args = { 0 };
    put_half(&args, zn_buf_bytes(&node->args), "local", "function");
    zn_plan_add_op(build, halves->shard, zn_buf_bytes(&args), node->op->name);
    limit_stage(&build->draft, zn_buf_bytes(&node->args));
    size_t stage = build->plan->stage_count;
    bool empty = build->draft.tasks == 0;
    zonda_err err = zn_plan_end_stage(build, error);
    if (err == ZONDA_OK) {
        build->draft.tasks = 1;
        zn_buf_reset(&args, args.capacity);
        put_stage_source(&args, stage, empty);
        if (!empty) {
            zn_stage_input input = { .stage = stage, .by = ZN_INPUT_ALL };
            zn_plan_add_stage_input(&build->draft, &input);
        }
        zn_plan_add_op(build, "stage", zn_buf_bytes(&args), NULL);
        zn_buf_reset(&args, args.capacity);
        put_half(&args, zn_buf_bytes(&node->args), "global", "local");
        zn_plan_add_op(build, halves->total, zn_buf_bytes(&args), node->op->name);
    }
    zn_buf_free(&args);
    return err;
}

static zonda_err add_node(zn_plan_build *build, const zonda_dataset *node, zonda_error *error) {
    zn_digest script;
    if (node->script.len > 0) {
        zonda_err err =
            zn_plan_add_blob(build, "the script", zn_buf_bytes(&node->script), &script, error);
        if (err != ZONDA_OK) {
            return err;
        }
    }
    for (size_t i = 0; i < node->plugin_count; i++) {
        zn_digest plugin;
        zonda_err err = zn_plan_add_blob(build, "the plug-in",
                                         zn_buf_bytes(&node->plugins[i]->bytes), &plugin, error);
        if (err != ZONDA_OK) {
            return err;
        }
    }
    if (node->op->many_inputs) {
        return zn_plan_add_union(build, node, error);
    }
    switch (node->op->op_class) {
    case ZN_OP_SOURCE:
        return zn_plan_add_source(build, node, error);
    case ZN_OP_NARROW:
        build->draft.in_folder = build->draft.in_folder || node->op->in_folder;
        zn_plan_add_op(build, node->op->name, zn_buf_bytes(&node->args), node->op->name);
        return ZONDA_OK;
    case ZN_OP_FOLD:
        return add_fold(build, node, error);
    case ZN_OP_SINK:
        return zn_plan_add_sink(build, node, error);
    case ZN_OP_WIDE:
        return zn_plan_add_wide(build, node, error);
    case ZN_OP_INNER:
        break;
    }
    return zn_error_set(error, ZONDA_ERR_PLAN, "%s is not for datasets", node->op->name);
}

/* What a chain goes on with towards its begin: nothing behind a source or a union. Before an
 * operator with two inputs it is the left one; the operator itself compiles the right one. */
static const zonda_dataset *node_before(const zonda_dataset *node) {
    return node->input_count > 0 && !node->op->many_inputs ? node->inputs[0] : NULL;
}

zonda_err zn_plan_add_chain(zn_plan_build *build, const zonda_dataset *last, zonda_error *error) {
    size_t length = 0;
    for (const zonda_dataset *node = last; node != NULL; node = node_before(node)) {
        length++;
    }
    const zonda_dataset **chain = zn_calloc(length, sizeof *chain);
    size_t at = length;
    for (const zonda_dataset *node = last; node != NULL; node = node_before(node)) {
        chain[--at] = node;
    }
    zonda_err err = ZONDA_OK;
    for (size_t i = 0; i < length && err == ZONDA_OK; i++) {
        err = add_node(build, chain[i], error);
    }
    free(chain);
    return err;
}

static void set_fingerprint(zn_plan *plan) {
    zn_buf all = { 0 };
    zn_put_array(&all, (uint32_t)plan->stage_count);
    for (size_t i = 0; i < plan->stage_count; i++) {
        zn_put_text(&all, plan->stages[i].name);
        zn_put_binary(&all, zn_digest_bytes(&plan->stages[i].body));
    }
    plan->fingerprint = zn_digest_of(zn_buf_bytes(&all));
    zn_buf_free(&all);
}

zn_plan *zn_plan_new(const zonda_dataset *dataset, const zn_plan_shared *shared,
                     size_t shared_count, const zn_plan_files *files, zonda_error *error) {
    zn_plan_settings settings = { .shared = shared, .shared_count = shared_count };
    return zn_plan_new_with(dataset, &settings, files, error);
}

zn_plan *zn_plan_new_with(const zonda_dataset *dataset, const zn_plan_settings *settings,
                          const zn_plan_files *files, zonda_error *error) {
    zonda_error ignored;
    error = error == NULL ? &ignored : error;
    if (dataset == NULL) {
        zn_error_set(error, ZONDA_ERR_INVALID, "there is no dataset");
        return NULL;
    }
    if (dataset->error.code != ZONDA_OK) {
        *error = dataset->error;
        return NULL;
    }
    zn_lua_limits limits;
    if (zn_lua_limits_set(settings->lua_memory_bytes, settings->lua_instructions, &limits, error) !=
        ZONDA_OK) {
        return NULL;
    }
    zn_plan_build build = {
        .plan = ZN_NEW(zn_plan),
        .settings = settings,
        .files = files,
    };
    zonda_err err = zn_plan_add_chain(&build, dataset, error);
    if (err == ZONDA_OK) {
        err = zn_plan_end_stage(&build, error);
    }
    if (err == ZONDA_OK) {
        set_fingerprint(build.plan);
    } else {
        zn_plan_destroy(&build.plan);
    }
    zn_plan_free_draft(&build.draft);
    zn_paths_free(&build.inputs);
    return build.plan;
}

const zn_plan_blob *zn_plan_find_blob(const zn_plan *plan, zn_digest digest) {
    for (size_t i = 0; i < plan->blob_count; i++) {
        if (zn_digest_equal(plan->blobs[i].digest, digest)) {
            return &plan->blobs[i];
        }
    }
    return NULL;
}

void zn_plan_destroy(zn_plan **plan) {
    if (plan == NULL || *plan == NULL) {
        return;
    }
    for (size_t i = 0; i < (*plan)->stage_count; i++) {
        free((*plan)->stages[i].name);
        free((*plan)->stages[i].inputs);
    }
    for (size_t i = 0; i < (*plan)->blob_count; i++) {
        zn_buf_free(&(*plan)->blobs[i].bytes);
    }
    free((*plan)->stages);
    free((*plan)->blobs);
    free(*plan);
    *plan = NULL;
}
