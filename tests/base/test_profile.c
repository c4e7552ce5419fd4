/* SPDX-License-Identifier: MPL-2.0 */
/* The times of a profile add up to what has passed, work on records is found although it is
 * measured now and then only, and what does not fit is counted. */
#include "test.h"

#include "base/clock.h"
#include "base/profile.h"

static void work(uint64_t ns) {
    uint64_t end = zn_clock_ns() + ns;
    while (zn_clock_ns() < end) {
    }
}

static void count_call(void *context) {
    *(int *)context += 1;
}

static uint64_t sum(const uint64_t ns[ZN_SECTIONS]) {
    uint64_t all = 0;
    for (int i = 0; i < ZN_SECTIONS; i++) {
        all += ns[i];
    }
    return all;
}

static void test_profile_off_does_nothing(void **state) {
    (void)state;
    assert_null(zn_profile_here);
    zn_profile_leave(zn_profile_enter(ZN_SECTION_READING));
    zn_profile_leave_record(zn_profile_enter_record(ZN_SECTION_USER));
    assert_int_equal(zn_profile_open_span(), 0);
    zn_profile_close_span(ZN_SPAN_SPILL, 0, 1);
    assert_null(zn_profile_here);
}

static void test_profile_of_a_task_adds_up(void **state) {
    (void)state;
    zn_profile *profile = zn_profile_new();
    uint64_t before = zn_clock_ns();
    zn_profile_reset(profile, NULL, NULL);
    zn_profile_begin_task(profile, 7, 1);
    for (int i = 0; i < 2000; i++) {
        int record = zn_profile_enter_record(ZN_SECTION_DECODING);
        int block = i % 100 == 0 ? zn_profile_enter(ZN_SECTION_READING) : -1;
        work(500);
        if (i % 100 == 0) {
            zn_profile_leave(block);
        }
        zn_profile_leave_record(record);
        record = zn_profile_enter_record(ZN_SECTION_USER);
        work(1000);
        zn_profile_leave_record(record);
    }
    zn_profile_end_task(profile, 0);
    uint64_t ns[ZN_SECTIONS];
    zn_profile_take(profile, ns);
    uint64_t passed = zn_clock_ns() - before;
    assert_true(sum(ns) <= passed && sum(ns) >= 2000 * 1500);
    assert_true(ns[ZN_SECTION_READING] >= 20 * 500);
    assert_true(ns[ZN_SECTION_USER] > 0 && ns[ZN_SECTION_DECODING] > 0);
    assert_int_equal(ns[ZN_SECTION_WRITING], 0);
    zn_profile_take(profile, ns);
    assert_int_equal(ns[ZN_SECTION_USER], 0);
    zn_profile_destroy(&profile);
}

static void test_profile_sections_inside_a_block_are_the_blocks(void **state) {
    (void)state;
    zn_profile *profile = zn_profile_new();
    zn_profile_reset(profile, NULL, NULL);
    zn_profile_begin_task(profile, 0, 1);
    int block = zn_profile_enter(ZN_SECTION_SHUFFLING);
    int record = zn_profile_enter_record(ZN_SECTION_USER);
    int inner = zn_profile_enter(ZN_SECTION_COMPRESSING);
    work(1000);
    zn_profile_leave(inner);
    zn_profile_leave_record(record);
    zn_profile_leave(block);
    zn_profile_end_task(profile, 0);
    uint64_t ns[ZN_SECTIONS];
    zn_profile_take(profile, ns);
    assert_int_equal(ns[ZN_SECTION_USER], 0);
    assert_true(ns[ZN_SECTION_COMPRESSING] >= 1000 && ns[ZN_SECTION_SHUFFLING] > 0);
    zn_profile_destroy(&profile);
}

static void test_profile_short_tasks_in_a_row_are_one_span(void **state) {
    (void)state;
    int calls = 0;
    zn_profile *profile = zn_profile_new();
    zn_profile_reset(profile, count_call, &calls);
    for (uint64_t task = 10; task < 13; task++) {
        zn_profile_begin_task(profile, task, 2);
        zn_profile_end_task(profile, 0);
    }
    zn_profile_begin_task(profile, 13, 2);
    zn_profile_end_task(profile, 5);
    const zn_span *spans = NULL;
    uint64_t dropped = 0;
    size_t count = zn_profile_spans(profile, &spans, &dropped);
    uint64_t good = 0;
    for (size_t i = 0; i + 1 < count; i++) { /* one, unless the machine was busy elsewhere */
        assert_int_equal(spans[i].first, 10 + good);
        good += spans[i].count;
    }
    assert_int_equal(good, 3);
    assert_int_equal(spans[count - 1].first, 13);
    assert_int_equal(spans[count - 1].code, 5);
    assert_int_equal(calls, 0);
    zn_profile_destroy(&profile);
}

static void test_profile_without_room_counts_what_is_dropped(void **state) {
    (void)state;
    int calls = 0;
    zn_profile *profile = zn_profile_new();
    zn_profile_reset(profile, count_call, &calls); /* takes nothing */
    zn_profile_begin_task(profile, 3, 1);
    for (int i = 0; i < ZN_PROFILE_SPANS + 9; i++) {
        zn_profile_close_span(ZN_SPAN_SPILL, zn_profile_open_span(), 100);
    }
    zn_profile_end_task(profile, 0);
    const zn_span *spans = NULL;
    uint64_t dropped = 0;
    assert_int_equal(zn_profile_spans(profile, &spans, &dropped), ZN_PROFILE_SPANS);
    assert_int_equal(dropped, 10);
    assert_int_equal(calls, 10);
    assert_int_equal(spans[0].kind, ZN_SPAN_SPILL);
    assert_int_equal(spans[0].first, 3);
    assert_int_equal(spans[ZN_PROFILE_SPANS - 1].kind, ZN_SPAN_TASK);
    zn_profile_destroy(&profile);
}

static void test_profile_sections_have_names(void **state) {
    (void)state;
    assert_string_equal(zn_section_name(ZN_SECTION_READING), "reading");
    assert_string_equal(zn_section_name(ZN_SECTION_WAITING), "waiting");
    assert_null(zn_section_name(ZN_SECTIONS));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_profile_off_does_nothing),
        cmocka_unit_test(test_profile_of_a_task_adds_up),
        cmocka_unit_test(test_profile_sections_inside_a_block_are_the_blocks),
        cmocka_unit_test(test_profile_short_tasks_in_a_row_are_one_span),
        cmocka_unit_test(test_profile_without_room_counts_what_is_dropped),
        cmocka_unit_test(test_profile_sections_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
