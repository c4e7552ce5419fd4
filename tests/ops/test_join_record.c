/* SPDX-License-Identifier: MPL-2.0 */
/* The record that a join makes of a pair: fields of both sides, fields that both have, suffixes,
 * functions, and records that are no maps. */
#include "test.h"

#include <zonda/function.h>

#include "base/limits.h"
#include "fake_host.h"
#include "ops/join_record.h"
#include "record/json.h"
#include "record/value.h"

static const zn_arg_def args_of_join[] = { ZN_JOIN_RECORD_ARGS };
static const zn_op_def test_op = { .name = "join_total",
                                   .op_class = ZN_OP_INNER,
                                   .args = args_of_join,
                                   .arg_count = 4,
                                   .doc = "a join" };

static char *json_of(zn_bytes value) {
    zn_buf text = { 0 };
    zonda_error error = { 0 };
    assert_ok(zn_json_write(value, &text, &error), error);
    zn_buf_append_byte(&text, '\0');
    return (char *)text.data;
}

/* The record of a pair of records in JSON, "" for none; or the text of the error. */
static char *make(const char *args, const char *left, const char *right, zonda_error *error) {
    zn_buf map = { 0 };
    zn_buf sides[2] = { 0 };
    fake_json(args, &map);
    for (unsigned i = 0; i < 2; i++) {
        const char *json = i == 0 ? left : right;
        if (json[0] != '\0') {
            fake_json(json, &sides[i]);
        }
    }
    zn_op op = { .def = &test_op, .args = zn_buf_bytes(&map), .shard_count = 1 };
    static const zn_task_host host = { .scratch = "" };
    zonda_task task = { .host = &host, .attempt = { { 1 }, { 0 }, 0, 1 } };
    assert_ok(zn_op_check_args(&test_op, op.args, error), *error);
    zn_join_record *record = NULL;
    assert_ok(zn_join_record_bind(&op, &record, error), *error);
    assert_ok(zn_join_record_begin(record, &task, error), *error);
    zn_bytes out = { 0 };
    zonda_err err = zn_join_record_make(record, &task, zn_buf_bytes(&sides[0]),
                                        zn_buf_bytes(&sides[1]), &out, error);
    if (err == ZONDA_OK) {
        assert_ok(zn_value_check(out, error), *error);
    }
    char *text = err == ZONDA_OK ? json_of(out) : strdup(error->text);
    zn_join_record_end(record, &task);
    zn_join_record_unbind(&record);
    zn_buf_free(&sides[0]);
    zn_buf_free(&sides[1]);
    zn_buf_free(&map);
    return text;
}

static void expect(const char *args, const char *left, const char *right, const char *expected) {
    zonda_error error = { 0 };
    char *text = make(args, left, right, &error);
    assert_string_equal(text, expected);
    assert_int_equal(error.code, ZONDA_OK);
    free(text);
}

static void expect_failure(const char *args, const char *left, const char *right,
                           const char *expected) {
    zonda_error error = { 0 };
    char *text = make(args, left, right, &error);
    assert_string_equal(text, expected);
    assert_err(error.code, USER);
    assert_true(error.permanent);
    free(text);
}

/* Fields of the left record, then those of the right one; key fields of both once, from the left.
 */
static void test_join_record_has_the_fields_of_both(void **state) {
    (void)state;
    expect("{\"once\":[\"id\"]}", "{\"id\":1,\"a\":2}", "{\"b\":3,\"id\":1.0,\"c\":null}",
           "{\"id\":1,\"a\":2,\"b\":3,\"c\":null}");
    expect("{\"once\":[\"x\",\"y\"]}", "{\"y\":1,\"x\":2}", "{\"x\":2,\"y\":1}",
           "{\"y\":1,\"x\":2}");
    expect("{}", "{\"id\":1}", "{\"ref\":1}", "{\"id\":1,\"ref\":1}");
    expect("{}", "{}", "{}", "{}");
}

/* Heads of maps have three forms; none may spoil what is around it. */
static void test_join_record_of_many_fields_has_the_right_head(void **state) {
    (void)state;
    for (unsigned count = 6; count <= 70000; count = count < 20 ? count + 1 : count * 11) {
        zn_buf left = { 0 };
        zn_buf expected = { 0 };
        for (unsigned i = 0; i < count; i++) {
            zn_buf_printf(&left, "%s\"f%u\":%u", i == 0 ? "{" : ",", i, i);
        }
        zn_buf_printf(&expected, "%.*s,\"z\":[]}", TEST_TEXT(left));
        zn_buf_append_byte(&expected, '\0');
        zn_buf_append_text(&left, "}");
        zn_buf_append_byte(&left, '\0');
        expect("{\"once\":[\"f3\"]}", (const char *)left.data, "{\"f3\":3,\"z\":[]}",
               (const char *)expected.data);
        zn_buf_free(&left);
        zn_buf_free(&expected);
    }
}

/* A field of both that is no key is not overwritten in silence. */
static void test_join_record_clash_is_an_error(void **state) {
    (void)state;
    expect_failure("{\"once\":[\"id\"]}", "{\"id\":1,\"size\":2}", "{\"id\":1,\"size\":3}",
                   "field \"size\" is in the left and in the right record, and is no key field of "
                   "both; give a suffix for the right one, or combine, or rename or drop it "
                   "before");
    expect_failure("{}", "{\"id\":1}", "{\"id\":1}",
                   "field \"id\" is in the left and in the right record, and is no key field of "
                   "both; give a suffix for the right one, or combine, or rename or drop it "
                   "before");
}

