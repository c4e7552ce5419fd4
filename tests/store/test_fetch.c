/* SPDX-License-Identifier: MPL-2.0 */
/* Fetching from data servers over inproc, ipc and tcp, from servers that are dead, that lose,
 * repeat and reorder, and from segments that are damaged or gone. */
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/limits.h"
#include "results.h"
#include "store/fetch.h"
#include "wire/actor.h"
#include "wire/channel.h"

enum {
    LONG_MS = 60000,
    SHORT_MS = 150
};

/* What the callback has seen; it checks every record against its seed and position. */
typedef struct tally {
    uint32_t seed;
    uint32_t records;
    uint32_t stop_after;
} tally;

static zonda_err take_records(void *context, zn_bytes records, uint32_t count, zonda_error *error) {
    tally *seen = context;
    assert_int_equal(records.len, (size_t)count * RECORD_BYTES);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t expected[RECORD_BYTES];
        make_record(seen->seed, seen->records + i, expected);
        assert_memory_equal(records.data + (size_t)i * RECORD_BYTES, expected, RECORD_BYTES);
    }
    seen->records += count;
    if (seen->stop_after > 0 && seen->records >= seen->stop_after) {
        return zn_error_set(error, ZONDA_ERR_CANCELLED, "enough");
    }
    return ZONDA_OK;
}

static zonda_err read_place(zn_fetcher *fetcher, const char *endpoint, zn_stretch at, tally *seen,
                            zonda_error *error) {
    zn_place place = { .endpoint = endpoint, .segment = zn_bytes_of_text(segment_name) };
    return zn_fetcher_read(fetcher, &place, at, NULL, take_records, seen, error);
}

/* Large, small and empty results, in any order, over every transport, with one fetcher. */
static void test_fetch_reads_back_over_every_transport(void **state) {
    static const uint32_t counts[] = { 9000, 1, 0, 700 };
    zn_segment *segment = new_segment(*state);
    zn_stretch places[4];
    for (uint32_t i = 0; i < 4; i++) {
        places[i] = write_result(segment, i, counts[i]);
    }
    char *binds[] = { zn_strdup("inproc://data-test"), zn_format("ipc://%s/data", (char *)*state),
                      zn_strdup("tcp://127.0.0.1:*") };
    zn_fetcher *fetcher = zn_fetcher_new(LONG_MS);
    for (size_t bind = 0; bind < 3; bind++) {
        zn_data_server *server = start_server(binds[bind], *state);
        for (uint32_t i = 0; i < 8; i++) {
            tally seen = { .seed = i * 3 % 4 };
            zonda_error error = { 0 };
            assert_ok(read_place(fetcher, zn_data_server_endpoint(server), places[seen.seed], &seen,
                                 &error),
                      error);
            assert_int_equal(seen.records, counts[seen.seed]);
        }
        zn_data_server_stop(&server);
        free(binds[bind]);
    }
    zn_fetcher_destroy(&fetcher);
    zn_segment_destroy(&segment);
}

/* More servers than connections are kept: old ones make room and are opened again. */
static void test_fetch_many_endpoints_share_the_cache(void **state) {
    enum {
        SERVERS = 70
    };
    zn_segment *segment = new_segment(*state);
    zn_stretch at = write_result(segment, 1, 3);
    zn_data_server *servers[SERVERS];
    zn_fetcher *fetcher = zn_fetcher_new(LONG_MS);
    for (size_t i = 0; i < SERVERS; i++) {
        char *bind = zn_format("inproc://cache-%zu", i);
        servers[i] = start_server(bind, *state);
        free(bind);
    }
    for (size_t i = 0; i < 2 * SERVERS; i++) {
        tally seen = { .seed = 1 };
        zonda_error error = { 0 };
        assert_ok(
            read_place(fetcher, zn_data_server_endpoint(servers[i % SERVERS]), at, &seen, &error),
            error);
        assert_int_equal(seen.records, 3);
    }
    zn_fetcher_destroy(&fetcher);
    for (size_t i = 0; i < SERVERS; i++) {
        zn_data_server_stop(&servers[i]);
    }
    zn_segment_destroy(&segment);
}

