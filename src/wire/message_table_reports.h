/* SPDX-License-Identifier: MPL-2.0 */
/* Part of message_table.h: records of answers for people and their tools. */
#ifndef ZN_WIRE_MESSAGE_TABLE_REPORTS_H
#define ZN_WIRE_MESSAGE_TABLE_REPORTS_H

#include "base/limits.h"

#define ZN_JOB_INFO_FIELDS(U, I, S, B, L)                                                          \
    U(job, UINT64_MAX, "job id")                                                                   \
    S(name, ZN_NAME_BYTES_MAX, "name")                                                             \
    U(state, 255, "zn_job_state")                                                                  \
    U(stages, ZN_STAGES_MAX, "stages started")                                                     \
    U(total, UINT64_MAX, "tasks of all started stages")                                            \
    U(completed, UINT64_MAX, "of them completed")                                                  \
    U(running, UINT64_MAX, "of them handed to workers")                                            \
    U(retries, UINT64_MAX, "attempts after the first")                                             \
    U(age_ms, UINT64_MAX, "since it was opened")

#define ZN_WORKER_INFO_FIELDS(U, I, S, B, L)                                                       \
    U(worker, UINT64_MAX, "worker id")                                                             \
    U(epoch, UINT64_MAX, "its registration")                                                       \
    S(host, ZN_NAME_BYTES_MAX, "host name")                                                        \
    U(pid, UINT64_MAX, "process id on that host")                                                  \
    U(slots, ZN_SLOTS_MAX, "slots")                                                                \
    U(running, UINT64_MAX, "tasks that it holds")                                                  \
    U(completed, UINT64_MAX, "tasks that it completed")                                            \
    U(silent_ms, UINT64_MAX, "since it was last heard")                                            \
    U(state, 255, "zn_worker_state")                                                               \
    U(failed, UINT64_MAX, "tasks in a row that failed on it and not elsewhere")                    \
    S(reason, ZN_NAME_BYTES_MAX, "why it is drained")

#define ZN_STAGE_INFO_FIELDS(U, I, S, B, L)                                                        \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    S(name, ZN_NAME_BYTES_MAX, "its operators")                                                    \
    U(state, 255, "zn_stage_state")                                                                \
    U(total, ZN_STAGE_TASKS_MAX, "tasks")                                                          \
    U(completed, ZN_STAGE_TASKS_MAX, "completed")                                                  \
    U(running, ZN_STAGE_TASKS_MAX, "handed to workers")                                            \
    U(retries, UINT64_MAX, "attempts after the first")                                             \
    U(failures, UINT64_MAX, "attempts that failed")                                                \
    U(age_ms, UINT64_MAX, "since it was started")                                                  \
    U(active_ms, UINT64_MAX, "from the first task handed out to its end, or to now")               \
    L(failure, failure, 1, "of the attempt that failed last")

#define ZN_REASON_FIELDS(U, I, S, B, L)                                                            \
    U(code, 255, "zn_wait_reason")                                                                 \
    U(blocking, 1, "the job makes no progress because of this")                                    \
    S(text, ZN_NAME_BYTES_MAX, "the same for people, with the numbers that matter")

#define ZN_ATTEMPT_INFO_FIELDS(U, I, S, B, L)                                                      \
    U(state, 255, "zn_attempt_state")                                                              \
    U(first, ZN_STAGE_TASKS_MAX, "first task")                                                     \
    U(count, ZN_STAGE_TASKS_MAX, "tasks that this is about")                                       \
    U(attempt, UINT32_MAX, "attempt, 0: several")                                                  \
    U(worker, UINT64_MAX, "worker id, 0: none")                                                    \
    S(host, ZN_NAME_BYTES_MAX, "its host; empty: it is gone")                                      \
    U(pid, UINT64_MAX, "its process id on that host")                                              \
    U(age_ms, UINT64_MAX, "since it was handed out (whole seconds) or failed")                     \
    L(failure, failure, 1, "why it failed")

#define ZN_PAST_STAGE_FIELDS(U, I, S, B, L)                                                        \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    S(name, ZN_NAME_BYTES_MAX, "its operators")                                                    \
    U(state, 255, "zn_stage_state")                                                                \
    U(total, ZN_STAGE_TASKS_MAX, "tasks")                                                          \
    U(completed, ZN_STAGE_TASKS_MAX, "completed")                                                  \
    U(retries, UINT64_MAX, "attempts after the first")                                             \
    U(failures, UINT64_MAX, "attempts that failed")                                                \
    U(active_ms, UINT64_MAX, "from the first task handed out to its end")                          \
    U(records_in, UINT64_MAX, "by accepted attempts")                                              \
    U(records_out, UINT64_MAX, "by accepted attempts")                                             \
    U(bytes_in, UINT64_MAX, "by accepted attempts")                                                \
    U(bytes_out, UINT64_MAX, "by accepted attempts")                                               \
    L(counters, counter, 256, "user counters of accepted attempts")

#define ZN_PAST_JOB_FIELDS(U, I, S, B, L)                                                          \
    U(place, UINT64_MAX, "in the history, from 1")                                                 \
    U(job, UINT64_MAX, "job id")                                                                   \
    S(name, ZN_NAME_BYTES_MAX, "name")                                                             \
    U(state, 255, "zn_past_state")                                                                 \
    U(opened_ms, UINT64_MAX, "since 1970-01-01 UTC")                                               \
    U(ended_ms, UINT64_MAX, "since 1970-01-01 UTC")                                                \
    L(stages, past_stage, ZN_EXPLAIN_STAGES_MAX, "the first of its stages")                        \
    L(failure, failure, 1, "why it failed or was cancelled")

#define ZN_SECTION_TIME_FIELDS(U, I, S, B, L)                                                      \
    U(section, 255, "zn_section: what the time was for")                                           \
    U(ns, UINT64_MAX, "nanoseconds")

#define ZN_STAGE_TIMES_FIELDS(U, I, S, B, L)                                                       \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    L(times, section_time, ZN_PROFILE_SECTIONS_MAX, "of all slots together")

#define ZN_SPAN_INFO_FIELDS(U, I, S, B, L)                                                         \
    U(kind, 255, "zn_span_kind: an attempt, or something in one")                                  \
    U(worker, UINT64_MAX, "worker id; from a worker: 0")                                           \
    U(slot, ZN_SLOTS_MAX, "slot of the worker")                                                    \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    U(first, ZN_STAGE_TASKS_MAX, "first task")                                                     \
    U(count, ZN_STAGE_TASKS_MAX, "tasks: several if they were short")                              \
    U(attempt, UINT32_MAX, "attempt of all of them")                                               \
    U(start_ns, UINT64_MAX, "since 1970-01-01 UTC, by the clock of the worker's machine")          \
    U(duration_ns, UINT64_MAX, "how long")                                                         \
    U(bytes, UINT64_MAX, "fetched or spilled")                                                     \
    U(code, 255, "zonda_err of an attempt")

#endif
