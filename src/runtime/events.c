/* SPDX-License-Identifier: MPL-2.0 */
/* The subscription to a coordinator's events. An event is a hint and nothing more: what is true is
 * what GET_STATUS answers. So whatever is lost, repeated, late or unreadable here is dropped
 * without a word. Used by the driver's shell while a stage runs. */
#include "runtime/events.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "wire/channel.h"

enum {
    DRAIN_MAX = 1000 /* events per look; the rest is seen by the next */
};

struct zn_events {
    zn_channel *channel;
};

zn_events *zn_events_new(const char *endpoint, uint64_t client, const zn_keys *keys,
                         zonda_error *error) {
    zn_channel *channel = zn_channel_connect_watched(ZN_CHANNEL_SUB, endpoint, keys, error);
    if (channel == NULL) {
        return NULL;
    }
    zn_channel_announce(channel, client);
    zn_events *events = ZN_NEW(zn_events);
    events->channel = channel;
    return events;
}

void zn_events_destroy(zn_events **events) {
    if (events == NULL || *events == NULL) {
        return;
    }
    zn_channel_destroy(&(*events)->channel);
    free(*events);
    *events = NULL;
}

/* Takes what is there; true if something was about `job`. */
static bool drain(zn_events *events, zn_job_id job) {
    bool hint = false;
    bool got = true;
    zn_channel_refused(events->channel, NULL); /* the control client says why */
    for (size_t i = 0; i < DRAIN_MAX && got; i++) {
        zn_message event;
        zonda_err err = zn_channel_recv(events->channel, NULL, &event, &got, NULL);
        if (got && err == ZONDA_OK && event.number == ZN_MSG_EVENT &&
            event.event.job == job.value) {
            hint = true;
        }
    }
    return hint;
}

bool zn_events_wait(zn_events *events, zn_job_id job, uint64_t wait_ns) {
    uint64_t max_ns = ZN_POLL_MS_MAX * ZN_NS_PER_MS;
    wait_ns = wait_ns < max_ns ? wait_ns : max_ns;
    if (events != NULL && drain(events, job)) {
        return true;
    }
    int wait_ms = (int)((wait_ns + ZN_NS_PER_MS - 1) / ZN_NS_PER_MS);
    if (events == NULL) {
        zn_poll(NULL, 0, wait_ms);
        return false;
    }
    zn_poll_item item = { .kind = ZN_POLL_CHANNEL, .channel = events->channel };
    zn_poll(&item, 1, wait_ms);
    return drain(events, job);
}
