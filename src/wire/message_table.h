/* SPDX-License-Identifier: MPL-2.0 */
/* Every message of the protocol, once. Structs, encoder, decoder, printer and docs/PROTOCOL.md
 * follow from this table; nothing else describes a message.
 *
 * A message is a MessagePack array: its number, then its fields in order. A record inside a list is
 * an array of its fields. Field kinds:
 *   U(name, max, doc)          unsigned integer, at most `max`         → uint64_t name
 *   I(name, doc)               signed 64-bit integer                   → int64_t name
 *   S(name, max, doc)          UTF-8 text without NUL, at most `max` bytes → zn_bytes name
 *   B(name, max, doc)          binary, at most `max` bytes             → zn_bytes name
 *   L(name, record, max, doc)  list of records, at most `max`          → zn_<record> *name; size_t name_count
 *
 * Numbers and field orders change only together with ZN_PROTOCOL_VERSION. */
#ifndef ZN_WIRE_MESSAGE_TABLE_H
#define ZN_WIRE_MESSAGE_TABLE_H

#include "base/digest.h"
#include "base/limits.h"

enum { ZN_PROTOCOL_VERSION = 1 };

/* ---- records: parts of messages ---- */

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
    L(reference, reference, 1, "large result: where its record blocks are; of a shuffle: its index") \
    L(parts, part, ZN_OUTCOME_PARTS_MAX, "of a shuffle: the largest partitions")                   \
    L(failure, failure, 1, "why it failed; none: it succeeded")

#define ZN_RESULT_FIELDS(U, I, S, B, L)                                                            \
    U(first, ZN_STAGE_TASKS_MAX, "first task")                                                     \
    U(count, ZN_STAGE_TASKS_MAX, "tasks with this very result")                                    \
    U(records_out, UINT64_MAX, "records of each task")                                             \
    B(records, ZN_INLINE_BYTES_MAX, "small result: concatenated records")                          \
    L(reference, reference, 1, "large result: where its record blocks are; of a shuffle: its index") \
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

/* ---- control: driver → coordinator, every request has one reply ---- */

#define ZN_CALL_FIELDS(U)                                                                          \
    U(client, UINT64_MAX, "random id of the caller")                                               \
    U(request, UINT64_MAX, "number of the call; the same when it is sent again")

#define ZN_HELLO_FIELDS(U, I, S, B, L)                                                             \
    ZN_CALL_FIELDS(U)                                                                              \
    U(role, 3, "zn_role")                                                                          \
    S(host, ZN_NAME_BYTES_MAX, "host name")                                                        \
    U(pid, UINT64_MAX, "process id")                                                               \
    U(slots, ZN_SLOTS_MAX, "worker: its slots; slot: its index")                                   \
    S(data, ZN_ENDPOINT_BYTES_MAX, "worker: its data endpoint")                                    \
    S(folder, ZN_PATH_BYTES_MAX, "worker: where it keeps segments, absolute; empty: only served")  \
    S(machine, ZN_NAME_BYTES_MAX, "worker: tells machines apart; empty: unknown")                  \
    L(jobs, kept_job, ZN_HELLO_JOBS_MAX, "worker: what it may still have segments of")

#define ZN_ENDPOINTS_FIELDS(U, I, S, B, L)                                                         \
    U(request, UINT64_MAX, "the call that this answers")                                           \
    U(cluster, UINT64_MAX, "cluster id")                                                           \
    S(work, ZN_ENDPOINT_BYTES_MAX, "ROUTER for workers")                                           \
    S(blobs, ZN_ENDPOINT_BYTES_MAX, "ROUTER for bulk")                                             \
    S(events, ZN_ENDPOINT_BYTES_MAX, "PUB")

#define ZN_REFUSAL_FIELDS(U, I, S, B, L)                                                           \
    U(request, UINT64_MAX, "the call that this answers, 0: unreadable")                            \
    L(failure, failure, 1, "why")

