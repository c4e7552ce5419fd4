/* SPDX-License-Identifier: MPL-2.0 */
/* Control calls: each one has its reply, a repeated one the same reply, a wrong one an error. */
#include "rig.h"

/* The same call again gets the same reply and happens once; a smaller number is stale. */
static void test_control_repeated_call_happens_once(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t first = rig_open(r, "one");
    uint64_t opened = rig_open(r, "two");
    r->request -= 2; /* the OPEN_JOB of "two" is smaller than the last call now */
    zn_message open = { .number = ZN_MSG_OPEN_JOB };
    open.open_job.fingerprint = zn_digest_bytes(&r->body);
    assert_string_equal(rig_refused(r, open), "STALE");
    r->request = 100;
    uint64_t third = rig_call(r, open)->job_opened.job;
    r->request = 100;
    const zn_message *again = rig_call(r, open);
    assert_int_equal(again->number, ZN_MSG_JOB_OPENED);
    assert_int_equal(again->job_opened.job, third);
    assert_int_equal(r->scheduler->job_map.count, 3);
    assert_true(first < opened && opened < third);
    rig_free(&r);
}

/* A recorded refusal is the same when repeated, although the state has changed. */
static void test_control_repeated_refusal_is_recorded(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    zn_message start = rig_start_message(r, job, 0, 0);
    assert_string_equal(rig_refused(r, start), "EMPTY_STAGE");
    r->request--;
    start.start_stage.task_count = 5;
    assert_string_equal(rig_refused(r, start), "EMPTY_STAGE");
    rig_start(r, job, 0, 5);
    rig_free(&r);
}

/* Calls without client or number, and messages that are no calls, are refused. */
static void test_control_no_call_is_refused(void **state) {
    (void)state;
    rig *r = rig_new();
    zn_message list = { .number = ZN_MSG_LIST_JOBS };
    const zn_message *reply = zn_control_call(r->control, 0, &list);
    assert_int_equal(reply->number, ZN_MSG_REFUSAL);
    assert_int_equal(reply->refusal.failure[0].code, ZONDA_ERR_PROTOCOL);
    zn_message credit = { .number = ZN_MSG_CREDIT };
    reply = zn_control_call(r->control, 0, &credit);
    assert_int_equal(reply->refusal.failure[0].code, ZONDA_ERR_PROTOCOL);
    reply = zn_control_bulk(r->control, 0, &list);
    assert_int_equal(reply->refusal.failure[0].code, ZONDA_ERR_PROTOCOL);
    rig_free(&r);
}

/* HELLO needs no client and answers the other sockets. */
static void test_control_hello_gives_endpoints(void **state) {
    (void)state;
    rig *r = rig_new();
    zn_message hello = { .number = ZN_MSG_HELLO };
    hello.hello.request = 4;
    const zn_message *reply = zn_control_call(r->control, 0, &hello);
    assert_int_equal(reply->number, ZN_MSG_ENDPOINTS);
    assert_int_equal(reply->endpoints.request, 4);
    assert_int_equal(reply->endpoints.cluster, 9);
    assert_true(zn_bytes_equal(reply->endpoints.work, zn_bytes_of_text("inproc://w")));
    assert_true(zn_bytes_equal(reply->endpoints.events, zn_bytes_of_text("inproc://e")));
    rig_free(&r);
}

