/* SPDX-License-Identifier: MPL-2.0 */
/* Inside the exchange only: the stretches of a shard as streams of rows. */
#ifndef ZN_OPS_EXCHANGE_ROWS_H
#define ZN_OPS_EXCHANGE_ROWS_H

#include "ops/exchange_table.h"
#include "store/merge.h"

typedef struct zn_exchange_rows zn_exchange_rows;

/* What all streams of a shard share. Borrowed; the table's part must stay. */
typedef struct zn_exchange_shard {
    const zn_exchange_plan *plan;
    const zn_exchange_table *table;
    zn_exchange_borders borders;
    const zn_exchange_stretch *stretches;
    size_t count;
    zn_fetcher *fetcher;
    zn_memory *memory;
} zn_exchange_shard;

/* Nothing is read before a stream is asked for a row. */
zn_exchange_rows *zn_exchange_rows_new(const zn_exchange_shard *shard);
void zn_exchange_rows_destroy(zn_exchange_rows **rows);

/* Stream `index` of the shard, without the rows of its neighbours. Borrowed: it ends with the rows.
 * Its errors name stage, task and worker: WORKER_LOST, CORRUPT, NOT_FOUND, IO. */
zn_row_stream zn_exchange_rows_stream(zn_exchange_rows *rows, size_t index);

#endif
