/* SPDX-License-Identifier: MPL-2.0 */
/* The buffer of the sorter: rows one behind another in one range of pages, and an array of entries
 * that is what gets sorted. Both grow in steps that the account has to grant, first generously,
 * then by what is needed. The array has half as much room again, which sorting uses, so
 * that sorting never asks for memory when there is none. */
#include "store/row_buffer.h"

#include <string.h>

#include "base/assert.h"

enum {
    SPARE_BYTES_MAX = 4 * 1024 * 1024, /* that a step takes beyond what is needed */
    ROW_HEAD_BYTES = 2 * sizeof(uint32_t),
};

static size_t row_bytes(size_t key_len, size_t record_len) {
    size_t bytes = ROW_HEAD_BYTES + key_len + record_len;
    return (bytes + ZN_ROW_PLACE_BYTES - 1) / ZN_ROW_PLACE_BYTES * ZN_ROW_PLACE_BYTES;
}

static size_t entries_bytes(size_t count) {
    return (count + count / 2 + 1) * sizeof(zn_row_entry);
}

uint64_t zn_row_buffer_bytes(const zn_row_buffer *buffer) {
    return buffer->rows.bytes + buffer->entries.bytes;
}

static bool extend(zn_row_buffer *buffer, zn_pages *pages, size_t needed, uint64_t bytes_max) {
    if (needed <= pages->bytes) {
        return true;
    }
    size_t spare = pages->bytes / 2 < SPARE_BYTES_MAX ? pages->bytes / 2 : SPARE_BYTES_MAX;
    size_t sizes[] = { zn_pages_round(needed + spare), zn_pages_round(needed) };
    for (size_t i = 0; i < 2; i++) {
        uint64_t more = sizes[i] - pages->bytes;
        if (zn_row_buffer_bytes(buffer) + more <= bytes_max &&
            zn_memory_take(buffer->memory, more)) {
            zn_pages_resize(pages, sizes[i]);
            zn_pages_expect_random(pages);
            return true;
        }
    }
    return false;
}

bool zn_row_buffer_reserve(zn_row_buffer *buffer, size_t key_len, size_t record_len,
                           uint64_t bytes_max) {
    size_t rows = buffer->rows_used + row_bytes(key_len, record_len);
    return rows / ZN_ROW_PLACE_BYTES <= UINT32_MAX &&
           extend(buffer, &buffer->entries, entries_bytes(buffer->count + 1), bytes_max) &&
           extend(buffer, &buffer->rows, rows, bytes_max);
}

static void force(zn_row_buffer *buffer, zn_pages *pages, size_t needed) {
    size_t bytes = zn_pages_round(needed);
    if (bytes > pages->bytes) {
        zn_memory_force(buffer->memory, bytes - pages->bytes);
        zn_pages_resize(pages, bytes);
    }
}

void zn_row_buffer_force(zn_row_buffer *buffer, size_t key_len, size_t record_len) {
    size_t rows = buffer->rows_used + row_bytes(key_len, record_len);
    ZN_ASSERT(rows / ZN_ROW_PLACE_BYTES <= UINT32_MAX);
    force(buffer, &buffer->entries, entries_bytes(buffer->count + 1));
    force(buffer, &buffer->rows, rows);
}

void zn_row_buffer_add(zn_row_buffer *buffer, zn_bytes tag, zn_bytes key, zn_bytes record) {
    size_t key_len = tag.len + key.len;
    size_t bytes = row_bytes(key_len, record.len);
    ZN_ASSERT(buffer->rows_used + bytes <= buffer->rows.bytes &&
              entries_bytes(buffer->count + 1) <= buffer->entries.bytes);
    uint8_t *row = buffer->rows.data + buffer->rows_used;
    uint32_t lengths[2] = { (uint32_t)key_len, (uint32_t)record.len };
    memcpy(row, lengths, sizeof lengths);
    uint8_t *at = row + sizeof lengths;
    memcpy(at, tag.data, tag.len);
    if (key.len > 0) {
        memcpy(at + tag.len, key.data, key.len);
    }
    memcpy(at + key_len, record.data, record.len);
    zn_row_entry *entries = (void *)buffer->entries.data;
    uint32_t place = (uint32_t)(buffer->rows_used / ZN_ROW_PLACE_BYTES);
    entries[buffer->count++] = zn_row_entry_of((zn_bytes){ at, key_len }, place);
    buffer->rows_used += bytes;
}

void zn_row_buffer_sort(zn_row_buffer *buffer) {
    zn_row_entry *entries = (void *)buffer->entries.data;
    zn_row_sort(entries, buffer->count, entries + buffer->count, buffer->rows.data);
}

void zn_row_buffer_clear(zn_row_buffer *buffer) {
    buffer->rows_used = 0;
    buffer->count = 0;
}

void zn_row_buffer_free(zn_row_buffer *buffer) {
    zn_row_buffer_clear(buffer);
    zn_memory_give(buffer->memory, zn_row_buffer_bytes(buffer));
    zn_pages_resize(&buffer->rows, 0);
    zn_pages_resize(&buffer->entries, 0);
}
