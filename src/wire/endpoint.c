/* SPDX-License-Identifier: MPL-2.0 */
/* Endpoints as people write them and as peers pass them on. They are checked here, before libzmq
 * sees them, so that a mistake is explained in words ("port 99999 is not between 1 and 65535") and
 * not as "Invalid argument", and so that an endpoint from the wire can do nothing but connect. */
#include "wire/endpoint.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"

enum {
    HOST_BYTES_MAX = 255,
    ADDRESS_TEXT_BYTES = INET6_ADDRSTRLEN
};

static const char forms[] = "inproc://NAME, ipc://PATH or tcp://HOST:PORT";

/* A tcp endpoint in its parts; `host` without brackets. */
typedef struct tcp_parts {
    char host[HOST_BYTES_MAX + 1];
    bool bracketed;
    const char *port;
} tcp_parts;

static const char *after(const char *endpoint, const char *transport) {
    size_t len = strlen(transport);
    return strncmp(endpoint, transport, len) == 0 ? endpoint + len : NULL;
}

/* Splits "HOST:PORT" at the last colon, or after the bracket. Returns what is wrong, or NULL. */
static const char *split_tcp(const char *rest, tcp_parts *out) {
    out->bracketed = rest[0] == '[';
    const char *start = rest + (out->bracketed ? 1 : 0);
    const char *end = out->bracketed ? strchr(start, ']') : strrchr(start, ':');
    if (end == NULL) {
        return out->bracketed ? "the ] after the address is missing" : "the :PORT is missing";
    }
    const char *colon = out->bracketed ? end + 1 : end;
    if (*colon != ':') {
        return "the :PORT is missing";
    }
    size_t len = (size_t)(end - start);
    if (len == 0) {
        return "the host is missing";
    }
    if (len > HOST_BYTES_MAX) {
        return "the host is too long";
    }
    memcpy(out->host, start, len);
    out->host[len] = '\0';
    out->port = colon + 1;
    return NULL;
}

static bool is_address(int family, const char *text) {
    uint8_t address[sizeof(struct in6_addr)];
    return inet_pton(family, text, address) == 1;
}

static bool is_ipv6(const char *host) {
    char address[HOST_BYTES_MAX + 1];
    snprintf(address, sizeof address, "%s", host);
    char *scope = strchr(address, '%');
    if (scope != NULL) {
        *scope = '\0';
    }
    return is_address(AF_INET6, address);
}

static const char *check_host(const tcp_parts *parts, bool bind) {
    const char *host = parts->host;
    if (parts->bracketed) {
        return is_ipv6(host) ? NULL : "what is in brackets is not an IPv6 address";
    }
    if (strcmp(host, "*") == 0) {
        return bind ? NULL : "* as host cannot be connected to";
    }
    if (strchr(host, ':') != NULL) {
        return "an IPv6 address needs brackets, as in tcp://[::1]:7070";
    }
    if (host[strspn(host, "0123456789.")] == '\0') {
        return is_address(AF_INET, host) ? NULL : "the host is not an IPv4 address";
    }
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789.-_";
    return host[strspn(host, allowed)] == '\0' ? NULL : "the host has a character it cannot have";
}

static const char *check_port(const char *port, bool bind) {
    if (strcmp(port, "*") == 0) {
        return bind ? NULL : "* as port cannot be connected to";
    }
    size_t len = strspn(port, "0123456789");
    if (len == 0 || port[len] != '\0') {
        return bind ? "the port is neither a number nor *" : "the port is not a number";
    }
    unsigned long number = len > 5 ? 0 : strtoul(port, NULL, 10);
    return number >= 1 && number <= UINT16_MAX ? NULL : "the port is not between 1 and 65535";
}

static const char *check_tcp(const char *rest, bool bind) {
    tcp_parts parts;
    const char *wrong = split_tcp(rest, &parts);
    if (wrong == NULL) {
        wrong = check_host(&parts, bind);
    }
    return wrong == NULL ? check_port(parts.port, bind) : wrong;
}

static const char *check_ipc(const char *path) {
    if (path[0] == '\0') {
        return "the path is missing";
    }
    if (strcmp(path, "*") == 0) {
        return "* is not a path";
    }
    return strlen(path) < sizeof((struct sockaddr_un){ 0 }.sun_path)
               ? NULL
               : "the path is longer than a socket's may be (107 bytes)";
}

/* What is wrong with it, or NULL. */
static const char *find_mistake(const char *endpoint, bool bind) {
    if (strlen(endpoint) > ZN_ENDPOINT_BYTES_MAX) {
        return "it is too long";
    }
    for (const char *at = endpoint; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            return "it has a control character";
        }
    }
    const char *rest = after(endpoint, "tcp://");
    if (rest != NULL) {
        return check_tcp(rest, bind);
    }
    rest = after(endpoint, "ipc://");
    if (rest != NULL) {
        return check_ipc(rest);
    }
    rest = after(endpoint, "inproc://");
    if (rest != NULL) {
        return rest[0] == '\0' ? "the name is missing" : NULL;
    }
    return "the transport is not known";
}

