/* SPDX-License-Identifier: MPL-2.0 */
/* Functions of groups, in C and Lua: what they see, what they give and when, and what becomes of
 * those that stop early, fail, or meet a failure of the stream. */
#include "test.h"

#include <string.h>
#include <zonda/function.h>

#include "base/alloc.h"
#include "fake_host.h"
#include "ops/group.h"
#include "ops/task_state.h"
#include "record/json.h"
#include "record/key.h"

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

/* A stream of rows and what a function makes of them. */
typedef struct stream {
    const char *const *rows; /* key, then what follows it in the encoding (or NULL), then record */
    size_t next;
    size_t count;
    uint64_t pulled;
    uint64_t repeat;    /* the last row so many times more */
    uint64_t fail_at;   /* pulling row number … fails; 0: never */
    uint64_t enough_at; /* value number … is the last one wanted; 0: never */
    uint64_t given;
    uint64_t largest_gap; /* between what was pulled and what was given, in values */
    zn_buf row;
    zn_buf out; /* lines "key record" */
} stream;

static void put_key(zn_buf *out, const char *json) {
    zn_buf value = { 0 };
    zonda_error error = { 0 };
    fake_json(json, &value);
    assert_int_equal(zn_key_put(out, zn_buf_bytes(&value), &error), ZONDA_OK);
    zn_buf_free(&value);
}

static zonda_err pull(void *context, zn_row *row, bool *found, zonda_error *error) {
    stream *self = context;
    *found = self->next < self->count;
    if (!*found) {
        return ZONDA_OK;
    }
    if (self->fail_at > 0 && self->pulled + 1 == self->fail_at) {
        return zn_error_set(error, ZONDA_ERR_CORRUPT, "the stream is broken");
    }
    const char *const *parts = &self->rows[3 * self->next];
    self->row.len = 0;
    put_key(&self->row, parts[0]);
    if (parts[1] != NULL) {
        put_key(&self->row, parts[1]);
    }
    size_t key = self->row.len;
    fake_json(parts[2], &self->row);
    *row = (zn_row){ .key = { self->row.data, key },
                     .record = { self->row.data + key, self->row.len - key } };
    self->pulled++;
    if (self->next + 1 < self->count || self->repeat == 0) {
        self->next++;
    } else {
        self->repeat--;
    }
    return ZONDA_OK;
}

static void put_line(zn_buf *out, zn_bytes value, char end) {
    zonda_error error = { 0 };
    assert_int_equal(zn_json_write(value, out, &error), ZONDA_OK);
    zn_buf_append_byte(out, (uint8_t)end);
}

static zonda_err take(void *context, zn_bytes key, zn_bytes value, zonda_error *error) {
    stream *self = context;
    if (self->enough_at > 0 && self->given == self->enough_at) {
        return zn_error_set(error, ZONDA_ERR_LIMIT, "enough");
    }
    self->given++;
    uint64_t gap = self->pulled - self->given;
    self->largest_gap = gap > self->largest_gap ? gap : self->largest_gap;
    if (self->out.len < ZN_ERROR_TEXT_BYTES_MAX) {
        zn_buf decoded = { 0 };
        assert_int_equal(zn_key_value(key, &decoded, error), ZONDA_OK);
        put_line(&self->out, zn_buf_bytes(&decoded), ' ');
        put_line(&self->out, value, '\n');
        zn_buf_free(&decoded);
    }
    return ZONDA_OK;
}

/* Runs the function in JSON over the stream. */
static zonda_err run(stream *rows, const char *json, zonda_error *error) {
    zonda_task task = { .host = &host.host, .attempt = { .attempt = 1 } };
    zn_buf args = { 0 };
    char text[4096];
    snprintf(text, sizeof text, "{\"reduce\":%s}", json);
    fake_json(text, &args);
    static const zn_op_def def = { .name = "group_by" };
    zn_op op = { .def = &def, .args = zn_buf_bytes(&args), .shard_count = 1 };
    zn_function *function = NULL;
    zonda_err err = zn_function_bind(&op, "reduce", ZN_CALL_GROUP, &function, error);
    if (err == ZONDA_OK) {
        err = zn_function_begin(function, &task, error);
        if (err == ZONDA_OK) {
            err = zn_group_run(function, &task, pull, take, rows, error);
        }
        zn_function_end(function, &task);
    }
    zn_function_unbind(&function);
    zn_task_free(&task);
    zn_buf_free(&args);
    return err;
}

