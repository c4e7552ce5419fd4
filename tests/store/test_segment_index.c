/* SPDX-License-Identifier: MPL-2.0 */
/* Indexed results: every row is where the index says, in every kind of index; samples add up; the
 * largest partitions are known; what is no entry is refused. */
#include "test.h"

#include "base/limits.h"
#include "folder.h"
#include "record/row.h"
#include "store/block.h"
#include "store/segment.h"
#include "store/segment_index.h"

enum {
    ENTRIES_MAX = 4096,
    ROW_BYTES_MAX = 2000
};

typedef struct index_copy {
    zn_index_entry entries[ENTRIES_MAX];
    size_t count;
    uint64_t rows;
    uint64_t bytes;
} index_copy;

static zn_segment *new_segment(const char *scratch) {
    return zn_segment_new(scratch, (zn_job_id){ 3 }, (zn_stage_id){ 1 }, "slot1");
}

/* Row i: a key of its number, a binary of `size` bytes that do not compress well. */
static void make_row(uint32_t i, size_t size, uint8_t key[4], zn_buf *record) {
    for (size_t byte = 0; byte < 4; byte++) {
        key[byte] = (uint8_t)(i >> (24 - 8 * byte));
    }
    zn_buf noise = { 0 };
    fill_noise(&noise, size, i);
    zn_buf_reset(record, SIZE_MAX);
    zn_put_binary(record, zn_buf_bytes(&noise));
    zn_buf_free(&noise);
}

static zonda_err add_row(zn_segment *segment, uint32_t partition, uint32_t i, size_t size) {
    uint8_t key[4];
    zn_buf record = { 0 };
    zonda_error error = { 0 };
    make_row(i, size, key, &record);
    zonda_err code =
        zn_segment_add_row(segment, partition, (zn_bytes){ key, 4 }, zn_buf_bytes(&record), &error);
    zn_buf_free(&record);
    return code;
}

static zn_stretch finish(zn_segment *segment, zn_segment_totals *totals) {
    zn_stretch index = { 0 };
    zonda_error error = { 0 };
    assert_ok(zn_segment_finish_indexed(segment, &index.offset, &index.length, totals, &error),
              error);
    return index;
}

/* All values of the blocks in a stretch; an empty one needs no file. */
static zn_buf read_values(const char *scratch, const zn_segment *segment, zn_stretch at) {
    if (at.length == 0) {
        return (zn_buf){ 0 };
    }
    uint8_t *bytes = malloc(at.length + 1);
    size_t got = 0;
    zonda_error error = { 0 };
    assert_ok(zn_segment_read_at(scratch, zn_bytes_of_text(zn_segment_name(segment)), at.offset,
                                 bytes, at.length, &got, &error),
              error);
    assert_int_equal(got, at.length);
    zn_block_codec *codec = zn_block_codec_new();
    zn_buf values = { 0 };
    for (zn_bytes rest = { bytes, got }; rest.len > 0;) {
        zn_bytes part;
        uint32_t count = 0;
        size_t used = 0;
        size_t need = 0;
        assert_ok(zn_block_unpack(codec, rest, &part, &count, &used, &need, &error), error);
        zn_buf_append(&values, part.data, part.len);
        rest = (zn_bytes){ rest.data + used, rest.len - used };
    }
    zn_block_codec_destroy(&codec);
    free(bytes);
    return values;
}

/* Reads the index and adds up; samples are checked against their entries and not kept. */
static index_copy *read_index(const char *scratch, const zn_segment *segment, zn_stretch at) {
    index_copy *copy = calloc(1, sizeof *copy);
    zn_buf values = read_values(scratch, segment, at);
    zn_bytes rest = zn_buf_bytes(&values);
    zn_index_reader *reader = zn_index_reader_new();
    bool found = true;
    for (;;) {
        zonda_error error = { 0 };
        zn_index_entry *entry = &copy->entries[copy->count];
        assert_ok(zn_index_reader_take(reader, &rest, entry, &found, &error), error);
        if (!found) {
            break;
        }
        copy->rows += entry->rows;
        copy->bytes += entry->bytes;
        entry->samples = NULL;
        copy->count++;
        assert_true(copy->count < ENTRIES_MAX);
    }
    zn_index_reader_destroy(&reader);
    zn_buf_free(&values);
    return copy;
}

