/* SPDX-License-Identifier: MPL-2.0 */
/* Every message of the table: there and back at its limits, against the golden files, and refused
 * when anything about it is wrong. */
#include "test.h"

#include "base/alloc.h"
#include "sample.h"
#include "wire/frame.h"
#include "wire/message_gap.h"

static sample_message samples;
static zn_decoder *decoder;

/* Encodes a sample and checks that decoding and encoding again gives the same bytes. */
static void check_round_trip(const zn_layout *layout, sample_kind kind) {
    zonda_error error = { 0 };
    zn_buf there = { 0 };
    zn_buf again = { 0 };
    zn_message back;
    sample_fill(&samples, layout, kind);
    zn_message_encode(&samples.message, &there);
    assert_ok(zn_decoder_decode(decoder, zn_buf_bytes(&there), &back, &error), error);
    zn_message_encode(&back, &again);
    assert_true(zn_bytes_equal(zn_buf_bytes(&there), zn_buf_bytes(&again)));
    zn_buf line = { 0 };
    again.len = 0;
    zn_message_print(&samples.message, &line);
    zn_message_print(&back, &again);
    assert_true(zn_bytes_equal(zn_buf_bytes(&line), zn_buf_bytes(&again)));
    zn_buf_free(&line);
    zn_buf_free(&there);
    zn_buf_free(&again);
    sample_free(&samples);
}

/* Values from empty to full survive the way there and back. */
static void test_message_every_one_goes_there_and_back(void **state) {
    (void)state;
    const zn_layout *layout = NULL;
    for (size_t i = 0; (layout = zn_layout_message_at(i)) != NULL; i++) {
        check_round_trip(layout, SAMPLE_EMPTY);
        check_round_trip(layout, SAMPLE_MIXED);
        check_round_trip(layout, SAMPLE_FULL);
    }
}

/* What we send is byte for byte what this protocol version always was, and we can read it. */
static void test_message_every_one_equals_its_golden_file(void **state) {
    (void)state;
    const zn_layout *layout = NULL;
    for (size_t i = 0; (layout = zn_layout_message_at(i)) != NULL; i++) {
        zonda_error error = { 0 };
        zn_buf golden = { 0 };
        zn_buf ours = { 0 };
        zn_message back;
        char *path = zn_format("%s/v%d/%s.bin", GOLDEN, ZN_PROTOCOL_VERSION, layout->name);
        sample_read_file(path, &golden);
        sample_fill(&samples, layout, SAMPLE_MIXED);
        zn_message_encode(&samples.message, &ours);
        assert_int_equal(ours.len, golden.len);
        assert_memory_equal(ours.data, golden.data, golden.len);
        assert_ok(zn_decoder_decode(decoder, zn_buf_bytes(&golden), &back, &error), error);
        assert_int_equal(back.number, layout->number);
        sample_free(&samples);
        zn_buf_free(&golden);
        zn_buf_free(&ours);
        free(path);
    }
}

/* Checks that a sample without the binary that is left out, and that binary, are the whole sample.
 */
static void check_around(const zn_layout *layout, sample_kind kind, size_t bytes_min) {
    zn_buf whole = { 0 };
    zn_buf around = { 0 };
    zn_gap gap;
    sample_fill(&samples, layout, kind);
    zn_message_encode(&samples.message, &whole);
    zn_message_encode_around(&samples.message, bytes_min, &around, &gap);
    assert_true(gap.bytes.len == 0 || gap.bytes.len >= bytes_min);
    assert_true(gap.offset <= around.len);
    assert_int_equal(around.len + gap.bytes.len, whole.len);
    assert_memory_equal(around.data, whole.data, gap.offset);
    if (gap.bytes.len > 0) {
        assert_memory_equal(gap.bytes.data, whole.data + gap.offset, gap.bytes.len);
    }
    size_t behind = gap.offset + gap.bytes.len;
    assert_memory_equal(around.data + gap.offset, whole.data + behind, whole.len - behind);
    zn_buf_free(&whole);
    zn_buf_free(&around);
    sample_free(&samples);
}

static void test_message_around_a_binary_is_the_rest(void **state) {
    (void)state;
    const zn_layout *layout = NULL;
    for (size_t i = 0; (layout = zn_layout_message_at(i)) != NULL; i++) {
        check_around(layout, SAMPLE_EMPTY, 1);
        check_around(layout, SAMPLE_MIXED, 1);
        check_around(layout, SAMPLE_MIXED, 1000000);
        check_around(layout, SAMPLE_FULL, 1);
        check_around(layout, SAMPLE_FULL, 4096);
    }
}

static void expect_refusal(zn_bytes bytes, const char *what) {
    zonda_error error = { 0 };
    zn_message back = { 0 };
    uint8_t *exact = zn_memdup(bytes.data, bytes.len); /* so that reading beyond it is noticed */
    zonda_err code = zn_decoder_decode(decoder, (zn_bytes){ exact, bytes.len }, &back, &error);
    free(exact);
    if (code != ZONDA_ERR_PROTOCOL && code != ZONDA_ERR_LIMIT) {
        fail_msg("%s: %s", what, zonda_err_name(code));
    }
    assert_int_equal(error.code, code);
    assert_int_equal(back.number, 0);
}

