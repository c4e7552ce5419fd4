/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_DATA_SERVER_H
#define ZN_STORE_DATA_SERVER_H

#include "base/buf.h"
#include "base/error.h"
#include "wire/keys.h"

/* Serves the segments of a scratch folder to whoever asks with FETCH. A thread of its own. */
typedef struct zn_data_server zn_data_server;

/* Binds the data endpoint and starts the thread. NULL and `error` on failure: INVALID (endpoint),
 * IO (bind), LIMIT. The caller has decided who may reach `bind`. */
zn_data_server *zn_data_server_start(const char *bind, const char *scratch, zonda_error *error);

/* The same for those alone whose keys are allowed, at first nobody's; `keys` (borrowed for the
 * call; NULL: for everybody) are our own. Errors: also KEYS. */
zn_data_server *zn_data_server_start_keyed(const char *bind, const char *scratch,
                                           const zn_keys *keys, zonda_error *error);

/* From now on these may fetch: public keys, one behind the other. Any thread. */
void zn_data_server_allow(zn_data_server *server, zn_bytes keys);

/* Where it is bound, with the port that was chosen. Borrowed. */
const char *zn_data_server_endpoint(const zn_data_server *server);

/* Stops the thread, closes the socket, frees everything. NULL-safe, clears the pointer. */
void zn_data_server_stop(zn_data_server **server);

#endif
