/* SPDX-License-Identifier: MPL-2.0 */
/* What operators, shared data and files give, through the public API over a cluster in this
 * process. */
#include "local_fixture.h"

#include "base/limits.h"

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

/* Memory that is too little to work with is refused when the cluster is opened. */
static void test_local_too_little_memory_is_refused(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zonda_local_options options = { .slots = 1, .memory_bytes = ZN_MEMORY_BYTES_MIN - 1 };
    assert_null(zonda_cluster_open_local(&options, &error));
    assert_err(error.code, INVALID);
    assert_non_null(strstr(error.text, "at least 8M"));
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
        cmocka_unit_test(test_local_too_little_memory_is_refused),
        WITH_CLUSTER(test_local_reads_and_writes_files),
        WITH_CLUSTER(test_local_shared_data_is_seen),
        WITH_CLUSTER(test_local_missing_shared_data_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
