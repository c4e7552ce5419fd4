/* SPDX-License-Identifier: MPL-2.0 */
/* What a plug-in includes: a shared library with C functions that drivers ship to workers. A
 * complete one:
 *
 *   #include <zonda/plugin.h>
 *
 *   static zonda_err twice(zonda_task *task, const msgpack_object *args, size_t arg_count,
 *                          msgpack_packer *out) { … }
 *
 *   static const zonda_plugin_function functions[] = { { "twice", { .call = twice } } };
 *   ZONDA_PLUGIN("numbers", functions);
 *
 * It is compiled with `cc -shared -fPIC` and not linked with libzonda: the functions of
 * zonda/function.h are found in the program that loads it. */
#ifndef ZONDA_PLUGIN_H
#define ZONDA_PLUGIN_H

#include <zonda/function.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grows when a plug-in of before could not be called any more. */
#define ZONDA_PLUGIN_ABI 1

/* A function under the name by which pipelines know it. */
typedef struct zonda_plugin_function {
    const char *name;
    zonda_function function;
} zonda_plugin_function;

/* What a plug-in offers: plain data that stays as long as the plug-in is loaded. */
typedef struct zonda_plugin_table {
    uint32_t abi;            /* ZONDA_PLUGIN_ABI */
    uint32_t function_bytes; /* size of an element of `functions` */
    const char *name;        /* of the plug-in, for messages */
    const zonda_plugin_function *functions;
    size_t count;
} zonda_plugin_table;

/* The one symbol that a plug-in exports. */
ZONDA_API extern const zonda_plugin_table zonda_plugin_v1;

/* Defines it, from an array of zonda_plugin_function. */
#define ZONDA_PLUGIN(plugin_name, function_array)                                                  \
    const zonda_plugin_table zonda_plugin_v1 = { ZONDA_PLUGIN_ABI, sizeof(zonda_plugin_function),  \
                                                 plugin_name, function_array,                      \
                                                 sizeof(function_array) /                          \
                                                     sizeof((function_array)[0]) }

#ifdef __cplusplus
}
#endif
#endif
