/* SPDX-License-Identifier: MPL-2.0 */
/* Hosts on which tasks fail: others try them again, and who only fails is drained. */
#include "rig.h"

/* Two workers with one slot each, of which they are told at once, and a stage. */
static rig *two_workers(uint64_t *job, uint64_t tasks) {
    rig *r = rig_new();
    *job = rig_open(r, "job");
    rig_join(r, 0, 1, 1);
    rig_join(r, 1, 1, 1);
    rig_start(r, *job, 0, tasks);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 1);
    assert_int_equal(rig_held(&r->workers[1]), 1);
    return r;
}

/* The first worker fails whatever it gets, at once; the second one completes what it has. */
static void step(rig *r, zonda_err code) {
    while (r->workers[0].run_count > 0) {
        rig_fail_first(r, 0, code, false);
        rig_assign(r);
    }
    if (r->workers[1].run_count > 0) {
        rig_finish_first(r, 1);
    }
    rig_assign(r);
}

static void expect_drained(rig *r, const char *words) {
    zn_message list = { .number = ZN_MSG_LIST_WORKERS };
    const zn_message *reply = rig_call(r, list);
    const zn_worker_info *worker = &reply->workers.workers[0];
    assert_int_equal(worker->worker, r->workers[0].id);
    assert_int_equal(worker->state, ZN_WORKER_DRAINING);
    char reason[ZN_NAME_BYTES_MAX + 1];
    snprintf(reason, sizeof reason, "%.*s", (int)worker->reason.len,
             (const char *)worker->reason.data);
    assert_non_null(strstr(reason, "failed on host and not elsewhere"));
    assert_non_null(strstr(reason, words));
}

/* Even if it has to wait for it. */
static void test_blame_another_worker_tries_again(void **state) {
    (void)state;
    uint64_t job = 0;
    rig *r = two_workers(&job, 2);
    uint32_t task = r->workers[0].runs[0].first;
    rig_fail_first(r, 0, ZONDA_ERR_USER, false);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 0);
    rig_finish_first(r, 1);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 0);
    assert_int_equal(rig_held(&r->workers[1]), 1);
    assert_int_equal(r->workers[1].runs[0].first, task);
    assert_int_equal(r->workers[1].runs[0].value, 2);
    rig_free(&r);
}

static void test_blame_the_only_worker_tries_again_itself(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_join(r, 0, 1, 1);
    rig_start(r, job, 0, 1);
    rig_assign(r);
    rig_fail_first(r, 0, ZONDA_ERR_CRASH, false);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 1);
    rig_free(&r);
}

/* It fails fast and gets most of the tasks, and none of them uses up its attempts. */
static void test_blame_who_only_fails_is_drained(void **state) {
    (void)state;
    zonda_err codes[] = { ZONDA_ERR_USER, ZONDA_ERR_CRASH };
    for (size_t i = 0; i < 2; i++) {
        uint64_t job = 0;
        rig *r = two_workers(&job, 100);
        for (uint32_t done = 0; done < ZN_MEMBER_FAILED_MAX; done++) {
            assert_int_equal(r->workers[0].drains, 0);
            step(r, codes[i]);
        }
        step(r, codes[i]); /* the task that the other one had from the start was not a failed one */
        assert_int_equal(r->workers[0].drains, 1);
        expect_drained(r, "it broke");
        while (rig_status(r, job, 0).state == ZN_STAGE_RUNNING) {
            assert_int_equal(rig_held(&r->workers[0]), 0);
            step(r, codes[i]);
        }
        assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_COMPLETE);
        rig_free(&r);
    }
}

