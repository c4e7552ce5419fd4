/* SPDX-License-Identifier: MPL-2.0 */
/* Temporary files: what was written is read, in stretches, and no name is left in the folder. */
#include "rows.h"

#include <signal.h>
#include <sys/resource.h>

#include "base/limits.h"
#include "store/run_file.h"
#include "store/run_stream.h"

static void assert_stretch(zn_run_file *file, zn_stretch stretch, const model *rows, size_t first,
                           size_t end, zn_memory *memory) {
    zn_row_stream stream = zn_run_stream_open(file, stretch, memory);
    zonda_error error = { 0 };
    bool found = true;
    for (size_t i = first; i < end; i++) {
        zn_row row;
        assert_ok(stream.next(stream.context, &row, &found, &error), error);
        assert_true(found);
        assert_row(&rows->rows[i], row.key, row.record);
    }
    zn_row row;
    assert_ok(stream.next(stream.context, &row, &found, &error), error);
    assert_false(found);
    stream.close(stream.context);
}

/* Every key is at least one byte: without one a record is stored alone. */
static model make_keyed(uint64_t seed, size_t count, size_t filling) {
    model rows = make_model(seed, count, 1, filling);
    for (size_t i = 0; i < count; i++) {
        zn_buf_append_byte(&rows.rows[i].key, 1);
    }
    return rows;
}

static void add_rows(zn_run_file *file, const model *rows, size_t first, size_t end) {
    zonda_error error = { 0 };
    for (size_t i = first; i < end; i++) {
        assert_ok(zn_run_file_add(file, zn_buf_bytes(&rows->rows[i].key),
                                  zn_buf_bytes(&rows->rows[i].record), &error),
                  error);
    }
}

/* Small and large stretches, an empty one, read in another order and two at once. */
static void test_run_file_stretches_read_back(void **state) {
    static const size_t ends[] = { 0, 1, 5000, 5000, 12000 };
    zonda_error error = { 0 };
    zn_memory memory = { .limit = UINT64_MAX };
    model rows = make_keyed(7, 12000, 300);
    zn_run_file *file = zn_run_file_new(*state, &error);
    assert_non_null(file);
    assert_int_equal(folder_count(*state), 0);
    zn_stretch runs[5];
    for (size_t i = 1; i < 5; i++) {
        add_rows(file, &rows, ends[i - 1], ends[i]);
        assert_ok(zn_run_file_end(file, &runs[i], &error), error);
    }
    assert_int_equal(runs[3].length, 0);
    assert_true(zn_run_file_block_bytes(file) >= ZN_BLOCK_RAW_BYTES);
    assert_int_equal(zn_run_file_bytes(file), runs[4].offset + runs[4].length);
    zn_row_stream waiting = zn_run_stream_open(file, runs[2], &memory);
    zn_row row;
    bool found = false;
    assert_ok(waiting.next(waiting.context, &row, &found, &error), error);
    for (size_t i = 4; i > 0; i--) {
        assert_stretch(file, runs[i], &rows, ends[i - 1], ends[i], &memory);
    }
    assert_row(&rows.rows[1], row.key, row.record);
    assert_true(memory.used >= ZN_BLOCK_RAW_BYTES);
    waiting.close(waiting.context);
    assert_int_equal(memory.used, 0);
    assert_true(memory.peak < 3 * ZN_BLOCK_RAW_BYTES);
    zn_run_file_destroy(&file);
    free_model(&rows);
}

/* Records without keys are values, one each. */
static void test_run_file_records_without_key_are_values(void **state) {
    zonda_error error = { 0 };
    zn_run_file *file = zn_run_file_new(*state, &error);
    static const uint8_t seven = 7;
    zn_stretch all;
    for (size_t i = 0; i < 3; i++) {
        assert_ok(zn_run_file_add(file, (zn_bytes){ 0 }, (zn_bytes){ &seven, 1 }, &error), error);
    }
    assert_ok(zn_run_file_end(file, &all, &error), error);
    zn_run_reader *reader = zn_run_reader_new(file, all, NULL);
    zn_bytes values;
    uint32_t count = 0;
    assert_ok(zn_run_reader_next(reader, &values, &count, &error), error);
    assert_int_equal(count, 3);
    assert_memory_equal(values.data, "\x07\x07\x07", 3);
    assert_ok(zn_run_reader_next(reader, &values, &count, &error), error);
    assert_int_equal(count, 0);
    zn_run_reader_destroy(&reader);
    zn_run_file_destroy(&file);
}

/* Bytes that no compression makes smaller, behind the head of a record. */
static void fill(uint8_t *record, size_t len, uint64_t *random) {
    for (size_t i = 3; i < len; i++) {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        record[i] = (uint8_t)(*random >> 24);
    }
}

