/* SPDX-License-Identifier: MPL-2.0 */
/* Keys in files, and who gets through to a socket that has some. */
#include "test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "wire/channel.h"
#include "wire/endpoint.h"
#include "wire/keys.h"

enum {
    LONG_MS = 20000,
    SLICE_MS = 20
};

/* A folder of `zonda keygen`, and a second one of another cluster. */
typedef struct rig {
    char *folder;
    char *ours;
    char *theirs;
} rig;

static char *below(const char *folder, const char *name) {
    return zn_format("%s/%s", folder, name);
}

static int set_up(void **state) {
    zonda_error error = { 0 };
    rig *self = ZN_NEW(rig);
    self->folder = zn_strdup("/tmp/zonda-keys-XXXXXX");
    assert_non_null(mkdtemp(self->folder));
    self->ours = below(self->folder, "ours");
    self->theirs = below(self->folder, "theirs");
    assert_int_equal(zn_keygen_cluster(self->ours, &error), ZONDA_OK);
    assert_int_equal(zn_keygen_cluster(self->theirs, &error), ZONDA_OK);
    *state = self;
    return 0;
}

static int tear_down(void **state) {
    rig *self = *state;
    char *command = zn_format("rm -r '%s'", self->folder);
    assert_int_equal(system(command), 0);
    free(command);
    free(self->theirs);
    free(self->ours);
    free(self->folder);
    free(self);
    return 0;
}

static void load_client(const char *folder, zn_keys *keys) {
    zonda_error error = { 0 };
    assert_int_equal(zn_keys_load_client(folder, keys, &error), ZONDA_OK);
}

static unsigned mode_of(const char *folder, const char *name) {
    struct stat status;
    char *path = below(folder, name);
    assert_int_equal(stat(path, &status), 0);
    free(path);
    return status.st_mode & 07777;
}

static void remove_below(const char *folder, const char *name) {
    char *path = below(folder, name);
    assert_int_equal(unlink(path), 0);
    free(path);
}

/* ---- files ---- */

static void test_keygen_files_are_private_and_fit_together(void **state) {
    const rig *self = *state;
    zonda_error error = { 0 };
    static const char *const files[] = { "coordinator.key", "coordinator.pub", "client.key",
                                         "allowed/client.pub" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        assert_int_equal(mode_of(self->ours, files[i]), 0600);
    }
    assert_int_equal(mode_of(self->ours, ""), 0700);
    zn_keys coordinator;
    zn_keys client;
    zn_key allowed;
    assert_int_equal(zn_keys_load_coordinator(self->ours, &coordinator, &error), ZONDA_OK);
    load_client(self->ours, &client);
    assert_true(zn_key_equal(&client.server, &coordinator.own));
    char *path = below(self->ours, "allowed/client.pub");
    assert_int_equal(zn_keys_read_public(path, &allowed, &error), ZONDA_OK);
    assert_true(zn_key_equal(&client.own, &allowed));
    free(path);
}

static void test_keygen_overwrites_nothing_and_leaves_nothing_half(void **state) {
    const rig *self = *state;
    zonda_error error = { 0 };
    zn_keys before;
    zn_keys after;
    load_client(self->ours, &before);
    assert_int_equal(zn_keygen_cluster(self->ours, &error), ZONDA_ERR_IO);
    assert_non_null(strstr(error.text, "never overwritten"));
    /* Only the last file is there: what was made before it goes again. */
    remove_below(self->ours, "coordinator.key");
    assert_int_equal(zn_keygen_cluster(self->ours, &error), ZONDA_ERR_IO);
    char *path = below(self->ours, "coordinator.key");
    assert_int_equal(access(path, F_OK), -1);
    free(path);
    load_client(self->ours, &after);
    assert_true(zn_key_equal(&before.own, &after.own));
}

static void test_keygen_client_gets_a_folder_of_its_own(void **state) {
    const rig *self = *state;
    zonda_error error = { 0 };
    assert_int_equal(zn_keygen_client(self->ours, "alice", &error), ZONDA_OK);
    assert_int_equal(zn_keygen_client(self->ours, "alice", &error), ZONDA_ERR_IO);
    char *folder = below(self->ours, "clients/alice");
    zn_keys alice;
    zn_keys first;
    load_client(folder, &alice);
    load_client(self->ours, &first);
    assert_true(zn_key_equal(&alice.server, &first.server));
    assert_false(zn_key_equal(&alice.own, &first.own));
    free(folder);
    static const char *const bad[] = { "", "..", ".x", "a/b", "a b", "\xc3\xa4" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(zn_keygen_client(self->ours, bad[i], &error), ZONDA_ERR_INVALID);
    }
    assert_int_equal(zn_keygen_client(self->folder, "alice", &error), ZONDA_ERR_KEYS);
}

