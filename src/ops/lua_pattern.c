/* SPDX-License-Identifier: MPL-2.0 */
/* Lua patterns (https://www.lua.org/manual/5.4/manual.html#6.4.1) that can be stopped. Lua's own
 * matcher backtracks in C, where no hook runs: ".-.-.-.-x" over a text of some kilobytes takes
 * hours that nobody can end. Here every step counts as an instruction of the running call, so the
 * limit and a cancellation hold. Results and messages are those of Lua 5.4; a test compares them on
 * random patterns.
 *
 * A match is tried item by item. What follows a repetition or a capture is matched by recursion, so
 * that a failure comes back to try the next possibility; the depth is bounded as in Lua. */
#include "ops/lua_pattern.h"

#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

#include "ops/lua_state.h"

enum {
    OPEN = -1,     /* length of a capture whose end is not reached */
    POSITION = -2, /* and of "()" */
    DEPTH_MAX = 200,
    STEPS_MAX = 1000 /* between two looks at the limits */
};

static void count(zn_pattern *pattern, size_t steps) {
    pattern->steps += (unsigned)steps;
    if (pattern->steps >= STEPS_MAX) {
        unsigned taken = pattern->steps;
        pattern->steps = 0;
        zn_lua_state_count(pattern->lua, taken);
    }
}

/* Behind the single-character item at `at`: a character, a class or a set. */
static const char *item_end(const zn_pattern *pattern, const char *at) {
    char first = *at++;
    if (first == '%') {
        if (at == pattern->end) {
            luaL_error(pattern->lua, "malformed pattern (ends with '%%')");
        }
        return at + 1;
    }
    if (first != '[') {
        return at;
    }
    at += *at == '^' ? 1 : 0;
    bool closed = false;
    while (!closed) { /* a bracket in the first place is not the end */
        if (at >= pattern->end) {
            luaL_error(pattern->lua, "malformed pattern (missing ']')");
        }
        at += *at == '%' && at + 1 < pattern->end ? 2 : 1;
        closed = at < pattern->end && *at == ']';
    }
    return at + 1;
}

static bool is_in_class(unsigned char character, unsigned char name) {
    int found = 0;
    switch (tolower(name)) {
    case 'a':
        found = isalpha(character);
        break;
    case 'c':
        found = iscntrl(character);
        break;
    case 'd':
        found = isdigit(character);
        break;
    case 'g':
        found = isgraph(character);
        break;
    case 'l':
        found = islower(character);
        break;
    case 'p':
        found = ispunct(character);
        break;
    case 's':
        found = isspace(character);
        break;
    case 'u':
        found = isupper(character);
        break;
    case 'w':
        found = isalnum(character);
        break;
    case 'x':
        found = isxdigit(character);
        break;
    case 'z': /* of old, and still known */
        found = character == '\0';
        break;
    default:
        return name == character;
    }
    return (found != 0) != (isupper(name) != 0);
}

/* `set` is the opening bracket, `last` the closing one. */
static bool is_in_set(unsigned char character, const char *set, const char *last) {
    const unsigned char *at = (const unsigned char *)set + 1;
    const unsigned char *end = (const unsigned char *)last;
    bool wanted = *at != '^';
    at += wanted ? 0 : 1;
    while (at < end) {
        bool found;
        if (*at == '%') {
            found = is_in_class(character, at[1]);
            at += 2;
        } else if (at[1] == '-' && at + 2 < end) {
            found = at[0] <= character && character <= at[2];
            at += 3;
        } else {
            found = *at++ == character;
        }
        if (found) {
            return wanted;
        }
    }
    return !wanted;
}

/* Whether the item from `item` to `end` matches the character at `at`. */
static bool matches_one(zn_pattern *pattern, const char *at, const char *item, const char *end) {
    if (at >= pattern->subject_end) {
        return false;
    }
    switch (*item) {
    case '.':
        return true;
    case '%':
        return is_in_class((unsigned char)*at, (unsigned char)item[1]);
    case '[':
        count(pattern, (size_t)(end - item) / 4);
        return is_in_set((unsigned char)*at, item, end - 1);
    default:
        return *item == *at;
    }
}

