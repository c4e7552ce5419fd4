/* SPDX-License-Identifier: MPL-2.0 */
/* A whole worker with thread slots against a coordinator that the test plays, over inproc, ipc and
 * tcp. */
#include "fake_cluster.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

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

/* TASK twice runs once; a skipped number makes the worker register anew. What it has reported and
 * nobody has acknowledged it says again. */
static void test_worker_task_repeated_or_skipped_is_noticed(void **state) {
    (void)state;
    worker_rig rig;
    register_worker(&rig, "inproc://test-worker-sequence", 2);
    zn_digest body = fake_cluster_body(rig.fake, 100, 100, NULL);
    fake_cluster_give(rig.fake, 1, body, 0, 10, 1);
    fake_cluster_give_as(rig.fake, 1, 1, body, 0, 10, 1);
    fake_cluster_give(rig.fake, 1, body, 10, 10, 1);
    fake_cluster_until(rig.fake, "all outcomes", fake_has_reports, 20);
    fake_cluster_give_as(rig.fake, 9, 1, body, 20, 10, 1);
    fake_cluster_until(rig.fake, "a new registration", fake_is_registered, 2);
    assert_int_equal(rig.fake->hellos, 2);
    fake_cluster_give(rig.fake, 1, body, 20, 10, 2);
    fake_cluster_until(rig.fake, "outcomes in the new epoch", fake_has_reports, 30);
    for (size_t i = 0; i < 30; i++) {
        assert_int_equal(rig.fake->tasks[i].reports, i < 20 ? 2 : 1);
    }
    assert_int_equal(rig.fake->bad_results, 0);
    fake_cluster_done(rig.fake, 1);
    fake_cluster_until(rig.fake, "the answer to DONE", fake_has_done, 1);
    stop(&rig);
}

/* REJOIN of the present epoch is followed, that of an old one is not. */
static void test_worker_rejoin_registers_again(void **state) {
    (void)state;
    worker_rig rig;
    register_worker(&rig, "inproc://test-worker-rejoin", 1);
    zn_message rejoin = { .number = ZN_MSG_REJOIN, .rejoin.epoch = rig.fake->epoch };
    fake_cluster_send(rig.fake, &rejoin);
    fake_cluster_send(rig.fake, &rejoin);
    fake_cluster_until(rig.fake, "a new registration", fake_is_registered, 2);
    fake_cluster_send(rig.fake, &rejoin);
    zn_digest body = fake_cluster_body(rig.fake, 10, 10, NULL);
    fake_cluster_give(rig.fake, 1, body, 0, 10, 1);
    fake_cluster_until(rig.fake, "all outcomes", fake_has_reports, 10);
    assert_int_equal(rig.fake->hellos, 2);
    stop(&rig);
}

static bool has_lookups(const fake_cluster *fake, uint64_t count) {
    return fake->lookups >= count;
}

/* A coordinator that falls silent is looked for until it answers again. */
static void test_worker_silence_of_coordinator_looks_for_it(void **state) {
    (void)state;
    worker_rig rig;
    start(&rig, "tcp://127.0.0.1:*", 1);
    rig.fake->heartbeat_ms = 20;
    rig.fake->lost_ms = 200;
    fake_cluster_until(rig.fake, "registration", fake_is_registered, 1);
    rig.fake->mute = true;
    fake_cluster_until(rig.fake, "a second look", has_lookups, 2);
    rig.fake->mute = false;
    rig.fake->credit = 0;
    rig.fake->lost_ms = 60000;
    fake_cluster_until(rig.fake, "a new registration", fake_is_registered, 2);
    zn_digest body = fake_cluster_body(rig.fake, 10, 10, NULL);
    fake_cluster_give(rig.fake, 1, body, 0, 10, 1);
    fake_cluster_until(rig.fake, "all outcomes", fake_has_reports, 10);
    stop(&rig);
}

/* A worker may be there before its coordinator. */
static void test_worker_started_first_waits_for_coordinator(void **state) {
    (void)state;
    worker_rig rig;
    start(&rig, "tcp://127.0.0.1:*", 1);
    char *endpoint = zn_strdup(fake_cluster_endpoint(rig.fake));
    zn_worker_stop(&rig.worker);
    fake_cluster_close(&rig.fake);
    zonda_error error = { 0 };
    zn_worker_options options = { .connect = endpoint, .slots = 1, .scratch = rig.scratch };
    rig.worker = zn_worker_start(&options, &error);
    assert_non_null(rig.worker);
    assert_false(zn_worker_wait(rig.worker, 50, &error));
    rig.fake = fake_cluster_open(endpoint);
    fake_cluster_until(rig.fake, "registration", fake_is_registered, 1);
    free(endpoint);
    stop(&rig);
}

static bool has_ended(const fake_cluster *fake, uint64_t worker) {
    (void)fake;
    return zn_worker_wait((zn_worker *)(uintptr_t)worker, 0, NULL);
}

