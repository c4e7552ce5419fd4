/* SPDX-License-Identifier: MPL-2.0 */
/* Messages to MessagePack, by walking the layout of the message. What we send is ours, so a value
 * beyond its limit is a bug and asserted. Texts are the exception: error texts carry file names
 * and words of user functions, which may be any bytes, so each byte that is not part of valid
 * UTF-8 (or is NUL) goes out as '?' and the peer's check cannot fail on it. */
#include "wire/message.h"

#include "base/assert.h"
#include "wire/message_def.h"
#include "wire/message_gap.h"
#include "wire/pack.h"
#include "wire/text.h"

/* Where the encoded message goes. */
typedef struct sink {
    zn_buf *out;
    size_t apart_min; /* a binary of so many bytes is left out, once */
    zn_gap gap;
} sink;

static void encode_binary(sink *to, zn_bytes binary) {
    zn_put_binary_head(to->out, binary.len);
    if (binary.len >= to->apart_min && to->gap.bytes.len == 0) {
        to->gap = (zn_gap){ to->out->len, binary };
    } else {
        zn_buf_append(to->out, binary.data, binary.len);
    }
}

static void encode_text(zn_buf *out, zn_bytes text) {
    zn_put_string_head(out, text.len);
    if (zn_text_is_valid(text)) {
        zn_buf_append(out, text.data, text.len);
        return;
    }
    size_t at = 0;
    while (at < text.len) {
        size_t len = zn_text_character((zn_bytes){ text.data + at, text.len - at });
        if (len == 0) {
            zn_buf_append_byte(out, '?');
            at += 1;
        } else {
            zn_buf_append(out, text.data + at, len);
            at += len;
        }
    }
}

static void encode_fields(sink *to, const zn_layout *layout, const uint8_t *base);

/* Recursion ends with the nesting of the table, which is three. */
static void encode_list(sink *to, const zn_field *field, const uint8_t *base) {
    size_t count = *(const size_t *)(const void *)(base + field->count_offset);
    const uint8_t *items = *(const uint8_t *const *)(const void *)(base + field->offset);
    const zn_layout *record = field->record();
    ZN_ASSERT(count <= field->max);
    zn_put_array(to->out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        zn_put_array(to->out, (uint32_t)record->field_count);
        encode_fields(to, record, items + i * record->struct_bytes);
    }
}

static void encode_field(sink *to, const zn_field *field, const uint8_t *base) {
    const void *value = base + field->offset;
    switch (field->kind) {
    case ZN_FIELD_UNSIGNED:
        ZN_ASSERT(*(const uint64_t *)value <= field->max);
        zn_put_uint(to->out, *(const uint64_t *)value);
        break;
    case ZN_FIELD_SIGNED:
        zn_put_int(to->out, *(const int64_t *)value);
        break;
    case ZN_FIELD_TEXT:
        ZN_ASSERT(((const zn_bytes *)value)->len <= field->max);
        encode_text(to->out, *(const zn_bytes *)value);
        break;
    case ZN_FIELD_BINARY:
        ZN_ASSERT(((const zn_bytes *)value)->len <= field->max);
        encode_binary(to, *(const zn_bytes *)value);
        break;
    case ZN_FIELD_LIST:
        encode_list(to, field, base);
        break;
    }
}

static void encode_fields(sink *to, const zn_layout *layout, const uint8_t *base) {
    for (size_t i = 0; i < layout->field_count; i++) {
        encode_field(to, &layout->fields[i], base);
    }
}

static void encode(const zn_message *message, sink *to) {
    const zn_layout *layout = zn_layout_of_message(message->number);
    ZN_ASSERT(layout != NULL);
    zn_put_array(to->out, (uint32_t)layout->field_count + 1);
    zn_put_uint(to->out, layout->number);
    encode_fields(to, layout, zn_message_fields_const(message));
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
