/* SPDX-License-Identifier: MPL-2.0 */
/* Part of message_table.h: notes, of which the journal of a coordinator is made. A note says what
 * changed in the state that survives a restart; all of them in order make that state again. They
 * are written and read like messages and are refused from every socket. Once a version is released,
 * they change only together with ZN_STATE_FORMAT (golden files: update-state-golden). */
#ifndef ZN_WIRE_MESSAGE_TABLE_JOURNAL_H
#define ZN_WIRE_MESSAGE_TABLE_JOURNAL_H

#include "base/digest.h"
#include "base/limits.h"

#define ZN_NOTES_FIRST 96u /* numbers from here on are notes */

#define ZN_NOTE_TASKS_FIELDS(U)                                                                    \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(stage, ZN_STAGES_MAX, "stage index")

#define ZN_NOTE_BEGUN_FIELDS(U, I, S, B, L)                                                        \
    U(cluster, UINT64_MAX, "cluster id")                                                           \
    U(first_job, UINT64_MAX, "the lowest job id")                                                  \
    U(next_job, UINT64_MAX, "the next job id")                                                     \
    U(next_epoch, UINT64_MAX, "the next registration")                                             \
    U(next_worker, UINT64_MAX, "the next worker id")                                               \
    U(past, UINT64_MAX, "place of the last job in the history")                                    \
    U(restart, 1, "1: a coordinator began here; every open task may have been handed out before")

#define ZN_NOTE_JOB_FIELDS(U, I, S, B, L)                                                          \
    U(job, UINT64_MAX, "job id")                                                                   \
    ZN_CALL_FIELDS(U)                                                                              \
    S(name, ZN_NAME_BYTES_MAX, "name of the job")                                                  \
    B(fingerprint, ZN_DIGEST_BYTES, "of the plan")                                                 \
    U(opened_ms, UINT64_MAX, "since 1970-01-01 UTC")                                               \
    U(detach, 1, "1: the job stays when its driver goes")                                          \
    U(user_attempts, ZN_ATTEMPTS_MAX, "as in OPEN_JOB")                                            \
    U(infra_attempts, ZN_ATTEMPTS_MAX, "as in OPEN_JOB")                                           \
    U(crash_attempts, ZN_ATTEMPTS_MAX, "as in OPEN_JOB")                                           \
    U(no_backups, 1, "as in OPEN_JOB")                                                             \
    U(hang_ms, ZN_HANG_MS_MAX, "as in OPEN_JOB")

#define ZN_NOTE_BLOB_FIELDS(U, I, S, B, L)                                                         \
    U(job, UINT64_MAX, "the job that needs it")                                                    \
    B(digest, ZN_DIGEST_BYTES, "content address")                                                  \
    U(size, ZN_BLOB_BYTES_MAX, "bytes of the whole blob")                                          \
    U(offset, ZN_BLOB_BYTES_MAX, "where these bytes belong")                                       \
    B(bytes, ZN_BLOB_CHUNK_BYTES, "a part; empty: the job refers to what is there")

#define ZN_NOTE_STAGE_FIELDS(U, I, S, B, L)                                                        \
    ZN_NOTE_TASKS_FIELDS(U)                                                                        \
    S(name, ZN_NAME_BYTES_MAX, "operators of the stage, for people")                               \
    U(task_count, ZN_STAGE_TASKS_MAX, "tasks")                                                     \
    B(body, ZN_DIGEST_BYTES, "blob with the operators")                                            \
    U(limit, UINT64_MAX, "as in START_STAGE")                                                      \
    U(at_ms, UINT64_MAX, "since 1970-01-01 UTC")                                                   \
    L(inputs, stage_input, ZN_STAGE_INPUTS_MAX, "stages whose results it reads")

