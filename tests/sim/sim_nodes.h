/* SPDX-License-Identifier: MPL-2.0 */
/* What the simulator is made of: events, workers with slots, drivers with plans. */
#ifndef ZN_TESTS_SIM_NODES_H
#define ZN_TESTS_SIM_NODES_H

#include "runtime/driver_core.h"
#include "worker/slot_manager.h"

enum {
    SIM_WORKERS_MAX = 5,
    SIM_SLOTS_MAX = 3,
    SIM_DRIVERS_MAX = 3,
    SIM_NODES_MAX = SIM_WORKERS_MAX + SIM_DRIVERS_MAX,
    SIM_STAGES_MAX = 3,
    SIM_TASKS_MAX = 120,
    SIM_JOBS_MAX = 64 /* whose segments a worker may hold */
};

/* ---- events ---- */

typedef enum sim_kind {
    SIM_COORDINATOR_CALL,   /* control: a call of driver `node`, or of worker `node - drivers` */
    SIM_COORDINATOR_WORK,   /* a message of worker `node` */
    SIM_COORDINATOR_CLOSED, /* a connection was closed */
    SIM_COORDINATOR_DRIVER, /* driver `node` has come (`value` 1) or gone */
    SIM_COORDINATOR_TICK,
    SIM_WORKER_REPLY, /* of control */
    SIM_WORKER_WORK,
    SIM_WORKER_TICK,
    SIM_WORKER_START,
    SIM_SLOT_MESSAGE, /* worker → slot */
    SIM_SLOT_STEP,
    SIM_SLOT_REPORT, /* slot → worker */
    SIM_SLOT_READY,
    SIM_SLOT_DEAD,
    SIM_DRIVER_REPLY,
    SIM_DRIVER_TIMER,
    SIM_FAULT,
    SIM_KINDS
} sim_kind;

typedef struct sim_event {
    uint64_t at_ns;
    uint64_t order; /* events of one time happen in the order in which they were made */
    sim_kind kind;
    uint32_t node;
    uint32_t slot;
    uint64_t life; /* of the receiver: what a dead one would have got is dropped */
    uint64_t mark; /* connection, call, or sequence, by kind */
    uint64_t value;
    zn_buf bytes; /* an encoded message */
} sim_event;

/* ---- nodes ---- */

/* What tasks of a stage do. */
typedef struct sim_stage {
    zn_digest body;
    uint32_t tasks;
    bool sinks; /* each publishes an output */
    bool large; /* results go into segments */
    uint32_t fail_per_mille;
    uint32_t crash_per_mille;
    uint64_t task_ns; /* longest */
} sim_stage;

typedef struct sim_driver {
    zn_plan *plan;
    sim_stage stages[SIM_STAGES_MAX];
    zn_driver_core *core;
    uint64_t client;
    uint64_t request; /* number of the call under way or of the last one */
    bool calling;
    zn_message_number expected;
    zn_buf call; /* encoded */
    uint64_t resend_ns;
    uint64_t deadline_ns;
    bool answered;  /* by the coordinator, ever */
    uint64_t timer; /* marks the timer that counts */
    uint64_t next_result;
    uint32_t published[SIM_STAGES_MAX][SIM_TASKS_MAX];
    uint32_t crashes[SIM_STAGES_MAX][SIM_TASKS_MAX];
    bool cancel; /* the user will */
    bool ended;
    bool gone; /* killed: nobody reads its results */
} sim_driver;

typedef struct sim_order {
    zn_message_number number;
    zn_msg_task task; /* runs are owned */
    zn_digest body;
    zn_msg_done done;
} sim_order;

typedef enum sim_slot_state {
    SIM_SLOT_ABSENT,
    SIM_SLOT_STARTING,
    SIM_SLOT_IDLE,
    SIM_SLOT_RUNNING,    /* until the event with the present mark */
    SIM_SLOT_COMMITTING, /* waits for COMMITTED */
} sim_slot_state;

typedef struct sim_slot {
    sim_slot_state state;
    uint64_t life;
    uint64_t mark;
    uint64_t report_ns; /* when the last message to the worker arrives: they stay in order */
    uint64_t order_ns;  /* the same of those from the worker */
    sim_order *orders;
    size_t order_count;
    size_t order_capacity;
    size_t run;      /* of the first order */
    uint64_t in_run; /* tasks of that run that are over */
    uint32_t position;
    bool whole; /* all tasks so far have outcomes */
    uint64_t cancelled[4];
} sim_slot;

typedef struct sim_worker {
    bool alive;
    uint64_t life;
    uint64_t connection; /* of the work socket; 0: none */
    uint64_t frozen_ns;  /* handles nothing before */
    uint32_t slot_count;
    zn_slot_manager *manager;
    zn_outbox outbox;
    zn_buf call;
    uint64_t call_number;
    sim_slot slots[SIM_SLOTS_MAX];
    uint64_t segments[SIM_JOBS_MAX]; /* jobs with results here */
    size_t segment_count;
    char data[64]; /* endpoint */
} sim_worker;

#endif
