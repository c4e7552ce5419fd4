/* SPDX-License-Identifier: MPL-2.0 */
/* Where readers find a worker's segments. Whoever reaches the coordinator must reach them too, so
 * the transport is the coordinator's; on tcp the address is the one from which this machine reaches
 * the coordinator. Without keys segments are served to anyone who asks, so an address beyond this
 * machine needs `insecure`, by name. Asked once, when a worker starts. */
#include "worker/data_bind.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "wire/endpoint.h"

static bool starts_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

/* An IPv6 address stands in brackets in an endpoint. */
static char *tcp_endpoint(const char *host) {
    bool bare = strchr(host, ':') != NULL && host[0] != '[';
    return zn_format(bare ? "tcp://[%s]:*" : "tcp://%s:*", host);
}

static char *derive(const char *connect, const char *sockets, uint64_t unique, zonda_error *error) {
    if (starts_with(connect, "inproc://")) {
        return zn_format("inproc://zonda-data-%016" PRIx64, unique);
    }
    if (starts_with(connect, "ipc://")) {
        return zn_format("ipc://%s/data", sockets);
    }
    if (zn_endpoint_is_loopback(connect)) {
        return zn_strdup(starts_with(connect, "tcp://[") ? "tcp://[::1]:*" : "tcp://127.0.0.1:*");
    }
    char *host = zn_endpoint_local_address(connect);
    if (host == NULL) {
        zn_error_set(error, ZONDA_ERR_IO,
                     "no address of this machine reaches %s; name one for the data socket",
                     connect);
        return NULL;
    }
    char *endpoint = tcp_endpoint(host);
    free(host);
    return endpoint;
}

char *zn_data_bind(const zn_worker_options *options, const char *sockets, uint64_t unique,
                   zonda_error *error) {
    char *endpoint = NULL;
    if (options->data_bind != NULL) {
        if (zn_endpoint_check(options->data_bind, true, error) != ZONDA_OK) {
            return NULL;
        }
        endpoint = zn_strdup(options->data_bind);
    } else {
        endpoint = derive(options->connect, sockets, unique, error);
    }
    bool closed = options->keys != NULL || options->insecure;
    if (endpoint != NULL && !closed && !zn_endpoint_is_loopback(endpoint)) {
        zn_error_set(
            error, ZONDA_ERR_REFUSED,
            "the data socket at %s would be open to other machines without keys; give keys "
            "(--keys DIR, made with `zonda keygen`), or say --insecure if everybody on "
            "that network is trusted",
            endpoint);
        free(endpoint);
        return NULL;
    }
    return endpoint;
}

char *zn_data_advertise(const zn_worker_options *options, const char *bound, const zn_key *own) {
    char *host = NULL;
    if (starts_with(options->connect, "tcp://")) {
        host = zn_endpoint_local_address(options->connect);
    }
    char *endpoint = host == NULL ? zn_strdup(bound) : zn_endpoint_advertise(bound, host);
    free(host);
    if (own != NULL) {
        char *bare = endpoint;
        endpoint = zn_endpoint_with_key(bare, own);
        free(bare);
    }
    return endpoint;
}
