/* SPDX-License-Identifier: MPL-2.0 */
/* A cluster with keys from the view of a program in C: coordinator and worker are in this process,
 * so sanitizers see all of it, and meet over tcp. */
#include "test.h"

#include <unistd.h>
#include <zonda/zonda.h>

#include "base/alloc.h"
#include "coordinator/coordinator.h"
#include "wire/keys.h"
#include "worker/worker.h"

typedef struct rig {
    char *folder;
    char *keys;
    zn_coordinator *coordinator;
    zn_worker *worker;
} rig;

static int set_up(void **state) {
    zonda_error error = { 0 };
    rig *self = ZN_NEW(rig);
    self->folder = zn_strdup("/tmp/zonda-keys-XXXXXX");
    assert_non_null(mkdtemp(self->folder));
    self->keys = zn_format("%s/keys", self->folder);
    assert_ok(zn_keygen_cluster(self->keys, &error), error);
    zn_coordinator_options coordinator = { .bind = "tcp://127.0.0.1:*", .keys = self->keys };
    self->coordinator = zn_coordinator_start(&coordinator, &error);
    assert_non_null(self->coordinator);
    zn_worker_options worker = { .connect = zn_coordinator_endpoint(self->coordinator),
                                 .slots = 2,
                                 .kind = ZN_SLOT_THREAD,
                                 .scratch = self->folder,
                                 .keys = self->keys };
    self->worker = zn_worker_start(&worker, &error);
    assert_non_null(self->worker);
    *state = self;
    return 0;
}

static int tear_down(void **state) {
    rig *self = *state;
    zn_worker_stop(&self->worker);
    zn_coordinator_stop(&self->coordinator);
    char *command = zn_format("rm -r '%s'", self->folder);
    assert_int_equal(system(command), 0);
    free(command);
    free(self->keys);
    free(self->folder);
    free(self);
    return 0;
}

static zonda_cluster *open_cluster(const rig *self, const char *keys, zonda_error *error) {
    zonda_connect_options options = { .keys = keys };
    return zonda_cluster_connect(zn_coordinator_endpoint(self->coordinator), &options, error);
}

/* Large results, so that the driver fetches them from the worker. */
static void expect_job_runs(zonda_cluster *cluster) {
    enum {
        RECORDS = 4000
    };
    zonda_error error = { 0 };
    zonda_dataset *ds = zonda_from_range(RECORDS, &(zonda_range_options){ .shards = 3 });
    ds = zonda_map(ds, zonda_lua("('x'):rep(100) .. r"));
    zonda_result *result = zonda_execute(cluster, ds, NULL, &error);
    zonda_dataset_destroy(&ds);
    assert_ok(error.code, error);
    size_t count = 0;
    const void *record = NULL;
    size_t bytes = 0;
    bool got = true;
    while (got) {
        assert_ok(zonda_result_next(result, &record, &bytes, &got, &error), error);
        count += got ? 1 : 0;
    }
    assert_int_equal(count, RECORDS);
    zonda_result_destroy(&result);
}

static void test_keys_a_program_that_has_some_runs_jobs(void **state) {
    const rig *self = *state;
    zonda_error error = { 0 };
    zonda_cluster *cluster = open_cluster(self, self->keys, &error);
    assert_ok(error.code, error);
    expect_job_runs(cluster);
    zonda_cluster_close(&cluster);
}

static void test_keys_come_from_the_environment_unless_said_otherwise(void **state) {
    const rig *self = *state;
    zonda_error error = { 0 };
    setenv("ZONDA_KEYS", self->keys, 1);
    zonda_cluster *cluster = open_cluster(self, NULL, &error);
    assert_ok(error.code, error);
    zonda_cluster_close(&cluster);
    assert_null(open_cluster(self, "", &error));
    assert_err(error.code, KEYS);
    unsetenv("ZONDA_KEYS");
}

static void test_keys_that_are_missing_or_wrong_are_errors(void **state) {
    const rig *self = *state;
    zonda_error error = { 0 };
    assert_null(open_cluster(self, NULL, &error));
    assert_err(error.code, KEYS);
    assert_null(open_cluster(self, self->folder, &error));
    assert_err(error.code, KEYS);
    assert_non_null(strstr(error.text, "client.key"));
}

/* The next call of a session that is open fails, too. */
static void test_keys_that_are_taken_back_end_a_session(void **state) {
    const rig *self = *state;
    zonda_error error = { 0 };
    char *folder = zn_format("%s/clients/alice", self->keys);
    char *allowed = zn_format("%s/allowed/alice.pub", self->keys);
    assert_ok(zn_keygen_client(self->keys, "alice", &error), error);
    zonda_cluster *cluster = open_cluster(self, folder, &error);
    assert_ok(error.code, error);
    expect_job_runs(cluster);
    assert_int_equal(unlink(allowed), 0);
    zonda_dataset *ds = zonda_from_range(3, NULL);
    /* It takes effect when the folder is looked at again. */
    for (int i = 0; i < 100000 && error.code == ZONDA_OK; i++) {
        zonda_result *result = zonda_execute(cluster, ds, NULL, &error);
        zonda_result_destroy(&result);
    }
    assert_err(error.code, KEYS);
    zonda_dataset_destroy(&ds);
    zonda_cluster_close(&cluster);
    free(allowed);
    free(folder);
}

#define KEY_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
    unsetenv("ZONDA_KEYS");
    const struct CMUnitTest tests[] = {
        KEY_TEST(test_keys_a_program_that_has_some_runs_jobs),
        KEY_TEST(test_keys_come_from_the_environment_unless_said_otherwise),
        KEY_TEST(test_keys_that_are_missing_or_wrong_are_errors),
        KEY_TEST(test_keys_that_are_taken_back_end_a_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
