/* SPDX-License-Identifier: MPL-2.0 */
/* Inside plan only: a plan that is being made. */
#ifndef ZN_PLAN_PLAN_BUILD_H
#define ZN_PLAN_PLAN_BUILD_H

#include "plan/dataset.h"
#include "plan/plan.h"

/* The stage that operators are added to just now. */
typedef struct zn_stage_draft {
    zn_buf ops; /* as in the body (ops/stage_exec.h), one after another */
    uint32_t op_count;
    zn_buf branches; /* chains after another, which lead into `ops`; see ops/stage_exec.h */
    uint32_t branch_count;
    zn_buf name;
    uint64_t tasks;
    uint64_t limit;         /* see zn_plan_stage */
    bool writes;            /* has a sink: all its tasks are needed */
    bool in_folder;         /* has a relative path or a command: runs in the driver's folder */
    zn_stage_input *inputs; /* see zn_plan_stage */
    size_t input_count;
    size_t input_capacity;
} zn_stage_draft;

typedef struct zn_plan_build {
    zn_plan *plan;
    size_t stage_capacity;
    size_t blob_capacity;
    uint64_t blob_bytes; /* of all blobs */
    const zn_plan_settings *settings;
    const zn_plan_files *files;
    zn_paths inputs; /* all files that the plan reads, in its order */
    zn_stage_draft draft;
    unsigned union_depth;
    unsigned right_depth; /* right sides that are compiled just now, one for the other */
    size_t branches;      /* of the whole plan */
} zn_plan_build;

/* Adds the bytes (copied) to the plan's blobs unless it has them. Error: LIMIT; `what` names them
 * for people. */
zonda_err zn_plan_add_blob(zn_plan_build *build, const char *what, zn_bytes bytes,
                           zn_digest *digest, zonda_error *error);

/* Adds an operator with its arguments to the draft. `shown` becomes part of the stage's name: what
 * users call it; NULL: nothing. */
void zn_plan_add_op(zn_plan_build *build, const char *name, zn_bytes args, const char *shown);

/* The same with a map of what the planner adds. */
void zn_plan_add_planned_op(zn_plan_build *build, const char *name, zn_bytes args, zn_bytes planned,
                            const char *shown);

/* Appends `branch`, which has tasks, as a branch of `draft`. */
void zn_plan_add_branch(zn_stage_draft *draft, const zn_stage_draft *branch);

void zn_plan_free_draft(zn_stage_draft *draft);

/* Adds the operators of a dataset and of all that it is made from to the draft. */
zonda_err zn_plan_add_chain(zn_plan_build *build, const zonda_dataset *last, zonda_error *error);

/* Begins the draft with the branches of a union. */
zonda_err zn_plan_add_union(zn_plan_build *build, const zonda_dataset *node, zonda_error *error);

/* Turns the draft into a stage of the plan and empties it. Error: LIMIT. */
zonda_err zn_plan_end_stage(zn_plan_build *build, zonda_error *error);

/* Notes that the draft reads the results of an earlier stage. */
void zn_plan_add_stage_input(zn_stage_draft *draft, const zn_stage_input *input);

/* Begins the draft with a source: how many shards there are, and what is in them. */
zonda_err zn_plan_add_source(zn_plan_build *build, const zonda_dataset *source, zonda_error *error);

/* The same for from_files and read, whose shards are files or parts of them. */
zonda_err zn_plan_add_files(zn_plan_build *build, const zonda_dataset *source, zonda_error *error);

/* Appends the map `args` without the key `name` (NULL: with all), then with `text` (NULL: without)
 * under that name. */
void zn_plan_put_args(zn_buf *out, zn_bytes args, const char *name, const char *text);

/* Adds the source with the arguments and, as a blob, its inputs: an array with one per shard. */
zonda_err zn_plan_add_inputs(zn_plan_build *build, const zonda_dataset *source, zn_bytes args,
                             zn_bytes inputs, zonda_error *error);

/* Notes that the plan reads a file. */
void zn_plan_add_input(zn_plan_build *build, const char *path);

/* Adds a sink, with the manifest of its outputs. Errors: PLAN, UNSUPPORTED, IO (an input). */
zonda_err zn_plan_add_sink(zn_plan_build *build, const zonda_dataset *node, zonda_error *error);

#endif
