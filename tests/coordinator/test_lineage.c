/* SPDX-License-Identifier: MPL-2.0 */
/* Results that are lost after their stage was complete: who needs them, what is made again, and
 * what waits for it. */
#include "rig.h"

/* Reports the first run that a worker holds, each task with a result that stays with it. */
static void finish_away(rig *r, size_t worker) {
    rig_worker *w = &r->workers[worker];
    assert_true(w->run_count > 0);
    zn_task_run run = w->runs[0];
    uint64_t job = w->jobs[0];
    uint64_t stage = w->stages[0];
    rig_forget_run(w, 0);
    for (uint32_t i = 0; i < run.count; i++) {
        zn_reference reference = { .segment = zn_bytes_of_text("s"), .length = 1 };
        zn_outcome outcome = rig_outcome(run.first + i, 1, run.value);
        outcome.reference = &reference;
        outcome.reference_count = 1;
        outcome.records_out = 2;
        rig_result(r, worker, job, stage, outcome);
    }
}

/* Runs everything that can be handed out; all results stay with the workers. Returns how many
 * tasks that were. */
static uint64_t run_away(rig *r) {
    uint64_t count = 0;
    bool busy = true;
    while (busy) {
        busy = false;
        rig_assign(r);
        for (size_t i = 0; i < RIG_WORKERS; i++) {
            while (r->workers[i].run_count > 0) {
                count += r->workers[i].runs[0].count;
                finish_away(r, i);
                busy = true;
            }
        }
    }
    return count;
}

static void lose_worker(rig *r, size_t worker) {
    zn_scheduler_unreachable(r->scheduler, r->now_ns, r->workers[worker].epoch);
    rig_deliver(r);
    while (r->workers[worker].run_count > 0) {
        rig_forget_run(&r->workers[worker], 0);
    }
}

/* Starts a stage that reads another. */
static void start_reader(rig *r, uint64_t job, uint64_t stage, uint64_t tasks, uint64_t read) {
    zn_stage_input input = { .stage = read, .by = ZN_INPUT_ALL };
    zn_message start = rig_start_message(r, job, stage, tasks);
    start.start_stage.inputs = &input;
    start.start_stage.inputs_count = 1;
    assert_int_equal(rig_call(r, start)->number, ZN_MSG_STAGE_STARTED);
}

static const zn_msg_results *collect(rig *r, uint64_t job, uint64_t stage, uint64_t first,
                                     zn_lost_result *lost) {
    zn_message message = { .number = ZN_MSG_COLLECT_RESULTS };
    message.collect_results = (zn_msg_collect_results){
        .job = job, .stage = stage, .first = first, .lost = lost, .lost_count = lost != NULL
    };
    const zn_message *reply = rig_call(r, message);
    assert_int_equal(reply->number, ZN_MSG_RESULTS);
    return &reply->results;
}

/* A job with one complete stage of four tasks, two on each of two workers. */
static rig *with_stage(uint64_t *job) {
    rig *r = rig_new();
    *job = rig_open(r, "job");
    rig_start(r, *job, 0, 4);
    rig_join(r, 0, 2, 2);
    rig_join(r, 1, 2, 2);
    assert_int_equal(run_away(r), 4);
    assert_int_equal(rig_status(r, *job, 0).state, ZN_STAGE_COMPLETE);
    return r;
}

static void assert_stage(rig *r, uint64_t job, uint64_t stage, int state, uint64_t completed) {
    zn_msg_status status = rig_status(r, job, stage);
    assert_int_equal(status.state, state);
    assert_int_equal(status.completed, completed);
}

/* Nobody has read the stage, so its lost results are made again, and only those. */
static void test_lineage_results_that_nobody_has_read_are_made_again(void **state) {
    (void)state;
    uint64_t job = 0;
    rig *r = with_stage(&job);
    lose_worker(r, 0);
    assert_stage(r, job, 0, ZN_STAGE_RUNNING, 2);
    assert_int_equal(rig_status(r, job, 0).records_out, 4);
    assert_int_equal(run_away(r), 2);
    assert_stage(r, job, 0, ZN_STAGE_COMPLETE, 4);
    assert_int_equal(rig_status(r, job, 0).records_out, 8);
    assert_int_equal(rig_status(r, job, 0).retries, 2);
    const zn_msg_results *page = collect(r, job, 0, 0, NULL);
    assert_int_equal(page->results_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(page->results[i].worker, r->workers[1].id);
    }
    rig_free(&r);
}

