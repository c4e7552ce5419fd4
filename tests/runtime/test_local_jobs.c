/* SPDX-License-Identifier: MPL-2.0 */
/* Several drivers on one cluster, counters by stage, and what is left when everything is closed. */
#include "local_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"

enum {
    DRIVERS = 10,
    JOBS_EACH = 5
};

/* ---- counters ---- */

static const zonda_counter *find(const zonda_counter *counters, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(counters[i].name, name) == 0) {
            return &counters[i];
        }
    }
    return NULL;
}

/* Counters of a stage are those of its tasks alone; the job's are the sums, with the extremes. */
static void test_local_counters_by_stage(void **state) {
    zonda_dataset *dataset = zonda_map(items("[1, 2, 3]"), zonda_fn("times_ten"));
    zonda_result *result = run(*state, zonda_count(dataset));
    assert_int_equal(zonda_result_stage_count(result), 2);
    assert_non_null(strstr(zonda_result_stage_name(result, 0), "map"));
    assert_true(zonda_result_job(result) != 0);
    size_t count = 0;
    const zonda_counter *counters = zonda_result_stage_counters(result, 0, &count);
    const zonda_counter *multiplied = find(counters, count, "multiplied");
    assert_non_null(multiplied);
    assert_int_equal(multiplied->sum, 6);
    assert_int_equal(multiplied->min, 1);
    assert_int_equal(multiplied->max, 3);
    assert_int_equal(multiplied->count, 3);
    assert_true(zonda_counter_mean(multiplied) == 2.0);
    const zonda_counter *records = find(counters, count, "records_in");
    assert_int_equal(records->sum, 3);
    assert_int_equal(records->min, 1);
    assert_int_equal(records->max, 1);
    counters = zonda_result_stage_counters(result, 1, &count);
    assert_null(find(counters, count, "multiplied"));
    assert_int_equal(find(counters, count, "records_in")->sum, 3);
    counters = zonda_result_counters(result, &count);
    assert_int_equal(find(counters, count, "multiplied")->sum, 6);
    assert_int_equal(find(counters, count, "records_in")->sum, 6);
    assert_int_equal(find(counters, count, "records_in")->min, 1);
    assert_int_equal(find(counters, count, "records_in")->max, 3);
    assert_int_equal(find(counters, count, "tasks")->sum, 4);
    assert_null(zonda_result_stage_counters(result, 2, &count));
    assert_int_equal(count, 0);
    assert_null(zonda_result_stage_name(result, 2));
    zonda_result_destroy(&result);
}

/* A job with nothing to run has stages without counters and no id. */
static void test_local_counters_of_nothing(void **state) {
    zonda_result *result = run(*state, zonda_from_list(NULL, 0));
    size_t count = 1;
    assert_int_equal(zonda_result_job(result), 0);
    zonda_result_stage_counters(result, 0, &count);
    assert_int_equal(count, 0);
    assert_true(zonda_counter_mean(&(zonda_counter){ .sum = 5 }) == 0);
    zonda_result_destroy(&result);
}

/* ---- several at once ---- */

typedef struct driver {
    pthread_t thread;
    const char *endpoint;
    uint64_t number;
    atomic_uint *right;
} driver;

static bool run_one(zonda_cluster *cluster, uint64_t records) {
    zonda_dataset *dataset =
        zonda_count(zonda_from_range(records, &(zonda_range_options){ .shards = 3 }));
    zonda_error error = { 0 };
    zonda_result *result = zonda_execute(cluster, dataset, NULL, &error);
    zonda_dataset_destroy(&dataset);
    if (result == NULL) {
        return false;
    }
    const void *record = NULL;
    size_t bytes = 0;
    bool got = false;
    bool right = zonda_result_next(result, &record, &bytes, &got, &error) == ZONDA_OK && got &&
                 bytes == 1 && *(const uint8_t *)record == records;
    zonda_result_destroy(&result);
    return right;
}

/* Assertions of cmocka belong to the main thread: here they are only counted. */
static void *drive(void *argument) {
    driver *self = argument;
    zonda_error error = { 0 };
    zonda_cluster *cluster = zonda_cluster_connect(self->endpoint, NULL, &error);
    for (uint64_t i = 0; cluster != NULL && i < JOBS_EACH; i++) {
        if (run_one(cluster, self->number * JOBS_EACH + i)) {
            atomic_fetch_add(self->right, 1);
        }
    }
    zonda_cluster_close(&cluster);
    return NULL;
}