/* Every way in which START_STAGE can be wrong has its own error and installs nothing. */
static void test_control_wrong_start_is_refused(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    zn_digest other = zn_digest_of(zn_bytes_of_text("other"));
    zn_message start = rig_start_message(r, job, 0, 0);
    assert_string_equal(rig_refused(r, start), "EMPTY_STAGE");
    start = rig_start_message(r, job + 1, 0, 5);
    assert_string_equal(rig_refused(r, start), "UNKNOWN_JOB");
    start = rig_start_message(r, job, 0, 5);
    start.start_stage.fingerprint = zn_digest_bytes(&other);
    assert_string_equal(rig_refused(r, start), "STAGE_MISMATCH");
    start = rig_start_message(r, job, 0, 5);
    start.start_stage.body = zn_digest_bytes(&other);
    assert_string_equal(rig_refused(r, start), "UNKNOWN_BLOB");
    start.start_stage.body.len = 3;
    assert_string_equal(rig_refused(r, start), "PROTOCOL");
    zn_message get = { .number = ZN_MSG_GET_STATUS };
    get.get_status.job = job;
    assert_string_equal(rig_refused(r, get), "UNKNOWN_STAGE");
    get.get_status.job = job + 1;
    assert_string_equal(rig_refused(r, get), "UNKNOWN_JOB");
    zn_message collect = { .number = ZN_MSG_COLLECT_RESULTS };
    collect.collect_results.job = job;
    assert_string_equal(rig_refused(r, collect), "UNKNOWN_STAGE");
    rig_free(&r);
}

/* Starting the same stage again tells what is complete; another stage under its index does not. */
static void test_control_start_again_is_idempotent(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 5);
    rig_join(r, 0, 2, 2);
    rig_assign(r);
    rig_finish_first(r, 0);
    const zn_message *reply = rig_call(r, rig_start_message(r, job, 0, 5));
    assert_int_equal(reply->number, ZN_MSG_STAGE_STARTED);
    assert_int_equal(reply->stage_started.completed, 2);
    assert_string_equal(rig_refused(r, rig_start_message(r, job, 0, 6)), "STAGE_MISMATCH");
    rig_drain(r);
    reply = rig_call(r, rig_start_message(r, job, 0, 5));
    assert_int_equal(reply->stage_started.completed, 5);
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_COMPLETE);
    rig_free(&r);
}

/* A user error is tried three times, then fails stage and job with everything that is known. */
static void test_control_third_user_error_fails_job(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 1);
    rig_start(r, job, 1, 50);
    rig_join(r, 0, 1, 1);
    for (int attempt = 1; attempt <= 3; attempt++) {
        while (r->workers[0].run_count == 0 || r->workers[0].stages[0] != 0) {
            if (r->workers[0].run_count > 0) {
                rig_finish_first(r, 0);
            }
            rig_assign(r);
        }
        assert_int_equal(r->workers[0].runs[0].value, attempt);
        assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_RUNNING);
        rig_fail_first(r, 0, ZONDA_ERR_USER, false);
    }
    zn_msg_status status = rig_status(r, job, 0);
    assert_int_equal(status.state, ZN_STAGE_FAILED);
    assert_int_equal(status.retries, 2);
    const zn_failure *failure = status.failure;
    assert_int_equal(status.failure_count, 1);
    assert_int_equal(failure->code, ZONDA_ERR_USER);
    assert_int_equal(failure->attempt, 3);
    assert_int_equal(failure->worker, r->workers[0].id);
    assert_int_equal(failure->line, 12);
    assert_true(zn_bytes_equal(failure->op, zn_bytes_of_text("map")));
    assert_true(zn_bytes_equal(failure->file, zn_bytes_of_text("in.jsonl")));
    assert_true(zn_bytes_equal(failure->text, zn_bytes_of_text("it broke")));
    assert_int_equal(rig_status(r, job, 1).state, ZN_STAGE_CANCELLED);
    assert_string_equal(rig_refused(r, rig_start_message(r, job, 2, 5)), "USER");
    zn_message collect = { .number = ZN_MSG_COLLECT_RESULTS };
    collect.collect_results.job = job;
    assert_string_equal(rig_refused(r, collect), "USER");
    rig_free(&r);
}

/* A permanent error is not tried again. */
static void test_control_permanent_error_fails_at_once(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 10);
    rig_join(r, 0, 1, 1);
    rig_join(r, 1, 1, 1);
    rig_assign(r);
    rig_fail_first(r, 0, ZONDA_ERR_BAD_RECORD, true);
    rig_deliver(r);
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_FAILED);
    assert_int_equal(r->workers[1].cancels, 1);
    assert_int_equal(r->workers[1].run_count, 0);
    rig_free(&r);
}

