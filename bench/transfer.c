/* SPDX-License-Identifier: MPL-2.0 */
/* Segments from one worker to another: a data server with a segment of records of 1 KB that do not
 * compress, and another process that reads all of it with block readers, several at a time, each a
 * part. Checks every block, as a worker does. Prints {"seconds": …, "bytes": …}.
 *   transfer serve FOLDER BYTES        prints "ENDPOINT LENGTH…", one per part; ends with its input
 *   transfer fetch ENDPOINT FOLDER|- LENGTH…      "-": not from the file
 *   transfer raw-serve                 ZeroMQ alone: as many bytes per answer, and nothing else
 *   transfer raw-fetch ENDPOINT BYTES */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "record/value.h"
#include "store/block_reader.h"
#include "store/data_server.h"
#include "store/segment.h"

enum {
    PARTS = 16,
    RECORD_BYTES = 1000,
    RAW_BYTES = 512 * ZN_KIB,
    RAW_WINDOW = 8
};

static const char segment_name[] = "job1-stage0-bench.seg";

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void print(double start, uint64_t bytes) {
    printf("{\"seconds\": %.6f, \"bytes\": %" PRIu64 "}\n", now() - start, bytes);
}

static int fail(const char *text) {
    fprintf(stderr, "transfer: %s\n", text);
    return 1;
}

static void wait_for_end_of_input(void) {
    fflush(stdout);
    while (getchar() != EOF) {
    }
}

/* ---- through the system ---- */

/* Noise, another one for every record. */
static void fill_record(uint8_t *noise, size_t len) {
    static uint64_t state = 1;
    for (size_t i = 0; i + 8 <= len; i += 8) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t mixed = state ^ state >> 32;
        memcpy(noise + i, &mixed, 8);
    }
}

static zonda_err write_part(zn_segment *segment, uint64_t bytes, uint64_t *length,
                            zonda_error *error) {
    uint8_t noise[RECORD_BYTES] = { 0 };
    zn_buf record = { 0 };
    uint64_t offset = 0;
    zonda_err code = zn_segment_start(segment, error);
    for (uint64_t done = 0; code == ZONDA_OK && done < bytes; done += RECORD_BYTES) {
        fill_record(noise, sizeof noise);
        zn_buf_reset(&record, SIZE_MAX);
        zn_put_binary(&record, (zn_bytes){ noise, sizeof noise });
        code = zn_segment_add(segment, zn_buf_bytes(&record), error);
    }
    zn_buf_free(&record);
    return code == ZONDA_OK ? zn_segment_finish(segment, &offset, length, error) : code;
}

static int serve(const char *folder, uint64_t bytes) {
    zonda_error error = { 0 };
    zn_segment *segment = zn_segment_new(folder, (zn_job_id){ 1 }, (zn_stage_id){ 0 }, "bench");
    uint64_t lengths[PARTS] = { 0 };
    for (size_t i = 0; i < PARTS; i++) {
        if (write_part(segment, bytes / PARTS, &lengths[i], &error) != ZONDA_OK) {
            return fail(error.text);
        }
    }
    zn_segment_destroy(&segment);
    zn_data_server *server = zn_data_server_start("tcp://127.0.0.1:*", folder, &error);
    if (server == NULL) {
        return fail(error.text);
    }
    printf("%s", zn_data_server_endpoint(server));
    for (size_t i = 0; i < PARTS; i++) {
        printf(" %" PRIu64, lengths[i]);
    }
    printf("\n");
    wait_for_end_of_input();
    zn_data_server_stop(&server);
    return 0;
}

/* Takes blocks from all readers in turn, as a merge does. */
static zonda_err read_all(zn_block_reader **readers, size_t count, zonda_error *error) {
    size_t open = count;
    while (open > 0) {
        for (size_t i = 0; i < count; i++) {
            zn_bytes values;
            uint32_t records = 0;
            if (readers[i] == NULL) {
                continue;
            }
            if (zn_block_reader_next(readers[i], &values, &records, error) != ZONDA_OK) {
                return error->code;
            }
            if (records == 0) {
                zn_block_reader_close(&readers[i]);
                open--;
            }
        }
    }
    return ZONDA_OK;
}

