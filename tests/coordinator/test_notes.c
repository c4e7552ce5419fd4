/* SPDX-License-Identifier: MPL-2.0 */
/* What is noted of a job, from its opening to its end. */
#include "rig.h"

#include <stdlib.h>
#include <string.h>

/* The names of all notes since the last call, in order. */
static char *noted(rig *r) {
    zn_notes *notes = &r->scheduler->notes;
    zn_notes_settle(notes);
    r->forgetful = true;
    zn_decoder *decoder = zn_decoder_new();
    zn_buf names = { 0 };
    for (size_t at = 0; at < notes->bytes.len;) {
        zn_message note;
        zonda_error error = { 0 };
        size_t len = zn_get_u32(notes->bytes.data + at);
        zn_bytes bytes = { notes->bytes.data + at + 4, len };
        assert_int_equal(zn_decoder_decode(decoder, bytes, &note, &error), ZONDA_OK);
        zn_buf_printf(&names, "%s%s", at > 0 ? " " : "", zn_message_name(note.number) + 5);
        at += 4 + len;
    }
    zn_buf_append_byte(&names, 0);
    zn_decoder_destroy(&decoder);
    zn_notes_clear(notes);
    return (char *)names.data;
}

#define assert_noted(r, expected)                                                                  \
    do {                                                                                           \
        char *names = noted(r);                                                                    \
        assert_string_equal(names, expected);                                                      \
        free(names);                                                                               \
    } while (0)

/* A job that succeeds leaves a note of each change, and none of who held what. */
static void test_notes_job_succeeds_in_order(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "quiet");
    assert_noted(r, "JOB BLOB");
    rig_join(r, 0, 2, 100);
    assert_noted(r, "WORKER");
    rig_start(r, job, 0, 10);
    assert_noted(r, "STAGE");
    rig_assign(r);
    assert_noted(r, "");
    rig_drain(r);
    assert_noted(r, "OUTCOMES OUTCOMES OUTCOMES"); /* one for each RESULT */
    rig_close(r, job);
    rig_send(r, 0, (zn_message){ .number = ZN_MSG_DONE, .done = { .scope = 0, .job = job } });
    assert_noted(r, "JOB_CLOSING JOB_FORGOTTEN");
    rig_free(&r);
}

/* A failed attempt is an outcome; the last one ends the job. */
static void test_notes_job_fails_with_its_reason(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "loud");
    rig_start(r, job, 0, 1);
    rig_join(r, 0, 1, 1);
    rig_assign(r);
    free(noted(r));
    rig_fail_first(r, 0, ZONDA_ERR_USER, true);
    assert_noted(r, "OUTCOMES JOB_ENDED");
    rig_free(&r);
}

/* A worker that is lost uses up the attempts that it had. */
static void test_notes_worker_lost_uses_up_attempts(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "lost");
    rig_start(r, job, 0, 5);
    rig_join(r, 0, 5, 5);
    rig_assign(r);
    free(noted(r));
    zn_scheduler_unreachable(r->scheduler, r->now_ns, r->workers[0].epoch);
    assert_noted(r, "ATTEMPTS WORKER_GONE");
    rig_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notes_job_succeeds_in_order),
        cmocka_unit_test(test_notes_job_fails_with_its_reason),
        cmocka_unit_test(test_notes_worker_lost_uses_up_attempts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
