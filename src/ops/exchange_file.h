/* SPDX-License-Identifier: MPL-2.0 */
/* Inside the exchange only: the file of a table. It is made once on a worker and then read by all
 * its slots; a lock on it decides who makes it, and the header, which is written last, says that it
 * is whole. Little-endian:
 *   0  magic "ZNX1"   4  zero, u32   8  number of parts, u64   16  XXH3-64 of bytes 0 to 15, u64
 *  24  offset of each part, then of the places, then the end of the file, u64 each
 * and then blocks (store/block.h) of values: the parts in order, then the places. */
#ifndef ZN_OPS_EXCHANGE_FILE_H
#define ZN_OPS_EXCHANGE_FILE_H

#include "base/buf.h"
#include "base/error.h"

typedef struct zn_exchange_file zn_exchange_file;

/* Opens the file, made empty if it is not there, of a table with so many parts, and waits for the
 * lock. Errors: IO, DISK_FULL, CANCELLED (`cancelled` said so). */
zn_exchange_file *zn_exchange_file_open(const char *path, uint64_t parts,
                                        bool (*cancelled)(void *context), void *context,
                                        zonda_error *error);
void zn_exchange_file_close(zn_exchange_file **file);

/* Whether it was made before. If not, it is to be made now, with the lock held. */
bool zn_exchange_file_is_whole(const zn_exchange_file *file);

/* ---- making it ---- */

/* Adds a value to a part; parts come in order. A `part` equal to their number means the places. */
zonda_err zn_exchange_file_put(zn_exchange_file *file, uint64_t part, zn_bytes value,
                               zonda_error *error);

/* Writes what is left; now it is whole. */
zonda_err zn_exchange_file_finish(zn_exchange_file *file, zonda_error *error);

/* Lets others have the lock. */
void zn_exchange_file_unlock(zn_exchange_file *file);

/* ---- reading it ---- */

/* Appends the values of a part to `out`. Errors: IO, CORRUPT. */
zonda_err zn_exchange_file_read(zn_exchange_file *file, uint64_t part, zn_buf *out,
                                zonda_error *error);

/* Takes its name away, unless that is of a newer one, so that the next one to open it makes it
 * anew. */
void zn_exchange_file_discard(zn_exchange_file *file);

#endif
