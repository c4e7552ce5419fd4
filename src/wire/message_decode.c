/* SPDX-License-Identifier: MPL-2.0 */
/* MessagePack to messages. The order is what makes any input safe: the shape check accepts the
 * bytes as a whole (depth, counts, lengths, number of values), then the values are read one after
 * another, each is checked against its field and stored. After the shape check every value is whole
 * and every array has its elements, so reading needs no more checks of lengths. Texts and binaries
 * point into the caller's bytes.
 *
 * Memory: a list is allocated for as many elements as its array has, which are no more than the
 * message has values, and that is at most VALUES_MAX; the first element that is not a whole record
 * ends the decoding. The zone keeps its first chunk from message to message: usual messages do not
 * allocate at all. */
#include "wire/message.h"

#include <inttypes.h>
#include <msgpack/zone.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
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

typedef enum token_kind {
    TOKEN_UNSIGNED, /* an integer from 0 on, however it is written */
    TOKEN_NEGATIVE,
    TOKEN_TEXT,
    TOKEN_BINARY,
    TOKEN_ARRAY,
    TOKEN_OTHER, /* nothing that a message has */
} token_kind;

/* A value; of an array the head. */
typedef struct token {
    token_kind kind;
    uint64_t number;     /* UNSIGNED: it; NEGATIVE: its bits; otherwise bytes or elements */
    const uint8_t *data; /* TEXT, BINARY */
} token;

static uint64_t take_number(const uint8_t **rest, unsigned bytes) {
    uint64_t number = 0;
    for (unsigned i = 0; i < bytes; i++) {
        number = number << 8 | (*rest)[i];
    }
    *rest += bytes;
    return number;
}

/* An integer of 1, 2, 4 or 8 bytes that has a sign. */
static token take_signed(const uint8_t **rest, unsigned bytes) {
    uint64_t sign = UINT64_C(1) << (8 * bytes - 1);
    uint64_t number = take_number(rest, bytes);
    bool negative = (number & sign) != 0;
    return (token){ .kind = negative ? TOKEN_NEGATIVE : TOKEN_UNSIGNED,
                    .number = negative ? number | ~(sign - 1) : number };
}

static token take_bytes(const uint8_t **rest, token_kind kind, uint64_t len) {
    token taken = { .kind = kind, .number = len, .data = *rest };
    *rest += len;
    return taken;
}

/* A value whose first byte does not have all of its head. */
static token take_long(const uint8_t **rest, uint8_t type) {
    switch (type) {
    case 0xc4: /* bin 8, 16, 32 */
    case 0xc5:
    case 0xc6:
        return take_bytes(rest, TOKEN_BINARY, take_number(rest, 1u << (type - 0xc4)));
    case 0xcc: /* uint 8, 16, 32, 64 */
    case 0xcd:
    case 0xce:
    case 0xcf:
        return (token){ .number = take_number(rest, 1u << (type - 0xcc)) };
    case 0xd0: /* int 8, 16, 32, 64 */
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return take_signed(rest, 1u << (type - 0xd0));
    case 0xd9: /* str 8, 16, 32 */
    case 0xda:
    case 0xdb:
        return take_bytes(rest, TOKEN_TEXT, take_number(rest, 1u << (type - 0xd9)));
    case 0xdc: /* array 16, 32 */
    case 0xdd:
        return (token){ .kind = TOKEN_ARRAY, .number = take_number(rest, 2u << (type - 0xdc)) };
    default:
        return (token){ .kind = TOKEN_OTHER };
    }
}

/* The value at `*rest`, which is moved behind it; of an array behind its head. Who gets OTHER must
 * read no more. Types: https://github.com/msgpack/msgpack/blob/master/spec.md */
static token take(const uint8_t **rest) {
    uint8_t type = *(*rest)++;
    if (type <= 0x7f) {
        return (token){ .number = type };
    }
    if (type >= 0xe0) {
        return (token){ .kind = TOKEN_NEGATIVE, .number = UINT64_MAX << 8 | type };
    }
    if ((type & 0xf0) == 0x90) {
        return (token){ .kind = TOKEN_ARRAY, .number = type & 0x0f };
    }
    if ((type & 0xe0) == 0xa0) {
        return take_bytes(rest, TOKEN_TEXT, type & 0x1f);
    }
    return take_long(rest, type);
}

static zonda_err decode_unsigned(token value, place at, uint64_t *out, zonda_error *error) {
    if (value.kind != TOKEN_UNSIGNED) {
        return refuse(error, at, "is not an unsigned integer");
    }
    if (value.number > at.field->max) {
        return refuse_size(error, at, value.number, "");
    }
    *out = value.number;
    return ZONDA_OK;
}

static zonda_err decode_signed(token value, place at, int64_t *out, zonda_error *error) {
    bool fits =
        value.kind == TOKEN_NEGATIVE || (value.kind == TOKEN_UNSIGNED && value.number <= INT64_MAX);
    if (!fits) {
        return refuse(error, at, "is not a signed 64-bit integer");
    }
    *out = (int64_t)value.number;
    return ZONDA_OK;
}

