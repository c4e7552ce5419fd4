/* SPDX-License-Identifier: MPL-2.0 */
/* each: places in commands, what comes back from them, and commands that fail. */
#include "test.h"

#include <dirent.h>
#include <poll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "fake_host.h"

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

/* A stage of a record (JSON) through each, without the seconds where `drop` is set. */
static zn_stage_exec *open_each(fake_host *host, const char *record, const char *args,
                                const char *keep) {
    zonda_error error = { 0 };
    fake_host_open(host);
    fake_body body = fake_body_of(host, 1);
    char *items = zn_format("[%s]", record);
    fake_body_source(&body, "from_list", "{}", items);
    free(items);
    fake_body_op(&body, "each", args);
    if (keep != NULL) {
        fake_body_op(&body, "select", keep);
    }
    zn_stage_exec *stage = fake_body_open(&body, &error);
    if (stage == NULL) {
        fail_msg("%s", error.text);
    }
    return stage;
}

#define ALL "{\"fields\":[\"status\",\"stdout\",\"stderr\",\"signal\",\"truncated\"]}"
#define STDOUT "{\"fields\":[\"stdout\"]}"

static void expect(const char *record, const char *args, const char *keep, const char *expected) {
    size_t fds = count_fds();
    fake_host host;
    zn_stage_exec *stage = open_each(&host, record, args, keep);
    char *got = fake_run(&host, stage, 0);
    assert_string_equal(got, expected);
    free(got);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
    assert_int_equal(count_fds(), fds);
}

static zonda_error expect_failure(const char *record, const char *args) {
    size_t fds = count_fds();
    fake_host host;
    zn_stage_exec *stage = open_each(&host, record, args, NULL);
    zonda_error error = fake_run_failing(stage, 0, 1);
    assert_string_equal(error.op, "each");
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
    assert_int_equal(count_fds(), fds);
    return error;
}

#define SHOW "printf [%s] "

/* A place is part of one argument, whatever its value is; other braces stand for themselves. */
static void test_each_places_become_arguments(void **state) {
    (void)state;
    static const char *const rows[][3] = {
        { "\"a b\"", "{\"cmd\":\"" SHOW "{} x{}.png\"}", "[a b][xa b.png]" },
        { "\"'; rm\"", "{\"cmd\":\"" SHOW "{}\"}", "['; rm]" },
        { "\"\"", "{\"cmd\":\"" SHOW "{} ''\"}", "[][]" },
        { "{\"a\":1}", "{\"cmd\":\"" SHOW "{}\"}", "[{\\\"a\\\":1}]" },
        { "{\"a\":{\"b\":2.5}}", "{\"cmd\":\"" SHOW "{a.b} {a}\"}", "[2.5][{\\\"b\\\":2.5}]" },
        { "{\"a-b_1\":null}", "{\"cmd\":\"" SHOW "{a-b_1}\"}", "[null]" },
        { "[1,true]", "{\"cmd\":[\"printf\",\"[%s]\",\"{} {}\"]}", "[[1,true] [1,true]]" },
        { "1", "{\"cmd\":[\"printf\",\"[%s]\",\"{{}}\",\"{{a}}\",\"{a b}\",\"{1}\",\"{\"]}",
          "[{}][{a}][{a b}][{1}][{]" },
        { "\"printf\"", "{\"cmd\":\"{} x\"}", "x" },
        { "{\"p\":\"rint\"}", "{\"cmd\":\"p{p}f x\"}", "x" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *expected = zn_format("{\"stdout\":\"%s\"}\n", rows[i][2]);
        expect(rows[i][0], rows[i][1], STDOUT, expected);
        free(expected);
    }
}

/* Values that a shell would act on arrive as they are, in every kind of quotes. */
static void test_each_shell_values_are_never_code(void **state) {
    (void)state;
    static const char *const values[] = { "a b",  "$(echo no)",   "`echo no`", "'",
                                          "\\\"", "$HOME",        "; echo no", "*",
                                          "\\\\", "'; echo no; '" };
    static const char *const places[] = { "{}", "\\\"{}\\\"", "'{}'", "\\\"\\\"{}''" };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        for (size_t k = 0; k < sizeof places / sizeof places[0]; k++) {
            char *record = zn_format("\"%s\"", values[i]);
            char *args = zn_format("{\"shell\":true,\"cmd\":\"printf '<%%s>' %s\"}", places[k]);
            char *expected = zn_format("{\"stdout\":\"<%s>\"}\n", values[i]);
            expect(record, args, STDOUT, expected);
            free(record);
            free(args);
            free(expected);
        }
    }
}

