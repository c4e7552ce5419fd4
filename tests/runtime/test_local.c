/* SPDX-License-Identifier: MPL-2.0 */
/* The public API over a whole cluster in this process. */
#include "test.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zonda/zonda.h>

#include "base/alloc.h"
#include "record/json.h"

/* ---- functions that run in tasks ---- */

static zonda_err times_ten(zonda_task *task, const msgpack_object *args, size_t arg_count,
                           msgpack_packer *out) {
    (void)arg_count;
    zonda_task_counter(task, "multiplied", args[0].via.i64);
    msgpack_pack_int64(out, args[0].via.i64 * 10);
    return ZONDA_OK;
}

static zonda_err is_odd(zonda_task *task, const msgpack_object *args, size_t arg_count,
                        msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    if (args[0].via.i64 % 2 != 0) {
        msgpack_pack_true(out);
    } else {
        msgpack_pack_false(out);
    }
    return ZONDA_OK;
}

static zonda_err twice(zonda_task *task, const msgpack_object *args, size_t arg_count,
                       msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    msgpack_pack_object(out, args[0]);
    msgpack_pack_object(out, args[0]);
    return ZONDA_OK;
}

static zonda_err add(zonda_task *task, const msgpack_object *args, size_t arg_count,
                     msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    msgpack_pack_int64(out, args[0].via.i64 + args[1].via.i64);
    return ZONDA_OK;
}

static zonda_err look_up(zonda_task *task, const msgpack_object *args, size_t arg_count,
                         msgpack_packer *out) {
    (void)args;
    (void)arg_count;
    const msgpack_object *value = NULL;
    zonda_err err = zonda_task_shared(task, "word", &value);
    if (err == ZONDA_OK) {
        msgpack_pack_object(out, *value);
    }
    return err;
}

/* A record of 100 kB, so that results go into segments. */
static zonda_err blow_up(zonda_task *task, const msgpack_object *args, size_t arg_count,
                         msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    static const char filler[100000];
    msgpack_pack_array(out, 2);
    msgpack_pack_object(out, args[0]);
    msgpack_pack_bin(out, sizeof filler);
    msgpack_pack_bin_body(out, filler, sizeof filler);
    return ZONDA_OK;
}

static zonda_err always_fail(zonda_task *task, const msgpack_object *args, size_t arg_count,
                             msgpack_packer *out) {
    (void)arg_count;
    (void)out;
    if (args[0].via.i64 == 2) {
        return zonda_task_fail(task, "two is not liked here");
    }
    msgpack_pack_nil(out);
    return ZONDA_OK;
}

/* Runs until its job is cancelled. */
static zonda_err run_for_ever(zonda_task *task, const msgpack_object *args, size_t arg_count,
                              msgpack_packer *out) {
    (void)args;
    (void)arg_count;
    while (!zonda_task_cancelled(task)) {
        usleep(1000);
    }
    msgpack_pack_nil(out);
    return ZONDA_OK;
}

static void register_all(void) {
    static const struct {
        const char *name;
        zonda_call *call;
    } functions[] = {
        { "times_ten", times_ten },
        { "is_odd", is_odd },
        { "twice", twice },
        { "add", add },
        { "look_up", look_up },
        { "blow_up", blow_up },
        { "always_fail", always_fail },
        { "run_for_ever", run_for_ever },
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        zonda_error error = { 0 };
        zonda_function function = { .call = functions[i].call };
        assert_ok(zonda_register(functions[i].name, &function, &error), error);
    }
}

/* ---- the cluster of a test, and a folder for its files ---- */

typedef struct local_fixture {
    zonda_cluster *cluster;
    char folder[64];
} local_fixture;

static int open_fixture(void **state) {
    zonda_error error = { 0 };
    local_fixture *made = ZN_NEW(local_fixture);
    strcpy(made->folder, "/tmp/zonda-test-XXXXXX");
    assert_non_null(mkdtemp(made->folder));
    zonda_local_options options = { .slots = 2, .scratch = made->folder };
    made->cluster = zonda_cluster_open_local(&options, &error);
    assert_ok(error.code, error);
    assert_non_null(made->cluster);
    *state = made;
    return 0;
}

static size_t remove_files(const char *folder) {
    size_t count = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            char *path = zn_format("%s/%s", folder, entry->d_name);
            remove(path);
            free(path);
            count++;
        }
    }
    closedir(dir);
    return count;
}