/* Everybody who reads the stage is done with it: what is lost of it is nobody's loss. When somebody
 * asks all the same, it is made again. */
static void test_lineage_results_that_nobody_needs_stay_lost(void **state) {
    (void)state;
    uint64_t job = 0;
    rig *r = with_stage(&job);
    start_reader(r, job, 1, 3, 0);
    rig_drain(r);
    assert_stage(r, job, 1, ZN_STAGE_COMPLETE, 3);
    lose_worker(r, 0);
    assert_stage(r, job, 0, ZN_STAGE_COMPLETE, 4);
    assert_int_equal(run_away(r), 0);
    assert_true(collect(r, job, 0, 0, NULL)->results_count < 4);
    assert_stage(r, job, 0, ZN_STAGE_RUNNING, 2);
    assert_int_equal(run_away(r), 2);
    assert_int_equal(collect(r, job, 0, 0, NULL)->results_count, 4);
    assert_stage(r, job, 1, ZN_STAGE_COMPLETE, 3);
    rig_free(&r);
}

/* A stage that is started later needs them again, and gets no task before they are there. */
static void test_lineage_stage_that_starts_later_waits(void **state) {
    (void)state;
    uint64_t job = 0;
    rig *r = with_stage(&job);
    start_reader(r, job, 1, 3, 0);
    rig_drain(r);
    lose_worker(r, 0);
    start_reader(r, job, 2, 5, 0);
    assert_stage(r, job, 0, ZN_STAGE_RUNNING, 2);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[1]), 2);
    assert_int_equal(r->workers[1].stages[0], 0);
    assert_stage(r, job, 2, ZN_STAGE_RUNNING, 0);
    finish_away(r, 1);
    assert_int_equal(run_away(r), 5);
    assert_stage(r, job, 2, ZN_STAGE_COMPLETE, 5);
    rig_free(&r);
}

/* What readers of the lost hold goes on; nothing more is handed out to them. */
static void test_lineage_running_readers_go_on(void **state) {
    (void)state;
    uint64_t job = 0;
    rig *r = with_stage(&job);
    start_reader(r, job, 1, 8, 0);
    rig_assign(r);
    uint64_t held = rig_held(&r->workers[1]);
    assert_true(held > 0);
    lose_worker(r, 0);
    assert_int_equal(rig_held(&r->workers[1]), held);
    finish_away(r, 1);
    assert_stage(r, job, 1, ZN_STAGE_RUNNING, held);
    rig_assign(r);
    for (size_t i = 0; i < r->workers[1].run_count; i++) {
        assert_int_equal(r->workers[1].stages[i], 0);
    }
    run_away(r);
    assert_stage(r, job, 1, ZN_STAGE_COMPLETE, 8);
    rig_free(&r);
}

/* Loss goes through the stages: the last one needs what the middle one gave, which takes what the
 * first one gave. Each runs again for what it has lost and for no more, in this order. */
static void test_lineage_goes_through_all_stages(void **state) {
    (void)state;
    uint64_t job = 0;
    rig *r = with_stage(&job);
    start_reader(r, job, 1, 4, 0);
    assert_int_equal(run_away(r), 4);
    start_reader(r, job, 2, 4, 1);
    assert_int_equal(run_away(r), 4);
    start_reader(r, job, 3, 6, 2);
    lose_worker(r, 0);
    for (uint64_t stage = 0; stage < 3; stage++) {
        assert_stage(r, job, stage, ZN_STAGE_RUNNING, 2);
    }
    for (uint64_t stage = 0; stage < 3; stage++) {
        rig_assign(r);
        assert_int_equal(rig_held(&r->workers[1]), 2);
        assert_int_equal(r->workers[1].stages[0], stage);
        while (r->workers[1].run_count > 0) {
            finish_away(r, 1);
        }
        assert_stage(r, job, stage, ZN_STAGE_COMPLETE, 4);
    }
    assert_int_equal(run_away(r), 6);
    assert_stage(r, job, 3, ZN_STAGE_COMPLETE, 6);
    assert_int_equal(r->scheduler->stats.remade_tasks, 6);
    rig_free(&r);
}

/* The worker that makes it again is lost too, and the next one, and so on. */
static void test_lineage_survives_losses_again_and_again(void **state) {
    (void)state;
    uint64_t job = 0;
    rig *r = with_stage(&job);
    start_reader(r, job, 1, 4, 0);
    assert_int_equal(run_away(r), 4);
    start_reader(r, job, 2, 3, 1);
    for (size_t i = 0; i < 30; i++) {
        lose_worker(r, i % 2);
        rig_assign(r);
        for (size_t w = 0; w < 2; w++) {
            if (r->workers[w].run_count > 0) {
                finish_away(r, w);
            }
        }
        rig_join(r, i % 2, 2, 2);
    }
    run_away(r);
    assert_stage(r, job, 2, ZN_STAGE_COMPLETE, 3);
    rig_free(&r);
}