/* Fifty small jobs of ten drivers: none is refused, each gets its own result. */
static void test_local_many_drivers_at_once(void **state) {
    local_fixture *local = *state;
    driver drivers[DRIVERS];
    atomic_uint right = 0;
    for (uint64_t i = 0; i < DRIVERS; i++) {
        drivers[i] = (driver){ .endpoint = zonda_cluster_endpoint(local->cluster),
                               .number = i,
                               .right = &right };
        assert_int_equal(pthread_create(&drivers[i].thread, NULL, drive, &drivers[i]), 0);
    }
    for (size_t i = 0; i < DRIVERS; i++) {
        pthread_join(drivers[i].thread, NULL);
    }
    assert_int_equal(atomic_load(&right), DRIVERS * JOBS_EACH);
    expect(local, items("[1]"), "1");
}

/* ---- what is left ---- */

static unsigned count_entries(const char *folder) {
    unsigned count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        count += entry->d_name[0] != '.' ? 1 : 0;
    }
    closedir(dir);
    return count;
}

/* Children of this process, of any of its threads, dead or alive. */
static unsigned count_children(void) {
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/task");
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char path[300];
        snprintf(path, sizeof path, "/proc/self/task/%s/children", entry->d_name);
        FILE *file = entry->d_name[0] != '.' ? fopen(path, "r") : NULL;
        unsigned child;
        while (file != NULL && fscanf(file, "%u", &child) == 1) {
            count++;
        }
        if (file != NULL) {
            fclose(file);
        }
    }
    closedir(dir);
    return count;
}

/* One round: a cluster, a second connection, jobs that succeed, fail and leave large results. */
static void use_cluster(const char *folder) {
    zonda_error error = { 0 };
    zonda_local_options options = { .slots = 2, .workers = 2, .scratch = folder };
    local_fixture one = { .cluster = zonda_cluster_open_local(&options, &error) };
    assert_ok(error.code, error);
    local_fixture two = { .cluster = zonda_cluster_connect(zonda_cluster_endpoint(one.cluster),
                                                           NULL, &error) };
    assert_ok(error.code, error);
    expect(&one, zonda_count(zonda_from_range(100, NULL)), "100");
    zonda_result *open = run(&two, zonda_map(zonda_from_range(4, NULL), zonda_fn("blow_up")));
    zonda_dataset *bad = zonda_map(items("[1, 2]"), zonda_fn("always_fail"));
    assert_null(zonda_execute(one.cluster, bad, NULL, &error));
    zonda_dataset_destroy(&bad);
    zonda_cluster_close(&two.cluster);
    zonda_result_destroy(&open);
    zonda_cluster_close(&one.cluster);
}

/* Whether a folder comes down to so many entries: threads that have said good-bye still have to
 * return, and the reaper closes sockets when it gets round to it. The time only bounds a failure.
 */
static bool falls_to(const char *folder, unsigned limit) {
    uint64_t end = zn_clock_ns() + 20 * ZN_NS_PER_S;
    while (count_entries(folder) > limit && zn_clock_ns() < end) {
        sched_yield();
    }
    return count_entries(folder) <= limit;
}

/* Those of the messaging library, and one of ThreadSanitizer's own. */
#if defined(__SANITIZE_THREAD__)
enum {
    LASTING_THREADS = 3
};
#else
enum {
    LASTING_THREADS = 2
};
#endif

/* Opening and closing, however often, leaves no thread, descriptor, file or child. The messaging
 * library keeps one I/O thread and one reaper for the whole process (zn_context); they come with
 * the first cluster and stay, with their descriptors, so the first round sets the mark. */
static void test_local_close_leaves_nothing(void **state) {
    (void)state;
    char folder[] = "/tmp/zonda-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    unsigned threads = count_entries("/proc/self/task") + LASTING_THREADS;
    use_cluster(folder);
    assert_true(falls_to("/proc/self/task", threads));
    unsigned descriptors = count_entries("/proc/self/fd");
    assert_int_equal(count_entries(folder), 0);
    for (int round = 0; round < 15; round++) {
        use_cluster(folder);
    }
    assert_true(falls_to("/proc/self/task", threads));
    assert_true(falls_to("/proc/self/fd", descriptors));
    assert_int_equal(count_entries(folder), 0);
    assert_int_equal(count_children(), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void) {
    register_all();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local_close_leaves_nothing),
        WITH_CLUSTER(test_local_counters_by_stage),
        WITH_CLUSTER(test_local_counters_of_nothing),
        WITH_CLUSTER(test_local_many_drivers_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