static void test_keys_that_others_can_read_are_refused(void **state) {
    const rig *self = *state;
    zonda_error error = { 0 };
    zn_keys keys;
    char *path = below(self->ours, "client.key");
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(zn_keys_load_client(self->ours, &keys, &error), ZONDA_ERR_KEYS);
    assert_non_null(strstr(error.text, "chmod 600"));
    free(path);
}

static void test_keys_that_are_none_are_named(void **state) {
    const rig *self = *state;
    zonda_error error = { 0 };
    zn_keys keys;
    assert_int_equal(zn_keys_load_client("/nowhere", &keys, &error), ZONDA_ERR_KEYS);
    assert_non_null(strstr(error.text, "/nowhere/client.key"));
    char *path = below(self->ours, "coordinator.pub");
    static const char *const texts[] = {
        "", "public-key", "public-key = \"short\"",
        "public-key = \"~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\"",
        /* Z85, but more than 32 bits in five characters */
        "public-key = \"########################################\""
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(texts[i], file);
        fclose(file);
        assert_int_equal(zn_keys_load_client(self->ours, &keys, &error), ZONDA_ERR_KEYS);
        assert_non_null(strstr(error.text, "coordinator.pub"));
    }
    free(path);
}

static void test_keys_in_endpoints(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_key key = { { 0xab, 1, 2, 3 } };
    zn_key found = { { 0 } };
    bool has = false;
    char *endpoint = zn_endpoint_with_key("tcp://10.0.0.1:7", &key);
    assert_int_equal(zn_endpoint_check(endpoint, false, &error), ZONDA_OK);
    assert_int_equal(zn_endpoint_check(endpoint, true, &error), ZONDA_ERR_INVALID);
    char *bare = zn_endpoint_without_key(endpoint, &found, &has);
    assert_true(has);
    assert_string_equal(bare, "tcp://10.0.0.1:7");
    assert_true(zn_key_equal(&key, &found));
    free(bare);
    endpoint[strlen(endpoint) - 1] = 'g';
    assert_int_equal(zn_endpoint_check(endpoint, false, &error), ZONDA_ERR_INVALID);
    free(endpoint);
    bare = zn_endpoint_without_key("ipc:///a#b", &found, &has);
    assert_false(has);
    assert_string_equal(bare, "ipc:///a#b");
    free(bare);
}

/* ---- connections ---- */

static zn_channel *bind_keyed(const rig *self, const char *endpoint, zn_allow_list **list) {
    zonda_error error = { 0 };
    zn_keys keys;
    char *allowed = below(self->ours, "allowed");
    assert_int_equal(zn_keys_load_coordinator(self->ours, &keys, &error), ZONDA_OK);
    *list = zn_allow_list_new(allowed, &error);
    assert_non_null(*list);
    zn_channel *channel =
        zn_channel_bind_keyed(ZN_CHANNEL_ROUTER, endpoint, ZN_SOCKET_HWM, &keys, *list, &error);
    assert_non_null(channel);
    free(allowed);
    return channel;
}

static zn_channel *connect_keyed(const char *endpoint, const zn_keys *keys) {
    zonda_error error = { 0 };
    zn_channel *channel = zn_channel_connect_watched(ZN_CHANNEL_DEALER, endpoint, keys, &error);
    assert_non_null(channel);
    return channel;
}

static void send_credit(zn_channel *channel) {
    zn_message message = { .number = ZN_MSG_CREDIT, .credit = { .epoch = 5, .tasks = 7 } };
    assert_int_equal(zn_channel_send(channel, NULL, &message, NULL), ZONDA_OK);
}

/* The connection may have failed already. */
static void try_credit(zn_channel *channel) {
    zn_message message = { .number = ZN_MSG_CREDIT, .credit = { .epoch = 5, .tasks = 7 } };
    zn_channel_send(channel, NULL, &message, NULL);
}

/* Waits for the next message on the server; returns what became of it. */
static zonda_err next_message(zn_channel *server, zonda_error *error) {
    zn_poll_item item = { .kind = ZN_POLL_CHANNEL, .channel = server };
    assert_int_equal(zn_poll(&item, 1, LONG_MS), 1);
    zn_peer peer;
    zn_message message;
    bool got = false;
    zonda_err code = zn_channel_recv(server, &peer, &message, &got, error);
    assert_true(got);
    return code;
}

static void expect_refusal(zn_channel *client, const char *words) {
    zonda_error error = { 0 };
    zonda_err code = ZONDA_OK;
    for (int i = 0; i < LONG_MS / SLICE_MS && code == ZONDA_OK; i++) {
        zn_poll(NULL, 0, SLICE_MS);
        code = zn_channel_refused(client, &error);
    }
    assert_int_equal(code, ZONDA_ERR_KEYS);
    if (strstr(error.text, words) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", words, error.text);
    }
}

