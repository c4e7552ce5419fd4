/* SPDX-License-Identifier: MPL-2.0 */
/* Inside the exchange only: the table of what lies where. */
#ifndef ZN_OPS_EXCHANGE_TABLE_H
#define ZN_OPS_EXCHANGE_TABLE_H

#include "ops/exchange_index.h"
#include "ops/exchange_part.h"

/* What the planner says of an exchange. */
typedef struct zn_exchange_plan {
    zn_exchange_way way;
    uint64_t shards;
    zn_exchange_input *inputs; /* owned by whoever made the plan */
    size_t input_count;
} zn_exchange_plan;

/* For whom a table is. All borrowed. */
typedef struct zn_exchange_user {
    const zn_task_host *host;
    zn_job_id job;
    zn_stage_id stage;
    uint64_t shard_first; /* tells the exchanges of a stage apart */
    zn_fetcher *fetcher;
} zn_exchange_user;

typedef struct zn_exchange_table zn_exchange_table;

/* Opens the table in the scratch folder, which is made if this is the first slot to need it. It is
 * named like a segment of the stage, so that it goes with the job. Errors: as
 * zn_exchange_read_indexes, DISK_FULL. */
zn_exchange_table *zn_exchange_table_open(const zn_exchange_plan *plan,
                                          const zn_exchange_user *user, zonda_error *error);
void zn_exchange_table_close(zn_exchange_table **table);

/* What a shard reads: its borders, and its stretches in the order in which rows of equal keys come.
 * Borrowed until the next call. Errors: IO, CORRUPT. */
zonda_err zn_exchange_table_read(zn_exchange_table *table, uint64_t shard,
                                 zn_exchange_borders *borders,
                                 const zn_exchange_stretch **stretches, size_t *count,
                                 zonda_error *error);

/* A place that a stretch names. Borrowed. */
const zn_exchange_place *zn_exchange_table_place(const zn_exchange_table *table, uint32_t place);

/* Something is not where the table says: the next one to open it makes it anew. */
void zn_exchange_table_discard(zn_exchange_table *table);

#endif
