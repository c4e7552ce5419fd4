/* SPDX-License-Identifier: MPL-2.0 */
/* The sandbox: nothing leads out of it, and nothing in it runs or grows without end. */
#include "test.h"

#include <lauxlib.h>

#include "ops/lua_chunk.h"
#include "ops/lua_sandbox.h"
#include "record/lua_value.h"
#include "record/value.h"

static const zn_lua_limits small_limits = { .memory_bytes = 8 * ZN_MIB, .instructions = 3000000 };

/* What the block gives for a record, as text; or the error's. */
static char *run_in(zn_lua_state *state, const char *block, const char *record) {
    zonda_error error = { 0 };
    zn_buf value = { 0 };
    zn_buf out = { 0 };
    zn_put_map(&value, 1);
    zn_put_text(&value, "field");
    zn_put_text(&value, record);
    zn_bytes args[] = { zn_buf_bytes(&value) };
    zn_lua_chunk *chunk =
        zn_lua_chunk_new(state, "block", true, ZN_CALL_FLAT_MAP, zn_bytes_of_text(block), &error);
    zonda_err err = error.code;
    if (chunk != NULL) {
        err = zn_lua_chunk_call(chunk, args, &out, NULL, &error);
    }
    char *text = NULL;
    if (err != ZONDA_OK) {
        text = strdup(error.text);
    } else if (out.len == 0) {
        text = strdup("nothing");
    } else {
        zn_value head = zn_value_head(zn_buf_bytes(&out));
        text = head.type == ZN_VALUE_STRING ? strndup((const char *)head.bytes.data, head.bytes.len)
                                            : strdup(zn_value_type_name(head.type));
    }
    zn_lua_chunk_destroy(&chunk);
    zn_buf_free(&value);
    zn_buf_free(&out);
    return text;
}

static char *run(const char *block) {
    zonda_error error = { 0 };
    zn_lua_state *state = zn_lua_state_new(&small_limits, &error);
    assert_non_null(state);
    char *text = run_in(state, block, "x");
    zn_lua_state_destroy(&state);
    return text;
}

typedef struct example {
    const char *block;
    const char *expected; /* the beginning of the result */
} example;

static void check_examples(const example *examples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char *got = run(examples[i].block);
        if (strncmp(got, examples[i].expected, strlen(examples[i].expected)) != 0) {
            fail_msg("%s\n  gave %s\nwanted %s", examples[i].block, got, examples[i].expected);
        }
        free(got);
    }
}

#define CHECK(...)                                                                                 \
    do {                                                                                           \
        static const example examples_[] = { __VA_ARGS__ };                                        \
        check_examples(examples_, sizeof examples_ / sizeof examples_[0]);                         \
    } while (0)

/* Names that reach outside, or run text and bytecode, do not exist. */
static void test_lua_sandbox_has_no_way_out(void **state) {
    (void)state;
    static const char *const missing[] = {
        "io",       "os",          "package",         "debug",          "require", "load",
        "loadfile", "dofile",      "loadstring",      "collectgarbage", "print",   "warn",
        "_G",       "string.dump", "math.randomseed", "setfenv",        "getfenv", "newproxy",
    };
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        char block[64];
        snprintf(block, sizeof block, "return type(%s)", missing[i]);
        char *got = run(block);
        if (strcmp(got, "nil") != 0) {
            fail_msg("%s is a %s", missing[i], got);
        }
        free(got);
    }
}

/* Metatables are hidden, libraries and _ENV cannot be changed. */
static void test_lua_sandbox_protects_what_is_shared(void **state) {
    (void)state;
    CHECK({ "return tostring(getmetatable(''))", "false" },
          { "return tostring(getmetatable(r))", "false" },
          { "return tostring(getmetatable(zonda.null))", "false" },
          { "return tostring(getmetatable(zonda))", "false" },
          { "return tostring(getmetatable(string))", "false" },
          { "return tostring(getmetatable(_ENV))", "false" },
          { "return tostring(getmetatable(zonda.array()))", "false" },
          { "string.rep = 1", "block:1: string cannot be changed" },
          { "zonda.x = 1", "block:1: zonda cannot be changed" },
          { "rawset(string, 'rep', 1)", "block:1: cannot change a protected table" },
          { "table.insert(math, 1)", "math cannot be changed" },
          { "setmetatable(string, {})", "block:1: cannot change a protected metatable" },
          { "setmetatable({}, {__gc = function() end})", "block:1: there are no finalizers here" },
          { "x = 1", "block:1: 'x' is not a local variable: declare it with 'local x'" },
          { "_ENV.x = 1", "block:1: 'x' is not a local variable" },
          { "rawset(_ENV, 'x', 1)", "block:1: bad argument #1 to 'rawset' (table expected" },
          { "getmetatable('').__index.rep = 1", "block:1: attempt to index a boolean value" },
          { "return ('').dump", "nothing" }, { "return tostring(next(string))", "nil" });
}

