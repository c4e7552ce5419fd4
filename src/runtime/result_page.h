/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_RUNTIME_RESULT_PAGE_H
#define ZN_RUNTIME_RESULT_PAGE_H

#include "store/block_reader.h"
#include "wire/message.h"

/* How far the records of a stage have been given, so that those of a result that is made again
 * while it is read come once. All zero: nothing was given. */
typedef struct zn_page_mark {
    uint64_t task;
    uint64_t records; /* of that task */
} zn_page_mark;

/* Gets one record (a checked value), borrowed during the call. A code other than OK ends the
 * walk and comes out of it. */
typedef zonda_err zn_page_record(void *context, zn_bytes record, zonda_error *error);

/* Gives the records of a page to `on_record` in order, from the mark on, and moves that; large
 * results are read from segments block by block. Errors: CORRUPT (inline records are no values),
 * what zn_fetcher_read and `on_record` return. */
zonda_err zn_page_walk(const zn_msg_results *page, zn_fetcher *fetcher, zn_page_mark *mark,
                       zn_page_record *on_record, void *context, zonda_error *error);

/* A page that is kept and read record by record. All zero is an empty one. */
typedef struct zn_result_page {
    zn_buf copy; /* the page as a message */
    zn_decoder *decoder;
    zn_message message;      /* decoded from `copy` */
    size_t index;            /* result that is read */
    uint64_t repeat;         /* how many of its tasks are done */
    bool begun;              /* the current task is */
    zn_page_mark mark;       /* also of the pages before */
    uint64_t skip;           /* records of the current task that were given before */
    zn_bytes records;        /* what is left of it, or of its block */
    zn_block_reader *reader; /* of a large result that is begun */
} zn_result_page;

/* Replaces what was kept by a copy of `page`. */
void zn_result_page_keep(zn_result_page *kept, const zn_msg_results *page);

/* Gets the next record, borrowed until the next call; `*got` is false at the end of the page.
 * Errors as zn_page_walk. */
zonda_err zn_result_page_next(zn_result_page *kept, zn_fetcher *fetcher, zn_bytes *record,
                              bool *got, zonda_error *error);

/* Before the fetcher is destroyed. */
void zn_result_page_free(zn_result_page *kept);

#endif
