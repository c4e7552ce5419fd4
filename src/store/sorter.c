/* SPDX-License-Identifier: MPL-2.0 */
/* The external sort. The partition goes before the key as a few bytes that compare like the number,
 * so that one order by bytes is the order by (partition, key) everywhere: in the buffer, in runs
 * and in the merge. Runs are written in the order of arrival and the rows that are still in the
 * buffer are the last stream of the merge, so equal keys stay in order, whatever spilled when.
 *
 * A row that does not fit into an empty buffer is taken by force and spilled at once. A buffer
 * below SHARE_BYTES_MIN never spills: without that, an account that others have used up would make
 * a run of every row. Between tasks nothing is held: a slot has the sorters of many stages.
 *
 * Used by the writing side of shuffles. */
#include "store/sorter.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/profile.h"
#include "store/row_buffer.h"
#include "store/run_stream.h"

enum {
    SHARE_BYTES_MIN = 256 * ZN_KIB,
    OTHERS_BYTES = 32 * ZN_MIB,            /* enough for the merge and others, up to a memory of */
    OTHERS_SHARE = 4,                      /* so many times that */
    KEYS_BYTES_MAX = 2 * ZN_KEY_BYTES_MAX, /* of a row: one that groups, one that sorts inside */
    TAG_BYTES_MAX = 5,
    ROWS_BETWEEN_QUESTIONS = 1024,
    ROWS_AHEAD = 16, /* that are asked for while one is taken */
    CACHE_LINE_BYTES = 64,
    /* First bytes of a tag: below ONE it is the partition, below TWO the upper half of one. */
    ONE = 0xC0,
    TWO = 0xFF,
};

struct zn_sorter {
    zn_sorter_options options;
    zn_row_buffer buffer;
    uint64_t share; /* of the buffer; set with the first row */
    zn_run_file *file;
    zn_stretch *runs;
    size_t run_count;
    size_t run_capacity;
    uint64_t merged_bytes; /* written by merges */
    uint64_t spilled_bytes;
    bool begun; /* a row came since the last drain or reset */
    zn_buf key;
};

zn_sorter *zn_sorter_new(const zn_sorter_options *options) {
    zn_sorter *sorter = ZN_NEW(zn_sorter);
    sorter->options = *options;
    sorter->buffer.memory = options->memory;
    return sorter;
}

static void close_file(zn_sorter *sorter) {
    if (sorter->file != NULL) {
        zn_memory_give(sorter->options.memory, ZN_RUN_FILE_MEMORY_BYTES);
    }
    zn_run_file_destroy(&sorter->file);
    sorter->run_count = 0;
}

void zn_sorter_destroy(zn_sorter **sorter) {
    zn_sorter *self = *sorter;
    if (self == NULL) {
        return;
    }
    close_file(self);
    zn_row_buffer_free(&self->buffer);
    zn_buf_free(&self->key);
    free(self->runs);
    free(self);
    *sorter = NULL;
}

/* ---- partitions before keys ---- */

static size_t put_tag(uint8_t out[TAG_BYTES_MAX], uint32_t partition) {
    if (partition < ONE) {
        out[0] = (uint8_t)partition;
        return 1;
    }
    uint32_t rest = partition - ONE;
    if (rest < (TWO - ONE) * 256) {
        out[0] = (uint8_t)(ONE + rest / 256);
        out[1] = (uint8_t)rest;
        return 2;
    }
    out[0] = TWO;
    for (unsigned i = 0; i < 4; i++) {
        out[1 + i] = (uint8_t)(partition >> (24 - 8 * i));
    }
    return TAG_BYTES_MAX;
}

/* Takes the tag from the front of a key that has one. */
static uint32_t take_tag(zn_bytes *key) {
    const uint8_t *in = key->data;
    size_t len = in[0] < ONE ? 1 : in[0] < TWO ? 2 : TAG_BYTES_MAX;
    uint32_t partition = in[0];
    if (len == 2) {
        partition = ONE + (in[0] - (uint32_t)ONE) * 256 + in[1];
    } else if (len == TAG_BYTES_MAX) {
        partition =
            (uint32_t)in[1] << 24 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 8 | (uint32_t)in[4];
    }
    key->data += len;
    key->len -= len;
    return partition;
}

