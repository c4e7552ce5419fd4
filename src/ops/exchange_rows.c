/* SPDX-License-Identifier: MPL-2.0 */
/* A stream reads the blocks of its stretch and leaves out what belongs to the shards beside this
 * one. A stretch that was read whole must have had the rows and bytes that its index told: blocks
 * check themselves, but not that there are as many as there should be.
 *
 * Streams are first asked in their order, whoever merges them. So the first question to one is the
 * moment to ask for the bytes of those behind it, a few at a time and as far as there is memory.
 * Called by exchange.c. */
#include "ops/exchange_rows.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "store/block_reader.h"

enum {
    AHEAD_MERGED = 16, /* streams that are asked for at a time */
    AHEAD_IN_TURN = 2,
    MEMORY_SHARE = 4 /* of what is left may be asked for ahead: one part of so many */
};

typedef struct stream {
    zn_exchange_rows *rows;
    const zn_exchange_stretch *stretch;
    zn_block_reader *reader; /* NULL: not opened yet, or closed */
    zn_cursor rest;          /* of the block */
    uint64_t row_count;      /* that were read */
    uint64_t bytes;          /* of them */
    bool ended;
} stream;

struct zn_exchange_rows {
    zn_exchange_shard shard;
    stream *streams;
    size_t asked; /* streams before this one were asked for */
};

zn_exchange_rows *zn_exchange_rows_new(const zn_exchange_shard *shard) {
    zn_exchange_rows *rows = ZN_NEW(zn_exchange_rows);
    rows->shard = *shard;
    rows->streams = zn_calloc(shard->count, sizeof *rows->streams);
    for (size_t i = 0; i < shard->count; i++) {
        rows->streams[i] = (stream){ .rows = rows, .stretch = &shard->stretches[i] };
    }
    zn_memory_force(shard->memory, shard->count * sizeof *rows->streams);
    return rows;
}

void zn_exchange_rows_destroy(zn_exchange_rows **rows) {
    zn_exchange_rows *self = *rows;
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < self->shard.count; i++) {
        zn_block_reader_close(&self->streams[i].reader);
    }
    zn_memory_give(self->shard.memory, self->shard.count * sizeof *self->streams);
    free(self->streams);
    free(self);
    *rows = NULL;
}

/* ---- where it is ---- */

static const zn_exchange_place *place_of(const stream *self) {
    return zn_exchange_table_place(self->rows->shard.table, self->stretch->place);
}

static zonda_err name_source(const stream *self, zonda_error *error) {
    const zn_exchange_plan *plan = self->rows->shard.plan;
    return zn_error_prefix(
        error, "the rows of task %" PRIu32 " of stage %" PRIu32 " on worker %" PRIu64 ": ",
        self->stretch->task, plan->inputs[self->stretch->input].stage.value,
        place_of(self)->worker);
}

static zonda_err open_stream(stream *self, zonda_error *error) {
    const zn_exchange_shard *shard = &self->rows->shard;
    zn_place place = place_of(self)->at.place;
    place.origin = (zn_origin){ .known = true,
                                .stage = shard->plan->inputs[self->stretch->input].stage.value,
                                .task = self->stretch->task,
                                .attempt = self->stretch->attempt };
    self->reader =
        zn_block_reader_open(shard->fetcher, &place, self->stretch->stretch, shard->memory, error);
    return self->reader == NULL ? name_source(self, error) : ZONDA_OK;
}

/* What a stream takes from the account once it is read, about. */
static uint64_t cost_of(const zn_exchange_stretch *stretch) {
    uint64_t row = stretch->rows == 0 ? 0 : stretch->bytes / stretch->rows;
    uint64_t block = zn_block_reader_bytes(stretch->stretch, stretch->bytes);
    return block > row ? block : row;
}

