/* SPDX-License-Identifier: MPL-2.0 */
/* Inside wire only. */
#ifndef ZN_WIRE_SOCKET_OPTIONS_H
#define ZN_WIRE_SOCKET_OPTIONS_H

#include "wire/channel.h"
#include "wire/keys.h"

/* Sets every option of a new socket, before it is bound or connected to `endpoint`. At most
 * `queue_max` messages wait for a peer. */
void zn_socket_set_options(void *handle, zn_channel_kind kind, const char *endpoint, int queue_max);

/* Makes a new socket end connections on which nobody answers for ZN_WORKER_LOST_MS. */
void zn_socket_set_pings(void *handle);

/* Makes a new socket speak CURVE: as a client that trusts `server` alone, or, with a `domain`, as a
 * server that lets in whom the process allows for it. */
void zn_socket_set_client_keys(void *handle, const zn_keys *keys, const zn_key *server);
void zn_socket_set_server_keys(void *handle, const zn_keys *keys, const char *domain);

#endif
