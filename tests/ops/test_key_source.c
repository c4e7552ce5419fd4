/* SPDX-License-Identifier: MPL-2.0 */
/* Keys of records, from fields, from lists of fields, and from functions. */
#include "test.h"

#include <zonda/function.h>

#include "base/limits.h"
#include "fake_host.h"
#include "ops/key_source.h"
#include "record/json.h"
#include "record/key.h"
#include "record/value.h"

static fake_host host;
static zn_stage_exec *stage; /* that functions are bound to */

static const zn_arg_def args[] = {
    { .name = "by", .type = ZN_ARG_KEY, .use = ZN_ARG_POSITIONAL, .doc = "the key" },
};
static const zn_op_def def = {
    .name = "sort_shard", .op_class = ZN_OP_INNER, .args = args, .arg_count = 1
};

static zonda_err give_second(zonda_task *task, const msgpack_object *given, size_t count,
                             msgpack_packer *out) {
    (void)count;
    if (given[0].type != MSGPACK_OBJECT_ARRAY) {
        return zonda_task_fail(task, "no array");
    }
    msgpack_pack_object(out, given[0].via.array.ptr[1]);
    return ZONDA_OK;
}

static int set_up(void **state) {
    (void)state;
    fake_host_open(&host);
    fake_body body = fake_body_of(&host, 1);
    fake_body_op(&body, "from_range", "{\"n\":1}");
    zonda_error error = { 0 };
    stage = fake_body_open(&body, &error);
    return stage == NULL ? -1 : 0;
}

static int tear_down(void **state) {
    (void)state;
    zn_stage_exec_destroy(&stage);
    fake_host_close(&host);
    return 0;
}

/* A source bound to the argument `by`, ready for records. */
typedef struct bound {
    zn_buf args;
    zn_op op;
    zonda_task task;
    zn_key_source *source;
} bound;

static void bind_to(bound *self, const char *by) {
    *self = (bound){ .task = { .host = &host.host } };
    zonda_error error = { 0 };
    zn_put_map(&self->args, 1);
    zn_put_text(&self->args, "by");
    fake_json(by, &self->args);
    self->op =
        (zn_op){ .def = &def, .stage = stage, .args = zn_buf_bytes(&self->args), .shard_count = 1 };
    assert_ok(zn_op_check_args(&def, self->op.args, &error), error);
    assert_ok(zn_key_source_bind(&self->op, "by", &self->source, &error), error);
    assert_ok(zn_key_source_begin(self->source, &self->task, &error), error);
}

static void let_go(bound *self) {
    zn_key_source_end(self->source, &self->task);
    zn_key_source_unbind(&self->source);
    assert_null(self->source);
    zn_buf_free(&self->args);
}

/* The key of a record is `expected`, as a value and as what its encoding says. */
static void expect_key(bound *self, const char *record, const char *expected) {
    zonda_error error = { 0 };
    zn_buf bytes = { 0 };
    zn_buf wanted = { 0 };
    zn_buf key = { 0 };
    zn_buf value = { 0 };
    fake_json(record, &bytes);
    fake_json(expected, &wanted);
    assert_ok(zn_key_source_value(self->source, &self->task, zn_buf_bytes(&bytes), &value, &error),
              error);
    assert_int_equal(value.len, wanted.len);
    assert_memory_equal(value.data, wanted.data, wanted.len);
    zn_buf_append_text(&key, "x");
    assert_ok(zn_key_source_put(self->source, &self->task, zn_buf_bytes(&bytes), &key, &error),
              error);
    value.len = 0;
    zn_key_put(&value, zn_buf_bytes(&wanted), NULL);
    assert_int_equal(key.len, value.len + 1);
    assert_memory_equal(key.data + 1, value.data, value.len);
    zn_buf_free(&value);
    zn_buf_free(&key);
    zn_buf_free(&wanted);
    zn_buf_free(&bytes);
}

static zonda_error expect_refused(bound *self, zn_bytes record) {
    zonda_error error = { 0 };
    zn_buf key = { 0 };
    zn_buf_append_text(&key, "x");
    assert_int_not_equal(zn_key_source_put(self->source, &self->task, record, &key, &error),
                         ZONDA_OK);
    assert_int_equal(key.len, 1);
    zn_buf_free(&key);
    return error;
}

/* A name gives the value of the field, a path that of the inner one, nil if it is not there. */
static void test_key_source_of_a_field(void **state) {
    (void)state;
    bound self;
    bind_to(&self, "\"a\"");
    expect_key(&self, "{\"b\":1,\"a\":[2,\"x\"]}", "[2,\"x\"]");
    expect_key(&self, "{\"b\":1}", "null");
    expect_key(&self, "{\"a\":null}", "null");
    expect_key(&self, "\"a\"", "null");
    let_go(&self);
    bind_to(&self, "\"a.b\"");
    expect_key(&self, "{\"a\":{\"b\":7}}", "7");
    expect_key(&self, "{\"a.b\":8}", "8");
    expect_key(&self, "{\"a\":5}", "null");
    let_go(&self);
}