/* ---- what readers say ---- */

/* Fails the first run of a worker because it could not read a result. */
static void fail_reading(rig *r, size_t worker, zn_lost_result lost) {
    rig_worker *w = &r->workers[worker];
    zn_task_run run = w->runs[0];
    uint64_t job = w->jobs[0];
    uint64_t stage = w->stages[0];
    rig_forget_run(w, 0);
    zn_failure failure = { .code = ZONDA_ERR_CORRUPT,
                           .permanent = 1,
                           .has_lost = 1,
                           .lost_stage = lost.stage,
                           .lost_task = lost.task,
                           .lost_attempt = lost.attempt,
                           .text = zn_bytes_of_text("a block is corrupt") };
    zn_outcome outcome = rig_outcome(run.first, run.count, run.value);
    outcome.failure = &failure;
    outcome.failure_count = 1;
    rig_result(r, worker, job, stage, outcome);
}

/* The one result is made again, the reader tries again, and nobody's attempts are used up. */
static void test_lineage_unreadable_result_is_made_again(void **state) {
    (void)state;
    uint64_t job = 0;
    rig *r = with_stage(&job);
    start_reader(r, job, 1, 1, 0);
    rig_assign(r);
    size_t reader = r->workers[0].run_count > 0 ? 0 : 1;
    fail_reading(r, reader, (zn_lost_result){ 0, 2, 1 });
    assert_stage(r, job, 0, ZN_STAGE_RUNNING, 3);
    assert_int_equal(run_away(r), 2);
    assert_stage(r, job, 1, ZN_STAGE_COMPLETE, 1);
    assert_int_equal(r->scheduler->stats.remade_tasks, 1);
    const zn_msg_results *page = collect(r, job, 0, 2, NULL);
    assert_int_equal(page->results[0].attempt, 2);
    rig_free(&r);
}

/* Who tells of a result that was made anew since, or that never was, costs no work. */
static void test_lineage_late_reports_change_nothing(void **state) {
    (void)state;
    uint64_t job = 0;
    rig *r = with_stage(&job);
    static const zn_lost_result lost[] = { { 0, 2, 2 }, { 0, 77, 1 }, { 1, 0, 1 }, { 9, 0, 1 } };
    for (size_t i = 0; i < 4; i++) {
        zn_lost_result copy = lost[i];
        collect(r, job, 0, 0, &copy);
    }
    assert_stage(r, job, 0, ZN_STAGE_COMPLETE, 4);
    start_reader(r, job, 1, 1, 0);
    rig_assign(r);
    fail_reading(r, r->workers[0].run_count > 0 ? 0 : 1, (zn_lost_result){ 0, 2, 7 });
    assert_stage(r, job, 0, ZN_STAGE_COMPLETE, 4);
    assert_int_equal(run_away(r), 1);
    assert_stage(r, job, 1, ZN_STAGE_COMPLETE, 1);
    rig_free(&r);
}

/* What rots again and again ends the job, with what the last reader saw. */
static void test_lineage_result_that_always_rots_is_an_error(void **state) {
    (void)state;
    uint64_t job = 0;
    rig *r = with_stage(&job);
    start_reader(r, job, 1, 1, 0);
    lose_worker(r, 0);
    run_away(r);
    start_reader(r, job, 2, 1, 0);
    uint64_t tries = 0;
    for (; rig_status(r, job, 2).state == ZN_STAGE_RUNNING; tries++) {
        assert_true(tries < 2 * ZN_ATTEMPTS_INFRA_MAX);
        uint64_t attempt = collect(r, job, 0, 2, NULL)->results[0].attempt;
        rig_assign(r);
        assert_int_equal(r->workers[1].stages[0], 2);
        fail_reading(r, 1, (zn_lost_result){ 0, 2, attempt });
        if (rig_status(r, job, 2).state == ZN_STAGE_RUNNING) {
            rig_assign(r);
            assert_int_equal(r->workers[1].stages[0], 0);
            finish_away(r, 1);
        }
    }
    assert_int_equal(tries, ZN_ATTEMPTS_INFRA_MAX);
    zn_msg_status status = rig_status(r, job, 2);
    assert_int_equal(status.state, ZN_STAGE_FAILED);
    assert_int_equal(status.failure[0].code, ZONDA_ERR_CORRUPT);
    rig_free(&r);
}

