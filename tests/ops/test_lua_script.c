/* SPDX-License-Identifier: MPL-2.0 */
/* Pipeline scripts: the calls that they record, the functions that slots take from them, and what
 * they say when they are wrong. */
#include "test.h"

#include "base/alloc.h"
#include "ops/lua_script.h"
#include "ops/lua_script_function.h"
#include "record/json.h"
#include "record/value.h"

static zn_lua_script *evaluate(const char *text, zonda_error *error) {
    static const char *const args[] = { "10", "x" };
    *error = (zonda_error){ 0 };
    return zn_lua_script_new("test.lua", zn_bytes_of_text(text), args, 2, NULL, error);
}

/* The JSON of a value; binaries, which only digests are, count as null. */
static void put_json(zn_bytes value, zn_buf *out) {
    zn_buf text = { 0 };
    zonda_error error = { 0 };
    if (zn_json_write(value, &text, &error) != ZONDA_OK) {
        zn_buf_append_text(out, "<function>");
    } else {
        zn_buf_append(out, text.data, text.len);
    }
    zn_buf_free(&text);
}

/* All nodes as text: "read{"glob":"*"};filter<function><0". */
static char *nodes_of(const zn_lua_script *script) {
    zn_buf text = { 0 };
    size_t count;
    const zn_script_node *nodes = zn_lua_script_nodes(script, &count);
    for (size_t i = 0; i < count; i++) {
        zn_buf_printf(&text, "%s%s", i > 0 ? ";" : "", nodes[i].op);
        put_json(nodes[i].args, &text);
        for (size_t j = 0; j < nodes[i].input_count; j++) {
            zn_buf_printf(&text, "<%zu", nodes[i].inputs[j]);
        }
    }
    size_t output_count;
    const size_t *outputs = zn_lua_script_outputs(script, &output_count);
    for (size_t i = 0; i < output_count; i++) {
        zn_buf_printf(&text, "%s%zu", i == 0 ? " -> " : ",", outputs[i]);
    }
    zn_buf_append_byte(&text, '\0');
    return (char *)text.data;
}

typedef struct example {
    const char *text;
    const char *expected;
} example;

/* What is expected may end with a star, which stands for anything. */
static bool is_as_expected(const char *got, const char *expected) {
    const char *star = strchr(expected, '*');
    bool open = star != NULL && star[1] == '\0';
    return open ? strncmp(got, expected, (size_t)(star - expected)) == 0
                : strcmp(got, expected) == 0;
}

static void check_examples(const example *examples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        zonda_error error;
        zn_lua_script *script = evaluate(examples[i].text, &error);
        char *got = script != NULL ? nodes_of(script)
                                   : zn_format("%s: %s", zonda_err_name(error.code), error.text);
        if (!is_as_expected(got, examples[i].expected)) {
            fail_msg("%s\n  gave %s\nwanted %s", examples[i].text, got, examples[i].expected);
        }
        free(got);
        zn_lua_script_destroy(&script);
    }
}

#define CHECK(...)                                                                                 \
    do {                                                                                           \
        static const example examples_[] = { __VA_ARGS__ };                                        \
        check_examples(examples_, sizeof examples_ / sizeof examples_[0]);                         \
    } while (0)

