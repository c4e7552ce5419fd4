/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_MERGE_H
#define ZN_STORE_MERGE_H

#include "base/memory.h"
#include "record/row.h"

/* A stream of rows in key order, pulled. `next` gives a row that is borrowed until the next call on
 * this stream, and false in `*found` at the end. */
typedef struct zn_row_stream {
    void *context;
    zonda_err (*next)(void *context, zn_row *row, bool *found, zonda_error *error);
    void (*close)(void *context); /* may be NULL */
    uint64_t bytes;               /* memory that it takes once it is read, about */
} zn_row_stream;

/* Merges streams into one: by key, equal keys by the order of the streams, so it is stable. If the
 * heads of all streams together do not fit into `memory`, neighbouring streams are first merged
 * into temporary files in `scratch`, in as few passes as it takes: fan-in is bounded, whatever the
 * number of streams. With `sorted` false the streams are concatenated. */
typedef struct zn_merge zn_merge;

typedef struct zn_merge_options {
    const char *scratch; /* borrowed */
    zn_memory *memory;   /* borrowed, may be NULL */
    size_t fan_in_max;   /* 0: as memory allows; for tests */
    bool sorted;
    uint64_t *spilled_bytes;          /* gets the bytes of temporary files added; may be NULL */
    bool (*cancelled)(void *context); /* asked during passes; may be NULL */
    void *context;
} zn_merge_options;

/* Takes over the streams (closes them, also on failure). Errors: IO, DISK_FULL, CANCELLED, what the
 * streams give. */
zn_merge *zn_merge_new(const zn_merge_options *options, zn_row_stream *streams, size_t count,
                       zonda_error *error);

/* The next row, borrowed until the next call, and the index of its stream (may be NULL). */
zonda_err zn_merge_next(zn_merge *merge, zn_row *row, size_t *stream, bool *found,
                        zonda_error *error);
void zn_merge_destroy(zn_merge **merge);

#endif
