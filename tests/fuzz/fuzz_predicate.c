/* SPDX-License-Identifier: MPL-2.0 */
/* Filters that are answered without Lua: any text up to a NUL, and a record. What is taken for a
 * comparison is what Lua takes for an expression, and the answer is Lua's. */
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "ops/lua_chunk.h"
#include "ops/predicate.h"
#include "record/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static zn_lua_state *lua_state(void) {
    static zn_lua_state *state;
    zonda_error error = { 0 };
    zn_lua_limits limits = { .memory_bytes = 64 * ZN_MIB, .instructions = 20000 };
    if (state == NULL) {
        state = zn_lua_state_new(&limits, &error);
    }
    ZN_ASSERT(state != NULL);
    return state;
}

static void set_globals(zn_predicate *predicate, zn_lua_chunk *chunk) {
    size_t count = 0;
    const zn_bytes *names = zn_predicate_names(predicate, &count);
    for (size_t i = 0; i < count; i++) {
        if (zn_lua_chunk_has_global(chunk, names[i])) {
            zn_predicate_set_global(predicate, i);
        }
    }
}

static void compare(zn_predicate *predicate, zn_bytes text, zn_bytes record) {
    zonda_error error = { 0 };
    zn_lua_chunk *chunk =
        zn_lua_chunk_new(lua_state(), "filter", false, ZN_CALL_FILTER, text, &error);
    ZN_ASSERT(chunk != NULL);
    set_globals(predicate, chunk);
    zn_predicate_answer answer = zn_predicate_ask(predicate, record);
    if (answer != ZN_PREDICATE_UNSURE) {
        bool truth = false;
        zonda_err code = zn_lua_chunk_call(chunk, &record, NULL, &truth, &error);
        ZN_ASSERT(code == ZONDA_OK);
        ZN_ASSERT(truth == (answer == ZN_PREDICATE_TRUE));
    }
    zn_lua_chunk_destroy(&chunk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    zonda_error error = { 0 };
    const uint8_t *nul = size == 0 ? NULL : memchr(data, 0, size);
    if (nul == NULL) {
        return 0;
    }
    zn_bytes text = { data, (size_t)(nul - data) };
    zn_bytes record = { nul + 1, (size_t)(data + size - nul - 1) };
    zn_predicate *predicate = zn_predicate_new(text);
    if (predicate != NULL && zn_value_check(record, &error) == ZONDA_OK) {
        compare(predicate, text, record);
    }
    zn_predicate_destroy(&predicate);
    return 0;
}
