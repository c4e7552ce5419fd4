/* SPDX-License-Identifier: MPL-2.0 */
/* Many readers of blocks on one fetcher: of few workers and of many, in bounded memory, closed
 * early, and of workers that go away and come back. */
#include "test.h"

#include "base/limits.h"
#include "reading.h"

enum {
    LONG_MS = 60000,
    SHORT_MS = 150
};

/* Takes blocks in turn from readers until all are at their ends. */
static void take_in_turn(reading *readings, size_t count) {
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < count; i++) {
            more |= take_block(&readings[i]);
        }
    }
}

/* Hundreds of readers in turn on one fetcher, of several workers over several transports, some of
 * them from the file, in bounded memory. */
static void test_block_reader_many_share_a_fetcher(void **state) {
    enum {
        READERS = 300,
        RESULTS = 30
    };
    zn_segment *segment = new_segment(*state);
    zn_stretch places[RESULTS];
    uint64_t bound = 0;
    for (uint32_t i = 0; i < RESULTS; i++) {
        places[i] = write_result(segment, i, i * i);
        bound += READERS / RESULTS *
                 (zn_block_reader_bytes(places[i], (uint64_t)i * i * RECORD_BYTES) + RECORD_BYTES);
    }
    char *ipc = zn_format("ipc://%s/data", (char *)*state);
    const char *const binds[] = { "inproc://many", ipc, "tcp://127.0.0.1:*" };
    zn_data_server *servers[3];
    for (size_t i = 0; i < 3; i++) {
        servers[i] = start_server(binds[i], *state);
    }
    zn_fetcher *fetcher = zn_fetcher_new(LONG_MS);
    zn_memory memory = { .limit = ZN_MIB };
    reading readings[READERS];
    for (uint32_t i = 0; i < READERS; i++) {
        readings[i] =
            open_at(fetcher, zn_data_server_endpoint(servers[i % 3]), i % 7 == 0 ? *state : NULL,
                    places[i % RESULTS], i % RESULTS, &memory);
        if (i % 2 == 0) {
            zn_block_reader_prefetch(readings[i].reader);
        }
    }
    take_in_turn(readings, READERS);
    assert_true(memory.peak <= bound);
    for (uint32_t i = 0; i < READERS; i++) {
        assert_int_equal(readings[i].records, i % RESULTS * (i % RESULTS));
        zn_block_reader_close(&readings[i].reader);
    }
    assert_int_equal(memory.used, 0);
    zn_fetcher_destroy(&fetcher);
    for (size_t i = 0; i < 3; i++) {
        zn_data_server_stop(&servers[i]);
    }
    zn_segment_destroy(&segment);
    free(ipc);
}

/* More workers than a fetcher keeps connections, all of them read in turn. */
static void test_block_reader_more_workers_than_connections(void **state) {
    enum {
        SERVERS = 70
    };
    zn_segment *segment = new_segment(*state);
    zn_stretch at = write_result(segment, 1, 900);
    zn_data_server *servers[SERVERS];
    zn_fetcher *fetcher = zn_fetcher_new(LONG_MS);
    reading readings[SERVERS];
    for (size_t i = 0; i < SERVERS; i++) {
        char *bind = zn_format("inproc://crowd-%zu", i);
        servers[i] = start_server(bind, *state);
        readings[i] = open_at(fetcher, bind, NULL, at, 1, NULL);
        zn_block_reader_prefetch(readings[i].reader);
        free(bind);
    }
    take_in_turn(readings, SERVERS);
    for (size_t i = 0; i < SERVERS; i++) {
        assert_int_equal(readings[i].records, 900);
        zn_block_reader_close(&readings[i].reader);
        zn_data_server_stop(&servers[i]);
    }
    zn_fetcher_destroy(&fetcher);
    zn_segment_destroy(&segment);
}

/* More files on this host than a fetcher keeps open. */
static void test_block_reader_more_files_than_descriptors(void **state) {
    enum {
        FILES = 50
    };
    zn_fetcher *fetcher = zn_fetcher_new(SHORT_MS);
    reading readings[FILES]; /* their endpoint has nobody behind it */
    for (uint32_t i = 0; i < FILES; i++) {
        char *folder = zn_format("%s/%u", (char *)*state, i);
        assert_int_equal(mkdir(folder, 0700), 0);
        zn_segment *segment = new_segment(folder);
        readings[i] =
            open_at(fetcher, "inproc://nobody", folder, write_result(segment, i, 900), i, NULL);
        zn_segment_destroy(&segment);
        free(folder);
    }
    take_in_turn(readings, FILES);
    for (uint32_t i = 0; i < FILES; i++) {
        assert_int_equal(readings[i].records, 900);
        zn_block_reader_close(&readings[i].reader);
    }
    zn_fetcher_destroy(&fetcher);
}

/* The same as take_rest, and asks again when the worker did not answer. */
static void take_patiently(reading *from) {
    zn_bytes values = { 0 };
    uint32_t count = 1;
    while (count > 0) {
        zonda_error error = { 0 };
        zonda_err code = zn_block_reader_next(from->reader, &values, &count, &error);
        if (code == ZONDA_ERR_WORKER_LOST) {
            count = 1;
            continue;
        }
        assert_ok(code, error);
        from->records += count;
    }
}

/* A worker goes away between two blocks: WORKER_LOST that names segment, byte and endpoint, for
 * those who read from it and nobody else. When it is there again the same readers go on. */
