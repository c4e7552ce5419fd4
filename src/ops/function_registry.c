/* SPDX-License-Identifier: MPL-2.0 */
/* C functions of the program by name. The registry is a fixed table that only grows: an entry is
 * complete before the count that makes it visible is raised, so lookups on slot threads need no
 * lock. Registering happens before clusters open, on one thread. */
#include "ops/function_registry.h"

#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "wire/text.h"

enum {
    FUNCTIONS_MAX = 4096
};

typedef struct registered {
    char name[ZN_NAME_BYTES_MAX + 1];
    zonda_function function;
} registered;

static registered *registry[FUNCTIONS_MAX];
static atomic_size_t registry_count;

static const registered *find(zn_bytes name) {
    size_t count = atomic_load_explicit(&registry_count, memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
        if (zn_bytes_equal(name, zn_bytes_of_text(registry[i]->name))) {
            return registry[i];
        }
    }
    return NULL;
}

zonda_err zonda_register(const char *name, const zonda_function *function, zonda_error *error) {
    zn_bytes text = zn_bytes_of_text(name == NULL ? "" : name);
    if (text.len == 0 || text.len > ZN_NAME_BYTES_MAX || !zn_text_is_valid(text)) {
        return zn_error_set(error, ZONDA_ERR_INVALID,
                            "the name of a function must be UTF-8 of 1 to %u bytes",
                            ZN_NAME_BYTES_MAX);
    }
    if (function == NULL || (function->call == NULL && function->group == NULL)) {
        return zn_error_set(error, ZONDA_ERR_INVALID, "function \"%s\" has no call", name);
    }
    if (find(text) != NULL) {
        return zn_error_set(error, ZONDA_ERR_REFUSED, "a function \"%s\" is registered already",
                            name);
    }
    size_t count = atomic_load_explicit(&registry_count, memory_order_relaxed);
    if (count == FUNCTIONS_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "function \"%s\" is one more than the limit of %u", name,
                            FUNCTIONS_MAX);
    }
    registered *entry = ZN_NEW(registered);
    memcpy(entry->name, text.data, text.len);
    entry->function = *function;
    registry[count] = entry;
    atomic_store_explicit(&registry_count, count + 1, memory_order_release);
    return ZONDA_OK;
}

static zonda_err fail_unknown(zn_bytes name, zonda_error *error) {
    zn_buf known = { 0 };
    size_t count = atomic_load_explicit(&registry_count, memory_order_acquire);
    for (size_t i = 0; i < count && known.len < ZN_ERROR_TEXT_BYTES_MAX; i++) {
        zn_buf_printf(&known, "%s%s", i == 0 ? "" : ", ", registry[i]->name);
    }
    if (count == 0) {
        zn_buf_append_text(&known, "none");
    }
    int shown = name.len < ZN_NAME_BYTES_MAX ? (int)name.len : ZN_NAME_BYTES_MAX;
    zn_error_set(error, ZONDA_ERR_NOT_FOUND,
                 "function \"%.*s\" is not registered in this process; registered: %.*s", shown,
                 (const char *)name.data, (int)known.len, (const char *)known.data);
    zn_buf_free(&known);
    return ZONDA_ERR_NOT_FOUND;
}

zonda_err zn_registry_find(zn_bytes name, zonda_function *out, zonda_error *error) {
    const registered *entry = find(name);
    if (entry == NULL) {
        return fail_unknown(name, error);
    }
    *out = entry->function;
    return ZONDA_OK;
}
