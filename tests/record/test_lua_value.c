/* SPDX-License-Identifier: MPL-2.0 */
/* Views over records in a bare Lua state: reading, changing and writing values that JSON cannot
 * make, and large containers. Each example is a chunk that gets the value as its argument. */
#include "test.h"

#include <lauxlib.h>
#include <lualib.h>

#include "record/lua_value.h"
#include "record/value.h"

struct context {
    zn_bytes value;
    zn_buf *out;
    const char *chunk;
    bool frozen;
};

static int run_protected(lua_State *lua) {
    struct context *context = lua_touserdata(lua, 1);
    luaL_openlibs(lua);
    zn_lua_value_open(lua);
    if (luaL_loadstring(lua, context->chunk) != LUA_OK) {
        return lua_error(lua);
    }
    if (context->frozen) {
        zn_lua_push_frozen(lua, context->value);
    } else {
        zn_lua_push(lua, context->value);
    }
    lua_call(lua, 1, 1);
    zn_lua_encode(lua, -1, context->out);
    return 0;
}

/* Runs `chunk` on the value; returns what it gave as bytes, or fails with the message. */
static void run(const char *chunk, const zn_buf *value, bool frozen, zn_buf *out) {
    lua_State *lua = luaL_newstate();
    struct context context = { zn_buf_bytes(value), out, chunk, frozen };
    lua_pushcfunction(lua, run_protected);
    lua_pushlightuserdata(lua, &context);
    if (lua_pcall(lua, 1, 0, 0) != LUA_OK) {
        char *text = strdup(lua_tostring(lua, -1));
        zn_buf_reset(out, 0);
        zn_put_text(out, text);
        free(text);
    }
    lua_close(lua);
}

static void check_same(const char *chunk, const zn_buf *value) {
    zn_buf out = { 0 };
    run(chunk, value, false, &out);
    assert_true(zn_bytes_equal(zn_buf_bytes(&out), zn_buf_bytes(value)));
    zn_buf_free(&out);
}

static void check_text(const char *chunk, const zn_buf *value, bool frozen, const char *expected) {
    zn_buf out = { 0 };
    run(chunk, value, frozen, &out);
    zn_value head = zn_value_head(zn_buf_bytes(&out));
    assert_int_equal(head.type, ZN_VALUE_STRING);
    if (!zn_bytes_equal(head.bytes, zn_bytes_of_text(expected))) {
        fail_msg("%s gave %.*s, wanted %s", chunk, TEST_TEXT(head.bytes), expected);
    }
    zn_buf_free(&out);
}

/* {"u": 2^64-1, "b": bin ff 00, "e": ext, 7: "seven", "f": 1.5 as a single, "n": nil} */
static zn_buf odd_value(void) {
    zn_buf value = { 0 };
    zn_put_map(&value, 6);
    zn_put_text(&value, "u");
    zn_put_uint(&value, UINT64_MAX);
    zn_put_text(&value, "b");
    zn_put_binary(&value, (zn_bytes){ (const uint8_t *)"\xff", 2 });
    zn_put_text(&value, "e");
    zn_buf_append(&value, "\xd4\x05x", 3);
    zn_put_int(&value, 7);
    zn_put_text(&value, "seven");
    zn_put_text(&value, "f");
    zn_buf_append(&value, "\xca\x3f\xc0\x00\x00", 5);
    zn_put_text(&value, "n");
    zn_put_nil(&value);
    return value;
}

/* Values that Lua has no type for come back as they were, also from a changed map. */
static void test_lua_value_odd_types_round_trip(void **state) {
    (void)state;
    zn_buf value = odd_value();
    check_same("return ...", &value);
    check_same("local r = ... r.u = r.u r.e = r.e r.b = r.b r.n = r.n return r", &value);
    check_text("local r = ... return tostring(r.u) .. #r.b .. tostring(r.n) .. r[7] .. r.f", &value,
               false, "184467440737095516152nullseven1.5");
    check_text("local r = ... return tostring(r.u > 5) .. tostring(r.u < 2^64) .. "
               "tostring(r.u == r.u) .. tostring(r.u >= -1.5) .. tostring(2^63 <= r.u)",
               &value, false, "truetruetruetruetrue");
    check_text("local s = '' for k in pairs(...) do s = s .. k end return s", &value, false,
               "ube7fn");
    check_text("local r = ... return tostring(pcall(function() return r.u + 1 end))", &value, false,
               "false");
    zn_buf_free(&value);
}

/* Read-only values cannot be changed at any depth. */
static void test_lua_value_frozen_refuses_changes(void **state) {
    (void)state;
    zn_buf value = { 0 };
    zn_put_map(&value, 1);
    zn_put_text(&value, "a");
    zn_put_array(&value, 1);
    zn_put_int(&value, 1);
    check_text("local r = ... local _, e = pcall(function() r.a[1] = 2 end) "
               "return e:match('this value is read%-only')",
               &value, true, "this value is read-only");
    zn_buf_free(&value);
}

/* A large map and a large list, read in any order, give what they hold. */
static void test_lua_value_large_containers_are_indexed(void **state) {
    (void)state;
    zn_buf map = { 0 };
    zn_buf list = { 0 };
    zn_put_map(&map, 10000);
    zn_put_array(&list, 10000);
    for (int i = 1; i <= 10000; i++) {
        char name[16];
        snprintf(name, sizeof name, "k%d", i);
        zn_put_text(&map, name);
        zn_put_int(&map, i);
        zn_put_int(&list, i);
    }
    check_text("local m = ... for i = 10000, 1, -1 do assert(m['k' .. i] == i) end "
               "assert(m.x == nil) local n = 0 for k, v in pairs(m) do n = n + 1 "
               "assert(k == 'k' .. n and v == n) end return 'ok' .. n",
               &map, false, "ok10000");
    check_text("local l = ... local s = 0 for i = #l, 1, -1 do s = s + l[i] end "
               "for i = 1, #l, 7 do assert(l[i] == i) end return 'ok' .. s",
               &list, false, "ok50005000");
    check_same("local l = ... l[1] = l[1] return l", &list);
    check_same("local m = ... m.k5 = 5 return m", &map);
    zn_buf_free(&map);
    zn_buf_free(&list);
}

/* A key that is there twice is walked over twice and read as the last one. */
static void test_lua_value_duplicate_keys_end_a_loop(void **state) {
    (void)state;
    zn_buf value = { 0 };
    zn_put_map(&value, 3);
    for (int i = 1; i <= 3; i++) {
        zn_put_text(&value, i == 2 ? "b" : "a");
        zn_put_int(&value, i);
    }
    check_text("local r, s = ..., '' for k, v in pairs(r) do s = s .. k .. v end return s .. r.a",
               &value, false, "a1b2a33");
    zn_buf_free(&value);
}

/* A view in itself is found when it is written. */
static void test_lua_value_cycle_is_an_error(void **state) {
    (void)state;
    zn_buf value = { 0 };
    zn_put_map(&value, 1);
    zn_put_text(&value, "a");
    zn_put_map(&value, 0);
    check_text("local r = ... r.a.up = r return r", &value, false, "field a.up contains itself");
    zn_buf_free(&value);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lua_value_odd_types_round_trip),
        cmocka_unit_test(test_lua_value_frozen_refuses_changes),
        cmocka_unit_test(test_lua_value_large_containers_are_indexed),
        cmocka_unit_test(test_lua_value_duplicate_keys_end_a_loop),
        cmocka_unit_test(test_lua_value_cycle_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
