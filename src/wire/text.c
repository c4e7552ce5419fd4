/* SPDX-License-Identifier: MPL-2.0 */
/* What counts as text on the wire: UTF-8 without NUL, so that any field may become a C string or a
 * JSON string without another check. Nearly all texts are ASCII, which goes eight bytes at a
 * time. */
#include "wire/text.h"

#include <string.h>

static bool is_continuation(uint8_t byte) {
    return (byte & 0xC0) == 0x80;
}

size_t zn_text_character(zn_bytes text) {
    if (text.len == 0 || text.data[0] == 0) {
        return 0;
    }
    uint8_t first = text.data[0];
    if (first < 0x80) {
        return 1;
    }
    size_t len = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.len < len) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if (!is_continuation(text.data[i])) {
            return 0;
        }
    }
    uint8_t second = text.data[1];
    bool bad = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
               (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
    return bad ? 0 : len;
}

/* True if none of eight bytes is NUL or has its high bit set. */
static bool are_plain(const uint8_t *data) {
    uint64_t word;
    memcpy(&word, data, sizeof word);
    uint64_t high = UINT64_C(0x8080808080808080);
    uint64_t ones = UINT64_C(0x0101010101010101);
    return ((word | (word - ones)) & high) == 0;
}

bool zn_text_is_valid(zn_bytes text) {
    size_t at = 0;
    while (at < text.len) {
        if (text.len - at >= 8 && are_plain(text.data + at)) {
            at += 8;
            continue;
        }
        size_t len = zn_text_character((zn_bytes){ text.data + at, text.len - at });
        if (len == 0) {
            return false;
        }
        at += len;
    }
    return true;
}
