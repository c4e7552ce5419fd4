/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_AGGREGATE_BATCH_H
#define ZN_OPS_AGGREGATE_BATCH_H

#include "ops/aggregate_table.h"
#include "ops/task.h"

enum {
    ZN_AGGREGATE_BATCH_MAX = 32
};

/* Records with their keys that wait until there are enough of them: the memory that they need in
 * the table is asked for early, and is there when they are worked on. They know where they came
 * from, so that an error names the right one. All zero is an empty one. */
typedef struct zn_aggregate_waiting {
    size_t at; /* of the key in `bytes`; the record is behind it */
    size_t key_len;
    size_t record_len;
    uint32_t hash;
    uint64_t line;
} zn_aggregate_waiting;

typedef struct zn_aggregate_batch {
    zn_buf bytes;
    zn_aggregate_waiting items[ZN_AGGREGATE_BATCH_MAX];
    unsigned count;
    char *file; /* of all items, or NULL */
} zn_aggregate_batch;

/* A shard begins: nothing waits. */
void zn_aggregate_batch_begin(zn_aggregate_batch *batch);
void zn_aggregate_batch_free(zn_aggregate_batch *batch);

/* Whether a record of that size may wait. */
static inline bool zn_aggregate_batch_takes(size_t record_len) {
    return record_len <= 4096;
}

/* Copies both. True: it is full. */
bool zn_aggregate_batch_add(zn_aggregate_batch *batch, const zn_aggregate_table *table,
                            const zonda_task *task, zn_bytes key, zn_bytes record);

/* Gives all to `take`, in order, and empties the batch. The task stands at the record meanwhile,
 * and stays there if it fails. */
typedef zonda_err zn_aggregate_take(void *context, zn_bytes key, uint32_t hash, zn_bytes record,
                                    zonda_error *error);
zonda_err zn_aggregate_batch_drain(zn_aggregate_batch *batch, const zn_aggregate_table *table,
                                   zonda_task *task, zn_aggregate_take *take, void *context,
                                   zonda_error *error);

#endif
