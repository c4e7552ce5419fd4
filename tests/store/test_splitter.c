/* SPDX-License-Identifier: MPL-2.0 */
/* Lines: every kind of ending in every format, lines around the size of the buffer, the limit and
 * what comes behind a line that breaks it, and where errors say they are. */
#include "test.h"

#include "packed.h"
#include "store/splitter.h"

enum {
    LINE_MAX_BYTES = 1000000
};

static zn_splitter *open_lines(const char *path, size_t line_max) {
    zonda_error error = { 0 };
    zn_splitter *splitter =
        zn_splitter_open(path, zn_framer_lines(), (zn_file_range){ 0 }, line_max, &error);
    if (splitter == NULL) {
        fail_msg("%s", error.text);
    }
    return splitter;
}

/* The next line without its end. */
static zonda_err next_line(zn_splitter *splitter, zn_bytes *line, bool *got, zonda_error *error) {
    zn_piece piece = { 0 };
    zonda_err code = zn_splitter_next(splitter, &piece, got, error);
    assert_false(piece.cut);
    *line = piece.bytes;
    line->len -= line->len > 0 && line->data[line->len - 1] == '\n';
    line->len -= line->len > 0 && line->len < piece.bytes.len && line->data[line->len - 1] == '\r';
    return code;
}

/* Reads all lines and joins them as "<line>|<line>|". */
static void assert_lines(const char *path, const char *expected) {
    zn_splitter *reader = open_lines(path, LINE_MAX_BYTES);
    zn_buf joined = { 0 };
    for (bool got = true; got;) {
        zn_bytes line = { 0 };
        zonda_error error = { 0 };
        assert_ok(next_line(reader, &line, &got, &error), error);
        if (got) {
            zn_buf_append(&joined, line.data, line.len);
            zn_buf_append_byte(&joined, '|');
        }
    }
    zn_buf_append_byte(&joined, 0);
    assert_string_equal(joined.data, expected);
    zn_buf_free(&joined);
    zn_splitter_destroy(&reader);
}

/* LF, CRLF, no last newline, empty lines, lone CR, BOM: in plain, gzip and zstd. */
static void test_splitter_endings_table(void **state) {
    static const char *const rows[][2] = {
        { "", "" },
        { "\n", "|" },
        { "a", "a|" },
        { "a\n", "a|" },
        { "a\nb", "a|b|" },
        { "a\r\nb\r\n", "a|b|" },
        { "a\r\n\r\n\nb", "a|||b|" },
        { "a\rb\r\r\n", "a\rb\r|" },
        { "a\r", "a\r|" },
        { "\xEF\xBB\xBFx\n", "\xEF\xBB\xBFx|" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t kind = 0; kind < PACKED_SUFFIXES; kind++) {
            if (!zn_compression_available((zn_compression)kind)) {
                continue;
            }
            char *path = zn_format("%s/%zu%s", (char *)*state, i, packed_suffixes[kind]);
            packed_append(path, zn_bytes_of_text(rows[i][0]), 100);
            assert_lines(path, rows[i][1]);
            free(path);
        }
    }
}

static void fill_letters(zn_buf *out, size_t count) {
    zn_buf_reserve(out, count);
    for (size_t i = 0; i < count; i++) {
        zn_buf_append_byte(out, (uint8_t)('a' + i % 26));
    }
}

