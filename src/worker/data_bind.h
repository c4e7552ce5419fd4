/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_DATA_BIND_H
#define ZN_WORKER_DATA_BIND_H

#include "wire/keys.h"
#include "worker/worker.h"

/* Where a worker binds its data socket: as its options say, or with the transport of the
 * coordinator. `sockets` is a folder for ipc, `unique` a number for inproc. Owned by the caller;
 * NULL and `error`: INVALID, REFUSED (others could reach it and `insecure` was not given), IO (no
 * route to the coordinator). */
char *zn_data_bind(const zn_worker_options *options, const char *sockets, uint64_t unique,
                   zonda_error *error);

/* The endpoint that others are told for what is bound, with the public key that they must find
 * there (NULL: none). Owned by the caller. */
char *zn_data_advertise(const zn_worker_options *options, const char *bound, const zn_key *own);

#endif
