/* SPDX-License-Identifier: MPL-2.0 */
/* From a page of results to records. A page comes from the wire, so inline records are checked
 * before they are trusted; records of segments come checked from the fetcher.
 *
 * There are two readers. zn_page_walk pushes: a streaming user is called while blocks arrive, and
 * is the brake on how fast they come. zn_result_page pulls: it keeps a copy of the page (the
 * original belongs to the connection and is gone with the next call) and reads a large result block
 * by block, so a result of any size needs little memory. */
#include "runtime/result_page.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "record/value.h"
#include "store/result_place.h"
#include "wire/shape.h"

enum {
    KEEP_BYTES = ZN_MIB
};

/* ---- pushing ---- */

typedef struct page_walk {
    zn_page_record *on_record;
    void *context;
    uint64_t stage;
    zn_page_mark *mark;
    uint64_t skip; /* records of the current task that were given before */
} page_walk;

/* Returns how many records of the task were given before. */
static uint64_t begin_mark(zn_page_mark *mark, uint64_t task) {
    if (mark->task != task) {
        *mark = (zn_page_mark){ .task = task };
    }
    return mark->records;
}

/* For the fetcher: checked records of one block. */
static zonda_err walk_block(void *context, zn_bytes records, uint32_t count, zonda_error *error) {
    page_walk *self = context;
    (void)count;
    zn_cursor cursor = zn_cursor_of(records);
    while (cursor.at < cursor.end) {
        zn_bytes record = zn_cursor_skip(&cursor);
        if (self->skip > 0) {
            self->skip--;
            continue;
        }
        self->mark->records++;
        zonda_err err = self->on_record(self->context, record, error);
        if (err != ZONDA_OK) {
            return err;
        }
    }
    return ZONDA_OK;
}

static zonda_err check_inline(const zn_result *result, zonda_error *error) {
    zn_bytes rest = result->records;
    while (rest.len > 0) {
        size_t used = 0;
        zonda_error cause;
        if (zn_shape_check(rest, ZN_RECORD_DEPTH_MAX, &used, &cause) != ZONDA_OK) {
            return zn_error_set(error, ZONDA_ERR_CORRUPT, "the result of task %llu: %s",
                                (unsigned long long)result->first, cause.text);
        }
        rest.data += used;
        rest.len -= used;
    }
    return ZONDA_OK;
}

static zonda_err walk_result(const zn_result *result, uint64_t task, zn_fetcher *fetcher,
                             page_walk *walk, zonda_error *error) {
    walk->skip = begin_mark(walk->mark, task);
    if (result->reference_count == 0) {
        return walk_block(walk, result->records, 0, error);
    }
    zn_result_place where = zn_result_place_of(result, zn_fetcher_machine(fetcher));
    where.place.origin = zn_result_origin(walk->stage, task, result);
    zonda_err err =
        zn_fetcher_read(fetcher, &where.place, where.stretch, NULL, walk_block, walk, error);
    zn_result_place_free(&where);
    return err;
}

zonda_err zn_page_walk(const zn_msg_results *page, zn_fetcher *fetcher, zn_page_mark *mark,
                       zn_page_record *on_record, void *context, zonda_error *error) {
    page_walk walk = {
        .on_record = on_record, .context = context, .stage = page->stage, .mark = mark
    };
    for (size_t i = 0; i < page->results_count; i++) {
        const zn_result *result = &page->results[i];
        zonda_err err = check_inline(result, error);
        for (uint64_t task = 0; err == ZONDA_OK && task < result->count; task++) {
            err = walk_result(result, result->first + task, fetcher, &walk, error);
        }
        if (err != ZONDA_OK) {
            return err;
        }
    }
    return ZONDA_OK;
}

/* ---- pulling ---- */

static void end_task(zn_result_page *kept) {
    zn_block_reader_close(&kept->reader);
    kept->records = (zn_bytes){ 0 };
    kept->begun = false;
}

void zn_result_page_keep(zn_result_page *kept, const zn_msg_results *page) {
    end_task(kept);
    zn_message message = { .number = ZN_MSG_RESULTS, .results = *page };
    zonda_error error = { 0 };
    zn_buf_reset(&kept->copy, KEEP_BYTES);
    zn_message_encode(&message, &kept->copy);
    if (kept->decoder == NULL) {
        kept->decoder = zn_decoder_new();
    }
    zonda_err err =
        zn_decoder_decode(kept->decoder, zn_buf_bytes(&kept->copy), &kept->message, &error);
    ZN_ASSERT(err == ZONDA_OK);
    kept->index = 0;
    kept->repeat = 0;
}

void zn_result_page_free(zn_result_page *kept) {
    end_task(kept);
    zn_decoder_destroy(&kept->decoder);
    zn_buf_free(&kept->copy);
    *kept = (zn_result_page){ 0 };
}

/* Makes the records of the current task readable: those in the page, or a reader for the others. */
static zonda_err begin_task(zn_result_page *kept, const zn_result *result, zn_fetcher *fetcher,
                            zonda_error *error) {
    zonda_error problem = { 0 };
    if (result->reference_count == 0) {
        check_inline(result, &problem);
        kept->records = problem.code == ZONDA_OK ? result->records : (zn_bytes){ 0 };
    } else {
        zn_result_place where = zn_result_place_of(result, zn_fetcher_machine(fetcher));
        where.place.origin =
            zn_result_origin(kept->message.results.stage, result->first + kept->repeat, result);
        kept->reader = zn_block_reader_open(fetcher, &where.place, where.stretch, NULL, &problem);
        zn_result_place_free(&where);
    }
    kept->begun = problem.code == ZONDA_OK;
    kept->skip = begin_mark(&kept->mark, result->first + kept->repeat);
    if (!kept->begun && error != NULL) {
        *error = problem;
    }
    return problem.code;
}

static void next_task(zn_result_page *kept, const zn_result *result) {
    end_task(kept);
    kept->repeat++;
    if (kept->repeat == result->count) {
        kept->repeat = 0;
        kept->index++;
    }
}

/* Gets more records of the task that is begun, or goes on to the next one. */
static zonda_err next_block(zn_result_page *kept, const zn_result *result, zonda_error *error) {
    uint32_t count = 0;
    zonda_err err = ZONDA_OK;
    if (kept->reader != NULL) {
        err = zn_block_reader_next(kept->reader, &kept->records, &count, error);
    }
    if (err == ZONDA_OK && count == 0) {
        next_task(kept, result);
    }
    return err;
}

/* Takes the next record of the block; false if it was given before. */
static bool take_record(zn_result_page *kept, zn_bytes *record) {
    zn_cursor cursor = zn_cursor_of(kept->records);
    *record = zn_cursor_skip(&cursor);
    kept->records.data += record->len;
    kept->records.len -= record->len;
    if (kept->skip > 0) {
        kept->skip--;
        return false;
    }
    kept->mark.records++;
    return true;
}

zonda_err zn_result_page_next(zn_result_page *kept, zn_fetcher *fetcher, zn_bytes *record,
                              bool *got, zonda_error *error) {
    const zn_msg_results *page = &kept->message.results;
    *got = false;
    while (kept->index < page->results_count && !*got) {
        const zn_result *result = &page->results[kept->index];
        if (kept->records.len > 0) {
            *got = take_record(kept, record);
            continue;
        }
        zonda_err err = kept->begun ? next_block(kept, result, error)
                                    : begin_task(kept, result, fetcher, error);
        if (err != ZONDA_OK) {
            return err;
        }
    }
    return ZONDA_OK;
}
