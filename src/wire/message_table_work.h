/* SPDX-License-Identifier: MPL-2.0 */
/* Part of message_table.h: between coordinator and workers, and between a worker and its slots. */
#ifndef ZN_WIRE_MESSAGE_TABLE_WORK_H
#define ZN_WIRE_MESSAGE_TABLE_WORK_H

#include "base/digest.h"
#include "base/limits.h"

#define ZN_WELCOME_FIELDS(U, I, S, B, L)                                                           \
    U(worker, UINT64_MAX, "id of the worker")                                                      \
    U(epoch, UINT64_MAX, "of this registration")                                                   \
    U(cluster, UINT64_MAX, "cluster id")                                                           \
    U(heartbeat_ms, 3600000, "between heartbeats")                                                 \
    U(lost_ms, 3600000, "silence after which a peer is lost")

#define ZN_TASK_FIELDS(U, I, S, B, L)                                                              \
    U(epoch, UINT64_MAX,                                                                           \
      "registration that this is for; to a slot 0: sweep up after these attempts")                 \
    U(sequence, UINT64_MAX, "from 1, without gaps in an epoch; to a slot: number of the chunk")    \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    B(body, ZN_DIGEST_BYTES, "blob with the operators")                                            \
    L(runs, run, ZN_RUNS_MAX, "what to run")                                                       \
    U(hang_ms, ZN_HANG_MS_MAX, "without progress an attempt is killed after this time; 0: never")

#define ZN_OUTCOMES_FIELDS(U, I, S, B, L)                                                          \
    U(epoch, UINT64_MAX, "registration of the worker")                                             \
    U(sequence, UINT64_MAX, "from 1, without gaps in an epoch; from a slot: number of the chunk")  \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    L(outcomes, outcome, ZN_OUTCOMES_MAX, "what became of tasks")                                  \
    U(spent_us, UINT64_MAX, "time of slots that these tasks took, together")

#define ZN_CREDIT_FIELDS(U, I, S, B, L)                                                            \
    U(epoch, UINT64_MAX, "registration of the worker")                                             \
    U(tasks, ZN_CREDIT_TASKS_MAX, "tasks that the worker may hold, in all")

#define ZN_HEARTBEAT_FIELDS(U, I, S, B, L)                                                         \
    U(epoch, UINT64_MAX, "registration of the worker")                                             \
    U(sent, UINT64_MAX, "sequence of the last TASK or RESULT that the sender sent")                \
    U(received, UINT64_MAX,                                                                        \
      "sequence of the last one that it received; from a slot: the chunk that has ended")

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

#define ZN_HOLDING_FIELDS(U, I, S, B, L)                                                           \
    U(epoch, UINT64_MAX, "registration of the worker")                                             \
    U(sequence, UINT64_MAX, "one of those of RESULTs")                                             \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    L(runs, run, ZN_RUNS_MAX, "attempts of earlier registrations that have not ended")

#define ZN_HANDBACK_FIELDS(U, I, S, B, L)                                                          \
    U(epoch, UINT64_MAX, "registration of the worker")                                             \
    U(sequence, UINT64_MAX, "one of those of RESULTs")                                             \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    L(runs, run, ZN_RUNS_MAX, "attempts that it will not begin")

#define ZN_WITHDRAW_FIELDS(U, I, S, B, L)                                                          \
    U(epoch, UINT64_MAX, "registration of the worker")                                             \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    L(runs, run, ZN_RUNS_MAX, "attempts that are to end; no outcomes are wanted")

#define ZN_ALLOWED_FIELDS(U, I, S, B, L)                                                           \
    B(keys, ZN_ALLOWED_KEYS_MAX * 32, "public keys of 32 bytes, one behind the other")

#define ZN_DRAIN_FIELDS(U, I, S, B, L) U(epoch, UINT64_MAX, "registration of the worker")

#define ZN_PROFILE_FIELDS(U, I, S, B, L)                                                           \
    U(epoch, UINT64_MAX, "registration of the worker")                                             \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    U(slot, ZN_SLOTS_MAX, "slot of the worker")                                                    \
    L(times, section_time, ZN_PROFILE_SECTIONS_MAX, "of the slot, since it said so last")          \
    L(spans, span_info, ZN_PROFILE_SPANS_MAX, "what it did since then")                            \
    U(dropped, UINT64_MAX, "spans that found no room")

#endif