/* Lines whose lengths walk over the buffer's size come out whole, and their bytes are counted. */
static void test_splitter_long_lines_are_whole(void **state) {
    static const size_t lengths[] = { 262142, 262143, 262144, 262145, 0, 1, 700000, 524288, 3 };
    enum {
        COUNT = sizeof lengths / sizeof lengths[0]
    };
    for (size_t kind = 0; kind < PACKED_SUFFIXES; kind++) {
        if (!zn_compression_available((zn_compression)kind)) {
            continue;
        }
        char *path = zn_format("%s/long%s", (char *)*state, packed_suffixes[kind]);
        zn_buf content = { 0 };
        for (size_t i = 0; i < COUNT; i++) {
            fill_letters(&content, lengths[i]);
            zn_buf_append_text(&content, i % 2 == 0 ? "\n" : "\r\n");
        }
        packed_append(path, zn_buf_bytes(&content), 65536);
        zn_splitter *reader = open_lines(path, LINE_MAX_BYTES);
        zonda_error error = { 0 };
        zn_bytes line = { 0 };
        bool got = false;
        for (size_t i = 0; i < COUNT; i++) {
            assert_ok(next_line(reader, &line, &got, &error), error);
            assert_true(got);
            assert_int_equal(line.len, lengths[i]);
            assert_true(line.len == 0 || line.data[line.len - 1] == 'a' + (line.len - 1) % 26);
        }
        assert_ok(next_line(reader, &line, &got, &error), error);
        assert_false(got);
        struct stat status;
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(zn_splitter_bytes(reader), status.st_size);
        zn_splitter_destroy(&reader);
        zn_buf_free(&content);
        free(path);
    }
}

/* A record of the limit comes whole. One above it comes cut, with at least as many bytes as the
 * limit, and its rest behind it, asked for or not; the next record is intact, as is its place. */
static void test_splitter_limit_cuts_and_recovers(void **state) {
    static const size_t limits[] = { 1, 10, 32767, 32768, 262144, 600000 };
    for (size_t i = 0; i < 2 * sizeof limits / sizeof limits[0]; i++) {
        size_t limit = limits[i / 2];
        size_t length = limit + 2000000;
        zn_buf content = { 0 };
        fill_letters(&content, limit - 1);
        zn_buf_append_byte(&content, '\n');
        fill_letters(&content, length - 1);
        zn_buf_append_text(&content, "\ny");
        char *path = zn_format("%s/limit", (char *)*state);
        file_put(path, zn_buf_bytes(&content));
        zn_splitter *splitter = open_lines(path, limit);
        zonda_error error = { 0 };
        zn_piece piece = { 0 };
        bool got = false;
        assert_ok(zn_splitter_next(splitter, &piece, &got, &error), error);
        assert_int_equal(piece.bytes.len, limit);
        assert_false(piece.cut);
        assert_ok(zn_splitter_next(splitter, &piece, &got, &error), error);
        assert_true(got && piece.cut);
        assert_int_equal(piece.offset, limit);
        assert_int_equal(piece.line, 2);
        size_t seen = piece.bytes.len;
        assert_in_range(seen, limit, 2 * limit + 262144);
        while (i % 2 == 0 && got) {
            zn_bytes rest = { 0 };
            assert_ok(zn_splitter_rest(splitter, &rest, &got, &error), error);
            assert_memory_equal(rest.data, content.data + limit + seen, rest.len);
            seen += rest.len;
        }
        assert_true(i % 2 == 1 || seen == length);
        assert_ok(zn_splitter_next(splitter, &piece, &got, &error), error);
        assert_true(got && piece.bytes.len == 1 && piece.bytes.data[0] == 'y');
        assert_int_equal(piece.offset, limit + length);
        assert_int_equal(piece.line, 3);
        zn_splitter_destroy(&splitter);
        zn_buf_free(&content);
        free(path);
    }
}

/* Whole lines before the damage are given, then CORRUPT with file and line, again and again. */
static void test_splitter_truncated_names_file_and_line(void **state) {
    for (size_t kind = 1; kind < PACKED_SUFFIXES; kind++) {
        if (!zn_compression_available((zn_compression)kind)) {
            continue;
        }
        char *path = zn_format("%s/cut.jsonl%s", (char *)*state, packed_suffixes[kind]);
        packed_append(path, zn_bytes_of_text("one\ntwo\n"), 100);
        packed_append(path, zn_bytes_of_text("three\nfour\n"), 100);
        zn_buf stored = file_get(path);
        file_put(path, (zn_bytes){ stored.data, stored.len - 1 });
        zn_splitter *reader = open_lines(path, 100);
        zonda_error error = { 0 };
        zn_bytes line = { 0 };
        bool got = true;
        uint64_t lines = 0;
        zonda_err code = ZONDA_OK;
        while (got && (code = next_line(reader, &line, &got, &error)) == ZONDA_OK) {
            lines += got;
        }
        assert_err(code, CORRUPT);
        assert_true(lines >= 2);
        assert_int_equal(error.line, lines + 1);
        assert_string_equal(error.file, path);
        assert_err(next_line(reader, &line, &got, &error), CORRUPT);
        zn_splitter_destroy(&reader);
        zn_buf_free(&stored);
        free(path);
    }
}

