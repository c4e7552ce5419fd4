/* SPDX-License-Identifier: MPL-2.0 */
/* A coordinator that ends and begins again from its notes. That notes and snapshots make the same
 * state is checked at the end of every test of this folder, in rig_free. */
#include "rig.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Another coordinator takes over from the notes of the one before, which is gone. */
static void restart(rig *r) {
    zn_scheduler *before = r->scheduler;
    zn_notes_settle(&before->notes);
    zn_scheduler *again = rig_replay(r, zn_buf_bytes(&before->notes.bytes));
    zn_control_destroy(&r->control);
    zn_scheduler_begin(again, r->now_ns);
    zn_control_endpoints endpoints = { "inproc://w", "inproc://b", "inproc://e" };
    r->control = zn_control_new(again, &endpoints);
    /* What it noted itself goes behind what was noted before. */
    zn_buf both = { 0 };
    zn_buf_append(&both, before->notes.bytes.data, before->notes.bytes.len);
    zn_buf_append(&both, again->notes.bytes.data, again->notes.bytes.len);
    zn_buf_free(&again->notes.bytes);
    again->notes.bytes = both;
    r->scheduler = again;
    zn_scheduler_destroy(&before);
    zonda_error error = { 0 };
    assert_ok(zn_scheduler_check(again, &error), error);
}

/* A worker that kept everything registers again; what it has is still to be said. */
static void say_hello(rig *r, size_t worker, uint64_t job) {
    rig_worker *w = &r->workers[worker];
    zn_kept_job kept = { .job = job };
    zn_message hello = { .number = ZN_MSG_HELLO };
    hello.hello = (zn_msg_hello){ .client = w->client,
                                  .request = 1,
                                  .role = ZN_ROLE_WORKER,
                                  .slots = 4,
                                  .data = zn_bytes_of_text("inproc://data"),
                                  .jobs = &kept,
                                  .jobs_count = 1,
                                  .epoch = 7 };
    zn_scheduler_message(r->scheduler, r->now_ns, &w->peer, &hello);
    rig_deliver(r);
}

static void give_credit(rig *r, size_t worker) {
    zn_message credit = { .number = ZN_MSG_CREDIT };
    credit.credit.tasks = 100;
    rig_send(r, worker, credit);
}

static void rejoin(rig *r, size_t worker, uint64_t job) {
    say_hello(r, worker, job);
    give_credit(r, worker);
}

/* What was completed stays completed, and the job goes on to its end. */
static void test_replay_job_goes_on(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 20);
    rig_join(r, 0, 4, 8);
    rig_assign(r);
    rig_finish_first(r, 0);
    uint64_t completed = rig_status(r, job, 0).completed;
    assert_true(completed > 0);
    restart(r);
    assert_int_equal(rig_status(r, job, 0).completed, completed);
    r->workers[0].run_count = 0;
    rejoin(r, 0, job);
    rig_drain(r);
    zn_msg_status status = rig_status(r, job, 0);
    assert_int_equal(status.completed, 20);
    assert_int_equal(status.state, ZN_STAGE_COMPLETE);
    rig_free(&r);
}

/* Numbers of attempts are never used twice, and what was not tried does not count as a retry. */
static void test_replay_attempts_go_on(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 3);
    rig_join(r, 0, 1, 1);
    rig_assign(r);
    restart(r);
    r->workers[0].run_count = 0;
    rejoin(r, 0, job);
    rig_assign(r);
    assert_true(rig_held(&r->workers[0]) > 0);
    for (size_t i = 0; i < r->workers[0].run_count; i++) {
        assert_int_equal(r->workers[0].runs[i].value, 2);
    }
    assert_int_equal(rig_status(r, job, 0).retries, 0);
    rig_free(&r);
}

/* A worker that has said HELLO may have finished tasks of which it has not told yet: nobody gets
 * them before it has. */
static void test_replay_waits_for_what_workers_have(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_join(r, 0, 4, 4);
    rig_join(r, 1, 4, 4);
    rig_start(r, job, 0, 4);
    restart(r);
    rejoin(r, 0, job);
    say_hello(r, 1, job);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 0);
    rig_result(r, 1, job, 0, rig_outcome(0, 3, 1));
    give_credit(r, 1);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]) + rig_held(&r->workers[1]), 1);
    assert_int_equal(rig_status(r, job, 0).completed, 3);
    rig_free(&r);
}

/* Nothing is handed out before the workers from before are back or lost. */
static void test_replay_waits_for_workers(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 10);
    rig_join(r, 0, 4, 4);
    rig_join(r, 1, 4, 4);
    restart(r);
    r->workers[0].run_count = 0;
    rejoin(r, 0, job);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 0);
    zn_message credit = { .number = ZN_MSG_CREDIT, .credit = { .tasks = 100 } };
    for (int i = 0; i < 4; i++) { /* the other one stays silent */
        r->now_ns += UINT64_C(1000000000);
        rig_send(r, 0, credit);
        zn_scheduler_tick(r->scheduler, r->now_ns);
    }
    rig_assign(r);
    assert_true(rig_held(&r->workers[0]) > 0);
    rig_free(&r);
}

