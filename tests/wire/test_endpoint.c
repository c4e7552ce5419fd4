/* SPDX-License-Identifier: MPL-2.0 */
/* Endpoints as people write them: what is right, what is wrong and why. */
#include "test.h"

#include "base/limits.h"
#include "wire/endpoint.h"

#define KEY "#6161616161616161616161616161616161616161616161616161616161616161"

/* `wrong` is a part of the error text, NULL where the endpoint is right. */
typedef struct endpoint_case {
    const char *endpoint;
    const char *wrong_to_bind;
    const char *wrong_to_connect;
} endpoint_case;

static const endpoint_case cases[] = {
    { "inproc://a", NULL, NULL },
    { "inproc://", "name is missing", "name is missing" },
    { "ipc:///tmp/x", NULL, NULL },
    { "ipc://relative", NULL, NULL },
    { "ipc://@abstract", NULL, NULL },
    { "ipc://", "path is missing", "path is missing" },
    { "ipc://*", "* is not a path", "* is not a path" },
    { "tcp://127.0.0.1:7070", NULL, NULL },
    { "tcp://127.0.0.1:*", NULL, "* as port" },
    { "tcp://*:7070", NULL, "* as host" },
    { "tcp://*:*", NULL, "* as" },
    { "tcp://host-1.example.org:1", NULL, NULL },
    { "tcp://my_host:65535", NULL, NULL },
    { "tcp://[::1]:7070", NULL, NULL },
    { "tcp://[fe80::1%eth0]:7070", NULL, NULL },
    { "tcp://[::1]:*", NULL, "* as port" },
    { "tcp://[::1]", ":PORT is missing", ":PORT is missing" },
    { "tcp://[::1", "] after", "] after" },
    { "tcp://[]:1", "host is missing", "host is missing" },
    { "tcp://[1.2.3.4]:1", "not an IPv6", "not an IPv6" },
    { "tcp://::1:7070", "needs brackets", "needs brackets" },
    { "tcp://127.0.0.1", ":PORT is missing", ":PORT is missing" },
    { "tcp://:7070", "host is missing", "host is missing" },
    { "tcp://", ":PORT is missing", ":PORT is missing" },
    { "tcp://h:", "neither a number nor *", "not a number" },
    { "tcp://h:http", "neither a number nor *", "not a number" },
    { "tcp://h:7070/x", "neither a number nor *", "not a number" },
    { "tcp://h:0", "between 1 and 65535", "between 1 and 65535" },
    { "tcp://h:65536", "between 1 and 65535", "between 1 and 65535" },
    { "tcp://h:99999999999999999999", "between 1 and 65535", "between 1 and 65535" },
    { "tcp://256.0.0.1:1", "not an IPv4", "not an IPv4" },
    { "tcp://a b:1", "a character", "a character" },
    { "tcp://eth0;h:1", "a character", "a character" },
    { "tcp://h\n:1", "control character", "control character" },
    { "tcp://h:1" KEY, "a key too many", NULL },
    { "ipc:///tmp/x" KEY, "a key too many", NULL },
    { "ipc:///tmp/x" KEY KEY, "a key too many", "a key too many" },
    { "ipc:///tmp/x#61", NULL, NULL },
    { "udp://h:1", "transport is not known", "transport is not known" },
    { "pgm://h:1", "transport is not known", "transport is not known" },
    { "h:1", "transport is not known", "transport is not known" },
    { "TCP://h:1", "transport is not known", "transport is not known" },
    { "", "transport is not known", "transport is not known" },
};

static void check(const char *endpoint, bool bind, const char *wrong) {
    zonda_error error = { 0 };
    zonda_err code = zn_endpoint_check(endpoint, bind, &error);
    if (wrong == NULL) {
        assert_ok(code, error);
        return;
    }
    assert_err(code, INVALID);
    if (strstr(error.text, wrong) == NULL || strstr(error.text, "tcp://HOST:PORT") == NULL) {
        fail_msg("%s: %s", endpoint, error.text);
    }
}

/* Every form that people write, to bind and to connect. */
static void test_endpoint_check_explains_what_is_wrong(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check(cases[i].endpoint, true, cases[i].wrong_to_bind);
        check(cases[i].endpoint, false, cases[i].wrong_to_connect);
    }
}

