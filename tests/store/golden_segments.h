/* SPDX-License-Identifier: MPL-2.0 */
/* The segments of the golden files, as they are written now. Their content never changes. */
#ifndef ZN_TESTS_STORE_GOLDEN_SEGMENTS_H
#define ZN_TESTS_STORE_GOLDEN_SEGMENTS_H

#include "store/place.h"
#include "store/segment.h"

typedef enum golden_kind {
    GOLDEN_RECORDS,    /* records without an index */
    GOLDEN_COMPRESSED, /* the same, of a kind that is compressed, in several blocks */
    GOLDEN_PARTITIONS,
    GOLDEN_BLOCKS,
    GOLDEN_SAMPLES,
    GOLDEN_KINDS,
} golden_kind;

typedef struct golden_segment {
    const char *file; /* name of the golden file */
    bool indexed;     /* the result has an index of `index` */
    zn_index_kind index;
    uint32_t rows;
    zn_stretch result; /* what the reference of its task names */
} golden_segment;

extern const golden_segment golden_segments[GOLDEN_KINDS];

/* Row i: its partition, its key (empty without an index) and its record. */
uint32_t golden_row(golden_kind kind, uint32_t i, zn_buf *key, zn_buf *record);

/* Writes the segment into a folder; `*result` says where its result is. Returns the name of the
 * file, owned by the caller; NULL and `error` on failure. */
char *golden_write_segment(golden_kind kind, const char *folder, zn_stretch *result,
                           zonda_error *error);

#endif
