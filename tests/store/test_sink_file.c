/* SPDX-License-Identifier: MPL-2.0 */
/* Sink files: nothing under the target's name before publish, everything after, and nothing left
 * of attempts that failed, whoever clears up. */
#include "test.h"

#include "folder.h"
#include "store/sink_file.h"
#include "store/stream.h"

static zn_attempt_id attempt(uint32_t number) {
    return (zn_attempt_id){ .job = { 7 }, .stage = { 1 }, .task = 42, .attempt = number };
}

static bool exists(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0;
}

static zn_sink_file *open_sink(const char *path, uint32_t number) {
    zonda_error error = { 0 };
    zn_sink_file *file = zn_sink_file_open(path, attempt(number), 0, &error);
    if (file == NULL) {
        fail_msg("%s: %s", error.file, error.text);
    }
    return file;
}

/* The target appears at publish and not before, whole, with missing parents made. */
static void test_sink_file_appears_at_publish(void **state) {
    char *folder = zn_format("%s/a/b c/d", (char *)*state);
    char *path = zn_format("%s/out.jsonl", folder);
    zonda_error error = { 0 };
    zn_sink_file *file = open_sink(path, 1);
    assert_ok(zn_sink_file_write(file, zn_bytes_of_text("hello\n"), &error), error);
    assert_false(exists(path));
    assert_ok(zn_sink_file_seal(file, &error), error);
    assert_int_equal(zn_sink_file_bytes(file), 6);
    assert_false(exists(path));
    assert_ok(zn_sink_file_publish(file, &error), error);
    zn_sink_file_destroy(&file);
    zn_buf content = file_get(path);
    assert_int_equal(content.len, 6);
    assert_memory_equal(content.data, "hello\n", 6);
    assert_int_equal(folder_count(folder), 1);
    zn_buf_free(&content);
    free(path);
    free(folder);
}

/* Destroyed at any point before publish, it leaves nothing and an older target as it was. */
static void test_sink_file_discarded_leaves_nothing(void **state) {
    char *path = zn_format("%s/out.txt", (char *)*state);
    file_put(path, zn_bytes_of_text("old"));
    for (int step = 0; step < 3; step++) {
        zonda_error error = { 0 };
        zn_sink_file *file = open_sink(path, 1);
        if (step > 0) {
            assert_ok(zn_sink_file_write(file, zn_bytes_of_text("new"), &error), error);
        }
        if (step > 1) {
            assert_ok(zn_sink_file_seal(file, &error), error);
        }
        zn_sink_file_destroy(&file);
        assert_int_equal(folder_count(*state), 1);
    }
    zn_buf content = file_get(path);
    assert_memory_equal(content.data, "old", 3);
    zn_buf_free(&content);
    free(path);
}

/* An empty output is a valid file in every format. */
static void test_sink_file_empty_is_valid(void **state) {
    static const char *const names[] = { "e.txt", "e.gz", "e.zst" };
    static const char *const tests[] = { "test ! -s", "gzip -t", "zstd -tq" };
    for (size_t i = 0; i < 3; i++) {
        if (!zn_compression_available(zn_compression_of(names[i], NULL))) {
            continue;
        }
        char *path = zn_format("%s/%s", (char *)*state, names[i]);
        zonda_error error = { 0 };
        zn_sink_file *file = open_sink(path, 1);
        assert_ok(zn_sink_file_seal(file, &error), error);
        assert_ok(zn_sink_file_publish(file, &error), error);
        zn_sink_file_destroy(&file);
        assert_true(exists(path));
        char *command =
            zn_format("command -v %.4s >/dev/null || exit 0; %s %s", tests[i], tests[i], path);
        assert_int_equal(system(command), 0);
        free(command);
        free(path);
    }
}

/* A later attempt and a sweep remove what dead attempts left, but nothing of a living one. */
static void test_sink_file_clears_only_the_dead(void **state) {
    char *path = zn_format("%s/out", (char *)*state);
    char *dead = zn_format("%s/.out.zonda-7-1-42-1.tmp", (char *)*state);
    char *other = zn_format("%s/.out.zonda-7-1-43-1.tmp", (char *)*state);
    file_put(dead, zn_bytes_of_text("half"));
    file_put(other, zn_bytes_of_text("half"));
    zn_sink_file *living = open_sink(path, 2);
    assert_false(exists(dead));
    assert_true(exists(other));
    zn_sink_file *backup = open_sink(path, 3);
    zn_sink_file_sweep(path, attempt(2));
    zonda_error error = { 0 };
    assert_ok(zn_sink_file_seal(living, &error), error);
    assert_ok(zn_sink_file_publish(living, &error), error);
    zn_sink_file_destroy(&living);
    zn_sink_file_destroy(&backup);
    assert_true(exists(path));
    file_put(dead, zn_bytes_of_text("half"));
    zn_sink_file_sweep(path, attempt(1));
    zn_sink_file_sweep(path, attempt(1));
    assert_false(exists(dead));
    assert_int_equal(folder_count(*state), 2);
    free(other);
    free(dead);
    free(path);
}

