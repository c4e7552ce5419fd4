/* SPDX-License-Identifier: MPL-2.0 */
/* The sources: what their shards hold, and how bad input is reported. */
#include "test.h"

#include "base/alloc.h"
#include "fake_host.h"
#include "record/value.h"
#include "store/data_server.h"
#include "store/segment.h"

static zn_stage_exec *open_source(fake_host *host, uint64_t tasks, const char *op, const char *args,
                                  const char *inputs) {
    zonda_error error = { 0 };
    fake_body body = fake_body_of(host, tasks);
    if (inputs == NULL) {
        fake_body_op(&body, op, args);
    } else {
        fake_body_source(&body, op, args, inputs);
    }
    zn_stage_exec *stage = fake_body_open(&body, &error);
    if (stage == NULL) {
        fail_msg("%s", error.text);
    }
    return stage;
}

static void expect_task(fake_host *host, zn_stage_exec *stage, uint64_t task,
                        const char *expected) {
    char *got = fake_run(host, stage, task);
    assert_string_equal(got, expected);
    free(got);
}

/* Item i is shard i, whatever its type, in any order of tasks. */
static void test_from_list_item_is_shard(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zn_stage_exec *stage = open_source(&host, 3, "from_list", "{}", "[{\"a\":[1]},\"x\",null]");
    expect_task(&host, stage, 2, "null\n");
    expect_task(&host, stage, 0, "{\"a\":[1]}\n");
    expect_task(&host, stage, 1, "\"x\"\n");
    expect_task(&host, stage, 0, "{\"a\":[1]}\n");
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* The index over the blob finds items before, at and behind its marks, after any other item. */
static void test_from_list_many_items_are_found(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zn_buf json = { 0 };
    for (int i = 0; i < 1000; i++) {
        zn_buf_printf(&json, "%c%d", i == 0 ? '[' : ',', i * 1000);
    }
    zn_buf_append(&json, "]", 2);
    zn_stage_exec *stage = open_source(&host, 1000, "from_list", "{}", (char *)json.data);
    zn_buf_free(&json);
    static const uint64_t steps[] = { 1, 999, 2, 377 };
    for (uint64_t i = 0; i < 4000; i++) {
        uint64_t task = i * steps[i / 1000] % 1000;
        char *expected = zn_format("%d\n", (int)task * 1000);
        expect_task(&host, stage, task, expected);
        free(expected);
    }
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

static void expect_refused(fake_host *host, uint64_t tasks, const char *op, const char *inputs,
                           const char *text) {
    zonda_error error = { 0 };
    fake_body body = fake_body_of(host, tasks);
    fake_body_source(&body, op, "{\"format\":\"text\"}", inputs);
    assert_null(fake_body_open(&body, &error));
    assert_err(error.code, PLAN);
    assert_string_equal(error.text, text);
    assert_string_equal(error.op, op);
}

/* Blobs that do not fit the stage are plan errors, not crashes. */
static void test_inputs_wrong_blob_is_plan_error(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    expect_refused(&host, 2, "from_list", "[1]", "from_list has 1 inputs for 2 shards");
    expect_refused(&host, 1, "from_list", "{}", "the inputs of from_list must be one array");
    zonda_error error = { 0 };
    fake_body body = fake_body_of(&host, 1);
    fake_body_op(&body, "from_list", "{}");
    assert_null(fake_body_open(&body, &error));
    assert_err(error.code, PLAN);
    assert_string_equal(error.text, "from_list has no digest of its inputs");
    zn_stage_exec *stage = open_source(&host, 1, "from_files", "{}", "[17]");
    error = fake_run_failing(stage, 0, 1);
    assert_string_equal(error.text, "input 0 is not a path");
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* A blob that nobody has keeps the host's code. */
static void test_inputs_missing_blob_is_unknown(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zonda_error error = { 0 };
    fake_body body = fake_body_of(&host, 1);
    fake_body_source(&body, "from_list", "{}", "[1]");
    memset(&host.blobs[0].digest, 1, sizeof host.blobs[0].digest);
    assert_null(fake_body_open(&body, &error));
    assert_err(error.code, UNKNOWN_BLOB);
    fake_host_close(&host);
}

/* For many n and k the shards are contiguous, complete and even. */
static void test_from_range_shards_cover_the_range(void **state) {
    (void)state;
    static const uint64_t sizes[] = { 0, 1, 2, 7, 64, 100 };
    static const uint64_t counts[] = { 1, 2, 3, 7, 64, 101 };
    fake_host host;
    fake_host_open(&host);
    for (size_t i = 0; i < 6; i++) {
        for (size_t k = 0; k < 6; k++) {
            char *args = zn_format("{\"n\":%d}", (int)sizes[i]);
            zn_stage_exec *stage = open_source(&host, counts[k], "from_range", args, NULL);
            free(args);
            uint64_t next = 0;
            for (uint64_t task = 0; task < counts[k]; task++) {
                char *lines = fake_run(&host, stage, task);
                uint64_t size = 0;
                for (char *at = strtok(lines, "\n"); at != NULL; at = strtok(NULL, "\n")) {
                    assert_int_equal(strtoull(at, NULL, 10), next++);
                    size++;
                }
                assert_in_range(size, sizes[i] / counts[k], (sizes[i] + counts[k] - 1) / counts[k]);
                free(lines);
            }
            assert_int_equal(next, sizes[i]);
            zn_stage_exec_destroy(&stage);
        }
    }
    fake_host_close(&host);
}

/* The products of the split exceed 64 bits; the last shard still ends at n. */
static void test_from_range_huge_does_not_overflow(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    host.cancel_after = 4;
    zn_stage_exec *stage =
        open_source(&host, 1000000000, "from_range", "{\"n\":9223372036854775807}", NULL);
    zn_outcome outcome = { 0 };
    assert_false(zn_stage_exec_run(stage, 999999999, 1, &outcome));
    zn_stage_exec_destroy(&stage);

    host.cancel_after = UINT64_MAX;
    stage = open_source(&host, 1000000000, "from_range", "{\"n\":1000000001}", NULL);
    expect_task(&host, stage, 0, "0\n");
    expect_task(&host, stage, 999999999, "999999999\n1000000000\n");
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* from_files gives the path and does not need the file. */
static void test_from_files_emits_paths(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zn_stage_exec *stage = open_source(&host, 2, "from_files", "{}", "[\"/no/a\",\"/no/b\"]");
    expect_task(&host, stage, 1, "\"/no/b\"\n");
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

static zn_stage_exec *open_file(fake_host *host, const char *name, const char *format) {
    char *inputs = zn_format("[\"%s/%s\"]", host->folder, name);
    char *args = zn_format("{\"format\":\"%s\"}", format);
    zn_stage_exec *stage = open_source(host, 1, "read", args, inputs);
    free(inputs);
    free(args);
    return stage;
}

/* Blank lines are no records; field order and integers survive. */
static void test_read_jsonl_gives_records(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    fake_host_write(&host, "a.jsonl",
                    "{\"z\":9223372036854775807,\"a\":1.0}\n\n  \t\r\n[1]\n\"e\"");
    zn_stage_exec *stage = open_file(&host, "a.jsonl", "jsonl");
    expect_task(&host, stage, 0, "{\"z\":9223372036854775807,\"a\":1.0}\n[1]\n\"e\"\n");
    zn_outcome outcome = { 0 };
    assert_true(zn_stage_exec_run(stage, 0, 2, &outcome));
    assert_int_equal(outcome.records_in, 3);
    assert_int_equal(outcome.records_out, 3);
    assert_int_equal(outcome.bytes_in, 47);
    assert_true(outcome.bytes_out > 0);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* Without a format each file is read as its suffix says; an unknown one is an error of its task. */
static void test_read_without_format_goes_by_suffix(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    fake_host_write(&host, "a.txt", "{}");
    fake_host_write(&host, "b.jsonl", "{}");
    fake_host_write(&host, "c.dat", "{}");
    char *inputs = zn_format("[\"%s/a.txt\",\"%s/b.jsonl\",\"%s/c.dat\"]", host.folder, host.folder,
                             host.folder);
    zn_stage_exec *stage = open_source(&host, 3, "read", "{}", inputs);
    free(inputs);
    expect_task(&host, stage, 0, "\"{}\"\n");
    expect_task(&host, stage, 1, "{}\n");
    zonda_error error = fake_run_failing(stage, 2, 1);
    assert_err(error.code, PLAN);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* A bad line: permanent, with operator, shard, attempt, file, line and column; and the stage goes
 * on to the next task. */
static void test_read_bad_json_says_where(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    fake_host_write(&host, "a.jsonl", "{\"a\":1}\n\n{\"a\":tru}\n");
    fake_host_write(&host, "b.jsonl", "5\n");
    char *inputs = zn_format("[\"%s/b.jsonl\",\"%s/a.jsonl\"]", host.folder, host.folder);
    zn_stage_exec *stage = open_source(&host, 2, "read", "{\"format\":\"jsonl\"}", inputs);
    free(inputs);
    zonda_error error = fake_run_failing(stage, 1, 2);
    assert_err(error.code, BAD_RECORD);
    assert_true(error.permanent);
    assert_string_equal(error.op, "read");
    assert_true(error.has_shard);
    assert_int_equal(error.shard, 1);
    assert_int_equal(error.attempt, 2);
    assert_int_equal(error.line, 3);
    assert_true(error.column >= 6);
    char *path = fake_host_path(&host, "a.jsonl");
    assert_string_equal(error.file, path);
    free(path);
    expect_task(&host, stage, 0, "5\n");
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* A line is a string record, also an empty one; CRLF is a line end. */
static void test_read_text_gives_lines(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    fake_host_write(&host, "a.txt", "one\r\n\nd\xc3\xa9j\xc3\xa0");
    zn_stage_exec *stage = open_file(&host, "a.txt", "text");
    expect_task(&host, stage, 0, "\"one\"\n\"\"\n\"d\xc3\xa9j\xc3\xa0\"\n");
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* Text that is not UTF-8 is a bad record, never a changed one. */
static void test_read_text_invalid_utf8_says_where(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    fake_host_write(&host, "a.txt", "one\nab\xff");
    zn_stage_exec *stage = open_file(&host, "a.txt", "text");
    zonda_error error = fake_run_failing(stage, 0, 1);
    assert_err(error.code, BAD_RECORD);
    assert_true(error.permanent);
    assert_int_equal(error.line, 2);
    assert_int_equal(error.column, 3);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* A file that is not there is named; another attempt may find it. */
static void test_read_missing_file_is_io(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zn_stage_exec *stage = open_file(&host, "none.txt", "text");
    zonda_error error = fake_run_failing(stage, 0, 1);
    assert_err(error.code, IO);
    assert_false(error.permanent);
    assert_non_null(strstr(error.file, "none.txt"));
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

static zn_result inline_result(uint64_t first, uint64_t count, uint64_t records, zn_bytes bytes) {
    return (zn_result){ .first = first, .count = count, .records_out = records, .records = bytes };
}

static const uint8_t one[] = { 1 };
static const uint8_t two_three[] = { 2, 3 };

/* All results come in task order, over pages and runs of equal results. */
static void test_stage_source_reads_pages_in_order(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zn_result first[] = { inline_result(0, 2, 1, (zn_bytes){ one, 1 }) };
    zn_result second[] = { inline_result(2, 1, 2, (zn_bytes){ two_three, 2 }),
                           inline_result(3, 1, 0, (zn_bytes){ 0 }) };
    zn_msg_results pages[] = { { .total = 4, .results = first, .results_count = 1 },
                               { .total = 4, .results = second, .results_count = 2 } };
    host.pages = pages;
    host.page_count = 2;
    zn_stage_exec *stage = open_source(&host, 1, "stage", "{\"stage\":0}", NULL);
    expect_task(&host, stage, 0, "1\n1\n2\n3\n");
    assert_int_equal(host.page_next, 2);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* A stage that had no shards is not asked for. */
static void test_stage_source_empty_reads_nothing(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zn_stage_exec *stage = open_source(&host, 1, "stage", "{\"empty\":true}", NULL);
    expect_task(&host, stage, 0, "");
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

static void expect_bad_page(zn_msg_results page, zonda_err code, const char *text) {
    fake_host host;
    fake_host_open(&host);
    host.pages = &page;
    host.page_count = 1;
    zn_stage_exec *stage = open_source(&host, 1, "stage", "{\"stage\":0}", NULL);
    zonda_error error = fake_run_failing(stage, 0, 1);
    assert_int_equal(error.code, code);
    assert_string_equal(error.text, text);
    assert_string_equal(error.op, "stage");
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* Gaps, missing pages, wrong counts and broken records end the task. */
static void test_stage_source_bad_page_is_an_error(void **state) {
    (void)state;
    static const uint8_t broken[] = { 0x92, 1 };
    zn_result gap = inline_result(1, 1, 1, (zn_bytes){ one, 1 });
    expect_bad_page((zn_msg_results){ .total = 2, .results = &gap, .results_count = 1 },
                    ZONDA_ERR_PROTOCOL, "the results have a gap at task 0");
    expect_bad_page((zn_msg_results){ .total = 2 }, ZONDA_ERR_WORKER_LOST,
                    "the result of task 0 of stage 0 is lost and being made again");
    zn_result wrong = inline_result(0, 1, 2, (zn_bytes){ one, 1 });
    expect_bad_page((zn_msg_results){ .total = 1, .results = &wrong, .results_count = 1 },
                    ZONDA_ERR_CORRUPT, "task 0 of stage 0 gave 2 records, but 1 were read");
    zn_result bytes = inline_result(0, 1, 1, (zn_bytes){ broken, 2 });
    expect_bad_page((zn_msg_results){ .total = 1, .results = &bytes, .results_count = 1 },
                    ZONDA_ERR_PROTOCOL,
                    "a result of an earlier stage: MessagePack value at byte 0 claims more than "
                    "the 1 bytes that follow");
}

/* A large result is fetched from the worker that has it, between inline ones. */
static void test_stage_source_follows_references(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zonda_error error = { 0 };
    zn_segment *segment = zn_segment_new(host.folder, (zn_job_id){ 7 }, (zn_stage_id){ 0 }, "w");
    assert_ok(zn_segment_start(segment, &error), error);
    assert_ok(zn_segment_add(segment, (zn_bytes){ two_three, 1 }, &error), error);
    assert_ok(zn_segment_add(segment, (zn_bytes){ two_three + 1, 1 }, &error), error);
    zn_reference reference = { .segment = zn_bytes_of_text(zn_segment_name(segment)) };
    assert_ok(zn_segment_finish(segment, &reference.offset, &reference.length, &error), error);
    zn_data_server *server = zn_data_server_start("inproc://ops-test-data", host.folder, &error);
    assert_ok(error.code, error);
    zn_result results[] = { inline_result(0, 1, 1, (zn_bytes){ one, 1 }),
                            { .first = 1,
                              .count = 1,
                              .records_out = 2,
                              .reference = &reference,
                              .reference_count = 1,
                              .endpoint = zn_bytes_of_text(zn_data_server_endpoint(server)) } };
    zn_msg_results page = { .total = 2, .results = results, .results_count = 2 };
    host.pages = &page;
    host.page_count = 1;
    zn_stage_exec *stage = open_source(&host, 1, "stage", "{\"stage\":0}", NULL);
    expect_task(&host, stage, 0, "1\n2\n3\n");
    zn_stage_exec_destroy(&stage);
    zn_data_server_stop(&server);
    zn_segment_destroy(&segment);
    fake_host_close(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_list_item_is_shard),
        cmocka_unit_test(test_from_list_many_items_are_found),
        cmocka_unit_test(test_inputs_wrong_blob_is_plan_error),
        cmocka_unit_test(test_inputs_missing_blob_is_unknown),
        cmocka_unit_test(test_from_range_shards_cover_the_range),
        cmocka_unit_test(test_from_range_huge_does_not_overflow),
        cmocka_unit_test(test_from_files_emits_paths),
        cmocka_unit_test(test_read_jsonl_gives_records),
        cmocka_unit_test(test_read_without_format_goes_by_suffix),
        cmocka_unit_test(test_read_bad_json_says_where),
        cmocka_unit_test(test_read_text_gives_lines),
        cmocka_unit_test(test_read_text_invalid_utf8_says_where),
        cmocka_unit_test(test_read_missing_file_is_io),
        cmocka_unit_test(test_stage_source_reads_pages_in_order),
        cmocka_unit_test(test_stage_source_empty_reads_nothing),
        cmocka_unit_test(test_stage_source_bad_page_is_an_error),
        cmocka_unit_test(test_stage_source_follows_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
