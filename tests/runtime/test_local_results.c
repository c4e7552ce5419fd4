/* SPDX-License-Identifier: MPL-2.0 */
/* Results, progress, errors, cancellation and closing, through the public API over a cluster in
 * this process. */
#include "local_fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdatomic.h>

typedef struct record_stream {
    int64_t next;
    int64_t stop_at;
    size_t bytes;
    size_t progress_calls;
    uint64_t last_completed;
} record_stream;

static zonda_err on_record(void *context, const void *record, size_t bytes) {
    record_stream *stream = context;
    const uint8_t *data = record;
    /* [i, 100000 zeros], i below 128 */
    assert_int_equal(data[1], stream->next);
    stream->next++;
    stream->bytes += bytes;
    return stream->next == stream->stop_at ? ZONDA_ERR_IO : ZONDA_OK;
}

static void on_progress(void *context, const zonda_progress *progress) {
    record_stream *stream = context;
    stream->progress_calls++;
    stream->last_completed = progress->completed;
    assert_int_equal(progress->total, 4);
    assert_string_equal(progress->stage_name, "from_range→map");
    assert_true(progress->job > 0);
}

/* A hundred records of 100 kB in so many shards. */
static zonda_dataset *large_records(uint64_t shards) {
    zonda_dataset *dataset = zonda_from_range(100, &(zonda_range_options){ .shards = shards });
    return zonda_map(dataset, zonda_fn("blow_up"));
}

/* Streamed records come in order, also from segments, and progress ends at the end. */
static void test_local_streams_large_results_in_order(void **state) {
    local_fixture *fixture = *state;
    zonda_error error = { 0 };
    record_stream stream = { 0 };
    zonda_dataset *dataset = large_records(4);
    zonda_execute_options options = { .on_record = on_record,
                                      .on_progress = on_progress,
                                      .context = &stream };
    zonda_result *result = zonda_execute(fixture->cluster, dataset, &options, &error);
    assert_ok(error.code, error);
    assert_int_equal(stream.next, 100);
    assert_int_equal(stream.last_completed, 4);
    const void *record = NULL;
    size_t bytes = 0;
    bool got = true;
    assert_ok(zonda_result_next(result, &record, &bytes, &got, &error), error);
    assert_false(got);
    zonda_result_destroy(&result);
    zonda_dataset_destroy(&dataset);
}

/* Marks a stage that was shown as complete. */
static void mark_complete(void *context, const zonda_progress *progress) {
    unsigned *stages = context;
    assert_int_equal(progress->stage_count, 2);
    assert_true(progress->completed <= progress->total);
    if (progress->completed == progress->total) {
        *stages |= 1U << progress->stage;
    }
}

/* However fast a stage is, its end is shown. */
static void test_local_progress_shows_end_of_each_stage(void **state) {
    local_fixture *fixture = *state;
    zonda_error error = { 0 };
    unsigned stages = 0;
    zonda_dataset *dataset = zonda_count(items("[1, 2, 3]"));
    zonda_execute_options options = { .on_progress = mark_complete, .context = &stages };
    zonda_result *result = zonda_execute(fixture->cluster, dataset, &options, &error);
    assert_ok(error.code, error);
    assert_int_equal(stages, 3);
    zonda_result_destroy(&result);
    zonda_dataset_destroy(&dataset);
}

/* Read one by one, a result of 10 MB comes piece by piece, and complete. */
static void test_local_reads_large_results_one_by_one(void **state) {
    zonda_result *result = run(*state, large_records(1));
    zonda_error error = { 0 };
    const void *record = NULL;
    size_t bytes = 0;
    bool got = true;
    record_stream stream = { 0 };
    while (got) {
        assert_ok(zonda_result_next(result, &record, &bytes, &got, &error), error);
        if (got) {
            assert_int_equal(on_record(&stream, record, bytes), ZONDA_OK);
        }
    }
    assert_int_equal(stream.next, 100);
    zonda_result_destroy(&result);
}

static int flip_byte_late(const char *path, const struct stat *status, int type,
                          struct FTW *place) {
    (void)place;
    if (type != FTW_F || strstr(path, ".seg") == NULL || status->st_size == 0) {
        return 0;
    }
    uint8_t byte = 0;
    off_t offset = status->st_size * 9 / 10;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
    return 1;
}

static void count_remade(zonda_log_level level, const char *id, const char *text, void *context) {
    (void)level;
    (void)text;
    if (strcmp(id, "results-made-again") == 0) {
        atomic_fetch_add((atomic_uint *)context, 1);
    }
}

