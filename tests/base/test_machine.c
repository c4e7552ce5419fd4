/* SPDX-License-Identifier: MPL-2.0 */
/* The id of the machine is the same whoever asks, and fits into messages. */
#include "test.h"

#include "base/limits.h"
#include "base/machine.h"

static void test_machine_id_asked_twice_is_the_same(void **state) {
    (void)state;
    char first[ZN_MACHINE_TEXT];
    char second[ZN_MACHINE_TEXT];
    assert_string_equal(zn_machine_id(first), zn_machine_id(second));
    assert_int_equal(strlen(first), ZN_MACHINE_TEXT - 1);
    assert_true(strlen(first) <= ZN_NAME_BYTES_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machine_id_asked_twice_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
