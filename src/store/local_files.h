/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_LOCAL_FILES_H
#define ZN_STORE_LOCAL_FILES_H

#include "base/buf.h"

/* Segments of workers on this host, opened once for all readers of a fetcher. Only a few have a
 * descriptor at a time, however many are in use. One thread. */
typedef struct zn_local_files zn_local_files;
typedef struct zn_local_file zn_local_file;

zn_local_files *zn_local_files_new(void);
/* Nothing may be in use any more. */
void zn_local_files_destroy(zn_local_files **files);

/* NULL if there is no such file that may be read: it must be a regular file (and no link) of this
 * user, in a folder given by its absolute path. `segment` is a valid name. */
zn_local_file *zn_local_files_use(zn_local_files *files, const char *folder, zn_bytes segment);

/* Fills `out`, less only at the end of the file. -1 with errno; ENOENT if it is gone or is not to
 * be read any more. */
long zn_local_files_read(zn_local_files *files, zn_local_file *file, uint8_t *out, size_t size,
                         uint64_t offset);

/* NULL-safe, clears the pointer. A file that nobody uses is closed at once, so that the room of
 * removed segments is free. */
void zn_local_files_leave(zn_local_files *files, zn_local_file **file);

#endif
