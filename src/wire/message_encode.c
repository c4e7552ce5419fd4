/* SPDX-License-Identifier: MPL-2.0 */
/* Messages to MessagePack, by walking the layout of the message. What we send is ours, so a value
 * beyond its limit is a bug and asserted. Texts are the exception: error texts carry file names
 * and words of user functions, which may be any bytes, so each byte that is not part of valid
 * UTF-8 (or is NUL) goes out as '?' and the peer's check cannot fail on it. */
#include "wire/message.h"

#include <msgpack/pack.h>

#include "base/assert.h"
#include "wire/message_def.h"
#include "wire/message_gap.h"
#include "wire/text.h"

/* Where the encoded message goes. */
typedef struct sink {
    zn_buf *out;
    size_t apart_min; /* a binary of so many bytes is left out, once */
    zn_gap gap;
} sink;

static int write_to_sink(void *context, const char *data, size_t len) {
    const sink *to = context;
    zn_buf_append(to->out, data, len);
    return 0;
}

static void encode_binary(msgpack_packer *packer, zn_bytes binary) {
    sink *to = packer->data;
    msgpack_pack_bin(packer, binary.len);
    if (binary.len >= to->apart_min && to->gap.bytes.len == 0) {
        to->gap = (zn_gap){ to->out->len, binary };
    } else {
        msgpack_pack_bin_body(packer, binary.data, binary.len);
    }
}

static void encode_text(msgpack_packer *packer, zn_bytes text) {
    msgpack_pack_str(packer, text.len);
    if (zn_text_is_valid(text)) {
        msgpack_pack_str_body(packer, text.data, text.len);
        return;
    }
    size_t at = 0;
    while (at < text.len) {
        size_t len = zn_text_character((zn_bytes){ text.data + at, text.len - at });
        if (len == 0) {
            msgpack_pack_str_body(packer, "?", 1);
            at += 1;
        } else {
            msgpack_pack_str_body(packer, text.data + at, len);
            at += len;
        }
    }
}

static void encode_fields(msgpack_packer *packer, const zn_layout *layout, const uint8_t *base);

/* Recursion ends with the nesting of the table, which is three. */
static void encode_list(msgpack_packer *packer, const zn_field *field, const uint8_t *base) {
    size_t count = *(const size_t *)(const void *)(base + field->count_offset);
    const uint8_t *items = *(const uint8_t *const *)(const void *)(base + field->offset);
    const zn_layout *record = field->record();
    ZN_ASSERT(count <= field->max);
    msgpack_pack_array(packer, count);
    for (size_t i = 0; i < count; i++) {
        msgpack_pack_array(packer, record->field_count);
        encode_fields(packer, record, items + i * record->struct_bytes);
    }
}

static void encode_field(msgpack_packer *packer, const zn_field *field, const uint8_t *base) {
    const void *value = base + field->offset;
    switch (field->kind) {
    case ZN_FIELD_UNSIGNED:
        ZN_ASSERT(*(const uint64_t *)value <= field->max);
        msgpack_pack_uint64(packer, *(const uint64_t *)value);
        break;
    case ZN_FIELD_SIGNED:
        msgpack_pack_int64(packer, *(const int64_t *)value);
        break;
    case ZN_FIELD_TEXT:
        ZN_ASSERT(((const zn_bytes *)value)->len <= field->max);
        encode_text(packer, *(const zn_bytes *)value);
        break;
    case ZN_FIELD_BINARY:
        ZN_ASSERT(((const zn_bytes *)value)->len <= field->max);
        encode_binary(packer, *(const zn_bytes *)value);
        break;
    case ZN_FIELD_LIST:
        encode_list(packer, field, base);
        break;
    }
}

static void encode_fields(msgpack_packer *packer, const zn_layout *layout, const uint8_t *base) {
    for (size_t i = 0; i < layout->field_count; i++) {
        encode_field(packer, &layout->fields[i], base);
    }
}

static void encode(const zn_message *message, sink *to) {
    const zn_layout *layout = zn_layout_of_message(message->number);
    ZN_ASSERT(layout != NULL);
    msgpack_packer packer;
    msgpack_packer_init(&packer, to, write_to_sink);
    msgpack_pack_array(&packer, layout->field_count + 1);
    msgpack_pack_uint64(&packer, layout->number);
    encode_fields(&packer, layout, zn_message_fields_const(message));
}

void zn_message_encode(const zn_message *message, zn_buf *out) {
    encode(message, &(sink){ .out = out, .apart_min = SIZE_MAX });
}

void zn_message_encode_around(const zn_message *message, size_t bytes_min, zn_buf *out,
                              zn_gap *gap) {
    ZN_ASSERT(bytes_min > 0);
    sink to = { .out = out, .apart_min = bytes_min };
    encode(message, &to);
    *gap = to.gap;
}
