/* SPDX-License-Identifier: MPL-2.0 */
/* Messages as one line of text, for logs, traces and failing tests. It is for eyes: binaries and
 * lists are cut when long, and control characters in texts are escaped so that a line stays one
 * line. */
#include "wire/message.h"

#include <inttypes.h>

#include "wire/message_def.h"

enum {
    BINARY_BYTES_SHOWN = 32,
    LIST_ELEMENTS_SHOWN = 8
};

static void print_text(zn_bytes text, zn_buf *out) {
    zn_buf_append_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i];
        if (byte == '"' || byte == '\\') {
            zn_buf_printf(out, "\\%c", byte);
        } else if (byte < 0x20 || byte == 0x7f) {
            zn_buf_printf(out, "\\x%02x", byte);
        } else {
            zn_buf_append_byte(out, byte);
        }
    }
    zn_buf_append_byte(out, '"');
}

static void print_binary(zn_bytes binary, zn_buf *out) {
    size_t shown = binary.len < BINARY_BYTES_SHOWN ? binary.len : BINARY_BYTES_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        zn_buf_printf(out, "%02x", binary.data[i]);
    }
    if (shown < binary.len) {
        zn_buf_printf(out, "…+%zu", binary.len - shown);
    }
}

static void print_fields(const zn_layout *layout, const uint8_t *base, zn_buf *out);

static void print_list(const zn_field *field, const uint8_t *base, zn_buf *out) {
    size_t count = *(const size_t *)(const void *)(base + field->count_offset);
    const uint8_t *items = *(const uint8_t *const *)(const void *)(base + field->offset);
    const zn_layout *record = field->record();
    size_t shown = count < LIST_ELEMENTS_SHOWN ? count : LIST_ELEMENTS_SHOWN;
    zn_buf_append_byte(out, '[');
    for (size_t i = 0; i < shown; i++) {
        zn_buf_append_text(out, i == 0 ? "" : " ");
        print_fields(record, items + i * record->struct_bytes, out);
    }
    if (shown < count) {
        zn_buf_printf(out, " …+%zu", count - shown);
    }
    zn_buf_append_byte(out, ']');
}

static void print_fields(const zn_layout *layout, const uint8_t *base, zn_buf *out) {
    zn_buf_append_byte(out, '{');
    for (size_t i = 0; i < layout->field_count; i++) {
        const zn_field *field = &layout->fields[i];
        const void *value = base + field->offset;
        zn_buf_printf(out, "%s%s=", i == 0 ? "" : " ", field->name);
        switch (field->kind) {
        case ZN_FIELD_UNSIGNED:
            zn_buf_printf(out, "%" PRIu64, *(const uint64_t *)value);
            break;
        case ZN_FIELD_SIGNED:
            zn_buf_printf(out, "%" PRId64, *(const int64_t *)value);
            break;
        case ZN_FIELD_TEXT:
            print_text(*(const zn_bytes *)value, out);
            break;
        case ZN_FIELD_BINARY:
            print_binary(*(const zn_bytes *)value, out);
            break;
        case ZN_FIELD_LIST:
            print_list(field, base, out);
            break;
        }
    }
    zn_buf_append_byte(out, '}');
}

void zn_message_print(const zn_message *message, zn_buf *out) {
    const zn_layout *layout = zn_layout_of_message(message->number);
    if (layout == NULL) {
        zn_buf_append_text(out, "?{}");
        return;
    }
    zn_buf_append_text(out, layout->name);
    print_fields(layout, zn_message_fields_const(message), out);
}
