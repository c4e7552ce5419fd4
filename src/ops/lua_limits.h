/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_LUA_LIMITS_H
#define ZN_OPS_LUA_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"

/* What Lua code of the user may use. It cannot change them itself. */
typedef struct zn_lua_limits {
    size_t memory_bytes;
    uint64_t instructions; /* of one call */
    zn_memory *memory;     /* account that it is charged to by force; NULL: none */
} zn_lua_limits;

/* Zero means the usual limit, that of limits.h. */
static inline zn_lua_limits zn_lua_limits_of(uint64_t memory_bytes, uint64_t instructions) {
    return (zn_lua_limits){
        .memory_bytes = memory_bytes != 0 ? (size_t)memory_bytes : ZN_LUA_MEMORY_BYTES,
        .instructions = instructions != 0 ? instructions : ZN_LUA_INSTRUCTIONS_MAX,
    };
}

/* The same for limits from outside. Error: INVALID (too small to run anything). */
static inline zonda_err zn_lua_limits_set(uint64_t memory_bytes, uint64_t instructions,
                                          zn_lua_limits *out, zonda_error *error) {
    if (memory_bytes != 0 && (memory_bytes < ZN_LUA_MEMORY_BYTES_MIN || memory_bytes > SIZE_MAX)) {
        return zn_error_set(error, ZONDA_ERR_INVALID,
                            "a memory limit of %llu bytes for Lua is not possible: at least %u",
                            (unsigned long long)memory_bytes, (unsigned)ZN_LUA_MEMORY_BYTES_MIN);
    }
    *out = zn_lua_limits_of(memory_bytes, instructions);
    return ZONDA_OK;
}

#endif