/* Every form of a call gives the node that the operator table asks for. */
static void test_lua_script_calls_become_nodes(void **state) {
    (void)state;
    CHECK({ "return zonda.from_list{1, 2, {a = 1}}", "from_list{\"items\":[1,2,{\"a\":1}]} -> 0" },
          { "return zonda.from_list({})", "from_list{\"items\":[]} -> 0" },
          { "return zonda.from_list(1, 'x')", "from_list{\"items\":[1,\"x\"]} -> 0" },
          { "return zonda.from_list({a = 1}, {2})", "from_list{\"items\":[{\"a\":1},[2]]} -> 0" },
          { "return zonda.from_range(1e6, {shards = 8})",
            "from_range{\"n\":1000000,\"shards\":8} -> 0" },
          { "return zonda.read('*.jsonl', {empty_ok = true, format = 'text'})",
            "read{\"glob\":\"*.jsonl\",\"format\":\"text\",\"empty_ok\":true} -> 0" },
          { "return zonda.from_range(3):select('a', 'b.c')",
            "from_range{\"n\":3};select{\"fields\":[\"a\",\"b.c\"]}<0 -> 1" },
          { "return zonda.from_range(3):select{'a', 'b'}",
            "from_range{\"n\":3};select{\"fields\":[\"a\",\"b\"]}<0 -> 1" },
          { "return zonda.from_range(3):filter(function(r) return r end):count()",
            "from_range{\"n\":3};filter<function><0;count{}<1 -> 2" },
          { "return zonda.from_range(3):reduce(math.max, {identity = 0})",
            "from_range{\"n\":3};reduce<function><0 -> 1" },
          { "return zonda.from_range(3):write_jsonl('x-{shard}.jsonl', {level = 3})",
            "from_range{\"n\":3};write_jsonl{\"pattern\":\"x-{shard}.jsonl\",\"level\":3}<0 -> 1" },
          { "local d = zonda.from_range(3)\nreturn {d:count(), d}",
            "from_range{\"n\":3};count{}<0 -> 1,0" },
          { "return {}", "" },
          { "#!/usr/bin/env zonda\nreturn zonda.from_range(tonumber(arg[1]) + #arg)",
            "from_range{\"n\":12} -> 0" });
}

/* Mistakes name the script, the line and what is known. */
static void test_lua_script_mistakes_are_explained(void **state) {
    (void)state;
    CHECK(
        { "return 1",
          "USER: test.lua: the script must return a dataset or a list of datasets, not a number" },
        { "return {1}",
          "USER: test.lua: the script must return a dataset or a list of datasets, not a number" },
        { "x = = 1", "USER: test.lua:1: unexpected symbol near '='" },
        { "\nerror('oh')", "USER: test.lua:2: oh" },
        { "error({})", "USER: the error is a table value" },
        { "return zonda.from_range(3):renam()",
          "PLAN: test.lua:1: there is no operator \"renam\"; there are: from_list, from_range, *" },
        { "\nreturn zonda.from_range(3):read('x')",
          "PLAN: test.lua:2: read begins a dataset: write zonda.read(…)" },
        { "return zonda.from_range(3, {shard = 1})",
          "PLAN: test.lua:1: from_range has no argument \"shard\"; it has: n, shards" },
        { "return zonda.from_range(-1)", "PLAN: test.lua:1: argument \"n\" of from_range must not "
                                         "be negative; it is -1" },
        { "return zonda.from_range(3):map('a')",
          "PLAN: test.lua:1: argument \"function\" of map must be a function, not string" },
        { "return zonda.from_range(3):map()",
          "PLAN: test.lua:1: map needs the argument \"function\" (gets a record, gives a record)" },
        { "return zonda.from_range(3):map(print, 2)",
          "PLAN: test.lua:1: map has too many arguments; options go into one table, as in "
          "{name = value}" },
        { "return zonda.from_range(3).map(print)",
          "USER: test.lua:1: call map with a colon, as in ds:map(…)" },
        { "pcall(zonda.from_range, -1) return zonda.from_range(1)",
          "PLAN: argument \"n\" of from_range must not be negative; it is -1" },
        { "return zonda.from_list{a = 1}",
          "PLAN: test.lua:1: argument \"items\" of from_list must be a list, not map" },
        { "return zonda.from_list{{print}, {tostring}}",
          "USER: test.lua:1: element [2][1] is a function, which no record can hold" });
}

/* What a function of a script gives for a record, in a slot that has only the blob. */
static char *call_function(zn_lua_script_function *function, zn_call_form form, int64_t record) {
    zn_buf value = { 0 };
    zn_put_int(&value, record);
    zn_bytes args[] = { zn_buf_bytes(&value), zn_buf_bytes(&value) };
    zn_buf out = { 0 };
    zn_buf text = { 0 };
    zonda_error error = { 0 };
    bool truth = false;
    if (zn_lua_script_function_call(function, args, &out, &truth, &error) != ZONDA_OK) {
        zn_buf_printf(&text, "%s|%s", error.text, error.traceback);
    } else if (form == ZN_CALL_FILTER) {
        zn_buf_append_text(&text, truth ? "keep" : "drop");
    } else {
        zn_cursor cursor = zn_cursor_of(zn_buf_bytes(&out));
        while (cursor.at < cursor.end) {
            zn_buf_append_text(&text, text.len > 0 ? " " : "");
            put_json(zn_cursor_skip(&cursor), &text);
        }
    }
    zn_buf_append_byte(&text, '\0');
    zn_buf_free(&value);
    zn_buf_free(&out);
    return (char *)text.data;
}

