/* SPDX-License-Identifier: MPL-2.0 */
/* A table of a million groups is in no cache, so finding a group is waiting for memory, twice: for
 * its slot and for its entry. With a batch of records these waits overlap: slots are asked for when
 * records come, entries when the batch is full. */
#include "ops/aggregate_batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/short_bytes.h"

void zn_aggregate_batch_begin(zn_aggregate_batch *batch) {
    batch->count = 0;
    zn_buf_reset(&batch->bytes, ZN_MIB);
    free(batch->file);
    batch->file = NULL;
}

void zn_aggregate_batch_free(zn_aggregate_batch *batch) {
    zn_aggregate_batch_begin(batch);
    zn_buf_free(&batch->bytes);
}

bool zn_aggregate_batch_add(zn_aggregate_batch *batch, const zn_aggregate_table *table,
                            const zonda_task *task, zn_bytes key, zn_bytes record) {
    if (batch->file == NULL && task->file != NULL) {
        batch->file = zn_strdup(task->file); /* a shard is of one file */
    }
    zn_aggregate_waiting *item = &batch->items[batch->count++];
    *item = (zn_aggregate_waiting){ .at = batch->bytes.len,
                                    .key_len = key.len,
                                    .record_len = record.len,
                                    .hash = zn_aggregate_table_hash(key),
                                    .line = task->line };
    zn_short_bytes_append(&batch->bytes, key.data, key.len);
    zn_buf_append(&batch->bytes, record.data, record.len);
    zn_aggregate_table_expect_slot(table, item->hash);
    return batch->count == ZN_AGGREGATE_BATCH_MAX;
}

zonda_err zn_aggregate_batch_drain(zn_aggregate_batch *batch, const zn_aggregate_table *table,
                                   zonda_task *task, zn_aggregate_take *take, void *context,
                                   zonda_error *error) {
    const char *file = task->file;
    uint64_t line = task->line;
    zonda_err err = ZONDA_OK;
    for (unsigned i = 0; i < batch->count; i++) {
        zn_aggregate_table_expect_entry(table, batch->items[i].hash);
    }
    for (unsigned i = 0; i < batch->count && err == ZONDA_OK; i++) {
        const zn_aggregate_waiting *item = &batch->items[i];
        const uint8_t *at = batch->bytes.data + item->at;
        task->file = batch->file;
        task->line = item->line;
        err = take(context, (zn_bytes){ at, item->key_len }, item->hash,
                   (zn_bytes){ at + item->key_len, item->record_len }, error);
    }
    if (err == ZONDA_OK) {
        task->file = file;
        task->line = line;
    }
    batch->count = 0;
    batch->bytes.len = 0;
    return err;
}
