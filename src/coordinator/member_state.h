/* SPDX-License-Identifier: MPL-2.0 */
/* The states of a worker as the coordinator sees it, and what changes them. */
#ifndef ZN_COORDINATOR_MEMBER_STATE_H
#define ZN_COORDINATOR_MEMBER_STATE_H

typedef enum zn_member_event {
    ZN_MEMBER_EVENT_HELLO = 0, /* registers, or registers again */
    ZN_MEMBER_EVENT_GAP,       /* a message was lost: its epoch is given up */
    ZN_MEMBER_EVENT_LEAVE,     /* DONE of everything: it leaves on purpose */
    ZN_MEMBER_EVENT_STOP,      /* the cluster ends */
    ZN_MEMBER_EVENT_LOST,      /* silent, or not reachable */
    ZN_MEMBER_EVENT_DRAIN,     /* it is to leave when nothing needs it any more */
    ZN_MEMBER_EVENTS,
} zn_member_event;

typedef enum zn_member_state {
    ZN_MEMBER_NEW = 0,
    ZN_MEMBER_JOINED,   /* has an epoch, gets tasks */
    ZN_MEMBER_ASKED,    /* was asked to register again; has no epoch */
    ZN_MEMBER_DRAINING, /* like JOINED, but gets no tasks */
    ZN_MEMBER_LEAVING,  /* was told to leave: the cluster ends, or it is drained */
    ZN_MEMBER_GONE,
    ZN_MEMBER_STATES,
} zn_member_state;

#endif
