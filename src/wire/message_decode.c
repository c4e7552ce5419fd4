/* SPDX-License-Identifier: MPL-2.0 */
/* MessagePack to messages. The order is what makes any input safe: the shape check accepts the
 * bytes as a whole (depth, counts, lengths, number of values), then msgpack-c parses them into the
 * zone, then each field is checked against its layout and stored. Texts and binaries point into
 * the caller's bytes.
 *
 * Memory: a message has at most VALUES_MAX values, of 24 bytes each in msgpack-c's tree. A list is
 * allocated for as many elements as its array has, and the first element that is not a whole
 * record ends the decoding, so lists cost at most as much again. The zone keeps its first chunk
 * from message to message: usual messages do not allocate at all. */
#include "wire/message.h"

#include <inttypes.h>
#include <msgpack/unpack.h>
#include <msgpack/zone.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "wire/message_def.h"
#include "wire/shape.h"
#include "wire/text.h"

enum {
    ZONE_BYTES = 64 * 1024,
    /* Above what the largest honest message has: JOBS with ZN_JOBS_MAX jobs of ten values. */
    VALUES_MAX = ZN_JOBS_MAX * 11,
};

struct zn_decoder {
    msgpack_zone zone;
};

/* Where in a message the decoder is, for the texts of errors. */
typedef struct place {
    const zn_layout *message;
    const zn_layout *layout;
    const zn_field *field;
} place;

zn_decoder *zn_decoder_new(void) {
    zn_decoder *decoder = ZN_NEW(zn_decoder);
    if (!msgpack_zone_init(&decoder->zone, ZONE_BYTES)) {
        abort();
    }
    return decoder;
}

void zn_decoder_destroy(zn_decoder **decoder) {
    if (decoder == NULL || *decoder == NULL) {
        return;
    }
    msgpack_zone_destroy(&(*decoder)->zone);
    free(*decoder);
    *decoder = NULL;
}

static zonda_err refuse(zonda_error *error, place at, const char *what) {
    return zn_error_set(error, ZONDA_ERR_PROTOCOL, "%s: %s.%s: %s", at.message->name,
                        at.layout->name, at.field->name, what);
}

static zonda_err refuse_size(zonda_error *error, place at, uint64_t size, const char *unit) {
    return zn_error_set(error, ZONDA_ERR_PROTOCOL,
                        "%s: %s.%s: %" PRIu64 "%s, at most %" PRIu64 " allowed", at.message->name,
                        at.layout->name, at.field->name, size, unit, at.field->max);
}

static zonda_err decode_unsigned(const msgpack_object *object, place at, uint64_t *out,
                                 zonda_error *error) {
    if (object->type != MSGPACK_OBJECT_POSITIVE_INTEGER) {
        return refuse(error, at, "is not an unsigned integer");
    }
    if (object->via.u64 > at.field->max) {
        return refuse_size(error, at, object->via.u64, "");
    }
    *out = object->via.u64;
    return ZONDA_OK;
}

static zonda_err decode_signed(const msgpack_object *object, place at, int64_t *out,
                               zonda_error *error) {
    if (object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER) {
        *out = object->via.i64;
        return ZONDA_OK;
    }
    if (object->type != MSGPACK_OBJECT_POSITIVE_INTEGER || object->via.u64 > INT64_MAX) {
        return refuse(error, at, "is not a signed 64-bit integer");
    }
    *out = (int64_t)object->via.u64;
    return ZONDA_OK;
}

static zonda_err decode_text(const msgpack_object *object, place at, zn_bytes *out,
                             zonda_error *error) {
    if (object->type != MSGPACK_OBJECT_STR) {
        return refuse(error, at, "is not a text");
    }
    if (object->via.str.size > at.field->max) {
        return refuse_size(error, at, object->via.str.size, " bytes");
    }
    zn_bytes text = { (const uint8_t *)object->via.str.ptr, object->via.str.size };
    if (!zn_text_is_valid(text)) {
        return refuse(error, at, "is not UTF-8 without NUL");
    }
    *out = text;
    return ZONDA_OK;
}

static zonda_err decode_binary(const msgpack_object *object, place at, zn_bytes *out,
                               zonda_error *error) {
    if (object->type != MSGPACK_OBJECT_BIN) {
        return refuse(error, at, "is not a binary");
    }
    if (object->via.bin.size > at.field->max) {
        return refuse_size(error, at, object->via.bin.size, " bytes");
    }
    *out = (zn_bytes){ (const uint8_t *)object->via.bin.ptr, object->via.bin.size };
    return ZONDA_OK;
}

static zonda_err decode_fields(zn_decoder *decoder, const msgpack_object *values, place at,
                               uint8_t *base, zonda_error *error);

