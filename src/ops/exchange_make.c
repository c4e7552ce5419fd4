/* SPDX-License-Identifier: MPL-2.0 */
/* From the indexes, which say per task what it has for each shard, to a table that says per shard
 * what each task has for it. That is a sort, and a sorter does it, so that memory stays bounded
 * however many tasks there are; its work grows with the pairs of task and shard that have rows.
 *
 * Partitions and tasks say which shard they are of. Of ranges and bytes that is known only after
 * all indexes were read, so blocks wait in a temporary file. Blocks on a border are given to the
 * shards on both its sides, which take from them what is theirs. Called by exchange_table.c. */
#include "ops/exchange_make.h"

#include <inttypes.h>

#include "base/limits.h"
#include "ops/exchange_divide.h"
#include "store/run_file.h"

enum {
    SAVED_VALUES = 4,
    KEY_BYTES = 8, /* of a stretch in the sorter: its number, big-endian */
    KEEP_BYTES = 64 * ZN_KIB
};

typedef struct making {
    const zn_exchange_plan *plan;
    const zn_exchange_user *user;
    zn_exchange_file *file;
    zn_exchange_places places;
    zn_sorter *sorter;
    zn_exchange_division *division; /* of ranges and bytes */
    zn_run_file *saved;             /* blocks that wait for the borders */
    uint64_t bytes;                 /* of all rows so far */
    bool pending;                   /* a stretch that may still grow: */
    uint64_t shard;
    zn_exchange_stretch stretch;
    uint64_t stretches;
    uint64_t written; /* shards whose borders are in the file: those before this one */
    zn_buf value;
} making;

static bool divides(const making *m) {
    return m->plan->way == ZN_EXCHANGE_RANGE || m->plan->way == ZN_EXCHANGE_BYTES;
}

/* ---- stretches by shard ---- */

static zonda_err flush_stretch(making *m, zonda_error *error) {
    if (!m->pending) {
        return ZONDA_OK;
    }
    m->pending = false;
    uint8_t key[KEY_BYTES];
    for (unsigned i = 0; i < KEY_BYTES; i++) {
        key[i] = (uint8_t)(m->stretches >> (8 * (KEY_BYTES - 1 - i)));
    }
    m->stretches++;
    zn_buf_reset(&m->value, KEEP_BYTES);
    zn_exchange_stretch_put(&m->value, &m->stretch);
    return zn_sorter_add(m->sorter, (uint32_t)m->shard, (zn_bytes){ key, sizeof key },
                         zn_buf_bytes(&m->value), error);
}

/* Whether blocks follow those of the stretch that may still grow. */
static bool continues(const making *m, uint64_t shard, const zn_exchange_stretch *next) {
    const zn_exchange_stretch *last = &m->stretch;
    return m->pending && m->shard == shard && last->input == next->input &&
           last->task == next->task && last->place == next->place &&
           last->stretch.offset + last->stretch.length == next->stretch.offset;
}

static zonda_err add_stretch(making *m, uint64_t shard, const zn_exchange_stretch *next,
                             zonda_error *error) {
    if (continues(m, shard, next)) {
        m->stretch.stretch.length += next->stretch.length;
        m->stretch.rows += next->rows;
        m->stretch.bytes += next->bytes;
        return ZONDA_OK;
    }
    zonda_err code = flush_stretch(m, error);
    m->pending = true;
    m->shard = shard;
    m->stretch = *next;
    return code;
}

/* Whether a shard has none of the rows of a task, because it is of one key and other tasks, or of
 * no bytes at all. */
static bool has_no_part(const making *m, uint64_t shard, const zn_exchange_stretch *blocks) {
    zn_exchange_borders borders = zn_exchange_division_borders(m->division, shard);
    if (!borders.lower.set || !borders.upper.set) {
        return false;
    }
    if (m->plan->way == ZN_EXCHANGE_BYTES) {
        return borders.lower.begin == borders.upper.begin;
    }
    zn_exchange_border row = borders.lower;
    row.input = blocks->input;
    row.task = blocks->task;
    return zn_bytes_equal(borders.lower.key, borders.upper.key) &&
           (zn_exchange_is_before(m->plan->way, &row, &borders.lower) ||
            !zn_exchange_is_before(m->plan->way, &row, &borders.upper));
}

/* Blocks whose rows are from `first` to `last`. */
static zonda_err divide_blocks(making *m, const zn_exchange_stretch *blocks,
                               const zn_exchange_border *first, const zn_exchange_border *last,
                               zonda_error *error) {
    uint64_t shard = zn_exchange_division_shard(m->division, first);
    uint64_t end = zn_exchange_division_shard(m->division, last);
    zonda_err code = ZONDA_OK;
    for (; code == ZONDA_OK && shard <= end; shard++) {
        if (!has_no_part(m, shard, blocks)) {
            code = add_stretch(m, shard, blocks, error);
        }
    }
    return code;
}

