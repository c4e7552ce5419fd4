/* SPDX-License-Identifier: MPL-2.0 */
/* find, match, gmatch and gsub of the string library, over patterns that can be stopped
 * (lua_pattern.c). They take the same arguments and give the same results as Lua's own; gsub also
 * takes a record for its table. */
#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

#include "ops/lua_pattern.h"
#include "ops/lua_sandbox.h"
#include "ops/lua_state.h"
#include "record/lua_value.h"

/* The pattern of arguments 1 (subject) and 2. */
static zn_pattern pattern_of(lua_State *lua, int subject, int text) {
    size_t subject_len;
    size_t text_len;
    zn_pattern pattern = { .lua = lua };
    pattern.subject = luaL_checklstring(lua, subject, &subject_len);
    pattern.text = luaL_checklstring(lua, text, &text_len);
    pattern.subject_end = pattern.subject + subject_len;
    pattern.end = pattern.text + text_len;
    return pattern;
}

/* "^" at the beginning is not for the matcher. */
static bool take_anchor(zn_pattern *pattern) {
    bool anchored = *pattern->text == '^';
    pattern->text += anchored ? 1 : 0;
    return anchored;
}

/* Where to begin, as an offset: argument `index` counts from 1, or from the end if negative. */
static size_t offset_of(lua_State *lua, int index, size_t len) {
    lua_Integer position = luaL_optinteger(lua, index, 1);
    if (position > 0) {
        return (size_t)position - 1;
    }
    if (position == 0 || position < -(lua_Integer)len) {
        return 0;
    }
    return (size_t)((lua_Integer)len + position);
}

static bool has_specials(const zn_pattern *pattern) {
    for (const char *at = pattern->text; at < pattern->end; at++) {
        if (*at != '\0' && strchr("^$*+?.([%-", *at) != NULL) {
            return true;
        }
    }
    return false;
}

static int find_plain(const zn_pattern *pattern, const char *at) {
    size_t len = (size_t)(pattern->end - pattern->text);
    const char *found = memmem(at, (size_t)(pattern->subject_end - at), pattern->text, len);
    if (found == NULL) {
        lua_pushnil(pattern->lua);
        return 1;
    }
    lua_pushinteger(pattern->lua, (lua_Integer)(found - pattern->subject) + 1);
    lua_pushinteger(pattern->lua, (lua_Integer)(found - pattern->subject) + (lua_Integer)len);
    return 2;
}

/* find and match. */
static int search(lua_State *lua, bool find) {
    zn_pattern pattern = pattern_of(lua, 1, 2);
    size_t offset = offset_of(lua, 3, (size_t)(pattern.subject_end - pattern.subject));
    if (offset > (size_t)(pattern.subject_end - pattern.subject)) {
        lua_pushnil(lua);
        return 1;
    }
    const char *at = pattern.subject + offset;
    if (find && (lua_toboolean(lua, 4) != 0 || !has_specials(&pattern))) {
        return find_plain(&pattern, at);
    }
    bool anchored = take_anchor(&pattern);
    const char *end = zn_pattern_match(&pattern, at);
    while (end == NULL && !anchored && at < pattern.subject_end) {
        end = zn_pattern_match(&pattern, ++at);
    }
    if (end == NULL) {
        lua_pushnil(lua);
        return 1;
    }
    if (!find) {
        return zn_pattern_push_all(&pattern, at, end);
    }
    lua_pushinteger(lua, (lua_Integer)(at - pattern.subject) + 1);
    lua_pushinteger(lua, (lua_Integer)(end - pattern.subject));
    return zn_pattern_push_all(&pattern, NULL, NULL) + 2;
}

static int find(lua_State *lua) {
    return search(lua, true);
}

static int match(lua_State *lua) {
    return search(lua, false);
}

/* The iterator: its upvalues are subject, pattern, where to go on, where the last match ended. An
 * empty match right behind the last one is none. */
static int next_match(lua_State *lua) {
    zn_pattern pattern = pattern_of(lua, lua_upvalueindex(1), lua_upvalueindex(2));
    lua_Integer last = lua_tointeger(lua, lua_upvalueindex(4));
    lua_Integer len = (lua_Integer)(pattern.subject_end - pattern.subject);
    for (lua_Integer at = lua_tointeger(lua, lua_upvalueindex(3)); at <= len; at++) {
        const char *end = zn_pattern_match(&pattern, pattern.subject + at);
        if (end != NULL && end - pattern.subject != last) {
            lua_pushinteger(lua, (lua_Integer)(end - pattern.subject));
            lua_copy(lua, -1, lua_upvalueindex(3));
            lua_replace(lua, lua_upvalueindex(4));
            return zn_pattern_push_all(&pattern, pattern.subject + at, end);
        }
    }
    lua_pushinteger(lua, len + 1);
    lua_replace(lua, lua_upvalueindex(3));
    return 0;
}