/* Once one attempt has published, no other can, though it was granted before and only slept. */
static void test_sink_file_published_by_one_attempt_only(void **state) {
    for (uint32_t winner = 1; winner <= 2; winner++) {
        char *folder = zn_format("%s/%u", (char *)*state, winner);
        char *path = zn_format("%s/out.txt", folder);
        zonda_error error = { 0 };
        zn_sink_file *files[3] = { NULL, open_sink(path, 1), open_sink(path, 2) };
        for (uint32_t number = 1; number <= 2; number++) {
            char text[2] = { (char)('0' + number), '\0' };
            assert_ok(zn_sink_file_write(files[number], zn_bytes_of_text(text), &error), error);
            assert_ok(zn_sink_file_seal(files[number], &error), error);
        }
        assert_ok(zn_sink_file_publish(files[winner], &error), error);
        assert_int_equal(zn_sink_file_publish(files[3 - winner], &error), ZONDA_ERR_STALE);
        zn_sink_file_destroy(&files[1]);
        zn_sink_file_destroy(&files[2]);
        zn_buf content = file_get(path);
        assert_int_equal(content.len, 1);
        assert_int_equal(content.data[0], '0' + winner);
        assert_int_equal(folder_count(folder), 1);
        zn_buf_free(&content);
        free(path);
        free(folder);
    }
}

/* When a job is over, what its dead attempts have left goes; of others, and of the living, nothing.
 */
static void test_sink_file_sweep_of_a_folder_takes_the_dead_of_the_job(void **state) {
    char *folder = zn_format("%s/", (char *)*state);
    char *path = zn_format("%sout.txt", folder);
    static const char *const names[] = { ".out.txt.zonda-7-1-42-9.tmp",
                                         ".out.txt.zonda-7-2-42-9.tmp",
                                         ".out.txt.zonda-71-1-42-9.tmp",
                                         "out.txt.zonda-7-1-4.txt" };
    for (size_t i = 0; i < 4; i++) {
        char *name = zn_format("%s%s", folder, names[i]);
        file_put(name, zn_bytes_of_text("x"));
        free(name);
    }
    zn_sink_file *living = open_sink(path, 3);
    zn_sink_file_sweep_folder(folder, (zn_job_id){ 7 }, (zn_stage_id){ 1 });
    assert_int_equal(folder_count(folder), 4);
    zn_sink_file_destroy(&living);
    assert_int_equal(folder_count(folder), 3);
    char *dead = zn_format("%s%s", folder, names[0]);
    assert_false(exists(dead));
    free(dead);
    free(path);
    free(folder);
}

/* The temporary of a killed run with the same ids is taken over; one in use is an error. */
static void test_sink_file_same_attempt_again(void **state) {
    char *path = zn_format("%s/out", (char *)*state);
    char *dead = zn_format("%s/.out.zonda-7-1-42-1.tmp", (char *)*state);
    file_put(dead, zn_bytes_of_text("half"));
    zn_sink_file *first = open_sink(path, 1);
    zonda_error error = { 0 };
    assert_null(zn_sink_file_open(path, attempt(1), 0, &error));
    assert_int_equal(error.code, ZONDA_ERR_IO);
    assert_ok(zn_sink_file_seal(first, &error), error);
    assert_ok(zn_sink_file_publish(first, &error), error);
    zn_sink_file_destroy(&first);
    zn_buf content = file_get(path);
    assert_int_equal(content.len, 0);
    zn_buf_free(&content);
    free(dead);
    free(path);
}

/* Places where no file can be made: one IO error with the file and the cause, nothing left. */
static void test_sink_file_impossible_places_are_io(void **state) {
    char *blocker = zn_format("%s/file", (char *)*state);
    file_put(blocker, zn_bytes_of_text("x"));
    char *rows[] = {
        zn_format("%s/out", blocker),
        zn_format("%s/deep/out", blocker),
        zn_format("%s/folder/", (char *)*state),
        zn_format("%s/%0*d", (char *)*state, 250, 1),
        zn_format("%s/%0*d/out", (char *)*state, 300, 1),
        zn_strdup(""),
        zn_strdup("/proc/zonda/out"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        zonda_error error = { 0 };
        assert_null(zn_sink_file_open(rows[i], attempt(1), 0, &error));
        assert_int_equal(error.code, ZONDA_ERR_IO);
        assert_true(error.text[0] != '\0');
        free(rows[i]);
    }
    assert_int_equal(folder_count(*state), 1);
    zonda_error error = { 0 };
    assert_null(zn_sink_file_open("s3://bucket/out", attempt(1), 0, &error));
    assert_int_equal(error.code, ZONDA_ERR_UNSUPPORTED);
    free(blocker);
}

/* A folder under the target's name fails at publish and leaves no temporary. */
static void test_sink_file_target_is_a_folder(void **state) {
    char *path = zn_format("%s/out", (char *)*state);
    assert_int_equal(mkdir(path, 0700), 0);
    zonda_error error = { 0 };
    zn_sink_file *file = open_sink(path, 1);
    assert_ok(zn_sink_file_seal(file, &error), error);
    assert_err(zn_sink_file_publish(file, &error), IO);
    assert_string_equal(error.file, path);
    zn_sink_file_destroy(&file);
    assert_int_equal(folder_count(*state), 1);
    free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        folder_test(test_sink_file_appears_at_publish),
        folder_test(test_sink_file_discarded_leaves_nothing),
        folder_test(test_sink_file_empty_is_valid),
        folder_test(test_sink_file_clears_only_the_dead),
        folder_test(test_sink_file_published_by_one_attempt_only),
        folder_test(test_sink_file_sweep_of_a_folder_takes_the_dead_of_the_job),
        folder_test(test_sink_file_same_attempt_again),
        folder_test(test_sink_file_impossible_places_are_io),
        folder_test(test_sink_file_target_is_a_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
