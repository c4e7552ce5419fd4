/* SPDX-License-Identifier: MPL-2.0 */
/* Words of Lua text, for those who read it without Lua: names and reserved words are ASCII letters,
 * digits and '_' (https://www.lua.org/manual/5.4/manual.html#3.1). */
#ifndef ZN_OPS_LUA_WORDS_H
#define ZN_OPS_LUA_WORDS_H

#include "base/buf.h"

static inline bool zn_lua_is_space(uint8_t byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static inline bool zn_lua_is_word_byte(uint8_t byte) {
    uint8_t lower = byte | 0x20;
    return (lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9') || byte == '_';
}

/* The word that begins at `at`; empty if none does. */
static inline zn_bytes zn_lua_word_at(const uint8_t *at, const uint8_t *end) {
    const uint8_t *stop = at;
    if (at < end && !(*at >= '0' && *at <= '9')) {
        while (stop < end && zn_lua_is_word_byte(*stop)) {
            stop++;
        }
    }
    return (zn_bytes){ .data = at, .len = (size_t)(stop - at) };
}

static inline bool zn_lua_is_reserved(zn_bytes word) {
    static const char *const words[] = { "and",   "break", "do",       "else", "elseif", "end",
                                         "false", "for",   "function", "goto", "if",     "in",
                                         "local", "nil",   "not",      "or",   "repeat", "return",
                                         "then",  "true",  "until",    "while" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (zn_bytes_equal(word, zn_bytes_of_text(words[i]))) {
            return true;
        }
    }
    return false;
}

#endif