/* A message that is cut off anywhere is an error. */
static void test_message_truncated_at_every_byte_is_refused(void **state) {
    (void)state;
    const zn_layout *layout = NULL;
    for (size_t i = 0; (layout = zn_layout_message_at(i)) != NULL; i++) {
        zn_buf bytes = { 0 };
        sample_fill(&samples, layout, SAMPLE_MIXED);
        zn_message_encode(&samples.message, &bytes);
        for (size_t len = 0; len < bytes.len; len++) {
            expect_refusal((zn_bytes){ bytes.data, len }, layout->name);
        }
        zn_buf_append_byte(&bytes, 0xc0);
        expect_refusal(zn_buf_bytes(&bytes), "one value more");
        zn_buf_free(&bytes);
        sample_free(&samples);
    }
}

/* Any byte of a message may be any other: an error or another message, never worse. */
static void test_message_with_any_byte_changed_is_safe(void **state) {
    (void)state;
    const zn_layout *layout = NULL;
    static const uint8_t flips[] = { 0x01, 0x80, 0xff, 0x10 };
    for (size_t i = 0; (layout = zn_layout_message_at(i)) != NULL; i++) {
        zn_buf bytes = { 0 };
        zn_message back;
        sample_fill(&samples, layout, SAMPLE_MIXED);
        zn_message_encode(&samples.message, &bytes);
        for (size_t at = 0; at < bytes.len; at++) {
            for (size_t flip = 0; flip < sizeof flips; flip++) {
                bytes.data[at] ^= flips[flip];
                zn_decoder_decode(decoder, zn_buf_bytes(&bytes), &back, NULL);
                bytes.data[at] ^= flips[flip];
            }
        }
        zn_buf_free(&bytes);
        sample_free(&samples);
    }
}

/* Each field with a wrong type, over its limit, with bad text: the error names the field. */
static void test_message_every_field_is_checked(void **state) {
    (void)state;
    const zn_layout *layout = NULL;
    size_t checked = 0;
    for (size_t i = 0; (layout = zn_layout_message_at(i)) != NULL; i++) {
        for (size_t index = 0; index < layout->field_count; index++) {
            for (int defect = DEFECT_NIL; defect < DEFECT_COUNT; defect++) {
                zn_buf bytes = { 0 };
                if (sample_write_defect(layout, index, (sample_defect)defect, &bytes)) {
                    zonda_error error = { 0 };
                    zn_message back;
                    zonda_err code =
                        zn_decoder_decode(decoder, zn_buf_bytes(&bytes), &back, &error);
                    assert_err(code, PROTOCOL);
                    assert_non_null(strstr(error.text, layout->fields[index].name));
                    checked++;
                }
                zn_buf_free(&bytes);
            }
        }
    }
    assert_true(checked > 400);
}

/* Lists may be as long as the table says. */
static void test_message_list_at_its_limit_is_accepted(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_job_info *jobs = zn_calloc(ZN_JOBS_MAX, sizeof *jobs);
    zn_message message = { .number = ZN_MSG_JOBS,
                           .jobs = { .jobs = jobs, .jobs_count = ZN_JOBS_MAX } };
    zn_message back;
    zn_buf bytes = { 0 };
    zn_message_encode(&message, &bytes);
    assert_ok(zn_decoder_decode(decoder, zn_buf_bytes(&bytes), &back, &error), error);
    assert_int_equal(back.jobs.jobs_count, ZN_JOBS_MAX);
    zn_buf_free(&bytes);
    free(jobs);
}

/* Bytes that are no message at all. */
static void test_message_other_values_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *what;
        const char *bytes;
        size_t len;
    } cases[] = {
        { "nothing", "", 0 },
        { "nil", "\xc0", 1 },
        { "an empty array", "\x90", 1 },
        { "a map", "\x81\x01\x01", 3 },
        { "an unknown number", "\x91\xcd\x10\x00", 4 },
        { "a negative number", "\x91\xff", 2 },
        { "a text as number", "\x91\xa1x", 3 },
        { "a field too few", "\x91\x29", 2 },
        { "a field too many", "\x93\x29\x01\x01", 4 },
        { "the reserved byte", "\x92\x29\xc1", 3 },
        { "a count that lies", "\x92\x29\xdd\xff\xff\xff\xff", 7 },
        { "a length that lies", "\x92\x29\xc6\xff\xff\xff\xff", 7 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_refusal((zn_bytes){ (const uint8_t *)cases[i].bytes, cases[i].len }, cases[i].what);
    }
}