#define ZN_OPEN_JOB_FIELDS(U, I, S, B, L)                                                          \
    ZN_CALL_FIELDS(U)                                                                              \
    S(name, ZN_NAME_BYTES_MAX, "name of the job")                                                  \
    B(fingerprint, ZN_DIGEST_BYTES, "of the plan")

#define ZN_JOB_OPENED_FIELDS(U, I, S, B, L)                                                        \
    U(request, UINT64_MAX, "the call that this answers")                                           \
    U(job, UINT64_MAX, "job id")

#define ZN_PUT_BLOB_FIELDS(U, I, S, B, L)                                                          \
    ZN_CALL_FIELDS(U)                                                                              \
    U(job, UINT64_MAX, "the job that needs it")                                                    \
    B(digest, ZN_DIGEST_BYTES, "content address")                                                  \
    U(size, ZN_BLOB_BYTES_MAX, "bytes of the whole blob")                                          \
    U(offset, ZN_BLOB_BYTES_MAX, "where these bytes belong")                                       \
    B(bytes, ZN_BLOB_CHUNK_BYTES, "a part; empty: only asks what is there")

#define ZN_BLOB_STORED_FIELDS(U, I, S, B, L)                                                       \
    U(request, UINT64_MAX, "the call that this answers")                                           \
    U(received, ZN_BLOB_BYTES_MAX, "bytes held from the start; size: complete and checked")

#define ZN_START_STAGE_FIELDS(U, I, S, B, L)                                                       \
    ZN_CALL_FIELDS(U)                                                                              \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    B(fingerprint, ZN_DIGEST_BYTES, "of the plan; must be that of the job")                        \
    S(name, ZN_NAME_BYTES_MAX, "operators of the stage, for people")                               \
    U(task_count, ZN_STAGE_TASKS_MAX, "tasks; 0 is refused")                                       \
    B(body, ZN_DIGEST_BYTES, "blob with the operators")                                            \
    U(limit, UINT64_MAX, "records that are enough, in the order of tasks; 0: all are needed")      \
    L(inputs, stage_input, ZN_STAGE_INPUTS_MAX, "stages whose results it reads")

#define ZN_STAGE_STARTED_FIELDS(U, I, S, B, L)                                                     \
    U(request, UINT64_MAX, "the call that this answers")                                           \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    U(total, ZN_STAGE_TASKS_MAX, "tasks installed")                                                \
    U(completed, ZN_STAGE_TASKS_MAX, "of them completed before this call")

#define ZN_GET_STATUS_FIELDS(U, I, S, B, L)                                                        \
    ZN_CALL_FIELDS(U)                                                                              \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(stage, ZN_STAGES_MAX, "stage index")

#define ZN_STATUS_FIELDS(U, I, S, B, L)                                                            \
    U(request, UINT64_MAX, "the call that this answers")                                           \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    U(state, 255, "zn_stage_state")                                                                \
    U(total, ZN_STAGE_TASKS_MAX, "tasks")                                                          \
    U(completed, ZN_STAGE_TASKS_MAX, "completed")                                                  \
    U(running, ZN_STAGE_TASKS_MAX, "handed to workers")                                            \
    U(retries, UINT64_MAX, "attempts after the first")                                             \
    U(workers, ZN_WORKERS_MAX, "workers that are there")                                           \
    U(records_in, UINT64_MAX, "by accepted attempts")                                              \
    U(records_out, UINT64_MAX, "by accepted attempts")                                             \
    U(bytes_in, UINT64_MAX, "by accepted attempts")                                                \
    U(bytes_out, UINT64_MAX, "by accepted attempts")                                               \
    L(spreads, spread, 4, "of the four sums before, by task; none: nothing is completed")          \
    L(counters, counter, 4096, "user counters of accepted attempts")                               \
    L(failure, failure, 1, "why the stage failed")

#define ZN_COLLECT_RESULTS_FIELDS(U, I, S, B, L)                                                   \
    ZN_CALL_FIELDS(U)                                                                              \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    U(first, ZN_STAGE_TASKS_MAX, "first task wanted")

