/* SPDX-License-Identifier: MPL-2.0 */
/* A result of a worker on the same machine has a folder, others are only served. */
#include "test.h"

#include "store/result_place.h"

static zn_result_place place_for(const char *machine, const char *theirs, const char *folder) {
    zn_reference reference = { .segment = zn_bytes_of_text("job1-stage2-slot3-1.seg"),
                               .offset = 40,
                               .length = 70 };
    zn_result result = { .reference = &reference,
                         .reference_count = 1,
                         .endpoint = zn_bytes_of_text("tcp://10.0.0.1:7000"),
                         .folder = zn_bytes_of_text(folder),
                         .machine = zn_bytes_of_text(theirs) };
    zn_result_place out = zn_result_place_of(&result, machine);
    assert_string_equal(out.place.endpoint, "tcp://10.0.0.1:7000");
    assert_true(zn_bytes_equal(out.place.segment, reference.segment));
    assert_int_equal(out.stretch.offset, 40);
    assert_int_equal(out.stretch.length, 70);
    return out;
}

/* The folder of a worker on this machine is told. */
static void test_result_place_on_the_same_machine_has_the_folder(void **state) {
    (void)state;
    zn_result_place out = place_for("m1", "m1", "/tmp/zonda-abcdef");
    assert_string_equal(out.place.folder, "/tmp/zonda-abcdef");
    zn_result_place_free(&out);
    assert_null(out.texts);
}

/* Another machine, or one that does not know which it is, has no such folder. */
static void test_result_place_elsewhere_has_no_folder(void **state) {
    (void)state;
    static const char *const machines[][2] = {
        { "m1", "m2" }, { "", "" }, { NULL, "" }, { "m1", "" }, { "", "m1" }, { "m1", "m11" },
    };
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        zn_result_place out = place_for(machines[i][0], machines[i][1], "/tmp/zonda-abcdef");
        assert_null(out.place.folder);
        zn_result_place_free(&out);
    }
}

/* A worker that does not say where its files are is asked for them. */
static void test_result_place_without_a_folder_has_none(void **state) {
    (void)state;
    zn_result_place out = place_for("m1", "m1", "");
    assert_null(out.place.folder);
    zn_result_place_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_result_place_on_the_same_machine_has_the_folder),
        cmocka_unit_test(test_result_place_elsewhere_has_no_folder),
        cmocka_unit_test(test_result_place_without_a_folder_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