/* A list gives the array of the values, also a list of one. */
static void test_key_source_of_fields(void **state) {
    (void)state;
    bound self;
    bind_to(&self, "[\"a\",\"c.d\"]");
    expect_key(&self, "{\"c\":{\"d\":true},\"a\":-1.5}", "[-1.5,true]");
    expect_key(&self, "{}", "[null,null]");
    let_go(&self);
    bind_to(&self, "[\"a\"]");
    expect_key(&self, "{\"a\":1}", "[1]");
    let_go(&self);
}

/* A function gets the record, whatever it is. */
static void test_key_source_of_a_function(void **state) {
    (void)state;
    bound self;
    bind_to(&self, "{\"kind\":\"c\",\"name\":\"second\"}");
    expect_key(&self, "[1,\"two\"]", "\"two\"");
    expect_key(&self, "[1,{}]", "{}");
    static const uint8_t number[] = { 5 };
    zonda_error error = expect_refused(&self, (zn_bytes){ number, sizeof number });
    assert_err(error.code, USER);
    assert_string_equal(error.text, "no array");
    let_go(&self);
}

/* What has no key is refused for good, with words that say why. */
static void test_key_source_without_a_key_is_refused(void **state) {
    (void)state;
    bound self;
    bind_to(&self, "\"a\"");
    static const uint8_t nan[] = { 0x81, 0xa1, 'a', 0xca, 0x7f, 0xc0, 0, 0 };
    zonda_error error = expect_refused(&self, (zn_bytes){ nan, sizeof nan });
    assert_err(error.code, BAD_RECORD);
    assert_true(error.permanent);
    assert_non_null(strstr(error.text, "NaN"));
    let_go(&self);
}

/* An encoding may have as many bytes as the limit says, and not one more. */
static void test_key_source_of_a_large_key_is_refused(void **state) {
    (void)state;
    bound self;
    bind_to(&self, "\"a\"");
    for (unsigned over = 0; over < 2; over++) {
        size_t len = ZN_KEY_BYTES_MAX - 2 + over; /* and two bytes around it */
        zn_buf text = { 0 };
        zn_buf_reserve(&text, len);
        memset(text.data, 'x', len);
        zn_buf record = { 0 };
        zn_put_map(&record, 1);
        zn_put_text(&record, "a");
        zn_put_string(&record, (zn_bytes){ text.data, len });
        zn_buf key = { 0 };
        zonda_error error = { 0 };
        zonda_err err =
            zn_key_source_put(self.source, &self.task, zn_buf_bytes(&record), &key, &error);
        assert_string_equal(zonda_err_name(err), over == 0 ? "OK" : "LIMIT");
        assert_int_equal(key.len, over == 0 ? ZN_KEY_BYTES_MAX : 0);
        zn_buf_free(&key);
        zn_buf_free(&record);
        zn_buf_free(&text);
    }
    let_go(&self);
}

/* Other values are no keys, and a function has to exist. */
static void test_key_source_arguments_are_checked(void **state) {
    (void)state;
    static const char *const bad[] = { "1",   "\"\"", "[]", "[\"a\",1]", "{}", "{\"kind\":\"x\"}",
                                       "null" };
    zonda_error error = { 0 };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        zn_buf map = { 0 };
        zn_put_map(&map, 1);
        zn_put_text(&map, "by");
        fake_json(bad[i], &map);
        assert_err(zn_op_check_args(&def, zn_buf_bytes(&map), &error), PLAN);
        zn_buf_free(&map);
    }
    zn_buf map = { 0 };
    fake_json("{\"by\":{\"kind\":\"c\",\"name\":\"nobody\"}}", &map);
    zn_op op = { .def = &def, .stage = stage, .args = zn_buf_bytes(&map), .shard_count = 1 };
    zn_key_source *source = NULL;
    assert_err(zn_key_source_bind(&op, "by", &source, &error), NOT_FOUND);
    assert_null(source);
    assert_err(zn_key_source_bind(&op, "to", &source, &error), PLAN);
    zn_buf_free(&map);
}

int main(void) {
    static const zonda_function second = { .call = give_second };
    zonda_error error;
    if (zonda_register("second", &second, &error) != ZONDA_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_source_of_a_field),
        cmocka_unit_test(test_key_source_of_fields),
        cmocka_unit_test(test_key_source_of_a_function),
        cmocka_unit_test(test_key_source_without_a_key_is_refused),
        cmocka_unit_test(test_key_source_of_a_large_key_is_refused),
        cmocka_unit_test(test_key_source_arguments_are_checked),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
