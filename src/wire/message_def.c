/* SPDX-License-Identifier: MPL-2.0 */
/* The message table as constant data. Each message and record gets one function that returns its
 * layout; a function, because inside it `self` can name the struct that the offsets are of, and
 * because its address is a constant, so that a list can point at the layout of its elements.
 * Nothing here is computed at run time. */
#include "wire/message_def.h"

#include <stddef.h>

#define FIELD_U(field, limit, text)                                                                \
    { .name = #field,                                                                              \
      .doc = (text),                                                                               \
      .kind = ZN_FIELD_UNSIGNED,                                                                   \
      .max = (uint64_t)(limit),                                                                    \
      .offset = offsetof(self, field) },
#define FIELD_I(field, text)                                                                       \
    { .name = #field, .doc = (text), .kind = ZN_FIELD_SIGNED, .offset = offsetof(self, field) },
#define FIELD_S(field, limit, text)                                                                \
    { .name = #field,                                                                              \
      .doc = (text),                                                                               \
      .kind = ZN_FIELD_TEXT,                                                                       \
      .max = (uint64_t)(limit),                                                                    \
      .offset = offsetof(self, field) },
#define FIELD_B(field, limit, text)                                                                \
    { .name = #field,                                                                              \
      .doc = (text),                                                                               \
      .kind = ZN_FIELD_BINARY,                                                                     \
      .max = (uint64_t)(limit),                                                                    \
      .offset = offsetof(self, field) },
#define FIELD_L(field, element, limit, text)                                                       \
    { .name = #field,                                                                              \
      .doc = (text),                                                                               \
      .kind = ZN_FIELD_LIST,                                                                       \
      .max = (uint64_t)(limit),                                                                    \
      .offset = offsetof(self, field),                                                             \
      .count_offset = offsetof(self, field##_count),                                               \
      .record = record_##element },

#define DECLARE(record, fields_of) static zn_layout_of record_##record;
ZN_RECORD_TABLE(DECLARE)
#undef DECLARE

#define DESCRIBE(record, fields_of)                                                                \
    static const zn_layout *record_##record(void) {                                                \
        typedef struct zn_##record self;                                                           \
        static const zn_field fields[] = { fields_of(FIELD_U, FIELD_I, FIELD_S, FIELD_B,           \
                                                     FIELD_L) };                                   \
        static const zn_layout layout = { .name = #record,                                         \
                                          .way = "",                                               \
                                          .doc = "",                                               \
                                          .struct_bytes = sizeof(self),                            \
                                          .fields = fields,                                        \
                                          .field_count = sizeof fields / sizeof fields[0] };       \
        return &layout;                                                                            \
    }
ZN_RECORD_TABLE(DESCRIBE)
#undef DESCRIBE

#define DESCRIBE(MESSAGE, member, its_number, fields_of, its_way, text)                            \
    static const zn_layout *message_##member(void) {                                               \
        typedef struct zn_msg_##member self;                                                       \
        static const zn_field fields[] = { fields_of(FIELD_U, FIELD_I, FIELD_S, FIELD_B,           \
                                                     FIELD_L) };                                   \
        static const zn_layout layout = { .name = #MESSAGE,                                        \
                                          .way = (its_way),                                        \
                                          .doc = (text),                                           \
                                          .number = (its_number),                                  \
                                          .struct_bytes = sizeof(self),                            \
                                          .fields = fields,                                        \
                                          .field_count = sizeof fields / sizeof fields[0] };       \
        return &layout;                                                                            \
    }
ZN_MESSAGE_TABLE(DESCRIBE)
#undef DESCRIBE

const zn_layout *zn_layout_of_message(uint64_t number) {
    switch (number) {
#define CASE(MESSAGE, member, its_number, fields_of, its_way, text)                                \
    case its_number:                                                                               \
        return message_##member();
        ZN_MESSAGE_TABLE(CASE)
#undef CASE
    default:
        return NULL;
    }
}

const zn_layout *zn_layout_message_at(size_t index) {
    static zn_layout_of *const messages[] = {
#define ENTRY(MESSAGE, member, its_number, fields_of, its_way, text) message_##member,
        ZN_MESSAGE_TABLE(ENTRY)
#undef ENTRY
    };
    return index < sizeof messages / sizeof messages[0] ? messages[index]() : NULL;
}

const zn_layout *zn_layout_record_at(size_t index) {
    static zn_layout_of *const records[] = {
#define ENTRY(record, fields_of) record_##record,
        ZN_RECORD_TABLE(ENTRY)
#undef ENTRY
    };
    return index < sizeof records / sizeof records[0] ? records[index]() : NULL;
}

const char *zn_message_name(uint64_t number) {
    const zn_layout *layout = zn_layout_of_message(number);
    return layout == NULL ? "?" : layout->name;
}
