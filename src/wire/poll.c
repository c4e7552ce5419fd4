/* SPDX-License-Identifier: MPL-2.0 */
/* Waiting for several things at once, the only place where a loop blocks. Sockets are waited for
 * with zmq_poll, never through their file descriptors, which tell of changes and not of states. */
#include "channel_def.h"

#include <stdlib.h>

#include "base/alloc.h"

enum {
    ITEMS_USUAL = 16
};

static zmq_pollitem_t to_zmq(const zn_poll_item *item) {
    zmq_pollitem_t out = { .events = ZMQ_POLLIN };
    switch (item->kind) {
    case ZN_POLL_CHANNEL:
        out.socket = item->channel->handle;
        break;
    case ZN_POLL_MONITOR:
        out.socket = zsock_resolve(item->channel->monitor);
        break;
    case ZN_POLL_FD:
        out.fd = item->fd;
        break;
    }
    return out;
}

/* The shorter of the two, where -1 is for ever. */
static int shorter(int a_ms, int b_ms) {
    if (a_ms < 0 || b_ms < 0) {
        return a_ms < 0 ? b_ms : a_ms;
    }
    return a_ms < b_ms ? a_ms : b_ms;
}

static size_t wait_for(zn_poll_item *items, zmq_pollitem_t *polled, size_t count, int timeout_ms) {
    for (size_t i = 0; i < count; i++) {
        items[i].ready = false;
        polled[i] = to_zmq(&items[i]);
        if (items[i].kind == ZN_POLL_MONITOR) {
            timeout_ms = shorter(timeout_ms, zn_monitor_wait_ms(items[i].channel));
        }
    }
    int rc = zmq_poll(polled, (int)count, timeout_ms);
    size_t ready = 0;
    for (size_t i = 0; i < count; i++) {
        items[i].ready = rc > 0 && polled[i].revents != 0;
        if (items[i].kind == ZN_POLL_MONITOR) {
            items[i].ready = zn_monitor_check(items[i].channel);
        }
        ready += items[i].ready ? 1 : 0;
    }
    return ready;
}

size_t zn_poll(zn_poll_item *items, size_t count, int timeout_ms) {
    zmq_pollitem_t usual[ITEMS_USUAL];
    if (count <= ITEMS_USUAL) {
        return wait_for(items, usual, count, timeout_ms);
    }
    zmq_pollitem_t *many = zn_calloc(count, sizeof *many);
    size_t ready = wait_for(items, many, count, timeout_ms);
    free(many);
    return ready;
}
