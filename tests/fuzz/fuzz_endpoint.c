/* SPDX-License-Identifier: MPL-2.0 */
/* Any text as an endpoint. What can be connected to can be bound without its key, except for names
 * that only resolve, and what is made of an endpoint that passes is one itself. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "wire/endpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool passes(const char *endpoint, bool bind) {
    zonda_error error = { 0 };
    zonda_err code = zn_endpoint_check(endpoint, bind, &error);
    ZN_ASSERT(code == error.code && (code == ZONDA_OK) == (error.text[0] == '\0'));
    return code == ZONDA_OK;
}

/* The other sockets of an owner are as open to other machines as this one. */
static void check_relatives(const char *endpoint) {
    bool tcp = strncmp(endpoint, "tcp://", 6) == 0;
    char *sibling = zn_endpoint_sibling(endpoint, "work");
    char *advertised = zn_endpoint_advertise(endpoint, "10.0.0.1");
    ZN_ASSERT(zn_endpoint_is_loopback(sibling) == zn_endpoint_is_loopback(endpoint));
    ZN_ASSERT(!tcp || passes(sibling, true));
    ZN_ASSERT(!tcp || passes(advertised, true));
    free(advertised);
    free(sibling);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *endpoint = zn_alloc(size + 1);
    memcpy(endpoint, data, size);
    endpoint[size] = '\0';
    zn_key key;
    bool has_key = false;
    char *bare = zn_endpoint_without_key(endpoint, &key, &has_key);
    bool binds = passes(endpoint, true);
    ZN_ASSERT(!binds || !has_key);
    ZN_ASSERT(passes(bare, true) || !passes(endpoint, false));
    free(bare);
    zn_endpoint_is_loopback(endpoint);
    if (binds) {
        check_relatives(endpoint);
    }
    free(endpoint);
    return 0;
}
