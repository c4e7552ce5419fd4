/* SPDX-License-Identifier: MPL-2.0 */
/* Attempts that fail: how many a job allows in each class, and when the next one is made. */
#include "rig.h"

#include "base/clock.h"
#include "base/limits.h"

/* A worker with one slot has a task of a stage of `tasks`. */
static uint64_t begin(rig *r, const zn_msg_open_job *options, uint64_t tasks) {
    uint64_t job = rig_open_with(r, "one", options);
    rig_start(r, job, 0, tasks);
    rig_join(r, 0, 1, 1);
    rig_assign(r);
    assert_int_equal(r->workers[0].run_count, 1);
    return job;
}

/* Fails attempts with an error until the job fails; returns how many it took. */
static int count_attempts(const zn_msg_open_job *options, zonda_err code) {
    rig *r = rig_new();
    uint64_t job = begin(r, options, 1);
    int attempts = 0;
    zn_message get = { .number = ZN_MSG_GET_STATUS, .get_status = { .job = job } };
    while (rig_call(r, get)->status.state == ZN_STAGE_RUNNING) {
        rig_fail_first(r, 0, code, false);
        rig_assign(r);
        attempts++;
    }
    rig_free(&r);
    return attempts;
}

/* Every class has its own number of attempts, and the job may ask for another one. */
static void test_attempts_have_limits_of_the_job(void **state) {
    (void)state;
    zn_msg_open_job usual = { 0 };
    zn_msg_open_job own = { .user_attempts = 1, .infra_attempts = 4, .crash_attempts = 5 };
    assert_int_equal(count_attempts(&usual, ZONDA_ERR_USER), ZN_ATTEMPTS_USER_MAX);
    assert_int_equal(count_attempts(&usual, ZONDA_ERR_WORKER_LOST), ZN_ATTEMPTS_INFRA_MAX);
    assert_int_equal(count_attempts(&usual, ZONDA_ERR_STALE), ZN_ATTEMPTS_INFRA_MAX);
    assert_int_equal(count_attempts(&usual, ZONDA_ERR_HUNG), ZN_ATTEMPTS_CRASH_MAX);
    assert_int_equal(count_attempts(&own, ZONDA_ERR_USER), 1);
    assert_int_equal(count_attempts(&own, ZONDA_ERR_WORKER_LOST), 4);
    assert_int_equal(count_attempts(&own, ZONDA_ERR_CRASH), 5);
}

/* The error of the job tells the class, and of every attempt where it was made and how it ended,
 * however much else failed in between. */
static void test_attempts_are_told_by_the_error(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = begin(r, &(zn_msg_open_job){ 0 }, 100);
    rig_join(r, 1, 1, 1);
    rig_fail_first(r, 0, ZONDA_ERR_USER, false);
    rig_assign(r);
    for (uint32_t i = 1; i < 60; i++) { /* each of these tasks fails and succeeds then */
        zn_live_stage *stage = TAILQ_FIRST(&r->scheduler->jobs)->stages[0];
        zonda_error error;
        zn_error_set(&error, ZONDA_ERR_USER, "another one");
        zn_failure_log_remember(&stage->failed, (zn_task_run){ i, 1, 1 }, "else", &error);
        zn_failure_log_forget(&stage->failed, i, 1);
    }
    zn_message get = { .number = ZN_MSG_GET_STATUS, .get_status = { .job = job } };
    while (rig_call(r, get)->status.state == ZN_STAGE_RUNNING) {
        size_t worker = r->workers[1].run_count > 0 && r->workers[1].runs[0].first == 0 ? 1 : 0;
        if (r->workers[worker].runs[0].first == 0) {
            rig_fail_first(r, worker, ZONDA_ERR_USER, false);
        } else {
            rig_finish_first(r, worker);
            rig_finish_first(r, 1 - worker);
        }
        rig_assign(r);
    }
    const zonda_error *ended = TAILQ_FIRST(&r->scheduler->jobs)->ended;
    assert_string_equal(ended->text, "it broke");
    assert_non_null(strstr(ended->traceback, "user error: 3 of 3 attempts failed\n"));
    assert_non_null(strstr(ended->traceback, "attempt 1 on worker 1 on host: it broke"));
    assert_non_null(strstr(ended->traceback, "attempt 2 on worker "));
    assert_non_null(strstr(ended->traceback, "attempt 3 on worker "));
    assert_null(strstr(ended->traceback, "another one"));
    rig_free(&r);
}

