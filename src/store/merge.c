/* SPDX-License-Identifier: MPL-2.0 */
/* Merging in bounded memory. What decides is the sum of what the open streams take: while that is
 * more than the account has left, a pass merges groups of neighbours into runs of a temporary file,
 * from the left, and stops where the rest fits. Only neighbours are merged and a run takes their
 * place, so the order of equal keys stays that of the streams, whatever the passes were. Rows
 * of such a run carry the index of their first stream behind their key.
 *
 * Streams are not touched before the pass that reads them, and closed at their end. Used by the
 * sorter for its runs and by exchanges for what tasks have written. */
#include "store/merge.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "store/run_file.h"
#include "store/run_stream.h"
#include "store/tournament.h"

enum {
    FORCED_COUNT_MAX = 8, /* streams that are open even if the account has nothing left */
    FORCED_BYTES_MAX = 4 * ZN_MIB,
    SOURCE_BYTES = 256, /* of memory for a source and its place in the tournament */
    TAG_BYTES = 4,
    ROWS_BETWEEN_QUESTIONS = 1024,
};

/* A stream of the caller, or a run of some of them. */
typedef struct source {
    zn_row_stream stream;
    bool tagged;
    uint32_t index; /* of the caller's stream that the last row came from */
} source;

struct zn_merge {
    zn_merge_options options;
    source *sources;
    zn_row_stream *wrapped; /* the sources as streams without tags */
    size_t count;
    zn_run_file *file; /* that the runs lie in */
    zn_tournament *tournament;
    size_t at; /* without sorting: the source that is read */
    zn_buf key;
    uint64_t charged;
};

/* ---- sources ---- */

static zonda_err next_of_source(void *context, zn_row *row, bool *found, zonda_error *error) {
    source *self = context;
    zonda_err code = self->stream.next(self->stream.context, row, found, error);
    if (code != ZONDA_OK || !*found || !self->tagged) {
        return code;
    }
    if (row->key.len < TAG_BYTES) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "a temporary file holds other than rows");
    }
    row->key.len -= TAG_BYTES;
    self->index = zn_get_u32(row->key.data + row->key.len);
    return ZONDA_OK;
}

static void close_source(void *context) {
    source *self = context;
    zn_row_stream_close(&self->stream);
}

/* Over sources [first, first + count). */
static zn_tournament *open_tournament(zn_merge *merge, size_t first, size_t count) {
    for (size_t i = first; i < first + count; i++) {
        merge->wrapped[i] = (zn_row_stream){ .context = &merge->sources[i],
                                             .next = next_of_source,
                                             .close = close_source };
    }
    return zn_tournament_new(&merge->wrapped[first], count);
}

/* ---- passes ---- */

static bool cancelled(const zn_merge *merge) {
    return merge->options.cancelled != NULL && merge->options.cancelled(merge->options.context);
}

static zonda_err add_tagged(zn_merge *merge, zn_row row, uint32_t index, zonda_error *error) {
    uint8_t tag[TAG_BYTES];
    zn_put_u32(tag, index);
    zn_buf_reset(&merge->key, ZN_BLOCK_RAW_BYTES);
    zn_buf_append(&merge->key, row.key.data, row.key.len);
    zn_buf_append(&merge->key, tag, sizeof tag);
    return zn_run_file_add(merge->file, zn_buf_bytes(&merge->key), row.record, error);
}

/* Merges sources [first, first + count) into a run. */
static zonda_err merge_group(zn_merge *merge, size_t first, size_t count, zn_stretch *out,
                             zonda_error *error) {
    uint64_t before = zn_run_file_bytes(merge->file);
    zn_tournament *tournament = open_tournament(merge, first, count);
    zonda_err code = ZONDA_OK;
    bool found = true;
    for (unsigned rows = 0; code == ZONDA_OK && found; rows++) {
        if (rows % ROWS_BETWEEN_QUESTIONS == 0 && cancelled(merge)) {
            code = zn_error_set(error, ZONDA_ERR_CANCELLED, "cancelled");
            break;
        }
        zn_row row;
        size_t stream = 0;
        code = zn_tournament_next(tournament, &row, &stream, &found, error);
        if (code == ZONDA_OK && found) {
            code = add_tagged(merge, row, merge->sources[first + stream].index, error);
        }
    }
    zn_tournament_destroy(&tournament);
    code = code == ZONDA_OK ? zn_run_file_end(merge->file, out, error) : code;
    if (merge->options.spilled_bytes != NULL) {
        *merge->options.spilled_bytes += zn_run_file_bytes(merge->file) - before;
    }
    return code;
}

/* What the open sources would take. */
typedef struct demand {
    uint64_t bytes;
    size_t count;
} demand;

/* Two streams always fit, and a few small ones: with less than that, passes would hardly end. */
static bool fits(const zn_merge *merge, demand all, uint64_t room) {
    size_t max = merge->options.fan_in_max;
    if (max != 0) {
        return all.count <= max;
    }
    return all.bytes <= room || all.count <= 2 ||
           (all.count <= FORCED_COUNT_MAX && all.bytes <= FORCED_BYTES_MAX);
}

/* How many sources from `first` on become one: until all that is left fits, or no more can be open
 * at once. The run takes as much as the largest of them. */