static zonda_err decode_text(token value, place at, zn_bytes *out, zonda_error *error) {
    if (value.kind != TOKEN_TEXT) {
        return refuse(error, at, "is not a text");
    }
    if (value.number > at.field->max) {
        return refuse_size(error, at, value.number, " bytes");
    }
    zn_bytes text = { value.data, (size_t)value.number };
    if (!zn_text_is_valid(text)) {
        return refuse(error, at, "is not UTF-8 without NUL");
    }
    *out = text;
    return ZONDA_OK;
}

static zonda_err decode_binary(token value, place at, zn_bytes *out, zonda_error *error) {
    if (value.kind != TOKEN_BINARY) {
        return refuse(error, at, "is not a binary");
    }
    if (value.number > at.field->max) {
        return refuse_size(error, at, value.number, " bytes");
    }
    *out = (zn_bytes){ value.data, (size_t)value.number };
    return ZONDA_OK;
}

static zonda_err decode_fields(zn_decoder *decoder, const uint8_t **rest, place at, uint8_t *base,
                               zonda_error *error);

/* Recursion ends with the nesting of the table, which is three. */
static zonda_err decode_list(zn_decoder *decoder, token value, const uint8_t **rest, place at,
                             uint8_t *base, zonda_error *error) {
    if (value.kind != TOKEN_ARRAY) {
        return refuse(error, at, "is not a list");
    }
    if (value.number > at.field->max) {
        return refuse_size(error, at, value.number, " elements");
    }
    size_t count = (size_t)value.number;
    const zn_layout *record = at.field->record();
    uint8_t *items = NULL;
    if (count > 0) {
        items = msgpack_zone_malloc(&decoder->zone, count * record->struct_bytes);
        if (items == NULL) {
            return zn_error_set(error, ZONDA_ERR_LIMIT, "no memory for %zu elements", count);
        }
    }
    place inside = { .message = at.message, .layout = record };
    for (size_t i = 0; i < count; i++) {
        token element = take(rest);
        if (element.kind != TOKEN_ARRAY || element.number != record->field_count) {
            return refuse(error, at, "has an element that is not a whole record");
        }
        zonda_err code =
            decode_fields(decoder, rest, inside, items + i * record->struct_bytes, error);
        if (code != ZONDA_OK) {
            return code;
        }
    }
    *(void **)(void *)(base + at.field->offset) = items;
    *(size_t *)(void *)(base + at.field->count_offset) = count;
    return ZONDA_OK;
}

static zonda_err decode_fields(zn_decoder *decoder, const uint8_t **rest, place at, uint8_t *base,
                               zonda_error *error) {
    zonda_err code = ZONDA_OK;
    for (size_t i = 0; i < at.layout->field_count && code == ZONDA_OK; i++) {
        at.field = &at.layout->fields[i];
        void *out = base + at.field->offset;
        token value = take(rest);
        switch (at.field->kind) {
        case ZN_FIELD_UNSIGNED:
            code = decode_unsigned(value, at, out, error);
            break;
        case ZN_FIELD_SIGNED:
            code = decode_signed(value, at, out, error);
            break;
        case ZN_FIELD_TEXT:
            code = decode_text(value, at, out, error);
            break;
        case ZN_FIELD_BINARY:
            code = decode_binary(value, at, out, error);
            break;
        case ZN_FIELD_LIST:
            code = decode_list(decoder, value, rest, at, base, error);
            break;
        }
    }
    return code;
}

static zonda_err check_shape(zn_bytes bytes, zonda_error *error) {
    size_t used = 0;
    zonda_err code = zn_shape_check_values(bytes, ZN_MESSAGE_DEPTH_MAX, VALUES_MAX, &used, error);
    if (code == ZONDA_OK && used != bytes.len) {
        code = zn_error_set(error, ZONDA_ERR_PROTOCOL, "%zu bytes follow the message",
                            bytes.len - used);
    }
    return code;
}

/* Reads the number and finds its layout; `*rest` is then at the first field. */
static zonda_err decode_head(const uint8_t **rest, const zn_layout **layout, zonda_error *error) {
    token whole = take(rest);
    token number = { .kind = TOKEN_OTHER };
    if (whole.kind == TOKEN_ARRAY && whole.number > 0) {
        number = take(rest);
    }
    if (number.kind != TOKEN_UNSIGNED) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL,
                            "a message is an array that starts with its number");
    }
    const zn_layout *found = zn_layout_of_message(number.number);
    if (found == NULL) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL, "there is no message %" PRIu64,
                            number.number);
    }
    if (whole.number != found->field_count + 1) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL, "%s has %zu fields, %" PRIu64 " came",
                            found->name, found->field_count, whole.number - 1);
    }
    *layout = found;
    return ZONDA_OK;
}

zonda_err zn_decoder_decode(zn_decoder *decoder, zn_bytes bytes, zn_message *out,
                            zonda_error *error) {
    zonda_err code = check_shape(bytes, error);
    if (code != ZONDA_OK) {
        return code;
    }
    const uint8_t *rest = bytes.data;
    const zn_layout *layout = NULL;
    code = decode_head(&rest, &layout, error);
    if (code != ZONDA_OK) {
        return code;
    }
    msgpack_zone_clear(&decoder->zone);
    zn_message message = { .number = (zn_message_number)layout->number };
    place at = { .message = layout, .layout = layout };
    code = decode_fields(decoder, &rest, at, zn_message_fields(&message), error);
    if (code == ZONDA_OK) {
        ZN_ASSERT(rest == bytes.data + bytes.len);
        *out = message;
    }
    return code;
}
