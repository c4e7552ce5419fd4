/* SPDX-License-Identifier: MPL-2.0 */
/* Sinks from end to end: the same bytes over every transport, and skip_existing: what is kept, what
 * is made again, what is refused. The transport is the argument of the program. */
#include "integration/fixture.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

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

static char *path_of(const char *name) {
    return zn_format("%s/%s", cluster.folder, name);
}

static void put(const char *name, const char *text) {
    char *path = path_of(name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    free(path);
}

static void expect_content(const char *name, const char *expected) {
    char *path = path_of(name);
    char *text = fixture_read_file(path);
    assert_string_equal(text, expected);
    free(text);
    free(path);
}

static void drop(const char *name) {
    char *path = path_of(name);
    assert_int_equal(unlink(path), 0);
    free(path);
}

/* A folder for a test, with three inputs. */
static void begin(const char *folder) {
    char *in = zn_format("%s/in", folder);
    char *paths[] = { path_of(folder), path_of(in) };
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(mkdir(paths[i], 0700), 0);
        free(paths[i]);
    }
    for (int i = 0; i < 3; i++) {
        char *name = zn_format("%s/%c.jsonl", in, 'a' + i);
        char *text = zn_format("{\"n\":%d}\n{\"n\":%d}\n", i, i + 10);
        put(name, text);
        free(text);
        free(name);
    }
    free(in);
}

static zonda_dataset *pipeline(const char *folder, const char *expression, bool skip) {
    char *glob = zn_format("%s/%s/in/*.jsonl", cluster.folder, folder);
    char *pattern = zn_format("%s/%s/out-{shard}.jsonl", cluster.folder, folder);
    zonda_dataset *ds = zonda_map(zonda_read(glob, NULL), zonda_lua(expression));
    ds = zonda_write(ds, pattern, &(zonda_write_options){ .skip_existing = skip });
    free(glob);
    free(pattern);
    return ds;
}

static int64_t counter_of(const zonda_result *result, const char *name) {
    size_t count = 0;
    const zonda_counter *counters = zonda_result_counters(result, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(counters[i].name, name) == 0) {
            return counters[i].sum;
        }
    }
    return 0;
}

/* Runs a pipeline that must succeed: its three records are the paths, `skipped` of its shards were
 * kept, and only the others were read. */
static void expect_run(const char *folder, zonda_dataset *ds, int64_t skipped) {
    zonda_error error = { 0 };
    zonda_result *result = zonda_execute(cluster.cluster, ds, NULL, &error);
    assert_ok(error.code, error);
    assert_int_equal(counter_of(result, "partitions_skipped"), skipped);
    assert_int_equal(counter_of(result, "records_in"), 2 * (3 - skipped));
    for (int i = 0; i < 3; i++) {
        const void *record = NULL;
        size_t bytes = 0;
        bool got = false;
        assert_ok(zonda_result_next(result, &record, &bytes, &got, &error), error);
        assert_true(got);
        char *path = zn_format("%s/%s/out-%d.jsonl", cluster.folder, folder, i);
        assert_memory_equal((const char *)record + bytes - strlen(path), path, strlen(path));
        free(path);
    }
    zonda_result_destroy(&result);
    zonda_dataset_destroy(&ds);
}

static void expect_refused(zonda_dataset *ds, const char *word) {
    zonda_error error = { 0 };
    assert_null(fixture_execute(&cluster, ds, &error));
    assert_err(error.code, REFUSED);
    if (strstr(error.text, word) == NULL) {
        fail_msg("%s", error.text);
    }
}

/* The bytes of every format are these, whatever the transport. */
static void test_sinks_bytes_are_the_same_everywhere(void **state) {
    (void)state;
    static const char *const rows[][3] = {
        { "o-{shard}.jsonl", "{ a = r, b = 'x' }", "{\"a\":2,\"b\":\"x\"}\n" },
        { "o-{shard:03d}.txt", "'line ' .. r", "line 2\n" },
        { "o-{shard}.csv", "{ a = r, b = 'x,y' }", "a,b\n2,\"x,y\"\n" },
        { "o-{shard}.tsv", "{ a = r, b = 'x,y' }", "a\tb\n2\tx,y\n" },
        { "o-{shard}.mp", "'ab'",
          "\xa2"
          "ab" },
        { "{basename}.bin", "'ab'", "ab" },
    };
    static const char *const names[] = { "o-1.jsonl", "o-001.txt", "o-1.csv",
                                         "o-1.tsv",   "o-1.mp",    "shard_1.bin" };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        zonda_error error = { 0 };
        char *pattern = zn_format("%s/formats/%s", cluster.folder, rows[i][0]);
        zonda_dataset *ds = zonda_map(zonda_from_json("[1,2,3]"), zonda_lua(rows[i][1]));
        char *records = fixture_execute(&cluster, zonda_write(ds, pattern, NULL), &error);
        assert_ok(error.code, error);
        char *name = zn_format("formats/%s", names[i]);
        expect_content(name, rows[i][2]);
        free(name);
        free(records);
        free(pattern);
    }
}

