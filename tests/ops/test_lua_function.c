/* SPDX-License-Identifier: MPL-2.0 */
/* Lua expressions and blocks as operators call them: what they see of a record, what they give, and
 * what they say when they fail. */
#include "test.h"

#include "ops/function.h"
#include "ops/lua_check.h"
#include "record/json.h"
#include "record/value.h"

struct fixture {
    zn_op op;
    zonda_task task;
    void *function;
    zn_buf out;
};

static const zn_op_def test_op = { .name = "test" };

static void put_json(const char *json, zn_buf *out) {
    zn_json_reader *reader = zn_json_reader_new();
    zonda_error error = { 0 };
    assert_ok(zn_json_read(reader, zn_bytes_of_text(json), out, &error), error);
    zn_json_reader_destroy(&reader);
}

static char *json_of(zn_bytes value) {
    zn_buf text = { 0 };
    zonda_error error = { 0 };
    assert_ok(zn_json_write(value, &text, &error), error);
    zn_buf_append_byte(&text, '\0');
    return (char *)text.data;
}

/* The JSON of concatenated values, one per line. */
static char *lines_of(zn_bytes values) {
    zn_buf text = { 0 };
    zn_cursor cursor = zn_cursor_of(values);
    while (cursor.at < cursor.end) {
        char *line = json_of(zn_cursor_skip(&cursor));
        zn_buf_printf(&text, "%s%s", text.len > 0 ? "\n" : "", line);
        free(line);
    }
    zn_buf_append_byte(&text, '\0');
    return (char *)text.data;
}

static zonda_err open_function(struct fixture *fixture, const char *kind, zn_call_form form,
                               const char *text, zonda_error *error) {
    *fixture = (struct fixture){ .op.def = &test_op, .task.attempt = { { 1 }, { 0 }, 0, 1 } };
    zn_buf spec = { 0 };
    zn_put_map(&spec, 2);
    zn_put_text(&spec, "kind");
    zn_put_text(&spec, kind);
    zn_put_text(&spec, "text");
    zn_put_text(&spec, text);
    zonda_err err =
        zn_function_lua.bind(zn_buf_bytes(&spec), form, &fixture->op, &fixture->function, error);
    zn_buf_free(&spec);
    if (err == ZONDA_OK) {
        err = zn_function_lua.begin(fixture->function, &fixture->task, error);
    }
    return err;
}

static void close_function(struct fixture *fixture) {
    if (fixture->function != NULL) {
        zn_function_lua.end(fixture->function, &fixture->task);
        zn_function_lua.unbind(fixture->function);
    }
    zn_buf_free(&fixture->out);
}

static zonda_err run(const char *kind, zn_call_form form, const char *text, const char *const *json,
                     struct fixture *fixture, bool *truth, zonda_error *error) {
    zn_buf values[2] = { { 0 } };
    size_t count = form == ZN_CALL_FOLD ? 2 : 1;
    zn_bytes args[2];
    for (size_t i = 0; i < count; i++) {
        put_json(json[i], &values[i]);
        args[i] = zn_buf_bytes(&values[i]);
    }
    zonda_err err = open_function(fixture, kind, form, text, error);
    if (err == ZONDA_OK) {
        err = zn_function_lua.call(fixture->function, &fixture->task, args, &fixture->out, truth,
                                   error);
    }
    zn_buf_free(&values[0]);
    zn_buf_free(&values[1]);
    return err;
}

typedef struct example {
    const char *text;
    const char *record;
    const char *expected;
} example;

static void check_examples(const char *kind, zn_call_form form, const example *examples,
                           size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct fixture fixture;
        zonda_error error = { 0 };
        bool truth = false;
        zonda_err err =
            run(kind, form, examples[i].text, &examples[i].record, &fixture, &truth, &error);
        char *got = NULL;
        if (err != ZONDA_OK) {
            got = strdup(error.text);
        } else if (form == ZN_CALL_FILTER) {
            got = strdup(truth ? "keep" : "drop");
        } else {
            got = lines_of(zn_buf_bytes(&fixture.out));
        }
        if (strcmp(got, examples[i].expected) != 0) {
            fail_msg("%s on %s\n  gave %s\nwanted %s", examples[i].text, examples[i].record, got,
                     examples[i].expected);
        }
        free(got);
        close_function(&fixture);
    }
}

#define CHECK(kind, form, ...)                                                                     \
    do {                                                                                           \
        static const example examples_[] = { __VA_ARGS__ };                                        \
        check_examples(kind, form, examples_, sizeof examples_ / sizeof examples_[0]);             \
    } while (0)

