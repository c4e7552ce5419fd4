/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_SLOT_MANAGER_H
#define ZN_WORKER_SLOT_MANAGER_H

#include "worker/outbox.h"
#include "worker/registration.h"

/* The core of a worker: registration, the tasks that it holds, its slots. No I/O; time comes in
 * with the events, what is to be done goes out through the outbox. */
typedef struct zn_slot_manager zn_slot_manager;

typedef struct zn_slot_manager_config {
    uint32_t slots;
    bool killable;   /* slots are processes: one that does not end its attempts is killed */
    uint64_t client; /* random id of this worker */
    uint64_t pid;
    const char *host; /* texts are copied */
    const char *data;
    const char *folder;
    const char *machine;
} zn_slot_manager_config;

typedef enum zn_worker_event_kind {
    ZN_WORKER_EVENT_TICK,         /* time has passed */
    ZN_WORKER_EVENT_FOUND,        /* control answered ENDPOINTS (message), work is connected */
    ZN_WORKER_EVENT_REFUSED,      /* error: the coordinator cannot work with this worker */
    ZN_WORKER_EVENT_MESSAGE,      /* message from work */
    ZN_WORKER_EVENT_UNSENT,       /* message could not be sent on work */
    ZN_WORKER_EVENT_SLOT_READY,   /* slot said HELLO */
    ZN_WORKER_EVENT_SLOT_MESSAGE, /* slot, message */
    ZN_WORKER_EVENT_SLOT_DEAD,    /* slot, error: how; running_*: what it ran */
    ZN_WORKER_EVENT_FLUSH,        /* no more input just now: send what was collected */
    ZN_WORKER_EVENT_DRAIN,        /* leave when nothing needs this worker any more */
    ZN_WORKER_EVENT_STOP,         /* leave now */
} zn_worker_event_kind;

/* What the board of a slot shows. */
typedef struct zn_slot_view {
    uint64_t sequence; /* chunk that it is in */
    uint64_t position; /* task of the chunk, from 1; 0: none */
    uint64_t moves;    /* differs when it has made progress */
} zn_slot_view;

typedef struct zn_worker_event {
    zn_worker_event_kind kind;
    uint64_t now_ns;
    uint32_t slot;
    uint64_t running_sequence; /* chunk that the dead slot was in, 0: none */
    uint32_t running_position; /* task of the chunk that it ran, from 1; 0: none */
    const zn_message *message;
    const zonda_error *error;
    const zn_slot_view *views; /* TICK: of all slots; NULL: not looked at */
} zn_worker_event;

zn_slot_manager *zn_slot_manager_new(const zn_slot_manager_config *config, uint64_t now_ns,
                                     zn_outbox *outbox);
void zn_slot_manager_destroy(zn_slot_manager **manager);

/* Handles one event and appends what is to be done to `outbox`. */
void zn_slot_manager_step(zn_slot_manager *manager, const zn_worker_event *event,
                          zn_outbox *outbox);

zn_registration_state zn_slot_manager_state(const zn_slot_manager *manager);

/* Why it ended or is about to: OK if it was asked to. Borrowed. */
const zonda_error *zn_slot_manager_reason(const zn_slot_manager *manager);

/* Whether it was ever registered. */
bool zn_slot_manager_was_welcome(const zn_slot_manager *manager);

/* Tasks held: queued or in a slot, and not given up. */
uint64_t zn_slot_manager_held(const zn_slot_manager *manager);

/* Of the present cluster: tasks that came, that were reported, that ended without a report. */
typedef struct zn_task_totals {
    uint64_t received;
    uint64_t reported;
    uint64_t withdrawn;
} zn_task_totals;
zn_task_totals zn_slot_manager_totals(const zn_slot_manager *manager);

/* Asserts what must always hold. For tests: its time grows with the number of runs held. */
void zn_slot_manager_check(const zn_slot_manager *manager);

#endif
