/* SPDX-License-Identifier: MPL-2.0 */
/* Segments: where results are, what is cut off, which names exist. */
#include "test.h"

#include <signal.h>
#include <sys/resource.h>

#include "base/limits.h"
#include "folder.h"
#include "store/block.h"
#include "store/segment.h"

static zn_segment *new_segment(const char *scratch) {
    return zn_segment_new(scratch, (zn_job_id){ 3 }, (zn_stage_id){ 0 }, "slot1");
}

static void add_texts(zn_segment *segment, uint32_t count, char letter) {
    uint8_t record[101] = { 0xD9, 99 };
    memset(record + 2, letter, 99);
    zonda_error error = { 0 };
    for (uint32_t i = 0; i < count; i++) {
        assert_ok(zn_segment_add(segment, (zn_bytes){ record, sizeof record }, &error), error);
    }
}

/* Reads [offset, offset + length) back, checks each record's letter, and counts. */
static void assert_result(const char *scratch, const zn_segment *segment, uint64_t offset,
                          uint64_t length, uint32_t records, char letter) {
    uint8_t *bytes = malloc(length + 1);
    size_t got = 0;
    zonda_error error = { 0 };
    assert_ok(zn_segment_read_at(scratch, zn_bytes_of_text(zn_segment_name(segment)), offset, bytes,
                                 length, &got, &error),
              error);
    assert_int_equal(got, length);
    zn_block_codec *codec = zn_block_codec_new();
    zn_bytes rest = { bytes, length };
    uint32_t found = 0;
    while (rest.len > 0) {
        zn_bytes part;
        uint32_t count = 0;
        size_t used = 0;
        size_t need = 0;
        assert_ok(zn_block_unpack(codec, rest, &part, &count, &used, &need, &error), error);
        assert_true(part.len <= ZN_BLOCK_RAW_BYTES + 101);
        for (size_t i = 2; i < part.len; i += 101) {
            assert_int_equal(part.data[i], letter);
        }
        found += count;
        rest = (zn_bytes){ rest.data + used, rest.len - used };
    }
    assert_int_equal(found, records);
    zn_block_codec_destroy(&codec);
    free(bytes);
}

/* Results lie one behind another and read back equal, small ones and ones of several blocks. */
static void test_segment_results_read_back(void **state) {
    static const uint32_t counts[] = { 1, 10000, 0, 2595, 7 };
    zn_segment *segment = new_segment(*state);
    uint64_t offsets[5];
    uint64_t lengths[5];
    uint64_t expected = 0;
    zonda_error error = { 0 };
    for (size_t i = 0; i < 5; i++) {
        assert_ok(zn_segment_start(segment, &error), error);
        add_texts(segment, counts[i], (char)('a' + i));
        assert_ok(zn_segment_finish(segment, &offsets[i], &lengths[i], &error), error);
        assert_int_equal(offsets[i], expected);
        assert_true((lengths[i] == 0) == (counts[i] == 0));
        expected += lengths[i];
    }
    for (size_t i = 0; i < 5; i++) {
        assert_result(*state, segment, offsets[i], lengths[i], counts[i], (char)('a' + i));
    }
    zn_segment_destroy(&segment);
}

/* Nothing written, no file made. */
static void test_segment_is_made_lazily(void **state) {
    zn_segment *segment = new_segment(*state);
    uint64_t offset = 9;
    uint64_t length = 9;
    zonda_error error = { 0 };
    assert_ok(zn_segment_start(segment, &error), error);
    assert_ok(zn_segment_finish(segment, &offset, &length, &error), error);
    assert_int_equal(length, 0);
    assert_int_equal(folder_count(*state), 0);
    assert_string_equal(zn_segment_name(segment), "job3-stage0-slot1.seg");
    zn_segment_destroy(&segment);
}

/* An unfinished result, small or of many blocks, is gone after the next start. */
static void test_segment_unfinished_is_cut_off(void **state) {
    zn_segment *segment = new_segment(*state);
    char *path = zn_format("%s/%s", (char *)*state, zn_segment_name(segment));
    uint64_t offset = 0;
    uint64_t length = 0;
    zonda_error error = { 0 };
    assert_ok(zn_segment_start(segment, &error), error);
    add_texts(segment, 3, 'a');
    assert_ok(zn_segment_finish(segment, &offset, &length, &error), error);
    uint64_t first = length;
    for (uint32_t count = 1; count <= 30000; count *= 30) {
        assert_ok(zn_segment_start(segment, &error), error);
        add_texts(segment, count, 'x');
    }
    assert_ok(zn_segment_start(segment, &error), error);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, first);
    add_texts(segment, 3, 'b');
    assert_ok(zn_segment_finish(segment, &offset, &length, &error), error);
    assert_int_equal(offset, first);
    assert_result(*state, segment, 0, first, 3, 'a');
    assert_result(*state, segment, offset, length, 3, 'b');
    zn_segment_destroy(&segment);
    free(path);
}

