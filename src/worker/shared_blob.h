/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_SHARED_BLOB_H
#define ZN_WORKER_SHARED_BLOB_H

#include <stdbool.h>

#include "base/digest.h"

/* The bytes of a large blob in memory that a worker and its slots share. The worker fills it; from
 * then on nobody can change it, and slots find it in the worker's scratch folder. One thread each.
 */
typedef struct zn_shared_blob zn_shared_blob;

/* By the worker: `bytes` (at least 1) to be filled. NULL if the system gives none. */
zn_shared_blob *zn_shared_blob_new(uint64_t bytes);

/* Fills in a part. False if there is no memory for it. */
bool zn_shared_blob_put(zn_shared_blob *blob, uint64_t offset, zn_bytes part);

/* All parts are in: ends changes. False on failure; then it has no use any more. */
bool zn_shared_blob_seal(zn_shared_blob *blob);

/* Lets slots find a sealed one in `folder` by its digest, until it is destroyed. Where that does
 * not work they do not. */
void zn_shared_blob_publish(zn_shared_blob *blob, const char *folder, zn_digest digest);

/* By a slot: the one of this size and of this digest, which is checked; NULL if there is none. It
 * stays as it is also when the worker has destroyed its own. */
zn_shared_blob *zn_shared_blob_find(const char *folder, zn_digest digest, uint64_t bytes);

/* Its bytes, once it is sealed; not to be written to. */
const uint8_t *zn_shared_blob_data(const zn_shared_blob *blob);

/* NULL-safe, clears the pointer. */
void zn_shared_blob_destroy(zn_shared_blob **blob);

#endif