static const char *match(zn_pattern *pattern, const char *at, const char *item);

/* As many as there are, and then ever fewer. */
static const char *match_longest(zn_pattern *pattern, const char *at, const char *item,
                                 const char *end) {
    ptrdiff_t repeated = 0;
    while (matches_one(pattern, at + repeated, item, end)) {
        count(pattern, 1);
        repeated++;
    }
    const char *found = NULL;
    while (found == NULL && repeated >= 0) {
        found = match(pattern, at + repeated, end + 1);
        repeated--;
    }
    return found;
}

static const char *match_shortest(zn_pattern *pattern, const char *at, const char *item,
                                  const char *end) {
    for (;;) {
        const char *found = match(pattern, at, end + 1);
        if (found != NULL || !matches_one(pattern, at, item, end)) {
            return found;
        }
        at++;
    }
}

static const char *open_capture(zn_pattern *pattern, const char *at, const char *rest,
                                ptrdiff_t len) {
    if (pattern->capture_count >= ZN_PATTERN_CAPTURES_MAX) {
        luaL_error(pattern->lua, "too many captures");
    }
    pattern->captures[pattern->capture_count++] = (zn_capture){ .start = at, .len = len };
    const char *found = match(pattern, at, rest);
    pattern->capture_count -= found == NULL ? 1 : 0;
    return found;
}

static const char *close_capture(zn_pattern *pattern, const char *at, const char *rest) {
    int last = pattern->capture_count - 1;
    while (last >= 0 && pattern->captures[last].len != OPEN) {
        last--;
    }
    if (last < 0) {
        luaL_error(pattern->lua, "invalid pattern capture");
    }
    zn_capture *capture = &pattern->captures[last];
    capture->len = at - capture->start;
    const char *found = match(pattern, at, rest);
    if (found == NULL) {
        capture->len = OPEN;
    }
    return found;
}

/* "%1": the same text again. */
static const char *match_again(zn_pattern *pattern, const char *at, char digit) {
    int index = digit - '1';
    if (index < 0 || index >= pattern->capture_count || pattern->captures[index].len == OPEN) {
        luaL_error(pattern->lua, "invalid capture index %%%d", index + 1);
    }
    const zn_capture *capture = &pattern->captures[index];
    if (capture->len < 0 || pattern->subject_end - at < capture->len) {
        return NULL;
    }
    count(pattern, (size_t)capture->len / 8);
    return memcmp(capture->start, at, (size_t)capture->len) == 0 ? at + capture->len : NULL;
}

/* "%bxy"; `pair` is behind the b. */
static const char *match_balanced(zn_pattern *pattern, const char *at, const char *pair) {
    if (pattern->end - pair < 2) {
        luaL_error(pattern->lua, "malformed pattern (missing arguments to '%%b')");
    }
    if (at >= pattern->subject_end || *at != pair[0]) {
        return NULL;
    }
    size_t open = 1;
    for (at++; at < pattern->subject_end; at++) {
        count(pattern, 1);
        if (*at == pair[1]) {
            open--;
            if (open == 0) {
                return at + 1;
            }
        } else if (*at == pair[0]) {
            open++;
        }
    }
    return NULL;
}

/* "%f[set]"; `set` is behind the f. Sets `*rest` to what is behind the set. */
static bool is_frontier(zn_pattern *pattern, const char *at, const char *set, const char **rest) {
    if (set >= pattern->end || *set != '[') {
        luaL_error(pattern->lua, "missing '[' after '%%f' in pattern");
    }
    *rest = item_end(pattern, set);
    const char *last = *rest - 1;
    unsigned char before = at == pattern->subject ? 0 : (unsigned char)at[-1];
    unsigned char here = (unsigned char)*at; /* NUL at the end */
    return !is_in_set(before, set, last) && is_in_set(here, set, last);
}

