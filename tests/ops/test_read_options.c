/* SPDX-License-Identifier: MPL-2.0 */
/* Options of `read`: the path as a field, and ranges of files, which together must give what the
 * file gives as a whole, however it is cut. */
#include "test.h"

#include <stdio.h>
#include <time.h>

#include "base/alloc.h"
#include "fake_host.h"
#include "store/file_lookup.h"

static zn_stage_exec *open_read(fake_host *host, uint64_t tasks, const char *args,
                                const char *inputs) {
    zonda_error error = { 0 };
    fake_body body = fake_body_of(host, tasks);
    fake_body_source(&body, "read", args, inputs);
    zn_stage_exec *stage = fake_body_open(&body, &error);
    assert_ok(error.code, error);
    return stage;
}

static void forget_blobs(fake_host *host) {
    for (size_t i = 0; i < host->blob_count; i++) {
        zn_buf_free(&host->blobs[i].bytes);
    }
    host->blob_count = 0;
}

/* The path comes last, under the usual or the given name; off means off. */
static void test_read_include_paths_adds_a_field(void **state) {
    (void)state;
    static const struct {
        const char *args;
        const char *expected; /* %s: the path */
    } rows[] = {
        { "{\"include_paths\":true}", "{\"a\":1,\"__file_path\":\"%s\"}\n" },
        { "{\"include_paths\":\"p\"}", "{\"a\":1,\"p\":\"%s\"}\n" },
        { "{\"include_paths\":false}", "{\"a\":1}\n" },
    };
    fake_host host;
    fake_host_open(&host);
    fake_host_write(&host, "f.jsonl", "{\"a\":1}\n");
    char *path = fake_host_path(&host, "f.jsonl");
    char *inputs = zn_format("[\"%s\"]", path);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        zn_stage_exec *stage = open_read(&host, 1, rows[i].args, inputs);
        char *got = fake_run(&host, stage, 0);
        zn_buf expected = { 0 };
        zn_buf_printf(&expected, rows[i].expected, path);
        assert_int_equal(strlen(got), expected.len);
        assert_memory_equal(got, expected.data, expected.len);
        zn_buf_free(&expected);
        free(got);
        zn_stage_exec_destroy(&stage);
    }
    free(inputs);
    free(path);
    fake_host_close(&host);
}

