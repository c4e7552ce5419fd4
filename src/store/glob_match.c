/* SPDX-License-Identifier: MPL-2.0 */
/* Matching one file name. fnmatch(3) would follow the locale of the embedding program, so the same
 * plan could read other files in another environment; this matcher knows UTF-8 and nothing else.
 * A star remembers its place and the name's, and a mismatch goes back to the last star only, which
 * is enough for globs and keeps the time at pattern times name. Used by glob.c. */
#include "store/glob_match.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    NO_CHARACTER = 0x110000
}; /* plus a byte that is not UTF-8, so it equals only itself */

/* The character at `*at`, which moves behind it. */
static uint32_t next_character(const char **at) {
    const unsigned char *in = (const unsigned char *)*at;
    unsigned len = in[0] < 0x80 ? 1 : in[0] < 0xC2 ? 0 : in[0] < 0xE0 ? 2 : in[0] < 0xF0 ? 3 : 4;
    if (len == 0 || in[0] > 0xF4) {
        *at += 1;
        return NO_CHARACTER + in[0];
    }
    uint32_t value = len == 1 ? in[0] : in[0] & (0x7Fu >> len);
    for (unsigned i = 1; i < len; i++) {
        if ((in[i] & 0xC0) != 0x80) {
            *at += 1;
            return NO_CHARACTER + in[0];
        }
        value = value << 6 | (in[i] & 0x3Fu);
    }
    *at += len;
    return value;
}

static bool between(uint32_t value, char low, char high) {
    return value >= (unsigned char)low && value <= (unsigned char)high;
}

static bool in_class(const char *name, size_t len, uint32_t value) {
    bool digit = between(value, '0', '9');
    bool lower = between(value, 'a', 'z');
    bool upper = between(value, 'A', 'Z');
    const struct {
        const char *name;
        bool member;
    } classes[] = {
        { "digit", digit },
        { "lower", lower },
        { "upper", upper },
        { "alpha", lower || upper },
        { "alnum", digit || lower || upper },
        { "xdigit", digit || between(value, 'a', 'f') || between(value, 'A', 'F') },
        { "space", value == ' ' || between(value, '\t', '\r') },
        { "punct", between(value, '!', '~') && !digit && !lower && !upper },
    };
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (strlen(classes[i].name) == len && memcmp(classes[i].name, name, len) == 0) {
            return classes[i].member;
        }
    }
    return false;
}

/* Behind "[:name:]" if that is what is here, else NULL. */
static const char *class_end(const char *at) {
    if (at[0] != '[' || at[1] != ':') {
        return NULL;
    }
    const char *end = at + 2 + strspn(at + 2, "abcdefghijklmnopqrstuvwxyz");
    return end[0] == ':' && end[1] == ']' ? end + 2 : NULL;
}

/* Behind the "]" of a set, or NULL if it is not closed: then "[" means itself. */
static const char *set_end(const char *open) {
    const char *at = open + 1;
    at += *at == '!' || *at == '^';
    at += *at == ']';
    while (*at != '\0' && *at != ']') {
        const char *behind = class_end(at);
        if (behind != NULL) {
            at = behind;
        } else {
            at += *at == '\\' && at[1] != '\0' ? 2 : 1;
        }
    }
    return *at == ']' ? at + 1 : NULL;
}

static uint32_t next_member(const char **at) {
    *at += **at == '\\' && (*at)[1] != '\0';
    return next_character(at);
}

static bool in_set(const char *open, const char *end, uint32_t value) {
    const char *at = open + 1;
    bool negated = *at == '!' || *at == '^';
    at += negated;
    bool found = false;
    while (at < end - 1) {
        const char *behind = class_end(at);
        if (behind != NULL) {
            found = found || in_class(at + 2, (size_t)(behind - 2 - (at + 2)), value);
            at = behind;
            continue;
        }
        uint32_t low = next_member(&at);
        uint32_t high = low;
        if (*at == '-' && at + 1 < end - 1) {
            at++;
            high = next_member(&at);
        }
        found = found || (value >= low && value <= high);
    }
    return found != negated;
}

/* Matches one character of the name against one element of the pattern, which is not a star. */
static bool match_one(const char **pattern, uint32_t value) {
    if (**pattern == '?') {
        *pattern += 1;
        return true;
    }
    const char *end = **pattern == '[' ? set_end(*pattern) : NULL;
    if (end != NULL) {
        bool found = in_set(*pattern, end, value);
        *pattern = end;
        return found;
    }
    return next_member(pattern) == value;
}

bool zn_glob_match(const char *pattern, const char *name) {
    bool dot_asked = pattern[0] == '.' || (pattern[0] == '\\' && pattern[1] == '.');
    if (name[0] == '.' && !dot_asked) {
        return false;
    }
    const char *star = NULL;
    const char *star_name = NULL;
    while (*name != '\0' || *pattern != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            star_name = name;
            continue;
        }
        if (*name != '\0' && *pattern != '\0' && match_one(&pattern, next_character(&name))) {
            continue;
        }
        if (star == NULL || *star_name == '\0') {
            return false;
        }
        /* The star takes one character more. */
        next_character(&star_name);
        name = star_name;
        pattern = star;
    }
    return true;
}

bool zn_glob_is_wild(const char *pattern) {
    for (const char *at = pattern; *at != '\0'; at++) {
        if (*at == '\\' && at[1] != '\0') {
            at++;
        } else if (*at == '*' || *at == '?' || (*at == '[' && set_end(at) != NULL)) {
            return true;
        }
    }
    return false;
}