static void test_block_reader_worker_vanishes_and_returns(void **state) {
    zn_segment *segment = new_segment(*state);
    zn_stretch at = write_result(segment, 1, 9000);
    char *endpoint = zn_format("ipc://%s/gone", (char *)*state);
    zn_data_server *gone = start_server(endpoint, *state);
    zn_data_server *stays = start_server("inproc://stays", *state);
    zn_fetcher *fetcher = zn_fetcher_new(SHORT_MS);
    reading lost = open_at(fetcher, endpoint, NULL, at, 1, NULL);
    reading also = open_at(fetcher, endpoint, NULL, at, 1, NULL);
    reading other = open_at(fetcher, "inproc://stays", NULL, at, 1, NULL);
    assert_true(take_block(&lost));
    assert_true(take_block(&also));
    assert_true(take_block(&other));
    zn_data_server_stop(&gone);
    zonda_error error = { 0 };
    uint64_t position = 0;
    while (error.code == ZONDA_OK) {
        position = zn_block_reader_position(lost.reader);
        zn_bytes values = { 0 };
        uint32_t count = 0;
        if (zn_block_reader_next(lost.reader, &values, &count, &error) == ZONDA_OK) {
            assert_true(count > 0);
            lost.records += count;
        }
    }
    assert_int_equal(error.code, ZONDA_ERR_WORKER_LOST);
    assert_non_null(strstr(error.text, endpoint));
    assert_non_null(strstr(error.text, segment_name));
    assert_int_equal(zn_block_reader_position(lost.reader), position);
    take_rest(&other);
    gone = start_server(endpoint, *state);
    take_patiently(&lost);
    take_patiently(&also);
    assert_int_equal(lost.records, 9000);
    assert_int_equal(also.records, 9000);
    assert_int_equal(other.records, 9000);
    zn_block_reader_close(&lost.reader);
    zn_block_reader_close(&also.reader);
    zn_block_reader_close(&other.reader);
    zn_fetcher_destroy(&fetcher);
    zn_data_server_stop(&gone);
    zn_data_server_stop(&stays);
    zn_segment_destroy(&segment);
    free(endpoint);
}

static bool soon(void *context) {
    int *asked = context;
    return ++*asked >= 3;
}

/* Waiting for a silent worker ends when it is cancelled, long before the timeout; afterwards the
 * same readers read on, also those that had asked meanwhile. */
static void test_block_reader_waiting_can_be_cancelled(void **state) {
    zn_segment *segment = new_segment(*state);
    zn_stretch at = write_result(segment, 1, 900);
    char *endpoint = zn_format("ipc://%s/silent", (char *)*state);
    zn_fetcher *fetcher = zn_fetcher_new(LONG_MS);
    reading waits = open_at(fetcher, endpoint, NULL, at, 1, NULL);
    reading also = open_at(fetcher, endpoint, NULL, at, 1, NULL);
    zn_block_reader_prefetch(also.reader);
    int asked = 0;
    zn_fetcher_set_cancel(fetcher, soon, &asked);
    zn_bytes values = { 0 };
    uint32_t count = 0;
    zonda_error error = { 0 };
    assert_err(zn_block_reader_next(waits.reader, &values, &count, &error), CANCELLED);
    assert_int_equal(error.code, ZONDA_ERR_CANCELLED);
    assert_int_equal(asked, 3);
    zn_fetcher_set_cancel(fetcher, NULL, NULL);
    zn_data_server *server = start_server(endpoint, *state);
    take_rest(&also);
    take_rest(&waits);
    assert_int_equal(waits.records, 900);
    assert_int_equal(also.records, 900);
    zn_block_reader_close(&waits.reader);
    zn_block_reader_close(&also.reader);
    zn_fetcher_destroy(&fetcher);
    zn_data_server_stop(&server);
    zn_segment_destroy(&segment);
    free(endpoint);
}

/* The answers to readers that were closed do not disturb those that come after, and do not make
 * them wait. */
static void test_block_reader_closed_ones_leave_no_trace(void **state) {
    zn_segment *segment = new_segment(*state);
    zn_stretch at = write_result(segment, 1, 3000);
    zn_data_server *server = start_server("tcp://127.0.0.1:*", *state);
    const char *endpoint = zn_data_server_endpoint(server);
    zn_fetcher *fetcher = zn_fetcher_new(LONG_MS);
    zn_memory memory = { .limit = 64 * ZN_MIB };
    for (int round = 0; round < 20; round++) {
        reading dropped[20];
        for (size_t i = 0; i < 20; i++) {
            dropped[i] = open_at(fetcher, endpoint, NULL, at, 1, &memory);
            zn_block_reader_prefetch(dropped[i].reader);
        }
        for (size_t i = 0; i < 20; i++) {
            zn_block_reader_close(&dropped[i].reader);
        }
        assert_int_equal(memory.used, 0);
        reading from = open_at(fetcher, endpoint, NULL, at, 1, &memory);
        assert_true(take_block(&from));
        zn_block_reader_close(&from.reader);
    }
    zn_fetcher_destroy(&fetcher);
    zn_data_server_stop(&server);
    zn_segment_destroy(&segment);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        folder_test(test_block_reader_many_share_a_fetcher),
        folder_test(test_block_reader_more_workers_than_connections),
        folder_test(test_block_reader_more_files_than_descriptors),
        folder_test(test_block_reader_worker_vanishes_and_returns),
        folder_test(test_block_reader_waiting_can_be_cancelled),
        folder_test(test_block_reader_closed_ones_leave_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
