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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drivers_job_of_one_that_is_there_stays),
        cmocka_unit_test(test_drivers_job_of_one_that_has_gone_ends),
        cmocka_unit_test(test_drivers_one_that_comes_back_keeps_its_job),
        cmocka_unit_test(test_drivers_calls_count_as_presence),
        cmocka_unit_test(test_drivers_abandoned_job_waits_for_its_workers),
        cmocka_unit_test(test_drivers_without_grace_jobs_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
