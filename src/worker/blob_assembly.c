/* SPDX-License-Identifier: MPL-2.0 */
/* Puts a blob together. The first answer tells the size, which comes from outside: it is bounded by
 * the message table and the memory is only tried for. Repeated parts are harmless; what cannot be
 * part of this blob (other size, odd offset) is ignored and asked for again after a silence. A
 * complete blob whose bytes have another digest counts as missing. A worker keeps large ones in
 * memory that its slots map, so a slot asks for the first part only. */
#include "worker/blob_assembly.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"

enum {
    REQUESTS_MAX = 4
};

enum {
    PART_WANTED = 0,
    PART_ASKED = 1,
    PART_HERE = 2
};

static uint64_t part_count(uint64_t size) {
    return size == 0 ? 1 : (size + ZN_BLOB_CHUNK_BYTES - 1) / ZN_BLOB_CHUNK_BYTES;
}

void zn_blob_assembly_init(zn_blob_assembly *blob, zn_digest digest, zn_blob_sharing sharing,
                           const char *folder) {
    *blob = (zn_blob_assembly){ .digest = digest, .sharing = sharing, .folder = folder };
}

void zn_blob_assembly_free(zn_blob_assembly *blob) {
    zn_shared_blob_destroy(&blob->shared);
    free(blob->own);
    free(blob->parts);
    blob->own = NULL;
    blob->parts = NULL;
    blob->data = NULL;
}

bool zn_blob_assembly_next(zn_blob_assembly *blob, uint64_t *offset) {
    if (blob->state != ZN_BLOB_PARTIAL) {
        return false;
    }
    if (!blob->sized) {
        bool first = !blob->asked_size;
        blob->asked_size = true;
        *offset = 0;
        return first;
    }
    if (blob->asked >= REQUESTS_MAX) {
        return false;
    }
    for (uint64_t i = 0; i < part_count(blob->size); i++) {
        if (blob->parts[i] == PART_WANTED) {
            blob->parts[i] = PART_ASKED;
            blob->asked += 1;
            *offset = i * ZN_BLOB_CHUNK_BYTES;
            return true;
        }
    }
    return false;
}

/* The whole blob, if the worker shares it. */
static bool find_shared(zn_blob_assembly *blob) {
    if (blob->sharing != ZN_BLOB_FINDS || blob->size < ZN_BLOB_SHARED_BYTES_MIN) {
        return false;
    }
    blob->shared = zn_shared_blob_find(blob->folder, blob->digest, blob->size);
    if (blob->shared != NULL) {
        blob->data = zn_shared_blob_data(blob->shared);
        blob->state = ZN_BLOB_COMPLETE;
    }
    return blob->shared != NULL;
}

/* Memory for the parts; false if there is none. */
static bool make_room(zn_blob_assembly *blob) {
    if (blob->sharing == ZN_BLOB_GIVES && blob->size >= ZN_BLOB_SHARED_BYTES_MIN) {
        blob->shared = zn_shared_blob_new(blob->size);
    }
    if (blob->shared == NULL) {
        blob->own = zn_try_alloc(blob->size == 0 ? 1 : (size_t)blob->size);
    }
    return blob->shared != NULL || blob->own != NULL;
}

static void learn_size(zn_blob_assembly *blob, uint64_t size) {
    blob->size = size;
    if (find_shared(blob)) {
        return;
    }
    if (!make_room(blob)) {
        blob->state = ZN_BLOB_MISSING;
        return;
    }
    blob->parts = zn_calloc((size_t)part_count(size), 1);
    blob->sized = true;
}

static bool store(zn_blob_assembly *blob, uint64_t offset, zn_bytes bytes) {
    if (blob->shared != NULL) {
        return zn_shared_blob_put(blob->shared, offset, bytes);
    }
    if (bytes.len > 0) {
        memcpy(blob->own + offset, bytes.data, bytes.len);
    }
    return true;
}

static void finish(zn_blob_assembly *blob) {
    blob->state = ZN_BLOB_MISSING;
    if (blob->shared != NULL && !zn_shared_blob_seal(blob->shared)) {
        return;
    }
    blob->data = blob->shared != NULL ? zn_shared_blob_data(blob->shared) : blob->own;
    zn_digest digest = zn_digest_of((zn_bytes){ .data = blob->data, .len = (size_t)blob->size });
    if (!zn_digest_equal(digest, blob->digest)) {
        return;
    }
    blob->state = ZN_BLOB_COMPLETE;
    if (blob->shared != NULL) {
        zn_shared_blob_publish(blob->shared, blob->folder, blob->digest);
    }
}

/* Takes a part of a blob of known size, if it fits. */
static void put_part(zn_blob_assembly *blob, const zn_msg_blob *part) {
    uint64_t index = part->offset / ZN_BLOB_CHUNK_BYTES;
    if (part->size != blob->size || part->offset % ZN_BLOB_CHUNK_BYTES != 0 ||
        index >= part_count(blob->size)) {
        return;
    }
    uint64_t left = blob->size - part->offset;
    uint64_t expected = left < ZN_BLOB_CHUNK_BYTES ? left : ZN_BLOB_CHUNK_BYTES;
    if (part->bytes.len != expected || blob->parts[index] == PART_HERE) {
        return;
    }
    if (!store(blob, part->offset, part->bytes)) {
        blob->state = ZN_BLOB_MISSING;
        return;
    }
    blob->asked -= blob->parts[index] == PART_ASKED ? 1 : 0;
    blob->parts[index] = PART_HERE;
    blob->here += 1;
    if (blob->here == part_count(blob->size)) {
        finish(blob);
    }
}

void zn_blob_assembly_put(zn_blob_assembly *blob, const zn_msg_blob *part) {
    if (blob->state != ZN_BLOB_PARTIAL) {
        return;
    }
    if (part->found == 0) {
        blob->state = ZN_BLOB_MISSING;
        return;
    }
    if (!blob->sized) {
        learn_size(blob, part->size);
    }
    if (blob->sized) {
        put_part(blob, part);
    }
}

void zn_blob_assembly_retry(zn_blob_assembly *blob) {
    blob->asked_size = false;
    blob->asked = 0;
    for (uint64_t i = 0; blob->sized && i < part_count(blob->size); i++) {
        if (blob->parts[i] == PART_ASKED) {
            blob->parts[i] = PART_WANTED;
        }
    }
}