/* What an expression sees and what it gives. */
static void test_lua_function_map_gives_values(void **state) {
    (void)state;
    CHECK("lua-expression", ZN_CALL_MAP, { "a", "{\"a\":1}", "1" },
          { "r.a", "{\"a\":\"x\"}", "\"x\"" },
          { "r", "{\"b\":1,\"a\":[1,{\"c\":null}]}", "{\"b\":1,\"a\":[1,{\"c\":null}]}" },
          { "r", "7", "7" }, { "r + 1", "41", "42" }, { "missing", "{\"a\":1}", "null" },
          { "a == zonda.null", "{\"a\":null}", "true" }, { "a", "{\"a\":null}", "null" },
          { "a + 1", "{\"a\":9007199254740993}", "9007199254740994" },
          { "a", "{\"a\":9223372036854775807}", "9223372036854775807" },
          { "a", "{\"a\":-9223372036854775808}", "-9223372036854775808" },
          { "a", "{\"a\":18446744073709551615}", "18446744073709551615" },
          { "tostring(a)", "{\"a\":18446744073709551615}", "\"18446744073709551615\"" },
          { "a > math.maxinteger", "{\"a\":9223372036854775808}", "true" },
          { "a", "{\"a\":1.0}", "1.0" }, { "a // 2", "{\"a\":7}", "3" },
          { "a / 2", "{\"a\":7}", "3.5" },
          { "{id = a, n = #b}", "{\"a\":1,\"b\":\"text\"}", "{\"id\":1,\"n\":4}" },
          { "{z = 1, a = 2, m = 3}", "{}", "{\"a\":2,\"m\":3,\"z\":1}" },
          { "a.b.c", "{\"a\":{\"b\":{\"c\":5}}}", "5" }, { "a[2]", "{\"a\":[1,2,3]}", "2" },
          { "#a", "{\"a\":[1,2,3]}", "3" }, { "a:upper()", "{\"a\":\"abc\"}", "\"ABC\"" },
          { "utf8.len(a)", "{\"a\":\"\u00e4\u00f6\u00fc\"}", "3" },
          { "('%05.1f'):format(a)", "{\"a\":3.14159}", "\"003.1\"" },
          { "type(r) .. type(a) .. type(b)", "{\"a\":[],\"b\":null}", "\"tabletablenull\"" },
          { "{}", "{}", "{}" }, { "zonda.array()", "{}", "[]" }, { "zonda.array{1}", "{}", "[1]" },
          { "a", "{\"a\":[]}", "[]" }, { "table.concat(a, '-')", "{\"a\":[1,2,3]}", "\"1-2-3\"" },
          { "{table.unpack(a)}", "{\"a\":[1,2]}", "[1,2]" },
          { "select('#', table.unpack(a))", "{\"a\":[1,2]}", "2" },
          { "tostring(r)", "{\"b\":1,\"a\":[1]}", "\"{\\\"b\\\":1,\\\"a\\\":[1]}\"" },
          { "('x'):rep(3) .. a", "{\"a\":[1]}", "\"xxx[1]\"" },
          { "1, 2", "{}", "test:1: ')' expected near ','" },
          { "a ..", "{\"a\":1}", "test:1: unexpected symbol near <eof>" },
          { " ", "{\"a\":1}", "test: the expression is empty" });
}

/* False, nil and null drop; an error is an error. */
static void test_lua_function_filter_keeps_what_is_true(void **state) {
    (void)state;
    CHECK("lua-expression", ZN_CALL_FILTER, { "a > 10", "{\"a\":11}", "keep" },
          { "a > 10", "{\"a\":10}", "drop" }, { "a", "{\"a\":false}", "drop" },
          { "a", "{\"a\":0}", "keep" }, { "a", "{\"a\":null}", "drop" }, { "a", "{}", "drop" },
          { "a and a > 10", "{}", "drop" }, { "r % 2 == 0", "4", "keep" },
          { "a > 1", "{\"a\":null}", "test:1: attempt to compare number with null" },
          { "a > 1", "{}", "test:1: attempt to compare number with nil" });
}

