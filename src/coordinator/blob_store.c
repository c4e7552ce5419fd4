/* SPDX-License-Identifier: MPL-2.0 */
/* Blobs in memory: stage bodies and what tasks of a stage do not share. A blob has its whole size
 * reserved from its first part on, so that a driver is told that the store is full before it sends
 * a gigabyte. Parts come in order; content addressing makes repeated and concurrent uploads of one
 * blob harmless. Only a blob whose digest was verified counts as complete. */
#include "coordinator/blob_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

struct zn_blob {
    zn_digest digest;
    uint64_t size;
    uint64_t received;
    bool complete;
    uint32_t references;
    uint64_t mark;
    uint8_t *data; /* `size` bytes, of which `received` are there */
};

struct zn_blob_store {
    zn_blob **blobs; /* ascending by digest */
    size_t count;
    size_t capacity;
    uint64_t used;
    uint64_t bytes_max;
};

zn_blob_store *zn_blob_store_new(uint64_t bytes_max) {
    zn_blob_store *store = ZN_NEW(zn_blob_store);
    store->bytes_max = bytes_max;
    return store;
}

static size_t place_of(const zn_blob_store *store, zn_digest digest, bool *found) {
    size_t low = 0;
    size_t high = store->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(store->blobs[middle]->digest.bytes, digest.bytes, ZN_DIGEST_BYTES);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

zn_blob *zn_blob_store_find(const zn_blob_store *store, zn_digest digest) {
    bool found;
    size_t at = place_of(store, digest, &found);
    return found ? store->blobs[at] : NULL;
}

zonda_err zn_blob_store_add(zn_blob_store *store, zn_digest digest, uint64_t size, zn_blob **out,
                            zonda_error *error) {
    bool found;
    size_t at = place_of(store, digest, &found);
    ZN_ASSERT(!found);
    uint8_t *data = NULL;
    if (size <= store->bytes_max - store->used) {
        data = zn_try_alloc(size);
    }
    if (data == NULL) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "no room for a blob of %llu bytes: the coordinator holds %llu of at "
                            "most %llu",
                            (unsigned long long)size, (unsigned long long)store->used,
                            (unsigned long long)store->bytes_max);
    }
    ZN_GROW(store->blobs, store->count, store->capacity);
    memmove(&store->blobs[at + 1], &store->blobs[at],
            (store->count - at) * sizeof(store->blobs[0]));
    zn_blob *blob = ZN_NEW(zn_blob);
    *blob = (zn_blob){ .digest = digest, .size = size, .references = 1, .data = data };
    store->blobs[at] = blob;
    store->count++;
    store->used += size;
    *out = blob;
    return ZONDA_OK;
}

static zonda_err verify(zn_blob *blob, zonda_error *error) {
    if (zn_digest_equal(zn_digest_of(zn_blob_bytes(blob)), blob->digest)) {
        blob->complete = true;
        return ZONDA_OK;
    }
    blob->received = 0;
    char text[ZN_DIGEST_TEXT];
    return zn_error_set(error, ZONDA_ERR_CORRUPT, "the bytes of blob %s do not have its digest",
                        zn_digest_text(blob->digest, text));
}

zonda_err zn_blob_append(zn_blob *blob, uint64_t offset, zn_bytes bytes, zonda_error *error) {
    if (offset > blob->size || bytes.len > blob->size - offset) {
        return zn_error_set(error, ZONDA_ERR_INVALID, "bytes %llu to %llu of a blob of %llu bytes",
                            (unsigned long long)offset, (unsigned long long)(offset + bytes.len),
                            (unsigned long long)blob->size);
    }
    if (blob->complete || offset > blob->received) {
        return ZONDA_OK;
    }
    uint64_t known = blob->received - offset;
    if (known < bytes.len) {
        memcpy(blob->data + blob->received, bytes.data + known, bytes.len - known);
        blob->received += bytes.len - known;
    }
    return blob->received == blob->size ? verify(blob, error) : ZONDA_OK;
}

zn_digest zn_blob_digest(const zn_blob *blob) {
    return blob->digest;
}

bool zn_blob_mark(zn_blob *blob, uint64_t mark) {
    bool marked = blob->mark == mark;
    blob->mark = mark;
    return marked;
}

uint64_t zn_blob_size(const zn_blob *blob) {
    return blob->size;
}

uint64_t zn_blob_received(const zn_blob *blob) {
    return blob->received;
}

bool zn_blob_complete(const zn_blob *blob) {
    return blob->complete;
}

zn_bytes zn_blob_bytes(const zn_blob *blob) {
    return (zn_bytes){ .data = blob->data, .len = blob->received };
}

uint64_t zn_blob_store_used(const zn_blob_store *store) {
    return store->used;
}

void zn_blob_store_keep(zn_blob *blob) {
    blob->references++;
}

static void free_blob(zn_blob *blob) {
    free(blob->data);
    free(blob);
}

void zn_blob_store_release(zn_blob_store *store, zn_blob *blob) {
    ZN_ASSERT(blob->references > 0);
    if (--blob->references > 0) {
        return;
    }
    bool found;
    size_t at = place_of(store, blob->digest, &found);
    ZN_ASSERT(found);
    memmove(&store->blobs[at], &store->blobs[at + 1],
            (store->count - at - 1) * sizeof(store->blobs[0]));
    store->count--;
    store->used -= blob->size;
    free_blob(blob);
}

void zn_blob_store_destroy(zn_blob_store **store) {
    if (*store == NULL) {
        return;
    }
    for (size_t i = 0; i < (*store)->count; i++) {
        free_blob((*store)->blobs[i]);
    }
    free((*store)->blobs);
    free(*store);
    *store = NULL;
}
