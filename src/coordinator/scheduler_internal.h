/* SPDX-License-Identifier: MPL-2.0 */
/* What the parts of the scheduler need of each other. Nobody else includes this. */
#ifndef ZN_COORDINATOR_SCHEDULER_INTERNAL_H
#define ZN_COORDINATOR_SCHEDULER_INTERNAL_H

#include "coordinator/scheduler.h"

#define ZN_EVENT_NS UINT64_C(5000000) /* at most one event per stage in this time */

/* Brings the lists of runnable stages and jobs and the sum of pending tasks up to date. */
void zn_scheduler_refresh_stage(zn_scheduler *scheduler, zn_live_stage *stage);

/* Brings the list of ready workers and the sum of slots up to date. */
void zn_scheduler_refresh_member(zn_scheduler *scheduler, zn_member *member);

/* Remembers that subscribers want to know; the end of a stage is told at once. */
void zn_scheduler_stage_changed(zn_scheduler *scheduler, zn_live_stage *stage);

/* Puts a job into the lists; takes it out and frees it. */
void zn_scheduler_add_job(zn_scheduler *scheduler, zn_live_job *job);
void zn_scheduler_drop_job(zn_scheduler *scheduler, zn_live_job *job);

/* Adds the stage that the request describes to the job. It runs. */
zn_live_stage *zn_scheduler_add_stage(zn_live_job *job, const zn_msg_start_stage *request,
                                      zn_digest body, zn_blob *blob);

/* Takes the book-keeping of a stage out of all lists, before it is freed. */
void zn_scheduler_unlink_stage(zn_scheduler *scheduler, zn_live_stage *stage);

/* Fails the stage and its job; everything else of the job is cancelled. */
void zn_scheduler_fail_stage(zn_scheduler *scheduler, zn_live_stage *stage,
                             const zonda_error *error);

/* A drained worker has registered again: it is drained as before. */
void zn_scheduler_drain_again(zn_scheduler *scheduler, zn_member *member);

/* Lets the worker leave if nothing needs it any more; says again what it was told before. Called
 * now and then, `due` when a heartbeat is. */
void zn_scheduler_look_at_drained(zn_scheduler *scheduler, zn_member *member, bool due);

/* A worker gives tasks back that it has not begun (HANDBACK, known to be the next in order). */
void zn_scheduler_take_handback(zn_scheduler *scheduler, zn_member *member,
                                const zn_msg_handback *handback);

/* Ends the jobs of drivers that have gone. */
void zn_scheduler_look_at_drivers(zn_scheduler *scheduler);

/* Their time of grace begins anew. */
void zn_scheduler_excuse_drivers(zn_scheduler *scheduler);

/* The worker may have segments or tasks of a job that it was not given, or not since it let go of
 * it: from an earlier registration, or because a TASK came late. It is told DONE when the job is
 * over, or at once if it is. */
void zn_scheduler_has_job(zn_scheduler *scheduler, zn_member *member, uint64_t id);

/* One worker fewer to wait for; the last one lets a closing job go. */
void zn_scheduler_job_released(zn_scheduler *scheduler, uint64_t job);

/* A worker that is known from before a restart has said what it has of then, or is given up. */
void zn_scheduler_member_back(zn_scheduler *scheduler, zn_member *member);

/* Forgets the closing jobs that nobody holds anything of. */
void zn_scheduler_forget_released(zn_scheduler *scheduler);

/* The error of an attempt that failed on a worker. */
void zn_scheduler_failure_of(const zn_failure *failure, uint64_t worker, zonda_error *out);

/* Records what became of tasks (RESULT, already known to be the next in order). */
void zn_scheduler_outcomes(zn_scheduler *scheduler, zn_member *member,
                           const zn_msg_outcomes *outcomes);

/* Counts a failure of tasks that are running no more. True if one of them has used up its attempts;
 * then the stage and its job have failed. `error` says what happened. */
