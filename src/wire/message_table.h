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

#include "wire/message_table_control.h"
#include "wire/message_table_data.h"
#include "wire/message_table_journal.h"
#include "wire/message_table_queries.h"
#include "wire/message_table_records.h"
#include "wire/message_table_work.h"

enum { ZN_PROTOCOL_VERSION = 1 };

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
    X(DRAIN_WORKER, drain_worker, 23, ZN_DRAIN_WORKER_FIELDS, "any → coordinator", "gives a worker no more tasks and lets it leave when nothing needs it; repeated until it has left") \
    X(WORKER_DRAINING, worker_draining, 24, ZN_WORKER_DRAINING_FIELDS, "control reply", "what still keeps the worker") \
    X(LIST_HISTORY, list_history, 25, ZN_LIST_HISTORY_FIELDS, "any → coordinator", "asks for jobs that have ended") \
    X(HISTORY, history, 26, ZN_HISTORY_FIELDS, "control reply", "jobs that have ended") \
    X(GET_PROFILE, get_profile, 27, ZN_GET_PROFILE_FIELDS, "driver → coordinator", "asks for a page of what was measured of a job") \
    X(JOB_PROFILE, job_profile, 28, ZN_JOB_PROFILE_FIELDS, "control reply", "where time went, and what happened when") \
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
    X(HOLDING, holding, 42, ZN_HOLDING_FIELDS, "worker → coordinator", "attempts that it goes on with after it has registered again") \
    X(WITHDRAW, withdraw, 43, ZN_WITHDRAW_FIELDS, "coordinator → worker", "end these attempts: somebody else was first, or has the tasks") \
    X(DRAIN, drain, 44, ZN_DRAIN_FIELDS, "worker ⇄ coordinator", "from a worker: I want to leave when nothing needs me; to a worker: no more tasks come, hand back what has not begun") \
    X(HANDBACK, handback, 45, ZN_HANDBACK_FIELDS, "worker → coordinator", "attempts that it will not begin") \
    X(ALLOWED, allowed, 46, ZN_ALLOWED_FIELDS, "coordinator → worker", "whose keys may fetch its data; sent before WELCOME and when it changes") \
    X(PROFILE, profile, 47, ZN_PROFILE_FIELDS, "slot → worker → coordinator", "what a slot measured, if the job is to be measured; losing it is harmless") \
    X(GET_BLOB, get_blob, 48, ZN_GET_BLOB_FIELDS, "slot → worker → coordinator", "asks for a part of a blob") \
    X(BLOB, blob, 49, ZN_BLOB_FIELDS, "coordinator → worker → slot", "a part of a blob") \
    X(FETCH, fetch, 50, ZN_FETCH_FIELDS, "reader → worker", "asks for bytes of a segment") \
    X(DATA, data, 51, ZN_DATA_FIELDS, "worker → reader", "bytes of a segment") \
    X(EVENT, event, 56, ZN_EVENT_FIELDS, "coordinator → subscribers", "a hint that a stage changed; losing it is harmless") \
    ZN_NOTE_TABLE(X)

#endif
