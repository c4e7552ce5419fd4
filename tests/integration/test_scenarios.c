/* SPDX-License-Identifier: MPL-2.0 */
/* The nine scenarios that a predecessor got wrong when stage control was not awaited. One body of
 * code; it runs in one process, over ipc and over tcp with real processes, and expects the same
 * bytes each time. The transport is the argument of the program. */
#include "integration/fixture.h"

#include "record/value.h"

static test_transport chosen;
static test_cluster cluster;

static int open_cluster(void **state) {
    (void)state;
    fixture_open(&cluster, chosen, 2, 2);
    return 0;
}

static int close_cluster(void **state) {
    (void)state;
    fixture_close(&cluster);
    return 0;
}

/* A map over list items gives one record each, in order. */
static void test_scenarios_simple_map_gives_all(void **state) {
    (void)state;
    fixture_expect(&cluster, zonda_map(zonda_from_json("[1, 2, 3]"), zonda_lua("r * 2")),
                   "2\n4\n6\n");
}

/* A filter keeps what it is true for. */
static void test_scenarios_filter_keeps_matches(void **state) {
    (void)state;
    zonda_dataset *ds = zonda_from_json("[{\"n\":1},{\"n\":5},{\"m\":9},{\"n\":7}]");
    fixture_expect(&cluster, zonda_filter(ds, zonda_lua("n and n > 3")), "{\"n\":5}\n{\"n\":7}\n");
}

/* What the driver put is there in every task. */
static void test_scenarios_shared_data_reaches_tasks(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_buf value = { 0 };
    zn_put_int(&value, 10);
    assert_ok(zonda_cluster_put(cluster.cluster, "factor", value.data, value.len, &error), error);
    zn_buf_free(&value);
    zonda_dataset *ds = zonda_from_json("[1, 2, 3]");
    fixture_expect(&cluster, zonda_map(ds, zonda_lua("r * zonda.shared('factor')")),
                   "10\n20\n30\n");
}

/* Stages follow each other: the second sees all of the first. */
static void test_scenarios_multi_stage_sees_all_of_the_first(void **state) {
    (void)state;
    zonda_dataset *ds = zonda_map(zonda_from_json("[1, 2, 3, 4, 5]"), zonda_lua("r + 1"));
    ds = zonda_map(zonda_reduce(ds, zonda_lua("a + r"), NULL), zonda_lua("{ total = r }"));
    fixture_expect(&cluster, zonda_dataset_share(ds), "{\"total\":20}\n");
    fixture_expect(&cluster, zonda_count(ds), "1\n");
}

/* One cluster runs many executions, and can be left and entered again. */
static void test_scenarios_context_opens_and_closes_several_times(void **state) {
    (void)state;
    for (int round = 0; round < 3; round++) {
        fixture_expect(&cluster, zonda_map(zonda_from_json("[1, 2]"), zonda_lua("r + 1")),
                       "2\n3\n");
        fixture_expect(&cluster, zonda_count(zonda_from_range(100, NULL)), "100\n");
        fixture_reconnect(&cluster);
    }
}

/* A sink gives the paths; each shard is a whole file, and nothing else is left beside them. */
static void test_scenarios_write_jsonl_writes_a_file_per_shard(void **state) {
    (void)state;
    char folder[128];
    char pattern[256];
    char expected[512];
    snprintf(folder, sizeof folder, "%s/written", cluster.folder);
    snprintf(pattern, sizeof pattern, "%s/{shard:05d}-of-{total:05d}.jsonl", folder);
    snprintf(expected, sizeof expected,
             "\"%s/00000-of-00003.jsonl\"\n\"%s/00001-of-00003.jsonl\"\n"
             "\"%s/00002-of-00003.jsonl\"\n",
             folder, folder, folder);
    zonda_dataset *ds = zonda_from_json("[{\"id\":1},{\"id\":2},{\"id\":3}]");
    fixture_expect(&cluster, zonda_write_jsonl(ds, pattern, NULL), expected);
    assert_int_equal(fixture_count_files(folder), 3);
    snprintf(expected, sizeof expected, "%s/00001-of-00003.jsonl", folder);
    char *text = fixture_read_file(expected);
    assert_string_equal(text, "{\"id\":2}\n");
    free(text);
}

/* A dry run says what would happen and touches nothing. */
static void test_scenarios_dry_run_runs_nothing(void **state) {
    (void)state;
    char pattern[256];
    snprintf(pattern, sizeof pattern, "%s/never/{shard}.jsonl", cluster.folder);
    unsigned before = fixture_count_files(cluster.folder);
    zonda_error error = { 0 };
    zonda_dataset *ds = zonda_write_jsonl(zonda_from_json("[1, 2]"), pattern, NULL);
    char *text = zonda_dataset_explain(ds, &error);
    zonda_dataset_destroy(&ds);
    assert_ok(error.code, error);
    assert_non_null(strstr(text, "write_jsonl"));
    assert_non_null(strstr(text, "2 tasks"));
    free(text);
    assert_int_equal(fixture_count_files(cluster.folder), before);
}

/* flat_map emits none, one or many. */
static void test_scenarios_flat_map_emits_any_number(void **state) {
    (void)state;
    zonda_dataset *ds = zonda_from_json("[0, 1, 3]");
    fixture_expect(&cluster, zonda_flat_map(ds, zonda_lua_block("for i = 1, r do emit(i) end")),
                   "1\n1\n2\n3\n");
}

/* An empty dataset is an empty result and no error, through every kind of stage. */
static void test_scenarios_empty_dataset_is_an_empty_result(void **state) {
    (void)state;
    fixture_expect(&cluster, zonda_from_json("[]"), "");
    fixture_expect(&cluster, zonda_map(zonda_from_json("[]"), zonda_lua("r + 1")), "");
    fixture_expect(&cluster, zonda_count(zonda_from_json("[]")), "0\n");
    fixture_expect(&cluster, zonda_reduce(zonda_from_json("[]"), zonda_lua("a + r"), NULL), "");
}

int main(int argc, char **argv) {
    static const char *const names[] = { "inproc", "ipc", "tcp" };
    const char *name = argc > 1 ? argv[1] : "inproc";
    for (chosen = TRANSPORT_INPROC; strcmp(names[chosen], name) != 0; chosen++) {
        if (chosen == TRANSPORT_TCP) {
            fprintf(stderr, "usage: test_scenarios inproc|ipc|tcp\n");
            return 2;
        }
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scenarios_simple_map_gives_all),
        cmocka_unit_test(test_scenarios_filter_keeps_matches),
        cmocka_unit_test(test_scenarios_shared_data_reaches_tasks),
        cmocka_unit_test(test_scenarios_multi_stage_sees_all_of_the_first),
        cmocka_unit_test(test_scenarios_context_opens_and_closes_several_times),
        cmocka_unit_test(test_scenarios_write_jsonl_writes_a_file_per_shard),
        cmocka_unit_test(test_scenarios_dry_run_runs_nothing),
        cmocka_unit_test(test_scenarios_flat_map_emits_any_number),
        cmocka_unit_test(test_scenarios_empty_dataset_is_an_empty_result),
    };
    return cmocka_run_group_tests_name(name, tests, open_cluster, close_cluster);
}