/* Bytecode is refused, whatever it would do. */
static void test_lua_sandbox_refuses_bytecode(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_lua_state *lua = zn_lua_state_new(&small_limits, &error);
    zn_bytes text = zn_bytes_of_text("\x1bLuaS");
    assert_null(zn_lua_chunk_new(lua, "block", true, ZN_CALL_FLAT_MAP, text, &error));
    assert_non_null(strstr(error.text, "attempt to load a binary chunk"));
    zn_lua_state_destroy(&lua);
}

/* Endless loops end with the instruction limit, whatever catches errors around them. */
static void test_lua_sandbox_instructions_are_bounded(void **state) {
    (void)state;
    const char *limit = "the call exceeds the instruction limit of 3000000";
    static const char *const blocks[] = {
        "while true do end",
        "local function f() return f() end f()",
        "while true do pcall(function() while true do end end) end",
        "return pcall(function() while true do end end)",
        "while true do xpcall(function() while true do end end, function() while true do end end) "
        "end",
        "while true do coroutine.wrap(function() while true do end end)() end",
        "while true do local c = coroutine.create(function() while true do end end) "
        "coroutine.resume(c) end",
        "local c = coroutine.create(function() local x <close> = setmetatable({}, "
        "{__close = function() while true do end end}) while true do end end) "
        "coroutine.resume(c) coroutine.close(c)",
        "coroutine.wrap(function() local x <close> = setmetatable({}, "
        "{__close = function() while true do end end}) while true do end end)()",
        "coroutine.wrap(function() local x <close> = setmetatable({}, "
        "{__close = function() while true do end end}) error('x') end)()",
        "error(setmetatable({}, {__tostring = function() while true do end end}))",
        "local t = setmetatable({}, {__index = function(t, k) while true do end end}) return t.x",
        "for i = 1, 1000000000 do local s = ('x'):rep(10) end",
        "table.sort({1, 2, 3}, function() while true do end end)",
        "('x'):gsub('x', function() while true do end end)",
        "local t <close> = setmetatable({}, {__close = function() while true do end end})",
    };
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        char *got = run(blocks[i]);
        if (strcmp(got, limit) != 0) {
            fail_msg("%s\n  gave %s", blocks[i], got);
        }
        free(got);
    }
}

/* Loops in C over counts that user code makes up do not start. */
static void test_lua_sandbox_loops_in_c_are_bounded(void **state) {
    (void)state;
    CHECK({ "return (''):rep(1e18)", "" },
          { "return ('x'):rep(1e18)", "resulting string too large" },
          { "table.move({}, 1, math.maxinteger - 1, 2)", "block:1: more than 67108864 elements" },
          { "table.concat({}, '', 1, 1e18)", "block:1: more than 67108864 elements" },
          { "table.insert(setmetatable({}, {__len = function() return 1e18 // 1 | 0 end}), 1, 2)",
            "block:1: more than 67108864 elements" },
          { "return table.unpack({}, 1, 1e8)", "block:1: too many results to unpack" });
}

/* Memory is bounded, in Lua and in what is emitted; deep recursion is an error like others. */
static void test_lua_sandbox_memory_is_bounded(void **state) {
    (void)state;
    CHECK({ "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end",
            "Lua exceeds the memory limit of 8 MiB" },
          { "local s = 'x' while true do s = s .. s end", "Lua exceeds the memory limit of 8 MiB" },
          { "return ('x'):rep(1e8)", "Lua exceeds the memory limit of 8 MiB" },
          { "local function f() return 1 + f() end f()", "Lua exceeds the memory limit of 8 MiB" },
          { "local s = ('x'):rep(1e6) for i = 1, 100 do emit(s) end",
            "block:1: what one call emits is above the memory limit of 8388608 bytes" },
          { "local t = {} t.t = t emit(t)", "block:1: field t contains itself" },
          { "local t = {} for i = 1, 200 do t = {t} end emit(t)", "block:1: element [1][1][1]" },
          { "return (('('):rep(300) .. ('a'):rep(300)):find(('(a'):rep(100))",
            "block:1: too many captures" });
}

