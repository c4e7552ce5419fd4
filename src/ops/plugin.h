/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_PLUGIN_H
#define ZN_OPS_PLUGIN_H

#include <zonda/plugin.h>

#include "ops/task.h"

/* Looks at the first bytes of a plug-in without running any of it: a shared ELF library? `native`:
 * also one for the processor that runs this? `file` is for messages. Errors: PLAN, UNSUPPORTED. */
zonda_err zn_plugin_check(zn_bytes bytes, const char *file, bool native, zonda_error *error);

/* Loads the plug-in with this digest, unless this process has it: its bytes come from the host
 * once per worker and are kept in the scratch folder. It stays loaded until the process ends.
 * Errors: as zn_plugin_check; PLAN (it cannot be loaded, is no plug-in), UNSUPPORTED (made for
 * another ABI), IO, UNKNOWN_BLOB, CANCELLED. */
zonda_err zn_plugin_load(const zn_task_host *host, zn_digest digest, const char *file,
                         const zonda_plugin_table **out, zonda_error *error);

/* Checks what a plug-in exports; NULL: nothing. Errors: PLAN, UNSUPPORTED. */
zonda_err zn_plugin_check_table(const zonda_plugin_table *table, const char *file,
                                zonda_error *error);

/* Copies the function of that name. Error: NOT_FOUND, listing the names that there are. */
zonda_err zn_plugin_find(const zonda_plugin_table *table, const char *file, zn_bytes name,
                         zonda_function *out, zonda_error *error);

/* Appends the argument value of a function, as ops/function.h has it. */
void zn_plugin_put_function(zn_buf *out, zn_digest digest, zn_bytes file, zn_bytes function);

#endif