/* The rows of an entry are the ones from `*next` on; moves it behind them. */
static void assert_rows(const char *scratch, const zn_segment *segment, const zn_index_entry *entry,
                        uint32_t *next) {
    zn_buf values = read_values(scratch, segment, entry->stretch);
    assert_int_equal(values.len, entry->bytes);
    zn_cursor cursor = zn_cursor_of(zn_buf_bytes(&values));
    uint64_t rows = 0;
    for (zn_row row; zn_row_take(&cursor, &row); rows++, ++*next) {
        uint8_t key[4];
        zn_buf record = { 0 };
        make_row(*next, zn_value_head(row.record).bytes.len, key, &record);
        assert_int_equal(row.key.len, 4);
        assert_memory_equal(row.key.data, key, 4);
        assert_true(zn_bytes_equal(row.record, zn_buf_bytes(&record)));
        zn_buf_free(&record);
    }
    assert_int_equal(rows, entry->rows);
    zn_buf_free(&values);
}

/* Partitions small, large (several blocks) and without rows: an entry for each with rows, and the
 * rows of each where it says. Results without an index may lie between. */
static void test_segment_index_has_an_entry_per_partition(void **state) {
    static const uint32_t rows_of[] = { 3, 0, 1500, 1, 0, 0, 700, 2 };
    zn_segment *segment = new_segment(*state);
    for (int round = 0; round < 3; round++) {
        zonda_error error = { 0 };
        uint64_t offset = 0;
        uint64_t length = 0;
        assert_ok(zn_segment_start(segment, &error), error);
        assert_ok(zn_segment_add(segment, zn_bytes_of_text("\xA1x"), &error), error);
        assert_ok(zn_segment_finish(segment, &offset, &length, &error), error);
        assert_ok(zn_segment_start_indexed(segment, ZN_INDEX_PARTITIONS, &error), error);
        uint32_t next = 0;
        for (uint32_t part = 0; part < 8; part++) {
            for (uint32_t i = 0; i < rows_of[part]; i++) {
                assert_int_equal(add_row(segment, part, next++, 500), ZONDA_OK);
            }
        }
        zn_segment_totals totals;
        zn_stretch at = finish(segment, &totals);
        index_copy *index = read_index(*state, segment, at);
        assert_int_equal(index->count, 5);
        assert_int_equal(index->entries[0].stretch.offset, offset + length);
        uint32_t seen = 0;
        for (size_t i = 0; i < index->count; i++) {
            const zn_index_entry *entry = &index->entries[i];
            assert_int_equal(entry->rows, rows_of[entry->partition]);
            assert_int_equal(entry->sample_count, 0);
            assert_rows(*state, segment, entry, &seen);
        }
        assert_int_equal(seen, next);
        assert_int_equal(totals.rows, index->rows);
        assert_int_equal(totals.bytes, index->bytes);
        free(index);
    }
    zn_segment_destroy(&segment);
}

/* An entry per block, in order, blocks behind each other up to the index. */
static void test_segment_index_has_an_entry_per_block(void **state) {
    zn_segment *segment = new_segment(*state);
    zonda_error error = { 0 };
    assert_ok(zn_segment_start_indexed(segment, ZN_INDEX_BLOCKS, &error), error);
    for (uint32_t i = 0; i < 5000; i++) {
        assert_int_equal(add_row(segment, 0, i, i % ROW_BYTES_MAX), ZONDA_OK);
    }
    zn_segment_totals totals;
    zn_stretch at = finish(segment, &totals);
    index_copy *index = read_index(*state, segment, at);
    assert_true(index->count > totals.bytes / (ZN_BLOCK_RAW_BYTES + ROW_BYTES_MAX + 10));
    uint32_t seen = 0;
    uint64_t end = 0;
    for (size_t i = 0; i < index->count; i++) {
        assert_int_equal(index->entries[i].stretch.offset, end);
        assert_rows(*state, segment, &index->entries[i], &seen);
        end += index->entries[i].stretch.length;
    }
    assert_int_equal(end, at.offset);
    assert_int_equal(seen, 5000);
    free(index);
    zn_segment_destroy(&segment);
}

