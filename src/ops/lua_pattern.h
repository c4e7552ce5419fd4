/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_LUA_PATTERN_H
#define ZN_OPS_LUA_PATTERN_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    ZN_PATTERN_CAPTURES_MAX = 32
};

typedef struct zn_capture {
    const char *start;
    ptrdiff_t len; /* or what lua_pattern.c makes of it while it is open */
} zn_capture;

/* A Lua pattern over a subject. Both are borrowed and end with a NUL, as Lua's strings do. */
typedef struct zn_pattern {
    lua_State *lua; /* for errors and the count of instructions */
    const char *subject;
    const char *subject_end;
    const char *text;
    const char *end;
    unsigned steps; /* not counted as instructions yet */
    int depth;
    int capture_count;
    zn_capture captures[ZN_PATTERN_CAPTURES_MAX];
} zn_pattern;

/* Matches the whole pattern at `at`; returns the end of the match, or NULL. Raises Lua errors: the
 * pattern is malformed, the limit of instructions. */
const char *zn_pattern_match(zn_pattern *pattern, const char *at);

/* Pushes capture `index` (from 0) of a match from `at` to `end`; without any, 0 is all of it. */
void zn_pattern_push(zn_pattern *pattern, int index, const char *at, const char *end);

/* Pushes all captures, or the match if there are none and `at` is not NULL; returns how many. */
int zn_pattern_push_all(zn_pattern *pattern, const char *at, const char *end);

#endif
