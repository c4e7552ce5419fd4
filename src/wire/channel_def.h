/* SPDX-License-Identifier: MPL-2.0 */
/* Inside wire only: what channel.c, poll.c and monitor.c share. */
#ifndef ZN_WIRE_CHANNEL_DEF_H
#define ZN_WIRE_CHANNEL_DEF_H

#include <czmq.h>

#include "wire/channel.h"
#include "wire/frame.h"

struct zn_channel {
    zn_channel_kind kind;
    int queue_max; /* messages that may wait for a peer */
    bool bound;
    bool awaiting; /* REQ: a request is out and has no reply */
    zsock_t *socket;
    void *handle; /* the same, for calls of libzmq */
    char *endpoint;
    zn_framer *framer;
    zn_decoder *decoder;
    zn_buf body;              /* of the message that is being sent */
    zn_buf frame;             /* that is being sent */
    zmq_msg_t received;       /* what the last message from zn_channel_recv points into */
    zsock_t *monitor;         /* PAIR; NULL: not watched */
    uint64_t closings_due_ns; /* 0: none; else when the closings seen are told */
};

/* Milliseconds until closings that were seen are due, -1 if there are none. */
int zn_monitor_wait_ms(const zn_channel *channel);

/* Takes what the monitor says; true if closings are due now. Leaves them for peers_closed. */
bool zn_monitor_check(zn_channel *channel);

/* Unbinds a bound channel and waits until its port or path is free. */
void zn_monitor_unbind(zn_channel *channel);

/* Ends watching, before the socket is closed. */
void zn_monitor_close(zn_channel *channel);

#endif
