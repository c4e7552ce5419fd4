/* SPDX-License-Identifier: MPL-2.0 */
/* Stages and blobs of a plan that is being made. A stage's body has the form that
 * ops/stage_exec.h describes; the planner is the only one who writes bodies, slots only read them.
 * Everything that a job ships is bounded here, before anything is sent. */
#include "plan/plan_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"
#include "record/value.h"

static const char arrow[] = "→";
static const char ellipsis[] = "…";

zonda_err zn_plan_add_blob(zn_plan_build *build, const char *what, zn_bytes bytes,
                           zn_digest *digest, zonda_error *error) {
    zn_plan *plan = build->plan;
    if (bytes.len > ZN_BLOB_BYTES_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "%s would be %zu bytes to send, at most %u are possible", what,
                            bytes.len, (unsigned)ZN_BLOB_BYTES_MAX);
    }
    *digest = zn_digest_of(bytes);
    if (zn_plan_find_blob(plan, *digest) != NULL) {
        return ZONDA_OK;
    }
    if (build->blob_bytes + bytes.len > ZN_BLOB_STORE_BYTES_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "with %s the job would send more than %u bytes beside its input files",
                            what, (unsigned)ZN_BLOB_STORE_BYTES_MAX);
    }
    build->blob_bytes += bytes.len;
    ZN_GROW(plan->blobs, plan->blob_count, build->blob_capacity);
    zn_plan_blob *blob = &plan->blobs[plan->blob_count++];
    *blob = (zn_plan_blob){ .digest = *digest };
    zn_buf_append(&blob->bytes, bytes.data, bytes.len);
    return ZONDA_OK;
}

/* The name is cut when the stage ends; a chain of a million operators need not be collected. */
static void add_name(zn_stage_draft *draft, const char *name) {
    if (name != NULL && draft->name.len <= ZN_NAME_BYTES_MAX) {
        if (draft->name.len > 0) {
            zn_buf_append_text(&draft->name, arrow);
        }
        zn_buf_append_text(&draft->name, name);
    }
}

void zn_plan_add_op(zn_plan_build *build, const char *name, zn_bytes args, const char *shown) {
    zn_plan_add_planned_op(build, name, args, (zn_bytes){ 0 }, shown);
}

void zn_plan_add_planned_op(zn_plan_build *build, const char *name, zn_bytes args, zn_bytes planned,
                            const char *shown) {
    zn_stage_draft *draft = &build->draft;
    zn_put_array(&draft->ops, planned.len > 0 ? 3 : 2);
    zn_put_text(&draft->ops, name);
    zn_buf_append(&draft->ops, args.data, args.len);
    zn_buf_append(&draft->ops, planned.data, planned.len);
    draft->op_count++;
    add_name(draft, shown);
}

/* The stage's name, cut with an ellipsis where it is too long for the wire. */
static char *cut_name(zn_bytes name) {
    char out[ZN_NAME_BYTES_MAX + 1];
    if (name.len <= ZN_NAME_BYTES_MAX) {
        return zn_strndup((const char *)name.data, name.len);
    }
    zn_error_copy(out, sizeof out - strlen(ellipsis), (const char *)name.data, name.len);
    return zn_format("%s%s", out, ellipsis);
}

static zonda_err put_shared(zn_plan_build *build, zn_buf *body, zonda_error *error) {
    const zn_plan_settings *settings = build->settings;
    ZN_ASSERT(settings->shared_count <= UINT32_MAX);
    zn_put_map(body, (uint32_t)settings->shared_count);
    for (size_t i = 0; i < settings->shared_count; i++) {
        const zn_plan_shared *shared = &settings->shared[i];
        zn_digest digest;
        char what[ZN_NAME_BYTES_MAX + 32];
        snprintf(what, sizeof what, "shared data \"%s\"", shared->name);
        zonda_err err = zn_plan_add_blob(build, what, shared->value, &digest, error);
        if (err != ZONDA_OK) {
            return err;
        }
        zn_put_text(body, shared->name);
        zn_put_binary(body, zn_digest_bytes(&digest));
    }
    return ZONDA_OK;
}

/* Only what was asked for, so that plans without limits of their own stay as they are. */
static void put_lua_limits(const zn_plan_settings *settings, zn_buf *body) {
    uint64_t memory = settings->lua_memory_bytes;
    uint64_t instructions = settings->lua_instructions;
    zn_put_text(body, "lua");
    zn_put_map(body, (memory != 0 ? 1U : 0U) + (instructions != 0 ? 1U : 0U));
    if (memory != 0) {
        zn_put_text(body, "memory");
        zn_put_uint(body, memory);
    }
    if (instructions != 0) {
        zn_put_text(body, "instructions");
        zn_put_uint(body, instructions);
    }
}

