/* SPDX-License-Identifier: MPL-2.0 */
/* `read`, format by format: what is a record, what is a bad one and where it is said to be, and
 * that reading goes on behind it. Every row is read with the policies fail, skip and keep. */
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "fake_host.h"

/* One file. `records` is what policy skip gives, as lines of JSON. `bad` counts bad records, which
 * are as bytes `kept`; with any, policy fail says `text` at `line` and `column`. */
typedef struct read_row {
    const char *format;
    const char *bytes;
    size_t len;
    const char *records;
    uint64_t bad;
    const char *kept;
    const char *text;
    uint64_t line;
    uint64_t column;
    uint64_t record_max; /* 0: the default */
} read_row;

#define BYTES(text) (text), sizeof(text) - 1

static void write_bytes(const fake_host *host, const char *name, zn_bytes bytes) {
    char *path = fake_host_path(host, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
    free(path);
}

/* The host has room for few; those of stages that are closed can go. */
static void forget_blobs(fake_host *host) {
    for (size_t i = 0; i < host->blob_count; i++) {
        zn_buf_free(&host->blobs[i].bytes);
    }
    host->blob_count = 0;
}

/* Closes the host; its folder for bad records must be empty. */
static void close_host(fake_host *host) {
    char *path = fake_host_path(host, "bad");
    rmdir(path);
    free(path);
    fake_host_close(host);
}

static zn_stage_exec *open_row(fake_host *host, const read_row *row, const char *policy) {
    zonda_error error = { 0 };
    char *inputs = zn_format("[\"%s/file\"]", host->folder);
    char *args = zn_format("{\"format\":\"%s\",\"on_bad_record\":\"%s\",\"record_bytes_max\":%d,"
                           "\"bad_records\":\"%s/bad\"}",
                           row->format, policy, (int)row->record_max, host->folder);
    fake_body body = fake_body_of(host, 1);
    fake_body_source(&body, "read", args, inputs);
    zn_stage_exec *stage = fake_body_open(&body, &error);
    assert_ok(error.code, error);
    free(args);
    free(inputs);
    return stage;
}

static void expect_counted(zn_stage_exec *stage, uint64_t bad) {
    zn_outcome outcome = { 0 };
    assert_true(zn_stage_exec_run(stage, 0, 1, &outcome));
    assert_int_equal(outcome.failure_count, 0);
    assert_int_equal(outcome.counters_count, bad > 0 ? 1 : 0);
    if (bad > 0) {
        assert_true(zn_bytes_equal(outcome.counters[0].name, zn_bytes_of_text("bad_records")));
        assert_int_equal(outcome.counters[0].sum, bad);
    }
}

static void check_fail(fake_host *host, const read_row *row) {
    zn_stage_exec *stage = open_row(host, row, "fail");
    if (row->bad == 0) {
        char *got = fake_run(host, stage, 0);
        assert_string_equal(got, row->records);
        free(got);
    } else {
        zonda_error error = fake_run_failing(stage, 0, 1);
        char *path = fake_host_path(host, "file");
        assert_err(error.code, BAD_RECORD);
        assert_string_equal(error.text, row->text);
        assert_true(error.permanent);
        assert_string_equal(error.file, path);
        assert_int_equal(error.line, row->line);
        assert_int_equal(error.column, row->column);
        free(path);
    }
    zn_stage_exec_destroy(&stage);
}

static void check_skip(fake_host *host, const read_row *row) {
    zn_stage_exec *stage = open_row(host, row, "skip");
    char *got = fake_run(host, stage, 0);
    assert_string_equal(got, row->records);
    expect_counted(stage, row->bad);
    free(got);
    zn_stage_exec_destroy(&stage);
}

static void check_keep(fake_host *host, const read_row *row) {
    static const char *const suffixes[][2] = { { "jsonl", "jsonl" },     { "text", "txt" },
                                               { "msgpack", "msgpack" }, { "csv", "csv" },
                                               { "tsv", "tsv" },         { "binary", "bin" } };
    zn_stage_exec *stage = open_row(host, row, "keep");
    char *got = fake_run(host, stage, 0);
    assert_string_equal(got, row->records);
    free(got);
    expect_counted(stage, row->bad);
    zn_stage_exec_destroy(&stage);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char *name = zn_format("bad/7-3-0.%s", suffixes[i][1]);
        char *path = fake_host_path(host, name);
        bool wanted = row->bad > 0 && strcmp(suffixes[i][0], row->format) == 0;
        struct stat status;
        assert_int_equal(stat(path, &status), wanted ? 0 : -1);
        if (wanted) {
            char *kept = fake_host_read(host, name);
            assert_string_equal(kept, row->kept);
            free(kept);
            unlink(path);
        }
        free(path);
        free(name);
    }
}

