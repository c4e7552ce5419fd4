/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_GLOB_H
#define ZN_STORE_GLOB_H

#include "base/buf.h"
#include "base/error.h"

/* A sorted list of paths, no duplicates; owner frees with zn_paths_free. */
typedef struct zn_paths {
    char **items;
    size_t count;
    size_t capacity;
} zn_paths;

void zn_paths_free(zn_paths *paths);

/* Regular files that match: *, ?, [..], {a,b}, ** (any folders, none included). Bytewise sorted.
 * A pattern without wildcards must name an existing file. Hidden files need a literal dot.
 * Errors: NO_MATCH (naming the pattern), IO (a folder that cannot be read), LIMIT. */
zonda_err zn_glob(const char *pattern, zn_paths *out, zonda_error *error);

#endif
