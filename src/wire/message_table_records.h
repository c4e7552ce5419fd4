/* SPDX-License-Identifier: MPL-2.0 */
/* Part of message_table.h: records, of which lists in messages are made. */
#ifndef ZN_WIRE_MESSAGE_TABLE_RECORDS_H
#define ZN_WIRE_MESSAGE_TABLE_RECORDS_H

#include "base/limits.h"
#include "wire/message_table_reports.h"

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
    S(traceback, ZN_ERROR_TEXT_BYTES_MAX, "of the user function")                                  \
    U(has_lost, 1, "a result of an earlier stage could not be read: the next three say which")     \
    U(lost_stage, ZN_STAGES_MAX, "stage that made it")                                             \
    U(lost_task, ZN_STAGE_TASKS_MAX, "task that made it")                                          \
    U(lost_attempt, UINT32_MAX, "attempt that made it")

#define ZN_LOST_RESULT_FIELDS(U, I, S, B, L)                                                       \
    U(stage, ZN_STAGES_MAX, "stage that made it")                                                  \
    U(task, ZN_STAGE_TASKS_MAX, "task that made it")                                               \
    U(attempt, UINT32_MAX, "attempt that made it")

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
    S(machine, ZN_NAME_BYTES_MAX, "machine of that folder; empty: unknown")                        \
    U(attempt, UINT32_MAX, "attempt that made it, if it is large")

#define ZN_PAST_FAILURE_FIELDS(U, I, S, B, L)                                                      \
    U(first, ZN_STAGE_TASKS_MAX, "first task")                                                     \
    U(count, ZN_STAGE_TASKS_MAX, "tasks that failed together")                                     \
    U(attempt, UINT32_MAX, "attempt that failed")                                                  \
    L(failure, failure, 1, "why")

#define ZN_TASK_FAILURES_FIELDS(U, I, S, B, L)                                                     \
    U(first, ZN_STAGE_TASKS_MAX, "first task")                                                     \
    U(count, ZN_STAGE_TASKS_MAX, "tasks with this very count")                                     \
    U(counted, UINT64_MAX, "failed attempts by class, 16 bits each")

#define ZN_KEPT_JOB_FIELDS(U, I, S, B, L) U(job, UINT64_MAX, "job id")

#define ZN_RECORD_TABLE(X)                                                                         \
    X(run, ZN_RUN_FIELDS)                                                                          \
    X(counter, ZN_COUNTER_FIELDS)                                                                  \
    X(spread, ZN_SPREAD_FIELDS)                                                                    \
    X(lost_result, ZN_LOST_RESULT_FIELDS)                                                          \
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
    X(past_failure, ZN_PAST_FAILURE_FIELDS)                                                        \
    X(task_failures, ZN_TASK_FAILURES_FIELDS)                                                      \
    X(kept_job, ZN_KEPT_JOB_FIELDS)                                                                \
    X(past_stage, ZN_PAST_STAGE_FIELDS)                                                            \
    X(past_job, ZN_PAST_JOB_FIELDS)                                                                \
    X(section_time, ZN_SECTION_TIME_FIELDS)                                                        \
    X(stage_times, ZN_STAGE_TIMES_FIELDS)                                                          \
    X(span_info, ZN_SPAN_INFO_FIELDS)

#endif