static void test_blame_a_completed_task_clears_it(void **state) {
    (void)state;
    uint64_t job = 0;
    rig *r = two_workers(&job, 200);
    for (uint32_t i = 0; rig_status(r, job, 0).state == ZN_STAGE_RUNNING; i++) {
        if (r->workers[0].run_count > 0 && i % ZN_MEMBER_FAILED_MAX == 0) {
            rig_finish_first(r, 0);
        } else if (r->workers[0].run_count > 0) {
            rig_fail_first(r, 0, ZONDA_ERR_USER, false);
        }
        if (r->workers[1].run_count > 0) {
            rig_finish_first(r, 1);
        }
        rig_assign(r);
    }
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_COMPLETE);
    assert_int_equal(r->workers[0].drains, 0);
    rig_free(&r);
}

/* Also of failures that others make good later. */
static void test_blame_failures_before_a_completed_task_do_not_count(void **state) {
    (void)state;
    uint64_t job = 0;
    rig *r = two_workers(&job, 4 * ZN_MEMBER_FAILED_MAX);
    for (uint32_t i = 0; r->workers[0].run_count > 0; i++) {
        if (i % 2 == 0) {
            rig_fail_first(r, 0, ZONDA_ERR_USER, false);
        } else {
            rig_finish_first(r, 0);
        }
        rig_assign(r);
    }
    uint32_t open = 0;
    for (; r->workers[1].run_count > 0; open++) {
        rig_finish_first(r, 1);
        rig_assign(r);
    }
    assert_true(open > ZN_MEMBER_FAILED_MAX);
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_COMPLETE);
    assert_int_equal(r->workers[0].drains, 0);
    rig_free(&r);
}

/* What fails everywhere is not the fault of a host. */
static void test_blame_errors_of_users_are_nobodys(void **state) {
    (void)state;
    rig *r = rig_new();
    rig_join(r, 0, 1, 1);
    rig_join(r, 1, 1, 1);
    for (uint32_t jobs = 0; jobs < ZN_MEMBER_FAILED_MAX; jobs++) {
        uint64_t job = rig_open(r, "job");
        rig_start(r, job, 0, 2);
        rig_assign(r);
        for (size_t worker = 0; rig_status(r, job, 0).state == ZN_STAGE_RUNNING; worker ^= 1) {
            if (r->workers[worker].run_count > 0) {
                rig_fail_first(r, worker, ZONDA_ERR_USER, false);
            }
            rig_assign(r);
        }
        assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_FAILED);
        for (size_t worker = 0; worker < 2; worker++) {
            while (r->workers[worker].run_count > 0) {
                rig_forget_run(&r->workers[worker], 0);
            }
        }
    }
    assert_int_equal(r->workers[0].drains + r->workers[1].drains, 0);
    rig_free(&r);
}

/* The only worker that is left is kept, whatever it does. */
static void test_blame_the_last_worker_stays(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_join(r, 0, 1, 1);
    rig_join(r, 1, 20, 40);
    rig_start(r, job, 0, 100);
    rig_assign(r);
    while (r->workers[0].run_count > 0) {
        rig_fail_first(r, 0, ZONDA_ERR_USER, false);
        rig_assign(r);
    }
    while (rig_held(&r->workers[1]) > 0 && r->workers[1].runs[0].value == 1) {
        rig_finish_first(r, 1);
    }
    rig_assign(r);
    rig_send(r, 1, (zn_message){ .number = ZN_MSG_DRAIN });
    rig_deliver(r);
    while (r->workers[1].run_count > 0) {
        rig_finish_first(r, 1);
    }
    const zn_member *member = zn_scheduler_member(r->scheduler, r->workers[0].epoch);
    assert_true(member->failed >= ZN_MEMBER_FAILED_MAX);
    assert_int_equal(r->workers[0].drains, 0);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 1);
    rig_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blame_another_worker_tries_again),
        cmocka_unit_test(test_blame_the_only_worker_tries_again_itself),
        cmocka_unit_test(test_blame_who_only_fails_is_drained),
        cmocka_unit_test(test_blame_a_completed_task_clears_it),
        cmocka_unit_test(test_blame_failures_before_a_completed_task_do_not_count),
        cmocka_unit_test(test_blame_errors_of_users_are_nobodys),
        cmocka_unit_test(test_blame_the_last_worker_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
