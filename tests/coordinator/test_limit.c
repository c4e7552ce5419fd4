/* SPDX-License-Identifier: MPL-2.0 */
/* Stages with a limit: they end as soon as their first tasks gave enough, nothing far behind those
 * is handed out, and what workers still hold then neither counts nor is forgotten. */
#include "rig.h"

static void start_limited(rig *r, uint64_t job, uint64_t stage, uint64_t tasks, uint64_t limit) {
    zn_message start = rig_start_message(r, job, stage, tasks);
    start.start_stage.limit = limit;
    assert_int_equal(rig_call(r, start)->number, ZN_MSG_STAGE_STARTED);
}

/* Reports the first run that the worker holds, with so many records of each task. */
static void finish_with(rig *r, size_t worker, uint64_t records) {
    rig_worker *w = &r->workers[worker];
    assert_true(w->run_count > 0);
    zn_outcome outcome = rig_outcome(w->runs[0].first, w->runs[0].count, w->runs[0].value);
    uint64_t job = w->jobs[0];
    uint64_t stage = w->stages[0];
    outcome.records_out = records;
    rig_forget_run(w, 0);
    rig_result(r, worker, job, stage, outcome);
}

static void assert_complete(rig *r, uint64_t job, uint64_t total, uint64_t records) {
    zn_msg_status status = rig_status(r, job, 0);
    assert_int_equal(status.state, ZN_STAGE_COMPLETE);
    assert_int_equal(status.completed, total);
    assert_int_equal(status.running, 0);
    assert_int_equal(status.records_out, records);
}

/* The stage is complete when the first tasks gave enough; the many others were never handed out. */
static void test_limit_ends_stage_early(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    start_limited(r, job, 0, 1000000, 5);
    rig_join(r, 0, 1, 100);
    uint64_t given = 0;
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_RUNNING);
        rig_assign(r);
        assert_int_equal(rig_held(&r->workers[0]), 1);
        assert_int_equal(r->workers[0].runs[0].first, i);
        given++;
        finish_with(r, 0, 2);
    }
    assert_int_equal(given, 3);
    assert_complete(r, job, 1000000, 6);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 0);
    assert_int_equal(r->scheduler->running, 0);
    assert_int_equal(r->scheduler->pending, 0);
    rig_free(&r);
}

/* Later tasks that gave a lot do not count before all that come before them are completed; and a
 * slow first task keeps the others from running far ahead. */
static void test_limit_counts_from_first_task_only(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    start_limited(r, job, 0, 1000, 3);
    rig_join(r, 0, 1, 100);
    rig_assign(r);
    assert_int_equal(r->workers[0].runs[0].first, 0);
    rig_join(r, 1, 1, 100);
    uint64_t ahead = 0;
    for (rig_assign(r); rig_held(&r->workers[1]) > 0; rig_assign(r)) {
        ahead++;
        assert_true(ahead < 10);
        finish_with(r, 1, 7);
    }
    assert_int_equal(ahead, 3); /* the first four tasks may be out: two slots, twice */
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_RUNNING);
    finish_with(r, 0, 0);
    assert_complete(r, job, 1000, 21);
    rig_free(&r);
}

/* What a worker holds when the stage ends uses up its credit until it reports it; the report is
 * stale, even if it is a failure. */
static void test_limit_surplus_stays_held_until_reported(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    start_limited(r, job, 0, 100, 1);
    rig_join(r, 0, 3, 3);
    rig_join(r, 1, 1, 1);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 3);
    assert_int_equal(rig_held(&r->workers[1]), 1);
    size_t first = r->workers[0].runs[0].first == 0 ? 0 : 1;
    rig_worker *w = &r->workers[first];
    zn_task_run run = w->runs[0];
    zn_outcome outcome = rig_outcome(0, 1, 1);
    outcome.records_out = 4;
    if (run.count > 1) {
        w->runs[0].first++;
        w->runs[0].count--;
    } else {
        rig_forget_run(w, 0);
    }
    rig_result(r, first, job, 0, outcome);
    assert_complete(r, job, 100, 4);
    uint64_t surplus = rig_held(&r->workers[0]) + rig_held(&r->workers[1]);
    assert_int_equal(surplus, 3);
    assert_int_equal(r->scheduler->running, surplus);
    rig_start(r, job, 1, 100);
    rig_assign(r); /* one place is free, and only one */
    assert_int_equal(rig_held(&r->workers[0]) + rig_held(&r->workers[1]), 4);
    uint64_t stale = r->scheduler->stats.stale_tasks;
    uint64_t count = r->workers[0].runs[0].count;
    assert_int_equal(r->workers[0].stages[0], 0);
    rig_fail_first(r, 0, ZONDA_ERR_USER, true);
    assert_int_equal(r->scheduler->stats.stale_tasks, stale + count);
    assert_complete(r, job, 100, 4);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]) + rig_held(&r->workers[1]), 4);
    rig_drain(r);
    assert_int_equal(rig_status(r, job, 1).state, ZN_STAGE_COMPLETE);
    assert_int_equal(r->scheduler->running, 0);
    rig_free(&r);
}

