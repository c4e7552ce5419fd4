/* SPDX-License-Identifier: MPL-2.0 */
/* Every option of every socket, with the reason for each. What is not here has libzmq's default on
 * purpose:
 * - IMMEDIATE stays off: the first request or HELLO may be sent before the connection stands.
 *   Queues to a peer that is away are bounded by the high-water mark, and what is stale in them is
 *   refused by epoch or request number.
 * - ROUTER_HANDOVER stays off: nobody chooses a routing id, and a stranger cannot take one over.
 * - ZMTP heartbeats stay off: a PING waits behind bulk in the same queue and would cut slow links.
 *   Workers have heartbeats of their own; for the rest, TCP itself notices a peer that is gone. */
#include "wire/socket_options.h"

#include <string.h>
#include <zmq.h>

#include "base/assert.h"
#include "wire/frame.h"

enum {
    RECONNECT_MS = 20,        /* a peer that comes up later is found soon, */
    RECONNECT_MS_MAX = 1000,  /* one that stays away costs little */
    BACKLOG = 1024,           /* all workers may reconnect at once */
    KEEPALIVE_IDLE_S = 10,    /* a silent connection is probed, */
    KEEPALIVE_INTERVAL_S = 5, /* and closed after 10 + 3 * 5 s without an answer */
    KEEPALIVE_COUNT = 3,
    UNACKNOWLEDGED_MS = 25000, /* a connection that takes no data is closed after as long */
};

static void set(void *handle, int option, int value) {
    int rc = zmq_setsockopt(handle, option, &value, sizeof value);
    ZN_ASSERT(rc == 0);
}

static void set_by_kind(void *handle, zn_channel_kind kind) {
    int rc = 0;
    switch (kind) {
    case ZN_CHANNEL_ROUTER:
        /* Sending to a peer that is gone, or whose queue is full, is an error and not a silent
         * loss. Sends use DONTWAIT, so a full queue does not block the loop. */
        set(handle, ZMQ_ROUTER_MANDATORY, 1);
        break;
    case ZN_CHANNEL_REQ:
        /* A call may be sent again without an answer; answers to an earlier try are dropped. */
        set(handle, ZMQ_REQ_RELAXED, 1);
        set(handle, ZMQ_REQ_CORRELATE, 1);
        break;
    case ZN_CHANNEL_SUB:
        rc = zmq_setsockopt(handle, ZMQ_SUBSCRIBE, "", 0);
        ZN_ASSERT(rc == 0);
        break;
    case ZN_CHANNEL_REP: /* who went away needs no reply */
    case ZN_CHANNEL_DEALER:
    case ZN_CHANNEL_PUB:
        break;
    }
}

/* The largest message that peers may send. Sockets that strangers connect to take no more than what
 * is meant for them, because libzmq holds a message until its last byte has come. */
static int64_t bytes_max_of(zn_channel_kind kind) {
    switch (kind) {
    case ZN_CHANNEL_REP:
        return ZN_CALL_BYTES_MAX;
    case ZN_CHANNEL_ROUTER:
        return ZN_WORK_BYTES_MAX;
    case ZN_CHANNEL_PUB:
        return ZN_NAME_BYTES_MAX;
    case ZN_CHANNEL_REQ:
    case ZN_CHANNEL_DEALER:
    case ZN_CHANNEL_SUB:
        break;
    }
    return ZN_FRAME_BYTES_MAX;
}

/* Parts of messages that may wait to be read, per connection; then its peer has to wait. */
static int received_max(zn_channel_kind kind) {
    bool open = kind == ZN_CHANNEL_REP || kind == ZN_CHANNEL_ROUTER || kind == ZN_CHANNEL_PUB;
    return open ? ZN_SOCKET_OPEN_HWM : ZN_SOCKET_HWM;
}

void zn_socket_set_options(void *handle, zn_channel_kind kind, const char *endpoint,
                           int queue_max) {
    /* Closing never waits; whatever must arrive is acknowledged by a message. */
    set(handle, ZMQ_LINGER, 0);
    set(handle, ZMQ_SNDHWM, queue_max);
    set(handle, ZMQ_RCVHWM, received_max(kind));
    /* libzmq closes the connection of a peer that announces more. */
    int64_t bytes_max = bytes_max_of(kind) + ZN_FRAME_HEADER_BYTES;
    int rc = zmq_setsockopt(handle, ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max);
    ZN_ASSERT(rc == 0);
    set(handle, ZMQ_HANDSHAKE_IVL, ZN_SOCKET_HANDSHAKE_MS);
    set(handle, ZMQ_CONNECT_TIMEOUT, ZN_SOCKET_HANDSHAKE_MS);
    set(handle, ZMQ_RECONNECT_IVL, RECONNECT_MS);
    set(handle, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MS_MAX);
    set(handle, ZMQ_BACKLOG, BACKLOG);
    set(handle, ZMQ_TCP_KEEPALIVE, 1);
    set(handle, ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S);
    set(handle, ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_INTERVAL_S);
    set(handle, ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_COUNT);
    set(handle, ZMQ_TCP_MAXRT, UNACKNOWLEDGED_MS);
    /* With IPV6 on, libzmq resolves "localhost" to ::1 and never tries 127.0.0.1, so it is on only
     * where an IPv6 address is written out. Names are resolved to IPv4. */
    set(handle, ZMQ_IPV6, strncmp(endpoint, "tcp://[", 7) == 0 ? 1 : 0);
    set_by_kind(handle, kind);
}

void zn_socket_set_pings(void *handle) {
    set(handle, ZMQ_HEARTBEAT_IVL, ZN_HEARTBEAT_MS);
    set(handle, ZMQ_HEARTBEAT_TIMEOUT, ZN_WORKER_LOST_MS);
}

static void set_bytes(void *handle, int option, const void *bytes, size_t len) {
    int rc = zmq_setsockopt(handle, option, bytes, len);
    ZN_ASSERT(rc == 0);
}

void zn_socket_set_client_keys(void *handle, const zn_keys *keys, const zn_key *server) {
    set_bytes(handle, ZMQ_CURVE_SERVERKEY, server->bytes, sizeof server->bytes);
    set_bytes(handle, ZMQ_CURVE_PUBLICKEY, keys->own.bytes, sizeof keys->own.bytes);
    set_bytes(handle, ZMQ_CURVE_SECRETKEY, keys->secret.bytes, sizeof keys->secret.bytes);
}

void zn_socket_set_server_keys(void *handle, const zn_keys *keys, const char *domain) {
    set(handle, ZMQ_CURVE_SERVER, 1);
    set_bytes(handle, ZMQ_CURVE_SECRETKEY, keys->secret.bytes, sizeof keys->secret.bytes);
    set_bytes(handle, ZMQ_ZAP_DOMAIN, domain, strlen(domain));
}
