/* SPDX-License-Identifier: MPL-2.0 */
/* Any bytes as a plug-in, which no part of is run, and any numbers in its table: names and
 * functions are found only where the table says there are some. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "ops/plugin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    FUNCTIONS = 5,
    CHOICE_BYTES = 4
};

static zonda_err do_nothing(zonda_task *task, const msgpack_object *args, size_t arg_count,
                            msgpack_packer *out) {
    (void)task;
    (void)args;
    (void)arg_count;
    (void)out;
    return ZONDA_OK;
}

static void check_library(zn_bytes bytes) {
    for (int native = 0; native < 2; native++) {
        zonda_error error = { 0 };
        zonda_err code = zn_plugin_check(bytes, "fuzz.so", native != 0, &error);
        ZN_ASSERT(code == error.code && (code == ZONDA_OK) == (error.text[0] == '\0'));
        ZN_ASSERT(code == ZONDA_OK || error.permanent);
    }
}

/* The first bytes choose version, size of elements, how many, and which of them are holes. The
 * elements lie at the end of an allocation, so that one read too many is seen. */
static void check_table(const uint8_t *data, zn_bytes name) {
    size_t count = data[2] % FUNCTIONS;
    size_t element = data[1];
    size_t bytes = count * element;
    uint8_t *elements = malloc(bytes + 1);
    ZN_ASSERT(elements != NULL);
    memset(elements, 0, bytes + 1);
    for (size_t i = 0; i < count; i++) {
        zonda_plugin_function one = { "twice", { .call = do_nothing } };
        bool hole = (data[3] >> i & 1) != 0;
        one.name = hole ? NULL : one.name;
        memcpy(elements + i * element, &one, element < sizeof one ? element : sizeof one);
    }
    zonda_plugin_table table = { .abi = data[0],
                                 .function_bytes = data[1],
                                 .name = "fuzz",
                                 .functions = (const void *)elements,
                                 .count = count };
    zonda_error error = { 0 };
    zonda_err code = zn_plugin_check_table(&table, "fuzz.so", &error);
    ZN_ASSERT(code == error.code && (code == ZONDA_OK || error.permanent));
    zonda_function found = { 0 };
    if (code == ZONDA_OK && zn_plugin_find(&table, "fuzz.so", name, &found, &error) == ZONDA_OK) {
        ZN_ASSERT(found.call == do_nothing && zn_bytes_equal(name, zn_bytes_of_text("twice")));
    }
    free(elements);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    zonda_error error = { 0 };
    check_library((zn_bytes){ data, size });
    ZN_ASSERT(zn_plugin_check_table(NULL, "fuzz.so", &error) == ZONDA_ERR_PLAN);
    if (size >= CHOICE_BYTES) {
        check_table(data, (zn_bytes){ data + CHOICE_BYTES, size - CHOICE_BYTES });
    }
    return 0;
}
