/* SPDX-License-Identifier: MPL-2.0 */
/* What ZeroMQ itself gives: a ROUTER hands messages of 76 bytes to two DEALERs, which send each one
 * back; a window keeps queues short. One message is one task. Prints {"seconds": …, "tasks": …}.
 *   floor tcp|curve|inproc TASKS          curve: tcp, encrypted with CURVE */
#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

enum {
    PEERS = 2,
    WINDOW = 512,
    MESSAGE_BYTES = 76
};

typedef struct keys {
    char public_key[41];
    char secret_key[41];
} keys;

typedef struct peer {
    void *context;
    const char *endpoint;
    const keys *server; /* NULL: without encryption */
} peer;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Sends every message back; an empty one ends it. */
static void *echo(void *argument) {
    const peer *self = argument;
    void *dealer = zmq_socket(self->context, ZMQ_DEALER);
    if (self->server != NULL) {
        keys own;
        zmq_curve_keypair(own.public_key, own.secret_key);
        zmq_setsockopt(dealer, ZMQ_CURVE_SERVERKEY, self->server->public_key, 41);
        zmq_setsockopt(dealer, ZMQ_CURVE_PUBLICKEY, own.public_key, 41);
        zmq_setsockopt(dealer, ZMQ_CURVE_SECRETKEY, own.secret_key, 41);
    }
    int rc = zmq_connect(dealer, self->endpoint);
    assert(rc == 0);
    char message[MESSAGE_BYTES];
    zmq_send(dealer, "hello", 5, 0);
    while (zmq_recv(dealer, message, sizeof message, 0) > 0) {
        zmq_send(dealer, message, sizeof message, 0);
    }
    zmq_close(dealer);
    return NULL;
}

static void give(void *router, const char *id, size_t id_bytes, size_t bytes) {
    static const char message[MESSAGE_BYTES];
    zmq_send(router, id, id_bytes, ZMQ_SNDMORE);
    zmq_send(router, message, bytes, 0);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: floor tcp|curve|inproc TASKS\n");
        return 2;
    }
    uint64_t total = strtoull(argv[2], NULL, 10);
    void *context = zmq_ctx_new();
    void *router = zmq_socket(context, ZMQ_ROUTER);
    /* A ROUTER drops above its high-water mark, and what peers have read is told to it in batches
     * of half of that; the window alone keeps the queues short. */
    int no_mark = 0;
    zmq_setsockopt(router, ZMQ_SNDHWM, &no_mark, sizeof no_mark);
    zmq_setsockopt(router, ZMQ_RCVHWM, &no_mark, sizeof no_mark);
    keys server;
    bool curve = strcmp(argv[1], "curve") == 0;
    if (curve) {
        int one = 1;
        zmq_curve_keypair(server.public_key, server.secret_key);
        zmq_setsockopt(router, ZMQ_CURVE_SERVER, &one, sizeof one);
        zmq_setsockopt(router, ZMQ_CURVE_SECRETKEY, server.secret_key, 41);
    }
    int rc =
        zmq_bind(router, strcmp(argv[1], "inproc") == 0 ? "inproc://floor" : "tcp://127.0.0.1:*");
    assert(rc == 0);
    char endpoint[256];
    size_t size = sizeof endpoint;
    zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, endpoint, &size);
    pthread_t threads[PEERS];
    peer self = { context, endpoint, curve ? &server : NULL };
    for (int i = 0; i < PEERS; i++) {
        pthread_create(&threads[i], NULL, echo, &self);
    }
    char ids[PEERS][64];
    size_t id_bytes[PEERS];
    char body[MESSAGE_BYTES];
    for (int i = 0; i < PEERS; i++) {
        id_bytes[i] = (size_t)zmq_recv(router, ids[i], sizeof ids[i], 0);
        zmq_recv(router, body, sizeof body, 0);
    }
    double start = now();
    uint64_t given = 0;
    for (; given < (uint64_t)PEERS * WINDOW && given < total; given++) {
        give(router, ids[given % PEERS], id_bytes[given % PEERS], MESSAGE_BYTES);
    }
    for (uint64_t done = 0; done < total; done++) {
        char id[64];
        int length = zmq_recv(router, id, sizeof id, 0);
        zmq_recv(router, body, sizeof body, 0);
        if (given < total) {
            give(router, id, (size_t)length, MESSAGE_BYTES);
            given++;
        }
    }
    printf("{\"seconds\": %.6f, \"tasks\": %" PRIu64 "}\n", now() - start, total);
    for (int i = 0; i < PEERS; i++) {
        give(router, ids[i], id_bytes[i], 0);
    }
    for (int i = 0; i < PEERS; i++) {
        pthread_join(threads[i], NULL);
    }
    zmq_close(router);
    zmq_ctx_term(context);
    return 0;
}