/* ---- sorted rows on their way out ---- */

/* Rows with tags, cut into partitions for the combiner. */
typedef struct outlet {
    zn_sorter *sorter;
    zn_row_stream *rows;
    zn_sorter_put *put;
    void *put_context;
    zn_row row; /* the next one, without tag */
    uint32_t row_partition;
    bool pending; /* there is a next one that nobody has taken */
    bool ended;
    uint32_t partition; /* that the combiner works on */
    unsigned taken;
} outlet;

static zonda_err peek(outlet *self, zonda_error *error) {
    if (self->pending || self->ended) {
        return ZONDA_OK;
    }
    const zn_sorter_options *options = &self->sorter->options;
    if (self->taken++ % ROWS_BETWEEN_QUESTIONS == 0 && options->cancelled != NULL &&
        options->cancelled(options->cancelled_context)) {
        return zn_error_set(error, ZONDA_ERR_CANCELLED, "cancelled");
    }
    bool found = false;
    zonda_err code = self->rows->next(self->rows->context, &self->row, &found, error);
    if (code == ZONDA_OK) {
        self->pending = found;
        self->ended = !found;
        self->row_partition = found ? take_tag(&self->row.key) : 0;
    }
    return code;
}

static zonda_err next_of_partition(void *context, zn_row *row, bool *found, zonda_error *error) {
    outlet *self = context;
    zonda_err code = peek(self, error);
    *found = code == ZONDA_OK && self->pending && self->row_partition == self->partition;
    if (*found) {
        *row = self->row;
        self->pending = false;
    }
    return code;
}

static zonda_err put_combined(void *to, zn_bytes key, zn_bytes record, zonda_error *error) {
    outlet *self = to;
    return self->put(self->put_context, self->partition, key, record, error);
}

static zonda_err combine_partition(outlet *self, zonda_error *error) {
    const zn_combiner *combiner = self->sorter->options.combiner;
    zn_row_stream rows = { .context = self, .next = next_of_partition };
    zonda_err code = combiner->run(combiner->context, &rows, put_combined, self, error);
    zn_row skipped;
    for (bool found = true; code == ZONDA_OK && found;) {
        code = next_of_partition(self, &skipped, &found, error);
    }
    return code;
}

/* Gives all rows of a stream to `put`, combined if need be. */
static zonda_err pour(zn_sorter *sorter, zn_row_stream *rows, zn_sorter_put *put, void *context,
                      zonda_error *error) {
    outlet self = { .sorter = sorter, .rows = rows, .put = put, .put_context = context };
    zonda_err code = peek(&self, error);
    while (code == ZONDA_OK && !self.ended) {
        self.partition = self.row_partition;
        if (sorter->options.combiner != NULL) {
            code = combine_partition(&self, error);
        } else {
            code = put(context, self.partition, self.row.key, self.row.record, error);
            self.pending = false;
        }
        if (code == ZONDA_OK) {
            code = peek(&self, error);
        }
    }
    return code;
}

/* ---- the buffer as a stream ---- */

typedef struct buffer_stream {
    const zn_row_buffer *buffer;
    size_t at;
} buffer_stream;

static zonda_err next_of_buffer(void *context, zn_row *row, bool *found, zonda_error *error) {
    (void)error;
    buffer_stream *self = context;
    *found = self->at < self->buffer->count;
    if (*found) {
        const uint8_t *ahead = zn_row_buffer_where(self->buffer, self->at + ROWS_AHEAD);
        if (ahead != NULL) {
            __builtin_prefetch(ahead);
            __builtin_prefetch(ahead + CACHE_LINE_BYTES);
        }
        *row = zn_row_buffer_at(self->buffer, self->at++);
    }
    return ZONDA_OK;
}

static zn_row_stream stream_of_buffer(zn_sorter *sorter, buffer_stream *state) {
    if (sorter->options.sorted) {
        zn_row_buffer_sort(&sorter->buffer);
    }
    *state = (buffer_stream){ .buffer = &sorter->buffer };
    return (zn_row_stream){ .context = state, .next = next_of_buffer };
}

