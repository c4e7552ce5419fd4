/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WIRE_KEPT_H
#define ZN_WIRE_KEPT_H

#include "wire/channel.h"

/* Bytes of a received message that stay when the next one comes. All zero is nothing. */
typedef struct zn_kept {
    zn_bytes bytes;
    struct zn_kept_memory *memory; /* which they lie in */
} zn_kept;

/* Keeps `bytes`, which are of the message that `channel` gave last: takes over the memory of the
 * message if they are most of a large one, and copies them otherwise. The message stays valid as
 * long as both would be. `out` must be nothing before. */
void zn_kept_take(zn_kept *out, zn_channel *channel, zn_bytes bytes);

/* Releases the memory; then it is nothing. Any thread. */
void zn_kept_free(zn_kept *kept);

#endif
