/* SPDX-License-Identifier: MPL-2.0 */
/* From a page of results to records. A page comes from the wire, so inline records are checked
 * before they are trusted; records of segments come checked from the fetcher.
 *
 * There are two readers. zn_page_walk pushes: a streaming user is called while blocks arrive, and
 * is the brake on how fast they come. zn_result_page pulls: it keeps a copy of the page (the
 * original belongs to the connection and is gone with the next call) and reads a large result piece
 * by piece, stopping the fetch when enough records are there and going on behind the last block
 * later, so a result of any size needs little memory. */
#include "runtime/result_page.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "record/value.h"
#include "wire/shape.h"

enum {
    FETCHED_BYTES = 4 * ZN_MIB, /* records kept at once of a large result; a block may go over */
    KEEP_BYTES = ZN_MIB
};

/* ---- pushing ---- */

typedef struct page_walk {
    zn_page_record *on_record;
    void *context;
} page_walk;

/* For the fetcher: checked records of one block. */
static zonda_err walk_block(void *context, zn_bytes records, uint32_t count, zonda_error *error) {
    const page_walk *self = context;
    (void)count;
    zn_cursor cursor = zn_cursor_of(records);
    while (cursor.at < cursor.end) {
        zonda_err err = self->on_record(self->context, zn_cursor_skip(&cursor), error);
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

/* The endpoint as a C string; empty text from the wire was refused before. */
static char *endpoint_of(const zn_result *result) {
    return zn_strndup((const char *)result->endpoint.data, result->endpoint.len);
}

static zonda_err walk_result(const zn_result *result, zn_fetcher *fetcher, page_walk *walk,
                             zonda_error *error) {
    if (result->reference_count == 0) {
        return walk_block(walk, result->records, 0, error);
    }
    const zn_reference *reference = &result->reference[0];
    char *endpoint = endpoint_of(result);
    zonda_err err = zn_fetcher_read(fetcher, endpoint, reference->segment, reference->offset,
                                    reference->length, walk_block, walk, error);
    free(endpoint);
    return err;
}

zonda_err zn_page_walk(const zn_msg_results *page, zn_fetcher *fetcher, zn_page_record *on_record,
                       void *context, zonda_error *error) {
    page_walk walk = { .on_record = on_record, .context = context };
    for (size_t i = 0; i < page->results_count; i++) {
        const zn_result *result = &page->results[i];
        zonda_err err = check_inline(result, error);
        for (uint64_t task = 0; err == ZONDA_OK && task < result->count; task++) {
            err = walk_result(result, fetcher, &walk, error);
        }
        if (err != ZONDA_OK) {
            return err;
        }
    }
    return ZONDA_OK;
}

/* ---- pulling ---- */

void zn_result_page_keep(zn_result_page *kept, const zn_msg_results *page) {
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
    kept->loaded = false;
    kept->records = (zn_bytes){ 0 };
}

void zn_result_page_free(zn_result_page *kept) {
    zn_decoder_destroy(&kept->decoder);
    zn_buf_free(&kept->copy);
    zn_buf_free(&kept->fetched);
    *kept = (zn_result_page){ 0 };
}

/* For the fetcher: keeps the records of a block, and stops when enough are there. */
static zonda_err keep_block(void *context, zn_bytes records, uint32_t count, zonda_error *error) {
    zn_result_page *kept = context;
    (void)count;
    zn_buf_append(&kept->fetched, records.data, records.len);
    if (kept->fetched.len < FETCHED_BYTES) {
        return ZONDA_OK;
    }
    kept->paused = true;
    return zn_error_set(error, ZONDA_ERR_LIMIT, "enough for now");
}

/* Fetches the next piece of a large result, from `kept->at` on. */
static zonda_err fetch_piece(zn_result_page *kept, const zn_result *result, zn_fetcher *fetcher,
                             zonda_error *error) {
    const zn_reference *reference = &result->reference[0];
    uint64_t end = reference->offset + reference->length;
    zonda_error problem = { 0 };
    char *endpoint = endpoint_of(result);
    kept->paused = false;
    zn_buf_reset(&kept->fetched, FETCHED_BYTES * 2);
    zonda_err err = zn_fetcher_read(fetcher, endpoint, reference->segment, kept->at, end - kept->at,
                                    keep_block, kept, &problem);
    free(endpoint);
    if (err != ZONDA_OK && !kept->paused) {
        if (error != NULL) {
            *error = problem;
        }
        return err;
    }
    kept->at = kept->paused ? zn_fetcher_position(fetcher) : end;
    kept->records = zn_buf_bytes(&kept->fetched);
    return ZONDA_OK;
}

/* Makes the records of the current task readable, as many as fit. */
static zonda_err load(zn_result_page *kept, const zn_result *result, zn_fetcher *fetcher,
                      zonda_error *error) {
    bool large = result->reference_count > 0;
    zonda_err err = ZONDA_OK;
    if (!kept->loaded) {
        err = check_inline(result, error);
        kept->records = result->records;
        kept->at = large ? result->reference[0].offset : 0;
    }
    if (err == ZONDA_OK && large) {
        err = fetch_piece(kept, result, fetcher, error);
    }
    kept->loaded = err == ZONDA_OK;
    return err;
}

/* Whether nothing of the current task is left, neither here nor on its worker. */
static bool task_is_read(const zn_result_page *kept, const zn_result *result) {
    if (!kept->loaded || kept->records.len > 0) {
        return false;
    }
    const zn_reference *reference = result->reference;
    return result->reference_count == 0 || kept->at >= reference->offset + reference->length;
}

static void next_task(zn_result_page *kept, const zn_result *result) {
    kept->loaded = false;
    kept->repeat++;
    if (kept->repeat == result->count) {
        kept->repeat = 0;
        kept->index++;
    }
}

zonda_err zn_result_page_next(zn_result_page *kept, zn_fetcher *fetcher, zn_bytes *record,
                              bool *got, zonda_error *error) {
    const zn_msg_results *page = &kept->message.results;
    *got = false;
    while (kept->index < page->results_count && kept->records.len == 0) {
        const zn_result *result = &page->results[kept->index];
        if (task_is_read(kept, result)) {
            next_task(kept, result);
        } else {
            zonda_err err = load(kept, result, fetcher, error);
            if (err != ZONDA_OK) {
                return err;
            }
        }
    }
    if (kept->records.len > 0) {
        zn_cursor cursor = zn_cursor_of(kept->records);
        *record = zn_cursor_skip(&cursor);
        kept->records.data += record->len;
        kept->records.len -= record->len;
        *got = true;
    }
    return ZONDA_OK;
}