char *zn_endpoint_with_key(const char *endpoint, const zn_key *key) {
    char text[ZN_KEY_HEX + 1];
    zn_key_to_hex(key, text);
    return zn_format("%s#%s", endpoint, text);
}

char *zn_endpoint_without_key(const char *endpoint, zn_key *key, bool *has_key) {
    size_t len = strlen(endpoint);
    size_t bare = len > ZN_KEY_HEX ? len - ZN_KEY_HEX - 1 : 0;
    *has_key = bare > 0 && endpoint[bare] == '#' && zn_key_from_hex(endpoint + bare + 1, key);
    return zn_strndup(endpoint, *has_key ? bare : len);
}

/* Whether it ends in a key. */
static bool has_key(const char *endpoint) {
    zn_key key;
    bool has = false;
    free(zn_endpoint_without_key(endpoint, &key, &has));
    return has;
}

zonda_err zn_endpoint_check(const char *endpoint, bool bind, zonda_error *error) {
    zn_key key;
    bool keyed = false;
    char *bare = bind ? zn_strdup(endpoint) : zn_endpoint_without_key(endpoint, &key, &keyed);
    const char *wrong = has_key(bare) ? "it has a key too many" : find_mistake(bare, bind);
    free(bare);
    if (wrong == NULL) {
        return ZONDA_OK;
    }
    return zn_error_set(error, ZONDA_ERR_INVALID, "endpoint \"%.200s\": %s; an endpoint is %s",
                        endpoint, wrong, forms);
}

static bool is_loopback_address(const char *host) {
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1) {
        return ntohl(v4.s_addr) >> 24 == 127;
    }
    if (inet_pton(AF_INET6, host, &v6) == 1) {
        return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
    }
    return false;
}

bool zn_endpoint_is_loopback(const char *endpoint) {
    if (after(endpoint, "inproc://") != NULL || after(endpoint, "ipc://") != NULL) {
        return true;
    }
    const char *rest = after(endpoint, "tcp://");
    tcp_parts parts;
    if (rest == NULL || split_tcp(rest, &parts) != NULL) {
        return false;
    }
    return strcmp(parts.host, "localhost") == 0 || is_loopback_address(parts.host);
}

char *zn_endpoint_sibling(const char *endpoint, const char *suffix) {
    const char *rest = after(endpoint, "tcp://");
    tcp_parts parts;
    if (rest == NULL || split_tcp(rest, &parts) != NULL) {
        return zn_format("%s.%s", endpoint, suffix);
    }
    return zn_format(parts.bracketed ? "tcp://[%s]:*" : "tcp://%s:*", parts.host);
}

/* True for the addresses that stand for every interface. */
static bool is_wildcard(const char *host) {
    struct in6_addr v6;
    return strcmp(host, "*") == 0 || strcmp(host, "0.0.0.0") == 0 ||
           (inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_UNSPECIFIED(&v6));
}

char *zn_endpoint_advertise(const char *endpoint, const char *host) {
    const char *rest = after(endpoint, "tcp://");
    tcp_parts parts;
    if (rest == NULL || split_tcp(rest, &parts) != NULL || !is_wildcard(parts.host)) {
        return zn_strdup(endpoint);
    }
    bool bare_ipv6 = host[0] != '[' && strchr(host, ':') != NULL;
    return zn_format(bare_ipv6 ? "tcp://[%s]:%s" : "tcp://%s:%s", host, parts.port);
}

/* The text of the address that the system would send from; NULL if there is no route. A datagram
 * socket is connected without anything being sent. */
static char *source_address(const struct addrinfo *to) {
    int fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return NULL;
    }
    struct sockaddr_storage from = { 0 };
    socklen_t size = sizeof from;
    char text[ADDRESS_TEXT_BYTES];
    bool found = connect(fd, to->ai_addr, to->ai_addrlen) == 0 &&
                 getsockname(fd, (struct sockaddr *)&from, &size) == 0 &&
                 getnameinfo((const struct sockaddr *)&from, size, text, sizeof text, NULL, 0,
                             NI_NUMERICHOST) == 0;
    close(fd);
    return found ? zn_strdup(text) : NULL;
}

char *zn_endpoint_local_address(const char *endpoint) {
    const char *rest = after(endpoint, "tcp://");
    tcp_parts parts;
    if (rest == NULL || split_tcp(rest, &parts) != NULL) {
        return NULL;
    }
    struct addrinfo wanted = { .ai_family = parts.bracketed ? AF_INET6 : AF_INET,
                               .ai_socktype = SOCK_DGRAM };
    struct addrinfo *found = NULL;
    if (getaddrinfo(parts.host, parts.port, &wanted, &found) != 0) {
        return NULL;
    }
    char *address = source_address(found);
    freeaddrinfo(found);
    return address;
}