/* A folder whose path is too long for a socket serves all the same. */
static void test_worker_long_scratch_path_serves(void **state) {
    (void)state;
    worker_rig rig;
    char *control = zn_format("ipc:///tmp/zonda-test-%ld", (long)getpid());
    start(&rig, control, 1);
    free(control);
    zn_worker_stop(&rig.worker);
    char *parent = zn_format("%s/%0120d", rig.scratch, 0);
    assert_int_equal(mkdir(parent, 0700), 0);
    zonda_error error = { 0 };
    zn_worker_options options = { .connect = fake_cluster_endpoint(rig.fake),
                                  .slots = 1,
                                  .scratch = parent };
    rig.worker = zn_worker_start(&options, &error);
    assert_ok(error.code, error);
    rig.fake->credit = 0;
    fake_cluster_until(rig.fake, "registration", fake_is_registered, 1);
    char *data = zn_strdup(rig.fake->data);
    assert_int_equal(access(data + strlen("ipc://"), F_OK), 0);
    zn_worker_stop(&rig.worker);
    assert_int_not_equal(access(data + strlen("ipc://"), F_OK), 0);
    assert_int_equal(rmdir(parent), 0);
    free(data);
    free(parent);
    stop(&rig);
}

/* A coordinator of another version ends the worker with that error. */
static void test_worker_version_refusal_ends_it(void **state) {
    (void)state;
    worker_rig rig;
    start(&rig, "inproc://test-worker-version", 2);
    rig.fake->refuse_version = true;
    fake_cluster_until(rig.fake, "the end", has_ended, (uintptr_t)rig.worker);
    zonda_error error = { 0 };
    assert_true(zn_worker_wait(rig.worker, -1, &error));
    assert_err(error.code, VERSION);
    assert_non_null(strstr(error.text, "version 7"));
    stop(&rig);
}

/* DONE for everything ends the worker regularly. */
static void test_worker_end_of_cluster_ends_it(void **state) {
    (void)state;
    worker_rig rig;
    register_worker(&rig, "inproc://test-worker-end", 2);
    zn_message done = { .number = ZN_MSG_DONE };
    done.done = (zn_msg_done){ .epoch = rig.fake->epoch, .scope = ZN_DONE_ALL };
    fake_cluster_send(rig.fake, &done);
    fake_cluster_until(rig.fake, "the end", has_ended, (uintptr_t)rig.worker);
    zonda_error error = { .code = ZONDA_ERR_INTERNAL };
    assert_true(zn_worker_wait(rig.worker, 0, &error));
    assert_ok(error.code, error);
    stop(&rig);
}

/* A body that nobody has, or that is no body, fails each task for good. */
static void test_worker_stage_that_does_not_compile_fails_tasks(void **state) {
    (void)state;
    worker_rig rig;
    register_worker(&rig, "inproc://test-worker-compile", 2);
    zn_digest missing = zn_digest_of(zn_bytes_of_text("nowhere"));
    fake_cluster_give(rig.fake, 1, missing, 0, 5, 1);
    fake_cluster_until(rig.fake, "failures", fake_has_reports, 5);
    zn_digest nonsense = fake_cluster_put(rig.fake, zn_bytes_of_text("nonsense"));
    fake_cluster_give(rig.fake, 2, nonsense, 5, 5, 1);
    fake_cluster_until(rig.fake, "failures", fake_has_reports, 10);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(rig.fake->tasks[i].reports, 1);
        assert_int_equal(rig.fake->tasks[i].code, i < 5 ? ZONDA_ERR_UNKNOWN_BLOB : ZONDA_ERR_PLAN);
        assert_true(rig.fake->tasks[i].permanent);
    }
    stop(&rig);
}

static bool has_commits(const fake_cluster *fake, uint64_t count) {
    return fake->commits >= count;
}

/* COMMIT goes through, again with each heartbeat; the file is there only after the permission. */
static void test_worker_commit_is_repeated_until_granted(void **state) {
    (void)state;
    worker_rig rig;
    start(&rig, "inproc://test-worker-commit", 1);
    rig.fake->heartbeat_ms = 20;
    rig.fake->hold_commits = true;
    fake_cluster_until(rig.fake, "registration", fake_is_registered, 1);
    char *path = zn_format("%s/out-0.jsonl", rig.scratch);
    zn_digest body = fake_cluster_sink_body(rig.fake, NULL, path);
    fake_cluster_give(rig.fake, 1, body, 0, 1, 1);
    fake_cluster_until(rig.fake, "three COMMITs", has_commits, 3);
    assert_int_not_equal(access(path, F_OK), 0);
    rig.fake->hold_commits = false;
    fake_cluster_until(rig.fake, "the outcome", fake_has_reports, 1);
    assert_int_equal(rig.fake->tasks[0].code, 0);
    assert_int_equal(unlink(path), 0);
    free(path);
    stop(&rig);
}

