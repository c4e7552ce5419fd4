/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_GLOB_MATCH_H
#define ZN_STORE_GLOB_MATCH_H

#include <stdbool.h>

/* Whether a file name matches one component of a glob (no slash in either): *, ?, [a-z], [!a],
 * [[:digit:]], and a backslash before a character that means itself. A character is one of UTF-8,
 * or a single byte where the name is not UTF-8. A leading dot must be matched by a literal one.
 * Independent of the locale. */
bool zn_glob_match(const char *pattern, const char *name);

/* Whether a component has a wildcard that is not escaped. */
bool zn_glob_is_wild(const char *pattern);

#endif
