/* SPDX-License-Identifier: MPL-2.0 */
/* A source that leaves out fields which nobody reads: a stage gives what it gives when whole
 * records are read, values and errors alike. */
#include "test.h"

#include "base/alloc.h"
#include "fake_host.h"
#include "ops/fields_read.h"
#include "ops/op_list.h"

/* Reads any field, so that records stay whole; passes all records of a test on. */
#define WHOLE "take_per_shard", "{\"n\":1000000}"

#define EXPRESSION(text) "{\"function\":{\"kind\":\"lua-expression\",\"text\":\"" text "\"}}"
#define BLOCK(text) "{\"function\":{\"kind\":\"lua-block\",\"text\":\"" text "\"}}"

enum {
    OPS_MAX = 3
};

typedef struct op_text {
    const char *name;
    const char *args;
} op_text;

/* What an operator reads, in the order of its text; NULL: anything. */
static void test_fields_read_of_operators_are_found(void **state) {
    (void)state;
    static const struct {
        const zn_op_def *def;
        const char *args;
        zn_field_use use;
        const char *names;
    } rows[] = {
        { &zn_op_select, "{\"fields\":[\"a\",\"b.c.d\",\"a\"]}", ZN_FIELDS_TAKEN, "a b b.c b.c.d" },
        { &zn_op_select, "{\"fields\":[\"\",\".x\"]}", ZN_FIELDS_TAKEN, " .x" },
        { &zn_op_count_shard, "{}", ZN_FIELDS_TAKEN, "" },
        { &zn_op_filter, EXPRESSION("size > 1 and not r.b.c"), ZN_FIELDS_PASSED, "size b c" },
        { &zn_op_filter, EXPRESSION("r . x == 'y z'"), ZN_FIELDS_PASSED, "x y z" },
        { &zn_op_map, EXPRESSION("{ n = a_1, [b] = #c }"), ZN_FIELDS_TAKEN, "n a_1 b c" },
        { &zn_op_flat_map, BLOCK("for i = 1, n do emit(i) end"), ZN_FIELDS_TAKEN, "i n emit" },
        { &zn_op_map, EXPRESSION("r"), ZN_FIELDS_ALL, NULL },
        { &zn_op_map, EXPRESSION("a.r"), ZN_FIELDS_ALL, NULL },
        { &zn_op_map, EXPRESSION("r['a']"), ZN_FIELDS_ALL, NULL },
        { &zn_op_map, EXPRESSION("r:keys()"), ZN_FIELDS_ALL, NULL },
        { &zn_op_map, EXPRESSION("#r"), ZN_FIELDS_ALL, NULL },
        { &zn_op_map, EXPRESSION("r..a"), ZN_FIELDS_ALL, NULL },
        { &zn_op_map, EXPRESSION("(r).a"), ZN_FIELDS_ALL, NULL },
        { &zn_op_map, EXPRESSION("_ENV[a]"), ZN_FIELDS_ALL, NULL },
        { &zn_op_flat_map, BLOCK("local q = r emit(q.a)"), ZN_FIELDS_ALL, NULL },
        { &zn_op_filter, "{\"function\":{\"kind\":\"c\",\"name\":\"f\"}}", ZN_FIELDS_ALL, NULL },
        { &zn_op_filter, "{\"function\":{\"kind\":\"lua-script\",\"index\":1}}", ZN_FIELDS_ALL,
          NULL },
        { &zn_op_drop, "{\"fields\":[\"a\"]}", ZN_FIELDS_ALL, NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        zn_buf args = { 0 };
        zn_buf names = { 0 };
        zn_field_names found = { .count = 0 };
        fake_json(rows[i].args, &args);
        assert_int_equal(zn_fields_of_op(rows[i].def, zn_buf_bytes(&args), &found), rows[i].use);
        for (size_t j = 0; rows[i].names != NULL && j < found.count; j++) {
            zn_buf_printf(&names, "%s%.*s", j == 0 ? "" : " ", TEST_TEXT(found.names[j]));
        }
        zn_buf_append_byte(&names, '\0');
        if (rows[i].names != NULL) {
            assert_string_equal((char *)names.data, rows[i].names);
        }
        zn_buf_free(&names);
        zn_buf_free(&args);
    }
}

/* More names than there is room for are all fields. */
static void test_fields_read_too_many_are_all(void **state) {
    (void)state;
    zn_buf json = { 0 };
    zn_buf args = { 0 };
    zn_buf_append_text(&json, "{\"fields\":[");
    for (int i = 0; i <= ZN_FIELDS_READ_MAX; i++) {
        zn_buf_printf(&json, "%s\"f%d\"", i == 0 ? "" : ",", i);
    }
    zn_buf_append(&json, "]}", 3);
    fake_json((char *)json.data, &args);
    zn_field_names found = { .count = 0 };
    assert_int_equal(zn_fields_of_op(&zn_op_select, zn_buf_bytes(&args), &found), ZN_FIELDS_ALL);
    zn_buf_free(&args);
    zn_buf_free(&json);
}

static zn_stage_exec *open_stage(fake_host *host, const char *read, const char *inputs,
                                 const op_text *ops, bool whole) {
    fake_body body = fake_body_of(host, 1);
    fake_body_source(&body, "read", read, inputs);
    if (whole) {
        fake_body_op(&body, WHOLE);
    }
    for (size_t i = 0; i < OPS_MAX && ops[i].name != NULL; i++) {
        fake_body_op(&body, ops[i].name, ops[i].args);
    }
    zonda_error error = { 0 };
    zn_stage_exec *stage = fake_body_open(&body, &error);
    assert_ok(error.code, error);
    return stage;
}

/* All that an outcome says about records or a failure, as a text; the caller frees. */
static char *outcome_of(zn_stage_exec *stage) {
    zn_outcome outcome = { 0 };
    zn_buf text = { 0 };
    assert_true(zn_stage_exec_run(stage, 0, 1, &outcome));
    assert_int_equal(outcome.reference_count, 0);
    if (outcome.failure_count > 0) {
        zonda_error error = { 0 };
        zn_failure_to_error(outcome.failure, &error);
        zn_buf_printf(&text, "%d %s %s:%d:%d %d", (int)error.code, error.text, error.file,
                      (int)error.line, (int)error.column, error.permanent);
    }
    zn_buf_printf(&text, "|%zu|", outcome.records.len);
    for (size_t i = 0; i < outcome.records.len; i++) {
        zn_buf_printf(&text, "%02x", outcome.records.data[i]);
    }
    for (size_t i = 0; i < outcome.counters_count; i++) {
        const zn_counter *counter = &outcome.counters[i];
        zn_buf_printf(&text, "|%.*s %d", TEST_TEXT(counter->name), (int)counter->sum);
    }
    zn_buf_append_byte(&text, '\0');
    return (char *)text.data;
}

static const op_text chains[][OPS_MAX] = {
    { { "select", "{\"fields\":[\"c\",\"a\"]}" } },
    { { "select", "{\"fields\":[\"b.c\",\"b.d.e\",\"nobody\"]}" } },
    { { "filter", EXPRESSION("a ~= nil") }, { "select", "{\"fields\":[\"c\"]}" } },
    { { "filter", EXPRESSION("type(a) == 'number' and a > 1") },
      { "select", "{\"fields\":[\"a\",\"c\"]}" } },
    { { "filter", EXPRESSION("a > 1") }, { "select", "{\"fields\":[\"c\"]}" } },
    { { "map", EXPRESSION("{ x = a, y = c }") } },
    { { "flat_map", BLOCK("emit(c) if a then emit(r.b) end") } },
    { { "filter", EXPRESSION("b") }, { "map", EXPRESSION("b.c") } },
    { { "map", EXPRESSION("{ n = #r }") } },
    { { "count_shard", "{}" } },
    { { "filter", EXPRESSION("not z") }, { "count_shard", "{}" } },
};

/* Whatever the lines, the policy and the operators, fields that are left out make no difference. */
static void test_fields_read_is_the_same_as_whole_records(void **state) {
    (void)state;
    static const char *const files[] = {
        "{\"a\":1,\"b\":{\"c\":[1,2],\"d\":{\"e\":null}},\"c\":\"x\",\"z\":1e5}\n\n"
        "{\"c\":2.5,\"a\":2,\"q\":[[[]]],\"a\":3}\n{}\n"
        "{\"b.c\":7,\"b\":{\"d.e\":1},\"a\":true,\"\\u0061\":4}\n{\"a\":\"\\u00e9\",\"b\":null}\n",
        "{\"a\":1}\n{\"a\":2,\"z\":1e999}\n{\"a\":3,\"z\":tru}\n{\"a\":4,\"z\":\"\xff\"}\n"
        "{\"a\":5,\"z\":99999999999999999999}\n{\"a\":6} x\n{\"a\":7,\"z\":{\"y\"}}\n{\"a\":8}",
        "7\n\"text\"\n[1,2]\nnull\n{\"a\":9}\n",
        "{\"a\":1,\"p\":2}\n",
        "{\"a\":1,\"z\":\"this line is longer than what is allowed for a record\",\"c\":1}\n"
        "{\"a\":2,\"z\":[1e1,1e1,1e1,1e1,1e1,1e1]}\n{\"a\":3}\n",
    };
    static const char *const reads[] = { "{}", "{\"on_bad_record\":\"skip\"}",
                                         "{\"include_paths\":\"p\"}",
                                         "{\"on_bad_record\":\"skip\",\"record_bytes_max\":48}" };
    fake_host host;
    fake_host_open(&host);
    char *path = fake_host_path(&host, "f.jsonl");
    char *inputs = zn_format("[\"%s\"]", path);
    for (size_t i = 0; i < sizeof files / sizeof files[0] * 4; i++) {
        fake_host_write(&host, "f.jsonl", files[i / 4]);
        for (size_t j = 0; j < sizeof chains / sizeof chains[0]; j++) {
            char *found[2];
            for (int whole = 0; whole < 2; whole++) {
                zn_stage_exec *stage = open_stage(&host, reads[i % 4], inputs, chains[j], whole);
                found[whole] = outcome_of(stage);
                zn_stage_exec_destroy(&stage);
                zn_buf_free(&host.blobs[--host.blob_count].bytes);
            }
            assert_string_equal(found[0], found[1]);
            free(found[0]);
            free(found[1]);
        }
    }
    free(inputs);
    free(path);
    fake_host_close(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_read_of_operators_are_found),
        cmocka_unit_test(test_fields_read_too_many_are_all),
        cmocka_unit_test(test_fields_read_is_the_same_as_whole_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
