/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_INDEX_BUILDER_H
#define ZN_STORE_INDEX_BUILDER_H

#include "store/segment_index.h"

typedef enum zn_index_kind {
    ZN_INDEX_PARTITIONS, /* an entry per partition */
    ZN_INDEX_BLOCKS,     /* an entry per block, in order */
    ZN_INDEX_SAMPLES,    /* the same with samples of keys: the first rows, then now and then */
} zn_index_kind;

/* Makes the entries of an index while rows and blocks of a result are written, and remembers which
 * partitions are the largest. One thread; used for one result after another. */
typedef struct zn_index_builder zn_index_builder;
zn_index_builder *zn_index_builder_new(void);
void zn_index_builder_destroy(zn_index_builder **builder);

void zn_index_builder_start(zn_index_builder *builder, zn_index_kind kind);

/* A row of `bytes` raw bytes, in the order of partitions. */
void zn_index_builder_add_row(zn_index_builder *builder, uint32_t partition, zn_bytes key,
                              uint64_t bytes);

/* The rows since the last block, all of one partition, are in this one. */
void zn_index_builder_add_block(zn_index_builder *builder, zn_stretch block);

/* All entries, concatenated. Borrowed until the next start. */
zn_bytes zn_index_builder_finish(zn_index_builder *builder);

/* The partitions with the most bytes, at most ZN_OUTCOME_PARTS_MAX, largest first, equal ones
 * by number. Valid from finish to the next start. Returns how many. */
size_t zn_index_builder_largest(const zn_index_builder *builder, uint32_t *partitions,
                                uint64_t *bytes, size_t max);

#endif
