/* SPDX-License-Identifier: MPL-2.0 */
/* The check of UTF-8 looks at many bytes together, and still finds the first one that is wrong. */
#include "test.h"

#include "ops/reader_utf8.h"

enum {
    LINE_BYTES = 100
};

/* What a character is, wherever in a line it stands, and whatever follows. */
static void check_everywhere(const char *character, bool valid) {
    size_t len = strlen(character);
    for (size_t at = 0; at + len <= LINE_BYTES; at++) {
        uint8_t line[LINE_BYTES];
        zonda_error error = { 0 };
        memset(line, 'a', sizeof line);
        memcpy(line + at, character, len);
        for (size_t end = at + len; end <= LINE_BYTES; end += 13) {
            zonda_err err = zn_reader_check_utf8((zn_bytes){ line, end }, &error);
            assert_int_equal(err, valid ? ZONDA_OK : ZONDA_ERR_BAD_RECORD);
            if (!valid) {
                assert_int_equal(error.column, at + 1);
            }
        }
    }
}

static void test_reader_utf8_characters_are_found_anywhere(void **state) {
    (void)state;
    static const char *const valid[] = {
        "b", "\x7f", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80\xc3\xa9", "\xf4\x8f\xbf\xbf"
    };
    static const char *const invalid[] = { "\x80",     "\xff",         "\xc3",
                                           "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                           "\xe2\x82", "\xf0\x9f\x98" };
    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++) {
        check_everywhere(valid[i], true);
    }
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        check_everywhere(invalid[i], false);
    }
}

static void test_reader_utf8_nothing_is_valid(void **state) {
    (void)state;
    zonda_error error = { 0 };
    assert_int_equal(zn_reader_check_utf8(zn_bytes_of_text(""), &error), ZONDA_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_utf8_characters_are_found_anywhere),
        cmocka_unit_test(test_reader_utf8_nothing_is_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
