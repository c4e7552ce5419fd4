/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_RUNTIME_DRIVER_CORE_H
#define ZN_RUNTIME_DRIVER_CORE_H

#include "base/ids.h"
#include "plan/plan.h"
#include "runtime/counter_set.h"
#include "wire/message.h"

/* The stage loop of one execution, without I/O: what happened goes in as events, what to do next
 * comes out as one action. */
typedef struct zn_driver_core zn_driver_core;

typedef enum zn_driver_state {
    ZN_DRIVER_OPENING,    /* OPEN_JOB is to be answered */
    ZN_DRIVER_PUTTING,    /* PUT_BLOB */
    ZN_DRIVER_STARTING,   /* START_STAGE */
    ZN_DRIVER_CHECKING,   /* GET_STATUS */
    ZN_DRIVER_WAITING,    /* a stage runs; GET_STATUS is due later */
    ZN_DRIVER_COLLECTING, /* COLLECT_RESULTS */
    ZN_DRIVER_DELIVERING, /* the shell gives a page to the user */
    ZN_DRIVER_READY,      /* all stages are complete; the job stays open for readers */
    ZN_DRIVER_CANCELLING, /* CANCEL_JOB */
    ZN_DRIVER_CLOSING,    /* CLOSE_JOB */
    ZN_DRIVER_DRAINING,   /* workers still hold something; CLOSE_JOB is due later */
    ZN_DRIVER_CLOSED,
    ZN_DRIVER_STATES
} zn_driver_state;

typedef enum zn_driver_event_kind {
    ZN_DRIVER_REPLY,     /* the awaited reply of the call */
    ZN_DRIVER_REFUSED,   /* the coordinator refused it: `error` */
    ZN_DRIVER_LOST,      /* no usable answer: `error` */
    ZN_DRIVER_TIMER,     /* the wait is over, or a hint cut it short (`hint`) */
    ZN_DRIVER_DELIVERED, /* the user has the page */
    ZN_DRIVER_WANT,      /* a reader wants the next page */
    ZN_DRIVER_STOP,      /* cancel: `error` says why */
    ZN_DRIVER_CLOSE,     /* nobody reads any more */
    ZN_DRIVER_UNREAD,    /* a result could not be read, whose attempt `error` names */
    ZN_DRIVER_EVENTS
} zn_driver_event_kind;

typedef struct zn_driver_event {
    zn_driver_event_kind kind;
    uint64_t now_ns;
    const zn_message *reply;  /* REPLY: of the expected number */
    const zonda_error *error; /* REFUSED, LOST, STOP, UNREAD */
    bool hint;                /* TIMER */
} zn_driver_event;

typedef enum zn_driver_action_kind {
    ZN_DRIVER_CALL,    /* make `request`, expect `expected` */
    ZN_DRIVER_WAIT,    /* until `until_ns` */
    ZN_DRIVER_DELIVER, /* the page that came with the last reply */
    ZN_DRIVER_REST,    /* nothing to do until WANT, STOP or CLOSE */
    ZN_DRIVER_END,
} zn_driver_action_kind;

typedef struct zn_driver_action {
    zn_driver_action_kind kind;
    zn_message request; /* borrows from the core and its plan */
    zn_message_number expected;
    bool hurried; /* the coordinator has gone silent: do not wait long */
    uint64_t until_ns;
} zn_driver_action;

typedef struct zn_driver_options {
    const char *name;    /* of the job, copied */
    zn_msg_open_job job; /* the numbers of OPEN_JOB: how the job is to be run */
    bool stream;         /* collect the results of the last stage while it runs */
    uint64_t timeout_ns; /* for workers to say DONE at the end */
} zn_driver_options;

/* `plan` is borrowed for the life of the core. A plan without tasks is READY at once and never
 * opens a job. */
zn_driver_core *zn_driver_core_new(const zn_plan *plan, const zn_driver_options *options);
void zn_driver_core_destroy(zn_driver_core **core);

/* Takes an event. One that has no place in the current state is counted and ignored; a REPLY of
 * another number than the awaited one is a failure (PROTOCOL). */
void zn_driver_core_step(zn_driver_core *core, const zn_driver_event *event);

/* What to do now; a pure function of the state. */
void zn_driver_core_next(const zn_driver_core *core, zn_driver_action *action);

/* For the shell and for tests. */
zn_driver_state zn_driver_core_state(const zn_driver_core *core);
const char *zn_driver_state_name(zn_driver_state state);
zn_job_id zn_driver_core_job(const zn_driver_core *core); /* 0: not opened */
uint32_t zn_driver_core_stage(const zn_driver_core *core);
/* Whether the job was there before: another driver had opened it. */
bool zn_driver_core_resumed(const zn_driver_core *core);

uint64_t zn_driver_core_ignored(const zn_driver_core *core);

/* The first failure; its code is OK while there is none. */
const zonda_error *zn_driver_core_failure(const zn_driver_core *core);

/* True once every result has been delivered. */
bool zn_driver_core_drained(const zn_driver_core *core);

/* Counters of the stages that are complete. Borrowed. */
const zn_counter_set *zn_driver_core_counters(const zn_driver_core *core);

/* The same of one stage of the plan; empty until it is complete. */
const zn_counter_set *zn_driver_core_stage_counters(const zn_driver_core *core, size_t stage);

#endif
