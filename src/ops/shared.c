/* SPDX-License-Identifier: MPL-2.0 */
/* Shared data as a slot sees it: names with the digests of blobs. A value is fetched from the host
 * when a function first asks for it, checked once, and decoded once for C functions; every task of
 * the stage on this slot then uses the same bytes and the same object. Nothing is ever changed, so
 * what was handed out stays valid until the stage is closed. */
#include "ops/shared.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "record/object.h"
#include "record/value.h"

typedef struct shared_value {
    zn_bytes name;
    zn_digest digest;
    zn_bytes bytes; /* no data: not fetched yet */
    zn_object_decoder *decoder;
    const msgpack_object *object;
} shared_value;

struct zn_shared {
    const zn_task_host *host;
    shared_value *values;
    size_t count;
};

static zonda_err read_entry(zn_cursor *cursor, shared_value *out, zonda_error *error) {
    zn_value name = zn_value_head(zn_cursor_skip(cursor));
    zn_value digest = zn_value_head(zn_cursor_skip(cursor));
    if (name.type != ZN_VALUE_STRING || digest.type != ZN_VALUE_BINARY ||
        !zn_digest_from_bytes(digest.bytes, &out->digest)) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "the shared data of the stage must be names with digests");
    }
    out->name = name.bytes;
    return ZONDA_OK;
}

zn_shared *zn_shared_new(zn_bytes map, const zn_task_host *host, zonda_error *error) {
    zn_cursor cursor = zn_cursor_of(map);
    zn_value head = zn_cursor_read(&cursor);
    if (head.type != ZN_VALUE_MAP || head.count > ZN_STAGE_SHARED_MAX) {
        zn_error_set(error, ZONDA_ERR_PLAN,
                     "the shared data of the stage must be a map of at most %u names",
                     ZN_STAGE_SHARED_MAX);
        return NULL;
    }
    zn_shared *shared = ZN_NEW(zn_shared);
    shared->host = host;
    shared->values = zn_calloc(head.count == 0 ? 1 : head.count, sizeof *shared->values);
    for (uint32_t i = 0; i < head.count; i++) {
        if (read_entry(&cursor, &shared->values[i], error) != ZONDA_OK) {
            zn_shared_destroy(&shared);
            return NULL;
        }
        shared->count++;
    }
    return shared;
}

void zn_shared_destroy(zn_shared **shared) {
    if (*shared == NULL) {
        return;
    }
    for (size_t i = 0; i < (*shared)->count; i++) {
        zn_object_decoder_destroy(&(*shared)->values[i].decoder);
    }
    free((*shared)->values);
    free(*shared);
    *shared = NULL;
}

static zonda_err fail_unknown(const zn_shared *shared, zn_bytes name, zonda_error *error) {
    zn_buf known = { 0 };
    for (size_t i = 0; i < shared->count && known.len < ZN_ERROR_TEXT_BYTES_MAX; i++) {
        zn_buf_append_text(&known, i == 0 ? "" : ", ");
        zn_buf_append(&known, shared->values[i].name.data, shared->values[i].name.len);
    }
    if (shared->count == 0) {
        zn_buf_append_text(&known, "nothing");
    }
    int shown = name.len < ZN_NAME_BYTES_MAX ? (int)name.len : ZN_NAME_BYTES_MAX;
    zonda_err err =
        zn_error_set(error, ZONDA_ERR_NOT_FOUND, "there is no shared data \"%.*s\"; there is: %.*s",
                     shown, (const char *)name.data, (int)known.len, (const char *)known.data);
    zn_buf_free(&known);
    return err;
}

static zonda_err find(zn_shared *shared, zn_bytes name, shared_value **out, zonda_error *error) {
    shared_value *value = NULL;
    for (size_t i = 0; i < shared->count && value == NULL; i++) {
        if (zn_bytes_equal(shared->values[i].name, name)) {
            value = &shared->values[i];
        }
    }
    if (value == NULL) {
        return fail_unknown(shared, name, error);
    }
    if (value->bytes.data == NULL) {
        zn_bytes bytes = { 0 };
        zonda_err err = shared->host->blob(shared->host->context, value->digest, &bytes, error);
        if (err == ZONDA_OK) {
            err = zn_value_check(bytes, error);
        }
        if (err != ZONDA_OK) {
            zn_error_prefix(error, "shared data \"%.*s\": ", (int)name.len,
                            (const char *)name.data);
            return err;
        }
        value->bytes = bytes;
    }
    *out = value;
    return ZONDA_OK;
}

zonda_err zn_shared_bytes(zn_shared *shared, zn_bytes name, zn_bytes *out, zonda_error *error) {
    shared_value *value = NULL;
    zonda_err err = find(shared, name, &value, error);
    if (err == ZONDA_OK) {
        *out = value->bytes;
    }
    return err;
}

zonda_err zn_shared_object(zn_shared *shared, zn_bytes name, const msgpack_object **out,
                           zonda_error *error) {
    shared_value *value = NULL;
    zonda_err err = find(shared, name, &value, error);
    if (err != ZONDA_OK) {
        return err;
    }
    if (value->object == NULL) {
        if (value->decoder == NULL) {
            value->decoder = zn_object_decoder_new();
        }
        err = zn_object_decode(value->decoder, value->bytes, &value->object, error);
        if (err != ZONDA_OK) {
            return err;
        }
    }
    *out = value->object;
    return ZONDA_OK;
}
