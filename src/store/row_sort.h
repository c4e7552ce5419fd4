/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_ROW_SORT_H
#define ZN_STORE_ROW_SORT_H

#include "record/row.h"

/* A row of a buffer, as it is sorted: the begin of its key, and where it lies. */
typedef struct zn_row_entry {
    uint64_t high;  /* bytes 0 to 7 of the key, the first on top; zeros where it is shorter */
    uint32_t low;   /* bytes 8 to 10, then the length of the key, at most ZN_ROW_ENTRY_LONG */
    uint32_t place; /* in units of ZN_ROW_PLACE_BYTES; later rows have larger ones */
} zn_row_entry;

enum {
    ZN_ROW_ENTRY_LONG = 12, /* keys of so many bytes or more are not all in the entry */
    ZN_ROW_PLACE_BYTES = 8,
};

zn_row_entry zn_row_entry_of(zn_bytes key, uint32_t place);

/* The row that lies at a place of `rows`: its two lengths as u32 of this machine, key, record. */
zn_row zn_row_at(const uint8_t *rows, uint32_t place);

/* Sorts by key; equal keys by place, so it is stable. `spare` has room for half of the entries. */
void zn_row_sort(zn_row_entry *entries, size_t count, zn_row_entry *spare, const uint8_t *rows);

#endif
