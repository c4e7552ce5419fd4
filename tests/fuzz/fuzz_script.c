/* SPDX-License-Identifier: MPL-2.0 */
/* Any text as a pipeline script, with little memory and few instructions. What it made of operators
 * is checked data; what is refused says why. */
#include "base/assert.h"
#include "ops/lua_script.h"
#include "record/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_nodes(const zn_lua_script *script) {
    zonda_error error = { 0 };
    size_t count = 0;
    const zn_script_node *nodes = zn_lua_script_nodes(script, &count);
    for (size_t i = 0; i < count; i++) {
        ZN_ASSERT(zn_value_check(nodes[i].args, &error) == ZONDA_OK);
        for (size_t j = 0; j < nodes[i].input_count; j++) {
            ZN_ASSERT(nodes[i].inputs[j] < i);
        }
    }
    size_t output_count = 0;
    const size_t *outputs = zn_lua_script_outputs(script, &output_count);
    for (size_t i = 0; i < output_count; i++) {
        ZN_ASSERT(outputs[i] < count);
    }
    size_t put_count = 0;
    const zn_script_put *puts = zn_lua_script_puts(script, &put_count);
    for (size_t i = 0; i < put_count; i++) {
        ZN_ASSERT(zn_value_check(puts[i].value, &error) == ZONDA_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const args[] = { "7" };
    zn_script_host host = { .limits = { .memory_bytes = 4 * ZN_MIB, .instructions = 20000 } };
    zonda_error error = { 0 };
    zn_lua_script *script =
        zn_lua_script_new("fuzz.lua", (zn_bytes){ data, size }, args, 1, &host, &error);
    if (script == NULL) {
        ZN_ASSERT(error.code != ZONDA_OK && error.text[0] != '\0');
        return 0;
    }
    check_nodes(script);
    zn_lua_script_destroy(&script);
    return 0;
}