/* Lengths are bounded: of the whole, of a socket's path, of a host. */
static void test_endpoint_check_bounds_lengths(void **state) {
    (void)state;
    char endpoint[ZN_ENDPOINT_BYTES_MAX + 2];
    memset(endpoint, 'x', sizeof endpoint);
    memcpy(endpoint, "inproc://", 9);
    endpoint[ZN_ENDPOINT_BYTES_MAX + 1] = '\0';
    check(endpoint, true, "too long");
    endpoint[ZN_ENDPOINT_BYTES_MAX] = '\0';
    check(endpoint, true, NULL);
    memcpy(endpoint, "ipc:///xx", 9);
    endpoint[6 + 107] = '\0';
    check(endpoint, true, NULL);
    endpoint[6 + 107] = 'x';
    endpoint[6 + 108] = '\0';
    check(endpoint, true, "107 bytes");
    endpoint[6 + 108] = 'x';
    memcpy(endpoint, "tcp://", 6);
    strcpy(endpoint + 6 + 256, ":1");
    endpoint[6] = 'x';
    check(endpoint, true, "host is too long");
}

/* Only what certainly stays on this machine counts as loopback. */
static void test_endpoint_is_loopback_table(void **state) {
    (void)state;
    static const char *const inside[] = {
        "inproc://a",        "ipc:///tmp/a",  "tcp://127.0.0.1:1",         "tcp://127.9.9.9:*",
        "tcp://localhost:1", "tcp://[::1]:1", "tcp://[::ffff:127.0.0.1]:1"
    };
    static const char *const outside[] = { "tcp://0.0.0.0:1",
                                           "tcp://*:1",
                                           "tcp://[::]:1",
                                           "tcp://10.0.0.1:1",
                                           "tcp://128.0.0.1:1",
                                           "tcp://[2001:db8::1]:1",
                                           "tcp://localhost.example.org:1",
                                           "tcp://127.0.0.1.example.org:1",
                                           "tcp://127.1:1",
                                           "tcp://eth0:1",
                                           "tcp://127.0.0.1",
                                           "nonsense" };
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        assert_true(zn_endpoint_is_loopback(inside[i]));
    }
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        assert_false(zn_endpoint_is_loopback(outside[i]));
    }
}

static void expect_text(char *text, const char *expected) {
    assert_string_equal(text, expected);
    free(text);
}

/* Another socket of the same owner. */
static void test_endpoint_sibling_keeps_transport_and_host(void **state) {
    (void)state;
    expect_text(zn_endpoint_sibling("tcp://127.0.0.1:7070", "work"), "tcp://127.0.0.1:*");
    expect_text(zn_endpoint_sibling("tcp://[::1]:7070", "work"), "tcp://[::1]:*");
    expect_text(zn_endpoint_sibling("ipc:///tmp/c", "work"), "ipc:///tmp/c.work");
    expect_text(zn_endpoint_sibling("inproc://c", "work"), "inproc://c.work");
}

/* Wildcards are replaced by an address that others can reach, nothing else is. */
static void test_endpoint_advertise_replaces_wildcards(void **state) {
    (void)state;
    expect_text(zn_endpoint_advertise("tcp://0.0.0.0:70", "10.0.0.1"), "tcp://10.0.0.1:70");
    expect_text(zn_endpoint_advertise("tcp://*:70", "host"), "tcp://host:70");
    expect_text(zn_endpoint_advertise("tcp://[::]:70", "fd00::1"), "tcp://[fd00::1]:70");
    expect_text(zn_endpoint_advertise("tcp://[::]:70", "[fd00::1]"), "tcp://[fd00::1]:70");
    expect_text(zn_endpoint_advertise("tcp://10.0.0.2:70", "host"), "tcp://10.0.0.2:70");
    expect_text(zn_endpoint_advertise("ipc:///tmp/x", "host"), "ipc:///tmp/x");
}

/* The way to this machine starts at this machine. */
static void test_endpoint_local_address_of_loopback(void **state) {
    (void)state;
    expect_text(zn_endpoint_local_address("tcp://127.0.0.1:7070"), "127.0.0.1");
    assert_null(zn_endpoint_local_address("ipc:///tmp/x"));
    assert_null(zn_endpoint_local_address("tcp://no.such.host.invalid:1"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endpoint_check_explains_what_is_wrong),
        cmocka_unit_test(test_endpoint_check_bounds_lengths),
        cmocka_unit_test(test_endpoint_is_loopback_table),
        cmocka_unit_test(test_endpoint_sibling_keeps_transport_and_host),
        cmocka_unit_test(test_endpoint_advertise_replaces_wildcards),
        cmocka_unit_test(test_endpoint_local_address_of_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