/* A clean run, one output missing, none missing. The first run need not have asked for it. */
static void test_sinks_skip_keeps_what_is_there(void **state) {
    (void)state;
    begin("keep");
    expect_run("keep", pipeline("keep", "r.n", false), 0);
    drop("keep/out-1.jsonl");
    put("keep/out-2.jsonl", "marked\n");
    expect_run("keep", pipeline("keep", "r.n", true), 2);
    expect_content("keep/out-1.jsonl", "1\n11\n");
    expect_content("keep/out-2.jsonl", "marked\n");
    expect_run("keep", pipeline("keep", "r.n", true), 3);
    expect_run("keep", pipeline("keep", "r.n", false), 0);
    expect_content("keep/out-2.jsonl", "2\n12\n");
}

/* A first run may ask for it: then everything is made. */
static void test_sinks_skip_on_clean_folder_makes_all(void **state) {
    (void)state;
    begin("clean");
    expect_run("clean", pipeline("clean", "r.n", true), 0);
    expect_run("clean", pipeline("clean", "r.n", true), 3);
}

/* Outputs of another plan are refused and stay as they are; without skip_existing they go. */
static void test_sinks_skip_other_plan_is_refused(void **state) {
    (void)state;
    begin("plan");
    expect_run("plan", pipeline("plan", "r.n", true), 0);
    expect_refused(pipeline("plan", "r.n + 1", true), "another plan");
    expect_content("plan/out-0.jsonl", "0\n10\n");
    expect_run("plan", pipeline("plan", "r.n + 1", false), 0);
    expect_run("plan", pipeline("plan", "r.n + 1", true), 3);
    expect_refused(pipeline("plan", "r.n", true), "another plan");
}

/* A changed input is named. */
static void test_sinks_skip_changed_input_is_refused(void **state) {
    (void)state;
    begin("input");
    expect_run("input", pipeline("input", "r.n", true), 0);
    put("input/in/b.jsonl", "{\"n\":1}\n{\"n\":100}\n");
    expect_refused(pipeline("input", "r.n", true), "input/in/b.jsonl has changed");
    expect_run("input", pipeline("input", "r.n", false), 0);
    expect_content("input/out-1.jsonl", "1\n100\n");
    put("input/in/0.jsonl", "{\"n\":7}\n{\"n\":7}\n");
    expect_refused(pipeline("input", "r.n", true), "input/in/0.jsonl is new");
}

/* Outputs that nothing is known of are not kept. */
static void test_sinks_skip_without_manifest_is_refused(void **state) {
    (void)state;
    begin("bare");
    put("bare/out-2.jsonl", "old\n");
    expect_refused(pipeline("bare", "r.n", true), "no manifest");
    expect_content("bare/out-2.jsonl", "old\n");
    drop("bare/out-2.jsonl");
    expect_run("bare", pipeline("bare", "r.n", true), 0);
}

static zonda_dataset *listed(const char *items) {
    char *pattern = path_of("list-{shard}.txt");
    zonda_dataset *ds = zonda_write(zonda_from_json(items), pattern,
                                    &(zonda_write_options){ .skip_existing = true });
    free(pattern);
    return ds;
}

/* Items of a list are a part of the plan. */
static void test_sinks_skip_other_items_are_refused(void **state) {
    (void)state;
    zonda_error error = { 0 };
    for (int i = 0; i < 2; i++) {
        char *text = fixture_execute(&cluster, listed("[\"a\",\"b\"]"), &error);
        assert_ok(error.code, error);
        free(text);
    }
    expect_refused(listed("[\"a\",\"c\"]"), "another plan");
    expect_refused(listed("[\"a\"]"), "2 shards, now there are 1");
}

int main(int argc, char **argv) {
    static const char *const names[] = { "inproc", "ipc", "tcp" };
    const char *name = argc > 1 ? argv[1] : "inproc";
    for (chosen = TRANSPORT_INPROC; strcmp(names[chosen], name) != 0; chosen++) {
        if (chosen == TRANSPORT_TCP) {
            fprintf(stderr, "usage: test_sinks_skip inproc|ipc|tcp\n");
            return 2;
        }
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sinks_bytes_are_the_same_everywhere),
        cmocka_unit_test(test_sinks_skip_keeps_what_is_there),
        cmocka_unit_test(test_sinks_skip_on_clean_folder_makes_all),
        cmocka_unit_test(test_sinks_skip_other_plan_is_refused),
        cmocka_unit_test(test_sinks_skip_changed_input_is_refused),
        cmocka_unit_test(test_sinks_skip_without_manifest_is_refused),
        cmocka_unit_test(test_sinks_skip_other_items_are_refused),
    };
    return cmocka_run_group_tests_name(name, tests, open_cluster, close_cluster);
}
