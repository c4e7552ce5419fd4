/* SPDX-License-Identifier: MPL-2.0 */
/* Workers that are to leave: no more tasks, what was not begun comes back, results keep them. */
#include "rig.h"

#include "base/clock.h"

static const zn_message *drain(rig *r, uint64_t worker) {
    zn_message message = { .number = ZN_MSG_DRAIN_WORKER };
    message.drain_worker.worker = worker;
    message.drain_worker.reason = zn_bytes_of_text("for the test");
    const zn_message *reply = rig_call(r, message);
    rig_deliver(r);
    return reply;
}

static void hand_back(rig *r, size_t worker, uint64_t job, zn_run run) {
    zn_message message = { .number = ZN_MSG_HANDBACK };
    message.handback = (zn_msg_handback){
        .sequence = ++r->workers[worker].sent, .job = job, .runs = &run, .runs_count = 1
    };
    rig_send(r, worker, message);
    rig_deliver(r);
}

static void pass(rig *r, uint64_t ms) {
    for (uint64_t passed = 0; passed < ms; passed += 250) {
        r->now_ns += 250 * ZN_NS_PER_MS;
        zn_message beat = { .number = ZN_MSG_HEARTBEAT };
        for (size_t i = 0; i < RIG_WORKERS; i++) {
            if (r->workers[i].epoch != 0) {
                beat.heartbeat.sent = r->workers[i].sent;
                rig_send(r, i, beat);
            }
        }
        zn_scheduler_tick(r->scheduler, r->now_ns);
        rig_deliver(r);
    }
}

/* A result of one task in a segment of the worker. */
static void finish_in_segment(rig *r, size_t worker, uint64_t job) {
    rig_worker *w = &r->workers[worker];
    assert_true(w->run_count > 0);
    zn_reference reference = { .segment = zn_bytes_of_text("job1-s0"), .length = 10 };
    zn_task_run run = w->runs[0];
    rig_forget_run(w, 0);
    zn_outcome outcome = rig_outcome(run.first, run.count, run.value);
    outcome.reference = &reference;
    outcome.reference_count = 1;
    rig_result(r, worker, job, 0, outcome);
}

/* Nobody needs it: it is told to leave at once, and then nobody knows it any more. */
static void test_drain_of_an_idle_worker_lets_it_leave(void **state) {
    (void)state;
    rig *r = rig_new();
    rig_join(r, 0, 2, 8);
    const zn_message *reply = drain(r, r->workers[0].id);
    assert_int_equal(reply->number, ZN_MSG_WORKER_DRAINING);
    assert_int_equal(reply->worker_draining.gone, 0);
    assert_int_equal(r->workers[0].drains, 1);
    pass(r, 500);
    assert_true(r->workers[0].done_all);
    zn_message done = { .number = ZN_MSG_DONE };
    done.done.scope = ZN_DONE_ALL;
    rig_send(r, 0, done);
    r->workers[0].epoch = 0;
    assert_int_equal(zn_scheduler_worker_count(r->scheduler), 0);
    assert_int_equal(drain(r, r->workers[0].id)->worker_draining.gone, 1);
    rig_free(&r);
}

/* It gets no more tasks; what it hands back goes to another worker, one attempt higher and blamed
 * on nobody; what it runs counts. */
static void test_drain_tasks_not_begun_move_and_running_ones_count(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_join(r, 0, 8, 8);
    rig_start(r, job, 0, 8);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 8);
    drain(r, r->workers[0].id);
    zn_message list = { .number = ZN_MSG_LIST_WORKERS };
    const zn_message *workers = rig_call(r, list);
    assert_int_equal(workers->workers.workers[0].state, ZN_WORKER_DRAINING);
    assert_memory_equal(workers->workers.workers[0].reason.data, "for the test", 12);

    hand_back(r, 0, job, (zn_run){ .first = 2, .count = 6, .attempt = 1 });
    rig_assign(r);
    assert_int_equal(rig_status(r, job, 0).running, 2);
    rig_join(r, 1, 8, 8);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[1]), 6);
    assert_int_equal(r->workers[1].runs[0].value, 2);

    pass(r, 1000);
    assert_false(r->workers[0].done_all); /* it still runs two */
    rig_result(r, 0, job, 0, rig_outcome(0, 2, 1));
    assert_int_equal(rig_status(r, job, 0).completed, 2);
    pass(r, 500);
    assert_true(r->workers[0].done_all);
    rig_free(&r);
}

