/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_BRACES_H
#define ZN_STORE_BRACES_H

#include "store/glob.h"

/* Expands "a{b,c{d,e}}" to all its patterns, in order of their appearance. Braces without a comma,
 * unbalanced or escaped ones stay as they are, and so do backslashes. Appends to `out`.
 * Errors: LIMIT (too many). */
zonda_err zn_braces_expand(const char *pattern, zn_paths *out, zonda_error *error);

#endif
