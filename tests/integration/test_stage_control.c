/* SPDX-License-Identifier: MPL-2.0 */
/* The contract of stage control: five independent reasons why an un-awaited START_STAGE cannot give
 * a silently empty result. Each test fails when its reason is taken out: the driver is run against
 * a coordinator that misbehaves, the coordinator against a driver that does. */
#include "integration/fake_coordinator.h"
#include "integration/fixture.h"

#include "coordinator/coordinator.h"
#include "wire/channel.h"

/* ---- the driver, against a coordinator with a fault ---- */

/* Runs four items through the fake; returns the records as text or NULL. */
static char *run_against(fake_coordinator *fake, uint32_t timeout_ms, zonda_error *error) {
    zonda_connect_options options = { .timeout_ms = timeout_ms };
    test_cluster connection = { 0 };
    connection.cluster = zonda_cluster_connect(fake_coordinator_endpoint(fake), &options, error);
    if (connection.cluster == NULL) {
        return NULL;
    }
    char *text = fixture_execute(&connection, zonda_from_json("[0, 1, 2, 3]"), error);
    zonda_cluster_close(&connection.cluster);
    return text;
}

static void expect_failure(fake_fault fault, zonda_err code, const char *words) {
    fake_coordinator *fake = fake_coordinator_start(fault);
    zonda_error error = { 0 };
    char *text = run_against(fake, 5000, &error);
    assert_null(text);
    assert_string_equal(zonda_err_name(error.code), zonda_err_name(code));
    if (strstr(error.text, words) == NULL) {
        fail_msg("'%s' is not in '%s'", words, error.text);
    }
    fake_coordinator_stop(&fake);
}

/* Without a fault the fake serves a driver; so what fails below fails because of the fault. */
static void test_stage_control_no_fault_gives_records(void **state) {
    (void)state;
    fake_coordinator *fake = fake_coordinator_start(FAKE_NO_FAULT);
    zonda_error error = { 0 };
    char *text = run_against(fake, 5000, &error);
    assert_ok(error.code, error);
    assert_string_equal(text, "0\n1\n2\n3\n");
    free(text);
    fake_coordinator_stop(&fake);
}

/* Reason 1: the driver does not poll before START_STAGE was answered, however late that is. */
static void test_stage_control_late_start_is_awaited(void **state) {
    (void)state;
    fake_coordinator *fake = fake_coordinator_start(FAKE_START_LATE);
    zonda_error error = { 0 };
    char *text = run_against(fake, 10000, &error);
    assert_ok(error.code, error);
    assert_string_equal(text, "0\n1\n2\n3\n");
    assert_int_equal(fake_coordinator_early_polls(fake), 0);
    free(text);
    fake_coordinator_stop(&fake);
}

/* Reason 3, driver's side: a refused status is an error, not an empty result. */
static void test_stage_control_unknown_stage_is_an_error(void **state) {
    (void)state;
    expect_failure(FAKE_STATUS_UNKNOWN, ZONDA_ERR_UNKNOWN_STAGE, "no stage");
}

/* Reason 4: 0 of 0 is never finished. */
static void test_stage_control_zeros_are_never_finished(void **state) {
    (void)state;
    expect_failure(FAKE_STATUS_ZEROS, ZONDA_ERR_STAGE_MISMATCH, "4");
}

/* Reason 4: a total other than what was submitted is an error. */
static void test_stage_control_other_total_is_an_error(void **state) {
    (void)state;
    expect_failure(FAKE_STATUS_OTHER_TOTAL, ZONDA_ERR_STAGE_MISMATCH, "3");
    expect_failure(FAKE_START_OTHER_TOTAL, ZONDA_ERR_STAGE_MISMATCH, "5");
}

/* Reason 4: the status of another stage is an error. */
static void test_stage_control_other_stage_is_an_error(void **state) {
    (void)state;
    expect_failure(FAKE_STATUS_OTHER_STAGE, ZONDA_ERR_STAGE_MISMATCH, "stage");
}

/* Reason 5: a call that is never answered ends with its name, the endpoint and the time. */
static void test_stage_control_unanswered_call_times_out(void **state) {
    (void)state;
    fake_coordinator *fake = fake_coordinator_start(FAKE_START_UNANSWERED);
    zonda_error error = { 0 };
    assert_null(run_against(fake, 300, &error));
    assert_err(error.code, TIMEOUT);
    assert_non_null(strstr(error.text, "START_STAGE"));
    assert_non_null(strstr(error.text, fake_coordinator_endpoint(fake)));
    assert_non_null(strstr(error.text, "0.3"));
    fake_coordinator_stop(&fake);
}