/* Nobody there: WORKER_LOST that names the endpoint, after the timeout; then a server comes up and
 * the same fetcher reads from it. */
static void test_fetch_dead_server_is_worker_lost(void **state) {
    zn_segment *segment = new_segment(*state);
    zn_stretch at = write_result(segment, 1, 5);
    char *endpoint = zn_format("ipc://%s/late", (char *)*state);
    zn_fetcher *impatient = zn_fetcher_new(SHORT_MS);
    tally seen = { .seed = 1 };
    zonda_error error = { 0 };
    assert_err(read_place(impatient, endpoint, at, &seen, &error), WORKER_LOST);
    assert_non_null(strstr(error.text, endpoint));
    assert_non_null(strstr(error.text, segment_name));
    assert_int_equal(seen.records, 0);
    zn_fetcher_destroy(&impatient);
    zn_fetcher *patient = zn_fetcher_new(LONG_MS);
    zn_data_server *server = start_server(endpoint, *state);
    assert_ok(read_place(patient, endpoint, at, &seen, &error), error);
    assert_int_equal(seen.records, 5);
    zn_data_server_stop(&server);
    zn_fetcher_destroy(&patient);
    zn_segment_destroy(&segment);
    free(endpoint);
}

/* A socket that takes connections and says nothing. */
static int listen_on_loopback(char **endpoint) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    *endpoint = zn_format("tcp://127.0.0.1:%u", ntohs(address.sin_port));
    return listener;
}

/* Who refuses or closes connections, or takes them and says nothing, is given up in seconds,
 * however long one may be silent. */
static void test_fetch_who_is_gone_is_noticed_soon(void **state) {
    zn_segment *segment = new_segment(*state);
    zn_stretch at = write_result(segment, 1, 5);
    zn_fetcher *fetcher = zn_fetcher_new(LONG_MS);
    zn_data_server *server = start_server("tcp://127.0.0.1:*", *state);
    char *closed = zn_strdup(zn_data_server_endpoint(server));
    tally seen = { .seed = 1 };
    zonda_error error = { 0 };
    assert_ok(read_place(fetcher, closed, at, &seen, &error), error);
    zn_data_server_stop(&server);
    char *silent = NULL;
    int stuck = listen_on_loopback(&silent);
    char *absent = zn_format("ipc://%s/absent", (char *)*state);
    const char *const endpoints[] = { closed, closed, silent, absent };
    for (size_t i = 0; i < 4; i++) {
        uint64_t before = zn_clock_ns();
        assert_err(read_place(fetcher, endpoints[i], at, &seen, &error), WORKER_LOST);
        assert_non_null(strstr(error.text, "no connection"));
        assert_true(zn_clock_ns() - before < LONG_MS / 4 * ZN_NS_PER_MS);
    }
    close(stuck);
    free(closed);
    free(silent);
    free(absent);
    zn_fetcher_destroy(&fetcher);
    zn_segment_destroy(&segment);
}

/* A peer that was frozen when the connection stood: it has greeted, and says nothing more. */
static void *greet_once(void *context) {
    static const char greeting[] =
        "\xff\0\0\0\0\0\0\0\0\x7f\3\0NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    static const char ready[] = "\4\x1c\5READY\xbSocket-Type\0\0\0\6ROUTER";
    int frozen = accept(*(const int *)context, NULL, NULL);
    assert_true(frozen >= 0);
    assert_int_equal(write(frozen, greeting, 64), 64);
    assert_int_equal(write(frozen, ready, sizeof ready - 1), sizeof ready - 1);
    return (void *)(intptr_t)frozen;
}

/* A worker that freezes or is cut off leaves its connections open. Readers notice nevertheless,
 * however long one may be silent. */
