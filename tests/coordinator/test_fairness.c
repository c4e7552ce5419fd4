/* SPDX-License-Identifier: MPL-2.0 */
/* Several jobs at once, and stages of which nothing is known yet: who gets how much. */
#include "rig.h"

#include "base/clock.h"

#include "coordinator/stage_pace.h"

static void set_credit(rig *r, size_t worker, uint64_t tasks) {
    zn_message credit = { .number = ZN_MSG_CREDIT };
    credit.credit.tasks = tasks;
    rig_send(r, worker, credit);
}

/* A new stage is dealt out one task per slot, however large the credit, and faster as tasks end. */
static void test_fairness_new_stage_starts_small(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_join(r, 0, 2, 1000);
    rig_join(r, 1, 4, 1000);
    rig_start(r, job, 0, 10000);
    rig_assign(r);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 2);
    assert_int_equal(rig_held(&r->workers[1]), 4);
    rig_finish_first(r, 0);
    rig_finish_first(r, 1);
    rig_assign(r);
    /* Six were completed: each may hold its slots and its third, or two thirds, of twelve. */
    assert_int_equal(rig_held(&r->workers[0]), 6);
    assert_int_equal(rig_held(&r->workers[1]), 12);
    for (int round = 0; round < 7; round++) {
        for (size_t i = 0; i < 2; i++) {
            while (r->workers[i].run_count > 0) {
                rig_finish_first(r, i);
            }
        }
        rig_assign(r);
    }
    assert_int_equal(rig_held(&r->workers[0]), 1000);
    rig_free(&r);
}

/* Tasks that take long stay at one per slot although the credit is that of a stage of short ones.
 */
static void test_fairness_long_tasks_are_not_hoarded(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_join(r, 0, 2, 1000);
    rig_start(r, job, 0, 500);
    rig_drain(r);
    rig_start(r, job, 1, 100);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 2);
    for (uint64_t i = 0; i < 20; i++) {
        r->now_ns += 10 * ZN_NS_PER_S;
        rig_result(r, 0, job, 1, rig_outcome(i, 1, 1));
        rig_assign(r);
        const zn_member *member = TAILQ_FIRST(&r->scheduler->members);
        assert_in_range(member->held, 2, 4);
        zn_message beat = { .number = ZN_MSG_HEARTBEAT };
        rig_send(r, 0, beat);
    }
    rig_free(&r);
}

/* What was completed long ago counts no more. */
static void test_fairness_pace_forgets(void **state) {
    (void)state;
    zn_stage_pace pace = { 0 };
    uint64_t now = 5 * ZN_NS_PER_S;
    assert_int_equal(zn_stage_pace_limit(&pace, 4, 8, now), 4);
    zn_stage_pace_note(&pace, 100, now);
    assert_int_equal(zn_stage_pace_limit(&pace, 4, 8, now), 104);
    now += 150 * ZN_NS_PER_MS;
    assert_int_equal(zn_stage_pace_limit(&pace, 4, 8, now), 104);
    zn_stage_pace_note(&pace, 10, now);
    assert_int_equal(zn_stage_pace_limit(&pace, 4, 8, now), 104);
    now += 150 * ZN_NS_PER_MS;
    assert_int_equal(zn_stage_pace_limit(&pace, 4, 8, now), 14);
    now += 250 * ZN_NS_PER_MS;
    assert_int_equal(zn_stage_pace_limit(&pace, 4, 8, now), 4);
}

/* Two long jobs advance together, task by task, whoever was first. */
static void test_fairness_two_long_jobs_interleave(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t jobs[2];
    for (size_t i = 0; i < 2; i++) {
        jobs[i] = rig_open(r, "job");
        rig_start(r, jobs[i], 0, 10000);
    }
    rig_join(r, 0, 2, 16);
    rig_join(r, 1, 4, 16);
    for (int round = 0; round < 60; round++) {
        rig_assign(r);
        for (size_t i = 0; i < 2; i++) {
            while (r->workers[i].run_count > 0) {
                rig_finish_first(r, i);
            }
        }
        uint64_t first = rig_status(r, jobs[0], 0).completed;
        uint64_t second = rig_status(r, jobs[1], 0).completed;
        uint64_t apart = first > second ? first - second : second - first;
        assert_in_range(apart, 0, 32);
    }
    assert_true(rig_status(r, jobs[0], 0).completed > 400);
    rig_free(&r);
}

/* A short job beside one of long tasks needs the slots that get free, not the end of the other. */
static void test_fairness_short_job_passes_long_tasks(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t large = rig_open(r, "long tasks");
    rig_start(r, large, 0, 1000);
    rig_join(r, 0, 2, 2);
    rig_assign(r);
    uint64_t small = rig_open(r, "short");
    rig_start(r, small, 0, 3);
    int ended = 0;
    while (rig_status(r, small, 0).state == ZN_STAGE_RUNNING) {
        rig_finish_first(r, 0);
        rig_assign(r);
        ended++;
        assert_true(ended < 10);
    }
    assert_true(rig_status(r, large, 0).completed <= 6);
    rig_free(&r);
}

/* Many jobs at once: none is refused, all complete, and the last one is not starved. */
static void test_fairness_many_jobs_complete(void **state) {
    (void)state;
    enum {
        JOBS = 200
    };
    rig *r = rig_new();
    uint64_t jobs[JOBS];
    rig_join(r, 0, 1, 4);
    rig_join(r, 1, 2, 8);
    for (size_t i = 0; i < JOBS; i++) {
        jobs[i] = rig_open(r, "job");
        rig_start(r, jobs[i], 0, 1 + i % 5);
    }
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 4);
    assert_int_equal(rig_held(&r->workers[1]), 8);
    rig_drain(r);
    for (size_t i = 0; i < JOBS; i++) {
        assert_int_equal(rig_status(r, jobs[i], 0).state, ZN_STAGE_COMPLETE);
    }
    rig_free(&r);
}

/* What one worker may not have more of, an idle one gets in the same step. */
static void test_fairness_idle_worker_gets_leftover(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    uint64_t other = rig_open(r, "other");
    rig_join(r, 0, 2, 100);
    rig_start(r, other, 0, 2);
    rig_assign(r);
    rig_join(r, 1, 2, 100);
    rig_start(r, other, 1, 2);
    rig_assign(r);
    set_credit(r, 0, 100);
    rig_start(r, job, 0, 8);
    rig_assign(r);
    /* Four slots, and one task of the new stage for each of them. */
    assert_int_equal(rig_status(r, job, 0).running, 4);
    assert_true(rig_held(&r->workers[1]) >= 2);
    rig_drain(r);
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_COMPLETE);
    rig_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fairness_new_stage_starts_small),
        cmocka_unit_test(test_fairness_long_tasks_are_not_hoarded),
        cmocka_unit_test(test_fairness_pace_forgets),
        cmocka_unit_test(test_fairness_two_long_jobs_interleave),
        cmocka_unit_test(test_fairness_short_job_passes_long_tasks),
        cmocka_unit_test(test_fairness_many_jobs_complete),
        cmocka_unit_test(test_fairness_idle_worker_gets_leftover),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
