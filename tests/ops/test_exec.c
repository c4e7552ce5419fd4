/* SPDX-License-Identifier: MPL-2.0 */
/* exec: records through commands that behave in every way that a command can. Each must end, with
 * the right records or the right words, and leave no process and no file descriptor. */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "fake_host.h"

#define RECORDS "[{\"a\":1},{\"a\":2},{\"a\":3}]"

typedef struct scene {
    fake_host host;
    zn_stage_exec *stage;
} exec_scene;

static size_t count_fds(void) {
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    size_t count = 0;
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

/* A stage of one task: `items` (a JSON list) flattened, then exec with `args` in JSON. */
static void open_scene(exec_scene *scene, const char *items, const char *args) {
    zonda_error error = { 0 };
    fake_host_open(&scene->host);
    fake_body body = fake_body_of(&scene->host, 1);
    char *list = zn_format("[%s]", items);
    fake_body_source(&body, "from_list", "{}", list);
    free(list);
    fake_body_op(&body, "flat_map",
                 "{\"function\":{\"kind\":\"lua-block\",\"text\":"
                 "\"for _, item in ipairs(r) do emit(item) end\"}}");
    fake_body_op(&body, "exec", args);
    scene->stage = fake_body_open(&body, &error);
    if (scene->stage == NULL) {
        fail_msg("%s", error.text);
    }
}

static void close_scene(exec_scene *scene) {
    zn_stage_exec_destroy(&scene->stage);
    fake_host_close(&scene->host);
}

/* Records as lines of JSON from records through a text for the shell. */
static void expect_lines(const char *items, const char *args, const char *expected) {
    size_t fds = count_fds();
    exec_scene scene;
    open_scene(&scene, items, args);
    char *got = fake_run(&scene.host, scene.stage, 0);
    assert_string_equal(got, expected);
    free(got);
    close_scene(&scene);
    assert_int_equal(count_fds(), fds);
}

static zonda_error expect_failure(const char *items, const char *args) {
    size_t fds = count_fds();
    exec_scene scene;
    open_scene(&scene, items, args);
    zonda_error error = fake_run_failing(scene.stage, 0, 1);
    assert_string_equal(error.op, "exec");
    close_scene(&scene);
    assert_int_equal(count_fds(), fds);
    return error;
}

#define SHELL(text) "{\"shell\":true,\"cmd\":\"" text "\"}"

/* The ways in which a command may treat its streams without being wrong. */
static void test_exec_streams_any_order_gives_records(void **state) {
    (void)state;
    static const struct {
        const char *items;
        const char *args;
        const char *expected;
    } rows[] = {
        { RECORDS, "{\"cmd\":\"cat\"}", "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n" },
        { RECORDS, "{\"cmd\":[\"head\",\"-n\",\"1\"]}", "{\"a\":1}\n" },
        { RECORDS, "{\"cmd\":\"true\"}", "" },
        { RECORDS, SHELL("exec cat >/dev/null"), "" },
        { RECORDS, SHELL("echo 1; exec cat"), "1\n{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n" },
        { RECORDS, SHELL("exec 0<&-; echo 7"), "7\n" },
        { RECORDS, SHELL("echo 7; exec >&-; cat >/dev/null"), "7\n" },
        { RECORDS, SHELL("cat; exec 2>&-; exec 1>&-; exec 0<&-"),
          "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n" },
        { "[]", "{\"cmd\":\"cat\"}", "" },
        { "[]", SHELL("echo 5"), "5\n" },
        { RECORDS, SHELL("cat >/dev/null; printf '1\\\\n\\\\n  \\\\r\\\\n2'"), "1\n2\n" },
        { "[1]", SHELL("echo $ZONDA_SHARD $ZONDA_SHARDS | sed 's/ /,/;s/.*/[&]/'"), "[0,1]\n" },
        { RECORDS, "{\"cmd\":\"sed 's/\\\"a\\\"/\\\"b c\\\"/'\"}",
          "{\"b c\":1}\n{\"b c\":2}\n{\"b c\":3}\n" },
        { RECORDS, "{\"cmd\":\"cat\",\"format\":\"msgpack\"}",
          "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n" },
        { "[1]", "{\"format\":\"msgpack\",\"shell\":true,\"cmd\":\"printf '\\\\003\\\\004'\"}",
          "3\n4\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect_lines(rows[i].items, rows[i].args, rows[i].expected);
    }
}

/* How a command fails is told with what it said last. */
static void test_exec_bad_ends_are_user_errors_with_last_words(void **state) {
    (void)state;
    static const struct {
        const char *args;
        const char *words[3];
    } rows[] = {
        { SHELL("cat >/dev/null; echo one >&2; echo two >&2; exit 3"),
          { "exited with status 3", ": two" } },
        { SHELL("exec 0<&-; exit 4"), { "exited with status 4" } },
        { SHELL("kill -SEGV $$"), { "killed by SIGSEGV" } },
        { SHELL("kill -KILL $$"), { "killed by SIGKILL" } },
        { SHELL(
              "cat >/dev/null; head -c 3000000 /dev/zero | tr '\\\\0' x >&2; echo end >&2; exit 1"),
          { "status 1", "xend" } },
        { SHELL("cat >/dev/null; echo '{\\\"a\\\":1}'; echo 'no json'"),
          { "line 2 of the command's output", "no json" } },
        { SHELL("cat >/dev/null; printf '{\\\"a\\\":'"), { "line 1 of the command's output" } },
        { SHELL("cat >/dev/null; printf '{\\\"a\\\":'; exit 9"), { "exited with status 9" } },
        { "{\"format\":\"msgpack\",\"shell\":true,\"cmd\":\"printf '\\\\001\\\\301'\"}",
          { "value 2 of the command's output", "reserved" } },
        { "{\"format\":\"msgpack\",\"shell\":true,\"cmd\":\"printf '\\\\222\\\\001'\"}",
          { "value 1 of the command's output" } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        zonda_error error = expect_failure(RECORDS, rows[i].args);
        assert_err(error.code, USER);
        for (size_t k = 0; k < 3 && rows[i].words[k] != NULL; k++) {
            if (strstr(error.text, rows[i].words[k]) == NULL) {
                fail_msg("row %zu: \"%s\" not in: %s", i, rows[i].words[k], error.text);
            }
        }
    }
}

/* Several lines of the errors come whole, cut to the last ones. */
static void test_exec_several_error_lines_are_kept(void **state) {
    (void)state;
    zonda_error error =
        expect_failure(RECORDS, SHELL("seq 5000 >&2; printf 'a\\\\000b\\\\nlast' >&2; exit 1"));
    assert_non_null(strstr(error.text, ": last"));
    assert_non_null(strstr(error.traceback, "5000\na?b\nlast"));
    assert_null(strstr(error.traceback, "\n1000\n"));
}

/* What JSON cannot say is refused before the command sees it, and for good. */
static void test_exec_record_without_json_is_refused(void **state) {
    (void)state;
    exec_scene scene;
    zonda_error error = { 0 };
    fake_host_open(&scene.host);
    fake_body body = fake_body_of(&scene.host, 1);
    fake_body_source(&body, "from_list", "{}", "[1]");
    fake_body_op(&body, "map", "{\"function\":{\"kind\":\"lua-expression\",\"text\":\"0/0\"}}");
    fake_body_op(&body, "exec", "{\"cmd\":\"cat\"}");
    scene.stage = fake_body_open(&body, &error);
    assert_non_null(scene.stage);
    error = fake_run_failing(scene.stage, 0, 1);
    assert_non_null(strstr(error.text, "cannot be given to the command as JSON"));
    assert_true(error.permanent);
    close_scene(&scene);
}

/* A program that is not there is named, with where it was looked for. */
static void test_exec_missing_program_is_named(void **state) {
    (void)state;
    static const char *const commands[][2] = {
        { "{\"cmd\":\"no-such-program-here -x\"}", "in PATH, which is /" },
        { "{\"cmd\":\"/no/such/program\"}", "No such file" },
        { "{\"cmd\":\"/etc/passwd\"}", "Permission denied" },
        { "{\"cmd\":\"/tmp\"}", "Permission denied" },
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        fake_host host;
        zonda_error error = { 0 };
        fake_host_open(&host);
        fake_body body = fake_body_of(&host, 1);
        fake_body_source(&body, "from_list", "{}", "[1]");
        fake_body_op(&body, "exec", commands[i][0]);
        assert_null(fake_body_open(&body, &error));
        assert_err(error.code, USER);
        assert_true(error.permanent);
        if (strstr(error.text, commands[i][1]) == NULL) {
            fail_msg("row %zu: %s", i, error.text);
        }
        fake_host_close(&host);
    }
}

/* Far more than pipes and queues take, in both directions, with a command that answers each. */
static void test_exec_large_records_pass_both_ways(void **state) {
    (void)state;
    static const struct {
        const char *format;
        unsigned count;
        const char *sum;
    } rows[] = { { "jsonl", 10000, "705355000\n" }, { "msgpack", 1000, "66035500\n" } };
    for (size_t i = 0; i < 2; i++) {
        exec_scene scene;
        zonda_error error = { 0 };
        fake_host_open(&scene.host);
        fake_body body = fake_body_of(&scene.host, 1);
        char *range = zn_format("{\"n\":%u,\"shards\":1}", rows[i].count);
        fake_body_op(&body, "from_range", range);
        free(range);
        fake_body_op(&body, "map",
                     "{\"function\":{\"kind\":\"lua-expression\",\"text\":"
                     "\"{n = r, t = ('x'):rep(65536)}\"}}");
        char *args = zn_format("{\"cmd\":\"cat\",\"format\":\"%s\"}", rows[i].format);
        fake_body_op(&body, "exec", args);
        free(args);
        fake_body_op(&body, "map",
                     "{\"function\":{\"kind\":\"lua-expression\",\"text\":\"n + #t\"}}");
        fake_body_op(&body, "reduce_shard",
                     "{\"function\":{\"kind\":\"lua-expression\",\"text\":\"a + r\"}}");
        scene.stage = fake_body_open(&body, &error);
        if (scene.stage == NULL) {
            fail_msg("%s", error.text);
        }
        char *got = fake_run(&scene.host, scene.stage, 0);
        assert_string_equal(got, rows[i].sum);
        free(got);
        close_scene(&scene);
    }
}

/* A command that ignores a large shard, or closes its input within it, does not block the source;
 * one that writes without reading does not either. */
static void test_exec_large_input_unread_does_not_lock(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        { "{\"cmd\":\"true\"}", "0\n" },
        { "{\"cmd\":\"head -n 3\"}", "3\n" },
        { SHELL("yes 1 | head -n 500000"), "500000\n" },
        { SHELL("yes 1 | head -n 500000; exec cat"), "600000\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        exec_scene scene;
        zonda_error error = { 0 };
        fake_host_open(&scene.host);
        fake_body body = fake_body_of(&scene.host, 1);
        fake_body_op(&body, "from_range", "{\"n\":100000,\"shards\":1}");
        fake_body_op(&body, "exec", rows[i][0]);
        fake_body_op(&body, "count_shard", "{}");
        scene.stage = fake_body_open(&body, &error);
        if (scene.stage == NULL) {
            fail_msg("%s", error.text);
        }
        char *got = fake_run(&scene.host, scene.stage, 0);
        assert_string_equal(got, rows[i][1]);
        free(got);
        close_scene(&scene);
    }
}

/* Text of a file in the scene's folder that is written as a whole; "" if it is not there. */
static long read_pid(const fake_host *host) {
    char *path = fake_host_path(host, "pid");
    FILE *file = fopen(path, "r");
    long pid = 0;
    if (file != NULL) {
        assert_int_equal(fscanf(file, "%ld", &pid), 1);
        fclose(file);
    }
    free(path);
    return pid;
}

/* A process that was killed may be a zombie of init for a moment. */
static void expect_gone(long pid) {
    assert_true(pid > 0);
    for (int i = 0; i < 2000; i++) {
        char path[64];
        char state = 'Z';
        snprintf(path, sizeof path, "/proc/%ld/stat", pid);
        FILE *file = fopen(path, "r");
        if (file != NULL) {
            state = fscanf(file, "%*d (%*[^)]) %c", &state) == 1 ? state : 'Z';
            fclose(file);
        }
        if (state == 'Z' || state == 'X') {
            return;
        }
        poll(NULL, 0, 5);
    }
    fail_msg("process %ld is alive", pid);
}

/* Makes the arguments of a command that first leaves the id of `who` ("$$" or "$!") in a file. */
static char *leaving_pid(const fake_host *host, const char *before, const char *who,
                         const char *after) {
    return zn_format(
        "{\"shell\":true,\"cmd\":\"%s echo %s >%s/pid.new; mv %s/pid.new %s/pid; %s\"}", before,
        who, host->folder, host->folder, host->folder, after);
}

static void open_with_pid(exec_scene *scene, const char *before, const char *who,
                          const char *after) {
    zonda_error error = { 0 };
    fake_host_open(&scene->host);
    fake_body body = fake_body_of(&scene->host, 1);
    fake_body_source(&body, "from_list", "{}", "[1]");
    char *args = leaving_pid(&scene->host, before, who, after);
    fake_body_op(&body, "exec", args);
    free(args);
    scene->stage = fake_body_open(&body, &error);
    if (scene->stage == NULL) {
        fail_msg("%s", error.text);
    }
}

/* What a command leaves in the background ends with it, even if it holds the streams. */
static void test_exec_background_child_does_not_hold_up_the_task(void **state) {
    (void)state;
    static const char *const before[] = { "sleep 1000 &", "sleep 1000 </dev/null >/dev/null 2>&1 &",
                                          "setsid sleep 3 &" };
    for (size_t i = 0; i < 3; i++) {
        exec_scene scene;
        open_with_pid(&scene, before[i], "$!", "cat");
        char *got = fake_run(&scene.host, scene.stage, 0);
        assert_string_equal(got, "1\n");
        free(got);
        if (i < 2) {
            expect_gone(read_pid(&scene.host));
        }
        close_scene(&scene);
    }
}

static fake_host *watched;

/* Cancelled as soon as the command has left its id. */
static bool is_running(void *context) {
    (void)context;
    return read_pid(watched) != 0;
}

/* A command that never ends is ended, whether it hears SIGTERM or not, with its children. */
static void test_exec_cancel_ends_the_group(void **state) {
    (void)state;
    static const char *const rows[][3] = {
        { "", "$$", "sleep 1000" },
        { "trap '' TERM;", "$$", "while :; do sleep 1000; done" },
        { "sleep 1000 &", "$!", "wait" },
        { "", "$$", "yes 1" },
    };
    size_t fds = count_fds();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        exec_scene scene;
        zn_outcome outcome = { 0 };
        open_with_pid(&scene, rows[i][0], rows[i][1], rows[i][2]);
        watched = &scene.host;
        scene.host.host.cancelled = is_running;
        assert_false(zn_stage_exec_run(scene.stage, 0, 1, &outcome));
        expect_gone(read_pid(&scene.host));
        close_scene(&scene);
    }
    assert_int_equal(count_fds(), fds);
}

/* An error behind it ends the command too. */
static void test_exec_failure_downstream_ends_the_group(void **state) {
    (void)state;
    exec_scene scene;
    zonda_error error = { 0 };
    fake_host_open(&scene.host);
    fake_body body = fake_body_of(&scene.host, 1);
    fake_body_source(&body, "from_list", "{}", "[1]");
    char *args = leaving_pid(&scene.host, "", "$$", "yes 1");
    fake_body_op(&body, "exec", args);
    free(args);
    fake_body_op(&body, "map",
                 "{\"function\":{\"kind\":\"lua-expression\",\"text\":\"error('stop')\"}}");
    scene.stage = fake_body_open(&body, &error);
    assert_non_null(scene.stage);
    error = fake_run_failing(scene.stage, 0, 1);
    assert_string_equal(error.op, "map");
    expect_gone(read_pid(&scene.host));
    close_scene(&scene);
}

/* The stage runs on after a task that failed; each shard has its own command. */
static void test_exec_stage_runs_on_after_failure(void **state) {
    (void)state;
    fake_host host;
    zonda_error error = { 0 };
    fake_host_open(&host);
    fake_body body = fake_body_of(&host, 3);
    fake_body_source(&body, "from_list", "{}", "[0,1,2]");
    fake_body_op(&body, "exec", SHELL("[ $ZONDA_SHARD != 1 ] || exit 5; cat; echo $ZONDA_SHARD"));
    zn_stage_exec *stage = fake_body_open(&body, &error);
    assert_non_null(stage);
    char *first = fake_run(&host, stage, 0);
    assert_string_equal(first, "0\n0\n");
    error = fake_run_failing(stage, 1, 1);
    assert_non_null(strstr(error.text, "status 5"));
    char *last = fake_run(&host, stage, 2);
    assert_string_equal(last, "2\n2\n");
    free(first);
    free(last);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* Signals that are blocked here, as in the threads of a cluster, are not blocked in a command. */
static void test_exec_blocked_signals_are_not_inherited(void **state) {
    (void)state;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    assert_int_equal(sigprocmask(SIG_BLOCK, &all, &before), 0);
    expect_lines("[1]",
                 SHELL("grep SigBlk /proc/self/status | cut -f 2"
                       " | sed 's/.*/\\\"&\\\"/'"),
                 "\"0000000000000000\"\n");
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
}

/* Arguments that no command can be made of are refused when the dataset is built. */
static void test_exec_bad_arguments_are_refused(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        { "{\"cmd\":\"cat 'x\"}", "without an end" },
        { "{\"cmd\":\"cat x\\\\\"}", "without an end" },
        { "{\"cmd\":\"  \"}", "empty" },
        { "{\"cmd\":\"\"}", "must be a text or a list" },
        { "{\"cmd\":[]}", "must be a text or a list" },
        { "{\"cmd\":[\"\",\"x\"]}", "must be a text or a list" },
        { "{\"cmd\":[\"x\",1]}", "must be a text or a list" },
        { "{\"cmd\":\"a\\u0000b\"}", "must be a text or a list" },
        { "{\"cmd\":[\"a\",\"b\"],\"shell\":true}", "as one text" },
        { "{\"cmd\":\"cat\",\"format\":\"csv\"}", "jsonl, msgpack" },
        { "{\"cmd\":\"cat\",\"sell\":true}", "it has: cmd, format, shell" },
        { "{}", "needs the argument \"cmd\"" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        zn_buf args = { 0 };
        zonda_error error = { 0 };
        fake_json(rows[i][0], &args);
        const zn_op_def *op = zn_op_find(zn_bytes_of_text("exec"));
        assert_err(zn_op_check_args(op, zn_buf_bytes(&args), &error), PLAN);
        if (strstr(error.text, rows[i][1]) == NULL) {
            fail_msg("row %zu: %s", i, error.text);
        }
        zn_buf_free(&args);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exec_streams_any_order_gives_records),
        cmocka_unit_test(test_exec_bad_ends_are_user_errors_with_last_words),
        cmocka_unit_test(test_exec_several_error_lines_are_kept),
        cmocka_unit_test(test_exec_record_without_json_is_refused),
        cmocka_unit_test(test_exec_missing_program_is_named),
        cmocka_unit_test(test_exec_large_records_pass_both_ways),
        cmocka_unit_test(test_exec_large_input_unread_does_not_lock),
        cmocka_unit_test(test_exec_background_child_does_not_hold_up_the_task),
        cmocka_unit_test(test_exec_cancel_ends_the_group),
        cmocka_unit_test(test_exec_failure_downstream_ends_the_group),
        cmocka_unit_test(test_exec_stage_runs_on_after_failure),
        cmocka_unit_test(test_exec_blocked_signals_are_not_inherited),
        cmocka_unit_test(test_exec_bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
