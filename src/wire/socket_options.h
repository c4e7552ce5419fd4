/* SPDX-License-Identifier: MPL-2.0 */
/* Inside wire only. */
#ifndef ZN_WIRE_SOCKET_OPTIONS_H
#define ZN_WIRE_SOCKET_OPTIONS_H

#include "wire/channel.h"

/* Sets every option of a new socket, before it is bound or connected to `endpoint`. At most
 * `queue_max` messages wait for a peer. */
void zn_socket_set_options(void *handle, zn_channel_kind kind, const char *endpoint, int queue_max);

#endif