/* A blob of several parts arrives whole, once for both slots; large results stay in segments. */
static void test_worker_large_blob_arrives_whole(void **state) {
    (void)state;
    worker_rig rig;
    register_worker(&rig, "tcp://127.0.0.1:*", 2);
    size_t len = 300 * ZN_KIB;
    uint8_t *item = zn_calloc(len, 1);
    zn_buf items = { 0 };
    zn_put_array(&items, 20);
    for (size_t task = 0; task < 20; task++) {
        for (size_t i = 0; i < len; i++) {
            item[i] = (uint8_t)((i + task) * 2654435761u >> 13);
        }
        zn_put_binary(&items, (zn_bytes){ item, len });
    }
    zn_digest inputs = fake_cluster_put(rig.fake, zn_buf_bytes(&items));
    zn_digest body = fake_cluster_list_body(rig.fake, 20, inputs);
    fake_cluster_give(rig.fake, 1, body, 0, 20, 1);
    fake_cluster_until(rig.fake, "all outcomes", fake_has_reports, 20);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(rig.fake->tasks[i].code, 0);
        assert_true(rig.fake->tasks[i].large);
    }
    assert_int_equal(rig.fake->blob_requests, 1 + 1 + items.len / ZN_BLOB_CHUNK_BYTES);
    fake_cluster_done(rig.fake, 1);
    fake_cluster_until(rig.fake, "the answer to DONE", fake_has_done, 1);
    char *pattern = zn_format("ls %s/*/*.seg 2>/dev/null", rig.scratch);
    assert_int_not_equal(system(pattern), 0);
    free(pattern);
    zn_buf_free(&items);
    free(item);
    stop(&rig);
}

/* Pages of an earlier stage's results reach the slot that asked. */
static void test_worker_results_of_earlier_stage_are_relayed(void **state) {
    (void)state;
    worker_rig rig;
    register_worker(&rig, "inproc://test-worker-pages", 2);
    zn_digest body = fake_cluster_stage_body(rig.fake);
    rig.fake->page_total = 300;
    fake_cluster_give(rig.fake, 1, body, 0, 1, 1);
    fake_cluster_until(rig.fake, "the outcome", fake_has_reports, 1);
    assert_int_equal(rig.fake->tasks[0].code, 0);
    assert_int_equal(rig.fake->tasks[0].records_out, 300);
    stop(&rig);
}

static void expect_start(const zn_worker_options *options, zonda_err expected) {
    zonda_error error = { 0 };
    zn_worker *worker = zn_worker_start(options, &error);
    if (worker != NULL) {
        zn_worker_stop(&worker);
    }
    assert_string_equal(zonda_err_name(error.code), zonda_err_name(expected));
}

/* Options that cannot work, or that would open the data socket to others, are refused. */
static void test_worker_bad_options_are_refused(void **state) {
    (void)state;
    zn_worker_options options = { .connect = "tcp://127.0.0.1:1", .slots = 1 };
    expect_start(&options, ZONDA_OK);
    options.data_bind = "tcp://0.0.0.0:*";
    expect_start(&options, ZONDA_ERR_REFUSED);
    options.insecure = true;
    expect_start(&options, ZONDA_OK);
    options = (zn_worker_options){ .connect = "nonsense", .slots = 1 };
    expect_start(&options, ZONDA_ERR_INVALID);
    options = (zn_worker_options){ .slots = 1 };
    expect_start(&options, ZONDA_ERR_INVALID);
    options = (zn_worker_options){ .connect = "tcp://127.0.0.1:1",
                                   .slots = 1,
                                   .memory_bytes = ZN_MEMORY_BYTES_MIN - 1 };
    expect_start(&options, ZONDA_ERR_INVALID);
    options = (zn_worker_options){ .connect = "tcp://127.0.0.1:1", .slots = ZN_SLOTS_MAX + 1 };
    expect_start(&options, ZONDA_ERR_INVALID);
    options = (zn_worker_options){ .connect = "tcp://127.0.0.1:1",
                                   .slots = 1,
                                   .scratch = "/nonexistent" };
    expect_start(&options, ZONDA_ERR_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worker_tasks_over_inproc_are_reported_once),
        cmocka_unit_test(test_worker_tasks_over_tcp_are_reported_once),
        cmocka_unit_test(test_worker_tasks_over_ipc_are_reported_once),
        cmocka_unit_test(test_worker_task_repeated_or_skipped_is_noticed),
        cmocka_unit_test(test_worker_rejoin_registers_again),
        cmocka_unit_test(test_worker_silence_of_coordinator_looks_for_it),
        cmocka_unit_test(test_worker_started_first_waits_for_coordinator),
        cmocka_unit_test(test_worker_long_scratch_path_serves),
        cmocka_unit_test(test_worker_version_refusal_ends_it),
        cmocka_unit_test(test_worker_end_of_cluster_ends_it),
        cmocka_unit_test(test_worker_stage_that_does_not_compile_fails_tasks),
        cmocka_unit_test(test_worker_commit_is_repeated_until_granted),
        cmocka_unit_test(test_worker_large_blob_arrives_whole),
        cmocka_unit_test(test_worker_results_of_earlier_stage_are_relayed),
        cmocka_unit_test(test_worker_bad_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
