/* SPDX-License-Identifier: MPL-2.0 */
/* A whole worker with thread slots against a coordinator that the test plays, over inproc, ipc and
 * tcp. */
#include "fake_cluster.h"

#include <dirent.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "ops/function.h"

typedef struct worker_rig {
    fake_cluster *fake;
    zn_worker *worker;
    char scratch[64];
} worker_rig;

static void start(worker_rig *rig, const char *control, uint32_t slots) {
    zonda_error error = { 0 };
    *rig = (worker_rig){ .scratch = "/tmp/zonda-test-XXXXXX" };
    assert_non_null(mkdtemp(rig->scratch));
    rig->fake = fake_cluster_open(control);
    zn_worker_options options = { .connect = fake_cluster_endpoint(rig->fake),
                                  .slots = slots,
                                  .kind = ZN_SLOT_THREAD,
                                  .scratch = rig->scratch };
    rig->worker = zn_worker_start(&options, &error);
    if (rig->worker == NULL) {
        fail_msg("%s", error.text);
    }
}

/* A worker that is stopped leaves nothing in the folder that it was given. */
static void stop(worker_rig *rig) {
    zn_worker_stop(&rig->worker);
    assert_null(rig->worker);
    assert_int_equal(rmdir(rig->scratch), 0);
    fake_cluster_close(&rig->fake);
}

static void register_worker(worker_rig *rig, const char *control, uint32_t slots) {
    start(rig, control, slots);
    fake_cluster_until(rig->fake, "registration", fake_is_registered, 1);
}

static void run_tasks_over(const char *control) {
    worker_rig rig;
    register_worker(&rig, control, 2);
    zn_digest body = fake_cluster_body(rig.fake, 3000, 1000, NULL);
    fake_cluster_give(rig.fake, 7, body, 0, 600, 1);
    fake_cluster_give(rig.fake, 7, body, 600, 400, 2);
    fake_cluster_until(rig.fake, "all outcomes", fake_has_reports, 1000);
    for (size_t i = 0; i < 1000; i++) {
        const fake_task *task = &rig.fake->tasks[i];
        assert_int_equal(task->reports, 1);
        assert_int_equal(task->code, 0);
        assert_int_equal(task->records_out, 3);
        assert_int_equal(task->attempt, i < 600 ? 1 : 2);
    }
    assert_int_equal(rig.fake->bad_results, 0);
    assert_true(rig.fake->results < 1000);
    fake_cluster_done(rig.fake, 7);
    fake_cluster_until(rig.fake, "the answer to DONE", fake_has_done, 7);
    zn_worker_stop(&rig.worker);
    fake_cluster_until(rig.fake, "the good-bye", fake_has_goodbye, 0);
    stop(&rig);
}

/* The same tasks give the same outcomes over every transport. */
static void test_worker_tasks_over_inproc_are_reported_once(void **state) {
    (void)state;
    run_tasks_over("inproc://test-worker-tasks");
}

static void test_worker_tasks_over_tcp_are_reported_once(void **state) {
    (void)state;
    run_tasks_over("tcp://127.0.0.1:*");
}

static void test_worker_tasks_over_ipc_are_reported_once(void **state) {
    (void)state;
    char folder[] = "/tmp/zonda-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char *control = zn_format("ipc://%s/control", folder);
    run_tasks_over(control);
    free(control);
    assert_int_equal(rmdir(folder), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worker_tasks_over_inproc_are_reported_once),
        cmocka_unit_test(test_worker_tasks_over_tcp_are_reported_once),
        cmocka_unit_test(test_worker_tasks_over_ipc_are_reported_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
