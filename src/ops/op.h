/* SPDX-License-Identifier: MPL-2.0 */
/* How operators run: a chain that a source pushes records through. */
#ifndef ZN_OPS_OP_H
#define ZN_OPS_OP_H

#include "ops/lua_limits.h"
#include "ops/op_table.h"
#include "ops/task.h"

typedef struct zn_stage_exec zn_stage_exec;

/* One operator in the chain of a stage; made once per slot and stage, used for many tasks. */
typedef struct zn_op {
    const zn_op_def *def;
    struct zn_op *next; /* the last op of a chain is the collector of results */
    zn_stage_exec *stage;
    zn_bytes args;        /* MessagePack map, checked, lives as long as the stage */
    zn_bytes planned;     /* what the planner adds to that: a map, or no bytes */
    void *state;          /* of the runtime */
    uint64_t shard_first; /* its shard 0 is this task of the stage */
    uint64_t shard_count;
} zn_op;

/* Every call but open may be NULL where there is nothing to do. Errors are filled where found;
 * the stage adds operator, shard, file and line. Order for a task: begin of all ops from the last
 * to the first, then (source) run or (others) push…, end from the first to the last; after any
 * failure `abort` of all instead. */
struct zn_op_runtime {
    /* Reads `op->args`, compiles, makes `op->state`. Once per stage. */
    zonda_err (*open)(zn_op *op, zonda_error *error);
    void (*close)(zn_op *op);
    zonda_err (*begin)(zn_op *op, zonda_task *task, zonda_error *error);
    /* One record: a checked value, borrowed during the call. */
    zonda_err (*push)(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error);
    /* The shard is over: emit what is left, publish. */
    zonda_err (*end)(zn_op *op, zonda_task *task, zonda_error *error);
    void (*abort)(zn_op *op, zonda_task *task);
    /* Sources only: pushes all records of the task's shard through zn_op_emit. */
    zonda_err (*run)(zn_op *op, zonda_task *task, zonda_error *error);
    /* Removes what an attempt that died may have left outside (temporary files). */
    void (*sweep)(zn_op *op, zn_attempt_id attempt);
    /* The job is over, before all tasks were: removes what dead attempts of it have left. */
    void (*clear)(zn_op *op);
};

/* Gives a record to the next operator. */
zonda_err zn_op_emit(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error);

/* Gives all records of a buffer of concatenated values to the next operator. */
zonda_err zn_op_emit_all(zn_op *op, zonda_task *task, zn_bytes records, zonda_error *error);

/* Says that `op` wants no more records of the task. Returns CANCELLED, which the operators before
 * it pass on like any failure; the stage takes it for the end of the source, aborts them, and ends
 * `op` and those behind it as usual. Returns OK if there is a sink before `op`, which needs all
 * records: then `op` has to let go of what still comes. To be called in begin (ignoring the answer)
 * or push.
 */
zonda_err zn_op_enough(zn_op *op, zonda_task *task, zonda_error *error);

/* The shard that the operator works on, from 0, and how many there are. */
static inline uint64_t zn_op_shard(const zn_op *op, const zonda_task *task) {
    return task->attempt.task - op->shard_first;
}

/* What the stage offers to its operators, valid from open on. */
const zn_task_host *zn_stage_exec_host(const zn_stage_exec *stage);
zn_job_id zn_stage_exec_job(const zn_stage_exec *stage);
zn_stage_id zn_stage_exec_stage(const zn_stage_exec *stage);
zn_lua_limits zn_stage_exec_lua_limits(const zn_stage_exec *stage); /* NULL: the usual ones */

#endif
