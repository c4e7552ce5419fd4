/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_REGISTRATION_H
#define ZN_WORKER_REGISTRATION_H

/* How a worker stands with its coordinator, as a table: what each event does in each state. */
typedef enum zn_registration_state {
    ZN_REGISTRATION_LOOKING,    /* asks on control where the other sockets are */
    ZN_REGISTRATION_JOINING,    /* has said HELLO on work */
    ZN_REGISTRATION_REGISTERED, /* has an epoch */
    ZN_REGISTRATION_LEAVING,    /* ends its slots */
    ZN_REGISTRATION_ENDED,
    ZN_REGISTRATION_STATES
} zn_registration_state;

typedef enum zn_registration_event {
    ZN_REGISTRATION_FOUND,    /* ENDPOINTS came */
    ZN_REGISTRATION_WELCOMED, /* WELCOME with another epoch than the present one */
    ZN_REGISTRATION_CURRENT,  /* a message of the present epoch */
    ZN_REGISTRATION_REJOIN,   /* REJOIN of the present epoch */
    ZN_REGISTRATION_GAP,      /* messages were lost, or more came than was allowed */
    ZN_REGISTRATION_SILENCE,  /* nothing heard for lost_ms */
    ZN_REGISTRATION_REFUSED,  /* the coordinator will not have this worker: VERSION */
    ZN_REGISTRATION_DONE_ALL, /* the cluster ends */
    ZN_REGISTRATION_STOP,     /* the owner of the worker ends it */
    ZN_REGISTRATION_EMPTY,    /* all slots have ended */
    ZN_REGISTRATION_EVENTS
} zn_registration_event;

typedef enum zn_registration_reaction {
    ZN_REACT_IGNORE,
    ZN_REACT_ACCEPT, /* handle the message */
    ZN_REACT_LOOK,   /* ask on control */
    ZN_REACT_JOIN,   /* say HELLO on work */
    ZN_REACT_ADOPT,  /* begin the new epoch */
    ZN_REACT_LEAVE,  /* say good-bye, end the slots */
    ZN_REACT_FAIL,   /* the same, with an error as the reason */
    ZN_REACT_END,
} zn_registration_reaction;

typedef struct zn_registration_cell {
    zn_registration_state next;
    zn_registration_reaction reaction;
} zn_registration_cell;

zn_registration_cell zn_registration_step(zn_registration_state state, zn_registration_event event);

const char *zn_registration_state_name(zn_registration_state state);

#endif