/* Many attempts with long texts: the last ones are told, and the class. */
static void test_attempts_that_are_many_are_cut(void **state) {
    (void)state;
    zn_failure_log log = { 0 };
    zonda_error error;
    char text[900];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (uint32_t i = 1; i <= 2 * ZN_PAST_ATTEMPTS_MAX; i++) {
        zn_error_set(&error, ZONDA_ERR_WORKER_LOST, "%s", text);
        error.worker = i;
        zn_failure_log_remember(&log, (zn_task_run){ 7, 2, i }, "far", &error);
    }
    assert_int_equal(log.past_count, ZN_PAST_ATTEMPTS_MAX);
    zn_error_copy(error.traceback, sizeof error.traceback, text, strlen(text));
    zn_failure_log_tell(&log, 8, "infrastructure: many", &error);
    assert_non_null(strstr(error.traceback, "infrastructure: many\n"));
    assert_non_null(strstr(error.traceback, "attempt 512 on worker 512 on far"));
    assert_null(strstr(error.traceback, "attempt 1 "));
    zn_failure_log_forget(&log, 7, 2);
    assert_int_equal(log.past_count, 0);
    zn_failure_log_free(&log);
}

/* Lets time pass and hands out, as the shell does. */
static void pass_ms(rig *r, uint64_t ms) {
    r->now_ns += ms * ZN_NS_PER_MS;
    zn_scheduler_tick(r->scheduler, r->now_ns);
    zn_scheduler_assign(r->scheduler);
    rig_deliver(r);
}

/* A task that failed waits, the others go on, and the tick that ends the wait is asked for. */
static void test_attempts_wait_while_others_go_on(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = begin(r, &(zn_msg_open_job){ 0 }, 2);
    rig_fail_first(r, 0, ZONDA_ERR_USER, false);
    pass_ms(r, 0);
    assert_int_equal(r->workers[0].run_count, 1);
    assert_int_equal(r->workers[0].runs[0].first, 1); /* not task 0 */
    assert_true(zn_scheduler_deadline(r->scheduler) <=
                r->now_ns + (ZN_RETRY_WAIT_MS + 10) * ZN_NS_PER_MS);
    rig_finish_first(r, 0);
    pass_ms(r, ZN_RETRY_WAIT_MS - 1);
    assert_int_equal(r->workers[0].run_count, 0);
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_RUNNING);
    pass_ms(r, 11);
    assert_int_equal(r->workers[0].run_count, 1);
    assert_int_equal(r->workers[0].runs[0].value, 2);
    rig_fail_first(r, 0, ZONDA_ERR_USER, false);
    pass_ms(r, 2 * ZN_RETRY_WAIT_MS - 1);
    assert_int_equal(r->workers[0].run_count, 0); /* the second wait is longer */
    pass_ms(r, 11);
    assert_int_equal(r->workers[0].runs[0].value, 3);
    rig_finish_first(r, 0);
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_COMPLETE);
    rig_free(&r);
}

/* What was lost with a worker moves at once. */
static void test_attempts_lost_with_a_worker_move_at_once(void **state) {
    (void)state;
    rig *r = rig_new();
    begin(r, &(zn_msg_open_job){ 0 }, 1);
    rig_join(r, 1, 1, 1);
    zn_scheduler_unreachable(r->scheduler, r->now_ns, r->workers[0].epoch);
    pass_ms(r, 0);
    assert_int_equal(r->workers[1].run_count, 1);
    assert_int_equal(r->workers[1].runs[0].value, 2);
    rig_free(&r);
}

/* A job that ends while tasks wait leaves nothing behind. */
static void test_attempts_that_wait_end_with_their_job(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = begin(r, &(zn_msg_open_job){ 0 }, 3);
    rig_fail_first(r, 0, ZONDA_ERR_USER, false);
    assert_false(TAILQ_EMPTY(&r->scheduler->delayed));
    rig_close(r, job);
    assert_true(TAILQ_EMPTY(&r->scheduler->delayed));
    pass_ms(r, 1000);
    rig_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attempts_have_limits_of_the_job),
        cmocka_unit_test(test_attempts_are_told_by_the_error),
        cmocka_unit_test(test_attempts_that_are_many_are_cut),
        cmocka_unit_test(test_attempts_wait_while_others_go_on),
        cmocka_unit_test(test_attempts_lost_with_a_worker_move_at_once),
        cmocka_unit_test(test_attempts_that_wait_end_with_their_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
