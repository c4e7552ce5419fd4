/* SPDX-License-Identifier: MPL-2.0 */
/* Entries of an index as values and back. The blocks that carry them have been checked, so a value
 * is a whole value; that it is an entry, and one that can be true, is checked here: readers open
 * stretches and divide work by these numbers. Entries are written by store/index_builder.h. */
#include "store/segment_index.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "record/value.h"

enum {
    ENTRY_VALUES = 6,
    SAMPLE_VALUES = 3
};

struct zn_index_reader {
    zn_index_sample *samples;
    size_t count;
    size_t capacity;
};

void zn_index_entry_put(zn_buf *out, const zn_index_entry *entry) {
    zn_put_array(out, ENTRY_VALUES);
    zn_put_uint(out, entry->partition);
    zn_put_uint(out, entry->stretch.offset);
    zn_put_uint(out, entry->stretch.length);
    zn_put_uint(out, entry->rows);
    zn_put_uint(out, entry->bytes);
    zn_put_array(out, (uint32_t)entry->sample_count);
    for (size_t i = 0; i < entry->sample_count; i++) {
        zn_put_array(out, SAMPLE_VALUES);
        zn_put_binary(out, entry->samples[i].key);
        zn_put_uint(out, entry->samples[i].rows);
        zn_put_uint(out, entry->samples[i].bytes);
    }
}

zn_index_reader *zn_index_reader_new(void) {
    return ZN_NEW(zn_index_reader);
}

void zn_index_reader_destroy(zn_index_reader **reader) {
    if (*reader == NULL) {
        return;
    }
    free((*reader)->samples);
    free(*reader);
    *reader = NULL;
}

static bool take_array(zn_cursor *cursor, uint32_t *count) {
    zn_value head = zn_cursor_read(cursor);
    *count = head.type == ZN_VALUE_ARRAY ? head.count : 0;
    return head.type == ZN_VALUE_ARRAY;
}

/* A whole number of at most `max`. Numbers above INT64_MAX are never true. */
static bool take_number(zn_cursor *cursor, uint64_t max, uint64_t *out) {
    zn_value head = zn_cursor_read(cursor);
    if (head.type != ZN_VALUE_INT || head.integer < 0 || (uint64_t)head.integer > max) {
        return false;
    }
    *out = (uint64_t)head.integer;
    return true;
}

static bool take_sample(zn_cursor *cursor, zn_index_sample *out) {
    uint32_t values = 0;
    if (!take_array(cursor, &values) || values != SAMPLE_VALUES) {
        return false;
    }
    zn_value key = zn_cursor_read(cursor);
    out->key = key.bytes;
    return key.type == ZN_VALUE_BINARY && key.bytes.len <= ZN_SAMPLE_KEY_BYTES_MAX &&
           take_number(cursor, INT64_MAX, &out->rows) &&
           take_number(cursor, INT64_MAX, &out->bytes);
}

/* Samples ascend and describe all rows of the entry, each at least one. */
static bool take_samples(zn_index_reader *reader, zn_cursor *cursor, const zn_index_entry *entry) {
    uint32_t count = 0;
    uint64_t rows = 0;
    uint64_t bytes = 0;
    if (!take_array(cursor, &count) || count > entry->rows) {
        return false;
    }
    reader->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        zn_index_sample sample = { 0 };
        if (!take_sample(cursor, &sample) || sample.rows == 0 || sample.rows > entry->rows - rows ||
            sample.bytes > entry->bytes - bytes) {
            return false;
        }
        rows += sample.rows;
        bytes += sample.bytes;
        ZN_GROW(reader->samples, reader->count, reader->capacity);
        reader->samples[reader->count++] = sample;
    }
    return count == 0 || (rows == entry->rows && bytes == entry->bytes);
}

static bool take_entry(zn_index_reader *reader, zn_cursor *cursor, zn_index_entry *entry) {
    uint32_t values = 0;
    uint64_t partition = 0;
    zn_stretch *stretch = &entry->stretch;
    if (!take_array(cursor, &values) || values != ENTRY_VALUES ||
        !take_number(cursor, UINT32_MAX, &partition) ||
        !take_number(cursor, INT64_MAX, &stretch->offset) ||
        !take_number(cursor, (uint64_t)INT64_MAX - stretch->offset, &stretch->length) ||
        !take_number(cursor, INT64_MAX, &entry->rows) ||
        !take_number(cursor, INT64_MAX, &entry->bytes)) {
        return false;
    }
    entry->partition = (uint32_t)partition;
    return stretch->length > 0 && entry->rows > 0 && entry->bytes >= entry->rows &&
           take_samples(reader, cursor, entry);
}

zonda_err zn_index_reader_take(zn_index_reader *reader, zn_bytes *values, zn_index_entry *out,
                               bool *found, zonda_error *error) {
    *found = false;
    if (values->len == 0) {
        return ZONDA_OK;
    }
    zn_cursor cursor = zn_cursor_of(*values);
    zn_cursor inside = zn_cursor_of(zn_cursor_skip(&cursor));
    zn_index_entry entry = { 0 };
    if (!take_entry(reader, &inside, &entry)) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT,
                            "an entry of a segment's index is none (partition %" PRIu32
                            ", byte %" PRIu64 ")",
                            entry.partition, entry.stretch.offset);
    }
    entry.samples = reader->samples;
    entry.sample_count = reader->count;
    *values = (zn_bytes){ cursor.at, (size_t)(cursor.end - cursor.at) };
    *out = entry;
    *found = true;
    return ZONDA_OK;
}