/* A file that is not there fails to open, with its name and the cause. */
static void test_splitter_missing_file_is_io(void **state) {
    (void)state;
    zonda_error error = { 0 };
    assert_null(zn_splitter_open("/nonexistent/file.jsonl", zn_framer_lines(), (zn_file_range){ 0 },
                                 100, &error));
    assert_int_equal(error.code, ZONDA_ERR_IO);
    assert_string_equal(error.file, "/nonexistent/file.jsonl");
}

/* The records of a file as "<record>|", from a range. */
static char *range_of(const char *path, zn_framer framer, zn_file_range range) {
    zonda_error error = { 0 };
    zn_splitter *splitter = zn_splitter_open(path, framer, range, LINE_MAX_BYTES, &error);
    assert_non_null(splitter);
    zn_buf joined = { 0 };
    for (bool got = true; got;) {
        zn_piece piece = { 0 };
        assert_ok(zn_splitter_next(splitter, &piece, &got, &error), error);
        if (got) {
            assert_in_range(piece.offset, range.offset, range.offset + range.length - 1);
            zn_buf_append(&joined, piece.bytes.data, piece.bytes.len);
            zn_buf_append_byte(&joined, '|');
        }
    }
    zn_splitter_destroy(&splitter);
    zn_buf_append_byte(&joined, 0);
    return (char *)joined.data;
}

/* However a file of lines is cut, every line comes exactly once and in order. */
static void test_splitter_ranges_cover_the_file(void **state) {
    static const char *const contents[] = {
        "a\nbb\nccc\n",
        "a\r\nbb\r\n\r\nccc",
        "one line that is longer than many ranges",
        "\n\n\n",
        "x",
        "\n",
        "first\none line that is longer than many ranges\nlast",
    };
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        char *path = zn_format("%s/%zu", (char *)*state, i);
        size_t size = strlen(contents[i]);
        file_put(path, zn_bytes_of_text(contents[i]));
        char *whole = range_of(path, zn_framer_lines(), (zn_file_range){ .length = size });
        for (size_t step = 1; step <= size; step++) {
            zn_buf all = { 0 };
            for (size_t at = 0; at < size; at += step) {
                char *part = range_of(path, zn_framer_lines(),
                                      (zn_file_range){ .offset = at, .length = step });
                zn_buf_append_text(&all, part);
                free(part);
            }
            zn_buf_append_byte(&all, 0);
            assert_string_equal(all.data, whole);
            zn_buf_free(&all);
        }
        free(whole);
        free(path);
    }
}

/* A range that the file no longer has, and one of a compressed file, are errors. */
static void test_splitter_range_that_cannot_be_is_an_error(void **state) {
    char *path = zn_format("%s/short", (char *)*state);
    char *packed = zn_format("%s/packed.zst", (char *)*state);
    file_put(path, zn_bytes_of_text("abc\n"));
    packed_append(packed, zn_bytes_of_text("abc\n"), 10);
    zn_file_range range = { .offset = 6, .length = 10 };
    zonda_error error = { 0 };
    assert_null(zn_splitter_open(path, zn_framer_lines(), range, 10, &error));
    assert_err(error.code, IO);
    assert_string_equal(error.file, path);
    assert_null(zn_splitter_open(packed, zn_framer_lines(), range, 10, &error));
    assert_err(error.code, UNSUPPORTED);
    free(packed);
    free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        folder_test(test_splitter_endings_table),
        folder_test(test_splitter_long_lines_are_whole),
        folder_test(test_splitter_limit_cuts_and_recovers),
        folder_test(test_splitter_truncated_names_file_and_line),
        cmocka_unit_test(test_splitter_missing_file_is_io),
        folder_test(test_splitter_ranges_cover_the_file),
        folder_test(test_splitter_range_that_cannot_be_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
