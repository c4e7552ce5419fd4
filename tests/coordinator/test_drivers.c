/* SPDX-License-Identifier: MPL-2.0 */
/* Jobs of drivers that have gone. */
#include "rig.h"

#include "base/clock.h"

enum {
    GRACE_MS = 5000
};

/* The rig's driver calls with its own client id, which a job remembers. */
static uint64_t open_owned(rig *r, uint64_t *client) {
    uint64_t id = rig_open(r, "job");
    zn_live_job *job = zn_key_map_get(&r->scheduler->job_map, id);
    assert_non_null(job);
    *client = job->client;
    return id;
}

static bool is_there(const rig *r, uint64_t job) {
    return zn_key_map_get(&r->scheduler->job_map, job) != NULL;
}

static void pass(rig *r, uint64_t ms) {
    for (uint64_t passed = 0; passed < ms; passed += 500) {
        r->now_ns += 500 * ZN_NS_PER_MS;
        zn_scheduler_tick(r->scheduler, r->now_ns);
        zonda_error error;
        assert_int_equal(zn_scheduler_check(r->scheduler, &error), ZONDA_OK);
    }
}

static rig *new_rig(void) {
    rig *r = rig_new();
    r->scheduler->config.driver_grace_ms = GRACE_MS;
    return r;
}

static void test_drivers_job_of_one_that_is_there_stays(void **state) {
    (void)state;
    rig *r = new_rig();
    uint64_t client = 0;
    uint64_t job = open_owned(r, &client);
    zn_scheduler_driver_seen(r->scheduler, r->now_ns, client, true);
    pass(r, 10 * GRACE_MS);
    assert_true(is_there(r, job));
    rig_free(&r);
}

static void test_drivers_job_of_one_that_has_gone_ends(void **state) {
    (void)state;
    rig *r = new_rig();
    uint64_t client = 0;
    uint64_t job = open_owned(r, &client);
    zn_scheduler_driver_seen(r->scheduler, r->now_ns, client, true);
    pass(r, 2 * GRACE_MS);
    zn_scheduler_driver_seen(r->scheduler, r->now_ns, client, false);
    pass(r, GRACE_MS - 1000);
    assert_true(is_there(r, job));
    pass(r, 2000);
    assert_false(is_there(r, job));
    rig_free(&r);
}

static void test_drivers_one_that_comes_back_keeps_its_job(void **state) {
    (void)state;
    rig *r = new_rig();
    uint64_t client = 0;
    uint64_t job = open_owned(r, &client);
    zn_scheduler_driver_seen(r->scheduler, r->now_ns, client, false);
    pass(r, GRACE_MS - 1000);
    zn_scheduler_driver_seen(r->scheduler, r->now_ns, client, true);
    pass(r, 2 * GRACE_MS);
    assert_true(is_there(r, job));
    rig_free(&r);
}

/* Who never says that he is there is judged by his calls. */
static void test_drivers_calls_count_as_presence(void **state) {
    (void)state;
    rig *r = new_rig();
    uint64_t client = 0;
    uint64_t job = open_owned(r, &client);
    rig_start(r, job, 0, 3);
    for (int i = 0; i < 5; i++) {
        pass(r, GRACE_MS - 1000);
        rig_status(r, job, 0);
    }
    assert_true(is_there(r, job));
    pass(r, GRACE_MS + 1000);
    assert_false(is_there(r, job));
    rig_free(&r);
}

/* Workers that hold its tasks are told to let go first. */
static void test_drivers_abandoned_job_waits_for_its_workers(void **state) {
    (void)state;
    rig *r = new_rig();
    uint64_t client = 0;
    uint64_t job = open_owned(r, &client);
    rig_join(r, 0, 1, 4);
    rig_start(r, job, 0, 3);
    rig_assign(r);
    zn_scheduler_driver_seen(r->scheduler, r->now_ns, client, false);
    zn_message beat = { .number = ZN_MSG_HEARTBEAT };
    for (int i = 0; i < 7; i++) {
        pass(r, 1000);
        rig_send(r, 0, beat);
        rig_deliver(r);
    }
    assert_true(is_there(r, job));
    assert_int_equal(r->workers[0].done_job, job);
    zn_message done = { .number = ZN_MSG_DONE };
    done.done.job = job;
    rig_send(r, 0, done);
    assert_false(is_there(r, job));
    rig_free(&r);
}

