/* SPDX-License-Identifier: MPL-2.0 */
/* With more workers than a step looks at: those that have changed come first, and nobody is
 * forgotten. The rig's few workers are many for a scheduler that looks at one. */
#include "rig.h"

#include "base/clock.h"
#include "coordinator/scheduler_internal.h"

enum {
    CREDIT = 4,
    TASKS = 100
};

/* All workers have joined, two slots each, and hold two tasks of a long stage each. */
static uint64_t open_crowd(rig **out) {
    rig *r = rig_new();
    r->scheduler->config.survey_workers = 1;
    uint64_t job = rig_open(r, "job");
    for (size_t i = 0; i < RIG_WORKERS; i++) {
        rig_join(r, i, 2, CREDIT);
    }
    rig_start(r, job, 0, TASKS);
    rig_assign(r);
    for (size_t i = 0; i < RIG_WORKERS; i++) {
        assert_int_equal(rig_held(&r->workers[i]), 2);
    }
    *out = r;
    return job;
}

/* A worker that has reported gets more at once; the others have what they may hold, and are looked
 * at again a little later. */
static void test_assign_worker_that_reports_gets_more(void **state) {
    (void)state;
    rig *r;
    open_crowd(&r);
    assert_false(r->scheduler->unseen);
    rig_finish_first(r, 5);
    assert_int_equal(rig_held(&r->workers[5]), 0);
    rig_assign(r);
    assert_true(rig_held(&r->workers[5]) > 0);
    assert_int_equal(rig_held(&r->workers[4]), 2);
    assert_true(r->scheduler->unseen);
    assert_true(zn_scheduler_deadline(r->scheduler) <= r->now_ns + ZN_SURVEY_NS);
    r->now_ns += ZN_SURVEY_NS;
    zn_scheduler_tick(r->scheduler, r->now_ns);
    rig_assign(r);
    assert_false(r->scheduler->unseen);
    rig_drain(r);
    rig_free(&r);
}

/* When there is more to do than before, everybody is looked at, without waiting. */
static void test_assign_new_stage_goes_to_all(void **state) {
    (void)state;
    rig *r;
    uint64_t job = open_crowd(&r);
    rig_start(r, job, 1, TASKS);
    rig_assign(r);
    for (size_t i = 0; i < RIG_WORKERS; i++) {
        assert_int_equal(rig_held(&r->workers[i]), CREDIT);
    }
    rig_drain(r);
    rig_free(&r);
}

/* However reports come, all tasks are done, also while the clock stands still. */
static void test_assign_crowd_ends_a_stage(void **state) {
    (void)state;
    rig *r;
    uint64_t job = open_crowd(&r);
    for (size_t i = 0; rig_status(r, job, 0).state == ZN_STAGE_RUNNING; i++) {
        assert_true(i < 10 * TASKS);
        size_t worker = i * 5 % RIG_WORKERS;
        if (r->workers[worker].run_count > 0) {
            rig_finish_first(r, worker);
        }
        rig_assign(r);
    }
    assert_int_equal(rig_status(r, job, 0).completed, TASKS);
    rig_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_assign_worker_that_reports_gets_more),
        cmocka_unit_test(test_assign_new_stage_goes_to_all),
        cmocka_unit_test(test_assign_crowd_ends_a_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