/* ---- entries of indexes ---- */

static zonda_err save_blocks(making *m, const zn_exchange_stretch *blocks,
                             const zn_index_entry *entry, zonda_error *error) {
    size_t last = entry->sample_count == 0 ? 0 : entry->sample_count - 1;
    zn_bytes none = { 0 };
    zn_buf_reset(&m->value, KEEP_BYTES);
    zn_put_array(&m->value, SAVED_VALUES);
    zn_exchange_stretch_put(&m->value, blocks);
    zn_put_binary(&m->value, entry->sample_count == 0 ? none : entry->samples[0].key);
    zn_put_binary(&m->value, entry->sample_count == 0 ? none : entry->samples[last].key);
    zn_put_bool(&m->value, entry->sample_count > 0 && entry->samples[last].rows == 1);
    return zn_run_file_add(m->saved, none, zn_buf_bytes(&m->value), error);
}

static zonda_err note_range(making *m, const zn_exchange_stretch *blocks,
                            const zn_index_entry *entry, zonda_error *error) {
    if (entry->sample_count == 0) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "the index has no samples");
    }
    zonda_err code = ZONDA_OK;
    for (size_t i = 0; code == ZONDA_OK && i < entry->sample_count; i++) {
        code =
            zn_exchange_division_add_sample(m->division, blocks->input, blocks->task,
                                            entry->samples[i].key, entry->samples[i].bytes, error);
    }
    return code;
}

/* Blocks that are of one shard alone. */
static zonda_err place_blocks(making *m, const zn_exchange_stretch *blocks,
                              const zn_index_entry *entry, zonda_error *error) {
    bool tasks = m->plan->way == ZN_EXCHANGE_TASK;
    uint64_t shard = tasks ? blocks->task : entry->partition;
    if (shard >= m->plan->shards || (tasks && entry->partition != 0)) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT,
                            "partition %" PRIu32 " in the index of a shuffle to %" PRIu64 " shards",
                            entry->partition, m->plan->shards);
    }
    return add_stretch(m, shard, blocks, error);
}

static zonda_err note_entry(void *context, const zn_exchange_source *source,
                            const zn_index_entry *entry, zonda_error *error) {
    making *m = context;
    zn_exchange_stretch blocks = { .input = source->input,
                                   .task = source->task,
                                   .attempt = source->attempt,
                                   .place = source->place,
                                   .stretch = entry->stretch,
                                   .rows = entry->rows,
                                   .bytes = entry->bytes,
                                   .begin = m->bytes };
    m->bytes += entry->bytes;
    if (!divides(m)) {
        return place_blocks(m, &blocks, entry, error);
    }
    zn_exchange_division_add_bytes(m->division, entry->bytes);
    zonda_err code = ZONDA_OK;
    if (m->plan->way == ZN_EXCHANGE_RANGE) {
        code = note_range(m, &blocks, entry, error);
    }
    return code == ZONDA_OK ? save_blocks(m, &blocks, entry, error) : code;
}

/* ---- blocks that have waited ---- */

/* The last row of blocks: only the last sample is known if it stands for more rows than itself, and
 * of a key that was cut only the beginning. */
static zn_exchange_border last_row(const zn_exchange_stretch *blocks, zn_bytes key) {
    bool cut = key.len >= ZN_SAMPLE_KEY_BYTES_MAX;
    return (zn_exchange_border){ .set = true,
                                 .key = key,
                                 .input = cut ? UINT32_MAX : blocks->input,
                                 .task = cut ? UINT32_MAX : blocks->task,
                                 .begin = blocks->begin + blocks->bytes - 1 };
}

static zonda_err divide_saved(making *m, zn_bytes value, zonda_error *error) {
    zn_cursor cursor = zn_cursor_of(value);
    zn_exchange_stretch blocks = { 0 };
    zn_cursor_read(&cursor);
    if (!zn_exchange_stretch_take(&cursor, &blocks)) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "a temporary file holds other than blocks");
    }
    zn_exchange_border first = { .set = true,
                                 .key = zn_cursor_read(&cursor).bytes,
                                 .input = blocks.input,
                                 .task = blocks.task,
                                 .begin = blocks.begin };
    zn_exchange_border last = last_row(&blocks, zn_cursor_read(&cursor).bytes);
    if (m->plan->way == ZN_EXCHANGE_RANGE && !zn_cursor_read(&cursor).boolean) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "the index does not tell the last key");
    }
    return divide_blocks(m, &blocks, &first, &last, error);
}

