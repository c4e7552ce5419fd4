/* SPDX-License-Identifier: MPL-2.0 */
/* Streams: what goes in comes out, in every format and cut into pieces of any size; damage and
 * truncation are errors that name the file; what is written depends on the content alone. */
#include "test.h"

#include "packed.h"

#include <errno.h>

static zn_buf sample(size_t len) {
    zn_buf out = { 0 };
    fill_noise(&out, len / 2, len + 1);
    while (out.len < len) {
        zn_buf_append_text(&out, "and some words that repeat and repeat, ");
    }
    out.len = len;
    return out;
}

/* Content of any size survives writing and reading in pieces that fit nothing. */
static void test_stream_round_trip_is_equal(void **state) {
    static const size_t sizes[] = { 0, 1, 1000, 262143, 262144, 262145, 1500000 };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t kind = 0; kind < PACKED_SUFFIXES; kind++) {
            if (!zn_compression_available((zn_compression)kind)) {
                continue;
            }
            char *path = zn_format("%s/%zu-%zu%s", (char *)*state, i, kind, packed_suffixes[kind]);
            zn_buf content = sample(sizes[i]);
            packed_append(path, zn_buf_bytes(&content), 77777);
            zn_buf back = { 0 };
            zonda_error error = { 0 };
            assert_ok(packed_read(path, 10007, &back, &error), error);
            assert_true(zn_bytes_equal(zn_buf_bytes(&content), zn_buf_bytes(&back)));
            zn_buf_free(&content);
            zn_buf_free(&back);
            free(path);
        }
    }
}

/* Several members or frames in one file read as one content. */
static void test_stream_several_members_are_concatenated(void **state) {
    for (size_t kind = 0; kind < PACKED_SUFFIXES; kind++) {
        if (!zn_compression_available((zn_compression)kind)) {
            continue;
        }
        char *path = zn_format("%s/members%s", (char *)*state, packed_suffixes[kind]);
        packed_append(path, zn_bytes_of_text("first "), 100);
        packed_append(path, zn_bytes_of_text(""), 100);
        packed_append(path, zn_bytes_of_text("second"), 100);
        zn_buf back = { 0 };
        zonda_error error = { 0 };
        assert_ok(packed_read(path, 4, &back, &error), error);
        assert_int_equal(back.len, 12);
        assert_memory_equal(back.data, "first second", 12);
        zn_buf_free(&back);
        free(path);
    }
}

/* Zero bytes behind the last gzip member are padding; anything else is damage. */
static void test_stream_gzip_trailer_is_checked(void **state) {
    if (!zn_compression_available(ZN_COMPRESSION_GZIP)) {
        skip();
    }
    char *path = zn_format("%s/padded.gz", (char *)*state);
    packed_append(path, zn_bytes_of_text("text"), 100);
    FILE *file = fopen(path, "ab");
    fwrite("\0\0\0\0", 1, 4, file);
    fclose(file);
    zn_buf back = { 0 };
    zonda_error error = { 0 };
    assert_ok(packed_read(path, 100, &back, &error), error);
    assert_int_equal(back.len, 4);
    file = fopen(path, "ab");
    fwrite("junk", 1, 4, file);
    fclose(file);
    assert_err(packed_read(path, 100, &back, &error), CORRUPT);
    zn_buf_free(&back);
    free(path);
}

/* A compressed file that is cut anywhere is CORRUPT and names the file, never a shorter content. */
static void test_stream_truncated_is_corrupt(void **state) {
    for (size_t kind = 1; kind < PACKED_SUFFIXES; kind++) {
        if (!zn_compression_available((zn_compression)kind)) {
            continue;
        }
        char *path = zn_format("%s/whole%s", (char *)*state, packed_suffixes[kind]);
        char *cut = zn_format("%s/cut%s", (char *)*state, packed_suffixes[kind]);
        zn_buf content = sample(700);
        packed_append(path, zn_buf_bytes(&content), 1000);
        zn_buf stored = file_get(path);
        /* An xz decoder begins with megabytes of memory: a part of the lengths will do. */
        size_t step = kind == ZN_COMPRESSION_XZ ? 11 : 1;
        for (size_t len = 0; len < stored.len; len += step) {
            file_put(cut, (zn_bytes){ stored.data, len });
            zn_buf back = { 0 };
            zonda_error error = { 0 };
            assert_err(packed_read(cut, 1000, &back, &error), CORRUPT);
            assert_string_equal(error.file, cut);
            assert_non_null(strstr(error.text, "truncated"));
            zn_buf_free(&back);
        }
        zn_buf_free(&stored);
        zn_buf_free(&content);
        free(cut);
        free(path);
    }
}

