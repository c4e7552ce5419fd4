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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lua_function_map_gives_values),
        cmocka_unit_test(test_lua_function_filter_keeps_what_is_true),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