static void check_rows(const read_row *rows, size_t count) {
    fake_host host;
    fake_host_open(&host);
    for (size_t i = 0; i < count; i++) {
        forget_blobs(&host);
        write_bytes(&host, "file", (zn_bytes){ (const uint8_t *)rows[i].bytes, rows[i].len });
        check_fail(&host, &rows[i]);
        check_skip(&host, &rows[i]);
        check_keep(&host, &rows[i]);
    }
    close_host(&host);
}

#define CHECK_ROWS(rows) check_rows((rows), sizeof(rows) / sizeof *(rows))

/* Lines of JSON: ends, blank lines, what is bad, and limits. */
static void test_read_jsonl_table(void **state) {
    (void)state;
    static const read_row rows[] = {
        { "jsonl", BYTES(""), "", 0, NULL, NULL, 0, 0, 0 },
        { "jsonl", BYTES("1"), "1\n", 0, NULL, NULL, 0, 0, 0 },
        { "jsonl", BYTES("\n\r\n \t\n"), "", 0, NULL, NULL, 0, 0, 0 },
        { "jsonl", BYTES("{\"b\":1,\"a\":2}\r\n[]"), "{\"b\":1,\"a\":2}\n[]\n", 0, NULL, NULL, 0, 0,
          0 },
        { "jsonl", BYTES("1\n[1,\n3\n{]\r\n"), "1\n3\n", 2, "[1,\n{]\r\n",
          "unexpected end, expected a value", 2, 4, 0 },
        { "jsonl", BYTES("123456789\n1234567890\n[1,2,3,4,5,6]\r\n7"), "123456789\n7\n", 2,
          "1234567890\n[1,2,3,4,5,6]\r\n", "the line is longer than the limit of 9 bytes", 2, 0,
          9 },
    };
    CHECK_ROWS(rows);
}

/* Lines of text: ends, UTF-8, limits. */
static void test_read_text_table(void **state) {
    (void)state;
    static const read_row rows[] = {
        { "text", BYTES(""), "", 0, NULL, NULL, 0, 0, 0 },
        { "text", BYTES("\n"), "\"\"\n", 0, NULL, NULL, 0, 0, 0 },
        { "text", BYTES("x"), "\"x\"\n", 0, NULL, NULL, 0, 0, 0 },
        { "text", BYTES("a\r\nb\rc\nd"), "\"a\"\n\"b\\rc\"\n\"d\"\n", 0, NULL, NULL, 0, 0, 0 },
        { "text", BYTES("ok\nb\xe4h\nja"), "\"ok\"\n\"ja\"\n", 1, "b\xe4h\n",
          "the line is not valid UTF-8 at byte 0xe4", 2, 2, 0 },
        { "text", BYTES("1234\n12345\n1234\r\n"), "\"1234\"\n\"1234\"\n", 1, "12345\n",
          "the record is longer than the limit of 5 bytes", 2, 0, 5 },
        { "text", BYTES("1\n1234567890123456789\n1"), "\"1\"\n\"1\"\n", 1, "1234567890123456789\n",
          "the line is longer than the limit of 5 bytes", 2, 0, 5 },
    };
    CHECK_ROWS(rows);
}