static void free_stream(stream *rows) {
    zn_buf_free(&rows->row);
    zn_buf_free(&rows->out);
}

#define ROWS(...)                                                                                  \
    (const char *const[]) {                                                                        \
        __VA_ARGS__                                                                                \
    }
#define BLOCK(text) "{\"kind\":\"lua-block\",\"text\":\"" text "\"}"
#define EXPRESSION(text) "{\"kind\":\"lua-expression\",\"text\":\"" text "\"}"
#define C_FUNCTION(name) "{\"kind\":\"c\",\"name\":\"" name "\"}"

static const char *const sections[] = {
    "\"a\"", NULL,   "1",  "\"a\"", "1",   "2",  "\"a\"", "2", "3",  "\"b\"", NULL,
    "4",     "null", NULL, "5",     "2.0", NULL, "6",     "2", NULL, "7",
};

static void expect_rows(const char *const *rows, size_t count, const char *function,
                        const char *expected) {
    stream all = { .rows = rows, .count = count };
    zonda_error error = { 0 };
    zonda_err err = run(&all, function, &error);
    assert_ok(err, error);
    zn_buf_append_byte(&all.out, 0);
    assert_string_equal((const char *)all.out.data, expected);
    assert_int_equal(all.pulled, count);
    free_stream(&all);
}

static void expect(const char *function, const char *expected) {
    expect_rows(sections, 7, function, expected);
}

static zonda_error expect_failure(stream *rows, const char *function, const char *code,
                                  const char *words) {
    zonda_error error = { 0 };
    zonda_err err = run(rows, function, &error);
    assert_string_equal(zonda_err_name(err), code);
    if (strstr(error.text, words) == NULL) {
        fail_msg("\"%s\" does not have \"%s\"", error.text, words);
    }
    free_stream(rows);
    return error;
}

/* ---- C functions ---- */

static zonda_err sum_rows(zonda_task *task, const msgpack_object *key, zonda_rows *rows,
                          msgpack_packer *out) {
    (void)task;
    (void)key;
    uint64_t sum = 0;
    const msgpack_object *row;
    while ((row = zonda_rows_next(rows)) != NULL) {
        sum += row->via.u64;
    }
    assert_null(zonda_rows_next(rows)); /* the end stays the end */
    msgpack_pack_uint64(out, sum);
    return ZONDA_OK;
}

/* Gives every record as [key, record], the array in pieces around the pull. */
static zonda_err pair_rows(zonda_task *task, const msgpack_object *key, zonda_rows *rows,
                           msgpack_packer *out) {
    (void)task;
    const msgpack_object *row = zonda_rows_next(rows);
    while (row != NULL) {
        msgpack_pack_array(out, 2);
        msgpack_pack_object(out, *key);
        msgpack_pack_object(out, *row);
        row = zonda_rows_next(rows);
    }
    return ZONDA_OK;
}

static zonda_err first_row(zonda_task *task, const msgpack_object *key, zonda_rows *rows,
                           msgpack_packer *out) {
    (void)task;
    (void)key;
    msgpack_pack_object(out, *zonda_rows_next(rows));
    return ZONDA_OK;
}

static zonda_err no_rows(zonda_task *task, const msgpack_object *key, zonda_rows *rows,
                         msgpack_packer *out) {
    (void)task;
    (void)rows;
    msgpack_pack_object(out, *key);
    return ZONDA_OK;
}

static zonda_err half_value(zonda_task *task, const msgpack_object *key, zonda_rows *rows,
                            msgpack_packer *out) {
    (void)task;
    (void)key;
    (void)rows;
    msgpack_pack_array(out, 2);
    msgpack_pack_nil(out);
    return ZONDA_OK;
}

static zonda_err refuse_rows(zonda_task *task, const msgpack_object *key, zonda_rows *rows,
                             msgpack_packer *out) {
    zonda_task_fail(task, "this group is bad");
    assert_null(zonda_rows_next(rows)); /* nothing more for one that has failed */
    msgpack_pack_object(out, *key);
    return ZONDA_OK;
}

