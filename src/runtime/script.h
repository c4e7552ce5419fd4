/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_RUNTIME_SCRIPT_H
#define ZN_RUNTIME_SCRIPT_H

#include <zonda/dataset.h>

#include "ops/lua_script.h"
#include "plan/plugin_file.h"

/* Makes datasets of what a script built with these plug-ins (NULL: none): one for each that it
 * returned, in order. The caller owns the array and destroys each dataset. What is wrong with one
 * is kept in it. Error: INVALID (the script returned none). */
zonda_err zn_script_datasets(const zn_lua_script *script, const zn_plugin_list *plugins,
                             zonda_dataset ***out, size_t *count, zonda_error *error);

#endif
