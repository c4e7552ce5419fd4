/* SPDX-License-Identifier: MPL-2.0 */
/* The round trip of one small message over raw ZeroMQ sockets. Processes stand in a row, as those
 * of a cluster do: a driver (REQ), a coordinator (ROUTER for the driver, ROUTER for workers), a
 * worker (DEALER to the coordinator, ROUTER over ipc for slots) and a slot (DEALER). A message goes
 * from the first to the last and back, one at a time; those between hand it on.
 *   pingpong direct COUNT     driver and coordinator alone: two hops over tcp
 *   pingpong path COUNT       all four: six hops, four over tcp and two over ipc
 * Prints {"median_us": …, "p99_us": …}. */
#include <assert.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

enum {
    MESSAGE_BYTES = 76,
    WARM_UP = 100,
    PARTS_MAX = 8,
    PART_BYTES = 256,
    ENDPOINT_BYTES = 256
};

typedef struct parts {
    char data[PARTS_MAX][PART_BYTES];
    size_t len[PARTS_MAX];
    size_t count;
} parts;

static void *open_socket(void *context, int type, const char *bind, const char *connect) {
    void *handle = zmq_socket(context, type);
    int rc = bind != NULL ? zmq_bind(handle, bind) : zmq_connect(handle, connect);
    assert(rc == 0);
    return handle;
}

static void receive(void *handle, parts *message) {
    int more = 1;
    for (message->count = 0; more != 0; message->count++) {
        assert(message->count < PARTS_MAX);
        int len = zmq_recv(handle, message->data[message->count], PART_BYTES, 0);
        assert(len >= 0 && len <= PART_BYTES);
        message->len[message->count] = (size_t)len;
        size_t size = sizeof more;
        zmq_getsockopt(handle, ZMQ_RCVMORE, &more, &size);
    }
}

static void send_from(void *handle, const parts *message, size_t first) {
    for (size_t i = first; i < message->count; i++) {
        int flags = i + 1 < message->count ? ZMQ_SNDMORE : 0;
        zmq_send(handle, message->data[i], message->len[i], flags);
    }
}

/* Sends the body of `message` to the peer that said hello as `peer`. */
static void send_to(void *router, const parts *peer, const parts *message) {
    zmq_send(router, peer->data[0], peer->len[0], ZMQ_SNDMORE);
    zmq_send(router, message->data[message->count - 1], message->len[message->count - 1], 0);
}

/* Hands on what comes from `front` to the one peer of the ROUTER `back`, and its answer back. The
 * envelope of the question, if `front` is a ROUTER, is that of the answer. */
static void hand_on(void *front, void *back) {
    parts peer;
    parts question = { .count = 0 };
    receive(back, &peer);
    zmq_pollitem_t items[] = { { .socket = front, .events = ZMQ_POLLIN },
                               { .socket = back, .events = ZMQ_POLLIN } };
    for (;;) {
        zmq_poll(items, 2, -1);
        if (items[0].revents != 0) {
            receive(front, &question);
            send_to(back, &peer, &question);
        }
        if (items[1].revents != 0) {
            parts answer;
            receive(back, &answer);
            size_t last = question.count - 1;
            question.len[last] = answer.len[answer.count - 1];
            memcpy(question.data[last], answer.data[answer.count - 1], question.len[last]);
            send_from(front, &question, 0);
        }
    }
}

static void send_back(void *handle) {
    parts message;
    for (;;) {
        receive(handle, &message);
        send_from(handle, &message, 0);
    }
}

/* True in a new process, which ends with this one. */
static bool begin_process(void) {
    pid_t parent = getpid();
    pid_t pid = fork();
    assert(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(1);
        }
    }
    return pid == 0;
}

/* Tells the one who waits where a socket is bound. */
static void tell(int fd, void *handle) {
    char endpoint[ENDPOINT_BYTES] = "";
    size_t size = sizeof endpoint;
    zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, endpoint, &size);
    ssize_t written = write(fd, endpoint, sizeof endpoint);
    assert(written == (ssize_t)sizeof endpoint);
}

static void learn(int fd, char *endpoint) {
    ssize_t got = read(fd, endpoint, ENDPOINT_BYTES);
    assert(got == ENDPOINT_BYTES);
}

static void be_slot(const char *endpoint) {
    void *handle = open_socket(zmq_ctx_new(), ZMQ_DEALER, NULL, endpoint);
    zmq_send(handle, "hello", 5, 0);
    send_back(handle);
}

static void be_worker(const char *coordinator) {
    char slots[ENDPOINT_BYTES];
    snprintf(slots, sizeof slots, "ipc://@zonda-pingpong-%ld", (long)getpid());
    if (begin_process()) {
        be_slot(slots);
    }
    void *context = zmq_ctx_new();
    void *back = open_socket(context, ZMQ_ROUTER, slots, NULL);
    void *front = open_socket(context, ZMQ_DEALER, NULL, coordinator);
    zmq_send(front, "hello", 5, 0);
    hand_on(front, back);
}

static void be_coordinator(int told, bool whole_path) {
    int own[2];
    int rc = pipe(own);
    assert(rc == 0);
    if (whole_path && begin_process()) {
        char endpoint[ENDPOINT_BYTES];
        learn(own[0], endpoint);
        be_worker(endpoint);
    }
    void *context = zmq_ctx_new();
    void *control = open_socket(context, ZMQ_ROUTER, "tcp://127.0.0.1:*", NULL);
    void *work = open_socket(context, ZMQ_ROUTER, "tcp://127.0.0.1:*", NULL);
    tell(told, control);
    if (!whole_path) {
        send_back(control);
    }
    tell(own[1], work);
    hand_on(control, work);
}

static double now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b) {
    double left = *(const double *)a;
    double right = *(const double *)b;
    return left < right ? -1 : left > right;
}

int main(int argc, char **argv) {
    bool whole_path = argc == 3 && strcmp(argv[1], "path") == 0;
    if (argc != 3 || (!whole_path && strcmp(argv[1], "direct") != 0)) {
        fprintf(stderr, "usage: pingpong direct|path COUNT\n");
        return 2;
    }
    size_t count = strtoull(argv[2], NULL, 10);
    int told[2];
    int rc = pipe(told);
    assert(rc == 0);
    if (begin_process()) {
        be_coordinator(told[1], whole_path);
    }
    char endpoint[ENDPOINT_BYTES];
    learn(told[0], endpoint);
    void *driver = open_socket(zmq_ctx_new(), ZMQ_REQ, NULL, endpoint);
    double *times = calloc(count + 1, sizeof *times);
    for (size_t i = 0; i < WARM_UP + count; i++) {
        static const char message[MESSAGE_BYTES];
        char answer[MESSAGE_BYTES];
        double start = now_us();
        zmq_send(driver, message, sizeof message, 0);
        zmq_recv(driver, answer, sizeof answer, 0);
        times[i < WARM_UP ? count : i - WARM_UP] = now_us() - start;
    }
    qsort(times, count, sizeof *times, compare);
    printf("{\"median_us\": %.1f, \"p99_us\": %.1f}\n", times[count / 2], times[count * 99 / 100]);
    return 0;
}