/* What is abandoned gives its room back at once, before and between other results. */
static void test_segment_abandoned_is_cut_off_at_once(void **state) {
    zn_segment *segment = new_segment(*state);
    char *path = zn_format("%s/%s", (char *)*state, zn_segment_name(segment));
    zn_segment_abandon(segment);
    uint64_t end = 0;
    for (int round = 0; round < 3; round++) {
        uint64_t offset = 0;
        uint64_t length = 0;
        zonda_error error = { 0 };
        assert_ok(zn_segment_start(segment, &error), error);
        add_texts(segment, 30000, 'x');
        zn_segment_abandon(segment);
        zn_segment_abandon(segment);
        struct stat status;
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_size, end);
        assert_ok(zn_segment_start(segment, &error), error);
        add_texts(segment, 5, 'a');
        assert_ok(zn_segment_finish(segment, &offset, &length, &error), error);
        assert_int_equal(offset, end);
        assert_result(*state, segment, offset, length, 5, 'a');
        end += length;
    }
    zn_segment_destroy(&segment);
    free(path);
}

/* A new writer of the same name goes on behind what is there. */
static void test_segment_second_writer_keeps_the_first(void **state) {
    uint64_t offsets[2];
    uint64_t lengths[2];
    for (size_t i = 0; i < 2; i++) {
        zn_segment *segment = new_segment(*state);
        zonda_error error = { 0 };
        assert_ok(zn_segment_start(segment, &error), error);
        add_texts(segment, 4, (char)('a' + i));
        assert_ok(zn_segment_finish(segment, &offsets[i], &lengths[i], &error), error);
        if (i == 1) {
            assert_result(*state, segment, offsets[0], lengths[0], 4, 'a');
            assert_result(*state, segment, offsets[1], lengths[1], 4, 'b');
        }
        zn_segment_destroy(&segment);
    }
}

/* A scratch folder that is gone is IO, at the block that needs it, and can be tried again. */
static void test_segment_missing_scratch_is_io(void **state) {
    char *scratch = zn_format("%s/gone", (char *)*state);
    zn_segment *segment = new_segment(scratch);
    uint64_t offset = 0;
    uint64_t length = 0;
    zonda_error error = { 0 };
    assert_ok(zn_segment_start(segment, &error), error);
    add_texts(segment, 1, 'a');
    assert_err(zn_segment_finish(segment, &offset, &length, &error), IO);
    assert_int_equal(mkdir(scratch, 0700), 0);
    assert_ok(zn_segment_start(segment, &error), error);
    add_texts(segment, 2, 'b');
    assert_ok(zn_segment_finish(segment, &offset, &length, &error), error);
    assert_result(scratch, segment, offset, length, 2, 'b');
    zn_segment_destroy(&segment);
    free(scratch);
}

/* No room on the disk, seen as a limit on the size of files: DISK_FULL that names the file, what
 * was written of the result is gone at once, and the segment goes on when there is room again. */