/* Samples of an entry: the first is of its first row, the last of its last row, and each says how
 * many rows follow. Walks
 * the entries with samples; returns how many samples there are. */
static size_t assert_samples(const char *scratch, const zn_segment *segment, zn_stretch at,
                             uint64_t bytes_max, size_t first_rows) {
    zn_buf values = read_values(scratch, segment, at);
    zn_bytes rest = zn_buf_bytes(&values);
    zn_index_reader *reader = zn_index_reader_new();
    size_t samples = 0;
    uint32_t row = 0;
    for (bool found = true;;) {
        zn_index_entry entry;
        zonda_error error = { 0 };
        assert_ok(zn_index_reader_take(reader, &rest, &entry, &found, &error), error);
        if (!found) {
            break;
        }
        assert_true(entry.sample_count > 0);
        for (size_t i = 0; i < entry.sample_count; i++, samples++) {
            const zn_index_sample *sample = &entry.samples[i];
            const uint8_t key[] = { (uint8_t)(row >> 24), (uint8_t)(row >> 16), (uint8_t)(row >> 8),
                                    (uint8_t)row };
            assert_int_equal(sample->key.len, 4);
            assert_memory_equal(sample->key.data, key, 4);
            assert_true(sample->bytes <= bytes_max);
            assert_true(samples >= first_rows || sample->rows == 1);
            row += (uint32_t)sample->rows;
        }
        assert_int_equal(entry.samples[entry.sample_count - 1].rows, 1);
    }
    zn_index_reader_destroy(&reader);
    zn_buf_free(&values);
    return samples;
}

static void test_segment_index_samples_describe_all_rows(void **state) {
    static const struct {
        uint32_t rows;
        size_t size;
        size_t samples_min;
        size_t samples_max;
    } rows[] = { { 0, 100, 0, 0 },      { 1, 100, 1, 1 },        { 31, 100, 31, 31 },
                 { 200, 10, 33, 33 },   { 10000, 100, 80, 200 }, { 300, 20000, 300, 300 },
                 { 50, 300000, 50, 50 } };
    zn_segment *segment = new_segment(*state);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        zonda_error error = { 0 };
        assert_ok(zn_segment_start_indexed(segment, ZN_INDEX_SAMPLES, &error), error);
        for (uint32_t row = 0; row < rows[i].rows; row++) {
            assert_int_equal(add_row(segment, 0, row, rows[i].size), ZONDA_OK);
        }
        zn_segment_totals totals;
        zn_stretch at = finish(segment, &totals);
        assert_int_equal(totals.rows, rows[i].rows);
        size_t first = rows[i].rows < 31 ? rows[i].rows : 31;
        size_t samples =
            assert_samples(*state, segment, at, 16 * ZN_KIB + rows[i].size + 10, first);
        assert_true(samples >= rows[i].samples_min);
        assert_true(samples <= rows[i].samples_max);
    }
    zn_segment_destroy(&segment);
}

/* Blocks of a result that will be cut into ranges are small as long as it is small. */
static void test_segment_blocks_to_be_cut_grow(void **state) {
    zn_segment *segment = new_segment(*state);
    zonda_error error = { 0 };
    assert_ok(zn_segment_start_indexed(segment, ZN_INDEX_SAMPLES, &error), error);
    for (uint32_t i = 0; i < 20000; i++) {
        assert_int_equal(add_row(segment, 0, i, 1000), ZONDA_OK);
    }
    zn_segment_totals totals;
    index_copy *copy = read_index(*state, segment, finish(segment, &totals));
    assert_true(copy->entries[0].bytes >= 16 * ZN_KIB);
    assert_true(copy->entries[0].bytes < 18 * ZN_KIB);
    for (size_t i = 1; i + 1 < copy->count; i++) {
        assert_true(copy->entries[i].bytes + 2000 >= copy->entries[i - 1].bytes);
    }
    assert_true(copy->entries[copy->count - 2].bytes >= ZN_BLOCK_RAW_BYTES);
    free(copy);
    zn_segment_destroy(&segment);
}

