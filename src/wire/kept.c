/* SPDX-License-Identifier: MPL-2.0 */
/* What comes in pieces of half a megabyte should not be copied only because the next message comes
 * before it is used. libzmq counts who uses the memory of a message, so the channel can give it
 * away. Small messages share the buffer that they were received into, which one of them would keep
 * alive as a whole; what is compressed lies in the framer's. Used by the data client. */
#include "wire/kept.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "channel_def.h"

enum {
    TAKE_BYTES_MIN = 32 * ZN_KIB /* above the 8 KiB that libzmq receives at once */
};

struct zn_kept_memory {
    zmq_msg_t message;
};

/* Whether the received message is hardly more than these bytes. */
static bool is_most_of(zmq_msg_t *message, zn_bytes bytes) {
    const uint8_t *start = zmq_msg_data(message);
    size_t size = zmq_msg_size(message);
    return bytes.len >= TAKE_BYTES_MIN && bytes.len >= size / 2 && bytes.data >= start &&
           bytes.data < start + size;
}

void zn_kept_take(zn_kept *out, zn_channel *channel, zn_bytes bytes) {
    ZN_ASSERT(out->memory == NULL);
    out->memory = zn_alloc(sizeof *out->memory);
    out->bytes = bytes;
    zmq_msg_t *message = &out->memory->message;
    if (is_most_of(&channel->received, bytes)) {
        zmq_msg_init(message);
        zmq_msg_move(message, &channel->received);
        return;
    }
    if (zmq_msg_init_size(message, bytes.len) != 0) {
        abort();
    }
    if (bytes.len > 0) {
        memcpy(zmq_msg_data(message), bytes.data, bytes.len);
    }
    out->bytes.data = zmq_msg_data(message);
}

void zn_kept_free(zn_kept *kept) {
    if (kept->memory != NULL) {
        zmq_msg_close(&kept->memory->message);
        free(kept->memory);
    }
    *kept = (zn_kept){ 0 };
}