/* A state is as good as new after a limit was hit. */
static void test_lua_sandbox_state_survives_a_limit(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_lua_state *lua = zn_lua_state_new(&small_limits, &error);
    for (int i = 0; i < 3; i++) {
        char *got = run_in(lua, "if field == 'loop' then while true do end end return 'fine'",
                           i == 1 ? "loop" : "x");
        assert_string_equal(got,
                            i == 1 ? "the call exceeds the instruction limit of 3000000" : "fine");
        free(got);
        got = run_in(lua, "return ('x'):rep(1e8)", "x");
        assert_string_equal(got, "Lua exceeds the memory limit of 8 MiB");
        free(got);
    }
    zn_lua_state_destroy(&lua);
}

static bool always_cancelled(void *context) {
    (void)context;
    return true;
}

/* A cancelled job ends a running call. */
static void test_lua_sandbox_cancellation_ends_a_call(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_task_host host = { .cancelled = always_cancelled };
    zonda_task task = { .host = &host };
    zn_lua_state *lua = zn_lua_state_new(&small_limits, &error);
    lua->task = &task;
    char *got = run_in(lua, "while true do pcall(function() while true do end end) end", "x");
    assert_string_equal(got, "cancelled");
    free(got);
    zn_lua_state_destroy(&lua);
}

/* Error objects that are no text have one all the same, fit for messages. */
static void test_lua_sandbox_errors_become_text(void **state) {
    (void)state;
    CHECK({ "error()", "the error is a nil value" }, { "error({})", "the error is a table value" },
          { "error(zonda.null)", "null" }, { "error(42)", "42" },
          { "error(setmetatable({}, {__tostring = function() return 'mine' end}))", "mine" },
          { "error('bad \xff byte')", "block:1: bad ? byte" }, { "error(r)", "{\"field\":\"x\"}" });
}

/* Equal seeds give equal numbers, others give others. */
static void test_lua_sandbox_random_follows_the_seed(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_lua_state *lua = zn_lua_state_new(&small_limits, &error);
    const char *block = "return tostring(math.random(1000000000))";
    char *got[3];
    for (uint64_t i = 0; i < 3; i++) {
        zn_lua_state_seed(lua, 1, i % 2);
        got[i] = run_in(lua, block, "x");
    }
    assert_string_equal(got[0], got[2]);
    assert_string_not_equal(got[0], got[1]);
    for (int i = 0; i < 3; i++) {
        free(got[i]);
    }
    zn_lua_state_destroy(&lua);
}

/* Tables are walked in the order of their keys, not of Lua's hashes. */
static void test_lua_sandbox_pairs_are_sorted(void **state) {
    (void)state;
    CHECK({ "local t, s = {z = 1, a = 1, [2] = 1, [1.5] = 1, [true] = 1, m = 1}, '' "
            "for k in pairs(t) do s = s .. tostring(k) .. ' ' end return s",
            "1.5 2 a m z true " },
          { "local t, s = {5, 6, 7}, '' for k, v in pairs(t) do s = s .. k .. v end return s",
            "152637" },
          { "local t, s = {a = 1, b = 2, c = 3}, '' "
            "for k in pairs(t) do t.b = nil s = s .. k end return s",
            "ac" },
          { "local s = '' for k, v in pairs(setmetatable({}, {__pairs = function() "
            "return function(_, k) if not k then return 1, 2 end end end})) do s = s .. v end "
            "return s",
            "2" });
}

/* What a state allocates is charged to the account of its slot, and given back. */
static void test_lua_sandbox_is_charged_to_the_account(void **state) {
    (void)state;
    zn_memory memory = { .limit = 1 };
    zn_lua_limits limits = small_limits;
    limits.memory = &memory;
    zonda_error error = { 0 };
    zn_lua_state *lua = zn_lua_state_new(&limits, &error);
    assert_non_null(lua);
    assert_int_equal(memory.used, lua->memory_used);
    assert_true(memory.used > 10000);
    zn_lua_state_destroy(&lua);
    assert_int_equal(memory.used, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lua_sandbox_has_no_way_out),
        cmocka_unit_test(test_lua_sandbox_protects_what_is_shared),
        cmocka_unit_test(test_lua_sandbox_refuses_bytecode),
        cmocka_unit_test(test_lua_sandbox_instructions_are_bounded),
        cmocka_unit_test(test_lua_sandbox_loops_in_c_are_bounded),
        cmocka_unit_test(test_lua_sandbox_memory_is_bounded),
        cmocka_unit_test(test_lua_sandbox_is_charged_to_the_account),
        cmocka_unit_test(test_lua_sandbox_state_survives_a_limit),
        cmocka_unit_test(test_lua_sandbox_cancellation_ends_a_call),
        cmocka_unit_test(test_lua_sandbox_errors_become_text),
        cmocka_unit_test(test_lua_sandbox_random_follows_the_seed),
        cmocka_unit_test(test_lua_sandbox_pairs_are_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
