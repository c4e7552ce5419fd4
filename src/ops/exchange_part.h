/* SPDX-License-Identifier: MPL-2.0 */
/* Inside the exchange only: what is told of one shard. */
#ifndef ZN_OPS_EXCHANGE_PART_H
#define ZN_OPS_EXCHANGE_PART_H

#include "record/value.h"
#include "store/place.h"

/* How rows are divided among shards; see ops/exchange.h. */
typedef enum zn_exchange_way {
    ZN_EXCHANGE_PARTITION,
    ZN_EXCHANGE_RANGE,
    ZN_EXCHANGE_BYTES,
    ZN_EXCHANGE_TASK,
} zn_exchange_way;

/* Blocks of one task of an input. */
typedef struct zn_exchange_stretch {
    uint32_t input; /* place of the stage in "inputs" */
    uint32_t task;
    uint32_t attempt; /* of it that made them */
    uint32_t place;   /* where the segment is: an index of zn_exchange_places */
    zn_stretch stretch;
    uint64_t rows; /* in the blocks, whosever they are */
    uint64_t bytes;
    uint64_t begin; /* bytes of all rows before it, in the order of inputs and tasks */
} zn_exchange_stretch;

/* A border between two shards: the first row behind it. Of ranges, rows are compared by key, then
 * input, then task, so that rows of one key can be divided between tasks; of bytes, by `begin`. */
typedef struct zn_exchange_border {
    bool set; /* else there is none: the first or the last shard */
    zn_bytes key;
    uint32_t input;
    uint32_t task;
    uint64_t begin;
} zn_exchange_border;

typedef struct zn_exchange_borders {
    zn_exchange_border lower; /* rows from it on */
    zn_exchange_border upper; /* and before it */
} zn_exchange_borders;

/* Whether a row belongs before a border that is set. The row is given like a border: of ranges its
 * key and where it is from, of bytes its `begin`. */
bool zn_exchange_is_before(zn_exchange_way way, const zn_exchange_border *row,
                           const zn_exchange_border *border);

/* Each appends one value. */
void zn_exchange_stretch_put(zn_buf *out, const zn_exchange_stretch *stretch);
void zn_exchange_borders_put(zn_buf *out, const zn_exchange_borders *borders);

/* Each takes one value; false if it is not what it should be. Keys are borrowed. */
bool zn_exchange_stretch_take(zn_cursor *cursor, zn_exchange_stretch *out);
bool zn_exchange_borders_take(zn_cursor *cursor, zn_exchange_borders *out);

#endif
