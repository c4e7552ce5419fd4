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

#define ZN_DRAIN_WORKER_FIELDS(U, I, S, B, L)                                                      \
    ZN_CALL_FIELDS(U)                                                                              \
    U(worker, UINT64_MAX, "worker id")                                                             \
    S(reason, ZN_NAME_BYTES_MAX, "for people")

#define ZN_WORKER_DRAINING_FIELDS(U, I, S, B, L)                                                   \
    U(request, UINT64_MAX, "the call that this answers")                                           \
    U(worker, UINT64_MAX, "worker id")                                                             \
    U(running, UINT64_MAX, "tasks that it still runs")                                             \
    U(results, UINT64_MAX, "results of open jobs that it still has")                               \
    U(gone, 1, "1: it has left")

#define ZN_LIST_HISTORY_FIELDS(U, I, S, B, L)                                                      \
    ZN_CALL_FIELDS(U)                                                                              \
    U(before, UINT64_MAX, "only jobs that ended before this one in the list; 0: the last ones")    \
    U(count, ZN_HISTORY_PAGE_MAX, "how many, at most; 0: as many as a page has")

#define ZN_HISTORY_FIELDS(U, I, S, B, L)                                                           \
    U(request, UINT64_MAX, "the call that this answers")                                           \
    L(jobs, past_job, ZN_HISTORY_PAGE_MAX, "the last one first")

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

#define ZN_GET_PROFILE_FIELDS(U, I, S, B, L)                                                       \
    ZN_CALL_FIELDS(U)                                                                              \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(stage, ZN_STAGES_MAX, "times are wanted from this stage on,")                                \
    U(span, UINT64_MAX, "spans from this one on")

#define ZN_JOB_PROFILE_FIELDS(U, I, S, B, L)                                                       \
    U(request, UINT64_MAX, "the call that this answers")                                           \
    U(job, UINT64_MAX, "job id")                                                                   \
    L(stages, stage_times, ZN_PROFILE_PAGE_STAGES, "a page; none: there are no more")              \
    L(spans, span_info, ZN_PROFILE_PAGE_SPANS, "a page; none: there are no more")                  \
    U(dropped, UINT64_MAX, "spans that found no room, here or in slots")

#endif