static zn_lua_script_function *open_function(const char *text, uint64_t index, zn_call_form form) {
    zonda_error error = { 0 };
    zn_lua_script *script = evaluate(text, &error);
    if (script == NULL) {
        fail_msg("%s", error.text);
    }
    /* The function borrows the blob for life: it outlives the script here. */
    static zn_buf blob;
    zn_digest digest;
    zn_bytes bytes = zn_lua_script_blob(script, &digest);
    zn_buf_free(&blob);
    zn_buf_append(&blob, bytes.data, bytes.len);
    zn_lua_script_destroy(&script);
    zn_lua_script_function *function = NULL;
    zn_lua_limits limits = zn_lua_limits_of(0, 0);
    assert_ok(
        zn_lua_script_function_new(zn_buf_bytes(&blob), index, form, &limits, &function, &error),
        error);
    return function;
}

/* Runs function `index` over shards of three records each and joins what it gives. */
static void check_shards(const char *text, uint64_t index, zn_call_form form,
                         const char *expected) {
    zn_lua_script_function *function = open_function(text, index, form);
    zn_buf all = { 0 };
    for (int shard = 0; shard < 3; shard++) {
        zonda_error error = { 0 };
        assert_ok(zn_lua_script_function_begin(function, &error), error);
        for (int record = 0; record < 3; record++) {
            char *got = call_function(function, form, record);
            zn_buf_printf(&all, "%s%s", record > 0 ? "," : shard > 0 ? ";" : "", got);
            free(got);
        }
    }
    zn_buf_append_byte(&all, '\0');
    assert_string_equal((char *)all.data, expected);
    zn_buf_free(&all);
    zn_lua_script_function_destroy(&function);
}

/* Closures see what was around them in the script, and its arguments. */
static void test_lua_script_closure_works_in_a_slot(void **state) {
    (void)state;
    check_shards("local k = tonumber(arg[1])\nlocal function times(x) return x * k end\n"
                 "return zonda.from_range(1):map(function(r) return times(r) + 1 end)",
                 0, ZN_CALL_MAP, "1,11,21;1,11,21;1,11,21");
}

/* Function numbers are those of the order of the calls, also for options. */
static void test_lua_script_function_numbers_are_stable(void **state) {
    (void)state;
    const char *text = "local d = zonda.from_range(1)\n"
                       "d:reduce(function(a, r) return 'local' end,\n"
                       "         {identity = 1, global = function(a, r) return 'global' end})\n"
                       "return d:filter(function(r) return r > 1 end)";
    check_shards(text, 0, ZN_CALL_FOLD,
                 "\"local\",\"local\",\"local\";\"local\",\"local\",\"local\";"
                 "\"local\",\"local\",\"local\"");
    check_shards(text, 2, ZN_CALL_FILTER, "drop,drop,keep;drop,drop,keep;drop,drop,keep");
}

/* State in variables, tables, globals' tables and coroutines starts anew in every shard. */
static void test_lua_script_state_is_reset_per_shard(void **state) {
    (void)state;
    const char *expected = "1,2,3;1,2,3;1,2,3";
    check_shards("local n = 0\nreturn zonda.from_range(1):map(function() n = n + 1 return n end)",
                 0, ZN_CALL_MAP, expected);
    check_shards(
        "local n\nreturn zonda.from_range(1):map(function() n = (n or 0) + 1 return n end)", 0,
        ZN_CALL_MAP, expected);
    check_shards("local t = {n = 0}\n"
                 "return zonda.from_range(1):map(function() t.n = t.n + 1 return t.n end)",
                 0, ZN_CALL_MAP, expected);
    check_shards("t = {n = 0}\nlocal function f() t.n = t.n + 1 return t.n end\n"
                 "return zonda.from_range(1):map(function() return f() end)",
                 0, ZN_CALL_MAP, expected);
    check_shards(
        "local c = coroutine.wrap(function() for i = 1, 100 do coroutine.yield(i) end end)\n"
        "return zonda.from_range(1):map(function() return c() end)",
        0, ZN_CALL_MAP, expected);
    check_shards("local n = 0\nfunction step() n = n + 1 return n end\n"
                 "return zonda.from_range(1):map(function() return step() end)",
                 0, ZN_CALL_MAP, expected);
}

