/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_LUA_CHECK_H
#define ZN_OPS_LUA_CHECK_H

#include "base/buf.h"
#include "base/error.h"

/* Compiles the Lua expression (or block, or `pair` of expressions) of the operator `op`, so that a
 * mistake is found when the plan is made. Runs nothing. Error: PLAN, with the text and the place.
 */
zonda_err zn_lua_check(const char *op, bool is_block, bool pair, zn_bytes text, zonda_error *error);

#endif
