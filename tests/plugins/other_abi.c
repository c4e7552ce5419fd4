/* SPDX-License-Identifier: MPL-2.0 */
/* A plug-in of a later version: nothing behind the number may be looked at. */
#include <zonda/plugin.h>

const zonda_plugin_table zonda_plugin_v1 = { .abi = 77, .functions = (const void *)1, .count = 9 };
