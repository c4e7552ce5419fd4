/* SPDX-License-Identifier: MPL-2.0 */
/* map_shard: functions in Lua and C that see a shard as a whole, and what becomes of one that stops
 * early, fails, or asks for what it must not have. */
#include "test.h"

#include <string.h>
#include <zonda/function.h>

#include "fake_host.h"
#include "record/value.h"

enum {
    INSTRUCTIONS = 5000000 /* from one record to the next */
};

static fake_host host;

static int set_up(void **state) {
    (void)state;
    fake_host_open(&host);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fake_host_close(&host);
    return 0;
}

/* A stage of `shards` tasks: 0 … n-1 through map_shard and, unless NULL, one more operator. */
static zn_stage_exec *open_range(uint64_t n, uint64_t shards, const char *function,
                                 const char *next, const char *next_args) {
    char args[2048];
    snprintf(args, sizeof args, "{\"n\":%llu}", (unsigned long long)n);
    fake_body body = fake_body_of(&host, shards);
    body.instructions = INSTRUCTIONS;
    fake_body_op(&body, "from_range", args);
    snprintf(args, sizeof args, "{\"function\":%s}", function);
    fake_body_op(&body, "map_shard", args);
    if (next != NULL) {
        fake_body_op(&body, next, next_args);
    }
    zonda_error error = { 0 };
    zn_stage_exec *stage = fake_body_open(&body, &error);
    assert_ok(error.code, error);
    return stage;
}

static void expect_shard(zn_stage_exec *stage, uint64_t shard, const char *expected) {
    char *records = fake_run(&host, stage, shard);
    assert_string_equal(records, expected);
    free(records);
}

#define BLOCK(text) "{\"kind\":\"lua-block\",\"text\":\"" text "\"}"
#define C_FUNCTION(name) "{\"kind\":\"c\",\"name\":\"" name "\"}"

/* Runs `function` over one shard of 0 … n-1. */
static void expect(uint64_t n, const char *function, const char *expected) {
    zn_stage_exec *stage = open_range(n, 1, function, NULL, NULL);
    expect_shard(stage, 0, expected);
    expect_shard(stage, 0, expected); /* whatever the shard before left */
    zn_stage_exec_destroy(&stage);
}

static zonda_error expect_failure(uint64_t n, const char *function, const char *text) {
    zn_stage_exec *stage = open_range(n, 1, function, NULL, NULL);
    zonda_error error = fake_run_failing(stage, 0, 1);
    assert_err(error.code, USER);
    assert_string_equal(error.op, "map_shard");
    if (strstr(error.text, text) == NULL) {
        fail_msg("%s gave %s", function, error.text);
    }
    zonda_error again = fake_run_failing(stage, 0, 2); /* the chain stays usable */
    assert_string_equal(again.text, error.text);
    zn_stage_exec_destroy(&stage);
    return error;
}

/* State lives as long as the shard: what was seen in it, also when shards come back. */
static void test_map_shard_lua_keeps_state_in_a_shard(void **state) {
    (void)state;
    zn_stage_exec *stage = open_range(20, 2,
                                      BLOCK("local seen = {} for n in items do "
                                            "if not seen[n % 4] then seen[n % 4] = true emit(n) "
                                            "end end return {shard.index, shard.total}"),
                                      NULL, NULL);
    expect_shard(stage, 1, "10\n11\n12\n13\n[1,2]\n");
    expect_shard(stage, 0, "0\n1\n2\n3\n[0,2]\n");
    expect_shard(stage, 1, "10\n11\n12\n13\n[1,2]\n");
    zn_stage_exec_destroy(&stage);
}

/* Records may be kept past the next one, and taken one by one. */
static void test_map_shard_lua_pulls_records(void **state) {
    (void)state;
    expect(5, BLOCK("local a, b = items(), items() emit({b, a}) for r in items do emit(r) end"),
           "[1,0]\n2\n3\n4\n");
    expect(2,
           BLOCK("while true do local r = items() if r == nil then break end end "
                 "emit(items() == nil)"),
           "true\n");
    expect(3, BLOCK("local last for r in items do last = {r = r, last = last} end return last"),
           "{\"last\":{\"last\":{\"r\":0},\"r\":1},\"r\":2}\n");
}