/* The suffix goes to right fields that the left record has, and to no others. */
static void test_join_record_suffix_tells_fields_apart(void **state) {
    (void)state;
    const char *args = "{\"once\":[\"id\"],\"suffix\":\"_r\"}";
    expect(args, "{\"id\":1,\"a\":2}", "{\"id\":1,\"a\":3,\"b\":4}",
           "{\"id\":1,\"a\":2,\"a_r\":3,\"b\":4}");
    expect_failure(args, "{\"a\":2,\"a_r\":0}", "{\"a\":3}",
                   "field \"a\" is in the left and in the right record, and with the suffix it "
                   "meets a field \"a_r\"; give another suffix, or combine");
    expect_failure(args, "{\"a\":2}", "{\"a\":3,\"a_r\":0}",
                   "field \"a\" is in the left and in the right record, and with the suffix it "
                   "meets a field \"a_r\"; give another suffix, or combine");
}

/* A record without a partner stays as it is. */
static void test_join_record_alone_is_unchanged(void **state) {
    (void)state;
    const char *args = "{\"how\":\"full\",\"once\":[\"id\"],\"suffix\":\"_r\"}";
    expect(args, "{\"id\":1,\"a\":2}", "", "{\"id\":1,\"a\":2}");
    expect(args, "", "{\"a\":2,\"id\":1}", "{\"a\":2,\"id\":1}");
}

/* Only maps have fields to put together. */
static void test_join_record_needs_maps(void **state) {
    (void)state;
    expect_failure("{}", "{\"a\":1}", "[1]",
                   "a record of the right side is no map but array; give combine to make the "
                   "record of a pair from such records");
    expect_failure("{\"how\":\"left\"}", "7", "",
                   "a record of the left side is no map but integer; give combine to make the "
                   "record of a pair from such records");
    expect("{\"how\":\"semi\"}", "7", "", "7");
    expect("{\"how\":\"anti\"}", "\"x\"", "", "\"x\"");
}

static zonda_err call_kinds(zonda_task *task, const msgpack_object *args, size_t arg_count,
                            msgpack_packer *out) {
    (void)task;
    assert_int_equal(arg_count, 2);
    msgpack_pack_array(out, 2);
    for (size_t i = 0; i < arg_count; i++) {
        msgpack_pack_int(out, (int)args[i].type);
    }
    return ZONDA_OK;
}

/* A function in C gets both records, and nil for one that is not there. */
static void test_join_record_combine_in_c(void **state) {
    (void)state;
    zonda_error error = { 0 };
    assert_ok(zonda_register("kinds", &(zonda_function){ .call = call_kinds }, &error), error);
    const char *args = "{\"how\":\"full\",\"combine\":{\"kind\":\"c\",\"name\":\"kinds\"}}";
    expect(args, "{}", "[]", "[7,6]");
    expect(args, "{}", "", "[7,0]");
    expect(args, "", "1", "[0,2]");
}

#ifdef ZN_HAVE_LUA
#define LUA(text) "{\"kind\":\"lua-expression\",\"text\":\"" text "\"}"

/* A function sees both records, or nil for one, and may make anything of them. */
static void test_join_record_combine_makes_the_record(void **state) {
    (void)state;
    const char *args =
        "{\"how\":\"full\",\"combine\":" LUA("{ l = left and left.a, r = right and right.a }") "}";
    expect(args, "{\"a\":1}", "{\"a\":2}", "{\"l\":1,\"r\":2}");
    expect(args, "{\"a\":1}", "", "{\"l\":1}");
    expect(args, "", "{\"a\":2}", "{\"r\":2}");
    expect("{\"combine\":" LUA("left + right") "}", "3", "4", "7");
    expect("{\"combine\":" LUA("left.b or right.b") "}", "{\"a\":1}", "{\"b\":[2]}", "[2]");
}

/* Two records have no bare fields; names are those of the sandbox. */
static void test_join_record_combine_has_two_names(void **state) {
    (void)state;
    expect("{\"combine\":" LUA("{ a = a == nil, r = r == nil, l = #left }") "}", "[1,2]",
           "{\"a\":1,\"r\":2}", "{\"a\":true,\"l\":2,\"r\":true}");
    zonda_error error = { 0 };
    char *text = make("{\"combine\":" LUA("left.x.y") "}", "{\"a\":1}", "{}", &error);
    assert_err(error.code, USER);
    assert_non_null(strstr(text, "attempt to index a nil value"));
    free(text);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join_record_has_the_fields_of_both),
        cmocka_unit_test(test_join_record_of_many_fields_has_the_right_head),
        cmocka_unit_test(test_join_record_clash_is_an_error),
        cmocka_unit_test(test_join_record_suffix_tells_fields_apart),
        cmocka_unit_test(test_join_record_alone_is_unchanged),
        cmocka_unit_test(test_join_record_needs_maps),
        cmocka_unit_test(test_join_record_combine_in_c),
#ifdef ZN_HAVE_LUA
        cmocka_unit_test(test_join_record_combine_makes_the_record),
        cmocka_unit_test(test_join_record_combine_has_two_names),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
