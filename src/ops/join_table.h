/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_JOIN_TABLE_H
#define ZN_OPS_JOIN_TABLE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/memory.h"

/* Records by key: one side of a join as a whole. Keys and records are in memory as long as the
 * account allows it, then all of them in a temporary file; only the index, some 50 bytes a record,
 * is always in memory. One thread. */
typedef struct zn_join_table zn_join_table;

/* What is in memory is charged to `memory` (borrowed, may be NULL). `scratch` is borrowed. */
zn_join_table *zn_join_table_new(zn_memory *memory, const char *scratch);
void zn_join_table_destroy(zn_join_table **table);

/* Adds copies; the record may be no bytes where it is enough to know the key. Errors: LIMIT (more
 * records than there can be numbers), IO, DISK_FULL. */
zonda_err zn_join_table_add(zn_join_table *table, zn_bytes key, zn_bytes record,
                            zonda_error *error);

/* To be called behind the last `add`: gives back what growing has taken in advance. */
void zn_join_table_finish(zn_join_table *table);

/* The first record of a key; ZN_JOIN_TABLE_NONE if there is none. Error: IO. */
#define ZN_JOIN_TABLE_NONE UINT32_MAX
zonda_err zn_join_table_find(zn_join_table *table, zn_bytes key, uint32_t *first,
                             zonda_error *error);

/* Calls `visit` for each record of a key that was found, in the order in which they came; ends at
 * its first error. The record is borrowed during the call, in which the table may be asked for
 * other keys but not for other records. Error: IO. */
typedef zonda_err zn_join_table_visit(void *context, zn_bytes record, zonda_error *error);
zonda_err zn_join_table_each(zn_join_table *table, uint32_t first, zn_join_table_visit *visit,
                             void *context, zonda_error *error);

#endif
