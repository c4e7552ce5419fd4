/* SPDX-License-Identifier: MPL-2.0 */
/* All results of an earlier stage, in task order. They come in pages through the host; small
 * results lie in the page, large ones are read from segments. Pages and segments come from outside,
 * so their order, their bytes and their number of records are checked. */
#include "ops/stage_results.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "record/value.h"
#include "store/fetch.h"
#include "store/result_place.h"
#include "wire/shape.h"

struct zn_stage_results {
    const zn_op *op;
    zn_stage_id stage;
    zn_fetcher *fetcher; /* made when the first reference comes */
    /* The running call. */
    zn_stage_results_visit *visit;
    void *context;
    uint64_t count; /* records of the result that is read just now */
};

zn_stage_results *zn_stage_results_new(const zn_op *op, zn_stage_id stage) {
    zn_stage_results *results = ZN_NEW(zn_stage_results);
    results->op = op;
    results->stage = stage;
    return results;
}

void zn_stage_results_destroy(zn_stage_results **results) {
    if (*results == NULL) {
        return;
    }
    zn_fetcher_destroy(&(*results)->fetcher);
    free(*results);
    *results = NULL;
}

static zonda_err check_cancelled(const zn_stage_results *results, zonda_error *error) {
    const zn_task_host *host = zn_stage_exec_host(results->op->stage);
    return host->cancelled(host->context)
               ? zn_error_set(error, ZONDA_ERR_CANCELLED, "the attempt was cancelled")
               : ZONDA_OK;
}

static zonda_err show(zn_stage_results *results, zn_bytes record, zonda_error *error) {
    results->count++;
    return results->visit(results->context, record, error);
}

/* Shows concatenated records that are not checked yet. */
static zonda_err show_unchecked(zn_stage_results *results, zn_bytes records, zonda_error *error) {
    zonda_err err = check_cancelled(results, error);
    while (err == ZONDA_OK && records.len > 0) {
        size_t used = 0;
        err = zn_shape_check(records, ZN_RECORD_DEPTH_MAX, &used, error);
        if (err != ZONDA_OK) {
            zn_error_prefix(error, "a result of an earlier stage: ");
            return err;
        }
        err = show(results, (zn_bytes){ records.data, used }, error);
        records.data += used;
        records.len -= used;
    }
    return err;
}

static zonda_err show_fetched(void *context, zn_bytes records, uint32_t count, zonda_error *error) {
    (void)count;
    zn_cursor cursor = zn_cursor_of(records);
    zonda_err err = check_cancelled(context, error);
    while (err == ZONDA_OK && cursor.at < cursor.end) {
        err = show(context, zn_cursor_skip(&cursor), error);
    }
    return err;
}

static zonda_err read_reference(zn_stage_results *results, const zn_result *result, uint64_t number,
                                zonda_error *error) {
    const zn_task_host *host = zn_stage_exec_host(results->op->stage);
    if (results->fetcher == NULL) {
        results->fetcher = zn_fetcher_new(ZN_CALL_TIMEOUT_MS);
        zn_fetcher_set_keys(results->fetcher, host->keys);
        zn_fetcher_set_cancel(results->fetcher, zn_task_waits, (void *)host);
    }
    zn_result_place where = zn_result_place_of(result, zn_fetcher_machine(results->fetcher));
    where.place.origin = zn_result_origin(results->stage.value, number, result);
    zonda_err err = zn_fetcher_read(results->fetcher, &where.place, where.stretch, host->memory,
                                    show_fetched, results, error);
    zn_result_place_free(&where);
    return err;
}

/* Reads the records of one task. */
static zonda_err read_result(zn_stage_results *results, const zn_result *result, uint64_t number,
                             zonda_error *error) {
    results->count = 0;
    zonda_err err = result->reference_count > 0 ? read_reference(results, result, number, error)
                                                : show_unchecked(results, result->records, error);
    if (err == ZONDA_OK && results->count != result->records_out) {
        err = zn_error_set(error, ZONDA_ERR_CORRUPT,
                           "task %" PRIu64 " of stage %" PRIu32 " gave %" PRIu64
                           " records, but %" PRIu64 " were read",
                           number, results->stage.value, result->records_out, results->count);
    }
    return err;
}

/* Reads the results of a page from task `*next` on and moves it. */
static zonda_err read_page(zn_stage_results *results, const zn_msg_results *page, uint64_t *next,
                           zonda_error *error) {
    for (size_t i = 0; i < page->results_count; i++) {
        const zn_result *result = &page->results[i];
        if (result->first > *next || result->count == 0) {
            return zn_error_set(error, ZONDA_ERR_PROTOCOL,
                                "the results have a gap at task %" PRIu64, *next);
        }
        for (; *next - result->first < result->count; ++*next) {
            zonda_err err = read_result(results, result, *next, error);
            if (err != ZONDA_OK) {
                return err;
            }
        }
    }
    return ZONDA_OK;
}

zonda_err zn_stage_results_read(zn_stage_results *results, zn_stage_results_visit *visit,
                                void *context, zonda_error *error) {
    const zn_stage_exec *stage = results->op->stage;
    const zn_task_host *host = zn_stage_exec_host(stage);
    results->visit = visit;
    results->context = context;
    uint64_t next = 0;
    uint64_t total = 1;
    while (next < total) {
        const zn_msg_results *page = NULL;
        zonda_err err = host->results(host->context, zn_stage_exec_job(stage), results->stage, next,
                                      &page, error);
        if (err != ZONDA_OK) {
            return err;
        }
        uint64_t before = next;
        total = page->total;
        err = read_page(results, page, &next, error);
        if (err != ZONDA_OK) {
            return err;
        }
        if (next == before) {
            return zn_error_set(error, ZONDA_ERR_WORKER_LOST,
                                "the result of task %" PRIu64 " of stage %" PRIu32
                                " is lost and being made again",
                                next, results->stage.value);
        }
    }
    return ZONDA_OK;
}
