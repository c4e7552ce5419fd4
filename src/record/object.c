/* SPDX-License-Identifier: MPL-2.0 */
/* Values as msgpack-c objects, for user functions in C. The tree is built with our own cursor and
 * not with msgpack_unpack, which gives up at a nesting of 32 while records may have 128; only
 * msgpack-c's types and its zone are used. Memory comes from the zone, which is emptied and reused
 * for the next record, so a typical record costs no malloc. A value of one byte becomes an object
 * of 24 bytes (a pair of two: 48), hence the limit on the number of values.
 *
 * The depth of a checked value is at most ZN_RECORD_DEPTH_MAX, which bounds the recursion. */
#include "record/object.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"
#include "record/value.h"

enum {
    ZONE_CHUNK_BYTES = 8 * 1024
};

struct zn_object_decoder {
    msgpack_zone *zone;
    msgpack_object root;
    size_t values_left;
};

zn_object_decoder *zn_object_decoder_new(void) {
    zn_object_decoder *decoder = ZN_NEW(zn_object_decoder);
    decoder->zone = msgpack_zone_new(ZONE_CHUNK_BYTES);
    ZN_ASSERT(decoder->zone != NULL);
    return decoder;
}

void zn_object_decoder_destroy(zn_object_decoder **decoder) {
    if (*decoder == NULL) {
        return;
    }
    msgpack_zone_free((*decoder)->zone);
    free(*decoder);
    *decoder = NULL;
}

/* Room for `count` things of `bytes` each; false if they are too many or memory is out. */
static bool take_room(zn_object_decoder *decoder, uint64_t values, size_t bytes, void **out) {
    *out = NULL;
    if (values == 0) {
        return true;
    }
    if (values > decoder->values_left) {
        return false;
    }
    decoder->values_left -= (size_t)values;
    *out = msgpack_zone_malloc(decoder->zone, bytes);
    return *out != NULL;
}

static bool build(zn_object_decoder *decoder, zn_cursor *cursor, msgpack_object *out);

static bool build_array(zn_object_decoder *decoder, zn_cursor *cursor, uint32_t count,
                        msgpack_object *out) {
    void *items = NULL;
    if (!take_room(decoder, count, count * sizeof(msgpack_object), &items)) {
        return false;
    }
    out->type = MSGPACK_OBJECT_ARRAY;
    out->via.array.size = count;
    out->via.array.ptr = items;
    for (uint32_t i = 0; i < count; i++) {
        if (!build(decoder, cursor, &out->via.array.ptr[i])) {
            return false;
        }
    }
    return true;
}

static bool build_map(zn_object_decoder *decoder, zn_cursor *cursor, uint32_t count,
                      msgpack_object *out) {
    void *pairs = NULL;
    if (!take_room(decoder, (uint64_t)count * 2, count * sizeof(msgpack_object_kv), &pairs)) {
        return false;
    }
    out->type = MSGPACK_OBJECT_MAP;
    out->via.map.size = count;
    out->via.map.ptr = pairs;
    for (uint32_t i = 0; i < count; i++) {
        if (!build(decoder, cursor, &out->via.map.ptr[i].key) ||
            !build(decoder, cursor, &out->via.map.ptr[i].val)) {
            return false;
        }
    }
    return true;
}

static void set_integer(int64_t value, msgpack_object *out) {
    if (value >= 0) {
        out->type = MSGPACK_OBJECT_POSITIVE_INTEGER;
        out->via.u64 = (uint64_t)value;
    } else {
        out->type = MSGPACK_OBJECT_NEGATIVE_INTEGER;
        out->via.i64 = value;
    }
}

/* Payloads are borrowed. The type of an extension is the byte before its payload. */
static void set_payload(zn_value value, msgpack_object *out) {
    const char *data = (const char *)value.bytes.data;
    uint32_t size = (uint32_t)value.bytes.len;
    if (value.type == ZN_VALUE_STRING) {
        out->type = MSGPACK_OBJECT_STR;
        out->via.str = (msgpack_object_str){ .size = size, .ptr = data };
    } else if (value.type == ZN_VALUE_BINARY) {
        out->type = MSGPACK_OBJECT_BIN;
        out->via.bin = (msgpack_object_bin){ .size = size, .ptr = data };
    } else {
        out->type = MSGPACK_OBJECT_EXT;
        out->via.ext.type = (int8_t)data[-1];
        out->via.ext.size = size;
        out->via.ext.ptr = data;
    }
}

/* Most names and texts: the length is in the first byte, or is the second one. */
static inline bool build_short(zn_cursor *cursor, msgpack_object *out) {
    uint8_t first = *cursor->at;
    if ((first & 0xe0) != 0xa0 && first != 0xd9) {
        return false;
    }
    const uint8_t *text = cursor->at + (first == 0xd9 ? 2 : 1);
    uint32_t size = first == 0xd9 ? cursor->at[1] : first & 0x1f;
    out->type = MSGPACK_OBJECT_STR;
    out->via.str = (msgpack_object_str){ .size = size, .ptr = (const char *)text };
    cursor->at = text + size;
    return true;
}

static bool build(zn_object_decoder *decoder, zn_cursor *cursor, msgpack_object *out) {
    if (build_short(cursor, out)) {
        return true;
    }
    bool single = *cursor->at == 0xca;
    zn_value value = zn_cursor_read(cursor);
    switch (value.type) {
    case ZN_VALUE_NIL:
        out->type = MSGPACK_OBJECT_NIL;
        return true;
    case ZN_VALUE_BOOL:
        out->type = MSGPACK_OBJECT_BOOLEAN;
        out->via.boolean = value.boolean;
        return true;
    case ZN_VALUE_INT:
        set_integer(value.integer, out);
        return true;
    case ZN_VALUE_UINT:
        out->type = MSGPACK_OBJECT_POSITIVE_INTEGER;
        out->via.u64 = value.uinteger;
        return true;
    case ZN_VALUE_DOUBLE:
        out->type = single ? MSGPACK_OBJECT_FLOAT32 : MSGPACK_OBJECT_FLOAT64;
        out->via.f64 = value.number;
        return true;
    case ZN_VALUE_ARRAY:
        return build_array(decoder, cursor, value.count, out);
    case ZN_VALUE_MAP:
        return build_map(decoder, cursor, value.count, out);
    default:
        set_payload(value, out);
        return true;
    }
}

zonda_err zn_object_decode(zn_object_decoder *decoder, zn_bytes value, const msgpack_object **out,
                           zonda_error *error) {
    msgpack_zone_clear(decoder->zone);
    decoder->values_left = ZN_OBJECT_VALUES_MAX;
    zn_cursor cursor = zn_cursor_of(value);
    if (!build(decoder, &cursor, &decoder->root)) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "the record holds more than %u values, too many to decode for a C "
                            "function",
                            ZN_OBJECT_VALUES_MAX);
    }
    *out = &decoder->root;
    return ZONDA_OK;
}
