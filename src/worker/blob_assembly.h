/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_BLOB_ASSEMBLY_H
#define ZN_WORKER_BLOB_ASSEMBLY_H

#include <stdbool.h>

#include "base/digest.h"
#include "wire/message.h"
#include "worker/shared_blob.h"

typedef enum zn_blob_state {
    ZN_BLOB_PARTIAL,
    ZN_BLOB_COMPLETE,
    ZN_BLOB_MISSING, /* the other side does not have it, or what it has is not this blob */
} zn_blob_state;

typedef enum zn_blob_sharing {
    ZN_BLOB_ALONE,
    ZN_BLOB_GIVES, /* lets slots find it, if it is large */
    ZN_BLOB_FINDS, /* may find it when it knows how large it is; then no other part is needed */
} zn_blob_sharing;

/* A blob that comes in parts of ZN_BLOB_CHUNK_BYTES, in any order. Used by slots and workers. */
typedef struct zn_blob_assembly {
    zn_digest digest;
    zn_blob_sharing sharing;
    const char *folder; /* borrowed, where it is shared */
    zn_blob_state state;
    const uint8_t *data;    /* COMPLETE: the bytes, in one of these: */
    uint8_t *own;           /* owned, NULL: none */
    zn_shared_blob *shared; /* NULL: none */
    uint64_t size;
    bool sized;      /* size is known and there is memory */
    uint8_t *parts;  /* per part: 0 wanted, 1 asked for, 2 here */
    uint64_t here;   /* parts that are here */
    uint32_t asked;  /* requests without an answer */
    bool asked_size; /* the first part was asked for to learn the size */
} zn_blob_assembly;

/* `folder` is a scratch folder, borrowed; not used if the blob is ALONE. */
void zn_blob_assembly_init(zn_blob_assembly *blob, zn_digest digest, zn_blob_sharing sharing,
                           const char *folder);
void zn_blob_assembly_free(zn_blob_assembly *blob);

/* Whether a part should be asked for now; sets its offset and counts it as asked for. A few
 * requests are under way at a time. */
bool zn_blob_assembly_next(zn_blob_assembly *blob, uint64_t *offset);

/* Takes a part; one that does not fit is ignored. When the last is here the digest is checked. */
void zn_blob_assembly_put(zn_blob_assembly *blob, const zn_msg_blob *part);

/* Answers were lost: what was asked for and did not come is wanted again. */
void zn_blob_assembly_retry(zn_blob_assembly *blob);

#endif