static zonda_err divide_all_saved(making *m, zonda_error *error) {
    zn_stretch all = { 0 };
    zonda_err code = zn_run_file_end(m->saved, &all, error);
    if (code != ZONDA_OK) {
        return code;
    }
    zn_run_reader *reader = zn_run_reader_new(m->saved, all, m->user->host->memory);
    uint32_t count = 1;
    while (code == ZONDA_OK && count > 0) {
        zn_bytes values = { 0 };
        code = zn_run_reader_next(reader, &values, &count, error);
        zn_cursor cursor = zn_cursor_of(values);
        while (code == ZONDA_OK && count > 0 && cursor.at < cursor.end) {
            code = divide_saved(m, zn_cursor_skip(&cursor), error);
        }
    }
    zn_run_reader_destroy(&reader);
    return code;
}

/* ---- the file ---- */

static zonda_err put_borders(making *m, uint64_t shard, zonda_error *error) {
    zn_exchange_borders borders = { 0 };
    if (divides(m)) {
        borders = zn_exchange_division_borders(m->division, shard);
    }
    m->written = shard + 1;
    zn_buf_reset(&m->value, KEEP_BYTES);
    zn_exchange_borders_put(&m->value, &borders);
    return zn_exchange_file_put(m->file, shard, zn_buf_bytes(&m->value), error);
}

/* For the sorter: the stretches by shard. */
static zonda_err write_stretch(void *context, uint32_t shard, zn_bytes key, zn_bytes record,
                               zonda_error *error) {
    (void)key;
    making *m = context;
    zonda_err code = shard >= m->written ? put_borders(m, shard, error) : ZONDA_OK;
    return code == ZONDA_OK ? zn_exchange_file_put(m->file, shard, record, error) : code;
}

static zonda_err write_places(making *m, zonda_error *error) {
    zonda_err code = ZONDA_OK;
    for (size_t i = 0; code == ZONDA_OK && i < m->places.count; i++) {
        zn_buf_reset(&m->value, KEEP_BYTES);
        zn_exchange_place_put(&m->value, &m->places.items[i]);
        code = zn_exchange_file_put(m->file, m->plan->shards, zn_buf_bytes(&m->value), error);
    }
    return code;
}

static zonda_err write_file(making *m, zonda_error *error) {
    zonda_err code = flush_stretch(m, error);
    if (code == ZONDA_OK) {
        code = zn_sorter_drain(m->sorter, write_stretch, m, error);
    }
    if (code == ZONDA_OK) {
        code = write_places(m, error);
    }
    return code == ZONDA_OK ? zn_exchange_file_finish(m->file, error) : code;
}

static zonda_err read_indexes(making *m, zonda_error *error) {
    zn_exchange_reading reading = { .host = m->user->host,
                                    .job = m->user->job,
                                    .inputs = m->plan->inputs,
                                    .input_count = m->plan->input_count,
                                    .fetcher = m->user->fetcher,
                                    .places = &m->places,
                                    .on_entry = note_entry,
                                    .context = m };
    zonda_err code = zn_exchange_read_indexes(&reading, error);
    if (code == ZONDA_OK && divides(m)) {
        code = zn_exchange_division_settle(m->division, error);
    }
    if (code == ZONDA_OK && divides(m)) {
        code = divide_all_saved(m, error);
    }
    return code;
}

zonda_err zn_exchange_make(const zn_exchange_plan *plan, const zn_exchange_user *user,
                           zn_exchange_file *file, zonda_error *error) {
    const zn_task_host *host = user->host;
    zn_sorter_options options = { .scratch = host->scratch,
                                  .memory = host->memory,
                                  .sorted = true,
                                  .cancelled = zn_task_waits,
                                  .cancelled_context = (void *)host };
    making m = { .plan = plan, .user = user, .file = file, .sorter = zn_sorter_new(&options) };
    zonda_err code = ZONDA_OK;
    if (divides(&m)) {
        m.division = zn_exchange_division_new(plan->way, plan->shards, m.sorter);
        m.saved = zn_run_file_new(host->scratch, error);
        code = m.saved == NULL ? error->code : ZONDA_OK;
    }
    if (code == ZONDA_OK) {
        code = read_indexes(&m, error);
    }
    if (code == ZONDA_OK) {
        code = write_file(&m, error);
    }
    zn_run_file_destroy(&m.saved);
    zn_exchange_division_destroy(&m.division);
    zn_sorter_destroy(&m.sorter);
    zn_exchange_places_free(&m.places);
    zn_buf_free(&m.value);
    return code;
}
