/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_FETCH_H
#define ZN_STORE_FETCH_H

#include "base/buf.h"
#include "base/error.h"
#include "base/memory.h"
#include "store/place.h"
#include "wire/keys.h"

/* What readers of segments share: connections to the data sockets of workers, files of workers on
 * this host, a codec. One thread. `timeout_ms` 0: ZN_CALL_TIMEOUT_MS. All readers must be closed
 * before it is destroyed. */
typedef struct zn_fetcher zn_fetcher;
zn_fetcher *zn_fetcher_new(uint32_t timeout_ms);
void zn_fetcher_destroy(zn_fetcher **fetcher);

/* See zn_data_client_set_keys. */
void zn_fetcher_set_keys(zn_fetcher *fetcher, const zn_keys *keys);

/* Who waits for a worker that is silent would do so for the whole timeout. `cancelled` is asked all
 * the while, cheaply; when it says so reading fails with CANCELLED. */
void zn_fetcher_set_cancel(zn_fetcher *fetcher, bool (*cancelled)(void *context), void *context);

/* The machine that this is, for zn_result_place_of. Borrowed. */
const char *zn_fetcher_machine(const zn_fetcher *fetcher);

/* Called for the values of each block in order: concatenated checked values. A code other than OK
 * stops the reading and comes out of it. */
typedef zonda_err zn_fetch_records(void *context, zn_bytes records, uint32_t count,
                                   zonda_error *error);

/* Reads a stretch and pushes its blocks; `memory` (may be NULL) is charged meanwhile. Errors: those
 * of zn_block_reader_open and _next, what the callback returned. */
zonda_err zn_fetcher_read(zn_fetcher *fetcher, const zn_place *place, zn_stretch stretch,
                          zn_memory *memory, zn_fetch_records *on_records, void *context,
                          zonda_error *error);

#endif
