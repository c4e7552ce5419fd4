/* SPDX-License-Identifier: MPL-2.0 */
/* What slots write: all of it is passed on in order, and the end is quoted as one line of text. */
#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "worker/slot_voice.h"

/* Says `words` in pieces of `piece` bytes and dies. Returns the quote; owned by the caller. */
static char *quote_of(const char *words, size_t size, size_t piece) {
    zonda_error error = { 0 };
    int to = memfd_create("worker", MFD_CLOEXEC);
    int from = -1;
    assert_true(to >= 0);
    zn_slot_voice *voice = zn_slot_voice_open(to, &from, &error);
    assert_non_null(voice);
    for (size_t at = 0; at < size; at += piece) {
        size_t now = size - at < piece ? size - at : piece;
        assert_int_equal(write(from, words + at, now), now);
    }
    close(from);
    zonda_error how = { .text = "killed" };
    zn_slot_voice_quote(voice, &how);
    zn_slot_voice_close(&voice);
    char *heard = zn_alloc(size + 1);
    assert_int_equal(pread(to, heard, size + 1, 0), size);
    assert_memory_equal(heard, words, size);
    free(heard);
    close(to);
    return zn_strdup(how.text);
}

static void test_slot_voice_quotes_the_last_lines(void **state) {
    (void)state;
    static const struct {
        const char *words;
        const char *quote;
    } rows[] = {
        { "", "killed" },
        { "\n \t\n", "killed" },
        { "x.c:3: f: Assertion `n > 0' failed.\n",
          "killed; it wrote last: x.c:3: f: Assertion `n > 0' failed." },
        { "one\ntwo\n\n", "killed; it wrote last: one / two" },
        { "no end", "killed; it wrote last: no end" },
        { "a\tb\033[1mc\177.", "killed; it wrote last: a b [1mc ." },
        { "gr\xc3\xbc\xc3\x9f\xff\xc3", "killed; it wrote last: gr\xc3\xbc\xc3\x9f??" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t piece = 1; piece <= 64; piece *= 8) {
            char *quote = quote_of(rows[i].words, strlen(rows[i].words), piece);
            assert_string_equal(quote, rows[i].quote);
            free(quote);
        }
    }
}

/* Of much, the end: whole lines where there are some. */
static void test_slot_voice_keeps_the_end_of_much(void **state) {
    (void)state;
    enum {
        LINES = 40000
    };
    zn_buf words = { 0 };
    for (int i = 0; i < LINES; i++) {
        char line[32];
        zn_buf_append(&words, line, (size_t)snprintf(line, sizeof line, "line %d\n", i));
    }
    char *quote = quote_of((const char *)words.data, words.len, 1000);
    assert_non_null(strstr(quote, "last: line 39"));
    assert_non_null(strstr(quote, " / line 39998 / line 39999"));
    assert_true(strlen(quote) < 1000);
    free(quote);
    memset(words.data, 'x', words.len);
    quote = quote_of((const char *)words.data, words.len, words.len);
    assert_non_null(strstr(quote, "last: xxx"));
    assert_true(strlen(quote) < 1000);
    free(quote);
    zn_buf_free(&words);
}

/* Somebody the slot has started, who has got away, holds the pipe and says no more. */
static void test_slot_voice_waits_for_nobody_else(void **state) {
    (void)state;
    zonda_error error = { 0 };
    int from = -1;
    zn_slot_voice *voice = zn_slot_voice_open(STDERR_FILENO, &from, &error);
    assert_non_null(voice);
    zonda_error how = { .text = "killed" };
    zn_slot_voice_quote(voice, &how);
    assert_string_equal(how.text, "killed");
    zn_slot_voice_close(&voice);
    assert_null(voice);
    zn_slot_voice_close(&voice);
    close(from);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slot_voice_quotes_the_last_lines),
        cmocka_unit_test(test_slot_voice_keeps_the_end_of_much),
        cmocka_unit_test(test_slot_voice_waits_for_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