/* The reply to OPEN_JOB was lost with the coordinator: the same call finds the job. */
static void test_replay_open_job_again_is_the_same_job(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    uint64_t request = r->request - 1; /* the last one put the body */
    restart(r);
    zn_message open = { .number = ZN_MSG_OPEN_JOB };
    open.open_job = (zn_msg_open_job){ .client = RIG_DRIVER,
                                       .request = request,
                                       .name = zn_bytes_of_text("job"),
                                       .fingerprint = zn_digest_bytes(&r->body) };
    const zn_message *reply = zn_control_call(r->control, r->now_ns, &open);
    assert_int_equal(reply->number, ZN_MSG_JOB_OPENED);
    assert_int_equal(reply->job_opened.job, job);
    assert_true(rig_open(r, "another") > job);
    rig_free(&r);
}

/* A job that was closing is forgotten when the workers from before have let go of it. */
static void test_replay_closing_job_waits_for_its_workers(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 4);
    rig_join(r, 0, 4, 4);
    rig_assign(r);
    assert_int_equal(rig_close(r, job), 1);
    restart(r);
    assert_int_equal(rig_close(r, job), 1);
    rejoin(r, 0, job);
    assert_int_equal(rig_close(r, job), 1);
    assert_int_equal(r->workers[0].done_job, job);
    rig_send(r, 0, (zn_message){ .number = ZN_MSG_DONE, .done = { .job = job } });
    assert_int_equal(rig_close(r, job), 0);
    rig_free(&r);
}

/* A blob of which nothing is there yet, because its parts came in a wrong order or were not it, is
 * no reason to refuse the state that refers to it. */
static void test_replay_of_a_blob_without_bytes_goes_on(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    zn_message put = { .number = ZN_MSG_PUT_BLOB };
    put.put_blob = (zn_msg_put_blob){ .job = job,
                                      .digest = zn_bytes_of_text("0123456789abcdef"),
                                      .size = 3,
                                      .offset = 1,
                                      .bytes = zn_bytes_of_text("b") };
    assert_int_equal(rig_call(r, put)->number, ZN_MSG_BLOB_STORED);
    restart(r);
    put.put_blob.bytes = (zn_bytes){ 0 }; /* asks what is there */
    assert_int_equal(rig_call(r, put)->number, ZN_MSG_BLOB_STORED);
    restart(r);
    put.put_blob.offset = 0;
    put.put_blob.bytes = zn_bytes_of_text("not");
    assert_int_equal(rig_call(r, put)->number, ZN_MSG_REFUSAL);
    restart(r);
    rig_start(r, job, 0, 4);
    rig_free(&r);
}

/* Notes that do not fit are an error, whatever they are. */
static void test_replay_of_notes_that_do_not_fit_is_refused(void **state) {
    (void)state;
    rig *r = rig_new();
    r->forgetful = true;
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 4);
    zonda_error error = { 0 };
    zn_run run = { .first = 3, .count = 2, .attempt = 1 };
    zn_message note = { .number = ZN_MSG_NOTE_ATTEMPTS };
    note.note_attempts = (zn_msg_note_attempts){ .job = job, .runs = &run, .runs_count = 1 };
    assert_int_equal(zn_replay_note(r->scheduler, &note, &error), ZONDA_ERR_CORRUPT);
    run = (zn_run){ .first = 0, .count = 1, .attempt = 0 };
    assert_int_equal(zn_replay_note(r->scheduler, &note, &error), ZONDA_ERR_CORRUPT);
    note = (zn_message){ .number = ZN_MSG_NOTE_JOB_FORGOTTEN };
    note.note_job_forgotten.job = job;
    assert_int_equal(zn_replay_note(r->scheduler, &note, &error), ZONDA_ERR_CORRUPT);
    note = (zn_message){ .number = ZN_MSG_HELLO };
    assert_int_equal(zn_replay_note(r->scheduler, &note, &error), ZONDA_ERR_CORRUPT);
    zn_decoder *decoder = zn_decoder_new();
    static const uint8_t cut[] = { 9, 0, 0, 0, 0x91 };
    assert_int_equal(zn_replay_batch(r->scheduler, decoder, (zn_bytes){ cut, sizeof cut }, &error),
                     ZONDA_ERR_CORRUPT);
    zn_decoder_destroy(&decoder);
    rig_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replay_job_goes_on),
        cmocka_unit_test(test_replay_attempts_go_on),
        cmocka_unit_test(test_replay_waits_for_workers),
        cmocka_unit_test(test_replay_waits_for_what_workers_have),
        cmocka_unit_test(test_replay_open_job_again_is_the_same_job),
        cmocka_unit_test(test_replay_closing_job_waits_for_its_workers),
        cmocka_unit_test(test_replay_of_a_blob_without_bytes_goes_on),
        cmocka_unit_test(test_replay_of_notes_that_do_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
