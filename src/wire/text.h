/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WIRE_TEXT_H
#define ZN_WIRE_TEXT_H

#include <stdbool.h>

#include "base/buf.h"

/* How many bytes the UTF-8 character at the start of `text` has, 0 if there is no valid one. NUL
 * is not valid. Format: RFC 3629 (no overlong forms, no surrogates, at most U+10FFFF). */
size_t zn_text_character(zn_bytes text);

/* True for UTF-8 without NUL. */
bool zn_text_is_valid(zn_bytes text);

#endif
