/* SPDX-License-Identifier: MPL-2.0 */
/* Inside wire only: what message_table.h says, as data that the encoder, decoder, printer and the
 * generator of docs/PROTOCOL.md walk. */
#ifndef ZN_WIRE_MESSAGE_DEF_H
#define ZN_WIRE_MESSAGE_DEF_H

#include "wire/message.h"

typedef enum zn_field_kind {
    ZN_FIELD_UNSIGNED,
    ZN_FIELD_SIGNED,
    ZN_FIELD_TEXT,
    ZN_FIELD_BINARY,
    ZN_FIELD_LIST,
} zn_field_kind;

typedef struct zn_layout zn_layout;
typedef const zn_layout *zn_layout_of(void);

typedef struct zn_field {
    const char *name;
    const char *doc;
    zn_field_kind kind;
    uint64_t max;         /* value, bytes or elements; not used by SIGNED */
    size_t offset;        /* in the struct: uint64_t, int64_t, zn_bytes or pointer */
    size_t count_offset;  /* LIST: of the size_t with the number of elements */
    zn_layout_of *record; /* LIST: of the elements */
} zn_field;

/* A message or a record: an array of fields. */
struct zn_layout {
    const char *name;
    const char *way; /* "" for a record */
    const char *doc; /* "" for a record */
    uint64_t number; /* 0 for a record */
    size_t struct_bytes;
    const zn_field *fields;
    size_t field_count;
};

/* The layout of a message, NULL for a number that the table does not have. */
const zn_layout *zn_layout_of_message(uint64_t number);

/* All messages in the order of the table: index from 0, NULL after the last. */
const zn_layout *zn_layout_message_at(size_t index);

/* All records in the order of the table: index from 0, NULL after the last. */
const zn_layout *zn_layout_record_at(size_t index);

/* Where the fields of a message start: the layouts' offsets count from here. */
static inline void *zn_message_fields(zn_message *message) {
    return &message->hello;
}

static inline const void *zn_message_fields_const(const zn_message *message) {
    return &message->hello;
}

#endif
