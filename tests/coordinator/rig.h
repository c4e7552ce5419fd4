/* SPDX-License-Identifier: MPL-2.0 */
/* A scheduler with its control calls and a handful of scripted workers, without any I/O. */
#ifndef ZN_TESTS_COORDINATOR_RIG_H
#define ZN_TESTS_COORDINATOR_RIG_H

#include "test.h"

#include "coordinator/control.h"
#include "coordinator/invariants.h"
#include "coordinator/replay.h"
#include "coordinator/scheduler.h"
#include "coordinator/snapshot.h"

enum {
    RIG_WORKERS = 8,
    RIG_DRIVER = 77
};

/* A worker as the rig plays it. */
typedef struct rig_worker {
    uint64_t client;
    zn_peer peer;
    uint64_t id;
    uint64_t epoch; /* 0: not welcome */
    uint64_t sent;
    uint64_t received;
    zn_task_run *runs; /* held: value is the attempt */
    uint64_t *jobs;    /* of each run */
    uint64_t *stages;
    size_t run_count;
    size_t run_capacity;
    bool singly; /* every task becomes a run of its own */
    size_t task_messages;
    size_t cancels;
    size_t rejoins;
    size_t heartbeats;
    size_t refusals;
    size_t withdrawn; /* tasks */
    size_t drains;
    uint64_t done_job; /* last DONE of a job */
    size_t dones;
    bool done_all;
    int granted; /* last COMMITTED, -1: none */
} rig_worker;

typedef struct rig {
    zn_scheduler *scheduler;
    zn_control *control;
    uint64_t now_ns;
    uint64_t request; /* of the driver */
    rig_worker workers[RIG_WORKERS];
    size_t events;
    bool forgetful; /* the test takes the notes away: they are not replayed at the end */
    zn_digest body; /* complete blob of the job opened last */
} rig;

rig *rig_new(void);

/* Also checks that notes and snapshot make the same state again. */
void rig_free(rig **r);

/* The state as text, one line for each note of a snapshot; owned by the caller. */
char *rig_snapshot(zn_scheduler *scheduler);

/* A scheduler of which notes make the state; it has not begun. */
zn_scheduler *rig_replay(const rig *r, zn_bytes notes);

/* Makes a control call as the driver, with the next request number, and checks invariants. */
const zn_message *rig_call(rig *r, zn_message message);

/* The same with a REFUSAL expected; returns its code as a name. */
const char *rig_refused(rig *r, zn_message message);

/* Opens a job, puts its body. */
uint64_t rig_open(rig *r, const char *name);
uint64_t rig_open_with(rig *r, const char *name, const zn_msg_open_job *options);

/* The request for a stage of the job that rig_open opened last. */
zn_message rig_start_message(const rig *r, uint64_t job, uint64_t stage, uint64_t tasks);
void rig_start(rig *r, uint64_t job, uint64_t stage, uint64_t tasks);
zn_msg_status rig_status(rig *r, uint64_t job, uint64_t stage);
uint64_t rig_close(rig *r, uint64_t job);

/* A worker says HELLO with so many slots and gives so much credit. */
void rig_join(rig *r, size_t worker, uint64_t slots, uint64_t credit);

/* Sends a message as a worker; its epoch (the first field) is filled in. */
void rig_send(rig *r, size_t worker, zn_message message);

/* Gives all letters to the workers, then checks invariants. */
void rig_deliver(rig *r);

/* What failed may be tried again at once. */
void rig_end_delays(rig *r);

/* Assigns and delivers; what failed is tried again at once. */
void rig_assign(rig *r);

/* The outcome of tasks, successful with no records. */
zn_outcome rig_outcome(uint64_t first, uint64_t count, uint64_t attempt);

/* Sends a RESULT with one outcome. */
void rig_result(rig *r, size_t worker, uint64_t job, uint64_t stage, zn_outcome outcome);

/* Reports the first held run of a worker as done, or as failed with an error. */
void rig_finish_first(rig *r, size_t worker);
void rig_fail_first(rig *r, size_t worker, zonda_err code, bool permanent);

/* Forgets the rig's own record of a held run. */
void rig_forget_run(rig_worker *worker, size_t index);

/* Runs everything that is pending or held to its end; all outcomes succeed. */
void rig_drain(rig *r);

uint64_t rig_held(const rig_worker *worker);

#endif
