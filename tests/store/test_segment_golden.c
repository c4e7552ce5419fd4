/* SPDX-License-Identifier: MPL-2.0 */
/* Segments as this version of the format has always had them: the golden files are read back row by
 * row, and what is written now is the same byte for byte. */
#include "test.h"

#include "folder.h"
#include "golden_segments.h"
#include "record/row.h"
#include "store/block_reader.h"
#include "store/segment_index.h"

static const char name[] = "job1-stage0-golden.seg";

static zn_buf read_golden(golden_kind kind) {
    char *path = zn_format("%s/v1/%s", GOLDEN, golden_segments[kind].file);
    zn_buf out = file_get(path);
    free(path);
    return out;
}

/* Puts the golden file where a worker of this host would have it, and opens a reader. */
static zn_block_reader *open_golden(zn_fetcher *fetcher, const char *folder, zn_stretch at) {
    zonda_error error = { 0 };
    zn_place place = { .endpoint = "inproc://nobody",
                       .folder = folder,
                       .segment = zn_bytes_of_text(name) };
    zn_block_reader *reader = zn_block_reader_open(fetcher, &place, at, NULL, &error);
    if (reader == NULL) {
        fail_msg("%s", error.text);
    }
    return reader;
}

/* Reads a stretch of rows or records and compares them with those from `*next` on; returns how many
 * blocks there were. */
static size_t assert_rows(zn_fetcher *fetcher, const char *folder, golden_kind kind, zn_stretch at,
                          uint32_t partition, uint32_t *next) {
    zn_block_reader *reader = open_golden(fetcher, folder, at);
    zn_buf key = { 0 };
    zn_buf record = { 0 };
    uint32_t count = 1;
    size_t blocks = 0;
    for (; count > 0; blocks++) {
        zonda_error error = { 0 };
        zn_bytes values = { 0 };
        assert_ok(zn_block_reader_next(reader, &values, &count, &error), error);
        for (zn_cursor cursor = zn_cursor_of(values); count > 0 && cursor.at < cursor.end;) {
            assert_int_equal(golden_row(kind, (*next)++, &key, &record), partition);
            zn_row row = { zn_buf_bytes(&key), { 0 } };
            if (golden_segments[kind].indexed) {
                assert_true(zn_row_take(&cursor, &row));
            } else {
                row.record = zn_cursor_skip(&cursor);
            }
            assert_true(zn_bytes_equal(row.key, zn_buf_bytes(&key)));
            assert_true(zn_bytes_equal(row.record, zn_buf_bytes(&record)));
        }
    }
    zn_buf_free(&key);
    zn_buf_free(&record);
    zn_block_reader_close(&reader);
    return blocks - 1;
}

/* Samples of an entry name the key of their first row. */
static void assert_samples(golden_kind kind, const zn_index_entry *entry, uint32_t next) {
    zn_buf key = { 0 };
    zn_buf record = { 0 };
    assert_int_equal(entry->sample_count > 0, golden_segments[kind].index == ZN_INDEX_SAMPLES);
    for (size_t i = 0; i < entry->sample_count; i++) {
        golden_row(kind, next, &key, &record);
        assert_true(zn_bytes_equal(entry->samples[i].key, zn_buf_bytes(&key)));
        next += (uint32_t)entry->samples[i].rows;
    }
    zn_buf_free(&key);
    zn_buf_free(&record);
}

static void assert_indexed(zn_fetcher *fetcher, const char *folder, golden_kind kind,
                           uint32_t *next) {
    zn_block_reader *reader = open_golden(fetcher, folder, golden_segments[kind].result);
    zn_index_reader *index = zn_index_reader_new();
    uint32_t count = 1;
    while (count > 0) {
        zonda_error error = { 0 };
        zn_bytes values = { 0 };
        zn_index_entry entry;
        bool found = false;
        assert_ok(zn_block_reader_next(reader, &values, &count, &error), error);
        assert_ok(zn_index_reader_take(index, &values, &entry, &found, &error), error);
        while (found) {
            uint32_t before = *next;
            assert_samples(kind, &entry, before);
            assert_true(assert_rows(fetcher, folder, kind, entry.stretch, entry.partition, next) >
                        0);
            assert_int_equal(*next - before, entry.rows);
            assert_ok(zn_index_reader_take(index, &values, &entry, &found, &error), error);
        }
    }
    zn_index_reader_destroy(&index);
    zn_block_reader_close(&reader);
}

static void test_segment_golden_files_are_read(void **state) {
    char *path = zn_format("%s/%s", (char *)*state, name);
    zn_fetcher *fetcher = zn_fetcher_new(1000);
    for (golden_kind kind = 0; kind < GOLDEN_KINDS; kind++) {
        zn_buf golden = read_golden(kind);
        file_put(path, zn_buf_bytes(&golden));
        uint32_t next = 0;
        if (golden_segments[kind].indexed) {
            assert_indexed(fetcher, *state, kind, &next);
        } else {
            assert_int_equal(golden_segments[kind].result.length, golden.len);
            size_t blocks =
                assert_rows(fetcher, *state, kind, golden_segments[kind].result, 0, &next);
            assert_int_equal(blocks, kind == GOLDEN_COMPRESSED ? 2 : 1);
        }
        assert_int_equal(next, golden_segments[kind].rows);
        zn_buf_free(&golden);
    }
    zn_fetcher_destroy(&fetcher);
    free(path);
}

/* Compressed bytes may differ from version to version of the library, all others may not. */
static void test_segment_golden_files_are_written(void **state) {
    for (golden_kind kind = 0; kind < GOLDEN_KINDS; kind++) {
        zonda_error error = { 0 };
        zn_stretch result = { 0 };
        char *written = golden_write_segment(kind, *state, &result, &error);
        assert_non_null(written);
        assert_string_equal(written, name);
        char *path = zn_format("%s/%s", (char *)*state, written);
        if (kind != GOLDEN_COMPRESSED) {
            zn_buf golden = read_golden(kind);
            zn_buf ours = file_get(path);
            assert_int_equal(ours.len, golden.len);
            assert_memory_equal(ours.data, golden.data, golden.len);
            assert_int_equal(result.offset, golden_segments[kind].result.offset);
            assert_int_equal(result.length, golden_segments[kind].result.length);
            zn_buf_free(&golden);
            zn_buf_free(&ours);
        }
        assert_int_equal(unlink(path), 0);
        free(path);
        free(written);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        folder_test(test_segment_golden_files_are_read),
        folder_test(test_segment_golden_files_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