#define ZN_RESULTS_FIELDS(U, I, S, B, L)                                                           \
    U(request, UINT64_MAX, "the call that this answers")                                           \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    U(total, ZN_STAGE_TASKS_MAX, "tasks of the stage")                                             \
    L(results, result, ZN_OUTCOMES_MAX, "a page: completed tasks without a gap from `first` on")

#define ZN_CANCEL_JOB_FIELDS(U, I, S, B, L)                                                        \
    ZN_CALL_FIELDS(U)                                                                              \
    U(job, UINT64_MAX, "job id")                                                                   \
    S(reason, ZN_NAME_BYTES_MAX, "for people")

#define ZN_CLOSE_JOB_FIELDS(U, I, S, B, L)                                                         \
    ZN_CALL_FIELDS(U)                                                                              \
    U(job, UINT64_MAX, "job id")

#define ZN_JOB_CLOSING_FIELDS(U, I, S, B, L)                                                       \
    U(request, UINT64_MAX, "the call that this answers")                                           \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(waiting, ZN_WORKERS_MAX, "workers that have not said DONE yet; 0: closed")

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
    L(attempts, attempt_info, ZN_EXPLAIN_ATTEMPTS_MAX, "of the stage or task asked for: what failed last, then what is now")

/* ---- work: worker ⇄ coordinator, slot ⇄ worker ---- */

#define ZN_WELCOME_FIELDS(U, I, S, B, L)                                                           \
    U(worker, UINT64_MAX, "id of the worker")                                                      \
    U(epoch, UINT64_MAX, "of this registration")                                                   \
    U(cluster, UINT64_MAX, "cluster id")                                                           \
    U(heartbeat_ms, 3600000, "between heartbeats")                                                 \
    U(lost_ms, 3600000, "silence after which a peer is lost")

#define ZN_TASK_FIELDS(U, I, S, B, L)                                                              \
    U(epoch, UINT64_MAX, "registration that this is for; to a slot 0: sweep up after these attempts") \
    U(sequence, UINT64_MAX, "from 1, without gaps in an epoch; to a slot: number of the chunk")    \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    B(body, ZN_DIGEST_BYTES, "blob with the operators")                                            \
    L(runs, run, ZN_RUNS_MAX, "what to run")

#define ZN_OUTCOMES_FIELDS(U, I, S, B, L)                                                          \
    U(epoch, UINT64_MAX, "registration of the worker")                                             \
    U(sequence, UINT64_MAX, "from 1, without gaps in an epoch; from a slot: number of the chunk")  \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    L(outcomes, outcome, ZN_OUTCOMES_MAX, "what became of tasks")

#define ZN_CREDIT_FIELDS(U, I, S, B, L)                                                            \
    U(epoch, UINT64_MAX, "registration of the worker")                                             \
    U(tasks, ZN_CREDIT_TASKS_MAX, "tasks that the worker may hold, in all")

#define ZN_HEARTBEAT_FIELDS(U, I, S, B, L)                                                         \
    U(epoch, UINT64_MAX, "registration of the worker")                                             \
    U(sent, UINT64_MAX, "sequence of the last TASK or RESULT that the sender sent")                \
    U(received, UINT64_MAX, "sequence of the last one that it received; from a slot: the chunk that has ended")

#define ZN_DONE_FIELDS(U, I, S, B, L)                                                              \
    U(epoch, UINT64_MAX, "registration of the worker")                                             \
    U(scope, 2, "zn_done_scope")                                                                   \
    U(job, UINT64_MAX, "job id, unless the scope is ALL")

#define ZN_CANCEL_FIELDS(U, I, S, B, L)                                                            \
    U(epoch, UINT64_MAX, "registration of the worker")                                             \
    U(job, UINT64_MAX, "job whose attempts are to end; no outcomes are wanted")

#define ZN_COMMIT_FIELDS(U, I, S, B, L)                                                            \
    U(epoch, UINT64_MAX, "registration of the worker")                                             \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    U(task, ZN_STAGE_TASKS_MAX, "task")                                                            \
    U(attempt, UINT32_MAX, "attempt that asks to publish")

