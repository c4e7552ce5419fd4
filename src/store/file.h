/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_FILE_H
#define ZN_STORE_FILE_H

#include "base/buf.h"
#include "base/error.h"

/* Sets "<what>: <text of errno>" and the file; `path` may be NULL. The code is DISK_FULL when there
 * is no room (no space, quota, file size limit) and IO otherwise. Call it right after the system
 * call that failed. */
zonda_err zn_file_failed(zonda_error *error, const char *path, const char *what);

/* One read that signals do not break: the number of bytes, 0 at the end, -1 with errno. */
long zn_file_read(int fd, uint8_t *out, size_t size);

/* Fills `out` from `offset` on, less only at the end of the file; -1 with errno. */
long zn_file_read_at(int fd, uint8_t *out, size_t size, uint64_t offset);

/* Writes everything; false with errno. */
bool zn_file_write(int fd, zn_bytes bytes);
bool zn_file_write_at(int fd, zn_bytes bytes, uint64_t offset);

/* A file without a name in a folder, to read and write; -1 with `error` (IO, DISK_FULL). */
int zn_file_temporary(const char *folder, zonda_error *error);

/* What tells one state of a file from another. */
typedef struct zn_file_info {
    uint64_t bytes;
    int64_t modified_ns; /* since 1970 */
} zn_file_info;

/* Error: IO. */
zonda_err zn_file_info_of(const char *path, zn_file_info *out, zonda_error *error);

/* Makes one folder and, if need be, those above it. Others may be making the same ones. */
zonda_err zn_file_make_folders(const char *folder, zonda_error *error);

/* Makes a rename or a new entry in a folder durable; false with errno. */
bool zn_file_sync_folder(const char *folder);

/* Closes a descriptor if it is one (>= 0) and sets it to -1. Keeps errno. */
void zn_file_close(int *fd);

#endif
