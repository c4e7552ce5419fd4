/* SPDX-License-Identifier: MPL-2.0 */
/* Errors: one list of codes, texts that are never too long and never cut inside a character. */
#include "test.h"

/* Every code has a name, a text and a way back from its number. */
static void test_error_list_is_consistent(void **state) {
    (void)state;
#define CHECK(name, number, text)                                                                  \
    assert_string_equal(zonda_err_name(ZONDA_ERR_##name), #name);                                  \
    assert_string_equal(zonda_err_text(ZONDA_ERR_##name), text);                                   \
    assert_int_equal(zn_err_from_number(number), ZONDA_ERR_##name);
    ZONDA_ERR_LIST(CHECK)
#undef CHECK
    assert_err(zn_err_from_number(9999), INTERNAL);
    assert_int_equal(ZONDA_OK, 0);
}

/* Setting an error clears what was there before; NULL is allowed. */
static void test_error_set_replaces_everything(void **state) {
    (void)state;
    zonda_error error;
    memset(&error, 0x55, sizeof error);
    assert_err(zn_error_set(&error, ZONDA_ERR_LIMIT, "%d of %d", 3, 2), LIMIT);
    assert_string_equal(error.text, "3 of 2");
    assert_int_equal(error.line, 0);
    assert_string_equal(error.op, "");
    assert_err(zn_error_set(NULL, ZONDA_ERR_IO, "x"), IO);
}

/* Words are put before the text, which is cut at the end if both are too long. */
static void test_error_prefix_keeps_the_code(void **state) {
    (void)state;
    zonda_error error;
    zn_error_set(&error, ZONDA_ERR_IO, "no space");
    assert_err(zn_error_prefix(&error, "writing %s: ", "x"), IO);
    assert_string_equal(error.text, "writing x: no space");
    char words[2 * sizeof error.text];
    memset(words, 'w', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    assert_err(zn_error_prefix(&error, "%s", words), IO);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
}

/* Cutting never leaves half a character. */
static void test_error_copy_cuts_between_characters(void **state) {
    (void)state;
    char out[6];
    zn_error_copy(out, sizeof out, "abcdé", 6);
    assert_string_equal(out, "abcd");
    zn_error_copy(out, sizeof out, "abc€", 6);
    assert_string_equal(out, "abc");
    zn_error_copy(out, sizeof out, "abcde", 5);
    assert_string_equal(out, "abcde");
    zn_error_copy(out, 0, "abc", 3);
    assert_string_equal(out, "abcde");
}

/* The line for people: where, what, who, and the traceback below. */
static void test_error_format_tells_where_and_what(void **state) {
    (void)state;
    zonda_error error;
    char text[256];
    zn_error_set(&error, ZONDA_ERR_USER, "attempt to index nil");
    assert_string_equal(zonda_error_format(&error, text, sizeof text), "attempt to index nil");
    zn_error_at(&error, "a.jsonl", 12, 3);
    strcpy(error.op, "map");
    error.has_shard = true;
    error.shard = 0;
    error.attempt = 2;
    error.worker = 7;
    strcpy(error.traceback, "in f");
    assert_string_equal(zonda_error_format(&error, text, sizeof text),
                        "a.jsonl:12:3: attempt to index nil "
                        "(operator map, shard 0, attempt 2, worker 7)\nin f");
    for (size_t size = 1; size < sizeof text; size++) {
        assert_true(strlen(zonda_error_format(&error, text, size)) < size);
    }
    zonda_error empty = { .code = ZONDA_ERR_TIMEOUT };
    assert_string_equal(zonda_error_format(&empty, text, sizeof text), "no answer in time");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_list_is_consistent),
        cmocka_unit_test(test_error_set_replaces_everything),
        cmocka_unit_test(test_error_prefix_keeps_the_code),
        cmocka_unit_test(test_error_copy_cuts_between_characters),
        cmocka_unit_test(test_error_format_tells_where_and_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
