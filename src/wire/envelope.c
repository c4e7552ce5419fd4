/* SPDX-License-Identifier: MPL-2.0 */
/* Requests and replies over a ROUTER. A request comes as the routing id of its connection, the
 * number that REQ gives to it, an empty part, and the body; the reply takes the same parts back. A
 * REP socket of libzmq would do that alone, but whoever sends it a message without the empty part
 * and hangs up makes it swallow the reply to the next caller, so one stranger could keep all others
 * from being answered. Here a request that is none has no effect on any other. */
#include <errno.h>
#include <string.h>

#include "channel_def.h"

enum {
    PARTS_MAX = 4, /* before the empty one */
    PART_BYTES_MAX = 255
};

static void keep_part(zn_channel *channel, size_t len) {
    zn_buf_append_byte(&channel->envelope, (uint8_t)len);
    zn_buf_append(&channel->envelope, zmq_msg_data(&channel->received), len);
}

bool zn_envelope_receive(zn_channel *channel, bool *got) {
    channel->envelope.len = 0;
    for (int i = 0; i < PARTS_MAX + 1; i++) {
        if (!zn_channel_receive_part(channel, &channel->received)) {
            break;
        }
        *got = true;
        size_t len = zmq_msg_size(&channel->received);
        if (zmq_msg_more(&channel->received) == 0 || len > PART_BYTES_MAX) {
            break;
        }
        keep_part(channel, len);
        if (i > 0 && len == 0) {
            return true;
        }
    }
    channel->envelope.len = 0;
    return false;
}

bool zn_envelope_send(zn_channel *channel) {
    zn_bytes rest = zn_buf_bytes(&channel->envelope);
    bool sent = rest.len > 0;
    errno = EHOSTUNREACH;
    while (sent && rest.len > 0) {
        size_t len = rest.data[0];
        sent = zn_channel_send_part(channel, rest.data + 1, len, ZMQ_SNDMORE);
        rest = (zn_bytes){ rest.data + 1 + len, rest.len - 1 - len };
    }
    channel->envelope.len = 0;
    return sent;
}
