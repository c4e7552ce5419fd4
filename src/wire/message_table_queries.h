/* SPDX-License-Identifier: MPL-2.0 */
/* Part of message_table.h: calls that only ask, for people and their tools. Every one has one
 * reply. */
#ifndef ZN_WIRE_MESSAGE_TABLE_QUERIES_H
#define ZN_WIRE_MESSAGE_TABLE_QUERIES_H

#include "wire/message_table_control.h"

#define ZN_LIST_JOBS_FIELDS(U, I, S, B, L) ZN_CALL_FIELDS(U)

#define ZN_JOBS_FIELDS(U, I, S, B, L)                                                              \
    U(request, UINT64_MAX, "the call that this answers")                                           \
    L(jobs, job_info, ZN_JOBS_MAX, "by id")

#define ZN_LIST_WORKERS_FIELDS(U, I, S, B, L) ZN_CALL_FIELDS(U)

#define ZN_WORKERS_FIELDS(U, I, S, B, L)                                                           \
    U(request, UINT64_MAX, "the call that this answers")                                           \
    L(workers, worker_info, ZN_WORKERS_MAX, "by id")

#define ZN_EXPLAIN_FIELDS(U, I, S, B, L)                                                           \
    ZN_CALL_FIELDS(U)                                                                              \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(has_stage, 1, "only one stage is asked for")                                                 \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    U(has_task, 1, "only one task of that stage is asked for")                                     \
    U(task, ZN_STAGE_TASKS_MAX, "task")

#define ZN_EXPLANATION_FIELDS(U, I, S, B, L)                                                       \
    U(request, UINT64_MAX, "the call that this answers")                                           \
    L(job, job_info, 1, "the job")                                                                 \
    U(called_ms, UINT64_MAX, "since the driver of the job last called")                            \
    L(ended, failure, 1, "why the job ended")                                                      \
    L(stages, stage_info, ZN_EXPLAIN_STAGES_MAX, "the stages, or the one asked for")               \
    L(reasons, reason, ZN_EXPLAIN_REASONS_MAX, "why what waits is waiting")                        \
    L(attempts, attempt_info, ZN_EXPLAIN_ATTEMPTS_MAX,                                             \
      "of the stage or task asked for: what failed last, then what is now")

#endif
