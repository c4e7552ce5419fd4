/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WIRE_ENDPOINT_H
#define ZN_WIRE_ENDPOINT_H

#include <stdbool.h>

#include "base/error.h"
#include "wire/keys.h"

/* Checks "inproc://NAME", "ipc://PATH", "tcp://HOST:PORT" (IPv6 in brackets; "*" as port only with
 * `bind`; the path of ipc within the system's limit; "#KEY" after it only without `bind`).
 * Errors: INVALID, naming what is wrong and the three forms. */
zonda_err zn_endpoint_check(const char *endpoint, bool bind, zonda_error *error);

/* An endpoint to connect to may end in "#" and the public key of who must be there, as 64 digits:
 * so the data endpoint of a worker says whom to expect. `with` makes one; `without` returns the
 * endpoint alone and says whether there was a key. Both are owned by the caller. */
char *zn_endpoint_with_key(const char *endpoint, const zn_key *key);
char *zn_endpoint_without_key(const char *endpoint, zn_key *key, bool *has_key);

/* Whether only this machine can reach what is bound there: inproc, ipc, 127/8, [::1], localhost. */
bool zn_endpoint_is_loopback(const char *endpoint);

/* An endpoint of the same transport and host for another socket of the same owner: "tcp://H:*",
 * "ipc://PATH.suffix", "inproc://NAME.suffix". Owned by the caller. */
char *zn_endpoint_sibling(const char *endpoint, const char *suffix);

/* Replaces the host of a bound wildcard endpoint ("tcp://0.0.0.0:7070", "[::]", "*") by one that
 * others can reach, `host`; any other endpoint is copied. Owned by the caller. */
char *zn_endpoint_advertise(const char *endpoint, const char *host);

/* The local address from which `endpoint` (tcp) is reached, found by the routing table without
 * sending anything. Owned by the caller; NULL if there is no route. */
char *zn_endpoint_local_address(const char *endpoint);

#endif