/* ---- runs ---- */

static zonda_err put_to_run(void *context, uint32_t partition, zn_bytes key, zn_bytes record,
                            zonda_error *error) {
    zn_sorter *sorter = context;
    uint8_t tag[TAG_BYTES_MAX];
    zn_buf_reset(&sorter->key, ZN_BLOCK_RAW_BYTES);
    zn_buf_append(&sorter->key, tag, put_tag(tag, partition));
    zn_buf_append(&sorter->key, key.data, key.len);
    return zn_run_file_add(sorter->file, zn_buf_bytes(&sorter->key), record, error);
}

static zonda_err open_file(zn_sorter *sorter, zonda_error *error) {
    if (sorter->file != NULL) {
        return ZONDA_OK;
    }
    zonda_error cause = { 0 };
    sorter->file = zn_run_file_new(sorter->options.scratch, &cause);
    if (sorter->file == NULL) {
        *error = cause;
        return cause.code;
    }
    zn_memory_force(sorter->options.memory, ZN_RUN_FILE_MEMORY_BYTES);
    return ZONDA_OK;
}

/* Writes the buffer as one run. A buffer that a single row has blown up does not stay. */
static zonda_err write_run(zn_sorter *sorter, zonda_error *error) {
    zonda_err code = open_file(sorter, error);
    if (code != ZONDA_OK) {
        return code;
    }
    buffer_stream state;
    zn_row_stream rows = stream_of_buffer(sorter, &state);
    code = pour(sorter, &rows, put_to_run, sorter, error);
    ZN_GROW(sorter->runs, sorter->run_count, sorter->run_capacity);
    if (code == ZONDA_OK) {
        code = zn_run_file_end(sorter->file, &sorter->runs[sorter->run_count], error);
    }
    sorter->run_count += code == ZONDA_OK ? 1 : 0;
    sorter->spilled_bytes = zn_run_file_bytes(sorter->file);
    if (zn_row_buffer_bytes(&sorter->buffer) > sorter->share) {
        zn_row_buffer_free(&sorter->buffer);
    } else {
        zn_row_buffer_clear(&sorter->buffer);
    }
    return code;
}

static zonda_err spill(zn_sorter *sorter, zonda_error *error) {
    uint64_t written = sorter->spilled_bytes;
    int before = zn_profile_enter(ZN_SECTION_SHUFFLING);
    uint64_t opened = zn_profile_open_span();
    zonda_err code = write_run(sorter, error);
    zn_profile_close_span(ZN_SPAN_SPILL, opened, sorter->spilled_bytes - written);
    zn_profile_leave(before);
    return code;
}

/* ---- adding ---- */

/* Half of a small memory, and less of a large one: what fits into the buffer as a whole is not
 * written twice. */
static uint64_t left_to_others(uint64_t left) {
    uint64_t half = left / 2 < OTHERS_BYTES ? left / 2 : OTHERS_BYTES;
    return half > left / OTHERS_SHARE ? half : left / OTHERS_SHARE;
}

static void begin(zn_sorter *sorter) {
    const zn_sorter_options *options = &sorter->options;
    uint64_t left = zn_memory_left(options->memory);
    sorter->share = options->bytes_max;
    if (sorter->share == 0) {
        uint64_t part = left == UINT64_MAX ? left : left - left_to_others(left);
        sorter->share = part > SHARE_BYTES_MIN ? part : SHARE_BYTES_MIN;
    }
    sorter->begun = true;
    sorter->merged_bytes = 0;
    sorter->spilled_bytes = 0;
}

static bool may_spill(const zn_sorter *sorter) {
    uint64_t bytes = zn_row_buffer_bytes(&sorter->buffer);
    return sorter->buffer.count > 0 && (bytes >= SHARE_BYTES_MIN || bytes >= sorter->share);
}

