/* SPDX-License-Identifier: MPL-2.0 */
/* Lines: every kind of ending in every format, lines around the size of the buffer, the limit and
 * what comes behind a line that breaks it, and where errors say they are. */
#include "test.h"

#include "packed.h"
#include "store/line_reader.h"

enum {
    LINE_MAX_BYTES = 1000000
};

static zn_line_reader *open_lines(const char *path, size_t line_max) {
    zonda_error error = { 0 };
    zn_line_reader *reader = zn_line_reader_open(path, line_max, &error);
    if (reader == NULL) {
        fail_msg("%s", error.text);
    }
    return reader;
}

/* Reads all lines and joins them as "<line>|<line>|". */
static void assert_lines(const char *path, const char *expected) {
    zn_line_reader *reader = open_lines(path, LINE_MAX_BYTES);
    zn_buf joined = { 0 };
    uint64_t count = 0;
    for (bool got = true; got;) {
        zn_bytes line = { 0 };
        zonda_error error = { 0 };
        assert_ok(zn_line_reader_next(reader, &line, &got, &error), error);
        if (got) {
            assert_int_equal(zn_line_reader_number(reader), ++count);
            zn_buf_append(&joined, line.data, line.len);
            zn_buf_append_byte(&joined, '|');
        }
    }
    zn_buf_append_byte(&joined, 0);
    assert_string_equal(joined.data, expected);
    zn_buf_free(&joined);
    zn_line_reader_destroy(&reader);
}

/* LF, CRLF, no last newline, empty lines, lone CR, BOM: in plain, gzip and zstd. */
static void test_line_reader_endings_table(void **state) {
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

/* Lines whose lengths walk over the buffer's size come out whole, and their bytes are counted. */
static void test_line_reader_long_lines_are_whole(void **state) {
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
            for (size_t at = 0; at < lengths[i]; at++) {
                zn_buf_append_byte(&content, (uint8_t)('a' + at % 26));
            }
            zn_buf_append_text(&content, i % 2 == 0 ? "\n" : "\r\n");
        }
        packed_append(path, zn_buf_bytes(&content), 65536);
        zn_line_reader *reader = open_lines(path, LINE_MAX_BYTES);
        zonda_error error = { 0 };
        zn_bytes line = { 0 };
        bool got = false;
        for (size_t i = 0; i < COUNT; i++) {
            assert_ok(zn_line_reader_next(reader, &line, &got, &error), error);
            assert_true(got);
            assert_int_equal(line.len, lengths[i]);
            assert_true(line.len == 0 || line.data[line.len - 1] == 'a' + (line.len - 1) % 26);
        }
        assert_ok(zn_line_reader_next(reader, &line, &got, &error), error);
        assert_false(got);
        struct stat status;
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(zn_line_reader_bytes(reader), status.st_size);
        zn_line_reader_destroy(&reader);
        zn_buf_free(&content);
        free(path);
    }
}

/* Lines of the limit pass, one byte more does not, whatever ends them; the next line is intact. */
static void test_line_reader_limit_is_exact_and_recovers(void **state) {
    static const char *const endings[] = { "\n", "\r\n" };
    static const size_t limits[] = { 1, 10, 262142, 262143, 262144, 600000 };
    for (size_t i = 0; i < 2 * sizeof limits / sizeof limits[0]; i++) {
        size_t limit = limits[i / 2];
        zn_buf content = { 0 };
        for (size_t over = 0; over < 3; over++) {
            zn_buf_reserve(&content, limit + over);
            memset(content.data + content.len, 'x', limit + over);
            content.len += limit + over;
            zn_buf_append_text(&content, endings[i % 2]);
        }
        zn_buf_append_text(&content, "y");
        char *path = zn_format("%s/limit", (char *)*state);
        file_put(path, zn_buf_bytes(&content));
        zn_line_reader *reader = open_lines(path, limit);
        zonda_error error = { 0 };
        zn_bytes line = { 0 };
        bool got = false;
        assert_ok(zn_line_reader_next(reader, &line, &got, &error), error);
        assert_int_equal(line.len, limit);
        for (uint64_t number = 2; number <= 3; number++) {
            assert_err(zn_line_reader_next(reader, &line, &got, &error), BAD_RECORD);
            assert_int_equal(error.line, number);
            assert_string_equal(error.file, path);
        }
        assert_ok(zn_line_reader_next(reader, &line, &got, &error), error);
        assert_true(got && line.len == 1 && line.data[0] == 'y');
        assert_int_equal(zn_line_reader_number(reader), 4);
        zn_line_reader_destroy(&reader);
        zn_buf_free(&content);
        free(path);
    }
}

