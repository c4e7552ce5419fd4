/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_FETCH_H
#define ZN_STORE_FETCH_H

#include "base/buf.h"
#include "base/error.h"

/* Reads records of results that lie in segments of workers, over their data sockets. Keeps
 * connections for reuse. One thread. `timeout_ms` 0: ZN_CALL_TIMEOUT_MS. */
typedef struct zn_fetcher zn_fetcher;
zn_fetcher *zn_fetcher_new(uint32_t timeout_ms);
void zn_fetcher_destroy(zn_fetcher **fetcher);

/* Called for the records of each block in order: concatenated checked values. A code other than OK
 * stops the fetch and comes out of it. It must not use the same fetcher. */
typedef zonda_err zn_fetch_records(void *context, zn_bytes records, uint32_t count,
                                   zonda_error *error);

/* Fetches `length` bytes from `offset` of `segment` at the data endpoint, at most a few requests
 * ahead (that is the credit). Errors: WORKER_LOST (no answer in time, or gone; names the endpoint),
 * CORRUPT (names segment and offset), INVALID (endpoint, name or place), what the worker answered
 * (NOT_FOUND: it has no such segment; IO), VERSION, what the callback returned. */
zonda_err zn_fetcher_read(zn_fetcher *fetcher, const char *endpoint, zn_bytes segment,
                          uint64_t offset, uint64_t length, zn_fetch_records *on_records,
                          void *context, zonda_error *error);

/* Offset behind the last block that the last read handed on: where to go on after a callback has
 * stopped it. */
uint64_t zn_fetcher_position(const zn_fetcher *fetcher);

#endif
