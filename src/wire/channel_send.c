/* SPDX-License-Identifier: MPL-2.0 */
/* The sending side of channels. A message is encoded behind space for the header of its frame and
 * copied into a part of libzmq. A large binary is left out of this and copied once, from where it
 * is; if that is the channel's room, not even that: then the rest is put around it. What is to be
 * compressed has to lie together and takes the long way. A send that does not work leaves the room
 * to the channel, so the same message may be sent again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "channel_def.h"
#include "wire/handover.h"

enum {
    KEEP_BYTES = ZN_MIB,
    APART_BYTES_MIN = 4096
};

static bool send_part(zn_channel *channel, zmq_msg_t *part, int flags) {
    int rc = 0;
    do {
        rc = zmq_msg_send(part, channel->handle, flags | ZMQ_DONTWAIT);
    } while (rc < 0 && errno == EINTR);
    return rc >= 0;
}

static void close_part(zmq_msg_t *part) {
    int reason = errno;
    zmq_msg_close(part);
    errno = reason;
}

static bool send_or_close(zn_channel *channel, zmq_msg_t *part, int flags) {
    ZN_HANDOVER_GIVE(zmq_msg_data(part));
    bool sent = send_part(channel, part, flags);
    if (!sent) {
        close_part(part);
    }
    return sent;
}

bool zn_channel_send_part(zn_channel *channel, const void *data, size_t len, int flags) {
    zmq_msg_t part;
    if (zmq_msg_init_size(&part, len) != 0) {
        abort();
    }
    memcpy(zmq_msg_data(&part), data, len);
    return send_or_close(channel, &part, flags);
}

uint8_t *zn_channel_room(zn_channel *channel, size_t bytes) {
    if (channel->room != NULL && !zn_room_has(channel->room, bytes)) {
        zn_room_destroy(&channel->room);
    }
    if (channel->room == NULL) {
        channel->room = zn_room_new(bytes);
    }
    return zn_room_bytes(channel->room);
}

/* Sends the frame in the room, which is the channel's no more when that has worked. */
static bool send_room(zn_channel *channel) {
    zmq_msg_t part;
    zn_room_to_part(channel->room, &part);
    bool sent = send_part(channel, &part, 0);
    if (sent) {
        channel->room = NULL;
    } else {
        zn_room_stay(channel->room);
        close_part(&part);
    }
    return sent;
}

/* Sends a frame without compression: `frame` with what is in the gap, in a part of its own. */
static bool send_around(zn_channel *channel, zn_bytes frame, zn_gap gap) {
    zmq_msg_t part;
    if (zmq_msg_init_size(&part, frame.len + gap.bytes.len) != 0) {
        abort();
    }
    uint8_t *to = zmq_msg_data(&part);
    memcpy(to, frame.data, gap.offset);
    if (gap.bytes.len > 0) {
        memcpy(to + gap.offset, gap.bytes.data, gap.bytes.len);
    }
    memcpy(to + gap.offset + gap.bytes.len, frame.data + gap.offset, frame.len - gap.offset);
    zn_frame_put_header(to, frame.len + gap.bytes.len);
    return send_or_close(channel, &part, 0);
}

/* Blocks of a segment are compressed already. */
static bool stays_plain(const zn_channel *channel, const zn_message *message) {
    return message->number == ZN_MSG_DATA || zn_framer_is_plain(channel->framer);
}

static bool send_plain(zn_channel *channel, const zn_message *message) {
    static const uint8_t space[ZN_FRAME_HEADER_BYTES];
    zn_gap gap;
    zn_buf_append(&channel->body, space, sizeof space);
    zn_message_encode_around(message, APART_BYTES_MIN, &channel->body, &gap);
    zn_bytes frame = zn_buf_bytes(&channel->body);
    if (channel->room != NULL && zn_room_close(channel->room, frame, gap)) {
        return send_room(channel);
    }
    return send_around(channel, frame, gap);
}

static bool send_packed(zn_channel *channel, const zn_message *message) {
    zn_message_encode(message, &channel->body);
    zn_framer_pack(channel->framer, zn_buf_bytes(&channel->body), &channel->frame);
    return zn_channel_send_part(channel, channel->frame.data, channel->frame.len, 0);
}

static bool send_body(zn_channel *channel, const zn_message *message) {
    zn_buf_reset(&channel->body, KEEP_BYTES);
    return stays_plain(channel, message) ? send_plain(channel, message)
                                         : send_packed(channel, message);
}

static zonda_err explain_send(const zn_channel *channel, const zn_message *message,
                              zonda_error *error) {
    const char *name = zn_message_name(message->number);
    if (errno == EHOSTUNREACH) {
        return zn_error_set(error, ZONDA_ERR_UNREACHABLE, "cannot send %s on %s: the peer is gone",
                            name, channel->endpoint);
    }
    if (errno == EAGAIN) {
        return zn_error_set(error, ZONDA_ERR_UNREACHABLE,
                            "cannot send %s on %s: no peer takes messages", name,
                            channel->endpoint);
    }
    return zn_error_set(error, ZONDA_ERR_INTERNAL, "cannot send %s on %s: %s", name,
                        channel->endpoint, zmq_strerror(errno));
}

zonda_err zn_channel_send(zn_channel *channel, const zn_peer *to, const zn_message *message,
                          zonda_error *error) {
    ZN_ASSERT((to != NULL) == (channel->kind == ZN_CHANNEL_ROUTER));
    ZN_ASSERT(channel->kind != ZN_CHANNEL_SUB);
    bool sent = (channel->kind != ZN_CHANNEL_REP || zn_envelope_send(channel)) &&
                (to == NULL || zn_channel_send_part(channel, to->id, to->len, ZMQ_SNDMORE)) &&
                send_body(channel, message);
    channel->awaiting = channel->kind == ZN_CHANNEL_REQ;
    return sent ? ZONDA_OK : explain_send(channel, message, error);
}