/* The fields "ops" and, if there are any, "branches". */
static void put_chain(zn_buf *out, const zn_stage_draft *draft) {
    zn_put_text(out, "ops");
    zn_put_array(out, draft->op_count);
    zn_buf_append(out, draft->ops.data, draft->ops.len);
    if (draft->branch_count > 0) {
        zn_put_text(out, "branches");
        zn_put_array(out, draft->branch_count);
        zn_buf_append(out, draft->branches.data, draft->branches.len);
    }
}

void zn_plan_add_branch(zn_stage_draft *draft, const zn_stage_draft *branch) {
    zn_put_map(&draft->branches, 2);
    put_chain(&draft->branches, branch);
    if (branch->branch_count == 0) {
        zn_put_text(&draft->branches, "tasks");
        zn_put_uint(&draft->branches, branch->tasks);
    }
    draft->branch_count++;
    for (size_t i = 0; i < branch->input_count; i++) {
        zn_stage_input input = branch->inputs[i];
        input.first += draft->tasks;
        zn_plan_add_stage_input(draft, &input);
    }
    draft->tasks += branch->tasks;
    draft->writes = draft->writes || branch->writes;
    draft->in_folder = draft->in_folder || branch->in_folder;
}

void zn_plan_add_stage_input(zn_stage_draft *draft, const zn_stage_input *input) {
    ZN_GROW(draft->inputs, draft->input_count, draft->input_capacity);
    draft->inputs[draft->input_count++] = *input;
}

void zn_plan_free_draft(zn_stage_draft *draft) {
    zn_buf_free(&draft->ops);
    zn_buf_free(&draft->branches);
    zn_buf_free(&draft->name);
    free(draft->inputs);
    *draft = (zn_stage_draft){ 0 };
}

/* Only where it matters, so that other plans are the same wherever they are made. */
static zonda_err put_folder(zn_plan_build *build, zn_buf *body, zonda_error *error) {
    char *folder = build->files->folder(error);
    if (folder == NULL) {
        return error->code;
    }
    zn_put_text(body, "folder");
    zn_put_text(body, folder);
    free(folder);
    return ZONDA_OK;
}

static zonda_err put_body(zn_plan_build *build, zn_buf *body, zonda_error *error) {
    const zn_stage_draft *draft = &build->draft;
    const zn_plan_settings *settings = build->settings;
    bool limited = settings->lua_memory_bytes != 0 || settings->lua_instructions != 0;
    zn_put_map(body, 4U + (limited ? 1U : 0U) + (draft->branch_count > 0 ? 1U : 0U) +
                         (draft->in_folder ? 1U : 0U) + (settings->profile != 0 ? 1U : 0U));
    zn_put_text(body, "stage");
    zn_put_uint(body, build->plan->stage_count);
    zn_put_text(body, "tasks");
    zn_put_uint(body, draft->tasks);
    put_chain(body, draft);
    if (limited) {
        put_lua_limits(settings, body);
    }
    if (draft->in_folder && put_folder(build, body, error) != ZONDA_OK) {
        return error->code;
    }
    if (settings->profile != 0) {
        zn_put_text(body, "profile");
        zn_put_uint(body, settings->profile);
    }
    zn_put_text(body, "shared");
    return put_shared(build, body, error);
}

static zonda_err check_limits(const zn_plan_build *build, zonda_error *error) {
    if (build->plan->stage_count >= ZN_STAGES_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT, "the plan has more than %u stages",
                            (unsigned)ZN_STAGES_MAX);
    }
    if (build->draft.tasks > ZN_STAGE_TASKS_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "stage %zu has %llu shards, at most %u are possible",
                            build->plan->stage_count, (unsigned long long)build->draft.tasks,
                            (unsigned)ZN_STAGE_TASKS_MAX);
    }
    return ZONDA_OK;
}

zonda_err zn_plan_end_stage(zn_plan_build *build, zonda_error *error) {
    zn_plan *plan = build->plan;
    zn_stage_draft *draft = &build->draft;
    zn_buf body = { 0 };
    zn_digest digest;
    zonda_err err = check_limits(build, error);
    if (err == ZONDA_OK) {
        err = put_body(build, &body, error);
    }
    if (err == ZONDA_OK) {
        err = zn_plan_add_blob(build, "the operators of a stage", zn_buf_bytes(&body), &digest,
                               error);
    }
    zn_buf_free(&body);
    if (err != ZONDA_OK) {
        return err;
    }
    ZN_GROW(plan->stages, plan->stage_count, build->stage_capacity);
    plan->stages[plan->stage_count++] = (zn_plan_stage){
        .name = cut_name(zn_buf_bytes(&draft->name)),
        .task_count = draft->tasks,
        .body = digest,
        .limit = draft->limit,
        .inputs = draft->inputs,
        .input_count = draft->input_count,
    };
    draft->inputs = NULL; /* they are the stage's now */
    zn_plan_free_draft(draft);
    return ZONDA_OK;
}
