/* SPDX-License-Identifier: MPL-2.0 */
/* Messages for tests, filled by walking their layouts. */
#ifndef ZN_TESTS_WIRE_SAMPLE_H
#define ZN_TESTS_WIRE_SAMPLE_H

#include "wire/message_def.h"

typedef enum sample_kind {
    SAMPLE_EMPTY, /* zeros, empty texts and lists */
    SAMPLE_MIXED, /* numbers of all widths, short texts, two elements: the golden files */
    SAMPLE_FULL,  /* every number, text and binary at its limit, two elements */
} sample_kind;

enum {
    SAMPLE_BLOCKS_MAX = 4096
};

/* A message and the memory that it borrows. */
typedef struct sample_message {
    zn_message message;
    void *blocks[SAMPLE_BLOCKS_MAX];
    size_t block_count;
    uint64_t next; /* makes values differ from each other */
} sample_message;

/* Fills a message of this layout. */
void sample_fill(sample_message *sample, const zn_layout *layout, sample_kind kind);
void sample_free(sample_message *sample);

/* What one field of a hand-written message is to be instead of valid. */
typedef enum sample_defect {
    DEFECT_NONE,
    DEFECT_NIL,     /* nil instead of the value */
    DEFECT_TYPE,    /* a value of another type that msgpack knows */
    DEFECT_OVER,    /* one over the limit */
    DEFECT_TEXT,    /* text that is not UTF-8 */
    DEFECT_NUL,     /* text with NUL */
    DEFECT_ELEMENT, /* a list whose element is not a whole record */
    DEFECT_COUNT,   /* the number of defects */
} sample_defect;

/* Appends an empty message in which field `index` has the defect. False (and nothing appended) if
 * that field cannot have it. */
bool sample_write_defect(const zn_layout *layout, size_t index, sample_defect defect, zn_buf *out);

/* Appends one valid, empty value of a field. */
void sample_write_empty(const zn_field *field, zn_buf *out);

/* Reads a whole file; fails the test if it cannot. */
void sample_read_file(const char *path, zn_buf *out);

#endif