static zonda_err make_room(zn_sorter *sorter, size_t key_len, size_t record_len,
                           zonda_error *error) {
    if (zn_row_buffer_reserve(&sorter->buffer, key_len, record_len, sorter->share)) {
        return ZONDA_OK;
    }
    zonda_err code = may_spill(sorter) ? spill(sorter, error) : ZONDA_OK;
    if (code == ZONDA_OK &&
        !zn_row_buffer_reserve(&sorter->buffer, key_len, record_len, sorter->share)) {
        zn_row_buffer_force(&sorter->buffer, key_len, record_len);
    }
    return code;
}

static zonda_err check_size(zn_bytes key, zn_bytes record, zonda_error *error) {
    if (key.len > KEYS_BYTES_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT, "a key of %zu bytes is above the limit of %d",
                            key.len, KEYS_BYTES_MAX);
    }
    if (record.len > ZN_RECORD_BYTES_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "a record of %zu bytes is above the limit of %d", record.len,
                            ZN_RECORD_BYTES_MAX);
    }
    return ZONDA_OK;
}

zonda_err zn_sorter_add(zn_sorter *sorter, uint32_t partition, zn_bytes key, zn_bytes record,
                        zonda_error *error) {
    if (!sorter->begun) {
        begin(sorter);
    }
    uint8_t tag[TAG_BYTES_MAX];
    size_t tag_len = put_tag(tag, partition);
    zonda_err code = check_size(key, record, error);
    if (code == ZONDA_OK) {
        code = make_room(sorter, tag_len + key.len, record.len, error);
    }
    if (code != ZONDA_OK) {
        return code;
    }
    zn_row_buffer_add(&sorter->buffer, (zn_bytes){ tag, tag_len }, key, record);
    uint64_t bytes = zn_row_buffer_bytes(&sorter->buffer);
    return bytes > sorter->share && may_spill(sorter) ? spill(sorter, error) : ZONDA_OK;
}

/* ---- draining ---- */

static zonda_err next_of_merge(void *context, zn_row *row, bool *found, zonda_error *error) {
    return zn_merge_next(context, row, NULL, found, error);
}

static zonda_err drain_runs(zn_sorter *sorter, zn_sorter_put *put, void *context,
                            zonda_error *error) {
    const zn_sorter_options *options = &sorter->options;
    zn_row_stream *streams = zn_calloc(sorter->run_count + 1, sizeof *streams);
    for (size_t i = 0; i < sorter->run_count; i++) {
        streams[i] = zn_run_stream_open(sorter->file, sorter->runs[i], options->memory);
    }
    buffer_stream state;
    streams[sorter->run_count] = stream_of_buffer(sorter, &state);
    zn_merge_options merging = { .scratch = options->scratch,
                                 .memory = options->memory,
                                 .sorted = options->sorted,
                                 .spilled_bytes = &sorter->merged_bytes,
                                 .cancelled = options->cancelled,
                                 .context = options->cancelled_context };
    zonda_error cause = { 0 };
    zn_merge *merge = zn_merge_new(&merging, streams, sorter->run_count + 1, &cause);
    free(streams);
    zonda_err code = cause.code;
    if (merge != NULL) {
        zn_row_stream rows = { .context = merge, .next = next_of_merge };
        code = pour(sorter, &rows, put, context, error);
    } else {
        *error = cause;
    }
    zn_merge_destroy(&merge);
    return code;
}

zonda_err zn_sorter_drain(zn_sorter *sorter, zn_sorter_put *put, void *context,
                          zonda_error *error) {
    zonda_err code = ZONDA_OK;
    if (sorter->run_count > 0) {
        code = drain_runs(sorter, put, context, error);
    } else {
        buffer_stream state;
        zn_row_stream rows = stream_of_buffer(sorter, &state);
        code = pour(sorter, &rows, put, context, error);
    }
    uint64_t spilled = zn_sorter_spilled_bytes(sorter);
    zn_sorter_reset(sorter);
    sorter->spilled_bytes = spilled;
    return code;
}

void zn_sorter_reset(zn_sorter *sorter) {
    close_file(sorter);
    zn_row_buffer_free(&sorter->buffer);
    sorter->begun = false;
    sorter->merged_bytes = 0;
    sorter->spilled_bytes = 0;
}

uint64_t zn_sorter_spilled_bytes(const zn_sorter *sorter) {
    return sorter->spilled_bytes + sorter->merged_bytes;
}
