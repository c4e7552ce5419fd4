/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_FRAMER_H
#define ZN_STORE_FRAMER_H

#include "base/buf.h"

/* Finds where records end in a stream that comes in pieces of any size. Plain data, copied freely;
 * it has seen all bytes since the last end. */
typedef struct zn_framer zn_framer;

/* Looks at the bytes behind those seen before. Returns how many it has taken; `*whole` is set if
 * they end a record. Bytes that it leaves come again, with more behind them. */
typedef size_t zn_framer_scan(zn_framer *framer, zn_bytes bytes, bool *whole);

struct zn_framer {
    zn_framer_scan *scan;
    uint64_t lines; /* newlines so far, where the format has lines */
    uint8_t separator;
    uint8_t state;
    uint8_t mark;     /* bytes of a byte order mark that were seen; 3: no more are expected */
    uint64_t values;  /* MessagePack: still wanted for the record */
    uint64_t payload; /* and bytes of the value that is being passed */
};

/* A record ends with LF. */
zn_framer zn_framer_lines(void);

/* RFC 4180 with any separator: a record ends with an LF that is not in quotes. At the start of a
 * file a byte order mark is no part of the first field. */
zn_framer zn_framer_csv(char separator, bool at_start);

/* A record is one value. The reserved byte 0xc1 passes as a value of one byte, so that what comes
 * behind it can still be found; whoever checks the record refuses it. */
zn_framer zn_framer_msgpack(void);

/* A record never ends: the file is one. */
zn_framer zn_framer_whole(void);

#endif
