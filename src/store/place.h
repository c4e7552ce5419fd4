/* SPDX-License-Identifier: MPL-2.0 */
/* Where a segment lies: on a worker, which serves it, and on the same host also as a file. */
#ifndef ZN_STORE_PLACE_H
#define ZN_STORE_PLACE_H

#include "base/buf.h"
#include "base/error.h"

/* The attempt that made a result, for those who cannot read it. All zero: not known. */
typedef struct zn_origin {
    bool known;
    uint32_t stage;
    uint64_t task;
    uint32_t attempt;
} zn_origin;

typedef struct zn_place {
    const char *endpoint; /* data endpoint of the worker */
    const char *folder;   /* its scratch folder if it is on this host; NULL or "": it is not */
    zn_bytes segment;     /* file name */
    zn_origin origin;     /* whose blocks are read */
} zn_place;

/* Bytes of a segment: whole blocks. */
typedef struct zn_stretch {
    uint64_t offset;
    uint64_t length;
} zn_stretch;

#endif
