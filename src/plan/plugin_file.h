/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_PLAN_PLUGIN_FILE_H
#define ZN_PLAN_PLUGIN_FILE_H

#include <stdatomic.h>
#include <zonda/function.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/error.h"

/* A plug-in in the driver: the bytes to ship. Immutable, counted references. */
struct zonda_plugin {
    atomic_uint references;
    char *file; /* without its folder */
    zn_buf bytes;
    zn_digest digest;
};

/* Another reference. */
zonda_plugin *zn_plugin_file_share(const zonda_plugin *plugin);

/* The plug-ins of a command line or a script. All zero is an empty list. */
typedef struct zn_plugin_list {
    zonda_plugin **items;
    size_t count;
    size_t capacity;
} zn_plugin_list;

/* Reads a plug-in and adds it, unless it is there. `*out` (may be NULL) is borrowed. Errors: as
 * zonda_plugin_open. */
zonda_err zn_plugin_list_load(zn_plugin_list *list, const char *path, const zonda_plugin **out,
                              zonda_error *error);

/* What "@NAME" of a command line means: the plug-in and, in `*function`, its function. With several
 * plug-ins it is "@FILE:NAME", the file with or without ".so". Error: PLAN. */
const zonda_plugin *zn_plugin_list_resolve(const zn_plugin_list *list, const char *word,
                                           const char **function, zonda_error *error);
void zn_plugin_list_free(zn_plugin_list *list);

#endif
