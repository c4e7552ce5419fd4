/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_FILE_LOOKUP_H
#define ZN_STORE_FILE_LOOKUP_H

#include "base/error.h"

/* What is asked about files before they are read. Errors: IO, naming the file. */

zonda_err zn_file_size(const char *path, uint64_t *out, zonda_error *error);

/* Counts the newlines among the first `bytes` bytes of a plain file. */
zonda_err zn_file_count_lines(const char *path, uint64_t bytes, uint64_t *out, zonda_error *error);

/* Offsets that cut a plain file where records begin. */
typedef struct zn_file_cuts {
    uint64_t *items; /* ascending, none is 0 */
    size_t count;
    size_t capacity;
} zn_file_cuts;

void zn_file_cuts_free(zn_file_cuts *cuts);

/* Finds, for every multiple of `every` bytes inside the file, the first record of a CSV file that
 * begins there or behind it (RFC 4180: a newline in quotes ends none). Reads the whole file. The
 * first record is the header: none of the offsets is in front of what follows it. */
zonda_err zn_file_cut_csv(const char *path, char separator, uint64_t every, zn_file_cuts *out,
                          zonda_error *error);

/* The current folder, absolute. The caller frees; NULL on failure. */
char *zn_file_current_folder(zonda_error *error);

#endif
