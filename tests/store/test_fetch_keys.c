/* SPDX-License-Identifier: MPL-2.0 */
/* Fetching with keys: those get data whom the server was told to let in, and only from the worker
 * whose key the endpoint names. */
#include "results.h"

#include "store/fetch.h"
#include "wire/endpoint.h"

enum {
    RECORDS = 700,
    LONG_MS = 20000,
    SHORT_MS = 300
};

/* A worker that serves a result, and two clients of the same cluster. */
typedef struct rig {
    char *folder;
    zn_segment *segment;
    zn_stretch at;
    zn_data_server *server;
    char *endpoint; /* with the worker's key */
    zn_keys worker;
    zn_keys reader;
} rig;

static void make_client(const char *folder, const char *name, zn_keys *out) {
    zonda_error error = { 0 };
    char *keys = zn_format("%s/keys", folder);
    char *client = zn_format("%s/clients/%s", keys, name);
    assert_ok(zn_keygen_client(keys, name, &error), error);
    assert_ok(zn_keys_load_client(client, out, &error), error);
    free(client);
    free(keys);
}

static void open_rig(rig *self, char *folder) {
    zonda_error error = { 0 };
    *self = (rig){ .folder = folder };
    char *keys = zn_format("%s/keys", folder);
    assert_ok(zn_keygen_cluster(keys, &error), error);
    free(keys);
    make_client(folder, "worker", &self->worker);
    make_client(folder, "reader", &self->reader);
    self->segment = new_segment(folder);
    self->at = write_result(self->segment, 1, RECORDS);
    self->server = zn_data_server_start_keyed("tcp://127.0.0.1:*", folder, &self->worker, &error);
    assert_non_null(self->server);
    self->endpoint = zn_endpoint_with_key(zn_data_server_endpoint(self->server), &self->worker.own);
}

static void close_rig(rig *self) {
    free(self->endpoint);
    zn_data_server_stop(&self->server);
    zn_segment_destroy(&self->segment);
}

static void allow_reader(rig *self) {
    zn_data_server_allow(self->server, (zn_bytes){ self->reader.own.bytes, ZN_KEY_BYTES });
}

static zonda_err count_records(void *context, zn_bytes records, uint32_t count,
                               zonda_error *error) {
    (void)records;
    (void)error;
    *(uint32_t *)context += count;
    return ZONDA_OK;
}

static zonda_err read_result(zn_fetcher *fetcher, const rig *self, const char *endpoint,
                             zonda_error *error) {
    uint32_t count = 0;
    zn_place place = { .endpoint = endpoint, .segment = zn_bytes_of_text(segment_name) };
    zonda_err code = zn_fetcher_read(fetcher, &place, self->at, NULL, count_records, &count, error);
    assert_int_equal(count, code == ZONDA_OK ? RECORDS : 0);
    return code;
}

/* At first nobody is let in; then the reader is, over the same fetcher; then he is not again, also
 * over the connection that stands. */
static void test_fetch_keys_of_those_who_are_allowed(void **state) {
    rig self;
    zonda_error error = { 0 };
    open_rig(&self, *state);
    zn_fetcher *fetcher = zn_fetcher_new(SHORT_MS);
    zn_fetcher_set_keys(fetcher, &self.reader);
    /* A refusal may be early news of a key that is being made known; so it is tried for a while,
     * within the time that a silence may last. */
    assert_int_not_equal(read_result(fetcher, &self, self.endpoint, &error), ZONDA_OK);
    allow_reader(&self);
    assert_ok(read_result(fetcher, &self, self.endpoint, &error), error);
    zn_data_server_allow(self.server, (zn_bytes){ 0 });
    assert_err(read_result(fetcher, &self, self.endpoint, &error), WORKER_LOST);
    zn_fetcher_destroy(&fetcher);
    close_rig(&self);
}

static void expect_keys_error(rig *self, const zn_keys *keys, const char *endpoint,
                              const char *words) {
    zonda_error error = { 0 };
    zn_fetcher *fetcher = zn_fetcher_new(LONG_MS);
    zn_fetcher_set_keys(fetcher, keys);
    assert_err(read_result(fetcher, self, endpoint, &error), KEYS);
    if (strstr(error.text, words) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", words, error.text);
    }
    zn_fetcher_destroy(&fetcher);
}

static void test_fetch_keys_that_do_not_fit_are_errors(void **state) {
    rig self;
    open_rig(&self, *state);
    expect_keys_error(&self, &self.reader, self.endpoint, "not among those");
    allow_reader(&self);
    expect_keys_error(&self, NULL, self.endpoint, "none were given");
    /* Another worker's key in the endpoint, and none: then it would be the coordinator's. */
    const char *bare = zn_data_server_endpoint(self.server);
    char *other = zn_endpoint_with_key(bare, &self.reader.own);
    expect_keys_error(&self, &self.reader, other, "does not have the key that is expected");
    expect_keys_error(&self, &self.reader, bare, "does not have the key that is expected");
    free(other);
    close_rig(&self);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        folder_test(test_fetch_keys_of_those_who_are_allowed),
        folder_test(test_fetch_keys_that_do_not_fit_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