/* Reason 5: a lost reply is asked for again, as the same call. */
static void test_stage_control_lost_reply_repeats_the_same_call(void **state) {
    (void)state;
    fake_coordinator *fake = fake_coordinator_start(FAKE_START_REPLY_LOST);
    zonda_error error = { 0 };
    char *text = run_against(fake, 20000, &error);
    assert_ok(error.code, error);
    assert_string_equal(text, "0\n1\n2\n3\n");
    assert_true(fake_coordinator_starts(fake) >= 2);
    assert_int_equal(fake_coordinator_distinct_starts(fake), 1);
    free(text);
    fake_coordinator_stop(&fake);
}

/* A coordinator of another version, one that talks garbage, and none at all: one clear error. */
static void test_stage_control_strange_peers_give_clear_errors(void **state) {
    (void)state;
    static const struct {
        fake_fault fault;
        zonda_err code;
        const char *words;
    } cases[] = {
        { FAKE_OTHER_VERSION, ZONDA_ERR_VERSION, "99" },
        { FAKE_GARBAGE, ZONDA_ERR_PROTOCOL, "HELLO" },
        { FAKE_SILENT, ZONDA_ERR_UNREACHABLE, "HELLO" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake_coordinator *fake = fake_coordinator_start(cases[i].fault);
        zonda_error error = { 0 };
        assert_null(run_against(fake, 300, &error));
        assert_string_equal(zonda_err_name(error.code), zonda_err_name(cases[i].code));
        assert_non_null(strstr(error.text, cases[i].words));
        fake_coordinator_stop(&fake);
    }
}

/* ---- the coordinator, against a driver that breaks the rules ---- */

typedef struct raw_driver {
    zn_coordinator *coordinator;
    zn_channel *control;
    uint64_t request;
    zn_message reply;
} raw_driver;

static void send_and_wait(raw_driver *driver, const zn_message *message) {
    zonda_error error = { 0 };
    assert_ok(zn_channel_send(driver->control, NULL, message, &error), error);
    bool got = false;
    while (!got) {
        zn_poll_item item = { .kind = ZN_POLL_CHANNEL, .channel = driver->control };
        zn_poll(&item, 1, 10000);
        assert_true(item.ready);
        assert_ok(zn_channel_recv(driver->control, NULL, &driver->reply, &got, &error), error);
    }
}

static void expect_refusal(raw_driver *driver, zonda_err code) {
    assert_string_equal(zn_message_name(driver->reply.number), "REFUSAL");
    assert_int_equal(driver->reply.refusal.failure_count, 1);
    assert_string_equal(zonda_err_name((zonda_err)driver->reply.refusal.failure->code),
                        zonda_err_name(code));
}

static int start_raw(void **state) {
    raw_driver *driver = calloc(1, sizeof *driver);
    zonda_error error = { 0 };
    driver->coordinator =
        zn_coordinator_start(&(zn_coordinator_options){ .bind = "tcp://127.0.0.1:*" }, &error);
    assert_ok(error.code, error);
    driver->control =
        zn_channel_connect(ZN_CHANNEL_REQ, zn_coordinator_endpoint(driver->coordinator), &error);
    assert_ok(error.code, error);
    driver->request = 1;
    *state = driver;
    return 0;
}

static int stop_raw(void **state) {
    raw_driver *driver = *state;
    zn_channel_destroy(&driver->control);
    zn_coordinator_stop(&driver->coordinator);
    free(driver);
    return 0;
}

/* Opens a job with a complete (one byte) body; returns its id. */
static uint64_t open_raw_job(raw_driver *driver, const zn_digest *body) {
    zn_digest fingerprint = zn_digest_of(zn_bytes_of_text("plan"));
    send_and_wait(driver,
                  &(zn_message){ .number = ZN_MSG_OPEN_JOB,
                                 .open_job = { .client = 5,
                                               .request = driver->request++,
                                               .name = zn_bytes_of_text("raw"),
                                               .fingerprint = zn_digest_bytes(&fingerprint) } });
    assert_string_equal(zn_message_name(driver->reply.number), "JOB_OPENED");
    uint64_t job = driver->reply.job_opened.job;
    send_and_wait(driver, &(zn_message){ .number = ZN_MSG_PUT_BLOB,
                                         .put_blob = { .client = 5,
                                                       .request = driver->request++,
                                                       .job = job,
                                                       .digest = zn_digest_bytes(body),
                                                       .size = 1,
                                                       .bytes = zn_bytes_of_text("x") } });
    assert_string_equal(zn_message_name(driver->reply.number), "BLOB_STORED");
    return job;
}

static zn_message start_message(raw_driver *driver, uint64_t job, const zn_digest *plan,
                                const zn_digest *body, uint64_t tasks) {
    return (zn_message){ .number = ZN_MSG_START_STAGE,
                         .start_stage = { .client = 5,
                                          .request = driver->request,
                                          .job = job,
                                          .fingerprint = zn_digest_bytes(plan),
                                          .name = zn_bytes_of_text("raw"),
                                          .task_count = tasks,
                                          .body = zn_digest_bytes(body) } };
}

/* Reason 2: a stage of zero tasks is refused by the coordinator, with an error of its own. */
static void test_stage_control_zero_tasks_are_refused(void **state) {
    raw_driver *driver = *state;
    zn_digest body = zn_digest_of(zn_bytes_of_text("x"));
    zn_digest plan = zn_digest_of(zn_bytes_of_text("plan"));
    uint64_t job = open_raw_job(driver, &body);
    zn_message start = start_message(driver, job, &plan, &body, 0);
    send_and_wait(driver, &start);
    expect_refusal(driver, ZONDA_ERR_EMPTY_STAGE);
}

/* Reason 3: the status of a stage that was not started is an error, never zeros. */
static void test_stage_control_status_before_start_is_refused(void **state) {
    raw_driver *driver = *state;
    zn_digest body = zn_digest_of(zn_bytes_of_text("x"));
    uint64_t job = open_raw_job(driver, &body);
    send_and_wait(
        driver,
        &(zn_message){ .number = ZN_MSG_GET_STATUS,
                       .get_status = { .client = 5, .request = driver->request++, .job = job } });
    expect_refusal(driver, ZONDA_ERR_UNKNOWN_STAGE);
    send_and_wait(
        driver, &(zn_message){
                    .number = ZN_MSG_GET_STATUS,
                    .get_status = { .client = 5, .request = driver->request++, .job = job + 1 } });
    expect_refusal(driver, ZONDA_ERR_UNKNOWN_JOB);
    send_and_wait(
        driver, &(zn_message){
                    .number = ZN_MSG_COLLECT_RESULTS,
                    .collect_results = { .client = 5, .request = driver->request++, .job = job } });
    expect_refusal(driver, ZONDA_ERR_UNKNOWN_STAGE);
}

/* Reason 5: the same request again gets the recorded reply, and a new one is idempotent; another
 * plan or number of tasks under the same stage is refused. */
static void test_stage_control_repeated_start_is_idempotent(void **state) {
    raw_driver *driver = *state;
    zn_digest body = zn_digest_of(zn_bytes_of_text("x"));
    zn_digest plan = zn_digest_of(zn_bytes_of_text("plan"));
    zn_digest other = zn_digest_of(zn_bytes_of_text("other"));
    uint64_t job = open_raw_job(driver, &body);
    zn_message start = start_message(driver, job, &plan, &body, 3);
    for (int again = 0; again < 2; again++) {
        send_and_wait(driver, &start);
        assert_string_equal(zn_message_name(driver->reply.number), "STAGE_STARTED");
        assert_int_equal(driver->reply.stage_started.total, 3);
    }
    driver->request++;
    start = start_message(driver, job, &plan, &body, 3);
    send_and_wait(driver, &start);
    assert_string_equal(zn_message_name(driver->reply.number), "STAGE_STARTED");
    driver->request++;
    start = start_message(driver, job, &plan, &body, 4);
    send_and_wait(driver, &start);
    expect_refusal(driver, ZONDA_ERR_STAGE_MISMATCH);
    driver->request++;
    start = start_message(driver, job, &other, &body, 3);
    send_and_wait(driver, &start);
    expect_refusal(driver, ZONDA_ERR_STAGE_MISMATCH);
    driver->request = 1;
    start = start_message(driver, job, &plan, &body, 3);
    send_and_wait(driver, &start);
    expect_refusal(driver, ZONDA_ERR_STALE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stage_control_no_fault_gives_records),
        cmocka_unit_test(test_stage_control_late_start_is_awaited),
        cmocka_unit_test(test_stage_control_unknown_stage_is_an_error),
        cmocka_unit_test(test_stage_control_zeros_are_never_finished),
        cmocka_unit_test(test_stage_control_other_total_is_an_error),
        cmocka_unit_test(test_stage_control_other_stage_is_an_error),
        cmocka_unit_test(test_stage_control_unanswered_call_times_out),
        cmocka_unit_test(test_stage_control_lost_reply_repeats_the_same_call),
        cmocka_unit_test(test_stage_control_strange_peers_give_clear_errors),
        cmocka_unit_test_setup_teardown(test_stage_control_zero_tasks_are_refused, start_raw,
                                        stop_raw),
        cmocka_unit_test_setup_teardown(test_stage_control_status_before_start_is_refused,
                                        start_raw, stop_raw),
        cmocka_unit_test_setup_teardown(test_stage_control_repeated_start_is_idempotent, start_raw,
                                        stop_raw),
    };
    return cmocka_run_group_tests_name("stage_control", tests, NULL, NULL);
}
