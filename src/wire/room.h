/* SPDX-License-Identifier: MPL-2.0 */
/* Inside wire only: the memory behind zn_channel_room. */
#ifndef ZN_WIRE_ROOM_H
#define ZN_WIRE_ROOM_H

#include <zmq.h>

#include "wire/message_gap.h"

/* Memory for the one large binary of a message, with space around it for the rest of the message
 * and the header of its frame. */
typedef struct zn_room zn_room;

zn_room *zn_room_new(size_t bytes);

/* Whether it has so much. */
bool zn_room_has(const zn_room *room, size_t bytes);

/* Where the binary is. */
uint8_t *zn_room_bytes(zn_room *room);

/* Puts what is in `frame` before and behind the gap around the binary, then fills in the header,
 * for which `frame` begins with space. There is space for some ten bytes on each side. False if
 * what is in the gap is something else. */
bool zn_room_close(zn_room *room, zn_bytes frame, zn_gap gap);

/* Makes a message part of the frame without copying it. When the part is closed the room is
 * destroyed, in whatever thread that happens; unless zn_room_stay was said before. */
void zn_room_to_part(zn_room *room, zmq_msg_t *part);
void zn_room_stay(zn_room *room);

/* NULL-safe, clears the pointer. */
void zn_room_destroy(zn_room **room);

#endif