static int gmatch(lua_State *lua) {
    zn_pattern pattern = pattern_of(lua, 1, 2);
    size_t len = (size_t)(pattern.subject_end - pattern.subject);
    size_t offset = offset_of(lua, 3, len);
    lua_settop(lua, 2);
    lua_pushinteger(lua, (lua_Integer)(offset > len ? len + 1 : offset));
    lua_pushinteger(lua, -1);
    lua_pushcclosure(lua, next_match, 4);
    return 1;
}

/* A replacement text, with %0 to %9 for captures. */
static void add_text(zn_pattern *pattern, luaL_Buffer *buffer, const char *at, const char *end) {
    lua_State *lua = pattern->lua;
    size_t len;
    const char *text = lua_tolstring(lua, 3, &len);
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            luaL_addchar(buffer, text[i]);
            continue;
        }
        i++;
        if (text[i] == '%') {
            luaL_addchar(buffer, '%');
        } else if (text[i] == '0') {
            luaL_addlstring(buffer, at, (size_t)(end - at));
        } else if (isdigit((unsigned char)text[i]) != 0) {
            zn_pattern_push(pattern, text[i] - '1', at, end);
            luaL_tolstring(lua, -1, NULL);
            lua_remove(lua, -2);
            luaL_addvalue(buffer);
        } else {
            luaL_error(lua, "invalid use of '%c' in replacement string", '%');
        }
    }
}

/* Adds what replaces a match; false if the match stays. */
static bool add_replacement(zn_pattern *pattern, luaL_Buffer *buffer, const char *at,
                            const char *end) {
    lua_State *lua = pattern->lua;
    switch (lua_type(lua, 3)) {
    case LUA_TFUNCTION:
        lua_pushvalue(lua, 3);
        lua_call(lua, zn_pattern_push_all(pattern, at, end), 1);
        break;
    case LUA_TTABLE:
    case LUA_TUSERDATA:
        zn_pattern_push(pattern, 0, at, end);
        lua_gettable(lua, 3);
        break;
    default:
        add_text(pattern, buffer, at, end);
        return true;
    }
    if (lua_toboolean(lua, -1) == 0) {
        lua_pop(lua, 1);
        luaL_addlstring(buffer, at, (size_t)(end - at));
        return false;
    }
    if (lua_isstring(lua, -1) == 0) {
        luaL_error(lua, "invalid replacement value (a %s)", zn_lua_type_name(lua, -1));
    }
    luaL_addvalue(buffer);
    return true;
}

static void check_replacement(lua_State *lua) {
    int type = lua_type(lua, 3);
    luaL_argexpected(lua,
                     type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION ||
                         type == LUA_TTABLE || zn_lua_is_view(lua, 3),
                     3, "string/function/table");
}

static int gsub(lua_State *lua) {
    zn_pattern pattern = pattern_of(lua, 1, 2);
    check_replacement(lua);
    lua_Integer len = (lua_Integer)(pattern.subject_end - pattern.subject);
    lua_Integer limit = luaL_optinteger(lua, 4, len + 1);
    bool anchored = take_anchor(&pattern);
    const char *at = pattern.subject;
    const char *last = NULL;
    lua_Integer replaced = 0;
    bool changed = false;
    luaL_Buffer buffer;
    luaL_buffinit(lua, &buffer);
    while (replaced < limit) {
        const char *end = zn_pattern_match(&pattern, at);
        if (end != NULL && end != last) {
            replaced++;
            changed = add_replacement(&pattern, &buffer, at, end) || changed;
            at = last = end;
        } else if (at < pattern.subject_end) {
            luaL_addchar(&buffer, *at++);
        } else {
            break;
        }
        if (anchored) {
            break;
        }
    }
    if (changed) {
        luaL_addlstring(&buffer, at, (size_t)(pattern.subject_end - at));
        luaL_pushresult(&buffer);
    } else {
        lua_pushvalue(lua, 1);
    }
    lua_pushinteger(lua, replaced);
    return 2;
}

void zn_lua_strings_open(lua_State *lua, int strings) {
    static const luaL_Reg functions[] = {
        { "find", find }, { "match", match }, { "gmatch", gmatch }, { "gsub", gsub }, { NULL, NULL }
    };
    lua_pushvalue(lua, strings);
    luaL_setfuncs(lua, functions, 0);
    lua_pop(lua, 1);
}