/* Blocks emit what they are told to and what they return; assignments keep the order of fields. */
static void test_lua_function_block_emits(void **state) {
    (void)state;
    CHECK(
        "lua-block", ZN_CALL_FLAT_MAP,
        { "for w in text:gmatch('%a+') do emit(w) end", "{\"text\":\"a bc d\"}",
          "\"a\"\n\"bc\"\n\"d\"" },
        { "emit(1) return 2", "{}", "1\n2" }, { "return nil", "{}", "" },
        { "emit(zonda.null) emit(nil)", "{}", "null\nnull" },
        { "r.b = 2 return r", "{\"b\":1,\"a\":1}", "{\"b\":2,\"a\":1}" },
        { "r.z = 1 r.y = 2 r.b = nil return r", "{\"b\":1,\"a\":1}", "{\"a\":1,\"z\":1,\"y\":2}" },
        { "r.b = nil r.b = 3 return r", "{\"b\":1,\"a\":1}", "{\"b\":3,\"a\":1}" },
        { "tags[1] = 'x' emit(r) emit(tags)", "{\"tags\":[1,2]}",
          "{\"tags\":[\"x\",2]}\n[\"x\",2]" },
        { "r.a.b.c = 5 return r", "{\"a\":{\"b\":{\"c\":1},\"d\":2}}",
          "{\"a\":{\"b\":{\"c\":5},\"d\":2}}" },
        { "table.remove(t) table.remove(t) return r", "{\"t\":[1,2]}", "{\"t\":[]}" },
        { "table.insert(t, 1, 0) table.sort(t, function(a, b) return a > b end) return t",
          "{\"t\":[1,3,2]}", "[3,2,1,0]" },
        { "for k, v in pairs(r) do emit(k .. v) end", "{\"z\":1,\"a\":2}", "\"z1\"\n\"a2\"" },
        { "r.n = 3 r.z = nil for k, v in pairs(r) do emit(k .. v) end", "{\"z\":1,\"a\":2,\"q\":4}",
          "\"a2\"\n\"q4\"\n\"n3\"" },
        { "for i, v in ipairs(t) do emit(i .. v) end", "{\"t\":[5,6]}", "\"15\"\n\"26\"" },
        { "local k = next(r) return k", "{\"z\":1,\"a\":2}", "\"z\"" },
        { "t[5] = 1", "{\"t\":[1]}", "test:1: there is no element 5 in a list of 1" },
        { "t[1] = nil", "{\"t\":[1,2]}",
          "test:1: element 1 of a list of 2 cannot be nil: use table.remove or zonda.null" },
        { "t.x = 1", "{\"t\":[1,2]}", "test:1: a list has elements 1, 2, 3 …, no field 'x'" },
        { "r[1] = 1", "{}", "test:1: the name of a field must be a string, not a number" },
        { "emit()", "{}", "test:1: bad argument #1 to 'emit' (value expected)" },
        { "local function f() return 1 + f() end f()", "{}", "test:1: stack overflow" });
}

/* What no record can hold is named with its place. */
static void test_lua_function_bad_results_name_the_place(void **state) {
    (void)state;
    CHECK("lua-expression", ZN_CALL_MAP,
          { "{a = {b = {1, 2, print or tostring}}}", "{}",
            "field a.b[3] is a function, which no record can hold" },
          { "tostring", "{}", "the value is a function, which no record can hold" },
          { "{1, 2, x = 3}", "{}",
            "the value is neither a list nor a map: it has elements and other keys" },
          { "{[1] = 1, [3] = 3}", "{}",
            "the value is a list with holes or with other keys than 1 to n" },
          { "{[true] = 1}", "{}",
            "the value has a key of type boolean; fields need names, lists the keys 1 to n" },
          { "{['\xff'] = 1}", "{}", "the value has a field name that is not UTF-8" },
          { "string", "{}", "{}" });
}

/* In folds `a` is the accumulated value and bare names are fields of the record. */
static void test_lua_function_fold_sees_both_values(void **state) {
    (void)state;
    const char *values[] = { "{\"n\":10}", "{\"n\":5}" };
    struct fixture fixture;
    zonda_error error = { 0 };
    assert_ok(run("lua-expression", ZN_CALL_FOLD, "{n = a.n + n, same = r.n == n}", values,
                  &fixture, NULL, &error),
              error);
    char *got = lines_of(zn_buf_bytes(&fixture.out));
    assert_string_equal(got, "{\"n\":15,\"same\":true}");
    free(got);
    close_function(&fixture);
}

/* A plan is checked without running anything; the message has the text and the place. */
static void test_lua_check_finds_mistakes(void **state) {
    (void)state;
    zonda_error error = { 0 };
    assert_ok(zn_lua_check("filter", false, false, zn_bytes_of_text("a > 1 -- big"), &error),
              error);
    assert_ok(zn_lua_check("flat_map", true, false, zn_bytes_of_text("emit(1)"), &error), error);
    assert_err(zn_lua_check("filter", false, false, zn_bytes_of_text("a >"), &error), PLAN);
    assert_string_equal(error.text, "filter:1: unexpected symbol near <eof> in 'a >'");
    assert_err(zn_lua_check("filter", false, false, zn_bytes_of_text("a, b"), &error), PLAN);
    assert_ok(zn_lua_check("window_by", false, true, zn_bytes_of_text("a > 1, a"), &error), error);
    assert_err(zn_lua_check("window_by", false, true, zn_bytes_of_text("a >, a"), &error), PLAN);
    assert_err(zn_lua_check("flat_map", true, false, zn_bytes_of_text("x y"), &error), PLAN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lua_function_map_gives_values),
        cmocka_unit_test(test_lua_function_filter_keeps_what_is_true),
        cmocka_unit_test(test_lua_function_block_emits),
        cmocka_unit_test(test_lua_function_bad_results_name_the_place),
        cmocka_unit_test(test_lua_function_fold_sees_both_values),
        cmocka_unit_test(test_lua_check_finds_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