/* The shell keeps its own braces, and one value may stand in several places. */
static void test_each_shell_text_is_a_shell_text(void **state) {
    (void)state;
    static const char *const rows[][3] = {
        { "{\"a\":1,\"b\":2}", "x=7; echo ${x} {a} {b} {a} {{a}} \\\\{a} | tr '\\\\n' .",
          "7 1 2 1 {a} {a}." },
        { "{\"a\":1}", "f() { printf '%s ' $1 {a}; }; f 9 | cat; printf \\\"${HOME:+home}\\\"",
          "9 1 home" },
        { "\"x  y\"", "echo \\\"$(printf '%s' {})\\\" | tr '\\\\n' .", "x  y." },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *args = zn_format("{\"shell\":true,\"cmd\":\"%s\"}", rows[i][1]);
        char *expected = zn_format("{\"stdout\":\"%s\"}\n", rows[i][2]);
        expect(rows[i][0], args, STDOUT, expected);
        free(args);
        free(expected);
    }
}

/* A bad end is a value: status, signal, both streams, what was cut. */
static void test_each_ends_are_values(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        { "{\"cmd\":\"true\"}", "{\"status\":0,\"stdout\":\"\",\"stderr\":\"\"}\n" },
        { "{\"cmd\":\"echo out; echo err >&2; exit 3\",\"shell\":true}",
          "{\"status\":3,\"stdout\":\"out\\n\",\"stderr\":\"err\\n\"}\n" },
        { "{\"cmd\":\"kill -SEGV $$\",\"shell\":true}",
          "{\"status\":139,\"stdout\":\"\",\"stderr\":\"\",\"signal\":\"SIGSEGV\"}\n" },
        { "{\"cmd\":\"printf abcd; printf ef >&2\",\"shell\":true,\"limit\":3}",
          "{\"status\":0,\"stdout\":\"abc\",\"stderr\":\"ef\",\"truncated\":true}\n" },
        { "{\"cmd\":\"printf 'ab\\\\303\\\\274'\",\"shell\":true,\"limit\":3}",
          "{\"status\":0,\"stdout\":\"ab\",\"stderr\":\"\",\"truncated\":true}\n" },
        { "{\"cmd\":\"printf abc\",\"shell\":true,\"limit\":0}",
          "{\"status\":0,\"stdout\":\"\",\"stderr\":\"\",\"truncated\":true}\n" },
        { "{\"cmd\":\"cat\"}", "{\"status\":0,\"stdout\":\"\",\"stderr\":\"\"}\n" },
        { "{\"cmd\":\"test 0 = 1\",\"ok_status\":1}",
          "{\"status\":1,\"stdout\":\"\",\"stderr\":\"\"}\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect("1", rows[i][0], ALL, rows[i][1]);
    }
}