/* Of a large result samples are taken more rarely, and long keys are cut, so the index stays small
 * whatever the rows are. */
static void test_segment_index_of_a_large_result_stays_small(void **state) {
    (void)state;
    enum {
        BLOCK_ROWS = 64,
        KEY_BYTES = 4096
    };
    static const uint8_t key[KEY_BYTES];
    zn_index_builder *builder = zn_index_builder_new();
    zn_index_builder_start(builder, ZN_INDEX_SAMPLES);
    uint64_t offset = 0;
    for (uint32_t block = 0; block < 16384; block++) { /* 4 GiB */
        for (uint32_t row = 0; row < BLOCK_ROWS; row++) {
            zn_index_builder_add_row(builder, 0, (zn_bytes){ key, KEY_BYTES }, KEY_BYTES);
        }
        zn_index_builder_add_block(builder, (zn_stretch){ offset, 1000 });
        offset += 1000;
    }
    zn_bytes entries = zn_index_builder_finish(builder);
    assert_true(entries.len / ZN_SAMPLE_KEY_BYTES_MAX < 4 * 4096 + 2 * 16384 + 1024);
    zn_index_builder_destroy(&builder);
}

/* More partitions than are remembered, with equal ones. */
static void test_segment_largest_partitions_are_ranked(void **state) {
    zn_segment *segment = new_segment(*state);
    uint32_t partitions[64];
    uint64_t bytes[64];
    assert_int_equal(zn_segment_largest(segment, partitions, bytes, 64), 0);
    for (int round = 0; round < 2; round++) {
        zonda_error error = { 0 };
        assert_ok(zn_segment_start_indexed(segment, ZN_INDEX_PARTITIONS, &error), error);
        for (uint32_t part = 0; part < 100; part++) {
            for (uint32_t i = 0; i <= part * 37 % 50; i++) {
                assert_int_equal(add_row(segment, part, i, 100), ZONDA_OK);
            }
        }
        zn_segment_totals totals;
        finish(segment, &totals);
        size_t count = zn_segment_largest(segment, partitions, bytes, 64);
        assert_int_equal(count, ZN_OUTCOME_PARTS_MAX);
        for (size_t i = 0; i < count; i++) {
            /* Two partitions of each size, 50 rows down; the smaller number first. */
            assert_int_equal(bytes[i], (50 - i / 2) * (102 + 6));
            assert_int_equal(partitions[i] * 37 % 50, 49 - i / 2);
            assert_true(i % 2 == 0 || partitions[i] == partitions[i - 1] + 50);
        }
        assert_int_equal(zn_segment_largest(segment, partitions, bytes, 3), 3);
    }
    zn_segment_destroy(&segment);
}

/* What was begun and not finished leaves no trace, neither in the file nor in the index. */
static void test_segment_unfinished_indexed_result_is_cut_off(void **state) {
    zn_segment *segment = new_segment(*state);
    char *path = zn_format("%s/%s", (char *)*state, zn_segment_name(segment));
    zn_buf files[2] = { 0 };
    for (int round = 0; round < 2; round++) {
        zonda_error error = { 0 };
        for (uint32_t tries = 0; tries < 3; tries++) {
            assert_ok(zn_segment_start_indexed(segment, ZN_INDEX_SAMPLES, &error), error);
            for (uint32_t i = 0; i < tries * 1500 && round == 1; i++) {
                assert_int_equal(add_row(segment, i / 1000, i + 7, 300), ZONDA_OK);
            }
        }
        assert_ok(zn_segment_start_indexed(segment, ZN_INDEX_SAMPLES, &error), error);
        for (uint32_t i = 0; i < 2000; i++) {
            assert_int_equal(add_row(segment, i / 900, i, 300), ZONDA_OK);
        }
        zn_segment_totals totals;
        finish(segment, &totals);
        assert_int_equal(totals.rows, 2000);
        files[round] = file_get(path);
        assert_int_equal(unlink(path), 0);
        zn_segment_destroy(&segment);
        segment = new_segment(*state);
    }
    assert_true(zn_bytes_equal(zn_buf_bytes(&files[0]), zn_buf_bytes(&files[1])));
    zn_buf_free(&files[0]);
    zn_buf_free(&files[1]);
    zn_segment_destroy(&segment);
    free(path);
}

