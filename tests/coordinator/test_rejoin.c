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
static void test_rejoin_keeps_results_of_the_worker(void **state) {
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
static void test_rejoin_with_nothing_kept_loses_results(void **state) {
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
static void test_rejoin_that_never_comes_loses_results(void **state) {
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rejoin_keeps_results_of_the_worker),
        cmocka_unit_test(test_rejoin_with_nothing_kept_loses_results),
        cmocka_unit_test(test_rejoin_that_never_comes_loses_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
