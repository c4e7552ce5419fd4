/* SPDX-License-Identifier: MPL-2.0 */
/* EXPLAIN: every reason for waiting has its own situation, and tasks can be followed from one
 * attempt to the next. */
#include "rig.h"

#include "base/clock.h"

static const zn_msg_explanation *explain(rig *r, zn_msg_explain place) {
    zn_message message = { .number = ZN_MSG_EXPLAIN };
    message.explain = place;
    const zn_message *reply = rig_call(r, message);
    assert_int_equal(reply->number, ZN_MSG_EXPLANATION);
    return &reply->explanation;
}

static const zn_msg_explanation *explain_job(rig *r, uint64_t job) {
    return explain(r, (zn_msg_explain){ .job = job });
}

static const zn_msg_explanation *explain_task(rig *r, uint64_t job, uint64_t task) {
    return explain(r, (zn_msg_explain){ .job = job, .has_stage = 1, .has_task = 1, .task = task });
}

/* The reason with this code; fails the test if it is not given. */
static const zn_reason *reason_of(const zn_msg_explanation *found, zn_wait_reason code) {
    for (size_t i = 0; i < found->reasons_count; i++) {
        if (found->reasons[i].code == (uint64_t)code) {
            return &found->reasons[i];
        }
    }
    fail_msg("reason %d is not given", (int)code);
    return NULL;
}

static void expect_text(const zn_reason *reason, const char *words) {
    char text[ZN_NAME_BYTES_MAX + 1];
    snprintf(text, sizeof text, "%.*s", (int)reason->text.len, (const char *)reason->text.data);
    if (strstr(text, words) == NULL) {
        fail_msg("'%s' is not in '%s'", words, text);
    }
}

/* Without a worker that is the reason, first and blocking. */
static void test_explain_no_worker(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 7);
    const zn_msg_explanation *found = explain_job(r, job);
    assert_int_equal(found->reasons[0].code, ZN_WAIT_NO_WORKER);
    assert_int_equal(found->reasons[0].blocking, 1);
    expect_text(&found->reasons[0], "7 tasks wait: no worker is there");
    assert_int_equal(found->job_count, 1);
    assert_int_equal(found->job->total, 7);
    assert_int_equal(found->stages_count, 1);
    assert_int_equal(found->stages[0].total, 7);
    assert_int_equal(found->stages[0].active_ms, 0);
    rig_free(&r);
}

/* A worker that was asked to register again, and one that takes nothing, are told apart. */
static void test_explain_worker_without_credit(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 7);
    rig_join(r, 0, 2, 0);
    reason_of(explain_job(r, job), ZN_WAIT_NO_CREDIT);
    r->workers[0].sent = 5; /* a gap */
    rig_result(r, 0, job, 0, rig_outcome(0, 1, 1));
    rig_deliver(r);
    expect_text(reason_of(explain_job(r, job), ZN_WAIT_NO_WORKER), "must register again");
    rig_free(&r);
}

static void test_explain_all_workers_drain(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_join(r, 0, 1, 2);
    rig_start(r, job, 0, 7);
    rig_assign(r);
    rig_send(r, 0, (zn_message){ .number = ZN_MSG_DRAIN });
    rig_deliver(r);
    const zn_reason *reason = reason_of(explain_job(r, job), ZN_WAIT_NO_WORKER);
    expect_text(reason, "6 tasks wait: 1 worker drains and takes no new tasks");
    rig_free(&r);
}

/* All credit used by the job itself is no obstacle, by others it is the wait for a turn. */
static void test_explain_credit_is_used(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t first = rig_open(r, "first");
    rig_start(r, first, 0, 100);
    rig_join(r, 0, 4, 4);
    rig_assign(r);
    const zn_reason *busy = reason_of(explain_job(r, first), ZN_WAIT_BUSY);
    assert_int_equal(busy->blocking, 0);
    expect_text(busy, "96 tasks wait: 1 worker with 4 slots hold 4 tasks");
    uint64_t second = rig_open(r, "second");
    rig_start(r, second, 0, 5);
    const zn_reason *turn = reason_of(explain_job(r, second), ZN_WAIT_FAIR_SHARE);
    assert_int_equal(turn->blocking, 1);
    expect_text(turn, "4 of them of 1 other job;");
    rig_finish_first(r, 0);
    rig_assign(r);
    assert_int_equal(reason_of(explain_job(r, second), ZN_WAIT_FAIR_SHARE)->blocking, 0);
    rig_free(&r);
}