#define ZN_COMMITTED_FIELDS(U, I, S, B, L)                                                         \
    U(epoch, UINT64_MAX, "registration of the worker")                                             \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    U(task, ZN_STAGE_TASKS_MAX, "task")                                                            \
    U(attempt, UINT32_MAX, "attempt that asked")                                                   \
    U(granted, 1, "1: publish; 0: give up, without an outcome")

#define ZN_REJOIN_FIELDS(U, I, S, B, L)                                                            \
    U(epoch, UINT64_MAX, "registration that is not known or no longer valid")

/* ---- blobs and data ---- */

#define ZN_GET_BLOB_FIELDS(U, I, S, B, L)                                                          \
    B(digest, ZN_DIGEST_BYTES, "content address")                                                  \
    U(offset, ZN_BLOB_BYTES_MAX, "first byte wanted")

#define ZN_BLOB_FIELDS(U, I, S, B, L)                                                              \
    B(digest, ZN_DIGEST_BYTES, "content address")                                                  \
    U(found, 1, "0: there is no such blob")                                                        \
    U(size, ZN_BLOB_BYTES_MAX, "bytes of the whole blob")                                          \
    U(offset, ZN_BLOB_BYTES_MAX, "where these bytes belong")                                       \
    B(bytes, ZN_BLOB_CHUNK_BYTES, "a part")

#define ZN_FETCH_FIELDS(U, I, S, B, L)                                                             \
    U(request, UINT64_MAX, "chosen by the reader")                                                 \
    S(segment, ZN_NAME_BYTES_MAX, "name of the segment")                                           \
    U(offset, INT64_MAX, "first byte")                                                             \
    U(length, ZN_MIB, "bytes wanted, at most")

#define ZN_DATA_FIELDS(U, I, S, B, L)                                                              \
    U(request, UINT64_MAX, "the FETCH that this answers")                                          \
    B(bytes, ZN_MIB, "from the offset on; shorter only at the end")                                \
    L(failure, failure, 1, "why there are no bytes")

/* ---- events ---- */

#define ZN_EVENT_FIELDS(U, I, S, B, L)                                                             \
    U(job, UINT64_MAX, "job in which something changed")                                           \
    U(stage, ZN_STAGES_MAX, "stage in which something changed")