/* Counts how many failures of a kind a task survives. */
static int attempts_until_failed(rig *r, uint64_t job, zonda_err code) {
    for (int attempt = 1;; attempt++) {
        rig_assign(r);
        rig_fail_first(r, 0, code, false);
        if (rig_status(r, job, 0).state == ZN_STAGE_FAILED) {
            return attempt;
        }
    }
}

/* Each class of failures has its own number of attempts. */
static void test_control_attempts_by_class(void **state) {
    (void)state;
    const zonda_err codes[] = { ZONDA_ERR_IO, ZONDA_ERR_WORKER_LOST, ZONDA_ERR_CRASH };
    const int limits[] = { 3, 20, 3 };
    for (size_t i = 0; i < 3; i++) {
        rig *r = rig_new();
        uint64_t job = rig_open(r, "job");
        rig_start(r, job, 0, 1);
        rig_join(r, 0, 1, 1);
        assert_int_equal(attempts_until_failed(r, job, codes[i]), limits[i]);
        rig_free(&r);
    }
}

/* A task that loses twenty workers is given up; two user errors between do not matter. */
static void test_control_task_that_loses_workers_fails(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 3);
    for (int i = 1; i <= 20; i++) {
        assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_RUNNING);
        rig_join(r, 0, 3, 3);
        rig_assign(r);
        if (i == 5 || i == 10) {
            rig_fail_first(r, 0, ZONDA_ERR_USER, false);
            rig_assign(r);
        }
        zn_scheduler_unreachable(r->scheduler, r->now_ns, r->workers[0].epoch);
        rig_deliver(r);
        while (r->workers[0].run_count > 0) {
            rig_forget_run(&r->workers[0], 0);
        }
    }
    zn_msg_status status = rig_status(r, job, 0);
    assert_int_equal(status.state, ZN_STAGE_FAILED);
    assert_int_equal(status.failure[0].code, ZONDA_ERR_WORKER_LOST);
    rig_free(&r);
}

static void answer_done(rig *r, size_t worker, uint64_t job) {
    zn_message done = { .number = ZN_MSG_DONE };
    done.done.job = job;
    rig_send(r, worker, done);
}

/* Closing waits for DONE of every worker that got a task, and repeats it with heartbeats. */
static void test_control_close_waits_for_done(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 2);
    rig_join(r, 0, 1, 1);
    rig_join(r, 1, 1, 1);
    rig_drain(r);
    rig_join(r, 2, 1, 1); /* never got a task */
    assert_int_equal(rig_close(r, job), 2);
    rig_deliver(r);
    assert_int_equal(r->workers[0].dones, 1);
    assert_int_equal(r->workers[2].dones, 0);
    r->now_ns += 1000000000;
    zn_scheduler_tick(r->scheduler, r->now_ns);
    rig_deliver(r);
    assert_int_equal(r->workers[0].dones, 2);
    answer_done(r, 0, job);
    answer_done(r, 0, job); /* twice is once */
    assert_int_equal(rig_close(r, job), 1);
    assert_string_equal(rig_refused(r, rig_start_message(r, job, 1, 5)), "CLOSED");
    answer_done(r, 1, job);
    assert_int_equal(r->scheduler->job_map.count, 0);
    assert_int_equal(zn_blob_store_used(r->scheduler->blobs), 0);
    assert_int_equal(rig_close(r, job), 0); /* forgotten, and closing again is fine */
    zn_message close = { .number = ZN_MSG_CLOSE_JOB };
    close.close_job.job = job + 1;
    assert_string_equal(rig_refused(r, close), "UNKNOWN_JOB");
    rig_free(&r);
}

/* Closing a running job ends its work; a worker that is lost is not waited for. */
static void test_control_close_running_job_cancels(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 10);
    rig_join(r, 0, 1, 1);
    rig_assign(r);
    assert_int_equal(rig_close(r, job), 1);
    rig_deliver(r);
    assert_int_equal(r->workers[0].cancels, 1);
    assert_int_equal(r->workers[0].dones, 1);
    zn_scheduler_unreachable(r->scheduler, r->now_ns, r->workers[0].epoch);
    assert_int_equal(r->scheduler->job_map.count, 0);
    rig_free(&r);
}

