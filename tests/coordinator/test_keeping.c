/* SPDX-License-Identifier: MPL-2.0 */
/* A worker that registers again: what it keeps, and what is lost with it. */
#include "rig.h"

static void hello_again(rig *r, size_t worker, uint64_t epoch) {
    zn_message hello = { .number = ZN_MSG_HELLO };
    hello.hello = (zn_msg_hello){ .client = r->workers[worker].client,
                                  .role = ZN_ROLE_WORKER,
                                  .slots = 4,
                                  .data = zn_bytes_of_text("inproc://data-again"),
                                  .epoch = epoch };
    rig_send(r, worker, hello);
    rig_deliver(r);
}

static void report_away(rig *r, size_t worker, uint64_t job, uint64_t task) {
    zn_reference reference = { .segment = zn_bytes_of_text("s"), .length = 1 };
    zn_outcome away = rig_outcome(task, 1, 1);
    away.reference = &reference;
    away.reference_count = 1;
    away.records_out = 3;
    rig_result(r, worker, job, 0, away);
}

/* Results lie with the worker, not with a registration of it: they outlive a new one, and a driver
 * finds them at the address that the worker now has. */
static void test_keeping_results_of_the_worker(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 2);
    rig_join(r, 0, 4, 4);
    rig_assign(r);
    report_away(r, 0, job, 0);
    hello_again(r, 0, r->workers[0].epoch);
    assert_int_equal(rig_status(r, job, 0).completed, 1);
    zn_message collect = { .number = ZN_MSG_COLLECT_RESULTS };
    collect.collect_results.job = job;
    const zn_message *reply = rig_call(r, collect);
    assert_int_equal(reply->number, ZN_MSG_RESULTS);
    assert_true(zn_bytes_equal(reply->results.results[0].endpoint,
                               zn_bytes_of_text("inproc://data-again")));
    rig_free(&r);
}

/* A worker that has kept nothing says so, and what it had is made again. */
static void test_keeping_nothing_loses_results(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 2);
    rig_join(r, 0, 4, 4);
    rig_assign(r);
    report_away(r, 0, job, 0);
    hello_again(r, 0, 0);
    assert_int_equal(rig_status(r, job, 0).completed, 0);
    rig_free(&r);
}

/* A worker that was asked to register again and does not come is lost with its results. */
static void test_keeping_and_never_coming_loses_results(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 2);
    rig_join(r, 0, 4, 4);
    rig_assign(r);
    report_away(r, 0, job, 0);
    r->workers[0].sent += 1; /* one is missing */
    rig_result(r, 0, job, 0, rig_outcome(1, 1, 1));
    rig_deliver(r);
    assert_int_equal(r->workers[0].rejoins, 1);
    assert_int_equal(rig_status(r, job, 0).completed, 1);
    for (int i = 0; i < 4; i++) {
        r->now_ns += UINT64_C(1000000000);
        zn_scheduler_tick(r->scheduler, r->now_ns);
        rig_deliver(r);
    }
    assert_int_equal(zn_scheduler_worker_count(r->scheduler), 0);
    assert_int_equal(rig_status(r, job, 0).completed, 0);
    rig_free(&r);
}

static void name_held(rig *r, size_t worker, uint64_t job, zn_run *runs, size_t count) {
    zn_message message = { .number = ZN_MSG_HOLDING };
    message.holding = (zn_msg_holding){
        .sequence = ++r->workers[worker].sent, .job = job, .runs = runs, .runs_count = count
    };
    rig_send(r, worker, message);
    rig_deliver(r);
}

static void give_credit(rig *r, size_t worker, uint64_t tasks) {
    zn_message message = { .number = ZN_MSG_CREDIT, .credit.tasks = tasks };
    rig_send(r, worker, message);
    rig_assign(r);
}

/* What a worker held is nobody else's while it registers again. What it names it goes on with under
 * the same attempt; what it does not name by the time it gives credit, it has not got. */
static void test_keeping_what_is_named(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 10);
    rig_join(r, 0, 10, 10);
    rig_assign(r);
    hello_again(r, 0, r->workers[0].epoch);
    rig_join(r, 1, 10, 10);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[1]), 0);
    zn_run runs[] = { { 0, 3, 1 }, { 5, 2, 1 } };
    name_held(r, 0, job, runs, 2);
    assert_int_equal(r->workers[0].withdrawn, 0);
    give_credit(r, 0, 10);
    assert_int_equal(rig_status(r, job, 0).running, 10);
    assert_true(rig_held(&r->workers[1]) > 0);
    rig_result(r, 0, job, 0, rig_outcome(0, 3, 1));
    rig_result(r, 0, job, 0, rig_outcome(5, 2, 1));
    assert_int_equal(rig_status(r, job, 0).completed, 5);
    assert_int_equal(r->scheduler->stats.stale_tasks + r->scheduler->stats.late_tasks, 0);
    rig_drain(r);
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_COMPLETE);
    assert_int_equal(rig_status(r, job, 0).retries, 5);
    rig_free(&r);
}

/* A worker that was lost in the meantime is given those attempts again whose tasks nobody has got
 * since; the others are withdrawn. */
