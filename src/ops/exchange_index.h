/* SPDX-License-Identifier: MPL-2.0 */
/* Inside the exchange only: reads the indexes of all tasks of the inputs. */
#ifndef ZN_OPS_EXCHANGE_INDEX_H
#define ZN_OPS_EXCHANGE_INDEX_H

#include "ops/exchange_places.h"
#include "ops/task.h"
#include "store/fetch.h"
#include "store/segment_index.h"

/* An earlier stage, complete. */
typedef struct zn_exchange_input {
    zn_stage_id stage;
    uint64_t tasks;
} zn_exchange_input;

/* A task of an input, and where its segment is. */
typedef struct zn_exchange_source {
    uint32_t input;
    uint32_t task;
    uint32_t attempt;
    uint32_t place;
} zn_exchange_source;

/* Called for each entry, in the order of inputs, tasks, and their indexes. */
typedef zonda_err zn_exchange_entry(void *context, const zn_exchange_source *source,
                                    const zn_index_entry *entry, zonda_error *error);

typedef struct zn_exchange_reading {
    const zn_task_host *host;
    zn_job_id job;
    const zn_exchange_input *inputs;
    size_t input_count;
    zn_fetcher *fetcher;
    zn_exchange_places *places; /* gets the places */
    zn_exchange_entry *on_entry;
    void *context;
} zn_exchange_reading;

/* Errors: WORKER_LOST, CORRUPT, NOT_FOUND, IO, PROTOCOL, CANCELLED, what `on_entry` returned; those
 * about segments name stage, task and worker. */
zonda_err zn_exchange_read_indexes(const zn_exchange_reading *reading, zonda_error *error);

#endif
