/* SPDX-License-Identifier: MPL-2.0 */
/* Threads that start and stop by handshake. A start is a semaphore that the body posts; a stop is a
 * flag and an eventfd that stays readable, so a body that polls it can neither miss a stop nor be
 * woken for nothing; the end is that of the thread itself, with all of its sockets: czmq sleeps for
 * 200 ms at the end of a process that still has one, so its own actors, which say that they have
 * ended a moment before they have, will not do. The thread starts with signals blocked: they belong
 * to the threads of the program that embeds us. Faults of the thread itself are not blocked.
 * The owner's thread calls start, ask_stop, stop and ended; the body calls the rest. */
#include "wire/actor.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "wire/context.h"

typedef enum actor_start {
    START_PENDING,
    START_READY,
    START_FAILED,
} actor_start;

struct zn_actor_pipe {
    zn_actor_body *body;
    void *context;
    actor_start start; /* written by the body before `started` is posted */
    zonda_error error; /* why the start failed */
    sem_t started;
    atomic_bool stopping;
    atomic_bool ended;
    int stop_fd;
};

struct zn_actor {
    pthread_t thread;
    zn_actor_pipe pipe;
};

static void wait_semaphore(sem_t *semaphore) {
    while (sem_wait(semaphore) != 0) {
        ZN_ASSERT(errno == EINTR);
    }
}

static void *run(void *argument) {
    zn_actor_pipe *pipe = argument;
    pipe->body(pipe, pipe->context);
    ZN_ASSERT(pipe->start != START_PENDING);
    atomic_store(&pipe->ended, true);
    return NULL;
}

/* Makes the thread with all signals blocked in it, except those of its own faults. */
static bool start_thread(zn_actor *actor) {
    sigset_t blocked;
    sigset_t before;
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        sigdelset(&blocked, faults[i]);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    bool started = pthread_create(&actor->thread, NULL, run, &actor->pipe) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static void free_actor(zn_actor *actor) {
    sem_destroy(&actor->pipe.started);
    close(actor->pipe.stop_fd);
    free(actor);
}

zn_actor *zn_actor_start(zn_actor_body *body, void *context, zonda_error *error) {
    zn_context_init();
    int stop_fd = zn_context_has_room() ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    if (stop_fd < 0) {
        zn_error_set(error, ZONDA_ERR_LIMIT, "cannot start a thread: no file descriptor is left");
        return NULL;
    }
    zn_actor *actor = ZN_NEW(zn_actor);
    zn_actor_pipe *pipe = &actor->pipe;
    pipe->body = body;
    pipe->context = context;
    pipe->stop_fd = stop_fd;
    atomic_init(&pipe->stopping, false);
    atomic_init(&pipe->ended, false);
    sem_init(&pipe->started, 0, 0);
    if (!start_thread(actor)) {
        zn_error_set(error, ZONDA_ERR_LIMIT, "cannot start a thread: the system has no more");
        free_actor(actor);
        return NULL;
    }
    wait_semaphore(&pipe->started);
    if (pipe->start == START_FAILED) {
        if (error != NULL) {
            *error = pipe->error;
        }
        zn_actor_stop(&actor);
    }
    return actor;
}

void zn_actor_ask_stop(zn_actor *actor) {
    atomic_store(&actor->pipe.stopping, true);
    uint64_t one = 1;
    ssize_t written = write(actor->pipe.stop_fd, &one, sizeof one);
    ZN_ASSERT(written == (ssize_t)sizeof one || errno == EAGAIN);
}

void zn_actor_stop(zn_actor **actor) {
    if (actor == NULL || *actor == NULL) {
        return;
    }
    zn_actor *self = *actor;
    zn_actor_ask_stop(self);
    pthread_join(self->thread, NULL);
    free_actor(self);
    *actor = NULL;
}

bool zn_actor_ended(zn_actor *actor) {
    return atomic_load(&actor->pipe.ended);
}

static void finish_start(zn_actor_pipe *pipe, actor_start start) {
    ZN_ASSERT(pipe->start == START_PENDING);
    pipe->start = start;
    sem_post(&pipe->started);
}

void zn_actor_ready(zn_actor_pipe *pipe) {
    finish_start(pipe, START_READY);
}

void zn_actor_failed(zn_actor_pipe *pipe, const zonda_error *error) {
    pipe->error = *error;
    finish_start(pipe, START_FAILED);
}

bool zn_actor_stopping(zn_actor_pipe *pipe) {
    return atomic_load(&pipe->stopping);
}

int zn_actor_pipe_fd(zn_actor_pipe *pipe) {
    return pipe->stop_fd;
}