static size_t choose_group(const zn_merge *merge, size_t first, demand *all, uint64_t room) {
    demand group = { 0 };
    demand after = *all;
    uint64_t largest = 0;
    while (first + group.count < merge->count) {
        uint64_t bytes = merge->sources[first + group.count].stream.bytes;
        demand grown = { group.bytes + bytes, group.count + 1 };
        if (!fits(merge, grown, room) || (group.count > 1 && fits(merge, after, room))) {
            break;
        }
        group = grown;
        largest = bytes > largest ? bytes : largest;
        after.bytes = all->bytes - group.bytes + largest;
        after.count = all->count - group.count + 1;
    }
    *all = after;
    return group.count;
}

/* Replaces sources [first, first + count) by one of their rows. */
static zonda_err replace_group(zn_merge *merge, size_t first, size_t count, source *out,
                               zonda_error *error) {
    zn_stretch run = { 0 };
    zonda_err code = merge_group(merge, first, count, &run, error);
    if (code == ZONDA_OK) {
        *out = (source){ .stream = zn_run_stream_open(merge->file, run, merge->options.memory),
                         .tagged = true };
    }
    return code;
}

/* One pass over the sources, from the left until the rest fits. */
static zonda_err run_pass(zn_merge *merge, demand all, uint64_t room, zonda_error *error) {
    zonda_err code = ZONDA_OK;
    size_t done = 0;
    size_t first = 0;
    while (code == ZONDA_OK && first < merge->count && !fits(merge, all, room)) {
        size_t group = choose_group(merge, first, &all, room);
        source run = merge->sources[first];
        if (group > 1) {
            code = replace_group(merge, first, group, &run, error);
        }
        if (code == ZONDA_OK) {
            merge->sources[done++] = run;
            first += group;
        }
    }
    memmove(&merge->sources[done], &merge->sources[first],
            (merge->count - first) * sizeof *merge->sources);
    merge->count -= first - done;
    return code;
}

static zonda_err run_passes(zn_merge *merge, zonda_error *error) {
    zonda_err code = ZONDA_OK;
    while (code == ZONDA_OK) {
        demand all = { 0 };
        for (; all.count < merge->count; all.count++) {
            all.bytes += merge->sources[all.count].stream.bytes;
        }
        uint64_t room = zn_memory_left(merge->options.memory);
        if (fits(merge, all, room)) {
            break;
        }
        if (merge->file == NULL) {
            merge->file = zn_run_file_new(merge->options.scratch, error);
            if (merge->file == NULL) {
                return error->code;
            }
            merge->charged += ZN_RUN_FILE_MEMORY_BYTES;
            zn_memory_force(merge->options.memory, ZN_RUN_FILE_MEMORY_BYTES);
        }
        code = run_pass(merge, all, zn_memory_left(merge->options.memory), error);
    }
    return code;
}

/* ---- the merge ---- */

zn_merge *zn_merge_new(const zn_merge_options *options, zn_row_stream *streams, size_t count,
                       zonda_error *error) {
    zn_merge *merge = ZN_NEW(zn_merge);
    merge->options = *options;
    if (options->fan_in_max == 1) {
        merge->options.fan_in_max = 2;
    }
    merge->charged = count * SOURCE_BYTES;
    zn_memory_force(options->memory, merge->charged);
    merge->sources = zn_calloc(count, sizeof *merge->sources);
    merge->wrapped = zn_calloc(count, sizeof *merge->wrapped);
    merge->count = count;
    for (size_t i = 0; i < count; i++) {
        merge->sources[i] = (source){ .stream = streams[i], .index = (uint32_t)i };
    }
    if (options->sorted && run_passes(merge, error) != ZONDA_OK) {
        zn_merge_destroy(&merge);
        return NULL;
    }
    if (options->sorted && merge->count > 0) {
        merge->tournament = open_tournament(merge, 0, merge->count);
    }
    return merge;
}

void zn_merge_destroy(zn_merge **merge) {
    zn_merge *self = *merge;
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < self->count; i++) {
        zn_row_stream_close(&self->sources[i].stream);
    }
    zn_memory_give(self->options.memory, self->charged);
    zn_run_file_destroy(&self->file);
    zn_tournament_destroy(&self->tournament);
    zn_buf_free(&self->key);
    free(self->sources);
    free(self->wrapped);
    free(self);
    *merge = NULL;
}

/* One source after another. */
static zonda_err next_in_turn(zn_merge *merge, zn_row *row, size_t *stream, bool *found,
                              zonda_error *error) {
    *found = false;
    while (merge->at < merge->count) {
        zonda_err code = next_of_source(&merge->sources[merge->at], row, found, error);
        if (code != ZONDA_OK || *found) {
            *stream = merge->at;
            return code;
        }
        close_source(&merge->sources[merge->at++]);
    }
    return ZONDA_OK;
}

zonda_err zn_merge_next(zn_merge *merge, zn_row *row, size_t *stream, bool *found,
                        zonda_error *error) {
    size_t place = 0;
    zonda_err code = ZONDA_OK;
    if (merge->tournament != NULL) {
        code = zn_tournament_next(merge->tournament, row, &place, found, error);
    } else {
        code = next_in_turn(merge, row, &place, found, error);
    }
    if (code == ZONDA_OK && *found && stream != NULL) {
        *stream = merge->sources[place].index;
    }
    return code;
}
