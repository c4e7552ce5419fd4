/* SPDX-License-Identifier: MPL-2.0 */
/* What the index of a result says is gathered here while the result is written. An entry is open as
 * long as blocks may still join it: one block, or all blocks of a partition.
 *
 * Samples: a short result is sampled whole, so that a few rows can be divided well; then a row is
 * taken after every SAMPLE_BYTES, and, when there are many samples already, after a fixed share of
 * the bytes so far. So a result of any size has some thousand samples more than it has blocks, and
 * none of them stands for more than that share of it. The first row of every block is one, because
 * the samples of an entry describe all of its rows, and so is the last, because who looks for a
 * range of keys must know where a block ends. What is sampled depends on rows alone.
 * Used by segments. */
#include "store/index_builder.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"

enum {
    FIRST_ROWS = 32,
    SAMPLE_BYTES = 16 * ZN_KIB,
    SAMPLE_SHARE = 4096,
    KEEP_BYTES = ZN_MIB
};

typedef struct large_partition {
    uint32_t partition;
    uint64_t bytes;
} large_partition;

struct zn_index_builder {
    zn_index_kind kind;
    zn_buf entries;
    zn_index_entry open;      /* rows and bytes count from add_row, the stretch from add_block */
    uint64_t unblocked;       /* rows that are in no block yet */
    uint64_t rows;            /* of the result */
    uint64_t bytes;           /* of the result */
    uint64_t since_sample;    /* bytes from the last sample on */
    zn_index_sample *samples; /* of the open entry; their keys lie in `keys`, one after another */
    size_t sample_count;
    size_t sample_capacity;
    zn_buf keys;
    zn_buf last_key; /* of the row that was added last, and its bytes */
    uint64_t last_bytes;
    large_partition part; /* the one that is being written */
    large_partition largest[ZN_OUTCOME_PARTS_MAX];
    size_t largest_count;
};

zn_index_builder *zn_index_builder_new(void) {
    return ZN_NEW(zn_index_builder);
}

void zn_index_builder_destroy(zn_index_builder **builder) {
    zn_index_builder *self = *builder;
    if (self == NULL) {
        return;
    }
    zn_buf_free(&self->entries);
    zn_buf_free(&self->keys);
    zn_buf_free(&self->last_key);
    free(self->samples);
    free(self);
    *builder = NULL;
}

static void open_entry(zn_index_builder *builder, uint32_t partition) {
    builder->open = (zn_index_entry){ .partition = partition };
    builder->sample_count = 0;
    zn_buf_reset(&builder->keys, KEEP_BYTES);
}

void zn_index_builder_start(zn_index_builder *builder, zn_index_kind kind) {
    builder->kind = kind;
    zn_buf_reset(&builder->entries, KEEP_BYTES);
    open_entry(builder, 0);
    builder->unblocked = 0;
    builder->rows = 0;
    builder->bytes = 0;
    builder->since_sample = 0;
    builder->part = (large_partition){ 0 };
    builder->largest_count = 0;
}

/* Puts the partition that ends into its place among the largest. Partitions come in order, so one
 * that equals another belongs behind it. */
static void rank_partition(zn_index_builder *builder) {
    large_partition *list = builder->largest;
    size_t at = builder->largest_count;
    while (at > 0 && list[at - 1].bytes < builder->part.bytes) {
        at--;
    }
    if (builder->part.bytes == 0 || at == ZN_OUTCOME_PARTS_MAX) {
        return;
    }
    bool full = builder->largest_count == ZN_OUTCOME_PARTS_MAX;
    size_t moved = builder->largest_count - at - (full ? 1 : 0);
    memmove(&list[at + 1], &list[at], moved * sizeof list[0]);
    list[at] = builder->part;
    builder->largest_count += full ? 0 : 1;
}

/* Writes the open entry down. */
static void close_entry(zn_index_builder *builder) {
    zn_index_entry *entry = &builder->open;
    if (entry->rows == 0) {
        return;
    }
    const uint8_t *key = builder->keys.data;
    for (size_t i = 0; i < builder->sample_count; i++) {
        builder->samples[i].key.data = key;
        key += builder->samples[i].key.len;
    }
    entry->samples = builder->samples;
    entry->sample_count = builder->sample_count;
    zn_index_entry_put(&builder->entries, entry);
    open_entry(builder, entry->partition);
}