/* X(NAME, name, number, fields, from-to, what it is) */
#define ZN_MESSAGE_TABLE(X)                                                                        \
    X(HELLO, hello, 1, ZN_HELLO_FIELDS, "any → coordinator; slot → worker", "I am here; on control it is answered by ENDPOINTS, on work by WELCOME") \
    X(ENDPOINTS, endpoints, 2, ZN_ENDPOINTS_FIELDS, "control reply", "where the other sockets are") \
    X(REFUSAL, refusal, 3, ZN_REFUSAL_FIELDS, "control reply; coordinator → worker", "the call failed, and why") \
    X(OPEN_JOB, open_job, 4, ZN_OPEN_JOB_FIELDS, "driver → coordinator", "begins an execution of a plan") \
    X(JOB_OPENED, job_opened, 5, ZN_JOB_OPENED_FIELDS, "control reply", "the id of the job") \
    X(PUT_BLOB, put_blob, 6, ZN_PUT_BLOB_FIELDS, "driver → coordinator", "gives a part of a blob") \
    X(BLOB_STORED, blob_stored, 7, ZN_BLOB_STORED_FIELDS, "control reply", "how much of it is there") \
    X(START_STAGE, start_stage, 8, ZN_START_STAGE_FIELDS, "driver → coordinator", "installs a stage; answered only when it is installed") \
    X(STAGE_STARTED, stage_started, 9, ZN_STAGE_STARTED_FIELDS, "control reply", "the stage is installed") \
    X(GET_STATUS, get_status, 10, ZN_GET_STATUS_FIELDS, "driver → coordinator", "asks for one stage; a stage that was not started is an error") \
    X(STATUS, status, 11, ZN_STATUS_FIELDS, "control reply", "how far the stage is") \
    X(COLLECT_RESULTS, collect_results, 12, ZN_COLLECT_RESULTS_FIELDS, "driver → coordinator; slot → worker → coordinator (blobs)", "asks for a page of results in task order") \
    X(RESULTS, results, 13, ZN_RESULTS_FIELDS, "coordinator → driver; coordinator → worker → slot (blobs)", "a page of results") \
    X(CANCEL_JOB, cancel_job, 14, ZN_CANCEL_JOB_FIELDS, "driver → coordinator", "ends a job; answered by JOB_CLOSING") \
    X(CLOSE_JOB, close_job, 15, ZN_CLOSE_JOB_FIELDS, "driver → coordinator", "releases a job; repeated until `waiting` is 0") \
    X(JOB_CLOSING, job_closing, 16, ZN_JOB_CLOSING_FIELDS, "control reply", "how many workers still hold something of the job") \
    X(LIST_JOBS, list_jobs, 17, ZN_LIST_JOBS_FIELDS, "any → coordinator", "asks for all jobs") \
    X(JOBS, jobs, 18, ZN_JOBS_FIELDS, "control reply", "all jobs") \
    X(LIST_WORKERS, list_workers, 19, ZN_LIST_WORKERS_FIELDS, "any → coordinator", "asks for all workers") \
    X(WORKERS, workers, 20, ZN_WORKERS_FIELDS, "control reply", "all workers") \
    X(EXPLAIN, explain, 21, ZN_EXPLAIN_FIELDS, "any → coordinator", "asks what a job, stage or task is doing and what it waits for") \
    X(EXPLANATION, explanation, 22, ZN_EXPLANATION_FIELDS, "control reply", "how far it is and why what waits is waiting") \
    X(WELCOME, welcome, 32, ZN_WELCOME_FIELDS, "coordinator → worker", "registered") \
    X(TASK, task, 33, ZN_TASK_FIELDS, "coordinator → worker → slot", "tasks to run") \
    X(RESULT, outcomes, 34, ZN_OUTCOMES_FIELDS, "slot → worker → coordinator", "what became of tasks") \
    X(CREDIT, credit, 35, ZN_CREDIT_FIELDS, "worker → coordinator", "how many tasks the worker may hold") \
    X(HEARTBEAT, heartbeat, 36, ZN_HEARTBEAT_FIELDS, "worker ⇄ coordinator; slot → worker", "I am alive; gaps in sequences show here. From a slot: a chunk has ended") \
    X(DONE, done, 37, ZN_DONE_FIELDS, "coordinator ⇄ worker ⇄ slot", "no more work: release what you hold; the answer says it is released") \
    X(CANCEL, cancel, 38, ZN_CANCEL_FIELDS, "coordinator → worker", "end the attempts of a job") \
    X(COMMIT, commit, 39, ZN_COMMIT_FIELDS, "slot → worker → coordinator", "may this attempt publish its output?") \
    X(COMMITTED, committed, 40, ZN_COMMITTED_FIELDS, "coordinator → worker → slot", "the answer to COMMIT") \
    X(REJOIN, rejoin, 41, ZN_REJOIN_FIELDS, "coordinator → worker", "register again with HELLO") \
    X(GET_BLOB, get_blob, 48, ZN_GET_BLOB_FIELDS, "slot → worker → coordinator", "asks for a part of a blob") \
    X(BLOB, blob, 49, ZN_BLOB_FIELDS, "coordinator → worker → slot", "a part of a blob") \
    X(FETCH, fetch, 50, ZN_FETCH_FIELDS, "reader → worker", "asks for bytes of a segment") \
    X(DATA, data, 51, ZN_DATA_FIELDS, "worker → reader", "bytes of a segment") \
    X(EVENT, event, 56, ZN_EVENT_FIELDS, "coordinator → subscribers", "a hint that a stage changed; losing it is harmless")

#endif
