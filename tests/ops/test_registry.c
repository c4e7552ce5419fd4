/* SPDX-License-Identifier: MPL-2.0 */
/* The registry of C functions: what it takes, and what it says about what it has not. */
#include "test.h"

#include <zonda/function.h>

#include "fake_host.h"

#define FUNCTION(name) "{\"function\":{\"kind\":\"c\",\"name\":\"" name "\"}}"

static zonda_err call_double(zonda_task *task, const msgpack_object *args, size_t arg_count,
                             msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    msgpack_pack_uint64(out, args[0].via.u64 * 2);
    return ZONDA_OK;
}

static int register_all(void **state) {
    (void)state;
    static const char *const names[] = { "double", "is_odd", "repeat" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        zonda_error error = { 0 };
        zonda_function function = { .call = call_double };
        assert_ok(zonda_register(names[i], &function, &error), error);
    }
    return 0;
}

/* A function that this process does not have is named beside those that it has. */
static void test_function_unknown_lists_registered(void **state) {
    (void)state;
    fake_host host;
    fake_host_open(&host);
    zonda_error error = { 0 };
    fake_body body = fake_body_of(&host, 1);
    fake_body_op(&body, "from_range", "{\"n\":6}");
    fake_body_op(&body, "map", FUNCTION("duoble"));
    assert_null(fake_body_open(&body, &error));
    assert_err(error.code, NOT_FOUND);
    assert_string_equal(error.op, "map");
    const char *start =
        "function \"duoble\" is not registered in this process; registered: double, "
        "is_odd, repeat";
    assert_memory_equal(error.text, start, strlen(start));
    fake_host_close(&host);
}

/* Names are checked and taken once. */
static void test_register_refuses_bad_entries(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zonda_function function = { .call = call_double };
    zonda_function no_call = { 0 };
    char name[300];
    memset(name, 'x', sizeof name);
    name[256] = '\0';
    assert_err(zonda_register("double", &function, &error), REFUSED);
    assert_string_equal(error.text, "a function \"double\" is registered already");
    assert_err(zonda_register("", &function, &error), INVALID);
    assert_err(zonda_register(NULL, &function, &error), INVALID);
    assert_err(zonda_register(name, &function, &error), INVALID);
    assert_err(zonda_register("a\xff", &function, &error), INVALID);
    assert_err(zonda_register("new", &no_call, &error), INVALID);
    assert_err(zonda_register("new", NULL, NULL), INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_function_unknown_lists_registered),
        cmocka_unit_test(test_register_refuses_bad_entries),
    };
    return cmocka_run_group_tests(tests, register_all, NULL);
}