static int fetch(const char *endpoint, const char *folder, char **lengths, size_t count) {
    zonda_error error = { 0 };
    zn_fetcher *fetcher = zn_fetcher_new(0);
    zn_block_reader **readers = zn_calloc(count, sizeof(zn_block_reader *));
    zn_place place = { .endpoint = endpoint,
                       .folder = strcmp(folder, "-") == 0 ? NULL : folder,
                       .segment = zn_bytes_of_text(segment_name) };
    zn_stretch at = { 0 };
    double start = now();
    for (size_t i = 0; i < count; i++) {
        at.length = strtoull(lengths[i], NULL, 10);
        readers[i] = zn_block_reader_open(fetcher, &place, at, NULL, &error);
        if (readers[i] == NULL) {
            return fail(error.text);
        }
        zn_block_reader_prefetch(readers[i]);
        at.offset += at.length;
    }
    if (read_all(readers, count, &error) != ZONDA_OK) {
        return fail(error.text);
    }
    print(start, at.offset);
    free(readers);
    zn_fetcher_destroy(&fetcher);
    return 0;
}

/* ---- ZeroMQ alone ---- */

static int raw_serve(void) {
    void *context = zmq_ctx_new();
    void *router = zmq_socket(context, ZMQ_ROUTER);
    static uint8_t piece[RAW_BYTES];
    char endpoint[256];
    size_t size = sizeof endpoint;
    if (zmq_bind(router, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0) {
        return fail(zmq_strerror(zmq_errno()));
    }
    printf("%s\n", endpoint);
    fflush(stdout);
    for (;;) {
        char id[64];
        char request[8];
        int id_bytes = zmq_recv(router, id, sizeof id, 0);
        if (zmq_recv(router, request, sizeof request, 0) <= 0) {
            break; /* an empty request ends it */
        }
        zmq_send(router, id, (size_t)id_bytes, ZMQ_SNDMORE);
        zmq_send(router, piece, sizeof piece, 0);
    }
    zmq_close(router);
    zmq_ctx_term(context);
    return 0;
}

static int raw_fetch(const char *endpoint, uint64_t bytes) {
    void *context = zmq_ctx_new();
    void *dealer = zmq_socket(context, ZMQ_DEALER);
    if (zmq_connect(dealer, endpoint) != 0) {
        return fail(zmq_strerror(zmq_errno()));
    }
    uint64_t pieces = (bytes + RAW_BYTES - 1) / RAW_BYTES;
    uint64_t asked = 0;
    double start = now();
    for (; asked < RAW_WINDOW && asked < pieces; asked++) {
        zmq_send(dealer, "more", 4, 0);
    }
    for (uint64_t got = 0; got < pieces; got++) {
        zmq_msg_t message;
        zmq_msg_init(&message);
        zmq_msg_recv(&message, dealer, 0);
        zmq_msg_close(&message);
        if (asked < pieces) {
            zmq_send(dealer, "more", 4, 0);
            asked++;
        }
    }
    print(start, pieces * RAW_BYTES);
    zmq_send(dealer, "", 0, 0);
    zmq_close(dealer);
    zmq_ctx_term(context);
    return 0;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "serve") == 0 && argc == 4) {
        return serve(argv[2], strtoull(argv[3], NULL, 10));
    }
    if (strcmp(what, "fetch") == 0 && argc > 4) {
        return fetch(argv[2], argv[3], argv + 4, (size_t)argc - 4);
    }
    if (strcmp(what, "raw-serve") == 0 && argc == 2) {
        return raw_serve();
    }
    if (strcmp(what, "raw-fetch") == 0 && argc == 4) {
        return raw_fetch(argv[2], strtoull(argv[3], NULL, 10));
    }
    return fail("usage: transfer serve FOLDER BYTES | fetch ENDPOINT FOLDER LENGTH… | raw-serve | "
                "raw-fetch ENDPOINT BYTES");
}
