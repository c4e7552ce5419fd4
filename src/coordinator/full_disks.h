/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_FULL_DISKS_H
#define ZN_COORDINATOR_FULL_DISKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* A worker where an attempt of a stage found the disk full. */
typedef struct zn_full_disk {
    uint64_t worker;
    uint64_t at_ns; /* when it was found so the last time */
    char *host;
    char *text; /* what failed, with the file */
} zn_full_disk;

/* Those of a stage, at most one for each worker. All zero is empty. */
typedef struct zn_full_disks {
    zn_full_disk *items;
    size_t count;
    size_t capacity;
} zn_full_disks;

/* An attempt on `host` failed with DISK_FULL; `error` has the worker. */
void zn_full_disks_note(zn_full_disks *disks, const char *host, uint64_t now_ns,
                        const zonda_error *error);

/* Whether the disk of a worker was full within the last ZN_DISK_FULL_MS. */
bool zn_full_disks_has(const zn_full_disks *disks, uint64_t worker, uint64_t now_ns);

/* Makes the text of an error name all of them, as far as they have room there; it is not about one
 * file any more. */
void zn_full_disks_describe(const zn_full_disks *disks, zonda_error *error);

void zn_full_disks_free(zn_full_disks *disks);

#endif
