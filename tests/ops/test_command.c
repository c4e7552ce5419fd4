/* SPDX-License-Identifier: MPL-2.0 */
/* The parts of exec and each by themselves: words, output in pieces, processes in odd surroundings,
 * the guardian. */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/command.h"
#include "ops/exec_output.h"
#include "ops/guard.h"
#include "ops/spawn.h"
#include "ops/subprocess.h"
#include "record/value.h"

extern char **environ;

/* A text is split as a shell would do it, and nothing in it is expanded. */
static void test_command_words_are_split_at_blanks_outside_of_quotes(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        { "a b", "[a][b]" },
        { " a\t\n b ", "[a][b]" },
        { "'a b' \"c d\"", "[a b][c d]" },
        { "a'b'\"c\"d", "[abcd]" },
        { "a '' \"\"", "[a][][]" },
        { "a\\ b \\' \\\" \\\\", "[a b]['][\"][\\]" },
        { "'\\' '\"'", "[\\][\"]" },
        { "\"\\\" \\\\ \\n '\"", "[\" \\ \\n ']" },
        { "$HOME * ~ `x` $(y) # ;", "[$HOME][*][~][`x`][$(y)][#][;]" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        zn_buf args = { 0 };
        zn_buf shown = { 0 };
        zn_words words = { 0 };
        zonda_error error = { 0 };
        zn_put_map(&args, 1);
        zn_put_text(&args, "cmd");
        zn_put_text(&args, rows[i][0]);
        assert_ok(zn_command_words("exec", zn_buf_bytes(&args), &words, &error), error);
        for (size_t k = 0; k < words.count; k++) {
            zn_buf_printf(&shown, "[%s]", words.items[k]);
        }
        zn_buf_append_byte(&shown, '\0');
        assert_string_equal((const char *)shown.data, rows[i][1]);
        zn_words_free(&words);
        zn_buf_free(&shown);
        zn_buf_free(&args);
    }
}

/* Gives `bytes` to the output in pieces of at most `piece` bytes and counts the records. */
static size_t count_records(bool is_json, zn_bytes bytes, size_t piece, zn_buf *records) {
    zn_exec_output *output = zn_exec_output_new(is_json);
    zonda_error error = { 0 };
    zn_buf kept = { 0 };
    size_t count = 0;
    for (size_t at = 0; at <= bytes.len; at += piece) {
        size_t more = bytes.len - at < piece ? bytes.len - at : piece;
        bool at_end = at + piece > bytes.len;
        bool got = true;
        zn_buf_append(&kept, bytes.data + at, more);
        while (got) {
            size_t used = 0;
            zn_bytes record = { 0 };
            assert_ok(zn_exec_output_next(output, zn_buf_bytes(&kept), at_end, &used, &record, &got,
                                          &error),
                      error);
            if (got) {
                zn_buf_append(records, record.data, record.len);
                count++;
            }
            kept.len -= used;
            if (used > 0) {
                memmove(kept.data, kept.data + used, kept.len);
            }
        }
    }
    assert_int_equal(kept.len, 0);
    zn_buf_free(&kept);
    zn_exec_output_destroy(&output);
    return count;
}

/* Where the pieces end makes no difference. */
static void test_exec_output_pieces_of_any_size_give_the_same(void **state) {
    (void)state;
    static const char text[] = "{\"a\":[1,2,\"x\"]}\n\n  \r\n1\r\n\"\xc3\xbc\"\nnull\n{\"long\":"
                               "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}";
    zn_bytes json = zn_bytes_of_text(text);
    zn_buf values = { 0 };
    assert_int_equal(count_records(true, json, json.len + 1, &values), 5);
    zn_bytes packed = zn_buf_bytes(&values);
    for (size_t piece = 1; piece <= json.len; piece++) {
        zn_buf again = { 0 };
        assert_int_equal(count_records(true, json, piece, &again), 5);
        assert_true(zn_bytes_equal(zn_buf_bytes(&again), packed));
        again.len = 0;
        assert_int_equal(count_records(false, packed, piece, &again), 5);
        assert_true(zn_bytes_equal(zn_buf_bytes(&again), packed));
        zn_buf_free(&again);
    }
    zn_buf_free(&values);
}

