/* SPDX-License-Identifier: MPL-2.0 */
/* A build without simdjson says so. */
#include "test.h"

#include "record/json.h"

/* Reading is UNSUPPORTED, in words; nothing is appended. */
static void test_json_read_without_parser_is_unsupported(void **state) {
    (void)state;
    zn_json_reader *reader = zn_json_reader_new();
    zn_buf out = { 0 };
    zonda_error error;
    assert_err(zn_json_read(reader, zn_bytes_of_text("1"), &out, &error), UNSUPPORTED);
    assert_non_null(strstr(error.text, "simdjson"));
    assert_int_equal(out.len, 0);
    zn_json_reader_destroy(&reader);
    assert_null(reader);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_read_without_parser_is_unsupported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