/* A stage of unknown duration is held back although there is credit; then it is handed out. */
static void test_explain_new_stage(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 100);
    rig_join(r, 0, 2, 50);
    reason_of(explain_job(r, job), ZN_WAIT_HAND_OUT);
    rig_assign(r);
    expect_text(reason_of(explain_job(r, job), ZN_WAIT_NEW_STAGE), "(2 in all)");
    rig_free(&r);
}

/* Tasks that are out are said to be out; a long silence is blocking. */
static void test_explain_held_and_silent(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 3);
    rig_join(r, 0, 3, 3);
    rig_assign(r);
    assert_int_equal(reason_of(explain_job(r, job), ZN_WAIT_HELD)->blocking, 0);
    for (int i = 0; i < 12; i++) {
        r->now_ns += ZN_NS_PER_S;
        zn_message beat = { .number = ZN_MSG_HEARTBEAT };
        rig_send(r, 0, beat);
    }
    const zn_reason *held = reason_of(explain_job(r, job), ZN_WAIT_HELD);
    assert_int_equal(held->blocking, 1);
    expect_text(held,
                "3 tasks are with 1 worker, the oldest for 12 s; none was completed for 12 s");
    r->now_ns += 2500 * ZN_NS_PER_MS;
    expect_text(reason_of(explain_job(r, job), ZN_WAIT_SILENT), "was not heard for 2.5 s");
    rig_free(&r);
}

/* A job without work waits for its driver, and how long ago that called is known. */
static void test_explain_waits_for_driver(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    r->now_ns += 3 * ZN_NS_PER_S;
    const zn_msg_explanation *found = explain_job(r, job);
    expect_text(reason_of(found, ZN_WAIT_DRIVER), "no stage was started");
    expect_text(reason_of(found, ZN_WAIT_DRIVER), "called 3.0 s ago");
    assert_int_equal(found->called_ms, 3000);
    rig_start(r, job, 0, 3);
    assert_int_equal(explain_job(r, job)->called_ms, 0);
    rig_join(r, 0, 3, 3);
    rig_drain(r);
    r->now_ns += ZN_NS_PER_S;
    found = explain_job(r, job);
    expect_text(reason_of(found, ZN_WAIT_DRIVER), "all its tasks are completed");
    assert_int_equal(found->reasons_count, 1);
    assert_int_equal(found->stages[0].completed, 3);
    rig_free(&r);
}

/* A failed, a cancelled and a closing job say so. */
static void test_explain_ended_jobs(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 3);
    rig_join(r, 0, 3, 3);
    rig_assign(r);
    rig_fail_first(r, 0, ZONDA_ERR_USER, true);
    const zn_msg_explanation *found = explain_job(r, job);
    expect_text(reason_of(found, ZN_WAIT_ENDED), "the job failed");
    assert_int_equal(found->ended_count, 1);
    assert_int_equal(found->ended->code, ZONDA_ERR_USER);
    assert_int_equal(found->stages[0].failure_count, 1);
    rig_deliver(r);
    assert_int_equal(rig_close(r, job), 1);
    expect_text(reason_of(explain_job(r, job), ZN_WAIT_CLOSING), "1 worker has not let go");
    uint64_t other = rig_open(r, "other");
    zn_message cancel = { .number = ZN_MSG_CANCEL_JOB };
    cancel.cancel_job = (zn_msg_cancel_job){ .job = other, .reason = zn_bytes_of_text("enough") };
    rig_call(r, cancel);
    expect_text(reason_of(explain_job(r, other), ZN_WAIT_ENDED), "was cancelled");
    rig_free(&r);
}