static void come_through(const rig *self, const char *endpoint) {
    zonda_error error = { 0 };
    zn_allow_list *list = NULL;
    zn_keys keys;
    load_client(self->ours, &keys);
    zn_channel *server = bind_keyed(self, endpoint, &list);
    zn_channel *client = connect_keyed(zn_channel_endpoint(server), &keys);
    send_credit(client);
    assert_int_equal(next_message(server, &error), ZONDA_OK);
    assert_int_equal(zn_channel_refused(client, &error), ZONDA_OK);
    zn_channel_destroy(&client);
    zn_channel_destroy(&server);
    zn_allow_list_destroy(&list);
}

static void test_curve_who_is_allowed_comes_through(void **state) {
    const rig *self = *state;
    char *ipc = zn_format("ipc://%s/socket", self->folder);
    come_through(self, "tcp://127.0.0.1:*");
    come_through(self, ipc);
    come_through(self, "inproc://test-keys");
    free(ipc);
}

/* No key, a key that is not known, and a server that is not the one whose key is known. */
static void test_curve_everybody_else_learns_why_not(void **state) {
    const rig *self = *state;
    zn_allow_list *list = NULL;
    zn_channel *server = bind_keyed(self, "tcp://127.0.0.1:*", &list);
    const char *endpoint = zn_channel_endpoint(server);
    zn_keys ours;
    zn_keys theirs;
    load_client(self->ours, &ours);
    load_client(self->theirs, &theirs);

    zn_channel *plain = connect_keyed(endpoint, NULL);
    try_credit(plain);
    expect_refusal(plain, "none were given");

    zn_keys stranger = theirs;
    stranger.server = ours.server;
    zn_channel *unknown = connect_keyed(endpoint, &stranger);
    try_credit(unknown);
    expect_refusal(unknown, "not among those");

    zn_keys deceived = ours;
    deceived.server = theirs.server;
    zn_channel *wrong = connect_keyed(endpoint, &deceived);
    try_credit(wrong);
    expect_refusal(wrong, "does not have the key that is expected");

    /* The key in the endpoint counts more than that of the coordinator. */
    char *pinned = zn_endpoint_with_key(endpoint, &theirs.server);
    zn_channel *misled = connect_keyed(pinned, &ours);
    try_credit(misled);
    expect_refusal(misled, "does not have the key that is expected");
    free(pinned);

    zn_poll_item item = { .kind = ZN_POLL_CHANNEL, .channel = server };
    assert_int_equal(zn_poll(&item, 1, 0), 0);
    zn_channel_destroy(&misled);
    zn_channel_destroy(&wrong);
    zn_channel_destroy(&unknown);
    zn_channel_destroy(&plain);
    zn_channel_destroy(&server);
    zn_allow_list_destroy(&list);
}

static void test_curve_a_server_without_keys_is_not_talked_to(void **state) {
    const rig *self = *state;
    zonda_error error = { 0 };
    zn_keys keys;
    load_client(self->ours, &keys);
    zn_channel *server = zn_channel_bind(ZN_CHANNEL_ROUTER, "tcp://127.0.0.1:*", &error);
    assert_non_null(server);
    zn_channel *client = connect_keyed(zn_channel_endpoint(server), &keys);
    try_credit(client);
    expect_refusal(client, "has no keys");
    zn_channel_destroy(&client);
    zn_channel_destroy(&server);
}

/* Whether or not it was libzmq that gave the connection up. */
static void test_curve_a_server_that_gets_its_keys_back_is_found_again(void **state) {
    const rig *self = *state;
    zonda_error error = { 0 };
    zn_keys keys;
    load_client(self->ours, &keys);
    zn_channel *server = zn_channel_bind(ZN_CHANNEL_ROUTER, "tcp://127.0.0.1:*", &error);
    assert_non_null(server);
    char *endpoint = zn_strdup(zn_channel_endpoint(server));
    zn_channel *client = connect_keyed(endpoint, &keys);
    expect_refusal(client, "has no keys");
    zn_channel_destroy(&server);

    zn_allow_list *list = NULL;
    server = bind_keyed(self, endpoint, &list);
    zn_poll_item item = { .kind = ZN_POLL_CHANNEL, .channel = server };
    /* What was sent over a connection that fails afterwards is lost. */
    for (int i = 0; i < LONG_MS / SLICE_MS && !item.ready; i++) {
        zn_channel_refused(client, &error);
        try_credit(client);
        zn_poll(&item, 1, SLICE_MS);
    }
    assert_int_equal(next_message(server, &error), ZONDA_OK);
    zn_channel_destroy(&client);
    zn_channel_destroy(&server);
    zn_allow_list_destroy(&list);
    free(endpoint);
}

