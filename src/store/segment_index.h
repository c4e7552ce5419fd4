/* SPDX-License-Identifier: MPL-2.0 */
/* The index of a shuffle result in a segment. It lies behind the result's blocks, is made of blocks
 * itself (of entries as records, so checks and compression come for free), and is what the
 * reference of the task's outcome names. An entry describes consecutive blocks of one partition:
 *   [partition, offset, length, rows, bytes, [[key, rows, bytes], …]]
 * offset and length are bytes of the segment, rows and bytes (raw: both values of each row, as they
 * are in blocks) what is in them. The samples are for range partitioning: a key, and how many rows
 * and bytes there are from the row with it up to the next sample or the end of the entry. Where
 * there are samples, the first one is of the entry's first row, so they add up to the entry, and
 * the last one is of its last row alone; where they are not asked for there are none. Entries come
 * in the order of partition and offset; partitions without rows have none. */
#ifndef ZN_STORE_SEGMENT_INDEX_H
#define ZN_STORE_SEGMENT_INDEX_H

#include "base/error.h"
#include "store/place.h"

enum {
    /* A longer key is cut in its sample: as a border between ranges its beginning does as well. */
    ZN_SAMPLE_KEY_BYTES_MAX = 1024
};

typedef struct zn_index_sample {
    zn_bytes key;
    uint64_t rows;
    uint64_t bytes;
} zn_index_sample;

typedef struct zn_index_entry {
    uint32_t partition;
    zn_stretch stretch;
    uint64_t rows;
    uint64_t bytes;
    const zn_index_sample *samples;
    size_t sample_count;
} zn_index_entry;

/* Appends the entry as one value. */
void zn_index_entry_put(zn_buf *out, const zn_index_entry *entry);

/* Reads checked values as entries; samples and keys are borrowed from `values` and from the reader
 * until the next call. False at the end. Errors: CORRUPT (whatever does not fit). */
typedef struct zn_index_reader zn_index_reader;
zn_index_reader *zn_index_reader_new(void);
void zn_index_reader_destroy(zn_index_reader **reader);
zonda_err zn_index_reader_take(zn_index_reader *reader, zn_bytes *values, zn_index_entry *out,
                               bool *found, zonda_error *error);

#endif
