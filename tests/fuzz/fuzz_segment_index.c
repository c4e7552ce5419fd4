/* SPDX-License-Identifier: MPL-2.0 */
/* Any checked values as entries of an index. What the reader takes for an entry must be one that
 * can be true, and must be the same when it is written and read again. */
#include <stdlib.h>

#include "record/value.h"
#include "store/segment_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good) {
    if (!good) {
        abort();
    }
}

static void check_entry(const zn_index_entry *entry) {
    uint64_t rows = 0;
    uint64_t bytes = 0;
    check(entry->stretch.length > 0 && entry->rows > 0 && entry->bytes >= entry->rows);
    check(entry->stretch.offset <= INT64_MAX - entry->stretch.length);
    for (size_t i = 0; i < entry->sample_count; i++) {
        check(entry->samples[i].rows > 0);
        check(entry->samples[i].key.len <= ZN_SAMPLE_KEY_BYTES_MAX);
        rows += entry->samples[i].rows;
        bytes += entry->samples[i].bytes;
    }
    check(entry->sample_count == 0 || (rows == entry->rows && bytes == entry->bytes));
}

static void check_again(const zn_index_entry *entry) {
    zn_buf written = { 0 };
    zn_index_reader *reader = zn_index_reader_new();
    zn_index_entry back;
    bool found = false;
    zonda_error error = { 0 };
    zn_index_entry_put(&written, entry);
    zn_bytes values = zn_buf_bytes(&written);
    check(zn_value_check(values, &error) == ZONDA_OK);
    check(zn_index_reader_take(reader, &values, &back, &found, &error) == ZONDA_OK && found);
    check(values.len == 0 && back.partition == entry->partition && back.rows == entry->rows);
    check(back.sample_count == entry->sample_count);
    zn_index_reader_destroy(&reader);
    zn_buf_free(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    zn_bytes values = { data, size };
    zonda_error error = { 0 };
    if (zn_value_check(values, &error) != ZONDA_OK) {
        return 0;
    }
    zn_index_reader *reader = zn_index_reader_new();
    zn_index_entry entry;
    bool found = true;
    zonda_err code = ZONDA_OK;
    while (code == ZONDA_OK && found) {
        code = zn_index_reader_take(reader, &values, &entry, &found, &error);
        if (code == ZONDA_OK && found) {
            check_entry(&entry);
            check_again(&entry);
        }
    }
    check(code == ZONDA_OK || code == ZONDA_ERR_CORRUPT);
    zn_index_reader_destroy(&reader);
    return 0;
}