/* A line or value that never ends is refused before it fills the memory. */
static void test_exec_output_endless_record_is_refused(void **state) {
    (void)state;
    size_t len = ZN_RECORD_BYTES_MAX + 1;
    uint8_t *bytes = zn_alloc(len);
    memset(bytes, '1', len);
    memcpy(bytes, "\xc6\xff\xff\xff\xff", 5);
    for (int is_json = 0; is_json < 2; is_json++) {
        zn_exec_output *output = zn_exec_output_new(is_json != 0);
        zonda_error error = { 0 };
        size_t used = 0;
        bool got = false;
        zn_bytes record = { 0 };
        zn_bytes all = { .data = bytes, .len = len };
        assert_err(zn_exec_output_next(output, all, false, &used, &record, &got, &error), USER);
        assert_non_null(strstr(error.text, is_json ? "line 1" : "value 1"));
        assert_non_null(strstr(error.text, "more than"));
        zn_exec_output_destroy(&output);
    }
    free(bytes);
}

static zn_subprocess *start_shell(zn_guard *guard, const char *text) {
    char name[] = "sh";
    char option[] = "-c";
    char *copy = zn_strdup(text);
    char *arguments[] = { name, option, copy, NULL };
    zonda_error error = { 0 };
    zn_subprocess_options options = { .program = "/bin/sh",
                                      .arguments = arguments,
                                      .environment = environ,
                                      .guard = guard,
                                      .has_input = true,
                                      .output_max = 4096,
                                      .errors_max = 4096 };
    zn_subprocess *process = zn_subprocess_start(&options, &error);
    free(copy);
    if (process == NULL) {
        fail_msg("%s", error.text);
    }
    return process;
}

static zn_guard *start_guard(void) {
    zonda_error error = { 0 };
    zn_guard *guard = zn_guard_new(&error);
    if (guard == NULL) {
        fail_msg("%s", error.text);
    }
    return guard;
}

static void run_to_end(zn_subprocess *process) {
    zn_subprocess_end_input(process);
    while (!zn_subprocess_is_over(process)) {
        zn_subprocess_step(process, true);
    }
}

/* A program that ignores SIGCHLD cannot know how its children ended; that is no success. */
static void test_subprocess_status_that_is_lost_is_an_error(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_guard *guard = start_guard();
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    struct sigaction before;
    sigaction(SIGCHLD, &ignore, &before);
    zn_subprocess *process = start_shell(guard, "exit 3");
    run_to_end(process);
    sigaction(SIGCHLD, &before, NULL);
    assert_true(zn_subprocess_ended(process)->is_lost);
    assert_err(zn_command_check_end("sh", process, 0, &error), IO);
    zn_subprocess_destroy(&process);
    zn_guard_destroy(&guard);
}

/* Pipes are right even where the standard descriptors of this process are closed. In a child, since
 * the test needs its own. */