/* Values one after another; behind a bad one, the next. */
static void test_read_msgpack_table(void **state) {
    (void)state;
    static const read_row rows[] = {
        { "msgpack", BYTES(""), "", 0, NULL, NULL, 0, 0, 0 },
        { "msgpack", BYTES("\x01\xa1x\x81\xa1k\x90"), "1\n\"x\"\n{\"k\":[]}\n", 0, NULL, NULL, 0, 0,
          0 },
        { "msgpack", BYTES("\x01\xc1\x92\xc1\x02\x03"), "1\n3\n", 2, "\xc1\x92\xc1\x02",
          "at byte 1: MessagePack has the reserved type at byte 0 of 1", 0, 0, 0 },
        { "msgpack", BYTES("\x01\x93\x01\x02"), "1\n", 1, "\x93\x01\x02",
          "at byte 1: MessagePack value at byte 0 claims more than the 2 bytes that follow", 0, 0,
          0 },
        { "msgpack", BYTES("\x01\xdb\xff"), "1\n", 1, "\xdb\xff",
          "at byte 1: MessagePack ends at byte 0 of 2", 0, 0, 0 },
        { "msgpack", BYTES("\xa3xyz\xa4wxyz\xa3xyz"), "\"xyz\"\n\"xyz\"\n", 1, "\xa4wxyz",
          "at byte 4: the record is longer than the limit of 4 bytes", 0, 0, 4 },
    };
    CHECK_ROWS(rows);
}

/* Quoting, line ends, headers alone, ragged records; lines count newlines in quotes. */
static void test_read_csv_table(void **state) {
    (void)state;
    static const read_row rows[] = {
        { "csv", BYTES(""), "", 0, NULL, NULL, 0, 0, 0 },
        { "csv", BYTES("a,b\n"), "", 0, NULL, NULL, 0, 0, 0 },
        { "csv", BYTES("a,b\n1,2"), "{\"a\":\"1\",\"b\":\"2\"}\n", 0, NULL, NULL, 0, 0, 0 },
        { "csv", BYTES("\xef\xbb\xbf\"a\",b\r\n,\r\n"), "{\"a\":\"\",\"b\":\"\"}\n", 0, NULL, NULL,
          0, 0, 0 },
        { "csv", BYTES("a\n\nx\n"), "{\"a\":\"\"}\n{\"a\":\"x\"}\n", 0, NULL, NULL, 0, 0, 0 },
        { "csv", BYTES("a,b\n\r\n\n1,2\n"), "{\"a\":\"1\",\"b\":\"2\"}\n", 0, NULL, NULL, 0, 0, 0 },
        { "csv", BYTES("a,b\n\"x,\n\"\"y\"\"\",\"\"\n"), "{\"a\":\"x,\\n\\\"y\\\"\",\"b\":\"\"}\n",
          0, NULL, NULL, 0, 0, 0 },
        { "csv", BYTES("z,a,\"m\nn\"\n1,2,3\n"), "{\"z\":\"1\",\"a\":\"2\",\"m\\nn\":\"3\"}\n", 0,
          NULL, NULL, 0, 0, 0 },
        { "csv", BYTES("a,b\n\"1\n\n\",2\n3\n4,5\n"),
          "{\"a\":\"1\\n\\n\",\"b\":\"2\"}\n{\"a\":\"4\",\"b\":\"5\"}\n", 1, "3\n",
          "the record has only 1 field, but the header has 2", 5, 0, 0 },
        { "csv", BYTES("a,b\n1,2,3\n"), "", 1, "1,2,3\n",
          "the record has more than 2 fields, but the header has 2", 2, 0, 0 },
        { "csv", BYTES("a,b\n1,\"2\n\nx\"y\n3,4\n"), "{\"a\":\"3\",\"b\":\"4\"}\n", 1,
          "1,\"2\n\nx\"y\n", "a closing quote is not the end of its field", 4, 3, 0 },
        { "csv", BYTES("a,b\n1,2\"\n3,4\n"), "{\"a\":\"3\",\"b\":\"4\"}\n", 1, "1,2\"\n",
          "a quote in a field that does not begin with one", 2, 4, 0 },
        { "csv", BYTES("a,b\n1\r,2\n3,4\n"), "{\"a\":\"3\",\"b\":\"4\"}\n", 1, "1\r,2\n",
          "a carriage return in a field without quotes", 2, 2, 0 },
        { "csv", BYTES("a,b\n3,4\n1,\"2\n5,6\n"), "{\"a\":\"3\",\"b\":\"4\"}\n", 1, "1,\"2\n5,6\n",
          "the quote that begins a field is never closed", 3, 3, 0 },
        { "csv", BYTES("a\n\"\n\xff\"\nx\n"), "{\"a\":\"x\"}\n", 1, "\"\n\xff\"\n",
          "the line is not valid UTF-8 at byte 0xff", 3, 1, 0 },
        { "csv", BYTES("a,b\n1,2\n1,\"4567\n890123456789\"\n5,6\n"),
          "{\"a\":\"1\",\"b\":\"2\"}\n{\"a\":\"5\",\"b\":\"6\"}\n", 1, "1,\"4567\n890123456789\"\n",
          "the line is longer than the limit of 12 bytes", 3, 0, 12 },
    };
    CHECK_ROWS(rows);
}