/* The folder is looked at now and then. */
static void wait_for_change(zn_allow_list *list, uint64_t version) {
    for (int i = 0; i < LONG_MS / SLICE_MS && zn_allow_list_version(list) == version; i++) {
        zn_poll(NULL, 0, SLICE_MS);
    }
    assert_int_equal(zn_allow_list_version(list), version + 1);
}

/* A key that is taken back is out at once, also on the connection that stands, and cannot come
 * back; put into the folder again it is let in. */
static void test_curve_a_revoked_key_is_out(void **state) {
    const rig *self = *state;
    zonda_error error = { 0 };
    zn_allow_list *list = NULL;
    assert_int_equal(zn_keygen_client(self->ours, "alice", &error), ZONDA_OK);
    char *folder = below(self->ours, "clients/alice");
    zn_keys first;
    zn_keys alice;
    load_client(self->ours, &first);
    load_client(folder, &alice);
    zn_channel *server = bind_keyed(self, "tcp://127.0.0.1:*", &list);
    const char *endpoint = zn_channel_endpoint(server);
    zn_channel *theirs = connect_keyed(endpoint, &alice);
    send_credit(theirs);
    assert_int_equal(next_message(server, &error), ZONDA_OK);

    uint64_t version = zn_allow_list_version(list);
    remove_below(self->ours, "allowed/alice.pub");
    wait_for_change(list, version);
    send_credit(theirs);
    assert_int_equal(next_message(server, &error), ZONDA_ERR_KEYS);
    assert_non_null(strstr(error.text, "not allowed any more"));
    zn_channel *again = connect_keyed(endpoint, &alice);
    send_credit(again);
    expect_refusal(again, "not among those");
    zn_channel *others = connect_keyed(endpoint, &first);
    send_credit(others);
    assert_int_equal(next_message(server, &error), ZONDA_OK);

    zn_channel_destroy(&others);
    zn_channel_destroy(&again);
    zn_channel_destroy(&theirs);
    zn_channel_destroy(&server);
    zn_allow_list_destroy(&list);
    free(folder);
}

/* The folder is looked at when an unknown key comes, without anybody asking for it. */
static void test_curve_a_new_key_is_let_in_at_once(void **state) {
    const rig *self = *state;
    zonda_error error = { 0 };
    zn_allow_list *list = NULL;
    zn_channel *server = bind_keyed(self, "tcp://127.0.0.1:*", &list);
    assert_int_equal(zn_keygen_client(self->ours, "bob", &error), ZONDA_OK);
    char *folder = below(self->ours, "clients/bob");
    zn_keys bob;
    load_client(folder, &bob);
    zn_channel *client = connect_keyed(zn_channel_endpoint(server), &bob);
    send_credit(client);
    assert_int_equal(next_message(server, &error), ZONDA_OK);
    zn_channel_destroy(&client);
    zn_channel_destroy(&server);
    zn_allow_list_destroy(&list);
    free(folder);
}

/* A file that is no key, or is hidden, or is not named like one, allows nobody and harms nobody. */
static void test_allow_list_reads_keys_only(void **state) {
    const rig *self = *state;
    zonda_error error = { 0 };
    char *allowed = below(self->ours, "allowed");
    static const char *const names[] = { "broken.pub", ".hidden.pub", "notes.txt" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = below(allowed, names[i]);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs("hello", file);
        fclose(file);
        free(path);
    }
    zn_allow_list *list = zn_allow_list_new(allowed, &error);
    assert_non_null(list);
    zn_buf keys = { 0 };
    zn_allow_list_append(list, &keys);
    assert_int_equal(keys.len, ZN_KEY_BYTES);
    zn_allow_list_set(list, (zn_bytes){ keys.data, keys.len });
    assert_int_equal(zn_allow_list_version(list), 1); /* the same as before */
    zn_buf_free(&keys);
    zn_allow_list_destroy(&list);
    free(allowed);
}

#define KEY_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        KEY_TEST(test_keygen_files_are_private_and_fit_together),
        KEY_TEST(test_keygen_overwrites_nothing_and_leaves_nothing_half),
        KEY_TEST(test_keygen_client_gets_a_folder_of_its_own),
        KEY_TEST(test_keys_that_others_can_read_are_refused),
        KEY_TEST(test_keys_that_are_none_are_named),
        cmocka_unit_test(test_keys_in_endpoints),
        KEY_TEST(test_curve_who_is_allowed_comes_through),
        KEY_TEST(test_curve_everybody_else_learns_why_not),
        KEY_TEST(test_curve_a_server_without_keys_is_not_talked_to),
        KEY_TEST(test_curve_a_server_that_gets_its_keys_back_is_found_again),
        KEY_TEST(test_curve_a_revoked_key_is_out),
        KEY_TEST(test_curve_a_new_key_is_let_in_at_once),
        KEY_TEST(test_allow_list_reads_keys_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