/* A skipped task may not make its output visible. */
static void test_limit_surplus_may_not_commit(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    start_limited(r, job, 0, 10, 1);
    rig_join(r, 0, 2, 2);
    rig_assign(r);
    zn_message commit = { .number = ZN_MSG_COMMIT };
    commit.commit = (zn_msg_commit){ .job = job, .task = 1, .attempt = 1 };
    rig_send(r, 0, commit);
    rig_deliver(r);
    assert_int_equal(r->workers[0].granted, 1);
    zn_outcome outcome = rig_outcome(0, 1, 1);
    outcome.records_out = 1;
    rig_result(r, 0, job, 0, outcome);
    assert_complete(r, job, 10, 1);
    rig_send(r, 0, commit);
    rig_deliver(r);
    assert_int_equal(r->workers[0].granted, 0);
    rig_free(&r);
}

/* A worker that is lost with skipped tasks costs nothing, and a job with them can be closed. */
static void test_limit_surplus_goes_with_worker_and_job(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    start_limited(r, job, 0, 10, 1);
    rig_join(r, 0, 1, 1);
    rig_assign(r);
    rig_join(r, 1, 1, 1);
    rig_join(r, 2, 1, 1);
    rig_assign(r);
    finish_with(r, 0, 1);
    assert_complete(r, job, 10, 1);
    assert_int_equal(r->scheduler->running, 2);
    zn_scheduler_unreachable(r->scheduler, r->now_ns, r->workers[1].epoch);
    rig_deliver(r);
    assert_complete(r, job, 10, 1);
    assert_int_equal(r->scheduler->running, 1);
    assert_int_equal(rig_close(r, job), 2);
    rig_deliver(r);
    assert_int_equal(r->workers[2].cancels, 1);
    assert_int_equal(r->scheduler->running, 0);
    rig_free(&r);
}

/* What was counted of results that are lost is counted anew. */
static void test_limit_lost_results_are_not_counted(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    start_limited(r, job, 0, 10, 5);
    rig_join(r, 0, 1, 1);
    zn_reference reference = { .segment = zn_bytes_of_text("s"), .length = 1 };
    rig_assign(r);
    zn_outcome away = rig_outcome(0, 1, 1);
    away.records_out = 4;
    away.reference = &reference;
    away.reference_count = 1;
    rig_forget_run(&r->workers[0], 0);
    rig_result(r, 0, job, 0, away);
    zn_scheduler_unreachable(r->scheduler, r->now_ns, r->workers[0].epoch);
    rig_deliver(r);
    rig_join(r, 1, 1, 1);
    rig_assign(r);
    assert_int_equal(r->workers[1].runs[0].first, 0);
    finish_with(r, 1, 4);
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_RUNNING);
    rig_assign(r);
    finish_with(r, 1, 1);
    assert_complete(r, job, 10, 5);
    rig_free(&r);
}

/* Where there is not enough, all tasks run; numbers as large as they can be are enough. */
static void test_limit_beyond_what_there_is(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    start_limited(r, job, 0, 50, UINT64_MAX);
    rig_join(r, 0, 2, 8);
    rig_drain(r);
    assert_complete(r, job, 50, 0);
    start_limited(r, job, 1, 50, UINT64_MAX);
    rig_assign(r);
    finish_with(r, 0, UINT64_MAX);
    assert_int_equal(rig_status(r, job, 1).state, ZN_STAGE_COMPLETE);
    rig_free(&r);
}

/* The same stage with another limit is another stage. */
static void test_limit_is_part_of_the_stage(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    start_limited(r, job, 0, 5, 3);
    start_limited(r, job, 0, 5, 3);
    assert_string_equal(rig_refused(r, rig_start_message(r, job, 0, 5)), "STAGE_MISMATCH");
    rig_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit_ends_stage_early),
        cmocka_unit_test(test_limit_counts_from_first_task_only),
        cmocka_unit_test(test_limit_surplus_stays_held_until_reported),
        cmocka_unit_test(test_limit_surplus_may_not_commit),
        cmocka_unit_test(test_limit_surplus_goes_with_worker_and_job),
        cmocka_unit_test(test_limit_lost_results_are_not_counted),
        cmocka_unit_test(test_limit_beyond_what_there_is),
        cmocka_unit_test(test_limit_is_part_of_the_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
