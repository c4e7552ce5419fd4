/* SPDX-License-Identifier: MPL-2.0 */
/* Patterns give what Lua's own give, results and messages, and can be stopped where those cannot.
 */
#include "test.h"

#include <lauxlib.h>
#include <lualib.h>

#include "ops/lua_sandbox.h"
#include "ops/lua_state.h"

/* Gets `old` (Lua's string library), `new` (ours) and a number to start from. Makes patterns of
 * pieces and calls both. */
static const char compare_random[] =
    "local old, new, random, pcall, select, tostring, concat, error, seed = ...\n"
    "local pieces = { 'a', 'b', '.', '%a', '%A', '%d', '%s', '%w', '%x', '%p', '%%', '[ab]', "
    "'[^a]',\n"
    "  '[a-c]', '[%d_]', '[]]', '[^]]', '[a-]', '[%]]', '(', ')', '()', '(a)', '(.-)', '(%w+)', "
    "'%1',\n"
    "  '%2', '%0', '%bab', '%b()', '%f[%a]', '%f[^a]', '%f', '^', '$', '[', ']', '%', '-', '*', "
    "'+',\n"
    "  '?', 'a*', 'b-', '.+', '.-', '[ab]*', '%d?', '\\0', '%z', '\\xff', '[\\x80-\\xff]' }\n"
    "local letters = { 'a', 'b', 'c', '1', '2', ' ', '(', ')', ']', '_', '-', '\\0', '\\xff', 'A' "
    "}\n"
    "local replacements = { 'x', '%0', '%1', '<%1%0>', '%2', '%', '%%', '%a', 7,\n"
    "  { a = 'A', b = false, ['1'] = 5 }, function(c, d) return d or c end, function() end,\n"
    "  function() return {} end }\n"
    "local function some(list, count)\n"
    "  local made = {}\n"
    "  for i = 1, random(0, count) do made[i] = list[random(1, #list)] end\n"
    "  return concat(made)\n"
    "end\n"
    "local function show(...)\n"
    "  local made = {}\n"
    "  for i = 1, select('#', ...) do made[i] = tostring((select(i, ...))) end\n"
    "  return concat(made, '|')\n"
    "end\n"
    "local function all(library, subject, pattern, init)\n"
    "  local made = {}\n"
    "  for a, b in library.gmatch(subject, pattern, init) do made[#made + 1] = show(a, b) end\n"
    "  return concat(made, ';')\n"
    "end\n"
    "for round = 1, 20000 do\n"
    "  local subject, pattern, init = some(letters, 12), some(pieces, 6), random(-14, 14)\n"
    "  local replacement = replacements[random(1, #replacements)]\n"
    "  local limit = random(0, 3) > 0 and 99 or random(-1, 3)\n"
    "  local function both(what, ...)\n"
    "    local a, b = show(pcall(old[what], ...)), show(pcall(new[what], ...))\n"
    "    if a ~= b then error(what .. ' of ' .. old.format('%q', pattern) .. ' in ' ..\n"
    "      old.format('%q', subject) .. ' gives ' .. b .. ', not ' .. a) end\n"
    "  end\n"
    "  both('find', subject, pattern, init)\n"
    "  both('find', subject, pattern, init, true)\n"
    "  both('match', subject, pattern, init)\n"
    "  both('gsub', subject, pattern, replacement, limit)\n"
    "  local a, b = show(pcall(all, old, subject, pattern, init)), show(pcall(all, new, subject, "
    "pattern, init))\n"
    "  if a ~= b then error('gmatch of ' .. old.format('%q', pattern) .. ' in ' ..\n"
    "    old.format('%q', subject) .. ' gives ' .. b .. ', not ' .. a) end\n"
    "end\n";

