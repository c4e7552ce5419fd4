/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_SORTER_H
#define ZN_STORE_SORTER_H

#include "store/merge.h"

/* Sorts rows by (partition, key), stably, in bounded memory: rows gather in a buffer; when the
 * account refuses more, or the buffer has its share, they are sorted and written to a temporary
 * file as one run; at the end the runs are merged. One thread, used for one task after another. */
typedef struct zn_sorter zn_sorter;

/* Works on sorted rows on their way out of the buffer or of the merge, e.g. to combine rows of
 * equal keys: it pulls rows of one partition from `rows` and gives others, in key order, to `put`.
 */
typedef struct zn_combiner {
    void *context;
    zonda_err (*run)(void *context, zn_row_stream *rows,
                     zonda_err (*put)(void *to, zn_bytes key, zn_bytes record, zonda_error *error),
                     void *to, zonda_error *error);
} zn_combiner;

typedef struct zn_sorter_options {
    const char *scratch;         /* borrowed */
    zn_memory *memory;           /* borrowed, may be NULL */
    uint64_t bytes_max;          /* of the buffer; 0: most of what is left in `memory` */
    const zn_combiner *combiner; /* borrowed, may be NULL */
    bool sorted;                 /* false: rows stay in the order of their arrival */
    bool (*cancelled)(void *context);
    void *cancelled_context;
} zn_sorter_options;

zn_sorter *zn_sorter_new(const zn_sorter_options *options);
void zn_sorter_destroy(zn_sorter **sorter);

/* Adds a row; both parts are copied. Errors: IO, DISK_FULL, LIMIT, CANCELLED, what the combiner
 * gives. After a failure the rows are not whole any more: reset. */
zonda_err zn_sorter_add(zn_sorter *sorter, uint32_t partition, zn_bytes key, zn_bytes record,
                        zonda_error *error);

/* Gives all rows in order to `put` and empties the sorter, also on failure. */
typedef zonda_err zn_sorter_put(void *context, uint32_t partition, zn_bytes key, zn_bytes record,
                                zonda_error *error);
zonda_err zn_sorter_drain(zn_sorter *sorter, zn_sorter_put *put, void *context, zonda_error *error);

/* Drops all rows: the attempt failed. */
void zn_sorter_reset(zn_sorter *sorter);

/* Bytes written to temporary files for the rows since the last drain or reset; after a drain, for
 * those that it gave. */
uint64_t zn_sorter_spilled_bytes(const zn_sorter *sorter);

#endif