/* One item that is no repetition: moves `*at` and `*item` behind it; false if it does not match. */
static bool match_special(zn_pattern *pattern, const char **at, const char **item) {
    const char *end = NULL;
    switch ((*item)[1]) {
    case 'b':
        *at = match_balanced(pattern, *at, *item + 2);
        *item += 4;
        return *at != NULL;
    case 'f':
        if (!is_frontier(pattern, *at, *item + 2, &end)) {
            return false;
        }
        *item = end;
        return true;
    default:
        *at = match_again(pattern, *at, (*item)[1]);
        *item += 2;
        return *at != NULL;
    }
}

static bool is_special(const zn_pattern *pattern, const char *item) {
    return item[0] == '%' && item + 1 < pattern->end &&
           (item[1] == 'b' || item[1] == 'f' || isdigit((unsigned char)item[1]) != 0);
}

/* An item with what repeats it. True: it is matched, go on behind it. False: `*at` is the end of
 * the whole match, or NULL. */
static bool match_item(zn_pattern *pattern, const char **at, const char **item) {
    const char *end = item_end(pattern, *item);
    bool one = matches_one(pattern, *at, *item, end);
    switch (end < pattern->end ? *end : '\0') {
    case '?': {
        const char *found = one ? match(pattern, *at + 1, end + 1) : NULL;
        if (found != NULL) {
            *at = found;
            return false;
        }
        *item = end + 1;
        return true;
    }
    case '+':
        *at = one ? match_longest(pattern, *at + 1, *item, end) : NULL;
        return false;
    case '*':
        *at = match_longest(pattern, *at, *item, end);
        return false;
    case '-':
        *at = match_shortest(pattern, *at, *item, end);
        return false;
    default:
        *at = one ? *at + 1 : NULL;
        *item = end;
        return one;
    }
}

static const char *match_items(zn_pattern *pattern, const char *at, const char *item) {
    while (item < pattern->end) {
        count(pattern, 1);
        if (*item == '(') {
            return item[1] == ')' ? open_capture(pattern, at, item + 2, POSITION)
                                  : open_capture(pattern, at, item + 1, OPEN);
        }
        if (*item == ')') {
            return close_capture(pattern, at, item + 1);
        }
        if (*item == '$' && item + 1 == pattern->end) {
            return at == pattern->subject_end ? at : NULL;
        }
        if (is_special(pattern, item)) {
            if (!match_special(pattern, &at, &item)) {
                return NULL;
            }
        } else if (!match_item(pattern, &at, &item)) {
            return at;
        }
    }
    return at;
}

static const char *match(zn_pattern *pattern, const char *at, const char *item) {
    if (pattern->depth++ >= DEPTH_MAX) {
        luaL_error(pattern->lua, "pattern too complex");
    }
    const char *found = match_items(pattern, at, item);
    pattern->depth--;
    return found;
}

const char *zn_pattern_match(zn_pattern *pattern, const char *at) {
    pattern->depth = 0;
    pattern->capture_count = 0;
    return match(pattern, at, pattern->text);
}

void zn_pattern_push(zn_pattern *pattern, int index, const char *at, const char *end) {
    if (index >= pattern->capture_count) {
        if (index != 0) {
            luaL_error(pattern->lua, "invalid capture index %%%d", index + 1);
        }
        lua_pushlstring(pattern->lua, at, (size_t)(end - at));
        return;
    }
    const zn_capture *capture = &pattern->captures[index];
    if (capture->len == OPEN) {
        luaL_error(pattern->lua, "unfinished capture");
    } else if (capture->len == POSITION) {
        lua_pushinteger(pattern->lua, (lua_Integer)(capture->start - pattern->subject) + 1);
    } else {
        lua_pushlstring(pattern->lua, capture->start, (size_t)capture->len);
    }
}

int zn_pattern_push_all(zn_pattern *pattern, const char *at, const char *end) {
    int pushed = pattern->capture_count == 0 && at != NULL ? 1 : pattern->capture_count;
    luaL_checkstack(pattern->lua, pushed, "too many captures");
    for (int i = 0; i < pushed; i++) {
        zn_pattern_push(pattern, i, at, end);
    }
    return pushed;
}
