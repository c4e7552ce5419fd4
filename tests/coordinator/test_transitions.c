/* SPDX-License-Identifier: MPL-2.0 */
/* Every cell of every transition table: legal ones lead to the expected state, all others are
 * rejected with an error and change nothing. The tables here are written down independently. */
#include "test.h"

#include "coordinator/member.h"

enum {
    NO = -1
};

static const int stage_table[ZN_STAGE_STATES][ZN_STAGE_EVENTS] = {
    /* START, FINISH, FAIL, CANCEL, LOSE */
    { ZN_STAGE_RUNNING, NO, NO, NO, NO },
    { ZN_STAGE_RUNNING, ZN_STAGE_COMPLETE, ZN_STAGE_FAILED, ZN_STAGE_CANCELLED, ZN_STAGE_RUNNING },
    { ZN_STAGE_COMPLETE, NO, NO, NO, ZN_STAGE_RUNNING },
    { NO, NO, NO, NO, NO },
    { NO, NO, NO, NO, NO },
};

static const int job_table[ZN_JOB_STATES][ZN_JOB_EVENTS] = {
    /* START, FAIL, CANCEL, CLOSE */
    { ZN_JOB_OPEN, ZN_JOB_FAILED, ZN_JOB_CANCELLED, ZN_JOB_CLOSING },
    { NO, NO, ZN_JOB_FAILED, ZN_JOB_CLOSING },
    { NO, NO, ZN_JOB_CANCELLED, ZN_JOB_CLOSING },
    { NO, NO, ZN_JOB_CLOSING, ZN_JOB_CLOSING },
};

static const int member_table[ZN_MEMBER_STATES][ZN_MEMBER_EVENTS] = {
    /* HELLO, GAP, LEAVE, STOP, LOST, DRAIN */
    { ZN_MEMBER_JOINED, NO, NO, NO, NO, NO },
    { ZN_MEMBER_JOINED, ZN_MEMBER_ASKED, ZN_MEMBER_GONE, ZN_MEMBER_LEAVING, ZN_MEMBER_GONE,
      ZN_MEMBER_DRAINING },
    { ZN_MEMBER_JOINED, NO, NO, ZN_MEMBER_GONE, ZN_MEMBER_GONE, ZN_MEMBER_ASKED },
    { ZN_MEMBER_DRAINING, ZN_MEMBER_ASKED, ZN_MEMBER_GONE, ZN_MEMBER_LEAVING, ZN_MEMBER_GONE,
      ZN_MEMBER_DRAINING },
    { ZN_MEMBER_JOINED, NO, ZN_MEMBER_GONE, NO, ZN_MEMBER_GONE, NO },
    { NO, NO, NO, NO, NO, NO },
};

/* A stage goes where its table says. */
static void test_transitions_stage_every_cell(void **state) {
    (void)state;
    for (int from = 0; from < ZN_STAGE_STATES; from++) {
        for (int event = 0; event < ZN_STAGE_EVENTS; event++) {
            zonda_error error = { 0 };
            zn_live_stage *stage =
                zn_live_stage_new(NULL, 3, zn_bytes_of_text("x"), (zn_digest){ 0 }, 1);
            stage->state = from;
            int expected = stage_table[from][event];
            zonda_err err = zn_live_stage_apply(stage, (zn_stage_event)event, &error);
            assert_int_equal(zn_live_stage_next(from, (zn_stage_event)event), expected);
            assert_int_equal(err, expected == NO ? ZONDA_ERR_REFUSED : ZONDA_OK);
            assert_int_equal(stage->state, expected == NO ? from : expected);
            assert_int_equal(error.text[0] != '\0', expected == NO);
            zn_live_stage_destroy(&stage);
        }
    }
}

/* A job goes where its table says; what ended it is the reason for a refusal. */
static void test_transitions_job_every_cell(void **state) {
    (void)state;
    for (int from = 0; from < ZN_JOB_STATES; from++) {
        for (int event = 0; event < ZN_JOB_EVENTS; event++) {
            zonda_error error = { 0 };
            zn_msg_open_job open = { .name = zn_bytes_of_text("x") };
            zn_live_job *job = zn_live_job_new(1, &open, (zn_digest){ 0 }, 0);
            job->state = from;
            zonda_err reason = ZONDA_ERR_CLOSED;
            if (from == ZN_JOB_FAILED || from == ZN_JOB_CANCELLED) {
                reason = from == ZN_JOB_FAILED ? ZONDA_ERR_USER : ZONDA_ERR_CANCELLED;
                job->ended = calloc(1, sizeof(*job->ended));
                zn_error_set(job->ended, reason, "the reason");
            }
            int expected = job_table[from][event];
            zonda_err err = zn_live_job_apply(job, (zn_job_event)event, &error);
            assert_int_equal(zn_live_job_next(from, (zn_job_event)event), expected);
            assert_int_equal(err, expected == NO ? reason : ZONDA_OK);
            assert_int_equal(job->state, expected == NO ? from : expected);
            assert_int_equal(error.text[0] != '\0', expected == NO);
            zn_live_job_destroy(&job, NULL);
        }
    }
}

/* A worker goes where its table says. */
static void test_transitions_member_every_cell(void **state) {
    (void)state;
    for (int from = 0; from < ZN_MEMBER_STATES; from++) {
        for (int event = 0; event < ZN_MEMBER_EVENTS; event++) {
            zonda_error error = { 0 };
            zn_member *member = zn_member_new(1, 2);
            member->state = from;
            int expected = member_table[from][event];
            zonda_err err = zn_member_apply(member, (zn_member_event)event, &error);
            assert_int_equal(zn_member_next(from, (zn_member_event)event), expected);
            assert_int_equal(err, expected == NO ? ZONDA_ERR_REFUSED : ZONDA_OK);
            assert_int_equal(member->state, expected == NO ? from : expected);
            assert_int_equal(error.text[0] != '\0', expected == NO);
            zn_member_destroy(&member);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transitions_stage_every_cell),
        cmocka_unit_test(test_transitions_job_every_cell),
        cmocka_unit_test(test_transitions_member_every_cell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
