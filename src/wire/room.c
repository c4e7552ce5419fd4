/* SPDX-License-Identifier: MPL-2.0 */
/* A large binary is written once, into the memory that libzmq sends from. What stands before it in
 * the message depends on its length, so it is put in front of the binary from the back when that is
 * known:
 *   space | header of the frame | head | binary | tail | space
 * libzmq frees the memory when the last byte has left. Used by channels, for zn_channel_room. */
#include "wire/room.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "wire/frame.h"
#include "wire/handover.h"

enum {
    FRONT_BYTES = 128,
    BACK_BYTES = 64
};

struct zn_room {
    size_t bytes;
    uint8_t *frame; /* in `memory` */
    size_t frame_len;
    bool stays; /* whoever closes the part leaves it alone */
    uint8_t memory[];
};

zn_room *zn_room_new(size_t bytes) {
    zn_room *room = zn_alloc(sizeof *room + FRONT_BYTES + bytes + BACK_BYTES);
    *room = (zn_room){ .bytes = bytes };
    return room;
}

bool zn_room_has(const zn_room *room, size_t bytes) {
    return room->bytes >= bytes;
}

uint8_t *zn_room_bytes(zn_room *room) {
    return room->memory + FRONT_BYTES;
}

bool zn_room_close(zn_room *room, zn_bytes frame, zn_gap gap) {
    uint8_t *bytes = zn_room_bytes(room);
    if (gap.bytes.data != bytes) {
        return false;
    }
    size_t tail = frame.len - gap.offset;
    ZN_ASSERT(gap.offset <= FRONT_BYTES && tail <= BACK_BYTES && gap.bytes.len <= room->bytes);
    memcpy(bytes - gap.offset, frame.data, gap.offset);
    memcpy(bytes + gap.bytes.len, frame.data + gap.offset, tail);
    room->frame = bytes - gap.offset;
    room->frame_len = frame.len + gap.bytes.len;
    zn_frame_put_header(room->frame, room->frame_len);
    return true;
}

static void leave(void *data, void *hint) {
    ZN_HANDOVER_TAKE(data);
    zn_room *room = hint;
    if (!room->stays) {
        free(room);
    }
}

void zn_room_to_part(zn_room *room, zmq_msg_t *part) {
    uint8_t *frame = room->frame;
    room->stays = false;
    if (zmq_msg_init_data(part, frame, room->frame_len, leave, room) != 0) {
        abort();
    }
    ZN_HANDOVER_GIVE(frame);
}

void zn_room_stay(zn_room *room) {
    room->stays = true;
}

void zn_room_destroy(zn_room **room) {
    free(*room);
    *room = NULL;
}
