/* SPDX-License-Identifier: MPL-2.0 */
/* Inside the exchange only: which shards the rows of some blocks belong to. */
#ifndef ZN_OPS_EXCHANGE_DIVIDE_H
#define ZN_OPS_EXCHANGE_DIVIDE_H

#include "ops/exchange_part.h"
#include "store/sorter.h"

/* Borders between shards of about equal bytes, found from samples (of ranges) or from the sum of
 * all bytes. */
typedef struct zn_exchange_division zn_exchange_division;

/* `way` is RANGE or BYTES. For ranges `sorter` (sorted, empty, borrowed) holds the samples. */
zn_exchange_division *zn_exchange_division_new(zn_exchange_way way, uint64_t shards,
                                               zn_sorter *sorter);
void zn_exchange_division_destroy(zn_exchange_division **division);

/* Blocks with so many bytes; to be called for all of them, in order. */
void zn_exchange_division_add_bytes(zn_exchange_division *division, uint64_t bytes);

/* A sample of an input's task, which stands for so many bytes; in order. Errors: IO, DISK_FULL. */
zonda_err zn_exchange_division_add_sample(zn_exchange_division *division, uint32_t input,
                                          uint32_t task, zn_bytes key, uint64_t bytes,
                                          zonda_error *error);

/* Finds the borders; to be called once, before the questions. Errors: IO, DISK_FULL. */
zonda_err zn_exchange_division_settle(zn_exchange_division *division, zonda_error *error);

/* The borders of a shard. Borrowed. */
zn_exchange_borders zn_exchange_division_borders(const zn_exchange_division *division,
                                                 uint64_t shard);

/* The shard of a row: of ranges one with `key` in a task of an input, of bytes one at `begin`. */
uint64_t zn_exchange_division_shard(const zn_exchange_division *division,
                                    const zn_exchange_border *row);

#endif
