/* SPDX-License-Identifier: MPL-2.0 */
/* A full disk is the trouble of one worker: others run its tasks. Full everywhere is one error. */
#include "rig.h"

#include "base/clock.h"

/* Two workers with one slot each, and a stage. */
static rig *two_workers(uint64_t *job, uint64_t tasks) {
    rig *r = rig_new();
    *job = rig_open(r, "job");
    rig_start(r, *job, 0, tasks);
    rig_join(r, 0, 1, 4);
    rig_join(r, 1, 1, 4);
    rig_assign(r);
    return r;
}

/* The worker gets nothing more of the stage, and the other one finishes it. */
static void test_full_disk_of_one_worker_moves_its_tasks(void **state) {
    (void)state;
    uint64_t job = 0;
    rig *r = two_workers(&job, 6);
    rig_fail_first(r, 0, ZONDA_ERR_DISK_FULL, false);
    zn_message explain = { .number = ZN_MSG_EXPLAIN, .explain = { .job = job } };
    const zn_message *reply = rig_call(r, explain);
    assert_int_equal(reply->number, ZN_MSG_EXPLANATION);
    bool said = false;
    for (size_t i = 0; i < reply->explanation.reasons_count; i++) {
        said = said || reply->explanation.reasons[i].code == ZN_WAIT_DISK_FULL;
    }
    assert_true(said);
    for (int i = 0; i < 20 && rig_status(r, job, 0).state == ZN_STAGE_RUNNING; i++) {
        rig_assign(r);
        assert_int_equal(r->workers[0].run_count, 0);
        rig_finish_first(r, 1);
    }
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_COMPLETE);
    rig_free(&r);
}

/* Another stage may have room there: it needs less. */
static void test_full_disk_is_of_its_stage_only(void **state) {
    (void)state;
    uint64_t job = 0;
    rig *r = two_workers(&job, 2);
    rig_fail_first(r, 0, ZONDA_ERR_DISK_FULL, false);
    rig_start(r, job, 1, 1);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 1);
    assert_int_equal(r->workers[0].stages[0], 1);
    rig_free(&r);
}

/* After a while the worker is tried again. */
static void test_full_disk_is_tried_again(void **state) {
    (void)state;
    uint64_t job = 0;
    rig *r = two_workers(&job, 3);
    rig_fail_first(r, 0, ZONDA_ERR_DISK_FULL, false);
    r->now_ns += (ZN_DISK_FULL_MS - 1) * ZN_NS_PER_MS;
    zn_scheduler_tick(r->scheduler, r->now_ns);
    rig_assign(r);
    assert_int_equal(r->workers[0].run_count, 0);
    r->now_ns += ZN_NS_PER_MS;
    zn_scheduler_tick(r->scheduler, r->now_ns);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 1);
    rig_free(&r);
}

/* All full: a task is tried three times, one at a time, then the error names all workers. */
static void test_full_disks_everywhere_are_one_error(void **state) {
    (void)state;
    uint64_t job = 0;
    rig *r = two_workers(&job, 4);
    size_t failures = 0;
    while (rig_status(r, job, 0).state == ZN_STAGE_RUNNING) {
        for (size_t i = 0; i < 2; i++) {
            assert_true(rig_held(&r->workers[i]) <= 1);
            if (r->workers[i].run_count > 0) {
                rig_fail_first(r, i, ZONDA_ERR_DISK_FULL, false);
                failures++;
            }
        }
        assert_true(failures < 20);
        rig_assign(r);
    }
    assert_true(failures >= 3);
    zn_msg_status status = rig_status(r, job, 0);
    assert_int_equal(status.state, ZN_STAGE_FAILED);
    assert_int_equal(status.failure_count, 1);
    zonda_error error;
    zn_failure_to_error(&status.failure[0], &error);
    assert_int_equal(error.code, ZONDA_ERR_DISK_FULL);
    assert_string_equal(error.file, "");
    char first[200];
    char second[200];
    snprintf(first, sizeof first, "worker %llu on host: it broke (in.jsonl)",
             (unsigned long long)r->workers[0].id);
    snprintf(second, sizeof second, "worker %llu on host: it broke (in.jsonl)",
             (unsigned long long)r->workers[1].id);
    assert_non_null(strstr(error.text, "no worker has room on its disk: "));
    assert_non_null(strstr(error.text, first));
    assert_non_null(strstr(error.text, second));
    rig_free(&r);
}

/* One worker alone may have room again when its other tasks have ended. */
static void test_full_disk_of_the_only_worker_is_tried_again(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 4);
    rig_join(r, 0, 2, 4);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 2);
    rig_fail_first(r, 0, ZONDA_ERR_DISK_FULL, false);
    for (int i = 0; i < 4; i++) {
        rig_assign(r);
        assert_true(rig_held(&r->workers[0]) == 1);
        rig_finish_first(r, 0);
    }
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_COMPLETE);
    rig_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_disk_of_one_worker_moves_its_tasks),
        cmocka_unit_test(test_full_disk_is_of_its_stage_only),
        cmocka_unit_test(test_full_disk_is_tried_again),
        cmocka_unit_test(test_full_disks_everywhere_are_one_error),
        cmocka_unit_test(test_full_disk_of_the_only_worker_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