/* Where nothing can be made, a short run is fine, and the first block too many is an error. */
static void test_run_file_short_run_makes_no_file(void **state) {
    zonda_error error = { 0 };
    char *gone = zn_format("%s/gone", (const char *)*state);
    assert_int_equal(mkdir(gone, 0700), 0);
    zn_run_file *file = zn_run_file_new(gone, &error);
    assert_non_null(file);
    assert_int_equal(rmdir(gone), 0);
    static uint8_t noise[4 * ZN_KIB] = { 0xc5, 0x0f, 0xfd }; /* MessagePack: bin 16 */
    uint64_t random = 1;
    fill(noise, sizeof noise, &random);
    for (size_t i = 0; i < 3; i++) {
        zn_stretch run;
        assert_ok(zn_run_file_add(file, (zn_bytes){ 0 }, (zn_bytes){ noise, sizeof noise }, &error),
                  error);
        assert_ok(zn_run_file_end(file, &run, &error), error);
        zn_run_reader *reader = zn_run_reader_new(file, run, NULL);
        zn_bytes values;
        uint32_t count = 0;
        assert_ok(zn_run_reader_next(reader, &values, &count, &error), error);
        assert_int_equal(values.len, sizeof noise);
        assert_memory_equal(values.data, noise, sizeof noise);
        zn_run_reader_destroy(&reader);
    }
    zonda_err code = ZONDA_OK;
    for (size_t i = 0; code == ZONDA_OK && i < 100; i++) {
        fill(noise, sizeof noise, &random);
        code = zn_run_file_add(file, (zn_bytes){ 0 }, (zn_bytes){ noise, sizeof noise }, &error);
    }
    assert_err(code, IO);
    zn_run_file_destroy(&file);
    free(gone);
}

/* Keys and records above their limits are refused, before a block could become too large. */
static void test_run_file_limits(void **state) {
    zonda_error error = { 0 };
    zn_run_file *file = zn_run_file_new(*state, &error);
    static const uint8_t nil = 0xC0;
    uint8_t *key = zn_calloc(1, 3 * ZN_KEY_BYTES_MAX);
    zn_bytes record = { &nil, 1 };
    zn_bytes huge = { &nil, ZN_RECORD_BYTES_MAX + 1 };
    assert_err(zn_run_file_add(file, (zn_bytes){ key, 3 * ZN_KEY_BYTES_MAX }, record, &error),
               LIMIT);
    assert_err(zn_run_file_add(file, (zn_bytes){ key, 1 }, huge, &error), LIMIT);
    assert_ok(zn_run_file_add(file, (zn_bytes){ key, 2 * ZN_KEY_BYTES_MAX }, record, &error),
              error);
    free(key);
    zn_run_file_destroy(&file);
}

/* A folder that is not there, and a disk that is full (a limit on file sizes stands for it). */
static void test_run_file_failures_are_told(void **state) {
    zonda_error error = { 0 };
    assert_null(zn_run_file_new("/nonexistent", &error));
    assert_err(error.code, IO);
    assert_string_equal(error.file, "/nonexistent");

    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = { .rlim_cur = 100000, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    model rows = make_keyed(3, 10000, 200);
    zn_run_file *file = zn_run_file_new(*state, &error);
    zonda_err code = ZONDA_OK;
    for (size_t i = 0; code == ZONDA_OK && i < rows.count; i++) {
        code = zn_run_file_add(file, zn_buf_bytes(&rows.rows[i].key),
                               zn_buf_bytes(&rows.rows[i].record), &error);
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_err(code, DISK_FULL);
    assert_string_equal(error.file, *state);
    zn_run_file_destroy(&file);
    free_model(&rows);
    assert_int_equal(folder_count(*state), 0);
}

/* A place that is no run of the file is CORRUPT, and named. */
static void test_run_file_wrong_stretch_is_corrupt(void **state) {
    static const struct {
        uint64_t offset;
        uint64_t shorter;
    } wrong[] = { { 1, 1 }, { 0, 1 }, { 0, UINT64_MAX }, { 0, UINT64_MAX - 100 } };
    zonda_error error = { 0 };
    model rows = make_keyed(5, 100, 200);
    zn_run_file *file = zn_run_file_new(*state, &error);
    add_rows(file, &rows, 0, rows.count);
    zn_stretch all;
    assert_ok(zn_run_file_end(file, &all, &error), error);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        zn_stretch stretch = { wrong[i].offset, all.length - wrong[i].shorter };
        zn_run_reader *reader = zn_run_reader_new(file, stretch, NULL);
        zn_bytes values;
        uint32_t count = 1;
        zonda_err code = ZONDA_OK;
        while (code == ZONDA_OK && count > 0) {
            code = zn_run_reader_next(reader, &values, &count, &error);
        }
        assert_err(code, CORRUPT);
        assert_non_null(strstr(error.text, *state));
        zn_run_reader_destroy(&reader);
    }
    zn_run_file_destroy(&file);
    free_model(&rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        folder_test(test_run_file_stretches_read_back),
        folder_test(test_run_file_records_without_key_are_values),
        folder_test(test_run_file_short_run_makes_no_file),
        folder_test(test_run_file_limits),
        folder_test(test_run_file_failures_are_told),
        folder_test(test_run_file_wrong_stretch_is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
