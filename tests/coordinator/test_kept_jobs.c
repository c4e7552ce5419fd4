/* SPDX-License-Identifier: MPL-2.0 */
/* Segments that a worker has kept from an earlier registration. */
#include "rig.h"

/* A worker that registers again may have segments of jobs that it gets no task of: it is told DONE
 * until it answers, for those that are over at once, for others when they are. */
static void test_kept_jobs_of_an_earlier_registration_are_released(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_join(r, 0, 1, 4);
    zn_kept_job jobs[] = { { .job = 7 }, { .job = job } };
    zn_message hello = { .number = ZN_MSG_HELLO };
    hello.hello = (zn_msg_hello){ .client = r->workers[0].client,
                                  .role = ZN_ROLE_WORKER,
                                  .slots = 1,
                                  .jobs = jobs,
                                  .jobs_count = 2 };
    rig_send(r, 0, hello);
    rig_deliver(r);
    assert_int_equal(r->workers[0].done_job, 7);
    assert_int_equal(rig_close(r, job), 1);
    rig_deliver(r);
    assert_int_equal(r->workers[0].done_job, job);
    zn_message done = { .number = ZN_MSG_DONE };
    done.done.job = 7;
    rig_send(r, 0, done);
    done.done.job = job;
    rig_send(r, 0, done);
    assert_int_equal(rig_close(r, job), 0);
    rig_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_jobs_of_an_earlier_registration_are_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