/* Ignores that its rows end too early. */
static zonda_err deaf(zonda_task *task, const msgpack_object *key, zonda_rows *rows,
                      msgpack_packer *out) {
    while (zonda_rows_next(rows) != NULL) {
        msgpack_pack_nil(out);
    }
    return sum_rows(task, key, rows, out);
}

/* A value of 200 KB per record. */
static zonda_err large_values(zonda_task *task, const msgpack_object *key, zonda_rows *rows,
                              msgpack_packer *out) {
    (void)task;
    (void)key;
    static char text[200000];
    while (zonda_rows_next(rows) != NULL) {
        msgpack_pack_str(out, sizeof text);
        msgpack_pack_str_body(out, text, sizeof text / 2);
        msgpack_pack_str_body(out, text, sizeof text / 2);
    }
    return ZONDA_OK;
}

static zonda_err plain_call(zonda_task *task, const msgpack_object *args, size_t count,
                            msgpack_packer *out) {
    (void)task;
    (void)args;
    (void)count;
    msgpack_pack_nil(out);
    return ZONDA_OK;
}

static int register_all(void **state) {
    (void)state;
    static const struct {
        const char *name;
        zonda_group_call *group;
    } groups[] = {
        { "sum_rows", sum_rows }, { "pair_rows", pair_rows },       { "first_row", first_row },
        { "no_rows", no_rows },   { "half_value", half_value },     { "refuse_rows", refuse_rows },
        { "deaf", deaf },         { "large_values", large_values },
    };
    zonda_error error = { 0 };
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        zonda_function function = { .group = groups[i].group };
        assert_ok(zonda_register(groups[i].name, &function, &error), error);
    }
    zonda_function plain = { .call = plain_call };
    assert_ok(zonda_register("plain_call", &plain, &error), error);
    return 0;
}

/* Groups are cut by the first encoding of the key, whatever sorts inside them. */
static void test_group_c_function_sees_each_group(void **state) {
    (void)state;
    expect(C_FUNCTION("sum_rows"), "\"a\" 6\n\"b\" 4\nnull 5\n2 13\n");
    expect(C_FUNCTION("pair_rows"), "\"a\" [\"a\",1]\n\"a\" [\"a\",2]\n\"a\" [\"a\",3]\n"
                                    "\"b\" [\"b\",4]\nnull [null,5]\n2 [2,6]\n2 [2,7]\n");
}

/* A function that stops early, or takes nothing, gets the next group at its begin. */
static void test_group_c_function_need_not_take_all(void **state) {
    (void)state;
    expect(C_FUNCTION("first_row"), "\"a\" 1\n\"b\" 4\nnull 5\n2 6\n");
    expect(C_FUNCTION("no_rows"), "\"a\" \"a\"\n\"b\" \"b\"\nnull null\n2 2\n");
}

/* Without rows there is no group. */
static void test_group_empty_stream_calls_nothing(void **state) {
    (void)state;
    expect_rows(NULL, 0, C_FUNCTION("sum_rows"), "");
    expect_rows(NULL, 0, BLOCK("error('called')"), "");
}

/* What a function packs goes on while it pulls, so a group of any size needs no memory. */
static void test_group_c_function_output_goes_on_early(void **state) {
    (void)state;
    stream rows = { .rows = sections, .count = 1, .repeat = 99 };
    zonda_error error = { 0 };
    zonda_err err = run(&rows, C_FUNCTION("large_values"), &error);
    assert_ok(err, error);
    assert_int_equal(rows.given, 100);
    assert_true(rows.largest_gap <= 2);
    free_stream(&rows);
}

static void test_group_c_function_failures(void **state) {
    (void)state;
    stream rows = { .rows = sections, .count = 7 };
    expect_failure(&rows, C_FUNCTION("half_value"), "USER", "bad MessagePack");
    rows = (stream){ .rows = sections, .count = 7 };
    expect_failure(&rows, C_FUNCTION("refuse_rows"), "USER", "this group is bad");
    rows = (stream){ .rows = sections, .count = 7 };
    expect_failure(&rows, C_FUNCTION("plain_call"), "PLAN", "has no `group`");
    rows = (stream){ .rows = sections, .count = 7 };
    expect_failure(&rows, C_FUNCTION("nobody"), "NOT_FOUND", "nobody");
}

