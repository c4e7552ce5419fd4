/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_LUA_SCRIPT_H
#define ZN_OPS_LUA_SCRIPT_H

#include "base/buf.h"
#include "base/digest.h"
#include "base/error.h"
#include "ops/lua_limits.h"

/* A pipeline script, evaluated: the calls that it made, as data. The same code runs in the driver,
 * which makes datasets of it, and in slots, which only want the functions; so function number i is
 * the same function in both. */
typedef struct zn_lua_script zn_lua_script;

/* A call of an operator: node i may use nodes before it. */
typedef struct zn_script_node {
    const char *op; /* operator name */
    zn_bytes args;  /* MessagePack map of arguments; functions as {"kind": "lua-script", …} */
    size_t *inputs; /* node numbers: the dataset it was called on first */
    size_t input_count;
} zn_script_node;

typedef struct zn_script_put {
    const char *name; /* zonda.put(name, value) */
    zn_bytes value;
} zn_script_put;

/* What the driver does for a script that it evaluates. */
typedef struct zn_script_host {
    zn_lua_limits limits;
    /* Reads the plug-in in the file `path` and says its digest; NULL: there are no plug-ins. */
    zonda_err (*plugin)(void *context, const char *path, zn_digest *digest, zonda_error *error);
    void *context;
} zn_script_host;

/* Evaluates a script in the sandbox. `name` is for messages; `host` is borrowed during the call,
 * NULL: the usual limits, no plug-ins. Errors: USER (syntax or run-time
 * error with file, line and traceback; not returning a dataset or list of them), PLAN (bad
 * arguments of an operator, with the script's line), LIMIT (memory, instructions). */
zn_lua_script *zn_lua_script_new(const char *name, zn_bytes text, const char *const *args,
                                 size_t arg_count, const zn_script_host *host, zonda_error *error);
void zn_lua_script_destroy(zn_lua_script **script);

/* The blob that slots need, and its digest. Borrowed. */
zn_bytes zn_lua_script_blob(const zn_lua_script *script, zn_digest *digest);

const zn_script_node *zn_lua_script_nodes(const zn_lua_script *script, size_t *count);
const zn_script_put *zn_lua_script_puts(const zn_lua_script *script, size_t *count);

/* Node numbers of the datasets that the script returned, in order. */
const size_t *zn_lua_script_outputs(const zn_lua_script *script, size_t *count);

#endif