/* Recursion ends with the nesting of the table, which is three. */
static zonda_err decode_list(zn_decoder *decoder, const msgpack_object *object, place at,
                             uint8_t *base, zonda_error *error) {
    if (object->type != MSGPACK_OBJECT_ARRAY) {
        return refuse(error, at, "is not a list");
    }
    uint32_t count = object->via.array.size;
    if (count > at.field->max) {
        return refuse_size(error, at, count, " elements");
    }
    const zn_layout *record = at.field->record();
    uint8_t *items = NULL;
    if (count > 0) {
        items = msgpack_zone_malloc(&decoder->zone, count * record->struct_bytes);
        if (items == NULL) {
            return zn_error_set(error, ZONDA_ERR_LIMIT, "no memory for %" PRIu32 " elements",
                                count);
        }
    }
    place inside = { .message = at.message, .layout = record };
    for (uint32_t i = 0; i < count; i++) {
        const msgpack_object *element = &object->via.array.ptr[i];
        if (element->type != MSGPACK_OBJECT_ARRAY ||
            element->via.array.size != record->field_count) {
            return refuse(error, at, "has an element that is not a whole record");
        }
        zonda_err code = decode_fields(decoder, element->via.array.ptr, inside,
                                       items + i * record->struct_bytes, error);
        if (code != ZONDA_OK) {
            return code;
        }
    }
    *(void **)(void *)(base + at.field->offset) = items;
    *(size_t *)(void *)(base + at.field->count_offset) = count;
    return ZONDA_OK;
}

static zonda_err decode_fields(zn_decoder *decoder, const msgpack_object *values, place at,
                               uint8_t *base, zonda_error *error) {
    zonda_err code = ZONDA_OK;
    for (size_t i = 0; i < at.layout->field_count && code == ZONDA_OK; i++) {
        at.field = &at.layout->fields[i];
        void *out = base + at.field->offset;
        switch (at.field->kind) {
        case ZN_FIELD_UNSIGNED:
            code = decode_unsigned(&values[i], at, out, error);
            break;
        case ZN_FIELD_SIGNED:
            code = decode_signed(&values[i], at, out, error);
            break;
        case ZN_FIELD_TEXT:
            code = decode_text(&values[i], at, out, error);
            break;
        case ZN_FIELD_BINARY:
            code = decode_binary(&values[i], at, out, error);
            break;
        case ZN_FIELD_LIST:
            code = decode_list(decoder, &values[i], at, base, error);
            break;
        }
    }
    return code;
}

/* Parses the bytes into a tree, after the shape check. */
static zonda_err parse(zn_decoder *decoder, zn_bytes bytes, msgpack_object *tree,
                       zonda_error *error) {
    size_t used = 0;
    zonda_err code = zn_shape_check_values(bytes, ZN_MESSAGE_DEPTH_MAX, VALUES_MAX, &used, error);
    if (code != ZONDA_OK) {
        return code;
    }
    if (used != bytes.len) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL, "%zu bytes follow the message",
                            bytes.len - used);
    }
    msgpack_zone_clear(&decoder->zone);
    size_t offset = 0;
    msgpack_unpack_return parsed =
        msgpack_unpack((const char *)bytes.data, bytes.len, &offset, &decoder->zone, tree);
    if (parsed != MSGPACK_UNPACK_SUCCESS) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL, "the message is not MessagePack");
    }
    return ZONDA_OK;
}

zonda_err zn_decoder_decode(zn_decoder *decoder, zn_bytes bytes, zn_message *out,
                            zonda_error *error) {
    msgpack_object tree;
    zonda_err code = parse(decoder, bytes, &tree, error);
    if (code != ZONDA_OK) {
        return code;
    }
    if (tree.type != MSGPACK_OBJECT_ARRAY || tree.via.array.size == 0 ||
        tree.via.array.ptr[0].type != MSGPACK_OBJECT_POSITIVE_INTEGER) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL,
                            "a message is an array that starts with its number");
    }
    uint64_t number = tree.via.array.ptr[0].via.u64;
    const zn_layout *layout = zn_layout_of_message(number);
    if (layout == NULL) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL, "there is no message %" PRIu64, number);
    }
    if (tree.via.array.size != layout->field_count + 1) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL, "%s has %zu fields, %" PRIu32 " came",
                            layout->name, layout->field_count, tree.via.array.size - 1);
    }
    zn_message message = { .number = (zn_message_number)number };
    place at = { .message = layout, .layout = layout };
    code = decode_fields(decoder, tree.via.array.ptr + 1, at, zn_message_fields(&message), error);
    if (code == ZONDA_OK) {
        *out = message;
    }
    return code;
}