static void test_fetch_who_is_frozen_is_noticed_soon(void **state) {
    zn_segment *segment = new_segment(*state);
    zn_stretch at = write_result(segment, 1, 5);
    char *endpoint = NULL;
    int stuck = listen_on_loopback(&endpoint);
    pthread_t greeter;
    assert_int_equal(pthread_create(&greeter, NULL, greet_once, &stuck), 0);
    zn_fetcher *fetcher = zn_fetcher_new(LONG_MS);
    tally seen = { .seed = 1 };
    zonda_error error = { 0 };
    assert_err(read_place(fetcher, endpoint, at, &seen, &error), WORKER_LOST);
    assert_non_null(strstr(error.text, "no connection"));
    void *frozen = NULL;
    assert_int_equal(pthread_join(greeter, &frozen), 0);
    close((int)(intptr_t)frozen);
    close(stuck);
    free(endpoint);
    zn_fetcher_destroy(&fetcher);
    zn_segment_destroy(&segment);
}

/* A segment that is gone, names and places that cannot be, and endpoints that are none. */
static void test_fetch_what_is_not_there_table(void **state) {
    zn_data_server *server = start_server("inproc://missing", *state);
    zn_segment *segment = new_segment(*state);
    zn_stretch at = write_result(segment, 1, 5);
    const struct {
        const char *endpoint;
        const char *segment;
        uint64_t offset;
        uint64_t length;
        zonda_err code;
    } rows[] = {
        { "inproc://missing", "job9-stage0-a.seg", 0, 10, ZONDA_ERR_NOT_FOUND },
        { "inproc://missing", "../etc/passwd", 0, 10, ZONDA_ERR_INVALID },
        { "inproc://missing", segment_name, INT64_MAX, 10, ZONDA_ERR_INVALID },
        { "inproc://missing", segment_name, 0, UINT64_MAX, ZONDA_ERR_INVALID },
        { "inproc://missing", segment_name, 0, at.length + 1, ZONDA_ERR_CORRUPT },
        { "inproc://missing", segment_name, 0, at.length - 1, ZONDA_ERR_CORRUPT },
        { "inproc://missing", segment_name, 1, at.length - 1, ZONDA_ERR_CORRUPT },
        { "inproc://missing", segment_name, 1ul << 40, 10, ZONDA_ERR_CORRUPT },
        { "carrier-pigeon://x", segment_name, 0, 10, ZONDA_ERR_INVALID },
    };
    zn_fetcher *fetcher = zn_fetcher_new(LONG_MS);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tally seen = { .seed = 1 };
        zonda_error error = { 0 };
        zn_place place = { .endpoint = rows[i].endpoint,
                           .segment = zn_bytes_of_text(rows[i].segment) };
        zonda_err code =
            zn_fetcher_read(fetcher, &place, (zn_stretch){ rows[i].offset, rows[i].length }, NULL,
                            take_records, &seen, &error);
        assert_string_equal(zonda_err_name(code), zonda_err_name(rows[i].code));
        assert_int_equal(error.code, code);
        assert_true(error.text[0] != '\0');
    }
    zn_fetcher_destroy(&fetcher);
    zn_segment_destroy(&segment);
    zn_data_server_stop(&server);
}

/* A byte that changed on the disk is CORRUPT with segment and offset of its block; the blocks
 * before it were right. */
static void test_fetch_damaged_segment_is_corrupt(void **state) {
    zn_segment *segment = new_segment(*state);
    zn_stretch at = write_result(segment, 1, 2000);
    char *path = zn_format("%s/%s", (char *)*state, segment_name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t byte = 0;
    off_t where = (off_t)(at.length - 1000);
    assert_int_equal(pread(fd, &byte, 1, where), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, where), 1);
    close(fd);
    zn_data_server *server = start_server("inproc://damaged", *state);
    zn_fetcher *fetcher = zn_fetcher_new(LONG_MS);
    tally seen = { .seed = 1 };
    zonda_error error = { 0 };
    assert_err(read_place(fetcher, "inproc://damaged", at, &seen, &error), CORRUPT);
    assert_non_null(strstr(error.text, segment_name));
    assert_non_null(strstr(error.text, "checksum"));
    assert_true(seen.records > 1000 && seen.records < 2000);
    zn_fetcher_destroy(&fetcher);
    zn_data_server_stop(&server);
    zn_segment_destroy(&segment);
    free(path);
}