static int close_fixture(void **state) {
    local_fixture *made = *state;
    zonda_cluster_close(&made->cluster);
    remove_files(made->folder);
    assert_int_equal(rmdir(made->folder), 0);
    free(made);
    return 0;
}

static zonda_dataset *items(const char *json) {
    return zonda_from_json(json);
}

/* Executes and consumes the dataset. */
static zonda_result *run(local_fixture *fixture, zonda_dataset *dataset) {
    zonda_error error = { 0 };
    zonda_result *result = zonda_execute(fixture->cluster, dataset, NULL, &error);
    zonda_dataset_destroy(&dataset);
    assert_ok(error.code, error);
    assert_non_null(result);
    return result;
}

/* The records of a result as one line of JSON texts. Free it. */
static char *read_all(zonda_result *result) {
    zn_buf out = { 0 };
    zonda_error error = { 0 };
    const void *record = NULL;
    size_t bytes = 0;
    bool got = true;
    for (;;) {
        assert_ok(zonda_result_next(result, &record, &bytes, &got, &error), error);
        if (!got) {
            break;
        }
        if (out.len > 0) {
            zn_buf_append_byte(&out, ' ');
        }
        zn_bytes value = { .data = record, .len = bytes };
        assert_ok(zn_json_write(value, &out, &error), error);
    }
    zn_buf_append_byte(&out, 0);
    return (char *)out.data;
}

static void expect(local_fixture *fixture, zonda_dataset *dataset, const char *records) {
    zonda_result *result = run(fixture, dataset);
    char *text = read_all(result);
    assert_string_equal(text, records);
    free(text);
    zonda_result_destroy(&result);
}

static int64_t counter_of(const zonda_result *result, const char *name) {
    size_t count = 0;
    const zonda_counter *counters = zonda_result_counters(result, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(counters[i].name, name) == 0) {
            return counters[i].sum;
        }
    }
    return -1;
}

/* ---- tests ---- */

/* Items come back in order, each a shard of its own. */
static void test_local_list_comes_back_in_order(void **state) {
    expect(*state, items("[3, \"a\", {\"b\": [1.5, null]}, true]"),
           "3 \"a\" {\"b\":[1.5,null]} true");
}

/* A C function per record, with its counter in the result. */
static void test_local_map_runs_c_function(void **state) {
    zonda_result *result = run(*state, zonda_map(items("[1, 2, 3]"), zonda_fn("times_ten")));
    char *text = read_all(result);
    assert_string_equal(text, "10 20 30");
    free(text);
    assert_int_equal(counter_of(result, "multiplied"), 6);
    assert_int_equal(counter_of(result, "tasks"), 3);
    assert_int_equal(counter_of(result, "retries"), 0);
    assert_int_equal(counter_of(result, "records_out"), 3);
    zonda_result_destroy(&result);
    assert_null(result);
}

/* Filter drops, flat_map multiplies, and both fuse. */
static void test_local_filter_and_flat_map(void **state) {
    zonda_dataset *dataset = zonda_from_range(6, &(zonda_range_options){ .shards = 2 });
    dataset = zonda_filter(dataset, zonda_fn("is_odd"));
    dataset = zonda_flat_map(dataset, zonda_fn("twice"));
    expect(*state, dataset, "1 1 3 3 5 5");
}

/* Fields in the order asked for; missing ones are left out. */
static void test_local_select_keeps_fields(void **state) {
    zonda_dataset *dataset = items("[{\"a\": 1, \"b\": {\"c\": 2}}, {\"b\": 3}]");
    expect(*state, zonda_select(dataset, "b.c", "a", NULL), "{\"b.c\":2,\"a\":1} {}");
}

/* Counting is two stages that really run one after the other. */
static void test_local_count_over_many_shards(void **state) {
    zonda_dataset *dataset = zonda_from_range(100000, &(zonda_range_options){ .shards = 1000 });
    expect(*state, zonda_count(dataset), "100000");
}

/* Reduce per shard, then over shards; a further fold chains on. */
static void test_local_reduce_and_chained_folds(void **state) {
    zonda_dataset *dataset = zonda_from_range(101, &(zonda_range_options){ .shards = 7 });
    dataset = zonda_reduce(dataset, zonda_fn("add"), NULL);
    expect(*state, zonda_dataset_share(dataset), "5050");
    expect(*state, zonda_count(zonda_map(dataset, zonda_fn("times_ten"))), "1");
}

