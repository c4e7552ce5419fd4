/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_AGGREGATE_TABLE_H
#define ZN_OPS_AGGREGATE_TABLE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/memory.h"

/* A hash table from keys to states of a given size, in memory that it asks an account for. It never
 * forgets a single entry: when it is full, its user gives on what is in it and clears it. */
typedef struct zn_aggregate_table zn_aggregate_table;

typedef struct zn_aggregate_entry {
    zn_bytes key;
    uint8_t tag; /* what the user said when the entry was made */
    void *state; /* aligned for 8 bytes */
} zn_aggregate_entry;

zn_aggregate_table *zn_aggregate_table_new(void);
void zn_aggregate_table_destroy(zn_aggregate_table **table);

/* Begins with a table that is empty and may take half of what is left in `memory` (may be NULL);
 * `end` empties it and gives all back, also if it was not begun. */
void zn_aggregate_table_begin(zn_aggregate_table *table, zn_memory *memory);
void zn_aggregate_table_end(zn_aggregate_table *table);

uint32_t zn_aggregate_table_hash(zn_bytes key);

/* The state of the key, whose hash is given, made of `state_bytes` zeros if there is none; valid
 * until the next call. NULL if there is no room, which cannot be when the table is empty. */
void *zn_aggregate_table_find(zn_aggregate_table *table, zn_bytes key, uint32_t hash, uint8_t tag,
                              size_t state_bytes);

/* Ask the memory for what finding a key with that hash will look at, without waiting: first for its
 * slot, later, when that is there, for its entry. */
void zn_aggregate_table_expect_slot(const zn_aggregate_table *table, uint32_t hash);
void zn_aggregate_table_expect_entry(const zn_aggregate_table *table, uint32_t hash);

/* Charges the account with bytes that the states hold outside, rounded up: all of them, not what is
 * new. False if that is too much, but they are charged then too. */
bool zn_aggregate_table_charge(zn_aggregate_table *table, uint64_t bytes);

/* The next entry, in the order in which they were made; `*at` begins with 0. */
bool zn_aggregate_table_next(zn_aggregate_table *table, size_t *at, zn_aggregate_entry *out);

/* Forgets all entries; what they held outside is no longer charged. */
void zn_aggregate_table_clear(zn_aggregate_table *table);

#endif
