/* SPDX-License-Identifier: MPL-2.0 */
/* Sizes of the simulated cluster, and what can happen in it. */
#ifndef ZN_TESTS_SIM_EVENT_H
#define ZN_TESTS_SIM_EVENT_H

#include <stdint.h>

#include "base/buf.h"

enum {
    SIM_WORKERS_MAX = 5,
    SIM_SLOTS_MAX = 3,
    SIM_DRIVERS_MAX = 3,
    SIM_NODES_MAX = SIM_WORKERS_MAX + SIM_DRIVERS_MAX,
    SIM_STAGES_MAX = 4,
    SIM_INPUTS_MAX = 2,
    SIM_TASKS_MAX = 120,
    SIM_ATTEMPTS_MAX = 512 /* of one task that are told apart */
};

typedef enum sim_kind {
    SIM_COORDINATOR_CALL,   /* control: a call of driver `node`, or of worker `node - drivers` */
    SIM_COORDINATOR_WORK,   /* a message of worker `node` */
    SIM_COORDINATOR_BULK,   /* a slot of worker `node` asks for results */
    SIM_COORDINATOR_CLOSED, /* a connection was closed */
    SIM_COORDINATOR_DRIVER, /* a driver with client id `mark` has come (`value` 1) or gone */
    SIM_COORDINATOR_DRAIN,  /* an operator wants worker `node` to leave */
    SIM_COORDINATOR_START,
    SIM_COORDINATOR_TICK,
    SIM_COORDINATOR_DISK, /* a commit of the journal has ended */
    SIM_WORKER_REPLY,     /* of control */
    SIM_WORKER_WORK,
    SIM_WORKER_TICK,
    SIM_WORKER_START,
    SIM_WORKER_ENDED, /* by itself */
    SIM_SLOT_MESSAGE, /* worker → slot */
    SIM_SLOT_PAGE,    /* coordinator → slot */
    SIM_SLOT_STEP,
    SIM_SLOT_REPORT, /* slot → worker */
    SIM_SLOT_READY,
    SIM_SLOT_DEAD,
    SIM_DRIVER_REPLY,
    SIM_DRIVER_TIMER,
    SIM_DRIVER_START, /* again, after it was killed */
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

/* A slot of a worker. */
typedef struct sim_place {
    uint32_t worker;
    uint32_t slot;
} sim_place;

#endif
