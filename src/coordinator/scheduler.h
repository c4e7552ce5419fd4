/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_SCHEDULER_H
#define ZN_COORDINATOR_SCHEDULER_H

#include "coordinator/history.h"
#include "coordinator/key_map.h"
#include "coordinator/member.h"
#include "coordinator/notes.h"
#include "coordinator/scheduler_config.h"
#include "coordinator/scheduler_outbox.h"

/* The coordinator's decisions, without I/O: every step gets the time, changes the state and appends
 * to `outbox`. Open data for the modules of this folder and for tests; changed by steps only. */
typedef struct zn_scheduler {
    zn_scheduler_config config;
    uint64_t began_ns;
    uint64_t now_ns; /* of the step */
    uint64_t tick_ns;
    uint64_t scan_ns;   /* when workers were last looked at */
    uint64_t backup_ns; /* when slow tasks were last looked for */
    bool stopping;

    zn_key_map job_map; /* by id */
    TAILQ_HEAD(zn_all_jobs, zn_live_job) jobs;
    TAILQ_HEAD(zn_runnable_jobs, zn_live_job) runnable;
    uint64_t runnable_count;
    uint64_t next_job;
    zn_blob_store *blobs;

    zn_key_map epoch_map;  /* workers by epoch */
    zn_key_map client_map; /* workers by their own random id */
    zn_key_map driver_map; /* client ids of drivers that are connected; the value is not NULL */
    TAILQ_HEAD(, zn_member) members;
    TAILQ_HEAD(zn_ready_members, zn_member) ready; /* with free credit */
    uint64_t ready_count;
    bool survey;           /* the step that assigns looks at all of them */
    bool unseen;           /* the last one did not, and tasks were left */
    uint64_t survey_ns;    /* when one did */
    uint64_t pending_seen; /* what it left */
    uint64_t next_worker;
    uint64_t restored;  /* workers that are known from before a restart and were not heard since */
    uint64_t snapshots; /* ever made */
    uint64_t next_epoch;

    uint64_t pending; /* tasks of running stages that could be handed out */
    uint64_t running; /* tasks that workers hold */
    uint64_t slots;   /* of workers that gave credit */
    TAILQ_HEAD(, zn_live_stage) changed;
    TAILQ_HEAD(, zn_live_stage) delayed; /* with tasks that wait for their next attempt */
    zn_scheduler_stats stats;
    zn_history history;
    zn_scheduler_outbox outbox;
    zn_notes notes; /* nothing in the outbox may leave before these are durable */
} zn_scheduler;

zn_scheduler *zn_scheduler_new(const zn_scheduler_config *config, uint64_t now_ns);

/* ---- steps ---- */

/* A message came on the work socket. Any content is safe. */
void zn_scheduler_message(zn_scheduler *scheduler, uint64_t now_ns, const zn_peer *peer,
                          const zn_message *message);

/* A letter to the worker of this epoch could not be sent: the worker is lost. */
void zn_scheduler_unreachable(zn_scheduler *scheduler, uint64_t now_ns, uint64_t epoch);

/* The worker behind this peer may not be here any more: it is lost. */
void zn_scheduler_revoked(zn_scheduler *scheduler, uint64_t now_ns, const zn_peer *peer);

/* Some connection was closed: sends to every worker, so that the closed one shows. */
void zn_scheduler_probe(zn_scheduler *scheduler, uint64_t now_ns);

/* The driver with this client id has connected to the events, or its connection has ended. */
void zn_scheduler_driver_seen(zn_scheduler *scheduler, uint64_t now_ns, uint64_t client,
                              bool present);

/* Time has passed: heartbeats, silent workers, events. */
void zn_scheduler_tick(zn_scheduler *scheduler, uint64_t now_ns);

/* When the next tick is needed at the latest. */
uint64_t zn_scheduler_deadline(const zn_scheduler *scheduler);

/* Gives pending tasks to workers with free credit. Called once after a batch of other steps. */
void zn_scheduler_assign(zn_scheduler *scheduler);

/* The cluster ends: tells all workers. It has ended when zn_scheduler_worker_count is 0. */
void zn_scheduler_stop(zn_scheduler *scheduler, uint64_t now_ns);

/* ---- jobs, for control ---- */

/* `fingerprint` is the one of `open`. Errors: LIMIT (too many jobs), CLOSED (the cluster ends). */
zonda_err zn_scheduler_open_job(zn_scheduler *scheduler, uint64_t now_ns,
                                const zn_msg_open_job *open, zn_digest fingerprint,
                                zn_live_job **out, zonda_error *error);

/* The job that a call of a driver has opened, or NULL. */
zn_live_job *zn_scheduler_opened_by(const zn_scheduler *scheduler, uint64_t client,
                                    uint64_t request);

/* Errors: UNKNOWN_JOB. */
zonda_err zn_scheduler_find_job(const zn_scheduler *scheduler, uint64_t id, zn_live_job **out,
                                zonda_error *error);

/* Installs the stage, or finds that it is installed. Errors: UNKNOWN_JOB, EMPTY_STAGE,
 * STAGE_MISMATCH, UNKNOWN_BLOB, CLOSED, and the error that ended the job. */
zonda_err zn_scheduler_start_stage(zn_scheduler *scheduler, uint64_t now_ns,
                                   const zn_msg_start_stage *request, zn_live_stage **out,
                                   zonda_error *error);

/* Ends the job's work. `*waiting`: workers that have not let go of it. Errors: UNKNOWN_JOB. */
zonda_err zn_scheduler_cancel_job(zn_scheduler *scheduler, uint64_t now_ns, uint64_t id,
                                  zn_bytes reason, uint64_t *waiting, zonda_error *error);

/* Ends the job and forgets it when no worker holds anything of it any more. A job that was
 * forgotten already has nobody to wait for. Errors: UNKNOWN_JOB. */
zonda_err zn_scheduler_close_job(zn_scheduler *scheduler, uint64_t now_ns, uint64_t id,
                                 uint64_t *waiting, zonda_error *error);

/* ---- queries ---- */

/* The worker whose registration this is; that with this client id, registered or not. Or NULL. */
zn_member *zn_scheduler_member(const zn_scheduler *scheduler, uint64_t epoch);
zn_member *zn_scheduler_holder(const zn_scheduler *scheduler, uint64_t client);
uint64_t zn_scheduler_worker_count(const zn_scheduler *scheduler);

/* What the clock on the wall showed at a time of this scheduler. For people only. */
uint64_t zn_scheduler_wall_ms(const zn_scheduler *scheduler, uint64_t at_ns);

void zn_scheduler_destroy(zn_scheduler **scheduler);

#endif
