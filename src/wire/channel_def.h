/* SPDX-License-Identifier: MPL-2.0 */
/* Inside wire only: what channel.c, poll.c and monitor.c share. */
#ifndef ZN_WIRE_CHANNEL_DEF_H
#define ZN_WIRE_CHANNEL_DEF_H

#include <czmq.h>

#include "wire/channel.h"
#include "wire/frame.h"
#include "wire/room.h"

struct zn_channel {
    zn_channel_kind kind;
    int queue_max; /* messages that may wait for a peer */
    bool bound;
    bool awaiting; /* REQ: a request has no reply, or could not even be sent */
    zsock_t *socket;
    void *handle; /* the same, for calls of libzmq */
    char *endpoint;
    zn_framer *framer;
    zn_decoder *decoder;
    zn_buf body;            /* of the message that is being sent */
    zn_buf frame;           /* that is being sent */
    zn_room *room;          /* for the binary of the next message; NULL: none */
    zn_buf envelope;        /* REP: the parts that bring the reply to its caller; see envelope.c */
    zmq_msg_t received;     /* what the last message from zn_channel_recv points into */
    zn_allow_list *allowed; /* NULL: everybody */
    bool keyed;             /* speaks CURVE */
    zsock_t *monitor;       /* PAIR; NULL: not watched */
    uint64_t connected_ns;  /* watched: when the last connection was made */
    unsigned broken_count;  /* watched: connections in a row that were closed at once, */
    uint64_t broken_ns;     /* since when */
    uint64_t down_ns;       /* watched: since when no connection stands; 0: one does */
    uint64_t failed_ns;     /* watched: since when no handshake succeeds; 0: the last one did */
    uint64_t closings_due_ns; /* 0: none; else when the closings seen are told */
};

/* Makes the monitor tell `events`. Errors: LIMIT, IO. */
zonda_err zn_monitor_open(zn_channel *channel, int events, zonda_error *error);

/* One notice of a monitor. */
typedef struct zn_monitor_event {
    uint16_t event;
    uint32_t value;
} zn_monitor_event;

/* Reads the next notice; false if there is none. */
bool zn_monitor_read(zn_channel *channel, zn_monitor_event *out);

/* Watches how connections begin; before the channel is connected, or the first one is missed. */
zonda_err zn_handshake_watch(zn_channel *channel, zonda_error *error);

/* A new connection instead of the old one, which may be dead without knowing it. What waited to be
 * sent is dropped. */
void zn_channel_renew(zn_channel *channel);

/* Receives one part; false if there is none. */
bool zn_channel_receive_part(zn_channel *channel, zmq_msg_t *part);

/* Copies `bytes` into one part and sends it. On failure errno says why. */
bool zn_channel_send_part(zn_channel *channel, const void *data, size_t len, int flags);

/* REP: receives what stands before the body of a request and keeps it. `*got`: something came. True
 * if the body comes next; else the request has none, or nobody could be answered. */
bool zn_envelope_receive(zn_channel *channel, bool *got);

/* REP: sends what stands before the body of a reply, and forgets it. On failure errno says why. */
bool zn_envelope_send(zn_channel *channel);

/* Milliseconds until closings that were seen are due, -1 if there are none. */
int zn_monitor_wait_ms(const zn_channel *channel);

/* Takes what the monitor says; true if closings are due now. Leaves them for peers_closed. */
bool zn_monitor_check(zn_channel *channel);

/* Unbinds a bound channel and waits until its port or path is free. */
void zn_monitor_unbind(zn_channel *channel);

/* Ends watching, before the socket is closed. */
void zn_monitor_close(zn_channel *channel);

#endif