/* No rows: no index, no file. */
static void test_segment_indexed_result_without_rows_is_empty(void **state) {
    zn_segment *segment = new_segment(*state);
    zonda_error error = { 0 };
    assert_ok(zn_segment_start_indexed(segment, ZN_INDEX_PARTITIONS, &error), error);
    zn_segment_totals totals = { 9, 9 };
    zn_stretch at = finish(segment, &totals);
    uint32_t partition = 0;
    uint64_t bytes = 0;
    assert_int_equal(at.length, 0);
    assert_int_equal(totals.rows, 0);
    assert_int_equal(totals.bytes, 0);
    assert_int_equal(zn_segment_largest(segment, &partition, &bytes, 1), 0);
    assert_int_equal(folder_count(*state), 0);
    zn_segment_destroy(&segment);
}

/* The border of what a block can hold, found without having that much. */
static void test_segment_huge_row_is_limit(void **state) {
    zn_segment *segment = new_segment(*state);
    zonda_error error = { 0 };
    static const uint8_t byte = 0;
    assert_ok(zn_segment_start_indexed(segment, ZN_INDEX_PARTITIONS, &error), error);
    assert_err(zn_segment_add_row(segment, 0, (zn_bytes){ &byte, 1 },
                                  (zn_bytes){ &byte, ZN_RECORD_BYTES_MAX + 1 }, &error),
               LIMIT);
    assert_err(zn_segment_add_row(segment, 0,
                                  (zn_bytes){ &byte, ZN_BLOCK_BYTES_MAX - ZN_RECORD_BYTES_MAX },
                                  (zn_bytes){ &byte, ZN_RECORD_BYTES_MAX }, &error),
               LIMIT);
    assert_int_equal(add_row(segment, 0, 1, 10), ZONDA_OK);
    zn_segment_totals totals;
    finish(segment, &totals);
    assert_int_equal(totals.rows, 1);
    zn_segment_destroy(&segment);
}

/* Values that are no entries, or entries that cannot be true. */
static void test_index_reader_refuses_table(void **state) {
    (void)state;
    static const struct {
        const char *value;
        size_t len;
    } rows[] = {
        { "\x01", 1 },                             /* no array */
        { "\x95\x00\x00\x09\x01\x05", 6 },         /* five values */
        { "\x97\x00\x00\x09\x01\x05\x90\x00", 8 }, /* seven */
        { "\x96\xFF\x00\x09\x01\x05\x90", 7 },     /* negative partition */
        { "\x96\xCF\x00\x00\x00\x01\x00\x00\x00\x00\x00\x09\x01\x05\x90", 15 }, /* 2^32 */
        { "\x96\x00\xCF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x09\x01\x05\x90", 15 }, /* offset */
        { "\x96\x00\xCF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x09\x01\x05\x90", 15 }, /* its end */
        { "\x96\x00\x00\x00\x01\x05\x90", 7 },                                  /* length 0 */
        { "\x96\x00\x00\x09\x00\x05\x90", 7 },                                  /* no rows */
        { "\x96\x00\x00\x09\x06\x05\x90", 7 },                       /* more rows than bytes */
        { "\x96\x00\x00\x09\xA1x\x05\x90", 8 },                      /* rows are a text */
        { "\x96\x00\x00\x09\x01\x05\x80", 7 },                       /* samples are a map */
        { "\x96\x00\x00\x09\x01\x05\x91\x01", 8 },                   /* a sample is none */
        { "\x96\x00\x00\x09\x01\x05\x91\x92\xC4\x00\x01", 11 },      /* of two values */
        { "\x96\x00\x00\x09\x01\x05\x91\x93\xA1x\x01\x05", 12 },     /* key is a text */
        { "\x96\x00\x00\x09\x01\x05\x91\x93\xC4\x01k\x00\x05", 13 }, /* of no rows */
        { "\x96\x00\x00\x09\x01\x05\x91\x93\xC4\x01k\x02\x05", 13 }, /* of too many */
        { "\x96\x00\x00\x09\x01\x05\x91\x93\xC4\x01k\x01\x04", 13 }, /* bytes do not add up */
        { "\x96\x00\x00\x09\x01\x05\x91\x93\xC4\x01k\x01\x06", 13 },
        { "\x96\x00\x00\x09\x03\x05\x91\x93\xC4\x01k\x02\x05", 13 }, /* rows do not add up */
        { "\x96\x00\x00\x09\x01\x05\x92\x93\xC4\x01k\x01\x02\x93\xC4\x01k\x01\x03", 19 },
    };
    zn_index_reader *reader = zn_index_reader_new();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        zn_bytes values = { (const uint8_t *)rows[i].value, rows[i].len };
        zn_index_entry entry;
        bool found = true;
        zonda_error error = { 0 };
        assert_ok(zn_value_check(values, &error), error);
        if (zn_index_reader_take(reader, &values, &entry, &found, &error) != ZONDA_ERR_CORRUPT) {
            fail_msg("row %zu", i);
        }
        assert_false(found);
        assert_int_equal(values.len, rows[i].len);
    }
    zn_index_reader_destroy(&reader);
}