static void test_keeping_what_nobody_has_got_since(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 10);
    rig_join(r, 0, 10, 10);
    rig_assign(r);
    uint64_t epoch = r->workers[0].epoch;
    zn_scheduler_unreachable(r->scheduler, r->now_ns, epoch);
    rig_join(r, 1, 4, 4);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[1]), 4);
    hello_again(r, 0, epoch);
    zn_run runs[] = { { 0, 10, 1 }, { 3, 4, 2 }, { 20, 5, 1 } };
    name_held(r, 0, job, runs, 3);
    assert_int_equal(r->scheduler->stats.adopted_tasks, 6);
    assert_int_equal(r->workers[0].withdrawn, 4 + 4 + 5);
    rig_result(r, 0, job, 0, rig_outcome(4, 6, 1));
    assert_int_equal(rig_status(r, job, 0).completed, 6);
    rig_free(&r);
}

/* Attempts of a job that has ended meanwhile are withdrawn, and DONE is said once the job closes.
 */
static void test_keeping_nothing_of_a_job_that_ended(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 10);
    rig_join(r, 0, 10, 10);
    rig_assign(r);
    uint64_t epoch = r->workers[0].epoch;
    zn_scheduler_unreachable(r->scheduler, r->now_ns, epoch);
    assert_int_equal(rig_close(r, job), 0);
    hello_again(r, 0, epoch);
    zn_run run = { 0, 10, 1 };
    name_held(r, 0, job, &run, 1);
    assert_int_equal(r->workers[0].withdrawn, 10);
    assert_int_equal(r->workers[0].done_job, job);
    rig_free(&r);
}

/* A good outcome of a worker that was thought lost counts while the task is open: nobody runs it
 * in vain, whoever does is told to end. A failure does not count, the task has gone on. */
static void test_keeping_late_outcomes_of_open_tasks(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 10);
    rig_join(r, 0, 10, 10);
    rig_assign(r);
    uint64_t epoch = r->workers[0].epoch;
    zn_scheduler_unreachable(r->scheduler, r->now_ns, epoch);
    rig_join(r, 1, 4, 4);
    rig_assign(r);
    hello_again(r, 0, epoch);
    rig_result(r, 0, job, 0, rig_outcome(2, 4, 1)); /* two are held, two wait */
    rig_deliver(r);
    assert_int_equal(rig_status(r, job, 0).completed, 4);
    assert_int_equal(r->scheduler->stats.late_tasks, 4);
    assert_int_equal(r->workers[1].withdrawn, 2);
    rig_result(r, 0, job, 0, rig_outcome(2, 4, 1)); /* again */
    rig_result(r, 0, job, 0, rig_outcome(6, 1, 2)); /* was never given out */
    zn_failure failure = { .code = ZONDA_ERR_USER, .text = zn_bytes_of_text("it broke") };
    zn_outcome failed = rig_outcome(7, 1, 1);
    failed.failure = &failure;
    failed.failure_count = 1;
    rig_result(r, 0, job, 0, failed);
    assert_int_equal(rig_status(r, job, 0).completed, 4);
    assert_int_equal(r->scheduler->stats.stale_tasks, 6);
    rig_drain(r);
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_COMPLETE);
    rig_free(&r);
}

/* No attempt number is given out twice, even if a late result is lost again. */
static void test_keeping_attempt_numbers_unique(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 2);
    rig_join(r, 0, 2, 2);
    rig_assign(r);
    uint64_t epoch = r->workers[0].epoch;
    zn_scheduler_unreachable(r->scheduler, r->now_ns, epoch);
    rig_join(r, 1, 2, 2);
    rig_assign(r); /* attempt 2 */
    hello_again(r, 0, epoch);
    report_away(r, 0, job, 0); /* attempt 1 */
    assert_int_equal(rig_status(r, job, 0).completed, 1);
    zn_scheduler_unreachable(r->scheduler, r->now_ns, r->workers[0].epoch);
    rig_deliver(r);
    const zn_live_stage *stage = zn_live_job_stage(zn_key_map_get(&r->scheduler->job_map, job), 0);
    uint64_t next = 0;
    assert_true(zn_task_set_get(&stage->pending, 0, &next));
    assert_int_equal(next, 3);
    rig_free(&r);
}

/* Many RESULTs are acknowledged before the next heartbeat is due. */
static void test_keeping_results_is_ended_in_time(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 100);
    rig_join(r, 0, 100, 100);
    rig_assign(r);
    for (uint64_t task = 0; task < ZN_ACKNOWLEDGE_MAX; task++) {
        rig_result(r, 0, job, 0, rig_outcome(task, 1, 1));
    }
    rig_deliver(r);
    assert_int_equal(r->workers[0].heartbeats, 1);
    rig_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeping_results_of_the_worker),
        cmocka_unit_test(test_keeping_nothing_loses_results),
        cmocka_unit_test(test_keeping_and_never_coming_loses_results),
        cmocka_unit_test(test_keeping_what_is_named),
        cmocka_unit_test(test_keeping_what_nobody_has_got_since),
        cmocka_unit_test(test_keeping_nothing_of_a_job_that_ended),
        cmocka_unit_test(test_keeping_late_outcomes_of_open_tasks),
        cmocka_unit_test(test_keeping_attempt_numbers_unique),
        cmocka_unit_test(test_keeping_results_is_ended_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