/* A last line without newline obeys the limit too; a CR at the very end is part of it. */
static void test_line_reader_limit_at_the_end(void **state) {
    char *path = zn_format("%s/end", (char *)*state);
    static const struct {
        const char *content;
        bool ok;
    } rows[] = { { "xxx", true }, { "xxxx", false }, { "xxx\r", false }, { "xxxxxxxx", false } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        file_put(path, zn_bytes_of_text(rows[i].content));
        zn_line_reader *reader = open_lines(path, 3);
        zonda_error error = { 0 };
        zn_bytes line = { 0 };
        bool got = false;
        zonda_err code = zn_line_reader_next(reader, &line, &got, &error);
        assert_int_equal(code, rows[i].ok ? ZONDA_OK : ZONDA_ERR_BAD_RECORD);
        assert_ok(zn_line_reader_next(reader, &line, &got, &error), error);
        assert_false(got);
        zn_line_reader_destroy(&reader);
    }
    free(path);
}

/* Whole lines before the damage are given, then CORRUPT with file and line, again and again. */
static void test_line_reader_truncated_names_file_and_line(void **state) {
    for (size_t kind = 1; kind < PACKED_SUFFIXES; kind++) {
        if (!zn_compression_available((zn_compression)kind)) {
            continue;
        }
        char *path = zn_format("%s/cut.jsonl%s", (char *)*state, packed_suffixes[kind]);
        packed_append(path, zn_bytes_of_text("one\ntwo\n"), 100);
        packed_append(path, zn_bytes_of_text("three\nfour\n"), 100);
        zn_buf stored = file_get(path);
        file_put(path, (zn_bytes){ stored.data, stored.len - 1 });
        zn_line_reader *reader = open_lines(path, 100);
        zonda_error error = { 0 };
        zn_bytes line = { 0 };
        bool got = true;
        uint64_t lines = 0;
        zonda_err code = ZONDA_OK;
        while (got && (code = zn_line_reader_next(reader, &line, &got, &error)) == ZONDA_OK) {
            lines += got;
        }
        assert_err(code, CORRUPT);
        assert_true(lines >= 2);
        assert_int_equal(error.line, lines + 1);
        assert_string_equal(error.file, path);
        assert_err(zn_line_reader_next(reader, &line, &got, &error), CORRUPT);
        zn_line_reader_destroy(&reader);
        zn_buf_free(&stored);
        free(path);
    }
}

/* A file that is not there fails to open, with its name and the cause. */
static void test_line_reader_missing_file_is_io(void **state) {
    (void)state;
    zonda_error error = { 0 };
    assert_null(zn_line_reader_open("/nonexistent/file.jsonl", 100, &error));
    assert_int_equal(error.code, ZONDA_ERR_IO);
    assert_string_equal(error.file, "/nonexistent/file.jsonl");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        folder_test(test_line_reader_endings_table),
        folder_test(test_line_reader_long_lines_are_whole),
        folder_test(test_line_reader_limit_is_exact_and_recovers),
        folder_test(test_line_reader_limit_at_the_end),
        folder_test(test_line_reader_truncated_names_file_and_line),
        cmocka_unit_test(test_line_reader_missing_file_is_io),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