/* What the callback returns comes out, and answers that are still on the way do not disturb the
 * reads that follow. */
static void test_fetch_callback_stops_and_next_read_is_clean(void **state) {
    zn_segment *segment = new_segment(*state);
    zn_stretch large = write_result(segment, 1, 8000);
    zn_stretch small = write_result(segment, 2, 10);
    zn_data_server *server = start_server("inproc://stopping", *state);
    zn_fetcher *fetcher = zn_fetcher_new(LONG_MS);
    for (int i = 0; i < 5; i++) {
        tally seen = { .seed = 1, .stop_after = 1 };
        zonda_error error = { 0 };
        assert_err(read_place(fetcher, "inproc://stopping", large, &seen, &error), CANCELLED);
        assert_string_equal(error.text, "enough");
        assert_true(seen.records < 8000);
        seen = (tally){ .seed = 2 };
        assert_ok(read_place(fetcher, "inproc://stopping", small, &seen, &error), error);
        assert_int_equal(seen.records, 10);
    }
    zn_fetcher_destroy(&fetcher);
    zn_data_server_stop(&server);
    zn_segment_destroy(&segment);
}

/* A server that ignores every first request, and answers the repeated ones backwards, twice, with
 * answers to nothing in between. */
typedef struct odd_server {
    zn_channel *channel;
    const char *scratch;
} odd_server;

/* Who has all that he asked for may be gone. */
static void send_oddly(const odd_server *odd, const zn_peer *peer, const zn_message *message) {
    zonda_error error = { 0 };
    if (zn_channel_send(odd->channel, peer, message, &error) != ZONDA_OK) {
        assert_int_equal(error.code, ZONDA_ERR_UNREACHABLE);
    }
}

static void answer_fetch(const odd_server *odd, const zn_peer *peer, const zn_msg_fetch *fetch) {
    static uint8_t piece[ZN_MIB];
    zonda_error error = { 0 };
    size_t got = 0;
    assert_ok(zn_segment_read_at(odd->scratch, zn_bytes_of_text(segment_name), fetch->offset, piece,
                                 fetch->length, &got, &error),
              error);
    zn_message reply = { .number = ZN_MSG_DATA };
    reply.data.bytes = (zn_bytes){ piece, got };
    reply.data.request = fetch->request + 1000000;
    send_oddly(odd, peer, &reply);
    reply.data.request = fetch->request;
    send_oddly(odd, peer, &reply);
    send_oddly(odd, peer, &reply);
    send_oddly(odd, peer, &(zn_message){ .number = ZN_MSG_HEARTBEAT });
}

static void serve_oddly(zn_actor_pipe *pipe, void *context) {
    odd_server *odd = context;
    zn_peer peer;
    zn_msg_fetch held[16];
    size_t count = 0;
    uint64_t seen = 0;
    zn_actor_ready(pipe);
    while (!zn_actor_stopping(pipe)) {
        zn_poll_item items[] = { { .kind = ZN_POLL_CHANNEL, .channel = odd->channel },
                                 { .kind = ZN_POLL_FD, .fd = zn_actor_pipe_fd(pipe) } };
        zn_poll(items, 2, -1);
        zn_message message;
        bool got = true;
        zonda_error error = { 0 };
        while (zn_channel_recv(odd->channel, &peer, &message, &got, &error) == ZONDA_OK && got) {
            bool first = message.fetch.request > seen;
            seen = first ? message.fetch.request : seen;
            if (!first && count < 16) {
                held[count++] = message.fetch;
            }
        }
        while (count > 0) {
            answer_fetch(odd, &peer, &held[--count]);
        }
    }
}

