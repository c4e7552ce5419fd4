/* SPDX-License-Identifier: MPL-2.0 */
/* Part of message_table.h: records, of which lists in messages are made. */
#ifndef ZN_WIRE_MESSAGE_TABLE_RECORDS_H
#define ZN_WIRE_MESSAGE_TABLE_RECORDS_H

#include "base/limits.h"

#define ZN_RUN_FIELDS(U, I, S, B, L)                                                               \
    U(first, ZN_STAGE_TASKS_MAX, "first task")                                                     \
    U(count, ZN_STAGE_TASKS_MAX, "number of tasks, at least 1")                                    \
    U(attempt, UINT32_MAX, "attempt of all of them, from 1")

#define ZN_COUNTER_FIELDS(U, I, S, B, L)                                                           \
    S(name, ZN_NAME_BYTES_MAX, "name of the counter")                                              \
    I(sum, "sum of the values")                                                                    \
    I(min, "smallest value")                                                                       \
    I(max, "largest value")                                                                        \
    U(count, UINT64_MAX, "number of values")

#define ZN_SPREAD_FIELDS(U, I, S, B, L)                                                            \
    U(min, UINT64_MAX, "smallest value of a task")                                                 \
    U(max, UINT64_MAX, "largest value of a task")

#define ZN_FAILURE_FIELDS(U, I, S, B, L)                                                           \
    U(code, 255, "zonda_err")                                                                      \
    U(permanent, 1, "trying again cannot help")                                                    \
    U(has_shard, 1, "shard is meaningful")                                                         \
    U(shard, UINT64_MAX, "shard")                                                                  \
    U(attempt, UINT32_MAX, "attempt, 0: unknown")                                                  \
    U(worker, UINT64_MAX, "worker id, 0: unknown")                                                 \
    U(line, UINT64_MAX, "line in the file, 0: unknown")                                            \
    U(column, UINT64_MAX, "byte in the line from 1, 0: unknown")                                   \
    S(op, ZN_NAME_BYTES_MAX, "operator")                                                           \
    S(file, ZN_PATH_BYTES_MAX, "file")                                                             \
    S(text, ZN_ERROR_TEXT_BYTES_MAX, "what happened")                                              \
    S(traceback, ZN_ERROR_TEXT_BYTES_MAX, "of the user function")

#define ZN_REFERENCE_FIELDS(U, I, S, B, L)                                                         \
    S(segment, ZN_NAME_BYTES_MAX, "name of the segment on its worker")                             \
    U(offset, INT64_MAX, "first byte")                                                             \
    U(length, INT64_MAX, "bytes: whole record blocks")

#define ZN_PART_FIELDS(U, I, S, B, L)                                                              \
    U(partition, ZN_STAGE_TASKS_MAX, "partition of a shuffle")                                     \
    U(bytes, UINT64_MAX, "raw bytes of its rows")

#define ZN_STAGE_INPUT_FIELDS(U, I, S, B, L)                                                       \
    U(stage, ZN_STAGES_MAX, "stage of the same job, which must be complete")                       \
    U(first, ZN_STAGE_TASKS_MAX, "task that reads its partition 0")                                \
    U(by, 1, "zn_input_by")

#define ZN_OUTCOME_FIELDS(U, I, S, B, L)                                                           \
    U(first, ZN_STAGE_TASKS_MAX, "first task")                                                     \
    U(count, ZN_STAGE_TASKS_MAX, "tasks with this very outcome, at least 1")                       \
    U(attempt, UINT32_MAX, "attempt of all of them")                                               \
    U(records_in, UINT64_MAX, "records read by each task")                                         \
    U(records_out, UINT64_MAX, "records that each task gave")                                      \
    U(bytes_in, UINT64_MAX, "bytes read by each task")                                             \
    U(bytes_out, UINT64_MAX, "bytes that each task gave")                                          \
    L(counters, counter, 256, "user counters of each task")                                        \
    B(records, ZN_INLINE_BYTES_MAX, "small result: concatenated records")                          \
    L(reference, reference, 1,                                                                     \
      "large result: where its record blocks are; of a shuffle: its index")                        \
    L(parts, part, ZN_OUTCOME_PARTS_MAX, "of a shuffle: the largest partitions")                   \
    L(failure, failure, 1, "why it failed; none: it succeeded")

#define ZN_RESULT_FIELDS(U, I, S, B, L)                                                            \
    U(first, ZN_STAGE_TASKS_MAX, "first task")                                                     \
    U(count, ZN_STAGE_TASKS_MAX, "tasks with this very result")                                    \
    U(records_out, UINT64_MAX, "records of each task")                                             \
    B(records, ZN_INLINE_BYTES_MAX, "small result: concatenated records")                          \
    L(reference, reference, 1,                                                                     \
      "large result: where its record blocks are; of a shuffle: its index")                        \
    U(worker, UINT64_MAX, "worker that has them, 0: none")                                         \
    S(endpoint, ZN_ENDPOINT_BYTES_MAX, "its data endpoint")                                        \
    S(folder, ZN_PATH_BYTES_MAX, "the folder where it has them; empty: unknown")                   \
    S(machine, ZN_NAME_BYTES_MAX, "machine of that folder; empty: unknown")

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
    U(silent_ms, UINT64_MAX, "since it was last heard")

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

#define ZN_KEPT_JOB_FIELDS(U, I, S, B, L) U(job, UINT64_MAX, "job id")

#define ZN_RECORD_TABLE(X)                                                                         \
    X(run, ZN_RUN_FIELDS)                                                                          \
    X(counter, ZN_COUNTER_FIELDS)                                                                  \
    X(spread, ZN_SPREAD_FIELDS)                                                                    \
    X(failure, ZN_FAILURE_FIELDS)                                                                  \
    X(reference, ZN_REFERENCE_FIELDS)                                                              \
    X(part, ZN_PART_FIELDS)                                                                        \
    X(stage_input, ZN_STAGE_INPUT_FIELDS)                                                          \
    X(outcome, ZN_OUTCOME_FIELDS)                                                                  \
    X(result, ZN_RESULT_FIELDS)                                                                    \
    X(job_info, ZN_JOB_INFO_FIELDS)                                                                \
    X(worker_info, ZN_WORKER_INFO_FIELDS)                                                          \
    X(stage_info, ZN_STAGE_INFO_FIELDS)                                                            \
    X(reason, ZN_REASON_FIELDS)                                                                    \
    X(attempt_info, ZN_ATTEMPT_INFO_FIELDS)                                                        \
    X(kept_job, ZN_KEPT_JOB_FIELDS)

#endif