static bool is_sample(const zn_index_builder *builder) {
    uint64_t share = builder->bytes / SAMPLE_SHARE;
    uint64_t step = share > SAMPLE_BYTES ? share : SAMPLE_BYTES;
    return builder->unblocked == 0 || builder->rows < FIRST_ROWS || builder->since_sample >= step;
}

static void add_sample(zn_index_builder *builder, zn_bytes key) {
    zn_buf_append(&builder->keys, key.data, key.len);
    ZN_GROW(builder->samples, builder->sample_count, builder->sample_capacity);
    builder->samples[builder->sample_count++] = (zn_index_sample){ .key.len = key.len };
    builder->since_sample = 0;
}

static void count_sample(zn_index_builder *builder, zn_bytes key, uint64_t bytes) {
    key.len = key.len < ZN_SAMPLE_KEY_BYTES_MAX ? key.len : ZN_SAMPLE_KEY_BYTES_MAX;
    if (is_sample(builder)) {
        add_sample(builder, key);
    }
    zn_buf_reset(&builder->last_key, KEEP_BYTES);
    zn_buf_append(&builder->last_key, key.data, key.len);
    builder->last_bytes = bytes;
    zn_index_sample *last = &builder->samples[builder->sample_count - 1];
    last->rows++;
    last->bytes += bytes;
    builder->since_sample += bytes;
}

/* Makes the last row of a block a sample, if it is none. */
static void sample_last_row(zn_index_builder *builder) {
    zn_index_sample *last = &builder->samples[builder->sample_count - 1];
    if (last->rows > 1) {
        last->rows--;
        last->bytes -= builder->last_bytes;
        add_sample(builder, zn_buf_bytes(&builder->last_key));
        last = &builder->samples[builder->sample_count - 1];
        last->rows = 1;
        last->bytes = builder->last_bytes;
    }
}

void zn_index_builder_add_row(zn_index_builder *builder, uint32_t partition, zn_bytes key,
                              uint64_t bytes) {
    if (partition != builder->part.partition) {
        ZN_ASSERT(partition > builder->part.partition && builder->unblocked == 0);
        close_entry(builder);
        rank_partition(builder);
        builder->part = (large_partition){ .partition = partition };
        builder->open.partition = partition;
    }
    if (builder->kind == ZN_INDEX_SAMPLES) {
        count_sample(builder, key, bytes);
    }
    builder->part.bytes += bytes;
    builder->open.rows++;
    builder->open.bytes += bytes;
    builder->unblocked++;
    builder->rows++;
    builder->bytes += bytes;
}

void zn_index_builder_add_block(zn_index_builder *builder, zn_stretch block) {
    zn_stretch *stretch = &builder->open.stretch;
    ZN_ASSERT(builder->unblocked > 0);
    if (builder->kind == ZN_INDEX_SAMPLES) {
        sample_last_row(builder);
    }
    ZN_ASSERT(stretch->length == 0 || stretch->offset + stretch->length == block.offset);
    stretch->offset = stretch->length == 0 ? block.offset : stretch->offset;
    stretch->length += block.length;
    builder->unblocked = 0;
    if (builder->kind != ZN_INDEX_PARTITIONS) {
        close_entry(builder);
    }
}

zn_bytes zn_index_builder_finish(zn_index_builder *builder) {
    ZN_ASSERT(builder->unblocked == 0);
    close_entry(builder);
    rank_partition(builder);
    builder->part.bytes = 0;
    return zn_buf_bytes(&builder->entries);
}

size_t zn_index_builder_largest(const zn_index_builder *builder, uint32_t *partitions,
                                uint64_t *bytes, size_t max) {
    size_t count = builder->largest_count < max ? builder->largest_count : max;
    for (size_t i = 0; i < count; i++) {
        partitions[i] = builder->largest[i].partition;
        bytes[i] = builder->largest[i].bytes;
    }
    return count;
}
