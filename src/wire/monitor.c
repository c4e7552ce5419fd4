/* SPDX-License-Identifier: MPL-2.0 */
/* Watching a bound socket for connections that close. libzmq tells of a closed connection from its
 * I/O thread, through a PAIR socket, a moment before the socket itself forgets the peer. Whoever
 * then asks the socket "is this peer still there?" at once may still be told yes. So closings are
 * held back for SETTLE_NS; zn_poll knows of it and wakes up in time.
 * The same PAIR tells when a listener is closed, which libzmq does in the background: a channel
 * waits for it when it is destroyed, so that its port or path is free again when it is gone. */
#include "channel_def.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "wire/context.h"

#define SETTLE_NS (10 * ZN_NS_PER_MS)

enum {
    EVENTS = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
             ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
             ZMQ_EVENT_CLOSED | ZMQ_EVENT_CLOSE_FAILED,
    UNBIND_MS_MAX = 1000, /* should the I/O thread be stuck, we go on */
};

zonda_err zn_monitor_open(zn_channel *channel, int events, zonda_error *error) {
    ZN_ASSERT(channel->monitor == NULL);
    char *endpoint =
        zn_format("inproc://zonda.monitor.%016llx", (unsigned long long)zn_random_id());
    zonda_err code = ZONDA_OK;
    if (!zn_context_has_room()) {
        code = zn_error_set(error, ZONDA_ERR_LIMIT, "cannot watch %s: no file descriptor is left",
                            channel->endpoint);
    } else if (zmq_socket_monitor(channel->handle, endpoint, events) != 0) {
        code = zn_error_set(error, ZONDA_ERR_IO, "cannot watch %s: %s", channel->endpoint,
                            zmq_strerror(errno));
    } else {
        channel->monitor = zsock_new(ZMQ_PAIR);
        /* libzmq's own thread waits where notices find no room. */
        zsock_set_rcvhwm(channel->monitor, 0);
        if (zsock_connect(channel->monitor, "%s", endpoint) != 0) {
            code = zn_error_set(error, ZONDA_ERR_IO, "cannot watch %s: %s", channel->endpoint,
                                zmq_strerror(errno));
            zn_monitor_close(channel);
        } else {
            zsock_set_linger(channel->monitor, 0);
        }
    }
    free(endpoint);
    return code;
}

zonda_err zn_channel_monitor(zn_channel *channel, zonda_error *error) {
    ZN_ASSERT(channel->bound);
    return zn_monitor_open(channel, EVENTS, error);
}

void zn_monitor_close(zn_channel *channel) {
    if (channel->monitor != NULL) {
        zmq_socket_monitor(channel->handle, NULL, 0);
        zsock_destroy(&channel->monitor);
    }
}

/* A part with 16 bits of event and 32 bits of value, then the address. */
bool zn_monitor_read(zn_channel *channel, zn_monitor_event *out) {
    void *handle = zsock_resolve(channel->monitor);
    zmq_msg_t part;
    zmq_msg_init(&part);
    bool got = zmq_msg_recv(&part, handle, ZMQ_DONTWAIT) >= 0;
    *out = (zn_monitor_event){ 0 };
    if (got && zmq_msg_size(&part) >= sizeof out->event + sizeof out->value) {
        const uint8_t *bytes = zmq_msg_data(&part);
        memcpy(&out->event, bytes, sizeof out->event);
        memcpy(&out->value, bytes + sizeof out->event, sizeof out->value);
    }
    bool more = got;
    while (more && zmq_msg_more(&part) != 0) {
        more = zmq_msg_recv(&part, handle, ZMQ_DONTWAIT) >= 0;
    }
    zmq_msg_close(&part);
    return got;
}

static void drain(zn_channel *channel) {
    zn_monitor_event notice;
    while (zn_monitor_read(channel, &notice)) {
        uint16_t event = notice.event;
        if (event == ZMQ_EVENT_CLOSED || event == ZMQ_EVENT_CLOSE_FAILED) {
            continue;
        }
        if (event != ZMQ_EVENT_DISCONNECTED) {
            zn_log(ZONDA_LOG_DEBUG, "handshake-failed", "endpoint=%s event=%u", channel->endpoint,
                   event);
        } else if (channel->closings_due_ns == 0) {
            channel->closings_due_ns = zn_clock_ns() + SETTLE_NS;
        }
    }
}

void zn_monitor_unbind(zn_channel *channel) {
    if (strncmp(channel->endpoint, "inproc://", 9) == 0) {
        zmq_unbind(channel->handle, channel->endpoint);
        return;
    }
    if ((channel->monitor == NULL && zn_channel_monitor(channel, NULL) != ZONDA_OK) ||
        zmq_unbind(channel->handle, channel->endpoint) != 0) {
        return;
    }
    zmq_pollitem_t item = { .socket = zsock_resolve(channel->monitor), .events = ZMQ_POLLIN };
    zn_monitor_event notice = { 0 };
    while (notice.event != ZMQ_EVENT_CLOSED && notice.event != ZMQ_EVENT_CLOSE_FAILED) {
        int rc = zmq_poll(&item, 1, UNBIND_MS_MAX);
        if (rc == 0 || (rc < 0 && errno != EINTR)) {
            return;
        }
        zn_monitor_read(channel, &notice);
    }
}

int zn_monitor_wait_ms(const zn_channel *channel) {
    if (channel->closings_due_ns == 0) {
        return -1;
    }
    uint64_t now = zn_clock_ns();
    if (channel->closings_due_ns <= now) {
        return 0;
    }
    return (int)((channel->closings_due_ns - now + ZN_NS_PER_MS - 1) / ZN_NS_PER_MS);
}

bool zn_monitor_check(zn_channel *channel) {
    drain(channel);
    return channel->closings_due_ns != 0 && channel->closings_due_ns <= zn_clock_ns();
}

bool zn_channel_peers_closed(zn_channel *channel) {
    if (!zn_monitor_check(channel)) {
        return false;
    }
    channel->closings_due_ns = 0;
    return true;
}
