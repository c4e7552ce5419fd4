/* SPDX-License-Identifier: MPL-2.0 */
/* exec and each from C, in the threads of a cluster in this process. */
#include "local_fixture.h"

#include <dirent.h>

/* Pipes and processes that are watched; sockets of closed clusters go in their own time. */
static size_t count_files(void) {
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    size_t count = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char target[64];
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        count += strncmp(target, "pipe:", 5) == 0 || strstr(target, "pidfd") != NULL;
    }
    closedir(folder);
    return count;
}

/* Words are words: nothing is split, nothing is expanded. */
static void test_commands_exec_takes_words(void **state) {
    local_fixture *fixture = *state;
    const char *words[] = { "sed", "s/$/ /;s/1/\"a b\"/", NULL };
    expect(fixture, zonda_exec(items("[1,2]"), words, NULL), "\"a b\" 2");
    zonda_exec_options packed = { .format = "msgpack" };
    const char *cat[] = { "cat", NULL };
    expect(fixture, zonda_exec(items("[{\"a\":[1.5]},null]"), cat, &packed), "{\"a\":[1.5]} null");
    zonda_exec_options shell = { .shell = true };
    const char *text[] = { "cat; echo $ZONDA_SHARD", NULL };
    expect(fixture, zonda_exec(items("[7,8]"), text, &shell), "7 0 8 1");
}

/* A job array, with options. */
static void test_commands_each_gives_ends(void **state) {
    local_fixture *fixture = *state;
    const char *words[] = { "echo", "{a}", "x{b.c}", NULL };
    zonda_dataset *dataset = zonda_each(items("[{\"a\":1,\"b\":{\"c\":\"y z\"}}]"), words, NULL);
    expect(fixture, zonda_select(dataset, "status", "stdout", NULL),
           "{\"status\":0,\"stdout\":\"1 xy z\\n\"}");
    const char *text[] = { "printf %s {}{}; exit 2", NULL };
    zonda_each_options options = {
        .shell = true, .check_status = true, .ok_status = 2, .limit = 3
    };
    dataset = zonda_each(items("[\"ab\"]"), text, &options);
    expect(fixture, zonda_select(dataset, "status", "stdout", "truncated", NULL),
           "{\"status\":2,\"stdout\":\"aba\",\"truncated\":true}");
}

static void expect_error(local_fixture *fixture, zonda_dataset *dataset, zonda_err code,
                         const char *words) {
    zonda_error error = { 0 };
    zonda_result *result = zonda_execute(fixture->cluster, dataset, NULL, &error);
    zonda_dataset_destroy(&dataset);
    assert_null(result);
    assert_string_equal(zonda_err_name(error.code), zonda_err_name(code));
    if (strstr(error.text, words) == NULL) {
        fail_msg("%s", error.text);
    }
}

/* What is wrong comes out of the execution, whoever finds it. */
static void test_commands_errors_come_out_of_the_execution(void **state) {
    local_fixture *fixture = *state;
    const char *cat[] = { "cat", NULL };
    const char *none[] = { NULL };
    const char *not_text[] = { "\xff", NULL };
    const char *fails[] = { "sh", "-c", "echo no >&2; exit 9", NULL };
    zonda_exec_options csv = { .format = "csv" };
    zonda_each_options status = { .check_status = true, .ok_status = 300 };
    expect_error(fixture, zonda_exec(items("[1]"), NULL, NULL), ZONDA_ERR_INVALID, "is NULL");
    expect_error(fixture, zonda_exec(items("[1]"), none, NULL), ZONDA_ERR_PLAN, "an empty array");
    expect_error(fixture, zonda_exec(items("[1]"), not_text, NULL), ZONDA_ERR_INVALID, "UTF-8");
    expect_error(fixture, zonda_exec(items("[1]"), cat, &csv), ZONDA_ERR_PLAN, "jsonl, msgpack");
    expect_error(fixture, zonda_each(items("[1]"), cat, &status), ZONDA_ERR_PLAN, "at most 255");
    status.ok_status = -1;
    expect_error(fixture, zonda_each(items("[1]"), cat, &status), ZONDA_ERR_INVALID, "got -1");
    expect_error(fixture, zonda_exec(items("[1]"), fails, NULL), ZONDA_ERR_USER, "status 9: no");
}

/* Many commands in several threads at once: no pipe of one is held open by another, and nothing is
 * left when the cluster is closed. */
static void test_commands_in_threads_leave_nothing(void **state) {
    (void)state;
    void *fixture = NULL;
    size_t files = count_files();
    assert_int_equal(open_fixture(&fixture), 0);
    zonda_range_options range = { .shards = 40 };
    const char *cat[] = { "cat", NULL };
    const char *echo[] = { "echo", "{}", NULL };
    zonda_dataset *dataset = zonda_exec(zonda_from_range(400, &range), cat, NULL);
    expect(fixture, zonda_count(zonda_each(dataset, echo, NULL)), "400");
    assert_int_equal(close_fixture(&fixture), 0);
    assert_int_equal(count_files(), files);
    char path[64];
    char text[64] = "";
    snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)getpid());
    FILE *children = fopen(path, "r");
    assert_non_null(children);
    assert_null(fgets(text, sizeof text, children));
    fclose(children);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands_in_threads_leave_nothing),
        WITH_CLUSTER(test_commands_exec_takes_words),
        WITH_CLUSTER(test_commands_each_gives_ends),
        WITH_CLUSTER(test_commands_errors_come_out_of_the_execution),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
