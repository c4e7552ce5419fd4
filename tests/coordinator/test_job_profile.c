/* SPDX-License-Identifier: MPL-2.0 */
/* What slots measured is added up by stage, comes in pages, and is bounded. */
#include "test.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "coordinator/job_profile.h"

static zn_msg_job_profile page_of(const zn_job_profile *profile, uint64_t stage, uint64_t span,
                                  zn_stage_times *stages) {
    zn_msg_get_profile get = { .request = 4, .job = 9, .stage = stage, .span = span };
    zn_msg_job_profile page;
    zn_job_profile_page(profile, &get, stages, &page);
    assert_int_equal(page.request, 4);
    assert_int_equal(page.job, 9);
    return page;
}

static void test_job_profile_of_nothing_is_an_empty_page(void **state) {
    (void)state;
    zn_stage_times stages[ZN_PROFILE_PAGE_STAGES];
    zn_msg_job_profile page = page_of(NULL, 0, 0, stages);
    assert_int_equal(page.stages_count + page.spans_count + page.dropped, 0);
}

static void test_job_profile_times_are_summed_by_stage(void **state) {
    (void)state;
    zn_stage_times stages[ZN_PROFILE_PAGE_STAGES];
    zn_job_profile *profile = zn_job_profile_new();
    zn_section_time first[] = { { 1, 10 }, { 3, 5 } };
    zn_section_time second[] = { { 3, 7 }, { 200, 1 } };
    zn_msg_profile message = { .stage = 2, .times = first, .times_count = 2, .dropped = 1 };
    zn_job_profile_add(profile, 1, &message);
    message = (zn_msg_profile){ .stage = 0, .times = second, .times_count = 2 };
    zn_job_profile_add(profile, 1, &message);
    message.stage = 2;
    zn_job_profile_add(profile, 2, &message);
    zn_msg_job_profile page = page_of(profile, 0, 0, stages);
    assert_int_equal(page.stages_count, 2);
    assert_int_equal(page.stages[0].stage, 0);
    assert_int_equal(page.stages[1].stage, 2);
    assert_int_equal(page.stages[1].times_count, 3);
    assert_int_equal(page.stages[1].times[1].ns, 12);
    assert_int_equal(page.dropped, 1);
    assert_int_equal(page_of(profile, 1, 0, stages).stages_count, 1);
    assert_int_equal(page_of(profile, 3, 0, stages).stages_count, 0);
    zn_job_profile_destroy(&profile);
    assert_null(profile);
}

static void test_job_profile_spans_beyond_the_limit_are_counted(void **state) {
    (void)state;
    zn_stage_times stages[ZN_PROFILE_PAGE_STAGES];
    zn_job_profile *profile = zn_job_profile_new();
    zn_span_info *spans = zn_calloc(ZN_PROFILE_SPANS_MAX, sizeof *spans);
    zn_msg_profile message = {
        .stage = 1, .slot = 3, .spans = spans, .spans_count = ZN_PROFILE_SPANS_MAX
    };
    for (int i = 0; i < ZN_PROFILE_JOB_SPANS_MAX / ZN_PROFILE_SPANS_MAX + 2; i++) {
        zn_job_profile_add(profile, 8, &message);
    }
    uint64_t got = 0;
    zn_msg_job_profile page;
    do {
        page = page_of(profile, 0, got, stages);
        assert_true(page.spans_count <= ZN_PROFILE_PAGE_SPANS);
        got += page.spans_count;
    } while (page.spans_count > 0);
    assert_int_equal(got, ZN_PROFILE_JOB_SPANS_MAX);
    assert_int_equal(page.dropped, 2 * ZN_PROFILE_SPANS_MAX);
    page = page_of(profile, 0, 0, stages);
    assert_int_equal(page.spans[0].worker, 8);
    assert_int_equal(page.spans[0].slot, 3);
    assert_int_equal(page.spans[0].stage, 1);
    free(spans);
    zn_job_profile_destroy(&profile);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_job_profile_of_nothing_is_an_empty_page),
        cmocka_unit_test(test_job_profile_times_are_summed_by_stage),
        cmocka_unit_test(test_job_profile_spans_beyond_the_limit_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
