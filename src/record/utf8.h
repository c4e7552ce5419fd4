/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_RECORD_UTF8_H
#define ZN_RECORD_UTF8_H

#include <stdint.h>

/* Bytes of the UTF-8 character at `at`, which is before `end`; 0 if it is not valid: cut short,
 * overlong, a surrogate, or above U+10FFFF. The ranges are Table 3-7 of the Unicode standard. */
static inline unsigned zn_utf8_length(const uint8_t *at, const uint8_t *end) {
    uint8_t first = at[0];
    if (first < 0x80) {
        return 1;
    }
    unsigned length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first < 0xc2 || first > 0xf4 || end - at < (long)length) {
        return 0;
    }
    uint8_t second_min = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t second_max = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < second_min || at[1] > second_max) {
        return 0;
    }
    for (unsigned i = 2; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

#endif
