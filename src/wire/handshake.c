/* SPDX-License-Identifier: MPL-2.0 */
/* Why a connection does not come about. A caller that waits for an answer learns from libzmq's
 * monitor that there will be none: the two ends do not both have keys, ours is not allowed, or the
 * other end is not the one whose key we know. The last is not said by anybody: who cannot open our
 * greeting closes the connection. So does who is just being killed, or a tunnel with nobody behind
 * it; and the other kinds of misfit look like it when closing overtakes the explanation. So such
 * closings count when they have lasted for seconds, each soon after its connection was made (one
 * that comes late is a peer that is stuck). Only "not allowed" is final: the rest may be a
 * coordinator that is started again in a wrong way, which need not cost those who know it anything.
 * libzmq takes a greeting that does not fit for final, and gives the connection up; we make new
 * ones. Used by those who call: control clients, workers that look for their coordinator, readers
 * of data. */
#include "channel_def.h"

#include "base/assert.h"
#include "base/clock.h"

#define AT_ONCE_NS (2 * ZN_NS_PER_S)
#define BROKEN_NS (4 * ZN_NS_PER_S)
#define RENEW_NS (2 * ZN_NS_PER_S)

enum {
    EVENTS = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
             ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
             ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_DISCONNECTED,
    BROKEN_MAX = 4,
};

zonda_err zn_handshake_watch(zn_channel *channel, zonda_error *error) {
    ZN_ASSERT(!channel->bound);
    channel->down_ns = zn_clock_ns();
    return zn_monitor_open(channel, EVENTS, error);
}

static zonda_err say_not_allowed(const zn_channel *channel, zonda_error *error) {
    zn_error_set(error, ZONDA_ERR_KEYS, "%s refused our key: it is not among those that it allows",
                 channel->endpoint);
    if (error != NULL) {
        error->permanent = true;
    }
    return ZONDA_ERR_KEYS;
}

static zonda_err say_misfit(const zn_channel *channel, zonda_error *error) {
    const char *text = channel->keyed ? "%s has no keys, and ours say to talk to those alone that "
                                        "have; is that the right endpoint?"
                                      : "%s asks for keys, and none were given (--keys DIR)";
    return zn_error_set(error, ZONDA_ERR_KEYS, text, channel->endpoint);
}

static zonda_err say_broken(const zn_channel *channel, zonda_error *error) {
    const char *text =
        channel->keyed
            ? "%s does not have the key that is expected there, or has none: it ends every "
              "connection at once"
            : "%s ends every connection at once: it may ask for keys, and none were given (--keys "
              "DIR)";
    return zn_error_set(error, ZONDA_ERR_KEYS, text, channel->endpoint);
}

/* A connection was closed before it began. */
static zonda_err take_closing(zn_channel *channel, uint64_t now, zonda_error *error) {
    if (now - channel->connected_ns >= AT_ONCE_NS) {
        channel->broken_count = 0;
        return ZONDA_OK;
    }
    if (channel->broken_count++ == 0) {
        channel->broken_ns = now;
    }
    bool lasts = channel->broken_count > BROKEN_MAX && now - channel->broken_ns >= BROKEN_NS;
    return lasts ? say_broken(channel, error) : ZONDA_OK;
}

static zonda_err take_notice(zn_channel *channel, const zn_monitor_event *notice,
                             zonda_error *error) {
    uint64_t now = zn_clock_ns();
    switch (notice->event) {
    case ZMQ_EVENT_CONNECTED:
        channel->connected_ns = now;
        return ZONDA_OK;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        channel->broken_count = 0;
        channel->down_ns = 0;
        channel->failed_ns = 0;
        return ZONDA_OK;
    case ZMQ_EVENT_DISCONNECTED:
        channel->down_ns = channel->down_ns == 0 ? now : channel->down_ns;
        return ZONDA_OK;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return say_not_allowed(channel, error);
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        channel->failed_ns = now;
        return notice->value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH
                   ? say_misfit(channel, error)
                   : ZONDA_OK; /* a peer that is none of ours shows by its silence */
    default:
        channel->failed_ns = now;
        return take_closing(channel, now, error);
    }
}

zonda_err zn_channel_refused(zn_channel *channel, zonda_error *error) {
    zonda_err found = ZONDA_OK;
    zn_monitor_event notice;
    while (channel->monitor != NULL && zn_monitor_read(channel, &notice)) {
        zonda_err code = take_notice(channel, &notice, found == ZONDA_OK ? error : NULL);
        found = found == ZONDA_OK ? code : found;
    }
    if (found != ZONDA_OK) {
        channel->broken_count = 0;
    }
    uint64_t now = zn_clock_ns();
    if (channel->failed_ns != 0 && now - channel->failed_ns >= RENEW_NS) {
        zn_channel_renew(channel);
        channel->failed_ns = now;
    }
    return found;
}

uint64_t zn_channel_down_ms(const zn_channel *channel) {
    if (channel->down_ns == 0) {
        return 0;
    }
    bool ends_them = channel->broken_count > 0 && channel->connected_ns > channel->down_ns;
    uint64_t since_ns = ends_them ? channel->connected_ns : channel->down_ns;
    return (zn_clock_ns() - since_ns) / ZN_NS_PER_MS;
}