/* Depth bombs and number-of-values bombs end before anything is allocated for them. */
static void test_message_bombs_are_limits(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_message back;
    zn_buf bytes = { 0 };
    zn_buf_reserve(&bytes, 4 * ZN_MIB);
    memset(bytes.data, 0x91, ZN_MIB);
    bytes.len = ZN_MIB;
    assert_err(zn_decoder_decode(decoder, zn_buf_bytes(&bytes), &back, &error), LIMIT);
    static const uint8_t head[] = { 0xdd, 0x00, 0x30, 0x00, 0x00 };
    bytes.len = 0;
    zn_buf_append(&bytes, head, sizeof head);
    memset(bytes.data + bytes.len, 0xc0, 3 * ZN_MIB);
    bytes.len += 3 * ZN_MIB;
    assert_err(zn_decoder_decode(decoder, zn_buf_bytes(&bytes), &back, &error), LIMIT);
    zn_buf_free(&bytes);
}

/* The printed line is for people: names, cut binaries, escaped texts. */
static void test_message_print_is_one_readable_line(void **state) {
    (void)state;
    uint8_t digest[40] = { 0xab };
    zn_run runs[10] = { { .first = 3, .count = 2, .attempt = 1 } };
    zn_message message = { .number = ZN_MSG_TASK,
                           .task = { .epoch = 1,
                                     .sequence = 2,
                                     .body = { digest, sizeof digest },
                                     .runs = runs,
                                     .runs_count = 10 } };
    zn_buf line = { 0 };
    zn_message_print(&message, &line);
    zn_buf_append_byte(&line, '\0');
    const char *text = (const char *)line.data;
    assert_memory_equal(text, "TASK{epoch=1 sequence=2 job=0 stage=0 body=ab00", 47);
    assert_non_null(strstr(text, "…+8 runs=[{first=3 count=2 attempt=1} {"));
    assert_non_null(strstr(text, " …+2] hang_ms=0}"));
    line.len = 0;
    message = (zn_message){ .number = ZN_MSG_CANCEL_JOB,
                            .cancel_job = { .reason = zn_bytes_of_text("a\n\"é") } };
    zn_message_print(&message, &line);
    zn_buf_append_byte(&line, '\0');
    assert_string_equal((const char *)line.data,
                        "CANCEL_JOB{client=0 request=0 job=0 reason=\"a\\x0a\\\"é\"}");
    zn_buf_free(&line);
    assert_string_equal(zn_message_name(ZN_MSG_START_STAGE), "START_STAGE");
    assert_string_equal(zn_message_name(999), "?");
}

/* An error survives the wire; bytes in its text that are no UTF-8 become question marks. */
static void test_failure_goes_there_and_back(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_error_set(&error, ZONDA_ERR_USER, "bad \xff byte é");
    zn_error_at(&error, "data/x.jsonl", 12, 34);
    error.permanent = error.has_shard = true;
    error.shard = 5;
    error.attempt = 2;
    error.worker = 9;
    strcpy(error.op, "map");
    strcpy(error.traceback, "line 1\nline 2");
    zn_failure failure;
    zn_failure_from_error(&error, &failure);
    zn_message message = { .number = ZN_MSG_REFUSAL,
                           .refusal = { .failure = &failure, .failure_count = 1 } };
    zn_buf bytes = { 0 };
    zn_message back;
    zonda_error result = { 0 };
    zn_message_encode(&message, &bytes);
    assert_ok(zn_decoder_decode(decoder, zn_buf_bytes(&bytes), &back, &result), result);
    zn_failure_to_error(&back.refusal.failure[0], &result);
    assert_string_equal(result.text, "bad ? byte é");
    strcpy(error.text, result.text);
    assert_int_equal(result.code, error.code);
    char expected[2048];
    char got[2048];
    assert_string_equal(zonda_error_format(&result, got, sizeof got),
                        zonda_error_format(&error, expected, sizeof expected));
    assert_true(result.permanent);
    zn_buf_free(&bytes);
}

/* A failure without a reason is still a failure. */
static void test_failure_is_never_ok(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_failure failure;
    zn_failure_from_error(&error, &failure);
    assert_int_equal(failure.code, ZONDA_ERR_INTERNAL);
    failure = (zn_failure){ 0 };
    zn_failure_to_error(&failure, &error);
    assert_err(error.code, INTERNAL);
    failure.code = 200;
    zn_failure_to_error(&failure, &error);
    assert_err(error.code, INTERNAL);
}

static int set_up(void **state) {
    (void)state;
    decoder = zn_decoder_new();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    zn_decoder_destroy(&decoder);
    zn_decoder_destroy(&decoder);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_every_one_goes_there_and_back),
        cmocka_unit_test(test_message_every_one_equals_its_golden_file),
        cmocka_unit_test(test_message_around_a_binary_is_the_rest),
        cmocka_unit_test(test_message_truncated_at_every_byte_is_refused),
        cmocka_unit_test(test_message_with_any_byte_changed_is_safe),
        cmocka_unit_test(test_message_every_field_is_checked),
        cmocka_unit_test(test_message_list_at_its_limit_is_accepted),
        cmocka_unit_test(test_message_other_values_are_refused),
        cmocka_unit_test(test_message_bombs_are_limits),
        cmocka_unit_test(test_message_print_is_one_readable_line),
        cmocka_unit_test(test_failure_goes_there_and_back),
        cmocka_unit_test(test_failure_is_never_ok),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
