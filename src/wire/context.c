/* SPDX-License-Identifier: MPL-2.0 */
/* The one ZeroMQ context of the process, which is czmq's. All clusters of a process share it, so
 * that inproc endpoints meet; it lives until the process ends. czmq sets it up on first use without
 * a lock and takes SIGINT and SIGTERM for itself; here it happens once, under a lock, and the
 * signal handlers of the program that embeds us stay as they were. */
#include "wire/context.h"

#include <czmq.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The first socket starts libzmq's threads, which need six; an actor needs one. */
enum {
    SPARE_FDS = 8
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init(void) {
    struct sigaction interrupt;
    struct sigaction terminate;
    sigaction(SIGINT, NULL, &interrupt);
    sigaction(SIGTERM, NULL, &terminate);
    zsys_handler_set(NULL);
    zsys_init();
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGTERM, &terminate, NULL);
    zsys_set_max_sockets(0);
}

void zn_context_init(void) {
    pthread_once(&once, init);
}

bool zn_context_has_room(void) {
    int spare[SPARE_FDS];
    size_t count = 0;
    while (count < SPARE_FDS) {
        spare[count] = eventfd(0, EFD_CLOEXEC);
        if (spare[count] < 0) {
            break;
        }
        count++;
    }
    bool room = count == SPARE_FDS;
    while (count > 0) {
        close(spare[--count]);
    }
    return room;
}
