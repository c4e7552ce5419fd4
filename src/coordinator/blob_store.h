/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_BLOB_STORE_H
#define ZN_COORDINATOR_BLOB_STORE_H

#include "base/digest.h"
#include "base/error.h"

/* The blobs of all jobs, in memory, by digest. A blob is kept for as long as a job refers to it. */
typedef struct zn_blob_store zn_blob_store;
typedef struct zn_blob zn_blob;

/* `bytes_max` bounds the declared sizes of all blobs together. */
zn_blob_store *zn_blob_store_new(uint64_t bytes_max);

/* NULL if there is no such blob, complete or not. Borrowed. */
zn_blob *zn_blob_store_find(const zn_blob_store *store, zn_digest digest);

/* Makes an empty blob with one reference. Errors: LIMIT (the store is full). The digest must be
 * new. */
zonda_err zn_blob_store_add(zn_blob_store *store, zn_digest digest, uint64_t size, zn_blob **out,
                            zonda_error *error);

/* Appends a part. What is already there is skipped, a part behind a gap is not stored; either way
 * zn_blob_received says where to go on. The last part verifies the digest. Errors: INVALID (beyond
 * the size), CORRUPT (other bytes than the digest says; the blob is empty again). */
zonda_err zn_blob_append(zn_blob *blob, uint64_t offset, zn_bytes bytes, zonda_error *error);

zn_digest zn_blob_digest(const zn_blob *blob);
uint64_t zn_blob_size(const zn_blob *blob);
uint64_t zn_blob_received(const zn_blob *blob);
bool zn_blob_complete(const zn_blob *blob);

/* The bytes that are there, borrowed. */
zn_bytes zn_blob_bytes(const zn_blob *blob);

/* Marks the blob with a number that was not used before. True if it has that mark already. */
bool zn_blob_mark(zn_blob *blob, uint64_t mark);

uint64_t zn_blob_store_used(const zn_blob_store *store);

void zn_blob_store_keep(zn_blob *blob);

/* Gives one reference up; the last one frees the blob. */
void zn_blob_store_release(zn_blob_store *store, zn_blob *blob);

void zn_blob_store_destroy(zn_blob_store **store);

#endif