/* Any number of records, before the first one is taken and after the last one was. */
static void test_map_shard_lua_gives_any_number(void **state) {
    (void)state;
    expect(3, BLOCK("for r in items do end"), "");
    expect(2, BLOCK("emit('begin') for r in items do emit(r) emit(r) end emit('end') return 7, 8"),
           "\"begin\"\n0\n0\n1\n1\n\"end\"\n7\n");
    expect(2, BLOCK(""), "");
    expect(2, BLOCK("return zonda.null"), "null\n");
    expect(2, "{\"kind\":\"lua-expression\",\"text\":\"items() + items()\"}", "1\n");
    zn_stage_exec *stage =
        open_range(1, 1, BLOCK("for i = 1, 100000 do emit(i) end"), "count_shard", "{}");
    expect_shard(stage, 0, "100000\n");
    zn_stage_exec_destroy(&stage);
}

/* A shard without records is a shard. */
static void test_map_shard_lua_runs_for_empty_shard(void **state) {
    (void)state;
    expect(0, BLOCK("local n = 0 for r in items do n = n + 1 end return {n = n, i = shard.index}"),
           "{\"i\":0,\"n\":0}\n");
    expect(0, BLOCK("return items() == nil and items() == nil"), "true\n");
    expect_failure(0, BLOCK("error('empty')"), "map_shard:1: empty");
}

/* After it has returned the source is not read any further. */
static void test_map_shard_lua_return_stops_source(void **state) {
    (void)state;
    zn_stage_exec *stage = open_range(UINT64_C(9223372036854775807), 1,
                                      BLOCK("for r in items do emit(r) if r == 2 then return 'x' "
                                            "end end"),
                                      "map",
                                      "{\"function\":{\"kind\":\"lua-expression\",\"text\":"
                                      "\"r\"}}");
    zn_outcome outcome;
    assert_true(zn_stage_exec_run(stage, 0, 1, &outcome));
    assert_int_equal(outcome.failure_count, 0);
    assert_int_equal(outcome.records_in, 3);
    assert_int_equal(outcome.records_out, 4);
    expect_shard(stage, 0, "0\n1\n2\n\"x\"\n");
    zn_stage_exec_destroy(&stage);
}

/* An operator behind it that has had enough ends it. */
static void test_map_shard_lua_ends_when_nobody_wants_more(void **state) {
    (void)state;
    zn_stage_exec *stage =
        open_range(UINT64_C(9223372036854775807), 1, BLOCK("for r in items do emit(r) emit(r) end"),
                   "take_per_shard", "{\"n\":3}");
    expect_shard(stage, 0, "0\n0\n1\n");
    expect_shard(stage, 0, "0\n0\n1\n");
    zn_stage_exec_destroy(&stage);
}

/* A sink before it needs all records: those that the function leaves are let go. */
static void test_map_shard_behind_sink_writes_all(void **state) {
    (void)state;
    char *path = fake_host_path(&host, "out-{shard}.jsonl");
    char args[256];
    fake_body body = fake_body_of(&host, 1);
    fake_body_op(&body, "from_range", "{\"n\":5}");
    snprintf(args, sizeof args, "{\"pattern\":\"%s\"}", path);
    fake_body_op(&body, "write_jsonl", args);
    fake_body_op(&body, "map_shard", "{\"function\":" BLOCK("return type(items())") "}");
    zonda_error error = { 0 };
    zn_stage_exec *stage = fake_body_open(&body, &error);
    assert_ok(error.code, error);
    expect_shard(stage, 0, "\"string\"\n");
    char *text = fake_host_read(&host, "out-0.jsonl");
    assert_string_equal(text, "0\n1\n2\n3\n4\n");
    free(text);
    free(path);
    zn_stage_exec_destroy(&stage);
}

/* An error says where, with the traceback of the function. */
static void test_map_shard_lua_error_has_place_and_traceback(void **state) {
    (void)state;
    zonda_error error = expect_failure(
        3, BLOCK("local function deep(r)\\n  return r.x.y\\nend\\nfor r in items do deep(r) end"),
        "map_shard:2: attempt to index a number value");
    assert_non_null(strstr(error.traceback, "map_shard:2: in "));
    assert_non_null(strstr(error.traceback, "map_shard:4: in "));
    error = expect_failure(3, BLOCK("for r in items do if r == 1 then error({}) end end"),
                           "the error is a table value");
    assert_non_null(strstr(error.traceback, "map_shard:1: in "));
    expect_failure(3, BLOCK("for r in items do emit(print) emit(function() end) end"), "function");
    expect_failure(3, BLOCK("for r in items do end return function() end"), "function");
}