static void test_drivers_without_grace_jobs_stay(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t client = 0;
    uint64_t job = open_owned(r, &client);
    zn_scheduler_driver_seen(r->scheduler, r->now_ns, client, false);
    pass(r, 100000);
    assert_true(is_there(r, job));
    rig_free(&r);
}

/* ---- going on with a job by its name ---- */

enum {
    SECOND = 78 /* another driver */
};

static zn_message open_message(const rig *r, const char *name, uint64_t client, uint64_t request) {
    zn_message open = { .number = ZN_MSG_OPEN_JOB };
    open.open_job = (zn_msg_open_job){ .client = client,
                                       .request = request,
                                       .name = zn_bytes_of_text(name),
                                       .fingerprint = zn_digest_bytes(&r->body),
                                       .resume = 1 };
    return open;
}

static const zn_message *call_as(rig *r, zn_message message) {
    const zn_message *reply = zn_control_call(r->control, r->now_ns, &message);
    rig_deliver(r);
    return reply;
}

static void expect_refused(const zn_message *reply, zonda_err code, const char *word) {
    assert_int_equal(reply->number, ZN_MSG_REFUSAL);
    const zn_failure *failure = &reply->refusal.failure[0];
    assert_string_equal(zonda_err_name(zn_err_from_number(failure->code)), zonda_err_name(code));
    assert_non_null(memmem(failure->text.data, failure->text.len, word, strlen(word)));
}

/* The second driver is told what is complete, and the first is not listened to any more. */
static void test_drivers_second_one_goes_on_with_the_job(void **state) {
    (void)state;
    rig *r = new_rig();
    uint64_t client = 0;
    uint64_t job = open_owned(r, &client);
    rig_join(r, 0, 4, 4);
    rig_start(r, job, 0, 4);
    rig_drain(r);
    zn_scheduler_driver_seen(r->scheduler, r->now_ns, SECOND, true);
    const zn_message *reply = call_as(r, open_message(r, "job", SECOND, 1));
    assert_int_equal(reply->number, ZN_MSG_JOB_OPENED);
    assert_int_equal(reply->job_opened.job, job);
    assert_int_equal(reply->job_opened.resumed, 1);
    zn_message start = rig_start_message(r, job, 0, 4);
    start.start_stage.client = SECOND;
    start.start_stage.request = 2;
    reply = call_as(r, start);
    assert_int_equal(reply->number, ZN_MSG_STAGE_STARTED);
    assert_int_equal(reply->stage_started.completed, 4);

    zn_message cancel = { .number = ZN_MSG_CANCEL_JOB };
    cancel.cancel_job.job = job;
    assert_string_equal(rig_refused(r, cancel), "STALE");
    pass(r, 2 * GRACE_MS);
    assert_true(is_there(r, job));
    rig_free(&r);
}

static void test_drivers_resume_of_one_that_is_there_is_refused_with_who(void **state) {
    (void)state;
    rig *r = new_rig();
    zn_message hello = { .number = ZN_MSG_HELLO };
    hello.hello = (zn_msg_hello){
        .client = RIG_DRIVER, .role = ZN_ROLE_DRIVER, .host = zn_bytes_of_text("far"), .pid = 4711
    };
    call_as(r, hello);
    uint64_t client = 0;
    open_owned(r, &client);
    zn_scheduler_driver_seen(r->scheduler, r->now_ns, client, true);
    expect_refused(call_as(r, open_message(r, "job", SECOND, 1)), ZONDA_ERR_REFUSED,
                   "process 4711 on far");
    rig_free(&r);
}