/* More than the limit is read and forgotten: the command ends as if all had been kept. */
static void test_each_output_is_bounded(void **state) {
    (void)state;
    fake_host host;
    zonda_error error = { 0 };
    fake_host_open(&host);
    fake_body body = fake_body_of(&host, 1);
    fake_body_source(&body, "from_list", "{}", "[1]");
    fake_body_op(&body, "each",
                 "{\"shell\":true,\"cmd\":\"yes | head -c 20000000; yes | head -c 9000000 >&2\"}");
    fake_body_op(&body, "map",
                 "{\"function\":{\"kind\":\"lua-expression\",\"text\":"
                 "\"{#stdout, #stderr, truncated, status, seconds > 0}\"}}");
    zn_stage_exec *stage = fake_body_open(&body, &error);
    assert_non_null(stage);
    char *got = fake_run(&host, stage, 0);
    assert_string_equal(got, "[1048576,1048576,true,0,true]\n");
    free(got);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* What is no text comes as binary, which JSON has not. */
static void test_each_output_that_is_no_text_is_binary(void **state) {
    (void)state;
    fake_host host;
    zn_stage_exec *stage = open_each(&host, "1", "{\"cmd\":[\"printf\",\"a\\\\377\"]}", STDOUT);
    zn_outcome outcome = { 0 };
    assert_true(zn_stage_exec_run(stage, 0, 1, &outcome));
    assert_int_equal(outcome.failure_count, 0);
    static const uint8_t expected[] = {
        0x81, 0xa6, 's', 't', 'd', 'o', 'u', 't', 0xc4, 2, 'a', 0xff
    };
    assert_int_equal(outcome.records.len, sizeof expected);
    assert_memory_equal(outcome.records.data, expected, sizeof expected);
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

/* A command that cannot be made or started, or ends as the user does not want it, fails the task.
 */
static void test_each_failures_are_user_errors(void **state) {
    (void)state;
    static const struct {
        const char *record;
        const char *args;
        const char *words;
        bool permanent;
    } rows[] = {
        { "{\"a\":1}", "{\"cmd\":\"echo {b}\"}", "the record has no field \"b\"", true },
        { "\"a\"", "{\"cmd\":\"echo {b}\"}", "{b} needs a map as record, not string", true },
        { "\"a\\u0000b\"", "{\"cmd\":\"echo {}\"}", "NUL", true },
        { "\"no-such-program\"", "{\"cmd\":\"{}\"}", "in PATH", true },
        { "1", "{\"cmd\":\"echo oops >&2; exit 2\",\"shell\":true,\"ok_status\":0}",
          "exited with status 2: oops", false },
        { "1", "{\"cmd\":\"kill -9 $$\",\"shell\":true,\"ok_status\":0}", "killed by SIGKILL",
          false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        zonda_error error = expect_failure(rows[i].record, rows[i].args);
        if (strstr(error.text, rows[i].words) == NULL) {
            fail_msg("row %zu: %s", i, error.text);
        }
        assert_err(error.code, USER);
        assert_int_equal(error.permanent, rows[i].permanent);
    }
}

/* An argument that the system does not take is an error that says so. */
static void test_each_argument_too_long_is_an_error(void **state) {
    (void)state;
    char *text = zn_alloc(3 * ZN_MIB);
    memset(text, 'x', 3 * ZN_MIB);
    text[0] = text[3 * ZN_MIB - 2] = '"';
    text[3 * ZN_MIB - 1] = '\0';
    zonda_error error = expect_failure(text, "{\"cmd\":\"echo {}\"}");
    assert_non_null(strstr(error.text, "cannot start"));
    assert_non_null(strstr(error.text, "Argument list too long"));
    assert_true(error.permanent);
    free(text);
}

/* Many in order; what one leaves in the background with its streams does not hold up the others. */
static void test_each_many_records_keep_their_order(void **state) {
    (void)state;
    fake_host host;
    zonda_error error = { 0 };
    fake_host_open(&host);
    fake_body body = fake_body_of(&host, 1);
    fake_body_op(&body, "from_range", "{\"n\":500,\"shards\":1}");
    fake_body_op(&body, "each", "{\"cmd\":\"printf %s {}\"}");
    fake_body_op(
        &body, "map",
        "{\"function\":{\"kind\":\"lua-expression\",\"text\":\"math.tointeger(stdout)\"}}");
    fake_body_op(
        &body, "reduce_shard",
        "{\"function\":{\"kind\":\"lua-expression\",\"text\":\"r == a + 1 and r or -9\"}}");
    size_t fds = count_fds();
    zn_stage_exec *stage = fake_body_open(&body, &error);
    if (stage == NULL) {
        fail_msg("%s", error.text);
    }
    char *got = fake_run(&host, stage, 0);
    assert_string_equal(got, "499\n");
    free(got);
    zn_stage_exec_destroy(&stage);
    assert_int_equal(count_fds(), fds);
    fake_host_close(&host);
}

/* A child in the background ends with its command, half a second after it at the latest. */
static void test_each_background_child_ends(void **state) {
    (void)state;
    expect("1", "{\"cmd\":\"sleep 1000 & echo x\",\"shell\":true}", ALL,
           "{\"status\":0,\"stdout\":\"x\\n\",\"stderr\":\"\"}\n");
}

/* A cancelled task does not wait for its command. */
static void test_each_cancel_ends_the_command(void **state) {
    (void)state;
    fake_host host;
    zn_stage_exec *stage = open_each(&host, "1", "{\"cmd\":\"sleep 1000\"}", NULL);
    host.cancel_after = 10;
    zn_outcome outcome = { 0 };
    assert_false(zn_stage_exec_run(stage, 0, 1, &outcome));
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_places_become_arguments),
        cmocka_unit_test(test_each_shell_values_are_never_code),
        cmocka_unit_test(test_each_shell_text_is_a_shell_text),
        cmocka_unit_test(test_each_ends_are_values),
        cmocka_unit_test(test_each_output_is_bounded),
        cmocka_unit_test(test_each_output_that_is_no_text_is_binary),
        cmocka_unit_test(test_each_failures_are_user_errors),
        cmocka_unit_test(test_each_argument_too_long_is_an_error),
        cmocka_unit_test(test_each_many_records_keep_their_order),
        cmocka_unit_test(test_each_background_child_ends),
        cmocka_unit_test(test_each_cancel_ends_the_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