/* A result that rots while it is read is made again, and goes on where it was. */
static void test_local_result_that_rots_is_read_on(void **state) {
    atomic_uint remade = 0;
    zonda_log_set(count_remade, ZONDA_LOG_WARN, &remade);
    open_fixture(state);
    local_fixture *fixture = *state;
    zonda_result *result = run(fixture, large_records(1));
    zonda_error error = { 0 };
    const void *record = NULL;
    size_t bytes = 0;
    bool got = true;
    record_stream stream = { 0 };
    while (got) {
        if (stream.next == 10) {
            assert_int_equal(nftw(fixture->folder, flip_byte_late, 8, FTW_PHYS), 1);
        }
        assert_ok(zonda_result_next(result, &record, &bytes, &got, &error), error);
        if (got) {
            assert_int_equal(on_record(&stream, record, bytes), ZONDA_OK);
        }
    }
    assert_int_equal(stream.next, 100);
    zonda_result_destroy(&result);
    close_fixture(state);
    zonda_log_set(NULL, ZONDA_LOG_ERROR, NULL);
    assert_int_equal(remade, 1);
}

/* What on_record returns ends the execution. */
static void test_local_on_record_can_stop(void **state) {
    local_fixture *fixture = *state;
    zonda_error error = { 0 };
    record_stream stream = { .stop_at = 30 };
    zonda_dataset *dataset = large_records(4);
    zonda_execute_options options = { .on_record = on_record, .context = &stream };
    assert_null(zonda_execute(fixture->cluster, dataset, &options, &error));
    assert_err(error.code, IO);
    assert_int_equal(stream.next, 30);
    zonda_dataset_destroy(&dataset);
    expect(fixture, items("[1]"), "1");
}

/* A user error comes out with operator, shard and attempt, and the cluster goes on. */
static void test_local_user_error_comes_out(void **state) {
    local_fixture *fixture = *state;
    zonda_error error = { 0 };
    zonda_dataset *dataset = zonda_map(items("[0, 1, 2, 3]"), zonda_fn("always_fail"));
    assert_null(zonda_execute(fixture->cluster, dataset, NULL, &error));
    assert_err(error.code, USER);
    assert_string_equal(error.op, "map");
    assert_true(error.has_shard);
    assert_int_equal(error.shard, 2);
    assert_int_equal(error.attempt, 3);
    assert_non_null(strstr(error.text, "two is not liked here"));
    zonda_dataset_destroy(&dataset);
    expect(fixture, items("[1]"), "1");
}

/* A function that nobody registered is an error that names it. */
static void test_local_unknown_function_fails(void **state) {
    local_fixture *fixture = *state;
    zonda_error error = { 0 };
    zonda_dataset *dataset = zonda_map(items("[0]"), zonda_fn("nobody"));
    assert_null(zonda_execute(fixture->cluster, dataset, NULL, &error));
    assert_err(error.code, NOT_FOUND);
    assert_non_null(strstr(error.text, "nobody"));
    zonda_dataset_destroy(&dataset);
}

/* Errors of the dataset, the plan and the name come before anything runs. */
static void test_local_bad_plans_are_refused(void **state) {
    local_fixture *fixture = *state;
    zonda_error error = { 0 };
    zonda_dataset *dataset = zonda_write_jsonl(items("[1, 2]"), "x.jsonl", NULL);
    assert_null(zonda_execute(fixture->cluster, dataset, NULL, &error));
    assert_err(error.code, PLAN);
    zonda_dataset_destroy(&dataset);
    dataset = zonda_read("/nonexistent/zonda", NULL);
    assert_null(zonda_execute(fixture->cluster, dataset, NULL, &error));
    assert_err(error.code, NO_MATCH);
    zonda_execute_options options = { .name = "" };
    assert_null(zonda_execute(fixture->cluster, dataset, &options, &error));
    assert_err(error.code, INVALID);
    zonda_dataset_destroy(&dataset);
    assert_null(zonda_execute(fixture->cluster, NULL, NULL, &error));
    assert_err(error.code, INVALID);
}

static volatile int cancel_flag;

static void cancel_when_running(void *context, const zonda_progress *progress) {
    (void)context;
    if (progress->running > 0) {
        cancel_flag = 1;
    }
}

/* The cancel flag ends running attempts and the execution, not the cluster. */
static void test_local_cancel_flag_ends_execution(void **state) {
    local_fixture *fixture = *state;
    zonda_error error = { 0 };
    cancel_flag = 0;
    zonda_dataset *dataset = zonda_map(items("[1, 2, 3]"), zonda_fn("run_for_ever"));
    zonda_execute_options options = { .on_progress = cancel_when_running, .cancel = &cancel_flag };
    assert_null(zonda_execute(fixture->cluster, dataset, &options, &error));
    assert_err(error.code, CANCELLED);
    zonda_dataset_destroy(&dataset);
    expect(fixture, items("[1]"), "1");
}

