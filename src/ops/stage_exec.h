/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_STAGE_EXEC_H
#define ZN_OPS_STAGE_EXEC_H

#include "ops/op.h"

/* A stage as a slot runs it: its body compiled to a chain of operators.
 *
 * The body is a MessagePack map:
 *   "stage":  index                    "tasks": number of tasks (= shards of the stage)
 *   "ops":    [[name, {argument: value}], …], the source first; a third element of an operator is
 *             a map of what the planner adds; sinks have "manifest" in it: digest of a blob with
 *             the document of store/manifest.h
 *   "branches": where datasets are united; then "ops" is what follows, without a source, and each
 *             branch is a map of "ops" and either "tasks" or "branches" of its own. Tasks are
 * counted through all branches, first to last; an operator sees as shards those of its branch.
 *   "profile": zn_body_profile; missing: nothing is measured
 *   "shared": {name: digest of the blob with the value}
 *   "folder": where the driver was when it made the plan, if relative paths or commands depend on
 * it "lua":    {"memory": bytes, "instructions": of a call}, both may be missing Arguments that the
 * planner adds to those of the user: sources from_list and read/from_files have "inputs": digest of
 * a blob that holds one MessagePack array with an item or path per shard; the source "stage" has
 * "stage": index of the stage whose results it reads, or "empty": true if that stage had no shards.
 */

/* Compiles a body. `host` is borrowed for the life of the stage. Errors: PLAN, UNKNOWN_BLOB,
 * NOT_FOUND (a C function that is not registered here), USER (Lua that does not compile). */
zn_stage_exec *zn_stage_exec_new(zn_job_id job, zn_bytes body, const zn_task_host *host,
                                 zonda_error *error);
void zn_stage_exec_destroy(zn_stage_exec **stage);

/* What is to be measured: zn_body_profile. */
uint64_t zn_stage_exec_profile(const zn_stage_exec *stage);

/* Runs one task. Fills `outcome`, whose texts and lists are borrowed until the next call: first and
 * count name the task; a failure carries operator, shard, file and line. Returns false if there is
 * no outcome to report (commit refused, or cancelled). User code cannot make it fail otherwise. */
bool zn_stage_exec_run(zn_stage_exec *stage, uint64_t task, uint32_t attempt, zn_outcome *outcome);

/* Removes what an attempt that died (its slot crashed) may have left behind. */
void zn_stage_exec_sweep(zn_stage_exec *stage, uint64_t task, uint32_t attempt);

/* The job is over, and was ended before it was complete: removes what any attempt that died, here
 * or elsewhere, may have left behind. */
void zn_stage_exec_clear(zn_stage_exec *stage);

#endif