/* A hand-back of what the worker does not hold, or with another attempt, changes nothing. */
static void test_drain_handback_of_others_has_no_effect(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_join(r, 0, 4, 4);
    rig_start(r, job, 0, 4);
    rig_assign(r);
    hand_back(r, 0, job, (zn_run){ .first = 0, .count = 4, .attempt = 9 });
    hand_back(r, 0, job, (zn_run){ .first = 100, .count = 4, .attempt = 1 });
    hand_back(r, 0, job + 1, (zn_run){ .first = 0, .count = 4, .attempt = 1 });
    assert_int_equal(rig_status(r, job, 0).running, 4);
    rig_free(&r);
}

/* Results in its segments keep it for as long as their job is open. */
static void test_drain_waits_for_the_jobs_of_its_results(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_join(r, 0, 1, 1);
    rig_start(r, job, 0, 1);
    rig_assign(r);
    finish_in_segment(r, 0, job);
    assert_int_equal(drain(r, r->workers[0].id)->worker_draining.results, 1);
    pass(r, 5000);
    assert_false(r->workers[0].done_all);
    rig_close(r, job);
    rig_deliver(r);
    pass(r, 500);
    assert_true(r->workers[0].done_all);
    rig_free(&r);
}

/* What it has is made again by another worker, when it has waited for long enough; meanwhile it
 * stays and serves the results. */
static void test_drain_results_are_made_again_after_a_time(void **state) {
    (void)state;
    rig *r = rig_new();
    r->scheduler->config.drain_ms = 2000;
    uint64_t job = rig_open(r, "job");
    rig_join(r, 0, 1, 1);
    rig_start(r, job, 0, 1);
    rig_assign(r);
    finish_in_segment(r, 0, job);
    rig_join(r, 1, 1, 1);
    drain(r, r->workers[0].id);
    pass(r, 1000);
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_COMPLETE);
    pass(r, 2000);
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_RUNNING);
    assert_false(r->workers[0].done_all);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 0);
    finish_in_segment(r, 1, job);
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_COMPLETE);
    pass(r, 1000);
    assert_true(r->workers[0].done_all);
    rig_close(r, job);
    rig_free(&r);
}

/* It stays drained when it registers again, also when it was already told to leave. */
static void test_drain_outlives_a_registration(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_join(r, 0, 1, 4);
    rig_start(r, job, 0, 4);
    rig_assign(r);
    drain(r, r->workers[0].id);
    rig_join(r, 0, 1, 4);
    assert_int_equal(r->workers[0].drains, 2);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 0);
    pass(r, 500);
    assert_true(r->workers[0].done_all);
    r->workers[0].done_all = false;
    rig_join(r, 0, 1, 4);
    pass(r, 500);
    assert_true(r->workers[0].done_all);
    pass(r, 1500);
    assert_int_equal(zn_scheduler_worker_count(r->scheduler), 1);
    rig_free(&r);
}

/* A worker that asks for it itself is drained as if somebody else had asked. */
static void test_drain_asked_by_the_worker_itself(void **state) {
    (void)state;
    rig *r = rig_new();
    rig_join(r, 0, 1, 4);
    rig_send(r, 0, (zn_message){ .number = ZN_MSG_DRAIN });
    rig_deliver(r);
    assert_int_equal(r->workers[0].drains, 1);
    pass(r, 500);
    assert_true(r->workers[0].done_all);
    rig_free(&r);
}

static void test_drain_of_an_unknown_worker_is_refused(void **state) {
    (void)state;
    rig *r = rig_new();
    zn_message message = { .number = ZN_MSG_DRAIN_WORKER };
    message.drain_worker.worker = 5;
    assert_string_equal(rig_refused(r, message), "NOT_FOUND");
    rig_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drain_of_an_idle_worker_lets_it_leave),
        cmocka_unit_test(test_drain_tasks_not_begun_move_and_running_ones_count),
        cmocka_unit_test(test_drain_handback_of_others_has_no_effect),
        cmocka_unit_test(test_drain_waits_for_the_jobs_of_its_results),
        cmocka_unit_test(test_drain_results_are_made_again_after_a_time),
        cmocka_unit_test(test_drain_outlives_a_registration),
        cmocka_unit_test(test_drain_asked_by_the_worker_itself),
        cmocka_unit_test(test_drain_of_an_unknown_worker_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