/* A flipped bit gives an error or, in a part without meaning (header), the same content. */
static void test_stream_flipped_bits_never_change_content(void **state) {
    for (size_t kind = 1; kind < PACKED_SUFFIXES; kind++) {
        if (!zn_compression_available((zn_compression)kind)) {
            continue;
        }
        char *path = zn_format("%s/bits%s", (char *)*state, packed_suffixes[kind]);
        zn_buf content = sample(500);
        packed_append(path, zn_buf_bytes(&content), 1000);
        zn_buf stored = file_get(path);
        size_t errors = 0;
        size_t tries = 0;
        size_t step = kind == ZN_COMPRESSION_XZ ? 37 : 1;
        for (size_t bit = 0; bit < stored.len * 8; bit += step, tries++) {
            stored.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            file_put(path, zn_buf_bytes(&stored));
            zn_buf back = { 0 };
            zonda_error error = { 0 };
            if (packed_read(path, 1000, &back, &error) != ZONDA_OK) {
                errors++;
            } else {
                assert_true(zn_bytes_equal(zn_buf_bytes(&content), zn_buf_bytes(&back)));
            }
            stored.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            zn_buf_free(&back);
        }
        assert_true(errors > tries * 8 / 10);
        zn_buf_free(&stored);
        zn_buf_free(&content);
        free(path);
    }
}

/* The stored bytes are the same however the content was cut into writes. */
static void test_stream_bytes_do_not_depend_on_writes(void **state) {
    for (size_t kind = 0; kind < PACKED_SUFFIXES; kind++) {
        if (!zn_compression_available((zn_compression)kind)) {
            continue;
        }
        zn_buf content = sample(900000);
        zn_buf stored[2] = { 0 };
        const size_t pieces[] = { 13, 900000 };
        for (size_t i = 0; i < 2; i++) {
            char *path = zn_format("%s/same%zu%s", (char *)*state, i, packed_suffixes[kind]);
            packed_append(path, zn_buf_bytes(&content), pieces[i]);
            stored[i] = file_get(path);
            free(path);
        }
        assert_true(zn_bytes_equal(zn_buf_bytes(&stored[0]), zn_buf_bytes(&stored[1])));
        zn_buf_free(&stored[0]);
        zn_buf_free(&stored[1]);
        zn_buf_free(&content);
    }
}

/* A gzip header has neither time nor name nor the kind of system. */
static void test_stream_gzip_header_is_neutral(void **state) {
    if (!zn_compression_available(ZN_COMPRESSION_GZIP)) {
        skip();
    }
    static const uint8_t header[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255 };
    char *path = zn_format("%s/header.gz", (char *)*state);
    packed_append(path, zn_bytes_of_text("x"), 1);
    zn_buf stored = file_get(path);
    assert_memory_equal(stored.data, header, sizeof header);
    zn_buf_free(&stored);
    free(path);
}