#define ZN_NOTE_OUTCOMES_FIELDS(U, I, S, B, L)                                                     \
    ZN_NOTE_TASKS_FIELDS(U)                                                                        \
    U(holder, UINT64_MAX, "client id of the worker that reported them")                            \
    U(worker, UINT64_MAX, "its worker id")                                                         \
    U(at_ms, UINT64_MAX, "since 1970-01-01 UTC")                                                   \
    U(more, 1, "1: in a snapshot, and more of the stage follow")                                   \
    L(outcomes, outcome, ZN_OUTCOMES_MAX, "outcomes that were accepted")

#define ZN_NOTE_ATTEMPTS_FIELDS(U, I, S, B, L)                                                     \
    ZN_NOTE_TASKS_FIELDS(U)                                                                        \
    L(runs, run, ZN_RUNS_MAX, "open tasks; `attempt` is the next one of theirs")                   \
    L(failure, failure, 1, "why the attempt before it is counted as failed; none: it is not")

#define ZN_NOTE_LOST_FIELDS(U, I, S, B, L)                                                         \
    ZN_NOTE_TASKS_FIELDS(U)                                                                        \
    U(holder, UINT64_MAX, "client id of the worker that had them, unless it is about one")         \
    L(one, lost_result, 1, "the only one that is lost, whoever had it")

#define ZN_NOTE_AGAIN_FIELDS(U, I, S, B, L)                                                        \
    ZN_NOTE_TASKS_FIELDS(U)                                                                        \
    U(attempt, UINT32_MAX, "next one of tasks whose results were lost, open again; 0: none")       \
    U(more, 1, "1: tasks that were skipped follow in other notes")                                 \
    L(skipped, run, ZN_RUNS_MAX, "tasks that were skipped and are open, with their next attempt")

#define ZN_NOTE_SUMS_FIELDS(U, I, S, B, L)                                                         \
    ZN_NOTE_TASKS_FIELDS(U)                                                                        \
    U(raised, UINT32_MAX, "restarts since it was started")                                         \
    U(was_complete, 1, "1: it was complete once")                                                  \
    U(attempt_max, UINT32_MAX, "the highest that was ever given to a task, or is next for one")    \
    U(retries, UINT64_MAX, "attempts after the first")                                             \
    U(active_ms, UINT64_MAX, "from the first task handed out to its end, or to now")               \
    U(records_in, UINT64_MAX, "by accepted attempts")                                              \
    U(records_out, UINT64_MAX, "by accepted attempts")                                             \
    U(bytes_in, UINT64_MAX, "by accepted attempts")                                                \
    U(bytes_out, UINT64_MAX, "by accepted attempts")                                               \
    U(failed, UINT64_MAX, "attempts that failed")                                                  \
    L(spreads, spread, 4, "of the four sums before, by task")                                      \
    L(counters, counter, 4096, "user counters of accepted attempts")                               \
    L(attempts, past_failure, ZN_FAILURES_KEPT_MAX, "those that failed last")

#define ZN_NOTE_FAILURES_FIELDS(U, I, S, B, L)                                                     \
    ZN_NOTE_TASKS_FIELDS(U)                                                                        \
    L(counts, task_failures, ZN_RUNS_MAX, "open tasks whose attempts failed")

#define ZN_NOTE_JOB_ENDED_FIELDS(U, I, S, B, L)                                                    \
    U(job, UINT64_MAX, "job id")                                                                   \
    U(has_stage, 1, "the stage failed; else the job was cancelled")                                \
    U(stage, ZN_STAGES_MAX, "stage index")                                                         \
    L(failure, failure, 1, "why")

#define ZN_NOTE_JOB_CLOSING_FIELDS(U, I, S, B, L) U(job, UINT64_MAX, "job id")

#define ZN_NOTE_JOB_FORGOTTEN_FIELDS(U, I, S, B, L) U(job, UINT64_MAX, "job id")