/* A failure of the stream fails the task, whatever the function makes of the early end. */
static void test_group_c_function_cannot_hide_failures(void **state) {
    (void)state;
    stream rows = { .rows = sections, .count = 7, .fail_at = 3 };
    expect_failure(&rows, C_FUNCTION("deaf"), "CORRUPT", "the stream is broken");
    rows = (stream){ .rows = sections, .count = 1, .repeat = 9, .enough_at = 2 };
    expect_failure(&rows, C_FUNCTION("large_values"), "LIMIT", "enough");
}

/* ---- Lua ---- */

static void test_group_lua_block_sees_each_group(void **state) {
    (void)state;
    static const char sum[] = BLOCK("local n = 0 for r in rows do n = n + r end return n");
    expect(sum, "\"a\" 6\n\"b\" 4\nnull 5\n2 13\n");
    expect(BLOCK("for r in rows do emit(r * 10) end emit(key)"),
           "\"a\" 10\n\"a\" 20\n\"a\" 30\n\"a\" \"a\"\n\"b\" 40\n\"b\" \"b\"\nnull 50\nnull null\n"
           "2 60\n2 70\n2 2\n");
    expect(EXPRESSION("{key, rows()}"),
           "\"a\" [\"a\",1]\n\"b\" [\"b\",4]\nnull [null,5]\n2 [2,6]\n");
    expect(BLOCK("rows() return rows()"), "\"a\" 2\n2 7\n");
    expect(BLOCK("return nil"), "");
}

/* Rows may be pulled from a coroutine too: nothing waits inside. */
static void test_group_lua_rows_work_in_coroutines(void **state) {
    (void)state;
    expect(BLOCK("local co = coroutine.wrap(function() return rows() end) return co()"),
           "\"a\" 1\n\"b\" 4\nnull 5\n2 6\n");
}

static void test_group_lua_output_goes_on_early(void **state) {
    (void)state;
    stream rows = { .rows = sections, .count = 1, .repeat = 999 };
    zonda_error error = { 0 };
    zonda_err err = run(&rows, BLOCK("for r in rows do emit(('x'):rep(100000)) end"), &error);
    assert_ok(err, error);
    assert_int_equal(rows.given, 1000);
    assert_int_equal(rows.largest_gap, 0);
    free_stream(&rows);
}

/* A failure of the stream, or of an operator behind, cannot be caught and stays what it is. */
static void test_group_lua_cannot_hide_failures(void **state) {
    (void)state;
    stream rows = { .rows = sections, .count = 7, .fail_at = 3 };
    expect_failure(&rows, BLOCK("while pcall(rows) do end"), "CORRUPT", "the stream is broken");
    rows = (stream){ .rows = sections, .count = 7, .enough_at = 2 };
    expect_failure(&rows, BLOCK("for r in rows do pcall(emit, r) end"), "LIMIT", "enough");
    rows = (stream){ .rows = sections, .count = 7, .fail_at = 3 };
    expect_failure(&rows,
                   BLOCK("local co = coroutine.create(function() while true do rows() end end) "
                         "coroutine.resume(co) emit(1) emit(2)"),
                   "CORRUPT", "the stream is broken");
    assert_int_equal(rows.given, 0);
}

static void test_group_lua_failures(void **state) {
    (void)state;
    stream rows = { .rows = sections, .count = 7 };
    zonda_error error = expect_failure(
        &rows, BLOCK("for r in rows do if r == 4 then error('four') end end"), "USER", "four");
    assert_non_null(strstr(error.traceback, "group_by:1"));
    rows = (stream){ .rows = sections, .count = 7 };
    expect_failure(&rows, BLOCK("emit()"), "USER", "value expected");
    rows = (stream){ .rows = sections, .count = 7 };
    expect_failure(&rows, BLOCK("emit(error)"), "USER", "function");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_group_c_function_sees_each_group, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_group_c_function_need_not_take_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_group_empty_stream_calls_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_group_c_function_output_goes_on_early, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_group_c_function_failures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_group_c_function_cannot_hide_failures, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_group_lua_block_sees_each_group, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_group_lua_rows_work_in_coroutines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_group_lua_output_goes_on_early, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_group_lua_cannot_hide_failures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_group_lua_failures, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, register_all, NULL);
}
