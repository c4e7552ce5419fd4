/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_BYTE_FILE_H
#define ZN_STORE_BYTE_FILE_H

#include "base/buf.h"
#include "base/error.h"

/* Bytes in a temporary file without a name, appended and read anywhere: what a table holds when
 * memory does not. One thread. */
typedef struct zn_byte_file zn_byte_file;

enum {
    ZN_BYTE_FILE_MEMORY_BYTES = 256 * 1024 /* that one takes, about */
};

/* Errors: IO, DISK_FULL. */
zn_byte_file *zn_byte_file_new(const char *scratch, zonda_error *error);
void zn_byte_file_destroy(zn_byte_file **file);

zonda_err zn_byte_file_append(zn_byte_file *file, zn_bytes bytes, zonda_error *error);

/* Bytes appended so far. */
uint64_t zn_byte_file_size(const zn_byte_file *file);

/* Puts `len` bytes from `offset` on, all of them appended before, into `out` (emptied first). */
zonda_err zn_byte_file_read(zn_byte_file *file, uint64_t offset, size_t len, zn_buf *out,
                            zonda_error *error);

#endif
