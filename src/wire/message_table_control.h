/* SPDX-License-Identifier: MPL-2.0 */
/* Part of message_table.h: calls of drivers that open, run and end jobs. Every one has one reply.
 */
#ifndef ZN_WIRE_MESSAGE_TABLE_CONTROL_H
#define ZN_WIRE_MESSAGE_TABLE_CONTROL_H

#include "base/digest.h"
#include "base/limits.h"

#define ZN_CALL_FIELDS(U)                                                                          \
    U(client, UINT64_MAX, "random id of the caller")                                               \
    U(request, UINT64_MAX, "number of the call; the same when it is sent again")

#define ZN_HELLO_FIELDS(U, I, S, B, L)                                                             \
    ZN_CALL_FIELDS(U)                                                                              \
    U(role, 3, "zn_role")                                                                          \
    S(host, ZN_NAME_BYTES_MAX, "host name")                                                        \
    U(pid, UINT64_MAX, "process id")                                                               \
    U(slots, ZN_SLOTS_MAX, "worker: its slots; slot: its index")                                   \
    S(data, ZN_ENDPOINT_BYTES_MAX, "worker: its data endpoint; with keys also # and its own")      \
    S(folder, ZN_PATH_BYTES_MAX, "worker: where it keeps segments, absolute; empty: only served")  \
    S(machine, ZN_NAME_BYTES_MAX, "worker: tells machines apart; empty: unknown")                  \
    L(jobs, kept_job, ZN_HELLO_JOBS_MAX, "worker: what it may still have segments of")             \
    U(epoch, UINT64_MAX, "worker: its last registration, whose attempts it keeps; 0: none")

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
    B(fingerprint, ZN_DIGEST_BYTES, "of the plan")                                                 \
    U(resume, 1, "1: go on with the open job of that name, if there is one")                       \
    U(detach, 1, "1: the job stays when its driver goes")                                          \
    U(user_attempts, ZN_ATTEMPTS_MAX, "that may fail by the user's code; 0: as usual")             \
    U(infra_attempts, ZN_ATTEMPTS_MAX, "that may be lost with workers or disks; 0: as usual")      \
    U(crash_attempts, ZN_ATTEMPTS_MAX, "that may kill their slot; 0: as usual")                    \
    U(no_backups, 1, "1: no second attempts of slow tasks")                                        \
    U(hang_ms, ZN_HANG_MS_MAX, "without progress an attempt is killed after this time; 0: never")

#define ZN_JOB_OPENED_FIELDS(U, I, S, B, L)                                                        \
    U(request, UINT64_MAX, "the call that this answers")                                           \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(resumed, 1, "1: the job was there before")

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
    U(first, ZN_STAGE_TASKS_MAX, "first task wanted")                                              \
    L(lost, lost_result, 1, "one that could not be read where it should be")

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

#endif
