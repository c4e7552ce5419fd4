/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_DATA_SERVER_H
#define ZN_STORE_DATA_SERVER_H

#include "base/error.h"

/* Serves the segments of a scratch folder to whoever asks with FETCH. A thread of its own. */
typedef struct zn_data_server zn_data_server;

/* Binds the data endpoint and starts the thread. NULL and `error` on failure: INVALID (endpoint),
 * IO (bind), LIMIT. The caller has decided who may reach `bind`. */
zn_data_server *zn_data_server_start(const char *bind, const char *scratch, zonda_error *error);

/* Where it is bound, with the port that was chosen. Borrowed. */
const char *zn_data_server_endpoint(const zn_data_server *server);

/* Stops the thread, closes the socket, frees everything. NULL-safe, clears the pointer. */
void zn_data_server_stop(zn_data_server **server);

#endif