/* Asks for the streams from `self` on, which is asked for the first time. */
static zonda_err ask_ahead(stream *self, zonda_error *error) {
    zn_exchange_rows *rows = self->rows;
    const zn_exchange_shard *shard = &rows->shard;
    size_t index = (size_t)(self - rows->streams);
    size_t ahead = shard->plan->way == ZN_EXCHANGE_BYTES ? AHEAD_IN_TURN : AHEAD_MERGED;
    rows->asked = rows->asked > index ? rows->asked : index;
    while (rows->asked < shard->count && rows->asked < index + ahead) {
        stream *next = &rows->streams[rows->asked];
        if (next != self && cost_of(next->stretch) > zn_memory_left(shard->memory) / MEMORY_SHARE) {
            break;
        }
        zonda_err code = open_stream(next, error);
        if (code != ZONDA_OK) {
            return code;
        }
        zn_block_reader_prefetch(next->reader);
        rows->asked++;
    }
    return ZONDA_OK;
}

/* ---- rows ---- */

static zonda_err refuse(const stream *self, const char *what, zonda_error *error) {
    zn_error_set(error, ZONDA_ERR_CORRUPT, "%s", what);
    name_source(self, error);
    return ZONDA_ERR_CORRUPT;
}

static void end_stream(stream *self) {
    self->ended = true;
    zn_block_reader_close(&self->reader);
}

static zonda_err read_block(stream *self, zonda_error *error) {
    zonda_err code = self->reader == NULL ? ask_ahead(self, error) : ZONDA_OK;
    if (code != ZONDA_OK) {
        return code;
    }
    zn_bytes values = { 0 };
    uint32_t count = 0;
    code = zn_block_reader_next(self->reader, &values, &count, error);
    if (code != ZONDA_OK) {
        name_source(self, error);
        return code;
    }
    self->rest = zn_cursor_of(values);
    if (count > 0) {
        return ZONDA_OK;
    }
    const zn_exchange_stretch *stretch = self->stretch;
    end_stream(self);
    return self->row_count == stretch->rows && self->bytes == stretch->bytes
               ? ZONDA_OK
               : refuse(self, "there are not as many rows as the index says", error);
}

/* Any row of the stretch. */
static zonda_err take_row(stream *self, zn_row *row, bool *found, zonda_error *error) {
    while (!self->ended && self->rest.at == self->rest.end) {
        zonda_err code = read_block(self, error);
        if (code != ZONDA_OK) {
            return code;
        }
    }
    *found = !self->ended;
    if (self->ended) {
        return ZONDA_OK;
    }
    const uint8_t *at = self->rest.at;
    if (!zn_row_take(&self->rest, row)) {
        return refuse(self, "there is something else than a row", error);
    }
    self->row_count++;
    self->bytes += (uint64_t)(self->rest.at - at);
    return ZONDA_OK;
}

/* Rows ascend, so the first one behind the shard ends the stream. */
static zonda_err next_row(void *context, zn_row *row, bool *found, zonda_error *error) {
    stream *self = context;
    const zn_exchange_shard *shard = &self->rows->shard;
    const zn_exchange_borders *borders = &shard->borders;
    for (;;) {
        zn_exchange_border at = { .input = self->stretch->input,
                                  .task = self->stretch->task,
                                  .begin = self->stretch->begin + self->bytes };
        zonda_err code = take_row(self, row, found, error);
        if (code != ZONDA_OK || !*found) {
            return code;
        }
        at.key = row->key;
        if (borders->upper.set && !zn_exchange_is_before(shard->plan->way, &at, &borders->upper)) {
            end_stream(self);
            *found = false;
            return ZONDA_OK;
        }
        if (!borders->lower.set || !zn_exchange_is_before(shard->plan->way, &at, &borders->lower)) {
            return ZONDA_OK;
        }
    }
}

static void close_stream(void *context) {
    end_stream(context);
}

zn_row_stream zn_exchange_rows_stream(zn_exchange_rows *rows, size_t index) {
    stream *self = &rows->streams[index];
    return (zn_row_stream){
        .context = self, .next = next_row, .close = close_stream, .bytes = cost_of(self->stretch)
    };
}