/* Globals and datasets cannot be made in functions. */
static void test_lua_script_functions_cannot_change_globals(void **state) {
    (void)state;
    const char *text = "g = 1\nlocal d = zonda.from_range(1)\n"
                       "return d:map(function(r) g = r return g end)\n"
                       "  :map(function(r) return zonda.from_range(1) end)\n"
                       "  :map(function(r) arg[1] = 1 end):map(function(r) end)";
    static const char *const expected[] = {
        "test.lua:3: 'g' is not a local variable: declare it with 'local g'|test.lua:3: in "
        "function "
        "<test.lua:3>",
        "test.lua:4: from_range cannot be used in functions on records|",
        "test.lua:5: this value is read-only|",
        "the function returned nothing; a record is wanted|",
    };
    for (uint64_t i = 0; i < 4; i++) {
        zn_lua_script_function *function = open_function(text, i, ZN_CALL_MAP);
        char *got = call_function(function, ZN_CALL_MAP, 1);
        if (strncmp(got, expected[i], strcspn(expected[i], "|")) != 0) {
            fail_msg("gave %s, wanted %s", got, expected[i]);
        }
        free(got);
        zn_lua_script_function_destroy(&function);
    }
}

/* An error in a helper function has the lines of the whole way to it. */
static void test_lua_script_error_has_a_traceback(void **state) {
    (void)state;
    const char *text = "local function inner(x)\n  return x.y.z\nend\n"
                       "return zonda.from_range(1):map(function(r)\n  local v = inner({})\n"
                       "  return v\nend)";
    zn_lua_script_function *function = open_function(text, 0, ZN_CALL_MAP);
    char *got = call_function(function, ZN_CALL_MAP, 1);
    assert_string_equal(got, "test.lua:2: attempt to index a nil value (field 'y')|"
                             "test.lua:2: in upvalue 'inner'\ntest.lua:5: in function");
    free(got);
    zn_lua_script_function_destroy(&function);
}

/* Shared data is kept by name, the last value counts. */
static void test_lua_script_put_keeps_values(void **state) {
    (void)state;
    zonda_error error;
    zn_lua_script *script =
        evaluate("zonda.put('a', {1, 2})\nzonda.put('b', 1)\nzonda.put('a', {3})\n"
                 "return zonda.from_range(1)",
                 &error);
    assert_non_null(script);
    size_t count;
    const zn_script_put *puts = zn_lua_script_puts(script, &count);
    assert_int_equal(count, 2);
    assert_string_equal(puts[0].name, "a");
    zn_buf text = { 0 };
    put_json(puts[0].value, &text);
    assert_memory_equal(text.data, "[3]", 3);
    zn_buf_free(&text);
    zn_lua_script_destroy(&script);
}

/* The same script is the same blob, whoever evaluates it, and the same nodes. */
static void test_lua_script_evaluates_alike(void **state) {
    (void)state;
    const char *text = "local t = {}\nfor i = 1, 20 do t['k' .. i] = math.random(1000) end\n"
                       "return zonda.from_list{t}";
    zonda_error error;
    zn_lua_script *first = evaluate(text, &error);
    zn_lua_script *second = evaluate(text, &error);
    char *a = nodes_of(first);
    char *b = nodes_of(second);
    assert_string_equal(a, b);
    zn_digest digests[2];
    zn_lua_script_blob(first, &digests[0]);
    zn_lua_script_blob(second, &digests[1]);
    assert_true(zn_digest_equal(digests[0], digests[1]));
    free(a);
    free(b);
    zn_lua_script_destroy(&first);
    zn_lua_script_destroy(&second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lua_script_calls_become_nodes),
        cmocka_unit_test(test_lua_script_mistakes_are_explained),
        cmocka_unit_test(test_lua_script_closure_works_in_a_slot),
        cmocka_unit_test(test_lua_script_function_numbers_are_stable),
        cmocka_unit_test(test_lua_script_state_is_reset_per_shard),
        cmocka_unit_test(test_lua_script_functions_cannot_change_globals),
        cmocka_unit_test(test_lua_script_error_has_a_traceback),
        cmocka_unit_test(test_lua_script_put_keeps_values),
        cmocka_unit_test(test_lua_script_evaluates_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