/* The record at hand is named by its file and line. */
static void test_map_shard_error_names_file_and_line(void **state) {
    (void)state;
    fake_host_write(&host, "in.jsonl", "1\n2\n3\n");
    char *path = fake_host_path(&host, "in.jsonl");
    char inputs[256];
    snprintf(inputs, sizeof inputs, "[\"%s\"]", path);
    fake_body body = fake_body_of(&host, 1);
    fake_body_source(&body, "read", "{\"format\":\"jsonl\"}", inputs);
    fake_body_op(
        &body, "map_shard",
        "{\"function\":" BLOCK("for r in items do if r == 2 then error('no') end end") "}");
    zonda_error error = { 0 };
    zn_stage_exec *stage = fake_body_open(&body, &error);
    assert_ok(error.code, error);
    error = fake_run_failing(stage, 0, 1);
    assert_err(error.code, USER);
    assert_string_equal(error.op, "map_shard");
    assert_string_equal(error.file, path);
    assert_int_equal(error.line, 2);
    assert_true(error.has_shard);
    free(path);
    zn_stage_exec_destroy(&stage);
}

/* Only the function itself can wait for records, and only for records. */
static void test_map_shard_lua_refuses_other_waits(void **state) {
    (void)state;
    expect_failure(3, BLOCK("coroutine.yield(1)"), "the function yields");
    expect_failure(3, BLOCK("local c = coroutine.wrap(function() return items() end) emit(c())"),
                   "'items' works only in the function that got it");
    expect(3,
           BLOCK("local c = coroutine.wrap(function() for r in ipairs({1, 2}) do "
                 "coroutine.yield(r) emit('in') end end) emit(c()) emit(items()) emit(c())"),
           "1\n0\n\"in\"\n2\n");
    expect(3,
           BLOCK("local ok, r = pcall(items) emit(r) "
                 "emit(select(2, pcall(function() return items() end)))"),
           "0\n1\n");
    expect_failure(3,
                   BLOCK("local t = {3, 2, 1} table.sort(t, function() return items() == 0 end)"),
                   "yield across a C-call boundary");
    expect_failure(3, BLOCK("r = 1"), "not a local variable");
}

/* Limits hold in the coroutine, also if the code catches what they raise. */
static void test_map_shard_lua_limits_hold(void **state) {
    (void)state;
    zonda_error error =
        expect_failure(3, BLOCK("items()\\nwhile true do end"), "instruction limit");
    assert_non_null(strstr(error.traceback, "map_shard:2: in "));
    expect_failure(3, BLOCK("while true do pcall(function() while true do end end) end"),
                   "instruction limit");
    expect_failure(3, BLOCK("local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1e6) .. i end"),
                   "memory limit");
    expect_failure(3, BLOCK("local function f() return 1 + f() end f()"), "stack overflow");
}

/* A limit is that of one record: a long shard may take more than that in all. */
static void test_map_shard_lua_limit_is_per_record(void **state) {
    (void)state;
    expect(60,
           BLOCK("local n = 0 for r in items do for i = 1, 200000 do end n = n + 1 end "
                 "return n"),
           "60\n");
}

typedef struct shard_state {
    int64_t last;
    uint64_t count;
} shard_state;

static int opened;
static int closed;
static int finished;

static zonda_err open_state(zonda_task *task, void **state) {
    opened++;
    shard_state *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return zonda_task_fail(task, "no memory");
    }
    *state = self;
    return ZONDA_OK;
}

static void close_state(zonda_task *task, void *state) {
    (void)task;
    closed++;
    free(state);
}

/* Gives a number when its half differs from that of the number before. */
static zonda_err call_changes(zonda_task *task, const msgpack_object *args, size_t arg_count,
                              msgpack_packer *out) {
    shard_state *self = zonda_task_state(task);
    int64_t number = args[0].via.i64;
    if (arg_count != 1) {
        return zonda_task_fail(task, "%zu arguments", arg_count);
    }
    if (number == 13) {
        return zonda_task_fail(task, "no thirteen");
    }
    if (self->count == 0 || number / 2 != self->last / 2) {
        msgpack_pack_int64(out, number);
    }
    self->last = number;
    self->count++;
    return ZONDA_OK;
}

static zonda_err finish_changes(zonda_task *task, msgpack_packer *out) {
    const shard_state *self = zonda_task_state(task);
    finished++;
    msgpack_pack_array(out, 3);
    msgpack_pack_uint64(out, zonda_task_shard(task));
    msgpack_pack_uint64(out, zonda_task_shard_count(task));
    msgpack_pack_uint64(out, self->count);
    msgpack_pack_nil(out);
    return ZONDA_OK;
}