/* Entries with and without samples, there and back. */
static void test_index_entry_round_trip_is_equal(void **state) {
    (void)state;
    const zn_index_sample samples[] = { { zn_bytes_of_text("a"), 1, 5 },
                                        { zn_bytes_of_text(""), 69, UINT32_MAX } };
    const zn_index_entry entries[] = {
        { 0, { 0, 33 }, 1, 2, NULL, 0 },
        { UINT32_MAX, { INT64_MAX - 1, 1 }, INT64_MAX, INT64_MAX, NULL, 0 },
        { 7, { 1ul << 40, 1ul << 41 }, 70, 5ul + UINT32_MAX, samples, 2 },
    };
    zn_buf values = { 0 };
    for (size_t i = 0; i < 3; i++) {
        zn_index_entry_put(&values, &entries[i]);
    }
    zn_index_reader *reader = zn_index_reader_new();
    zn_bytes rest = zn_buf_bytes(&values);
    zn_index_entry entry;
    bool found = false;
    zonda_error error = { 0 };
    for (size_t i = 0; i < 3; i++) {
        assert_ok(zn_index_reader_take(reader, &rest, &entry, &found, &error), error);
        assert_true(found);
        assert_int_equal(entry.partition, entries[i].partition);
        assert_int_equal(entry.stretch.offset, entries[i].stretch.offset);
        assert_int_equal(entry.stretch.length, entries[i].stretch.length);
        assert_int_equal(entry.rows, entries[i].rows);
        assert_int_equal(entry.bytes, entries[i].bytes);
        assert_int_equal(entry.sample_count, entries[i].sample_count);
    }
    assert_true(zn_bytes_equal(entry.samples[0].key, samples[0].key));
    assert_int_equal(entry.samples[1].key.len, 0);
    assert_int_equal(entry.samples[1].bytes, UINT32_MAX);
    assert_ok(zn_index_reader_take(reader, &rest, &entry, &found, &error), error);
    assert_false(found);
    zn_index_reader_destroy(&reader);
    zn_buf_free(&values);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        folder_test(test_segment_index_has_an_entry_per_partition),
        folder_test(test_segment_index_has_an_entry_per_block),
        folder_test(test_segment_index_samples_describe_all_rows),
        folder_test(test_segment_blocks_to_be_cut_grow),
        cmocka_unit_test(test_segment_index_of_a_large_result_stays_small),
        folder_test(test_segment_largest_partitions_are_ranked),
        folder_test(test_segment_unfinished_indexed_result_is_cut_off),
        folder_test(test_segment_indexed_result_without_rows_is_empty),
        folder_test(test_segment_huge_row_is_limit),
        cmocka_unit_test(test_index_reader_refuses_table),
        cmocka_unit_test(test_index_entry_round_trip_is_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