static int compare(lua_State *lua) {
    lua_settop(lua, 0);
    luaL_requiref(lua, "old", luaopen_string, 0);
    lua_newtable(lua);
    zn_lua_strings_open(lua, 2);
    if (luaL_loadbufferx(lua, compare_random, strlen(compare_random), "=compare", "t") != LUA_OK) {
        return lua_error(lua);
    }
    lua_pushvalue(lua, 1);
    lua_pushvalue(lua, 2);
    luaL_requiref(lua, "m", luaopen_math, 0);
    lua_getfield(lua, -1, "random");
    lua_remove(lua, -2);
    luaL_requiref(lua, "b", luaopen_base, 0);
    static const char *const names[] = { "pcall", "select", "tostring" };
    int base = lua_gettop(lua);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        lua_getfield(lua, base, names[i]);
    }
    luaL_requiref(lua, "t", luaopen_table, 0);
    lua_getfield(lua, -1, "concat");
    lua_remove(lua, -2);
    lua_getfield(lua, base, "error");
    lua_remove(lua, base);
    lua_pushinteger(lua, 1);
    lua_call(lua, 9, 0);
    return 0;
}

/* Random patterns over random texts: find, match, gmatch and gsub do what Lua's own do. */
static void test_lua_pattern_random_ones_match_as_in_lua(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_lua_limits limits = zn_lua_limits_of(0, 0);
    zn_lua_state *lua = zn_lua_state_new(&limits, &error);
    assert_non_null(lua);
    assert_ok(zn_lua_state_call(lua, compare, NULL, &error), error);
    zn_lua_state_destroy(&lua);
}

static int run_text(lua_State *lua) {
    const char *text = lua_touserdata(lua, 1);
    if (luaL_loadbufferx(lua, text, strlen(text), "=text", "t") != LUA_OK) {
        return lua_error(lua);
    }
    zn_lua_sandbox_push(lua);
    lua_setupvalue(lua, -2, 1);
    lua_call(lua, 0, 0);
    return 0;
}

/* Patterns that would run for hours end at the limit of instructions, and say so, whatever catches
 * the error. */
static void test_lua_pattern_backtracking_is_bounded(void **state) {
    (void)state;
    static const char *const texts[] = {
        "local s = ('a'):rep(30000) return s:find('.-.-.-.-b')",
        "local s = ('a'):rep(30000) return s:match('a*a*a*a*b')",
        "local s = ('('):rep(100000) return s:find('%b()')",
        "local s = ('a'):rep(30000) for w in s:gmatch('.-.-.-b') do end",
        "local s = ('a'):rep(30000) return s:gsub('.-.-.-b', '')",
        "local s = ('ab'):rep(20000) return s:find('(.+)(.+)%1%2%1x')",
        "local s = ('a'):rep(30000) while true do pcall(s.find, s, '.-.-.-.-b') end",
    };
    zn_lua_limits limits = zn_lua_limits_of(0, 5000000);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        zonda_error error = { 0 };
        zn_lua_state *lua = zn_lua_state_new(&limits, &error);
        assert_non_null(lua);
        assert_err(zn_lua_state_call(lua, run_text, (void *)(uintptr_t)texts[i], &error), LIMIT);
        assert_non_null(strstr(error.text, "instruction limit of 5000000"));
        zn_lua_state_destroy(&lua);
    }
}

/* What is usual costs little: a megabyte of text stays far below the limit. */
static void test_lua_pattern_usual_ones_cost_little(void **state) {
    (void)state;
    static const char text[] =
        "local s = ('key = some value of it; '):rep(40000)\n"
        "local n = 0\n"
        "for k, v in s:gmatch('(%w+)%s*=%s*([^;]-);') do n = n + 1 end\n"
        "assert(n == 40000)\n"
        "local t, m = s:gsub('%s+', ' ')\n"
        "assert(#t == #s and m == 40000 * 6)\n"
        "assert(s:find('nothing', 1, true) == nil and s:find('no such') == nil)\n";
    zonda_error error = { 0 };
    zn_lua_limits limits = zn_lua_limits_of(0, 40000000);
    zn_lua_state *lua = zn_lua_state_new(&limits, &error);
    assert_non_null(lua);
    assert_ok(zn_lua_state_call(lua, run_text, (void *)(uintptr_t)text, &error), error);
    zn_lua_state_destroy(&lua);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lua_pattern_random_ones_match_as_in_lua),
        cmocka_unit_test(test_lua_pattern_backtracking_is_bounded),
        cmocka_unit_test(test_lua_pattern_usual_ones_cost_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