bool zn_scheduler_attempt_failed(zn_scheduler *scheduler, zn_live_stage *stage, zn_task_run run,
                                 const zonda_error *error);

/* Completes a running stage whose tasks are all completed, or that has enough. */
void zn_scheduler_settle_stage(zn_scheduler *scheduler, zn_live_stage *stage);

/* Sends a TASK with these runs (owned, at least one) of the stage. */
void zn_scheduler_send_runs(zn_scheduler *scheduler, zn_member *member, const zn_live_stage *stage,
                            zn_run *runs, size_t run_count);

/* Sends a message of the epoch to its worker. */
void zn_scheduler_tell(zn_scheduler *scheduler, const zn_member *member, const zn_message *message);

/* Whether attempts of the stage found the disks of all workers full lately. */
bool zn_scheduler_all_disks_full(const zn_scheduler *scheduler, const zn_live_stage *stage);

/* How many more tasks of the stage the worker may get, as far as the stage is concerned. */
uint64_t zn_scheduler_stage_room(const zn_scheduler *scheduler, const zn_member *member,
                                 const zn_live_stage *stage);

/* Sends DONE for a job. */
void zn_scheduler_tell_done(zn_scheduler *scheduler, const zn_member *member, uint64_t job);

/* The epoch of the worker is over; what it holds is recalled until it has said what goes on. */
void zn_scheduler_recall(zn_scheduler *scheduler, zn_member *member);

/* Takes back what the worker has not confirmed: it has said all there was to say. */
void zn_scheduler_give_up_recalled(zn_scheduler *scheduler, zn_member *member);

/* A worker names attempts that go on (HOLDING, known to be the next in order). */
void zn_scheduler_take_holding(zn_scheduler *scheduler, zn_member *member,
                               const zn_msg_holding *holding);

typedef enum zn_commit_answer {
    ZN_COMMIT_REFUSE, /* it is not held and never will be: it ends, without an outcome */
    ZN_COMMIT_GRANT,
    ZN_COMMIT_LATER, /* a HOLDING that names it may be under way; the worker will ask again */
} zn_commit_answer;

/* What a worker that asks to publish is to be told. */
zn_commit_answer zn_scheduler_may_commit(zn_scheduler *scheduler, zn_member *member,
                                         zn_live_stage *stage, uint32_t task, uint64_t attempt);

/* Finds open tasks from `at` on, before `end`, of which the attempt was given out before, and makes
 * them running ones that nobody holds. The value of `out` is the attempt that would be next. False
 * if there are none. */
bool zn_scheduler_claim_late(zn_scheduler *scheduler, zn_live_stage *stage, uint32_t at,
                             uint32_t end, uint64_t attempt, zn_task_run *out);

/* Tells the worker what was received of it. */
void zn_scheduler_send_heartbeat(zn_scheduler *scheduler, zn_member *member);

/* How often workers are looked at: fine enough for both times that are watched. */
uint64_t zn_scheduler_scan_interval_ns(const zn_scheduler *scheduler);

/* Heartbeats that are due are sent, workers that are silent are lost. */
void zn_scheduler_look_at_members(zn_scheduler *scheduler);

/* Who was not running itself (a stopped process, a sleeping machine) cannot say that others were
 * silent. */
void zn_scheduler_excuse_members(zn_scheduler *scheduler);

/* A worker says HELLO. */
void zn_scheduler_hello(zn_scheduler *scheduler, const zn_peer *peer, const zn_msg_hello *hello);

/* Ends the epoch because a message is missing, and asks for a new one. */
void zn_scheduler_give_up_epoch(zn_scheduler *scheduler, zn_member *member);

/* Ends the epoch and forgets the worker. `event` is LEAVE or LOST, `reason` is for the log. */
void zn_scheduler_remove_member(zn_scheduler *scheduler, zn_member *member, zn_member_event event,
                                const char *reason);

#endif
