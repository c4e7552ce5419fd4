/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_PLAN_PLAN_H
#define ZN_PLAN_PLAN_H

#include <zonda/dataset.h>

#include "base/digest.h"
#include "store/file.h"
#include "store/file_lookup.h"
#include "store/glob.h"
#include "wire/message.h"

/* Extra bytes that a job needs beside its bodies: list items, file lists, scripts, shared data. */
typedef struct zn_plan_blob {
    zn_digest digest;
    zn_buf bytes;
} zn_plan_blob;

typedef struct zn_plan_stage {
    char *name;             /* operators joined by "→" */
    uint64_t task_count;    /* 0: the stage is never started, its result is empty */
    zn_digest body;         /* one of the plan's blobs */
    uint64_t limit;         /* records that are enough, in the order of tasks; 0: all are needed */
    zn_stage_input *inputs; /* earlier stages with tasks that it reads; owned */
    size_t input_count;
} zn_plan_stage;

/* A dataset compiled to stages; immutable. */
typedef struct zn_plan {
    zn_digest fingerprint;
    zn_plan_stage *stages;
    size_t stage_count;
    zn_plan_blob *blobs;
    size_t blob_count;
} zn_plan;

/* Shared data by name, for the bodies. */
typedef struct zn_plan_shared {
    const char *name;
    zn_bytes value;
} zn_plan_shared;

/* What a plan is made with beside its dataset. */
typedef struct zn_plan_settings {
    const zn_plan_shared *shared;
    size_t shared_count;
    uint64_t lua_memory_bytes; /* limits of Lua code; 0: the usual ones */
    uint64_t lua_instructions;
    uint64_t profile; /* zn_body_profile */
} zn_plan_settings;

/* How files are looked up; the planner does no I/O itself. */
typedef struct zn_plan_files {
    zonda_err (*glob)(const char *pattern, zn_paths *out, zonda_error *error);
    zonda_err (*size)(const char *path, uint64_t *out, zonda_error *error);
    zonda_err (*cut_csv)(const char *path, char separator, uint64_t every, zn_file_cuts *out,
                         zonda_error *error);
    /* What tells whether it is still the same; NULL: manifests of sinks only name their inputs. */
    zonda_err (*info)(const char *path, zn_file_info *out, zonda_error *error);
    char *(*folder)(zonda_error *error); /* the current one, absolute; the caller frees */
} zn_plan_files;

/* The files of this host. */
extern const zn_plan_files zn_plan_files_local;

/* Compiles. Errors: what the dataset's chain kept, PLAN, NO_MATCH. */
zn_plan *zn_plan_new(const zonda_dataset *dataset, const zn_plan_shared *shared,
                     size_t shared_count, const zn_plan_files *files, zonda_error *error);

/* The same with more settings. Errors: also INVALID (limits). */
zn_plan *zn_plan_new_with(const zonda_dataset *dataset, const zn_plan_settings *settings,
                          const zn_plan_files *files, zonda_error *error);

/* NULL if the plan has no such blob. Borrowed. */
const zn_plan_blob *zn_plan_find_blob(const zn_plan *plan, zn_digest digest);

void zn_plan_destroy(zn_plan **plan);

/* Appends what would run, for people (--dry-run). */
void zn_plan_print(const zn_plan *plan, zn_buf *out);

#endif