/* Tabs separate, commas do not. */
static void test_read_tsv_table(void **state) {
    (void)state;
    static const read_row rows[] = {
        { "tsv", BYTES("a\tb\n1,2\t\"3\t\n4\"\n"), "{\"a\":\"1,2\",\"b\":\"3\\t\\n4\"}\n", 0, NULL,
          NULL, 0, 0, 0 },
        { "tsv", BYTES("a\tb\n1,2\n"), "", 1, "1,2\n",
          "the record has only 1 field, but the header has 2", 2, 0, 0 },
    };
    CHECK_ROWS(rows);
}

/* A header that does not name the fields is an error of the file, whatever the policy. */
static void test_read_csv_header_is_never_skipped(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        const char *text;
    } rows[] = {
        { "a,b,a\n1,2,3\n", "the header has the name \"a\" twice" },
        { "a,,b\n", "field 2 of the header has no name" },
        { "\n1\n", "field 1 of the header has no name" },
        { "a,\"b\n", "the quote that begins a field is never closed" },
        { "a,\xff\n", "the line is not valid UTF-8 at byte 0xff" },
    };
    fake_host host;
    fake_host_open(&host);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        forget_blobs(&host);
        fake_host_write(&host, "file", rows[i].bytes);
        read_row csv = { .format = "csv" };
        zn_stage_exec *stage = open_row(&host, &csv, "skip");
        zonda_error error = fake_run_failing(stage, 0, 1);
        assert_err(error.code, BAD_RECORD);
        assert_true(error.permanent);
        assert_string_equal(error.text, rows[i].text);
        assert_int_equal(error.line, 1);
        assert_non_null(strstr(error.file, "/file"));
        zn_stage_exec_destroy(&stage);
    }
    close_host(&host);
}

/* The file is one record, also an empty one; one that is too long is a bad one. */
static void test_read_binary_is_one_record(void **state) {
    (void)state;
    static const char *const contents[] = { "", "x\ny" };
    fake_host host;
    fake_host_open(&host);
    read_row binary = { .format = "binary" };
    for (size_t i = 0; i < 2; i++) {
        forget_blobs(&host);
        fake_host_write(&host, "file", contents[i]);
        zn_stage_exec *stage = open_row(&host, &binary, "fail");
        zn_outcome outcome = { 0 };
        assert_true(zn_stage_exec_run(stage, 0, 1, &outcome));
        assert_int_equal(outcome.records_out, 1);
        assert_int_equal(outcome.records.len, 2 + strlen(contents[i]));
        assert_int_equal(outcome.records.data[0], 0xc4);
        assert_memory_equal(outcome.records.data + 2, contents[i], strlen(contents[i]));
        zn_stage_exec_destroy(&stage);
    }
    close_host(&host);
    static const read_row rows[] = { { "binary", BYTES("0123456789"), "", 1, "0123456789",
                                       "at byte 0: the file is longer than the limit of 5 bytes", 0,
                                       0, 5 } };
    CHECK_ROWS(rows);
}

