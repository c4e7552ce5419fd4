/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_NOTES_H
#define ZN_COORDINATOR_NOTES_H

#include "wire/message.h"

struct zn_scheduler;
struct zn_live_job;
struct zn_live_stage;
struct zn_member;
struct zn_task_run;

/* What changed in the state that survives a restart, since the journal took it last: encoded
 * messages, each behind its length (4 bytes). All zero is valid: nobody keeps notes. */
typedef struct zn_notes {
    bool kept; /* a journal takes them; else nothing is noted */
    zn_buf bytes;
    zn_buf past;          /* jobs for the history, each behind its length, too */
    bool binding;         /* there is more among them than tasks that succeeded */
    uint64_t count;       /* notes ever made */
    zn_message gathering; /* NOTE_OUTCOMES in the making, or number 0 */
    zn_outcome *outcomes; /* its outcomes, which borrow from the RESULT that is being taken */
    size_t outcome_capacity;
} zn_notes;

/* Appends a note, behind what is being gathered. */
void zn_notes_add(zn_notes *notes, const zn_message *note);

/* Appends a job that has ended, as NOTE_PAST_JOB. */
void zn_notes_add_past(zn_notes *notes, zn_bytes job);

/* Ends the gathering of outcomes; to be called before the RESULT that they borrow from ends. */
void zn_notes_settle(zn_notes *notes);

/* Empties it, keeping some memory. */
void zn_notes_clear(zn_notes *notes);

void zn_notes_free(zn_notes *notes);

/* ---- one function for each change ---- */

/* A coordinator begins (`restart`), or what follows is a snapshot. */
void zn_note_begun(struct zn_scheduler *scheduler, bool restart);

/* The job was opened. */
void zn_note_job(struct zn_scheduler *scheduler, const struct zn_live_job *job);

/* The job refers to a blob, to which a part was appended, unless it was `complete` before. */
void zn_note_blob(struct zn_scheduler *scheduler, const struct zn_live_job *job,
                  const zn_msg_put_blob *put, bool complete);

/* The stage was installed. */
void zn_note_stage(struct zn_scheduler *scheduler, const struct zn_live_stage *stage);

/* `outcome` was accepted for these tasks, of which the worker held the attempt in `part`, or (late)
 * had it once. Failed attempts that use up the attempt of an open task are outcomes, too. */
void zn_note_outcome(struct zn_scheduler *scheduler, const struct zn_live_stage *stage,
                     const struct zn_member *member, struct zn_task_run part,
                     const zn_outcome *outcome);

/* The next attempt of these open tasks is the value of the run: they were given back, or a backup
 * was given, or (one less than was said before) an earlier attempt was adopted. `failure` (may be
 * NULL): the attempt before it is counted as failed. */
void zn_note_attempts(struct zn_scheduler *scheduler, const struct zn_live_stage *stage,
                      struct zn_task_run run, const zonda_error *failure);

/* What the worker had of the results of the stage is lost; or this `one` is, whoever had it. Those
 * tasks count as completed until zn_note_again. */
void zn_note_lost(struct zn_scheduler *scheduler, const struct zn_live_stage *stage,
                  uint64_t holder, const zn_lost_result *one);

/* All lost results of the stage are made again: their tasks are open, with this attempt (0: none
 * are). `more`: tasks that had been skipped follow, and at last a note without more. */
void zn_note_again(struct zn_scheduler *scheduler, const struct zn_live_stage *stage,
                   uint32_t attempt, bool more);

/* These tasks had been skipped and are open; the value is the attempt. */
void zn_note_unskipped(struct zn_scheduler *scheduler, const struct zn_live_stage *stage,
                       struct zn_task_run run);

/* The stage (NULL: somebody who cancelled) ended the job, for the reason in job->ended. */
void zn_note_job_ended(struct zn_scheduler *scheduler, const struct zn_live_job *job,
                       const struct zn_live_stage *stage);

void zn_note_job_closing(struct zn_scheduler *scheduler, const struct zn_live_job *job);
void zn_note_job_forgotten(struct zn_scheduler *scheduler, const struct zn_live_job *job);

/* The worker has registered, again or for the first time, or is drained; or it is gone. */
void zn_note_worker(struct zn_scheduler *scheduler, const struct zn_member *member);
void zn_note_worker_gone(struct zn_scheduler *scheduler, const struct zn_member *member);

#endif
