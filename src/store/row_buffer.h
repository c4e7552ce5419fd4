/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_ROW_BUFFER_H
#define ZN_STORE_ROW_BUFFER_H

#include "base/memory.h"
#include "base/pages.h"
#include "store/merge.h"
#include "store/row_sort.h"

/* Rows in memory that can be sorted. All zero but `memory` is an empty one. What it holds is
 * charged to the account until zn_row_buffer_free. */
typedef struct zn_row_buffer {
    zn_memory *memory; /* borrowed, may be NULL */
    zn_pages rows;
    zn_pages entries; /* with room to sort them */
    size_t rows_used;
    size_t count;
} zn_row_buffer;

/* Bytes charged. */
uint64_t zn_row_buffer_bytes(const zn_row_buffer *buffer);

/* Makes room for a row, within `bytes_max` in all. False: that, or the account, does not allow it.
 */
bool zn_row_buffer_reserve(zn_row_buffer *buffer, size_t key_len, size_t record_len,
                           uint64_t bytes_max);

/* The same whatever the limits say. */
void zn_row_buffer_force(zn_row_buffer *buffer, size_t key_len, size_t record_len);

/* Adds a row for which there is room; its key is `tag`, then `key`. */
void zn_row_buffer_add(zn_row_buffer *buffer, zn_bytes tag, zn_bytes key, zn_bytes record);

/* By key, stably. */
void zn_row_buffer_sort(zn_row_buffer *buffer);

static inline zn_row zn_row_buffer_at(const zn_row_buffer *buffer, size_t index) {
    const zn_row_entry *entries = (const void *)buffer->entries.data;
    return zn_row_at(buffer->rows.data, entries[index].place);
}

/* Where the row lies, for who asks the memory for it early: sorted rows lie anywhere. NULL if there
 * is none. (Not a function that asks: as it has no result, gcc takes its calls for useless.) */
static inline const uint8_t *zn_row_buffer_where(const zn_row_buffer *buffer, size_t index) {
    const zn_row_entry *entries = (const void *)buffer->entries.data;
    return index < buffer->count
               ? buffer->rows.data + (size_t)entries[index].place * ZN_ROW_PLACE_BYTES
               : NULL;
}

/* Drops the rows and keeps the memory. */
void zn_row_buffer_clear(zn_row_buffer *buffer);

/* Drops both. */
void zn_row_buffer_free(zn_row_buffer *buffer);

#endif
