/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_JOIN_TABLE_H
#define ZN_OPS_JOIN_TABLE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/memory.h"

/* Records by key, in memory: one side of a join as a whole. One thread. */
typedef struct zn_join_table zn_join_table;

/* What is in it is charged to `memory` (borrowed, may be NULL). `limited`: it is an error if the
 * account refuses; else it is charged by force. */
zn_join_table *zn_join_table_new(zn_memory *memory, bool limited);
void zn_join_table_destroy(zn_join_table **table);

/* Adds copies; the record may be no bytes where it is enough to know the key. What the account
 * refuses is counted and not kept. Error: LIMIT (more records than there can be numbers). */
zonda_err zn_join_table_add(zn_join_table *table, zn_bytes key, zn_bytes record,
                            zonda_error *error);

/* To be called behind the last `add`. Error: LIMIT, permanent, if not everything was kept; it names
 * the size, the limit and what to do. */
zonda_err zn_join_table_finish(zn_join_table *table, zonda_error *error);

/* The first record of a key; ZN_JOIN_TABLE_NONE if there is none. */
#define ZN_JOIN_TABLE_NONE UINT32_MAX
uint32_t zn_join_table_find(const zn_join_table *table, zn_bytes key);

/* Calls `visit` for each record of a key that was found, in the order in which they came; ends at
 * its first error. */
typedef zonda_err zn_join_table_visit(void *context, zn_bytes record, zonda_error *error);
zonda_err zn_join_table_each(const zn_join_table *table, uint32_t first, zn_join_table_visit *visit,
                             void *context, zonda_error *error);

#endif
