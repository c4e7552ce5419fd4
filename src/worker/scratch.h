/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_SCRATCH_H
#define ZN_WORKER_SCRATCH_H

#include "base/error.h"

/* The folders of one worker, readable by its user only, made in `parent` (NULL: $TMPDIR or /tmp).
 * Sockets get a folder of their own in /tmp where the path would be too long for one. */
typedef struct zn_scratch {
    char *folder;  /* segments and the boards of slots */
    char *sockets; /* ipc sockets */
} zn_scratch;

/* Errors: IO. Nothing is left behind on failure. */
zonda_err zn_scratch_make(const char *parent, zn_scratch *out, zonda_error *error);

/* Removes the segments of all jobs. */
void zn_scratch_remove_segments(const zn_scratch *scratch);

/* Removes the folders and everything in them, releases the names. */
void zn_scratch_remove(zn_scratch *scratch);

#endif