/* Compressed data that is damaged is no bad record: nobody knows what was there. */
static void test_read_damaged_file_is_never_skipped(void **state) {
    (void)state;
    static const uint8_t half[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x61, 0x00, 0x00, '1' };
    fake_host host;
    fake_host_open(&host);
    write_bytes(&host, "file.zst", (zn_bytes){ half, sizeof half });
    zonda_error error = { 0 };
    char *inputs = zn_format("[\"%s/file.zst\"]", host.folder);
    fake_body body = fake_body_of(&host, 1);
    fake_body_source(&body, "read", "{\"format\":\"jsonl\",\"on_bad_record\":\"skip\"}", inputs);
    zn_stage_exec *stage = fake_body_open(&body, &error);
    error = fake_run_failing(stage, 0, 1);
    assert_err(error.code, CORRUPT);
    free(inputs);
    zn_stage_exec_destroy(&stage);
    close_host(&host);
}

/* A bad record far above the limit is kept byte by byte, and the next one is read. */
static void test_read_long_bad_record_is_kept_whole(void **state) {
    (void)state;
    enum {
        LONG = 3000000
    };
    fake_host host;
    fake_host_open(&host);
    zn_buf bytes = { 0 };
    zn_buf_append_text(&bytes, "1\n");
    for (size_t i = 0; i < LONG; i++) {
        zn_buf_append_byte(&bytes, (uint8_t)('a' + i % 26));
    }
    zn_buf_append_text(&bytes, "\n2\n");
    write_bytes(&host, "file", zn_buf_bytes(&bytes));
    read_row json = { .format = "jsonl", .record_max = 1000 };
    zn_stage_exec *stage = open_row(&host, &json, "keep");
    char *got = fake_run(&host, stage, 0);
    assert_string_equal(got, "1\n2\n");
    free(got);
    char *path = fake_host_path(&host, "bad/7-3-0.jsonl");
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    uint8_t *kept = zn_alloc(LONG + 10);
    assert_int_equal(fread(kept, 1, LONG + 10, file), LONG + 1);
    assert_memory_equal(kept, bytes.data + 2, LONG + 1);
    fclose(file);
    unlink(path);
    free(kept);
    free(path);
    zn_buf_free(&bytes);
    zn_stage_exec_destroy(&stage);
    close_host(&host);
}

/* An attempt that may not publish, or fails later, leaves no file. */
static void test_read_kept_records_of_losers_vanish(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    fake_host_write(&host, "file", "x\n1\n");
    read_row json = { .format = "jsonl" };
    zn_stage_exec *stage = open_row(&host, &json, "keep");
    zn_outcome outcome = { 0 };
    host.refuse = true;
    assert_false(zn_stage_exec_run(stage, 0, 1, &outcome));
    char *files = fake_host_files(&host);
    assert_string_equal(files, "bad file");
    free(files);
    host.refuse = false;
    host.cancel_after = 1;
    assert_false(zn_stage_exec_run(stage, 0, 2, &outcome));
    char *path = fake_host_path(&host, "bad");
    assert_int_equal(rmdir(path), 0);
    free(path);
    zn_stage_exec_destroy(&stage);
    close_host(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_jsonl_table),
        cmocka_unit_test(test_read_text_table),
        cmocka_unit_test(test_read_msgpack_table),
        cmocka_unit_test(test_read_csv_table),
        cmocka_unit_test(test_read_tsv_table),
        cmocka_unit_test(test_read_csv_header_is_never_skipped),
        cmocka_unit_test(test_read_binary_is_one_record),
        cmocka_unit_test(test_read_damaged_file_is_never_skipped),
        cmocka_unit_test(test_read_long_bad_record_is_kept_whole),
        cmocka_unit_test(test_read_kept_records_of_losers_vanish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