/* One task from pending to completed: who had it, which attempts failed and why. */
static void test_explain_follows_a_task(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 2);
    const zn_msg_explanation *found = explain_task(r, job, 0);
    assert_int_equal(found->attempts_count, 1);
    assert_int_equal(found->attempts[0].state, ZN_ATTEMPT_PENDING);
    assert_int_equal(found->attempts[0].attempt, 1);
    rig_join(r, 0, 1, 1);
    rig_assign(r);
    r->now_ns += 2 * ZN_NS_PER_S;
    found = explain_task(r, job, 0);
    assert_int_equal(found->attempts[0].state, ZN_ATTEMPT_HELD);
    assert_int_equal(found->attempts[0].worker, r->workers[0].id);
    assert_int_equal(found->attempts[0].age_ms, 2000);
    assert_true(found->attempts[0].host.len > 0);
    rig_fail_first(r, 0, ZONDA_ERR_USER, false);
    found = explain_task(r, job, 0);
    assert_int_equal(found->attempts_count, 2);
    assert_int_equal(found->attempts[0].state, ZN_ATTEMPT_FAILED);
    assert_int_equal(found->attempts[0].attempt, 1);
    assert_int_equal(found->attempts[0].failure->line, 12);
    assert_true(zn_bytes_equal(found->attempts[0].failure->text, zn_bytes_of_text("it broke")));
    assert_int_equal(found->attempts[1].state, ZN_ATTEMPT_PENDING);
    assert_int_equal(found->attempts[1].attempt, 2);
    assert_int_equal(explain_task(r, job, 1)->attempts_count, 1);
    expect_text(reason_of(explain_job(r, job), ZN_WAIT_RETRIES), "1 attempt failed");
    rig_drain(r);
    found = explain_task(r, job, 0);
    assert_int_equal(found->attempts_count, 2);
    assert_int_equal(found->attempts[1].state, ZN_ATTEMPT_COMPLETED);
    assert_int_equal(found->stages[0].failures, 1);
    rig_free(&r);
}

/* A stage shows who holds its tasks, and only the last failures however many there were. */
static void test_explain_stage_is_bounded(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 100);
    rig_join(r, 0, 40, 40);
    rig_join(r, 1, 40, 40);
    rig_assign(r);
    for (uint64_t i = 0; i < 30; i++) {
        zn_failure failure = { .code = ZONDA_ERR_IO, .text = zn_bytes_of_text("no") };
        zn_outcome outcome = rig_outcome(i, 1, 1);
        outcome.failure = &failure;
        outcome.failure_count = 1;
        rig_result(r, 0, job, 0, outcome);
    }
    const zn_msg_explanation *found =
        explain(r, (zn_msg_explain){ .job = job, .has_stage = 1, .stage = 0 });
    assert_int_equal(found->stages[0].failures, 30);
    assert_int_equal(found->attempts_count, ZN_FAILURES_KEPT_MAX + 2);
    assert_int_equal(found->attempts[0].first, 30 - ZN_FAILURES_KEPT_MAX);
    assert_int_equal(found->attempts[ZN_FAILURES_KEPT_MAX].state, ZN_ATTEMPT_HELD);
    assert_int_equal(found->attempts[ZN_FAILURES_KEPT_MAX].count, 10);
    assert_int_equal(found->attempts[ZN_FAILURES_KEPT_MAX + 1].count, 40);
    rig_free(&r);
}

/* What is not there has its own error, and an explanation changes nothing. */
static void test_explain_unknown_place_is_refused(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 5);
    zn_message message = { .number = ZN_MSG_EXPLAIN };
    message.explain.job = job + 1;
    assert_string_equal(rig_refused(r, message), "UNKNOWN_JOB");
    message.explain = (zn_msg_explain){ .job = job, .has_stage = 1, .stage = 1 };
    assert_string_equal(rig_refused(r, message), "UNKNOWN_STAGE");
    message.explain = (zn_msg_explain){ .job = job, .has_stage = 1, .has_task = 1, .task = 5 };
    assert_string_equal(rig_refused(r, message), "NOT_FOUND");
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_RUNNING);
    rig_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_explain_no_worker),
        cmocka_unit_test(test_explain_worker_without_credit),
        cmocka_unit_test(test_explain_all_workers_drain),
        cmocka_unit_test(test_explain_credit_is_used),
        cmocka_unit_test(test_explain_new_stage),
        cmocka_unit_test(test_explain_held_and_silent),
        cmocka_unit_test(test_explain_waits_for_driver),
        cmocka_unit_test(test_explain_ended_jobs),
        cmocka_unit_test(test_explain_follows_a_task),
        cmocka_unit_test(test_explain_stage_is_bounded),
        cmocka_unit_test(test_explain_unknown_place_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
