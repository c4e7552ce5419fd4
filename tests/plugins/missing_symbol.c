/* SPDX-License-Identifier: MPL-2.0 */
/* A plug-in that needs what nobody has. */
#include <zonda/plugin.h>

zonda_err nobody_has_this(zonda_task *task, const msgpack_object *args, size_t arg_count,
                          msgpack_packer *out);

static const zonda_plugin_function functions[] = { { "lost", { .call = nobody_has_this } } };

ZONDA_PLUGIN("missing_symbol", functions);
