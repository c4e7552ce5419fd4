/* SPDX-License-Identifier: MPL-2.0 */
/* Ranges of pages grow and shrink, and keep what is in them. */
#include "test.h"

#include "base/pages.h"

static void test_pages_keep_content_when_resized(void **state) {
    (void)state;
    zn_pages pages = { 0 };
    size_t sizes[] = { 1, 3, 1000, 2, 5000, 1, 0 };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        zn_pages_resize(&pages, sizes[i] * ZN_PAGES_STEP);
        assert_int_equal(pages.bytes, sizes[i] * ZN_PAGES_STEP);
        if (pages.bytes > 0) {
            assert_int_equal(pages.data[0], i == 0 ? 0 : 7);
            pages.data[0] = 7;
            pages.data[pages.bytes - 1] = 7;
        }
    }
    assert_null(pages.data);
}

static void test_pages_round_up(void **state) {
    (void)state;
    assert_int_equal(zn_pages_round(0), 0);
    assert_int_equal(zn_pages_round(1), ZN_PAGES_STEP);
    assert_int_equal(zn_pages_round(ZN_PAGES_STEP), ZN_PAGES_STEP);
    assert_int_equal(zn_pages_round(ZN_PAGES_STEP + 1), 2 * ZN_PAGES_STEP);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_keep_content_when_resized),
        cmocka_unit_test(test_pages_round_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