#define ZN_NOTE_WORKER_FIELDS(U, I, S, B, L)                                                       \
    U(worker, UINT64_MAX, "worker id")                                                             \
    U(client, UINT64_MAX, "random id that it chose")                                               \
    U(epoch, UINT64_MAX, "its registration")                                                       \
    S(host, ZN_NAME_BYTES_MAX, "host name")                                                        \
    U(pid, UINT64_MAX, "process id")                                                               \
    U(slots, ZN_SLOTS_MAX, "its slots")                                                            \
    S(data, ZN_ENDPOINT_BYTES_MAX, "its data endpoint")                                            \
    S(folder, ZN_PATH_BYTES_MAX, "as in HELLO")                                                    \
    S(machine, ZN_NAME_BYTES_MAX, "as in HELLO")                                                   \
    U(completed, UINT64_MAX, "tasks that it completed")                                            \
    U(drained, 1, "1: it is to leave when nothing needs it")                                       \
    S(reason, ZN_NAME_BYTES_MAX, "why it is drained")

#define ZN_NOTE_WORKER_GONE_FIELDS(U, I, S, B, L) U(client, UINT64_MAX, "random id that it chose")

#define ZN_NOTE_PAST_JOB_FIELDS(U, I, S, B, L) L(job, past_job, 1, "a job that has ended")

/* clang-format off */
/* X(NAME, name, number, fields, from-to, what it is) */
#define ZN_NOTE_TABLE(X)                                                                           \
    X(NOTE_BEGUN, note_begun, 96, ZN_NOTE_BEGUN_FIELDS, "journal", "a coordinator began, or a snapshot") \
    X(NOTE_JOB, note_job, 97, ZN_NOTE_JOB_FIELDS, "journal", "a job was opened")                   \
    X(NOTE_BLOB, note_blob, 98, ZN_NOTE_BLOB_FIELDS, "journal", "a job refers to a blob, of which a part came") \
    X(NOTE_STAGE, note_stage, 99, ZN_NOTE_STAGE_FIELDS, "journal", "a stage was started")          \
    X(NOTE_OUTCOMES, note_outcomes, 100, ZN_NOTE_OUTCOMES_FIELDS, "journal", "what became of tasks") \
    X(NOTE_ATTEMPTS, note_attempts, 101, ZN_NOTE_ATTEMPTS_FIELDS, "journal", "attempts of open tasks are used up") \
    X(NOTE_LOST, note_lost, 102, ZN_NOTE_LOST_FIELDS, "journal", "results were lost")              \
    X(NOTE_SUMS, note_sums, 103, ZN_NOTE_SUMS_FIELDS, "journal", "sums of a stage, in a snapshot") \
    X(NOTE_FAILURES, note_failures, 104, ZN_NOTE_FAILURES_FIELDS, "journal", "how often tasks failed, in a snapshot") \
    X(NOTE_JOB_ENDED, note_job_ended, 105, ZN_NOTE_JOB_ENDED_FIELDS, "journal", "a job failed or was cancelled") \
    X(NOTE_JOB_CLOSING, note_job_closing, 106, ZN_NOTE_JOB_CLOSING_FIELDS, "journal", "a job is being closed") \
    X(NOTE_JOB_FORGOTTEN, note_job_forgotten, 107, ZN_NOTE_JOB_FORGOTTEN_FIELDS, "journal", "a job is closed") \
    X(NOTE_WORKER, note_worker, 108, ZN_NOTE_WORKER_FIELDS, "journal", "a worker registered")      \
    X(NOTE_WORKER_GONE, note_worker_gone, 109, ZN_NOTE_WORKER_GONE_FIELDS, "journal", "a worker left or was lost") \
    X(NOTE_PAST_JOB, note_past_job, 110, ZN_NOTE_PAST_JOB_FIELDS, "journal", "what the history says of a job") \
    X(NOTE_AGAIN, note_again, 111, ZN_NOTE_AGAIN_FIELDS, "journal", "lost results are made again")
/* clang-format on */

#endif
