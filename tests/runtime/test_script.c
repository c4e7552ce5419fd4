/* SPDX-License-Identifier: MPL-2.0 */
/* Pipeline scripts become datasets that run like any other. */
#include "test.h"

#include <zonda/zonda.h>

#include "plan/dataset.h"
#include "plan/plan.h"
#include "record/json.h"
#include "runtime/script.h"

static zn_lua_script *evaluate(const char *text, zonda_error *error) {
    return zn_lua_script_new("test.lua", zn_bytes_of_text(text), NULL, 0, NULL, error);
}

/* Makes the datasets of a script, runs each, and returns the records as JSON lines. Free it. */
static char *run_script(const char *text) {
    zonda_error error = { 0 };
    zn_lua_script *script = evaluate(text, &error);
    assert_ok(error.code, error);
    zonda_dataset **datasets = NULL;
    size_t count = 0;
    assert_ok(zn_script_datasets(script, NULL, &datasets, &count, &error), error);
    zn_lua_script_destroy(&script);
    zonda_cluster *cluster = zonda_cluster_open_local(&(zonda_local_options){ .slots = 2 }, &error);
    assert_ok(error.code, error);
    zn_buf out = { 0 };
    for (size_t i = 0; i < count; i++) {
        zonda_result *result = zonda_execute(cluster, datasets[i], NULL, &error);
        assert_ok(error.code, error);
        const void *record = NULL;
        size_t bytes = 0;
        bool got = true;
        while (zonda_result_next(result, &record, &bytes, &got, &error) == ZONDA_OK && got) {
            assert_ok(zn_json_write((zn_bytes){ .data = record, .len = bytes }, &out, &error),
                      error);
            zn_buf_append_byte(&out, '\n');
        }
        zonda_result_destroy(&result);
        zonda_dataset_destroy(&datasets[i]);
    }
    free(datasets);
    zonda_cluster_close(&cluster);
    zn_buf_append_byte(&out, 0);
    return (char *)out.data;
}

/* Functions of a script, closures too, run in slots. */
static void test_script_functions_run_in_slots(void **state) {
    (void)state;
    char *out = run_script("local big = 2\n"
                           "return zonda.from_list{1, 2, 3, 4}\n"
                           "  :filter(function(r) return r > big end)\n"
                           "  :map(function(r) return r * 10 end)\n");
    assert_string_equal(out, "30\n40\n");
    free(out);
}

/* Several datasets run in order, and may share a part. */
static void test_script_list_of_datasets_runs_in_order(void **state) {
    (void)state;
    char *out =
        run_script("local base = zonda.from_range(10):filter(function(r) return r > 6 end)\n"
                   "return { base:count(), base }\n");
    assert_string_equal(out, "3\n7\n8\n9\n");
    free(out);
}

/* Only nodes that take functions carry the script. */
static void test_script_blob_is_only_where_functions_are(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_lua_script *script =
        evaluate("return zonda.from_range(3):map(function(r) return r end):count()", &error);
    assert_ok(error.code, error);
    zonda_dataset **datasets = NULL;
    size_t count = 0;
    assert_ok(zn_script_datasets(script, NULL, &datasets, &count, &error), error);
    assert_int_equal(count, 1);
    assert_int_equal(datasets[0]->script.len, 0);
    assert_true(datasets[0]->inputs[0]->script.len > 0);
    assert_int_equal(datasets[0]->inputs[0]->inputs[0]->script.len, 0);
    zonda_dataset_destroy(&datasets[0]);
    free(datasets);
    zn_lua_script_destroy(&script);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_script_functions_run_in_slots),
        cmocka_unit_test(test_script_list_of_datasets_runs_in_order),
        cmocka_unit_test(test_script_blob_is_only_where_functions_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
