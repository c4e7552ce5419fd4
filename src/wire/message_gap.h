/* SPDX-License-Identifier: MPL-2.0 */
/* Inside wire only: messages whose one large binary is somewhere else. */
#ifndef ZN_WIRE_MESSAGE_GAP_H
#define ZN_WIRE_MESSAGE_GAP_H

#include "wire/message.h"

/* Bytes that were left out, borrowed from the message, and where they belong. */
typedef struct zn_gap {
    size_t offset;
    zn_bytes bytes; /* none: nothing was left out */
} zn_gap;

/* zn_message_encode, but the content of the first binary of at least `bytes_min` bytes is left out
 * of `out`, and told in `gap`. */
void zn_message_encode_around(const zn_message *message, size_t bytes_min, zn_buf *out,
                              zn_gap *gap);

#endif
