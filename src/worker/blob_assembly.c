/* SPDX-License-Identifier: MPL-2.0 */
/* Puts a blob together. The first answer tells the size, which comes from outside: it is bounded by
 * the message table and the memory is only tried for. Repeated parts are harmless; what cannot be
 * part of this blob (other size, odd offset) is ignored and asked for again after a silence. A
 * complete blob whose bytes have another digest counts as missing. */
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

void zn_blob_assembly_init(zn_blob_assembly *blob, zn_digest digest) {
    *blob = (zn_blob_assembly){ .digest = digest };
}

void zn_blob_assembly_free(zn_blob_assembly *blob) {
    free(blob->data);
    free(blob->parts);
    blob->data = NULL;
    blob->parts = NULL;
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

static void learn_size(zn_blob_assembly *blob, uint64_t size) {
    uint8_t *data = zn_try_alloc(size == 0 ? 1 : (size_t)size);
    if (data == NULL) {
        blob->state = ZN_BLOB_MISSING;
        return;
    }
    blob->data = data;
    blob->size = size;
    blob->parts = zn_calloc((size_t)part_count(size), 1);
    blob->sized = true;
}

static void finish(zn_blob_assembly *blob) {
    zn_digest digest = zn_digest_of((zn_bytes){ .data = blob->data, .len = (size_t)blob->size });
    bool good = zn_digest_equal(digest, blob->digest);
    blob->state = good ? ZN_BLOB_COMPLETE : ZN_BLOB_MISSING;
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
    uint64_t index = part->offset / ZN_BLOB_CHUNK_BYTES;
    if (!blob->sized || part->size != blob->size || part->offset % ZN_BLOB_CHUNK_BYTES != 0 ||
        index >= part_count(blob->size)) {
        return;
    }
    uint64_t left = blob->size - part->offset;
    uint64_t expected = left < ZN_BLOB_CHUNK_BYTES ? left : ZN_BLOB_CHUNK_BYTES;
    if (part->bytes.len != expected || blob->parts[index] == PART_HERE) {
        return;
    }
    if (expected > 0) {
        memcpy(blob->data + part->offset, part->bytes.data, (size_t)expected);
    }
    blob->asked -= blob->parts[index] == PART_ASKED ? 1 : 0;
    blob->parts[index] = PART_HERE;
    blob->here += 1;
    if (blob->here == part_count(blob->size)) {
        finish(blob);
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
