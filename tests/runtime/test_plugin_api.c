/* SPDX-License-Identifier: MPL-2.0 */
/* Plug-ins and limits of Lua from C, over a cluster in this process. */
#include "test.h"

#include "base/limits.h"
#include "local_fixture.h"

static char *plugin_path(const char *name) {
    return zn_format("%s/plugin_%s.so", getenv("PLUGIN_FOLDER"), name);
}

static zonda_plugin *open_plugin(const char *name) {
    zonda_error error = { 0 };
    char *path = plugin_path(name);
    zonda_plugin *plugin = zonda_plugin_open(path, &error);
    free(path);
    assert_ok(error.code, error);
    assert_non_null(plugin);
    return plugin;
}

/* Every form of function works from a plug-in, and one chain may use several kinds. */
static void test_plugin_api_functions_run_in_all_operators(void **state) {
    local_fixture *fixture = *state;
    zonda_plugin *good = open_plugin("good");
    zonda_dataset *ds = zonda_filter(items("[1,2,3,4,5]"), zonda_plugin_fn(good, "is_odd"));
    ds = zonda_map(ds, zonda_lua("r + 1"));
    ds = zonda_map(ds, zonda_plugin_fn(good, "twice"));
    expect(fixture, zonda_dataset_share(ds), "4 8 12");
    zonda_reduce_options options = { .global = zonda_plugin_fn(good, "add") };
    expect(fixture, zonda_reduce(ds, zonda_plugin_fn(good, "add"), &options), "24");
    expect(fixture, zonda_flat_map(items("[0,1,2]"), zonda_plugin_fn(good, "repeat")), "1 2 2");
    zonda_plugin_close(&good);
    assert_null(good);
}

/* Datasets keep the plug-ins that they use; counters and state of a shard come through. */
static void test_plugin_api_dataset_outlives_the_handle(void **state) {
    local_fixture *fixture = *state;
    zonda_plugin *good = open_plugin("good");
    zonda_range_options two = { .shards = 2 };
    zonda_dataset *ds = zonda_map(zonda_from_range(6, &two), zonda_plugin_fn(good, "twice"));
    ds = zonda_map(ds, zonda_plugin_fn(good, "sum"));
    zonda_plugin_close(&good);
    zonda_result *result = run(fixture, ds);
    char *text = read_all(result);
    assert_string_equal(text, "0 2 6 6 14 24");
    assert_int_equal(counter_of(result, "doubled"), 6);
    free(text);
    zonda_result_destroy(&result);
}

static zonda_error failure_of(local_fixture *fixture, zonda_dataset *ds,
                              const zonda_execute_options *options) {
    zonda_error error = { 0 };
    assert_null(zonda_execute(fixture->cluster, ds, options, &error));
    zonda_dataset_destroy(&ds);
    return error;
}

/* What is wrong with a plug-in or its use is said, once and not after attempts. */
static void test_plugin_api_mistakes_are_explained(void **state) {
    local_fixture *fixture = *state;
    zonda_error error = { 0 };
    assert_null(zonda_plugin_open("/no/such/file.so", &error));
    assert_err(error.code, IO);
    assert_null(zonda_plugin_open(NULL, &error));
    assert_err(error.code, INVALID);
    zonda_plugin_close(NULL);

    error = failure_of(fixture, zonda_map(items("[1]"), zonda_plugin_fn(NULL, "x")), NULL);
    assert_err(error.code, INVALID);
    zonda_plugin *good = open_plugin("good");
    error = failure_of(fixture, zonda_map(items("[1]"), zonda_plugin_fn(good, "")), NULL);
    assert_err(error.code, INVALID);
    error = failure_of(fixture, zonda_map(items("[1]"), zonda_plugin_fn(good, "tiwce")), NULL);
    assert_err(error.code, NOT_FOUND);
    assert_non_null(strstr(error.text, "it has: twice"));
    assert_int_equal(error.attempt, 1);
    zonda_plugin_close(&good);
}

/* The limits of an execution hold in its tasks and only there. */
static void test_plugin_api_lua_limits_belong_to_an_execution(void **state) {
    local_fixture *fixture = *state;
    zonda_dataset *work = zonda_map(items("[1]"), zonda_lua("#('x'):rep(3000000)"));
    zonda_execute_options small = { .lua_memory_bytes = ZN_MIB };
    zonda_error error = failure_of(fixture, zonda_dataset_share(work), &small);
    assert_err(error.code, USER);
    assert_non_null(strstr(error.text, "memory limit of 1 MiB"));
    expect(fixture, work, "3000000");

    zonda_execute_options brief = { .lua_instructions = 50000 };
    work = zonda_map(items("[1]"), zonda_lua("(function() for i = 1, 1e6 do end return 1 end)()"));
    error = failure_of(fixture, zonda_dataset_share(work), &brief);
    assert_err(error.code, USER);
    assert_non_null(strstr(error.text, "instruction limit of 50000"));
    expect(fixture, work, "1");

    zonda_execute_options none = { .lua_memory_bytes = 1000 };
    error = failure_of(fixture, items("[1]"), &none);
    assert_err(error.code, INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_CLUSTER(test_plugin_api_functions_run_in_all_operators),
        WITH_CLUSTER(test_plugin_api_dataset_outlives_the_handle),
        WITH_CLUSTER(test_plugin_api_mistakes_are_explained),
        WITH_CLUSTER(test_plugin_api_lua_limits_belong_to_an_execution),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