static void test_subprocess_closed_standard_files_do_no_harm(void **state) {
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(STDIN_FILENO);
        close(STDOUT_FILENO);
        close(STDERR_FILENO);
        zonda_error error = { 0 };
        zn_guard *guard = zn_guard_new(&error);
        zn_subprocess *process = start_shell(guard, "cat; echo err >&2");
        zn_subprocess_put(process, zn_bytes_of_text("in"));
        run_to_end(process);
        bool right =
            zn_bytes_equal(zn_buf_bytes(zn_subprocess_output(process)), zn_bytes_of_text("in")) &&
            zn_bytes_equal(zn_buf_bytes(zn_subprocess_errors(process)), zn_bytes_of_text("err\n"));
        zn_subprocess_destroy(&process);
        zn_guard_destroy(&guard);
        _exit(right ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* A command inherits the three streams and nothing else, whatever is open here. */
static void test_subprocess_inherits_no_other_file(void **state) {
    (void)state;
    int open_here = open("/dev/null", O_RDONLY); /* without CLOEXEC */
    assert_true(open_here >= 0);
    zn_guard *guard = start_guard();
    zn_subprocess *process = start_shell(guard, "echo /proc/$$/fd/*");
    run_to_end(process);
    zn_buf *output = zn_subprocess_output(process);
    zn_buf_append_byte(output, '\0');
    size_t count = 0;
    for (const char *at = (const char *)output->data; (at = strstr(at, "/fd/")) != NULL; at++) {
        count++;
    }
    /* The shell has opened the folder to list it. */
    assert_in_range(count, 3, 4);
    zn_subprocess_destroy(&process);
    zn_guard_destroy(&guard);
    close(open_here);
}

/* Nobody reading is not a signal for this process. */
static void test_spawn_write_without_reader_is_an_error_only(void **state) {
    (void)state;
    int ends[2];
    zonda_error error = { 0 };
    assert_ok(zn_spawn_pipe(ends, &error), error);
    zn_spawn_close(&ends[0]);
    assert_int_equal(zn_spawn_write(ends[1], "x", 1), -1);
    zn_spawn_close(&ends[1]);
    sigset_t pending;
    sigpending(&pending);
    assert_false(sigismember(&pending, SIGPIPE));
}

static bool has_ended(pid_t pid) {
    int status = 0;
    return waitpid(pid, &status, WNOHANG) == pid && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGKILL;
}

/* A group that a process leaves behind by dying is killed; the guardian of a process that ends in
 * order leaves the group alone. */
static void test_guard_kills_the_group_of_a_process_that_died(void **state) {
    (void)state;
    for (int in_order = 0; in_order < 2; in_order++) {
        pid_t group = fork();
        if (group == 0) {
            setpgid(0, 0);
            for (;;) {
                pause();
            }
        }
        setpgid(group, group);
        pid_t owner = fork();
        if (owner == 0) {
            zonda_error error = { 0 };
            zn_guard *guard = zn_guard_new(&error);
            zn_guard_watch(guard, group, &error);
            if (in_order) {
                zn_guard_destroy(&guard);
            }
            raise(SIGKILL);
        }
        assert_int_equal(waitpid(owner, NULL, 0), owner);
        if (in_order) {
            assert_int_equal(kill(group, SIGKILL), 0);
        }
        for (int i = 0; !has_ended(group); i++) {
            assert_true(i < 4000);
            poll(NULL, 0, 5);
        }
    }
}

/* One that was killed is replaced when it is needed. */
static void test_guard_that_was_killed_is_replaced(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_guard *guard = start_guard();
    char path[64];
    long pid = 0;
    snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)getpid());
    FILE *children = fopen(path, "r");
    assert_non_null(children);
    assert_int_equal(fscanf(children, "%ld", &pid), 1);
    fclose(children);
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
    zn_subprocess *process = start_shell(guard, "cat");
    run_to_end(process);
    assert_ok(zn_command_check_end("sh", process, 0, &error), error);
    zn_subprocess_destroy(&process);
    zn_guard_destroy(&guard);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_words_are_split_at_blanks_outside_of_quotes),
        cmocka_unit_test(test_exec_output_pieces_of_any_size_give_the_same),
        cmocka_unit_test(test_exec_output_endless_record_is_refused),
        cmocka_unit_test(test_subprocess_status_that_is_lost_is_an_error),
        cmocka_unit_test(test_subprocess_closed_standard_files_do_no_harm),
        cmocka_unit_test(test_subprocess_inherits_no_other_file),
        cmocka_unit_test(test_spawn_write_without_reader_is_an_error_only),
        cmocka_unit_test(test_guard_kills_the_group_of_a_process_that_died),
        cmocka_unit_test(test_guard_that_was_killed_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