static void test_drivers_resume_of_another_plan_is_refused(void **state) {
    (void)state;
    rig *r = new_rig();
    uint64_t client = 0;
    open_owned(r, &client);
    zn_message open = open_message(r, "job", SECOND, 1);
    zn_digest other = zn_digest_of(zn_bytes_of_text("other"));
    open.open_job.fingerprint = zn_digest_bytes(&other);
    expect_refused(call_as(r, open), ZONDA_ERR_PLAN_CHANGED, "another plan");
    rig_free(&r);
}

/* One that failed while nobody was there cannot go on: a new one begins. */
static void test_drivers_resume_of_a_job_that_has_ended_opens_a_new_one(void **state) {
    (void)state;
    rig *r = new_rig();
    uint64_t client = 0;
    uint64_t job = open_owned(r, &client);
    zn_message cancel = { .number = ZN_MSG_CANCEL_JOB };
    cancel.cancel_job.job = job;
    rig_call(r, cancel);
    const zn_message *reply = call_as(r, open_message(r, "job", SECOND, 1));
    assert_int_equal(reply->number, ZN_MSG_JOB_OPENED);
    assert_int_equal(reply->job_opened.resumed, 0);
    assert_int_not_equal(reply->job_opened.job, job);
    assert_false(is_there(r, job));
    rig_free(&r);
}

/* Who opens two jobs of one name has two, and a job without a name that was given is nobody's. */
static void test_drivers_own_jobs_are_not_resumed(void **state) {
    (void)state;
    rig *r = new_rig();
    uint64_t client = 0;
    uint64_t job = open_owned(r, &client);
    zn_message open = open_message(r, "job", RIG_DRIVER, 0);
    const zn_message *reply = rig_call(r, open);
    assert_int_equal(reply->job_opened.resumed, 0);
    assert_int_not_equal(reply->job_opened.job, job);
    open = open_message(r, "job", SECOND, 1);
    open.open_job.resume = 0;
    assert_int_equal(call_as(r, open)->job_opened.resumed, 0);
    rig_free(&r);
}

/* A detached job stays for as long as it runs; once it is cancelled the grace is over as usual. */
static void test_drivers_detached_job_stays(void **state) {
    (void)state;
    rig *r = new_rig();
    zn_message open = open_message(r, "job", RIG_DRIVER, 0);
    open.open_job.detach = 1;
    uint64_t job = rig_call(r, open)->job_opened.job;
    pass(r, 10 * GRACE_MS);
    assert_true(is_there(r, job));
    zn_message cancel = { .number = ZN_MSG_CANCEL_JOB };
    cancel.cancel_job = (zn_msg_cancel_job){ .client = 99, .request = 1, .job = job };
    call_as(r, cancel);
    pass(r, GRACE_MS + 500);
    assert_false(is_there(r, job));
    rig_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drivers_job_of_one_that_is_there_stays),
        cmocka_unit_test(test_drivers_job_of_one_that_has_gone_ends),
        cmocka_unit_test(test_drivers_one_that_comes_back_keeps_its_job),
        cmocka_unit_test(test_drivers_calls_count_as_presence),
        cmocka_unit_test(test_drivers_abandoned_job_waits_for_its_workers),
        cmocka_unit_test(test_drivers_without_grace_jobs_stay),
        cmocka_unit_test(test_drivers_second_one_goes_on_with_the_job),
        cmocka_unit_test(test_drivers_resume_of_one_that_is_there_is_refused_with_who),
        cmocka_unit_test(test_drivers_resume_of_another_plan_is_refused),
        cmocka_unit_test(test_drivers_resume_of_a_job_that_has_ended_opens_a_new_one),
        cmocka_unit_test(test_drivers_own_jobs_are_not_resumed),
        cmocka_unit_test(test_drivers_detached_job_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