static zonda_err call_nothing(zonda_task *task, const msgpack_object *args, size_t arg_count,
                              msgpack_packer *out) {
    (void)task;
    (void)args;
    (void)arg_count;
    (void)out;
    return ZONDA_OK;
}

static zonda_err finish_badly(zonda_task *task, msgpack_packer *out) {
    (void)out;
    return zonda_task_fail(task, "shard %d has no end", (int)zonda_task_shard(task));
}

static zonda_err finish_half(zonda_task *task, msgpack_packer *out) {
    (void)task;
    msgpack_pack_array(out, 2);
    msgpack_pack_nil(out);
    return ZONDA_OK;
}

/* State between open and close; finish comes once, before close, also in an empty shard. */
static void test_map_shard_c_function_with_finish(void **state) {
    (void)state;
    opened = closed = finished = 0;
    zn_stage_exec *stage = open_range(8, 2, C_FUNCTION("changes"), NULL, NULL);
    expect_shard(stage, 1, "4\n6\n[1,2,4]\nnull\n");
    expect_shard(stage, 0, "0\n2\n[0,2,4]\nnull\n");
    zn_stage_exec_destroy(&stage);
    expect(0, C_FUNCTION("changes"), "[0,1,0]\nnull\n");
    assert_int_equal(opened, 4);
    assert_int_equal(closed, 4);
    assert_int_equal(finished, 4);
    expect(3, C_FUNCTION("nothing"), "");
}

/* A shard that failed has no end; what finish says and gives is checked. */
static void test_map_shard_c_function_failures(void **state) {
    (void)state;
    opened = closed = finished = 0;
    expect_failure(20, C_FUNCTION("changes"), "no thirteen");
    assert_int_equal(opened, 2);
    assert_int_equal(closed, 2);
    assert_int_equal(finished, 0);
    expect_failure(1, C_FUNCTION("bad_finish"), "shard 0 has no end");
    expect_failure(1, C_FUNCTION("half_finish"), "the function gave bad MessagePack");
}

/* Behind an operator that has had enough there is nobody to finish for. */
static void test_map_shard_c_function_is_closed_when_nobody_wants_more(void **state) {
    (void)state;
    opened = closed = finished = 0;
    zn_stage_exec *stage = open_range(100, 1, C_FUNCTION("changes"), "take_per_shard", "{\"n\":2}");
    expect_shard(stage, 0, "0\n2\n");
    zn_stage_exec_destroy(&stage);
    stage = open_range(4, 1, C_FUNCTION("changes"), "take_per_shard", "{\"n\":3}");
    expect_shard(stage, 0, "0\n2\n[0,1,4]\n");
    zn_stage_exec_destroy(&stage);
    assert_int_equal(opened, 2);
    assert_int_equal(closed, 2);
    assert_int_equal(finished, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    zonda_error error = { 0 };
    zonda_register("changes",
                   &(zonda_function){ .call = call_changes,
                                      .open = open_state,
                                      .close = close_state,
                                      .finish = finish_changes },
                   &error);
    zonda_register("nothing", &(zonda_function){ .call = call_nothing }, &error);
    zonda_register("bad_finish", &(zonda_function){ .call = call_nothing, .finish = finish_badly },
                   &error);
    zonda_register("half_finish", &(zonda_function){ .call = call_nothing, .finish = finish_half },
                   &error);
    const struct CMUnitTest tests[] = {
        TEST(test_map_shard_lua_keeps_state_in_a_shard),
        TEST(test_map_shard_lua_pulls_records),
        TEST(test_map_shard_lua_gives_any_number),
        TEST(test_map_shard_lua_runs_for_empty_shard),
        TEST(test_map_shard_lua_return_stops_source),
        TEST(test_map_shard_lua_ends_when_nobody_wants_more),
        TEST(test_map_shard_behind_sink_writes_all),
        TEST(test_map_shard_lua_error_has_place_and_traceback),
        TEST(test_map_shard_error_names_file_and_line),
        TEST(test_map_shard_lua_refuses_other_waits),
        TEST(test_map_shard_lua_limits_hold),
        TEST(test_map_shard_lua_limit_is_per_record),
        TEST(test_map_shard_c_function_with_finish),
        TEST(test_map_shard_c_function_failures),
        TEST(test_map_shard_c_function_is_closed_when_nobody_wants_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