/* A driver says what it could not read when it asks where it is now. */
static void test_lineage_driver_reports_what_it_cannot_read(void **state) {
    (void)state;
    uint64_t job = 0;
    rig *r = with_stage(&job);
    zn_lost_result lost = { 0, 1, 1 };
    assert_int_equal(collect(r, job, 0, 1, &lost)->results_count, 0);
    assert_stage(r, job, 0, ZN_STAGE_RUNNING, 3);
    assert_int_equal(collect(r, job, 0, 1, &lost)->results_count, 0);
    assert_int_equal(run_away(r), 1);
    const zn_msg_results *page = collect(r, job, 0, 1, &lost);
    assert_int_equal(page->results_count, 3);
    assert_int_equal(page->results[0].attempt, 2);
    rig_free(&r);
}

/* ---- ends ---- */

/* A stage with a limit that is complete while workers still hold tasks of it, which then run again
 * like all others, or are skipped again when the lost one was not needed for the limit. */
static void test_lineage_stage_with_limit_runs_again(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    zn_message start = rig_start_message(r, job, 0, 100);
    start.start_stage.limit = 2;
    assert_int_equal(rig_call(r, start)->number, ZN_MSG_STAGE_STARTED);
    rig_join(r, 0, 1, 1);
    rig_assign(r);
    rig_join(r, 1, 3, 3);
    rig_assign(r);
    assert_true(rig_held(&r->workers[1]) > 0);
    finish_away(r, 0); /* two records: enough */
    assert_stage(r, job, 0, ZN_STAGE_COMPLETE, 100);
    uint64_t surplus = r->scheduler->running;
    assert_true(surplus > 0);
    lose_worker(r, 0);
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_RUNNING);
    assert_int_equal(r->scheduler->running, surplus);
    while (r->workers[1].run_count > 0) {
        finish_away(r, 1);
    }
    run_away(r);
    assert_stage(r, job, 0, ZN_STAGE_COMPLETE, 100);
    rig_free(&r);
}

/* The losses of a job that has ended are of no interest. */
static void test_lineage_job_that_ended_makes_nothing_again(void **state) {
    (void)state;
    uint64_t job = 0;
    rig *r = with_stage(&job);
    zn_message cancel = { .number = ZN_MSG_CANCEL_JOB };
    cancel.cancel_job.job = job;
    rig_call(r, cancel);
    lose_worker(r, 0);
    zn_lost_result lost = { 0, 3, 1 };
    collect(r, job, 0, 0, &lost);
    assert_int_equal(run_away(r), 0);
    assert_stage(r, job, 0, ZN_STAGE_COMPLETE, 4);
    rig_free(&r);
}

/* The stage that runs again fails: who waits for the one that reads it learns why. */
static void test_lineage_failure_of_what_runs_again_is_told(void **state) {
    (void)state;
    uint64_t job = 0;
    rig *r = with_stage(&job);
    start_reader(r, job, 1, 1, 0);
    lose_worker(r, 0);
    rig_assign(r);
    assert_int_equal(r->workers[1].stages[0], 0);
    rig_fail_first(r, 1, ZONDA_ERR_BAD_RECORD, true);
    zn_msg_status status = rig_status(r, job, 1);
    assert_int_equal(status.state, ZN_STAGE_CANCELLED);
    assert_int_equal(status.failure[0].code, ZONDA_ERR_BAD_RECORD);
    rig_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lineage_results_that_nobody_has_read_are_made_again),
        cmocka_unit_test(test_lineage_results_that_nobody_needs_stay_lost),
        cmocka_unit_test(test_lineage_stage_that_starts_later_waits),
        cmocka_unit_test(test_lineage_running_readers_go_on),
        cmocka_unit_test(test_lineage_goes_through_all_stages),
        cmocka_unit_test(test_lineage_survives_losses_again_and_again),
        cmocka_unit_test(test_lineage_unreadable_result_is_made_again),
        cmocka_unit_test(test_lineage_late_reports_change_nothing),
        cmocka_unit_test(test_lineage_result_that_always_rots_is_an_error),
        cmocka_unit_test(test_lineage_driver_reports_what_it_cannot_read),
        cmocka_unit_test(test_lineage_stage_with_limit_runs_again),
        cmocka_unit_test(test_lineage_failure_of_what_runs_again_is_told),
        cmocka_unit_test(test_lineage_job_that_ended_makes_nothing_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
