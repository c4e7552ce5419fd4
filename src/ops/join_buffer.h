/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_JOIN_BUFFER_H
#define ZN_OPS_JOIN_BUFFER_H

#include "base/buf.h"
#include "base/error.h"
#include "base/memory.h"

/* Records that are read again and again, in order: in memory as long as the account allows more,
 * then in a temporary file. One thread. */
typedef struct zn_join_buffer zn_join_buffer;

/* `scratch` and `memory` (may be NULL) are borrowed. Short lists need no file whatever the account
 * says: they are charged by force. */
zn_join_buffer *zn_join_buffer_new(const char *scratch, zn_memory *memory);
void zn_join_buffer_destroy(zn_join_buffer **buffer);

/* Appends a copy of the record. Not behind `each` without a `clear` in between. Errors: IO,
 * DISK_FULL. */
zonda_err zn_join_buffer_add(zn_join_buffer *buffer, zn_bytes record, zonda_error *error);

/* Calls `visit` for each record, borrowed during the call; ends at its first error. Errors: those,
 * IO, CORRUPT. */
typedef zonda_err zn_join_visit(void *context, zn_bytes record, zonda_error *error);
zonda_err zn_join_buffer_each(zn_join_buffer *buffer, zn_join_visit *visit, void *context,
                              zonda_error *error);

/* Drops all records. */
void zn_join_buffer_clear(zn_join_buffer *buffer);

/* Bytes written to temporary files so far. */
uint64_t zn_join_buffer_spilled_bytes(const zn_join_buffer *buffer);

#endif
