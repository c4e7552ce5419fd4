/* SPDX-License-Identifier: MPL-2.0 */
/* What the simulator is made of: workers with slots, drivers with plans. */
#ifndef ZN_TESTS_SIM_NODES_H
#define ZN_TESTS_SIM_NODES_H

#include "runtime/driver_core.h"
#include "sim_disk.h"
#include "sim_event.h"
#include "worker/slot_manager.h"

/* ---- drivers ---- */

/* What tasks of a stage do. */
typedef struct sim_stage {
    zn_digest body;
    uint32_t tasks;
    bool sinks; /* each publishes an output */
    bool large; /* results go into segments */
    uint32_t fail_per_mille;
    uint32_t crash_per_mille;
    uint64_t task_ns;              /* longest */
    size_t inputs[SIM_INPUTS_MAX]; /* stages of which each task reads everything */
    size_t input_count;
    uint64_t fold; /* of all that they give */
} sim_stage;

/* The output of a task of a sink, under its final name. */
typedef struct sim_output {
    bool there;
    uint64_t value;
    uint64_t granted; /* the last attempt that was allowed to publish; 0: none yet */
    uint64_t job;     /* whose attempt that was */
} sim_output;

/* What happened to a task, whoever ran it. */
typedef struct sim_task {
    uint64_t job;                          /* the last one of which attempts were begun */
    uint64_t begun[SIM_ATTEMPTS_MAX / 64]; /* a bit for each attempt that was begun */
    uint32_t crashes;
    sim_output output;
} sim_task;

typedef struct sim_driver {
    zn_plan *plan;
    sim_stage stages[SIM_STAGES_MAX];
    sim_task tasks[SIM_STAGES_MAX][SIM_TASKS_MAX];
    zn_driver_core *core;
    uint64_t client;
    uint64_t ahead_ns; /* its clock is ahead of the simulated time */
    uint64_t cut_ns;   /* it hears nothing and is not heard before */
    uint64_t request;  /* number of the call under way or of the last one */
    bool calling;
    zn_message_number expected;
    zn_buf call; /* encoded */
    uint64_t resend_ns;
    uint64_t deadline_ns;
    bool answered;  /* by the coordinator, ever */
    uint64_t timer; /* marks the timer that counts */
    uint64_t next_result;
    bool cancel;       /* the user will */
    uint64_t shown_ns; /* when the coordinator hears last of its coming and going */
    bool resumes;      /* another process goes on when one was killed */
    bool again;        /* one has done so */
    bool ended;
    bool gone; /* killed: nobody reads its results */
} sim_driver;

/* ---- workers ---- */

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
    SIM_SLOT_ASKING,     /* waits for a page of results of an earlier stage */
    SIM_SLOT_FETCHING,   /* waits for what the page refers to */
    SIM_SLOT_RUNNING,    /* until the event with the present mark */
    SIM_SLOT_COMMITTING, /* waits for COMMITTED */
    SIM_SLOT_PUBLISHING, /* has the permission, is about to rename */
    SIM_SLOT_PUBLISHED,  /* has renamed, is about to report */
} sim_slot_state;

/* How far a task is in reading its inputs. */
typedef struct sim_reading {
    size_t input;
    uint64_t next; /* task of that input */
    uint64_t fold; /* of all that was read */
    uint64_t request;
    uint64_t since_ns; /* when it last got on */
    zn_buf page;
} sim_reading;

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
    uint64_t began_ns; /* the task that it is in */
    bool whole;        /* all tasks so far have outcomes */
    uint64_t cancelled[4];
    sim_reading reading;
} sim_slot;

typedef struct sim_worker {
    bool alive;
    bool leaving; /* somebody wants it to end */
    uint64_t life;
    uint64_t client;
    uint64_t connection;  /* of the work socket; 0: none */
    uint64_t ahead_ns;    /* its clock is ahead of the simulated time */
    uint64_t frozen_ns;   /* handles nothing before */
    bool host_frozen;     /* and neither do its slots */
    uint64_t cut_data_ns; /* other workers do not reach it, nor it them */
    uint64_t full_ns;     /* its disk is full until then */
    uint32_t slot_count;
    zn_slot_manager *manager;
    zn_outbox outbox;
    zn_buf call;
    uint64_t call_number;
    sim_slot slots[SIM_SLOTS_MAX];
    sim_segment *segments;
    size_t segment_count;
    size_t segment_capacity;
    char data[64]; /* endpoint */
} sim_worker;

#endif
