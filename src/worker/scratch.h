/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_SCRATCH_H
#define ZN_WORKER_SCRATCH_H

#include "base/error.h"

/* A folder and the lock that says that its owner lives. */
typedef struct zn_scratch_folder {
    char *path; /* NULL: none */
    int lock;   /* descriptor; -1 where locks do not exist */
} zn_scratch_folder;

/* The folders of one worker, readable by its user only, made in `parent` (NULL: $TMPDIR or /tmp).
 * Sockets get a folder of their own in /tmp where the path would be too long for one. */
typedef struct zn_scratch {
    char *folder;  /* segments and the boards of slots */
    char *sockets; /* ipc sockets; the same folder or another */
    zn_scratch_folder main;
    zn_scratch_folder apart; /* of the sockets */
} zn_scratch;

/* Also removes what workers of the same user that were killed have left in the same place.
 * Errors: IO. Nothing is left behind on failure. */
zonda_err zn_scratch_make(const char *parent, zn_scratch *out, zonda_error *error);

/* Removes the segments of all jobs. */
void zn_scratch_remove_segments(const zn_scratch *scratch);

/* Removes the folders and everything in them, releases the names. */
void zn_scratch_remove(zn_scratch *scratch);

#endif
