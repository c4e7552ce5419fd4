/* SPDX-License-Identifier: MPL-2.0 */
/* Results come in pages, as to any reader of results; the reference of each leads to the index of
 * its rows. Indexes are small and may be far away, so a few are asked for ahead of the one that is
 * read. A result without a reference has no rows. Called when a table is made. */
#include "ops/exchange_index.h"

#include <inttypes.h>

#include "store/block_reader.h"

enum {
    AHEAD = 16 /* indexes that are on their way at a time */
};

/* The reading of one input. */
typedef struct walk {
    const zn_exchange_reading *reading;
    uint32_t input;
    zn_index_reader *entries;
    const zn_msg_results *page;
    zn_block_reader *ahead[AHEAD]; /* of result i of the page: at i % AHEAD */
    uint32_t place[AHEAD];
    size_t asked; /* results of the page before this one were asked for */
} walk;

/* ---- indexes of a page ---- */

static zonda_err name_source(const walk *run, const zn_result *result, zonda_error *error) {
    return zn_error_prefix(
        error, "the index of task %" PRIu64 " of stage %" PRIu32 " on worker %" PRIu64 ": ",
        result->first, run->reading->inputs[run->input].stage.value, result->worker);
}

static zonda_err ask_for(walk *run, size_t index, zonda_error *error) {
    const zn_result *result = &run->page->results[index];
    if (result->reference_count == 0) {
        return ZONDA_OK;
    }
    const zn_exchange_reading *reading = run->reading;
    uint32_t index_place = zn_exchange_places_add(reading->places, result, reading->host->machine);
    zn_place place = reading->places->items[index_place].at.place;
    place.origin = zn_result_origin(reading->inputs[run->input].stage.value, result->first, result);
    zn_stretch stretch = { .offset = result->reference[0].offset,
                           .length = result->reference[0].length };
    zn_block_reader *reader =
        zn_block_reader_open(reading->fetcher, &place, stretch, reading->host->memory, error);
    if (reader == NULL) {
        name_source(run, result, error);
        return error->code;
    }
    zn_block_reader_prefetch(reader);
    run->ahead[index % AHEAD] = reader;
    run->place[index % AHEAD] = index_place;
    return ZONDA_OK;
}

static zonda_err give_entries(walk *run, const zn_exchange_source *source, zn_bytes values,
                              zonda_error *error) {
    bool found = true;
    zonda_err code = ZONDA_OK;
    while (code == ZONDA_OK && found) {
        zn_index_entry entry;
        code = zn_index_reader_take(run->entries, &values, &entry, &found, error);
        if (code == ZONDA_OK && found) {
            code = run->reading->on_entry(run->reading->context, source, &entry, error);
        }
    }
    return code;
}

static zonda_err read_index(walk *run, size_t index, zonda_error *error) {
    zn_block_reader *reader = run->ahead[index % AHEAD];
    const zn_result *result = &run->page->results[index];
    zn_exchange_source source = { .input = run->input,
                                  .task = (uint32_t)result->first,
                                  .attempt = (uint32_t)result->attempt,
                                  .place = run->place[index % AHEAD] };
    uint32_t count = 1;
    zonda_err code = ZONDA_OK;
    while (code == ZONDA_OK && count > 0) {
        zn_bytes values = { 0 };
        code = zn_block_reader_next(reader, &values, &count, error);
        if (code == ZONDA_OK && count > 0) {
            code = give_entries(run, &source, values, error);
        }
    }
    if (code == ZONDA_ERR_WORKER_LOST || code == ZONDA_ERR_CORRUPT || code == ZONDA_ERR_NOT_FOUND) {
        name_source(run, result, error);
    }
    zn_block_reader_close(&run->ahead[index % AHEAD]);
    return code;
}

/* ---- pages ---- */

/* A shuffle gives every task with rows a reference of its own. */
static zonda_err check_result(const walk *run, const zn_result *result, uint64_t next,
                              zonda_error *error) {
    const zn_exchange_input *input = &run->reading->inputs[run->input];
    bool away = result->reference_count > 0;
    if (result->first != next || result->count == 0 || result->count > input->tasks - next) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL,
                            "the results of stage %" PRIu32 " have a gap at task %" PRIu64,
                            input->stage.value, next);
    }
    if ((away && result->count > 1) ||
        (!away && (result->records.len > 0 || result->records_out > 0))) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL,
                            "task %" PRIu64 " of stage %" PRIu32 " gave no index of its rows", next,
                            input->stage.value);
    }
    return ZONDA_OK;
}

static zonda_err check_cancelled(const zn_task_host *host, zonda_error *error) {
    return host->cancelled(host->context)
               ? zn_error_set(error, ZONDA_ERR_CANCELLED, "the attempt was cancelled")
               : ZONDA_OK;
}

/* Reads the indexes of a page that begins with task `*next`, and moves that behind it. */
static zonda_err read_page(walk *run, uint64_t *next, zonda_error *error) {
    zonda_err code = ZONDA_OK;
    run->asked = 0;
    for (size_t i = 0; code == ZONDA_OK && i < run->page->results_count; i++) {
        const zn_result *result = &run->page->results[i];
        code = check_cancelled(run->reading->host, error);
        while (code == ZONDA_OK && run->asked < run->page->results_count &&
               run->asked < i + AHEAD) {
            code = ask_for(run, run->asked++, error);
        }
        if (code == ZONDA_OK) {
            code = check_result(run, result, *next, error);
        }
        if (code == ZONDA_OK && result->reference_count > 0) {
            code = read_index(run, i, error);
        }
        *next += result->count;
    }
    for (size_t i = 0; i < AHEAD; i++) {
        zn_block_reader_close(&run->ahead[i]);
    }
    return code;
}

static zonda_err read_input(walk *run, zonda_error *error) {
    const zn_task_host *host = run->reading->host;
    const zn_exchange_input *input = &run->reading->inputs[run->input];
    uint64_t next = 0;
    while (next < input->tasks) {
        uint64_t before = next;
        zonda_err code =
            host->results(host->context, run->reading->job, input->stage, next, &run->page, error);
        if (code == ZONDA_OK && run->page->total != input->tasks) {
            code = zn_error_set(error, ZONDA_ERR_PROTOCOL,
                                "stage %" PRIu32 " has %" PRIu64 " tasks, not %" PRIu64,
                                input->stage.value, run->page->total, input->tasks);
        }
        if (code == ZONDA_OK) {
            code = read_page(run, &next, error);
        }
        if (code != ZONDA_OK) {
            return code;
        }
        if (next == before) {
            return zn_error_set(error, ZONDA_ERR_WORKER_LOST,
                                "the result of task %" PRIu64 " of stage %" PRIu32
                                " is lost and being made again",
                                next, input->stage.value);
        }
    }
    return ZONDA_OK;
}

zonda_err zn_exchange_read_indexes(const zn_exchange_reading *reading, zonda_error *error) {
    walk run = { .reading = reading, .entries = zn_index_reader_new() };
    zonda_err code = ZONDA_OK;
    for (size_t i = 0; code == ZONDA_OK && i < reading->input_count; i++) {
        run.input = (uint32_t)i;
        code = read_input(&run, error);
    }
    zn_index_reader_destroy(&run.entries);
    return code;
}