/* A field that is there already, and a record that is no map, are errors under any policy. */
static void test_read_include_paths_clash_is_an_error(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    fake_host_write(&host, "f.jsonl", "{\"b\":1}\n{\"a\":1}\n");
    fake_host_write(&host, "g.jsonl", "{\"b\":1}\n\n7\n");
    char *inputs = zn_format("[\"%s/f.jsonl\",\"%s/g.jsonl\"]", host.folder, host.folder);
    zn_stage_exec *stage =
        open_read(&host, 2, "{\"include_paths\":\"a\",\"on_bad_record\":\"skip\"}", inputs);
    zonda_error error = fake_run_failing(stage, 0, 1);
    assert_err(error.code, BAD_RECORD);
    assert_true(error.permanent);
    assert_int_equal(error.line, 2);
    assert_non_null(strstr(error.text, "has a field \"a\" already"));
    error = fake_run_failing(stage, 1, 1);
    assert_int_equal(error.line, 3);
    assert_string_equal(error.text, "include_paths needs maps as records, not integer");
    free(inputs);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* Lines and columns of errors in a range are those of the file. */
static void test_read_range_errors_name_lines_of_the_file(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    fake_host_write(&host, "f.jsonl", "1\n2\n3\n{\n5\n");
    for (int offset = 0; offset <= 6; offset++) {
        forget_blobs(&host);
        char *inputs =
            zn_format("[{\"path\":\"%s/f.jsonl\",\"offset\":%d,\"length\":%d,\"aligned\":false}]",
                      host.folder, offset, 10 - offset);
        zn_stage_exec *stage = open_read(&host, 1, "{}", inputs);
        zonda_error error = fake_run_failing(stage, 0, 1);
        assert_int_equal(error.line, 4);
        assert_int_equal(error.column, 2);
        free(inputs);
        zn_stage_exec_destroy(&stage);
    }
    fake_host_close(&host);
}

typedef struct random_source {
    uint64_t value;
} random_source;

static uint64_t next_random(random_source *random, uint64_t below) {
    random->value = random->value * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (random->value >> 33) % below;
}

static void put_cell(random_source *random, zn_buf *out, bool csv) {
    static const char *const plain[] = { "", "x", "word", "\xc3\xa9", "a longer cell of text" };
    static const char *const quoted[] = { "\"\"", "\"a,b\"", "\"\n\"", "\"x\r\ny\"\"\n\"",
                                          "\"\"\"\"" };
    bool quotes = csv && next_random(random, 3) == 0;
    zn_buf_append_text(out, (quotes ? quoted : plain)[next_random(random, 5)]);
}

/* A text or a CSV file with any ends of lines, with or without the last one. */
static char *random_file(random_source *random, bool csv) {
    zn_buf out = { 0 };
    uint64_t lines = next_random(random, 30);
    zn_buf_append_text(&out, csv ? "k,v\n" : "");
    for (uint64_t i = 0; i < lines; i++) {
        put_cell(random, &out, csv);
        zn_buf_append_text(&out, csv ? "," : "");
        put_cell(random, &out, csv);
        bool ends = i + 1 < lines || next_random(random, 2) == 0;
        zn_buf_append_text(&out, !ends ? "" : next_random(random, 3) == 0 ? "\r\n" : "\n");
    }
    zn_buf_append_byte(&out, 0);
    return (char *)out.data;
}

/* Ranges as the planner makes them. */
static char *ranges_of(const char *path, uint64_t size, uint64_t every, bool csv, uint64_t *count) {
    zn_file_cuts cuts = { 0 };
    zonda_error error = { 0 };
    zn_buf out = { 0 };
    if (csv) {
        assert_ok(zn_file_cut_csv(path, ',', every, &cuts, &error), error);
    }
    uint64_t from = 0;
    *count = 0;
    for (size_t i = 0; from < size; i++) {
        uint64_t to = csv ? (i < cuts.count ? cuts.items[i] : size) : from + every;
        assert_true(to > from);
        zn_buf_printf(&out, "%s{\"path\":\"%s\",\"offset\":%llu,\"length\":%llu,\"aligned\":%s}",
                      i == 0 ? "[" : ",", path, (unsigned long long)from,
                      (unsigned long long)(to - from), csv ? "true" : "false");
        from = to;
        ++*count;
    }
    zn_buf_append(&out, "]", 2);
    zn_file_cuts_free(&cuts);
    return (char *)out.data;
}

static void check_cuts(fake_host *host, const char *text, uint64_t every, bool csv) {
    const char *args = csv ? "{\"format\":\"csv\"}" : "{\"format\":\"text\"}";
    fake_host_write(host, "f", text);
    char *path = fake_host_path(host, "f");
    char *whole_input = zn_format("[\"%s\"]", path);
    zn_stage_exec *stage = open_read(host, 1, args, whole_input);
    char *whole = fake_run(host, stage, 0);
    zn_stage_exec_destroy(&stage);
    uint64_t count = 0;
    char *inputs = ranges_of(path, strlen(text), every, csv, &count);
    zn_buf joined = { 0 };
    if (count > 0) {
        stage = open_read(host, count, args, inputs);
        for (uint64_t i = 0; i < count; i++) {
            char *part = fake_run(host, stage, i);
            zn_buf_append_text(&joined, part);
            free(part);
        }
        zn_stage_exec_destroy(&stage);
    }
    zn_buf_append_byte(&joined, 0);
    assert_string_equal(joined.data, whole);
    zn_buf_free(&joined);
    free(inputs);
    free(whole);
    free(whole_input);
    free(path);
    forget_blobs(host);
}

/* For many files and sizes of ranges, the ranges one after another give the records of the file. */
static void test_read_ranges_give_the_whole_file(void **state) {
    (void)state;
    const char *given = getenv("ZONDA_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    random_source random = { .value = seed };
    print_message("seed %llu (ZONDA_TEST_SEED repeats it)\n", (unsigned long long)seed);
    fake_host host;
    fake_host_open(&host);
    for (int round = 0; round < 60; round++) {
        bool csv = round % 2 == 1;
        char *text = random_file(&random, csv);
        for (int cut = 0; cut < 4; cut++) {
            check_cuts(&host, text, 1 + next_random(&random, cut == 0 ? 3 : 200), csv);
        }
        free(text);
    }
    fake_host_close(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_include_paths_adds_a_field),
        cmocka_unit_test(test_read_include_paths_clash_is_an_error),
        cmocka_unit_test(test_read_range_errors_name_lines_of_the_file),
        cmocka_unit_test(test_read_ranges_give_the_whole_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