/* Suffixes decide, only at the end and only behind a name. */
static void test_stream_compression_of_table(void **state) {
    (void)state;
    static const struct {
        const char *path;
        zn_compression compression;
        size_t stem;
    } rows[] = {
        { "a.gz", ZN_COMPRESSION_GZIP, 1 },     { "a.jsonl.zst", ZN_COMPRESSION_ZSTD, 7 },
        { "a.zstd", ZN_COMPRESSION_ZSTD, 1 },   { "a.gz.txt", ZN_COMPRESSION_NONE, 8 },
        { "a.gz/b", ZN_COMPRESSION_NONE, 6 },   { ".gz", ZN_COMPRESSION_NONE, 3 },
        { "dir/.zst", ZN_COMPRESSION_NONE, 8 }, { "", ZN_COMPRESSION_NONE, 0 },
        { "x.zst.gz", ZN_COMPRESSION_GZIP, 5 }, { "a.csv.xz", ZN_COMPRESSION_XZ, 5 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t stem = 99;
        assert_int_equal(zn_compression_of(rows[i].path, &stem), rows[i].compression);
        assert_int_equal(stem, rows[i].stem);
        assert_int_equal(zn_compression_of(rows[i].path, NULL), rows[i].compression);
    }
}

/* Missing files and folders say what they are. */
static void test_stream_open_failures_are_clear(void **state) {
    zonda_error error = { 0 };
    char *missing = zn_format("%s/missing.zst", (char *)*state);
    assert_null(zn_in_stream_open(missing, &error));
    assert_int_equal(error.code, ZONDA_ERR_IO);
    assert_string_equal(error.file, missing);
    assert_non_null(strstr(error.text, "No such file"));
    assert_null(zn_in_stream_open(*state, &error));
    assert_int_equal(error.code, ZONDA_ERR_IO);
    assert_non_null(strstr(error.text, "directory"));
    free(missing);
}

#ifndef ZN_HAVE_ZLIB
/* Without zlib a .gz file is UNSUPPORTED in both directions, and not taken for a plain one. */
static void test_stream_gzip_without_zlib_is_unsupported(void **state) {
    char *path = zn_format("%s/x.gz", (char *)*state);
    zonda_error error = { 0 };
    assert_null(zn_in_stream_open(path, &error));
    assert_int_equal(error.code, ZONDA_ERR_UNSUPPORTED);
    zn_out_stream *stream = zn_out_stream_new(-1, ZN_COMPRESSION_GZIP, 0);
    assert_err(zn_out_stream_write(stream, zn_bytes_of_text("x"), &error), UNSUPPORTED);
    zn_out_stream_destroy(&stream);
    free(path);
}
#endif

/* A full disk comes out of write or finish, and stays. */
static void test_stream_full_disk_is_disk_full(void **state) {
    (void)state;
    for (int kind = ZN_COMPRESSION_NONE; kind <= ZN_COMPRESSION_XZ; kind++) {
        if (!zn_compression_available((zn_compression)kind)) {
            continue;
        }
        int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        zonda_error error = { 0 };
        zn_out_stream *stream = zn_out_stream_new(fd, (zn_compression)kind, 0);
        assert_ok(zn_out_stream_write(stream, zn_bytes_of_text("x"), &error), error);
        assert_err(zn_out_stream_finish(stream, &error), DISK_FULL);
        assert_non_null(strstr(error.text, "No space left"));
        assert_err(zn_out_stream_write(stream, zn_bytes_of_text("x"), &error), DISK_FULL);
        assert_err(zn_out_stream_finish(stream, &error), DISK_FULL);
        zn_out_stream_destroy(&stream);
        close(fd);
    }
}

/* Levels beyond what a library knows are clamped, and a level is used. */
static void test_stream_levels_are_clamped(void **state) {
    for (int level = -2000; level <= 2000; level += 1000) {
        for (int kind = ZN_COMPRESSION_GZIP; kind <= ZN_COMPRESSION_XZ; kind++) {
            if (!zn_compression_available((zn_compression)kind)) {
                continue;
            }
            char *path = zn_format("%s/%d%s", (char *)*state, level, packed_suffixes[kind]);
            int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
            zonda_error error = { 0 };
            zn_out_stream *stream = zn_out_stream_new(fd, (zn_compression)kind, level);
            assert_ok(zn_out_stream_write(stream, zn_bytes_of_text("text"), &error), error);
            assert_ok(zn_out_stream_finish(stream, &error), error);
            zn_out_stream_destroy(&stream);
            close(fd);
            zn_buf back = { 0 };
            assert_ok(packed_read(path, 100, &back, &error), error);
            assert_int_equal(back.len, 4);
            zn_buf_free(&back);
            free(path);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        folder_test(test_stream_round_trip_is_equal),
        folder_test(test_stream_several_members_are_concatenated),
        folder_test(test_stream_gzip_trailer_is_checked),
        folder_test(test_stream_truncated_is_corrupt),
        folder_test(test_stream_flipped_bits_never_change_content),
        folder_test(test_stream_bytes_do_not_depend_on_writes),
        folder_test(test_stream_gzip_header_is_neutral),
        cmocka_unit_test(test_stream_compression_of_table),
        folder_test(test_stream_open_failures_are_clear),
        cmocka_unit_test(test_stream_full_disk_is_disk_full),
#ifndef ZN_HAVE_ZLIB
        folder_test(test_stream_gzip_without_zlib_is_unsupported),
#endif
        folder_test(test_stream_levels_are_clamped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