static void test_segment_full_disk_is_cut_back(void **state) {
    zn_segment *segment = new_segment(*state);
    char *path = zn_format("%s/%s", (char *)*state, zn_segment_name(segment));
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    uint64_t offset = 0;
    uint64_t first = 0;
    uint64_t length = 0;
    zonda_error error = { 0 };
    assert_ok(zn_segment_start(segment, &error), error);
    add_texts(segment, 3, 'a');
    assert_ok(zn_segment_finish(segment, &offset, &first, &error), error);
    struct rlimit small = { .rlim_cur = first + 10, .rlim_max = old.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_ok(zn_segment_start(segment, &error), error);
    add_texts(segment, 3, 'b');
    zonda_err code = zn_segment_finish(segment, &offset, &length, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
    assert_err(code, DISK_FULL);
    assert_string_equal(error.file, path);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, first);
    assert_ok(zn_segment_start(segment, &error), error);
    add_texts(segment, 4, 'c');
    assert_ok(zn_segment_finish(segment, &offset, &length, &error), error);
    assert_result(*state, segment, 0, first, 3, 'a');
    assert_result(*state, segment, offset, length, 4, 'c');
    zn_segment_destroy(&segment);
    free(path);
}

/* A record above the limit is refused. */
static void test_segment_huge_record_is_limit(void **state) {
    zn_segment *segment = new_segment(*state);
    zonda_error error = { 0 };
    static const uint8_t byte = 0;
    assert_ok(zn_segment_start(segment, &error), error);
    assert_err(zn_segment_add(segment, (zn_bytes){ &byte, ZN_RECORD_BYTES_MAX + 1 }, &error),
               LIMIT);
    zn_segment_destroy(&segment);
}

/* Only the exact form is a name; nothing that could leave the folder passes. */
static void test_segment_names_table(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool valid;
    } rows[] = {
        { "job1-stage0-slot0.seg", true },
        { "job18446744073709551615-stage4294967295-a_B-9.seg", true },
        { "job1-stage0--.seg", true },
        { "", false },
        { "job1-stage0-.seg", false },
        { "job0-stage0-a.seg", false },
        { "job01-stage0-a.seg", false },
        { "job1-stage00-a.seg", false },
        { "job-stage0-a.seg", false },
        { "job1-stage-a.seg", false },
        { "job18446744073709551616-stage0-a.seg", false },
        { "job1-stage4294967296-a.seg", false },
        { "job1-stage0-a", false },
        { "job1-stage0-a.seg2", false },
        { "job1-stage0-a.b.seg", false },
        { "job1-stage0-../../etc/passwd.seg", false },
        { "../job1-stage0-a.seg", false },
        { "/job1-stage0-a.seg", false },
        { "job1-stage0-a b.seg", false },
        { "job1-stage0-\xC3\xA9.seg", false },
        { "Job1-stage0-a.seg", false },
        { "job1-stage0-1234567890123456789012345678901234567890123456789012345678901234.seg",
          true },
        { "job1-stage0-12345678901234567890123456789012345678901234567890123456789012345.seg",
          false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (zn_segment_name_valid(zn_bytes_of_text(rows[i].name)) != rows[i].valid) {
            fail_msg("'%s'", rows[i].name);
        }
    }
    assert_false(zn_segment_name_valid((zn_bytes){ (const uint8_t *)"job1-stage0-a\0.seg", 18 }));
}

/* Reading: names and places are checked, absence is told from failure, the end is short. */
static void test_segment_read_at_table(void **state) {
    char *path = zn_format("%s/job1-stage0-a.seg", (char *)*state);
    static const char content[] = "0123456789";
    file_put(path, zn_bytes_of_text(content));
    static const struct {
        const char *name;
        uint64_t offset;
        zonda_err code;
        size_t got;
    } rows[] = {
        { "job1-stage0-a.seg", 0, ZONDA_OK, 4 },
        { "job1-stage0-a.seg", 8, ZONDA_OK, 2 },
        { "job1-stage0-a.seg", 10, ZONDA_OK, 0 },
        { "job1-stage0-a.seg", 1000, ZONDA_OK, 0 },
        { "job1-stage0-a.seg", INT64_MAX, ZONDA_ERR_INVALID, 0 },
        { "job1-stage0-b.seg", 0, ZONDA_ERR_NOT_FOUND, 0 },
        { "../job1-stage0-a.seg", 0, ZONDA_ERR_INVALID, 0 },
        { "job1-stage0-folder.seg", 0, ZONDA_ERR_IO, 0 },
        { "job1-stage0-link.seg", 0, ZONDA_ERR_IO, 0 },
    };
    char *folder = zn_format("%s/job1-stage0-folder.seg", (char *)*state);
    char *link = zn_format("%s/job1-stage0-link.seg", (char *)*state);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(symlink("/etc/passwd", link), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t out[4];
        size_t got = 0;
        zonda_error error = { 0 };
        zonda_err code = zn_segment_read_at(*state, zn_bytes_of_text(rows[i].name), rows[i].offset,
                                            out, sizeof out, &got, &error);
        assert_int_equal(code, rows[i].code);
        assert_int_equal(got, rows[i].got);
        assert_memory_equal(out, content + (got > 0 ? rows[i].offset : 0), got);
    }
    free(link);
    free(folder);
    free(path);
}

/* Removing a job takes its segments, all stages and owners, and nothing else. */
static void test_segment_remove_job_takes_only_its_own(void **state) {
    static const char *const names[] = {
        "job1-stage0-a.seg", "job1-stage7-b.seg", "job11-stage0-a.seg",
        "job2-stage0-a.seg", "job1-stage0-a.txt", "job1",
    };
    for (size_t i = 0; i < 6; i++) {
        char *path = zn_format("%s/%s", (char *)*state, names[i]);
        file_put(path, zn_bytes_of_text("x"));
        free(path);
    }
    zn_segment_remove_job(*state, (zn_job_id){ 1 });
    assert_int_equal(folder_count(*state), 4);
    zn_segment_remove_job(*state, (zn_job_id){ 1 });
    zn_segment_remove_job("/nonexistent", (zn_job_id){ 1 });
    assert_int_equal(folder_count(*state), 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        folder_test(test_segment_results_read_back),
        folder_test(test_segment_is_made_lazily),
        folder_test(test_segment_unfinished_is_cut_off),
        folder_test(test_segment_abandoned_is_cut_off_at_once),
        folder_test(test_segment_second_writer_keeps_the_first),
        folder_test(test_segment_missing_scratch_is_io),
        folder_test(test_segment_full_disk_is_cut_back),
        folder_test(test_segment_huge_record_is_limit),
        cmocka_unit_test(test_segment_names_table),
        folder_test(test_segment_read_at_table),
        folder_test(test_segment_remove_job_takes_only_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