/* Lost, late, repeated and reordered answers give the same records, once. */
static void test_fetch_survives_loss_and_disorder(void **state) {
    zn_segment *segment = new_segment(*state);
    zn_stretch at = write_result(segment, 1, 3500);
    assert_true(at.length > 3 * ZN_MIB && at.length < 4 * ZN_MIB);
    zonda_error error = { 0 };
    odd_server odd = { .channel = zn_channel_bind(ZN_CHANNEL_ROUTER, "inproc://odd", &error),
                       .scratch = *state };
    assert_non_null(odd.channel);
    zn_actor *actor = zn_actor_start(serve_oddly, &odd, &error);
    assert_non_null(actor);
    zn_fetcher *fetcher = zn_fetcher_new(LONG_MS);
    tally seen = { .seed = 1 };
    assert_ok(read_place(fetcher, "inproc://odd", at, &seen, &error), error);
    assert_int_equal(seen.records, 3500);
    zn_fetcher_destroy(&fetcher);
    zn_actor_stop(&actor);
    zn_channel_destroy(&odd.channel);
    zn_segment_destroy(&segment);
}

/* A server goes on after messages that are no FETCH, requests for other files, and a flood. */
static void test_fetch_server_survives_strangers(void **state) {
    zn_segment *segment = new_segment(*state);
    zn_stretch at = write_result(segment, 1, 5);
    zn_data_server *server = start_server("inproc://strangers", *state);
    zonda_error error = { 0 };
    zn_channel *stranger = zn_channel_connect(ZN_CHANNEL_DEALER, "inproc://strangers", &error);
    for (int i = 0; i < 200; i++) {
        zn_message message = { .number = i % 2 == 0 ? ZN_MSG_HEARTBEAT : ZN_MSG_FETCH };
        if (message.number == ZN_MSG_FETCH) {
            message.fetch.segment = zn_bytes_of_text("../../etc/passwd");
            message.fetch.length = ZN_MIB;
            message.fetch.offset = INT64_MAX;
        }
        assert_ok(zn_channel_send(stranger, NULL, &message, &error), error);
    }
    zn_fetcher *fetcher = zn_fetcher_new(LONG_MS);
    tally seen = { .seed = 1 };
    assert_ok(read_place(fetcher, "inproc://strangers", at, &seen, &error), error);
    assert_int_equal(seen.records, 5);
    zn_poll_item item = { .kind = ZN_POLL_CHANNEL, .channel = stranger };
    assert_int_equal(zn_poll(&item, 1, LONG_MS), 1);
    zn_message reply;
    bool got = false;
    assert_ok(zn_channel_recv(stranger, NULL, &reply, &got, &error), error);
    assert_true(got);
    assert_int_equal(reply.number, ZN_MSG_DATA);
    assert_int_equal(reply.data.failure_count, 1);
    assert_int_equal(reply.data.bytes.len, 0);
    zn_channel_destroy(&stranger);
    zn_fetcher_destroy(&fetcher);
    zn_data_server_stop(&server);
    zn_segment_destroy(&segment);
}

/* Starting where one cannot bind is an error and leaves nothing running. */
static void test_fetch_server_bind_failures(void **state) {
    zonda_error error = { 0 };
    assert_null(zn_data_server_start("nonsense", *state, &error));
    assert_int_equal(error.code, ZONDA_ERR_INVALID);
    zn_data_server *server = start_server("inproc://twice", *state);
    assert_null(zn_data_server_start("inproc://twice", *state, &error));
    assert_int_equal(error.code, ZONDA_ERR_IO);
    zn_data_server_stop(&server);
    zn_data_server_stop(&server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        folder_test(test_fetch_reads_back_over_every_transport),
        folder_test(test_fetch_many_endpoints_share_the_cache),
        folder_test(test_fetch_dead_server_is_worker_lost),
        folder_test(test_fetch_who_is_gone_is_noticed_soon),
        folder_test(test_fetch_who_is_frozen_is_noticed_soon),
        folder_test(test_fetch_what_is_not_there_table),
        folder_test(test_fetch_damaged_segment_is_corrupt),
        folder_test(test_fetch_callback_stops_and_next_read_is_clean),
        folder_test(test_fetch_survives_loss_and_disorder),
        folder_test(test_fetch_server_survives_strangers),
        folder_test(test_fetch_server_bind_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