/* Nothing in, nothing started: empty result, count 0, identity of a reduce. */
static void test_local_empty_datasets(void **state) {
    expect(*state, zonda_from_list(NULL, 0), "");
    expect(*state, zonda_count(zonda_from_list(NULL, 0)), "0");
    expect(*state, zonda_reduce(zonda_from_range(0, NULL), zonda_fn("add"), NULL), "");
    zonda_reduce_options options = { .identity = "\x07", .identity_bytes = 1 };
    expect(*state, zonda_reduce(zonda_from_range(0, NULL), zonda_fn("add"), &options), "7");
    expect(*state, zonda_count(zonda_filter(items("[2, 4]"), zonda_fn("is_odd"))), "0");
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

/* Files in, files out: the records of the result are the paths. */
static void test_local_reads_and_writes_files(void **state) {
    local_fixture *fixture = *state;
    char *in = zn_format("%s/a.jsonl", fixture->folder);
    char *glob = zn_format("%s/*.jsonl", fixture->folder);
    char *pattern = zn_format("%s/out-{shard:02d}-of-{total}.txt", fixture->folder);
    char *out = zn_format("%s/out-00-of-1.txt", fixture->folder);
    char *expected = zn_format("\"%s\"", out);
    write_file(in, "\"one\"\n\n\"two\"\n");
    expect(fixture, zonda_write(zonda_read(glob, NULL), pattern, NULL), expected);
    char text[32] = "";
    FILE *file = fopen(out, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, "one\ntwo\n");
    expect(fixture, zonda_read(out, NULL), "\"one\" \"two\"");
    free(in);
    free(glob);
    free(pattern);
    free(out);
    free(expected);
}

/* Shared data reaches every task by name; a later put replaces it for later executions. */
static void test_local_shared_data_is_seen(void **state) {
    local_fixture *fixture = *state;
    zonda_error error = { 0 };
    assert_ok(zonda_cluster_put(fixture->cluster, "word", "\xa2hi", 3, &error), error);
    expect(fixture, zonda_map(items("[1, 2]"), zonda_fn("look_up")), "\"hi\" \"hi\"");
    assert_ok(zonda_cluster_put(fixture->cluster, "word", "\x05", 1, &error), error);
    expect(fixture, zonda_map(items("[1]"), zonda_fn("look_up")), "5");
    assert_err(zonda_cluster_put(fixture->cluster, "", "\x05", 1, &error), INVALID);
    assert_err(zonda_cluster_put(fixture->cluster, "x", "\x05\x05", 2, &error), INVALID);
    assert_err(zonda_cluster_put(fixture->cluster, "x", NULL, 0, &error), INVALID);
}

/* A name that nobody put is an error that lists the known ones. */
static void test_local_missing_shared_data_fails(void **state) {
    local_fixture *fixture = *state;
    zonda_error error = { 0 };
    assert_ok(zonda_cluster_put(fixture->cluster, "wort", "\x05", 1, &error), error);
    zonda_dataset *dataset = zonda_map(items("[1]"), zonda_fn("look_up"));
    assert_null(zonda_execute(fixture->cluster, dataset, NULL, &error));
    assert_non_null(strstr(error.text, "wort"));
    zonda_dataset_destroy(&dataset);
}

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

#define WITH_CLUSTER(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

int main(void) {
    register_all();
    const struct CMUnitTest tests[] = {
        WITH_CLUSTER(test_local_list_comes_back_in_order),
        WITH_CLUSTER(test_local_map_runs_c_function),
        WITH_CLUSTER(test_local_filter_and_flat_map),
        WITH_CLUSTER(test_local_select_keeps_fields),
        WITH_CLUSTER(test_local_count_over_many_shards),
        WITH_CLUSTER(test_local_reduce_and_chained_folds),
        WITH_CLUSTER(test_local_empty_datasets),
        WITH_CLUSTER(test_local_reads_and_writes_files),
        WITH_CLUSTER(test_local_shared_data_is_seen),
        WITH_CLUSTER(test_local_missing_shared_data_fails),
        WITH_CLUSTER(test_local_streams_large_results_in_order),
        WITH_CLUSTER(test_local_reads_large_results_one_by_one),
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