/* Several results may be open at once and be read in any order. */
static void test_local_results_are_independent(void **state) {
    local_fixture *fixture = *state;
    zonda_result *first = run(fixture, items("[1, 2]"));
    zonda_result *second = run(fixture, items("[3, 4]"));
    char *text = read_all(second);
    assert_string_equal(text, "3 4");
    free(text);
    zonda_result_destroy(&second);
    text = read_all(first);
    assert_string_equal(text, "1 2");
    free(text);
    zonda_result_destroy(&first);
}

/* A result that outlives its cluster says CLOSED, and can still be destroyed. */
static void test_local_result_after_close_says_closed(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zonda_cluster *cluster = zonda_cluster_open_local(NULL, &error);
    assert_ok(error.code, error);
    zonda_dataset *dataset = items("[1, 2]");
    zonda_result *result = zonda_execute(cluster, dataset, NULL, &error);
    zonda_dataset_destroy(&dataset);
    zonda_cluster_close(&cluster);
    assert_null(cluster);
    const void *record = NULL;
    size_t bytes = 0;
    bool got = false;
    assert_err(zonda_result_next(result, &record, &bytes, &got, &error), CLOSED);
    size_t count = 0;
    assert_non_null(zonda_result_counters(result, &count));
    assert_true(count > 0);
    zonda_result_destroy(&result);
}

/* Open, execute, close, several times and side by side. */
static void test_local_clusters_open_and_close(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        zonda_error error = { 0 };
        local_fixture one = { 0 };
        local_fixture two = { 0 };
        zonda_local_options options = { .slots = 1, .workers = 2 };
        one.cluster = zonda_cluster_open_local(&options, &error);
        assert_ok(error.code, error);
        two.cluster = zonda_cluster_open_local(&options, &error);
        assert_ok(error.code, error);
        assert_string_not_equal(zonda_cluster_endpoint(one.cluster),
                                zonda_cluster_endpoint(two.cluster));
        expect(&one, zonda_count(zonda_from_range(10, NULL)), "10");
        expect(&two, zonda_count(zonda_from_range(20, NULL)), "20");
        zonda_cluster_close(&one.cluster);
        expect(&two, items("[1]"), "1");
        zonda_cluster_close(&two.cluster);
    }
}

/* A second connection to the same cluster sees the same coordinator. */
static void test_local_cluster_can_be_connected_to(void **state) {
    local_fixture *local = *state;
    zonda_error error = { 0 };
    local_fixture other = { 0 };
    other.cluster = zonda_cluster_connect(zonda_cluster_endpoint(local->cluster), NULL, &error);
    assert_ok(error.code, error);
    expect(&other, items("[1]"), "1");
    zonda_cluster_close(&other.cluster);
    expect(local, items("[2]"), "2");
}

/* A closed cluster leaves nothing in its scratch folder. */
static void test_local_close_leaves_no_files(void **state) {
    (void)state;
    void *made = NULL;
    open_fixture(&made);
    local_fixture *fixture = made;
    zonda_result *result = run(fixture, large_records(4));
    zonda_result_destroy(&result);
    result = run(fixture, large_records(4));
    zonda_cluster_close(&fixture->cluster);
    zonda_result_destroy(&result);
    assert_int_equal(remove_files(fixture->folder), 0);
    close_fixture(&made);
}

/* Options that make no sense are errors. */
static void test_local_bad_options_are_refused(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zonda_local_options options = { .slots = 1000000 };
    assert_null(zonda_cluster_open_local(&options, &error));
    assert_err(error.code, LIMIT);
    options = (zonda_local_options){ .slots = 1, .scratch = "/nonexistent/zonda" };
    assert_null(zonda_cluster_open_local(&options, &error));
    assert_true(error.code != ZONDA_OK);
    assert_null(zonda_cluster_connect("nowhere", NULL, &error));
    assert_err(error.code, INVALID);
    assert_null(zonda_cluster_connect(NULL, NULL, &error));
    assert_err(error.code, INVALID);
}

int main(void) {
    register_all();
    const struct CMUnitTest tests[] = {
        WITH_CLUSTER(test_local_streams_large_results_in_order),
        WITH_CLUSTER(test_local_progress_shows_end_of_each_stage),
        WITH_CLUSTER(test_local_reads_large_results_one_by_one),
        cmocka_unit_test(test_local_result_that_rots_is_read_on),
        WITH_CLUSTER(test_local_on_record_can_stop),
        WITH_CLUSTER(test_local_user_error_comes_out),
        WITH_CLUSTER(test_local_unknown_function_fails),
        WITH_CLUSTER(test_local_bad_plans_are_refused),
        WITH_CLUSTER(test_local_cancel_flag_ends_execution),
        WITH_CLUSTER(test_local_results_are_independent),
        cmocka_unit_test(test_local_result_after_close_says_closed),
        cmocka_unit_test(test_local_clusters_open_and_close),
        WITH_CLUSTER(test_local_cluster_can_be_connected_to),
        cmocka_unit_test(test_local_close_leaves_no_files),
        cmocka_unit_test(test_local_bad_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