/* Cancelling ends the work, says why to whoever asks, and the job can still be closed. */
static void test_control_cancel_tells_why(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 10);
    rig_join(r, 0, 1, 1);
    rig_assign(r);
    zn_message cancel = { .number = ZN_MSG_CANCEL_JOB };
    cancel.cancel_job.job = job;
    cancel.cancel_job.reason = zn_bytes_of_text("interrupted");
    const zn_message *reply = rig_call(r, cancel);
    assert_int_equal(reply->number, ZN_MSG_JOB_CLOSING);
    assert_int_equal(reply->job_closing.waiting, 1);
    rig_deliver(r);
    assert_int_equal(r->workers[0].cancels, 1);
    assert_int_equal(r->workers[0].dones, 1);
    zn_msg_status status = rig_status(r, job, 0);
    assert_int_equal(status.state, ZN_STAGE_CANCELLED);
    assert_int_equal(status.running, 0);
    assert_int_equal(status.failure[0].code, ZONDA_ERR_CANCELLED);
    assert_non_null(strstr((const char *)status.failure[0].text.data, "interrupted"));
    assert_string_equal(rig_refused(r, rig_start_message(r, job, 1, 5)), "CANCELLED");
    assert_int_equal(rig_call(r, cancel)->job_closing.waiting, 1);
    answer_done(r, 0, job);
    assert_int_equal(rig_close(r, job), 0);
    assert_int_equal(r->scheduler->job_map.count, 0);
    cancel.cancel_job.job = 12345;
    assert_string_equal(rig_refused(r, cancel), "UNKNOWN_JOB");
    rig_free(&r);
}

/* Jobs and workers are listed by id with their numbers. */
static void test_control_lists_show_all(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "first");
    rig_open(r, "second");
    rig_start(r, job, 0, 10);
    rig_start(r, job, 1, 5);
    rig_join(r, 0, 3, 4);
    rig_assign(r);
    zn_message list = { .number = ZN_MSG_LIST_JOBS };
    const zn_message *reply = rig_call(r, list);
    assert_int_equal(reply->number, ZN_MSG_JOBS);
    assert_int_equal(reply->jobs.jobs_count, 2);
    assert_int_equal(reply->jobs.jobs[0].job, job);
    assert_int_equal(reply->jobs.jobs[0].stages, 2);
    assert_int_equal(reply->jobs.jobs[0].total, 15);
    assert_int_equal(reply->jobs.jobs[0].running, 4);
    assert_true(zn_bytes_equal(reply->jobs.jobs[1].name, zn_bytes_of_text("second")));
    list.number = ZN_MSG_LIST_WORKERS;
    reply = rig_call(r, list);
    assert_int_equal(reply->workers.workers_count, 1);
    assert_int_equal(reply->workers.workers[0].slots, 3);
    assert_int_equal(reply->workers.workers[0].running, 4);
    assert_true(zn_bytes_equal(reply->workers.workers[0].host, zn_bytes_of_text("host")));
    rig_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control_repeated_call_happens_once),
        cmocka_unit_test(test_control_repeated_refusal_is_recorded),
        cmocka_unit_test(test_control_no_call_is_refused),
        cmocka_unit_test(test_control_hello_gives_endpoints),
        cmocka_unit_test(test_control_wrong_start_is_refused),
        cmocka_unit_test(test_control_start_again_is_idempotent),
        cmocka_unit_test(test_control_third_user_error_fails_job),
        cmocka_unit_test(test_control_permanent_error_fails_at_once),
        cmocka_unit_test(test_control_attempts_by_class),
        cmocka_unit_test(test_control_task_that_loses_workers_fails),
        cmocka_unit_test(test_control_close_waits_for_done),
        cmocka_unit_test(test_control_close_running_job_cancels),
        cmocka_unit_test(test_control_cancel_tells_why),
        cmocka_unit_test(test_control_lists_show_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
