/* SPDX-License-Identifier: MPL-2.0 */
/* Threads that start and stop by handshake. czmq's zactor makes the thread and the first handshake;
 * three things are ours. (1) A stop is a flag and an eventfd that stays readable, so a body that
 * polls it can neither miss a stop nor be woken for nothing; the file descriptor of a ZeroMQ socket
 * tells only of changes. (2) The end is a semaphore that is waited for in spite of signals; czmq
 * gives up waiting when one comes. (3) The thread starts with signals blocked: they belong to the
 * threads of the program that embeds us. Faults of the thread itself are not blocked.
 * The owner's thread calls start, ask_stop, stop and ended; the body calls the rest. */
#include "wire/actor.h"

#include <czmq.h>
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
    zsock_t *socket;   /* czmq's, for its handshake */
    actor_start start; /* written by the body before `started` is posted */
    zonda_error error; /* why the start failed */
    sem_t started;
    sem_t finished; /* the last thing that the thread does with this struct */
    atomic_bool stopping;
    atomic_bool ended;
    int stop_fd;
};

struct zn_actor {
    zactor_t *thread;
    zn_actor_pipe pipe;
};

static void wait_semaphore(sem_t *semaphore) {
    while (sem_wait(semaphore) != 0) {
        ZN_ASSERT(errno == EINTR);
    }
}

static void run(zsock_t *socket, void *argument) {
    zn_actor_pipe *pipe = argument;
    pipe->socket = socket;
    pipe->body(pipe, pipe->context);
    ZN_ASSERT(pipe->start != START_PENDING);
    atomic_store(&pipe->ended, true);
    sem_post(&pipe->finished);
}

/* Makes the thread with all signals blocked in it, except those of its own faults. */
static zactor_t *start_thread(zn_actor_pipe *pipe) {
    sigset_t blocked;
    sigset_t before;
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        sigdelset(&blocked, faults[i]);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    zactor_t *thread = zactor_new(run, pipe);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    ZN_ASSERT(thread != NULL);
    return thread;
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
    sem_init(&pipe->finished, 0, 0);
    actor->thread = start_thread(pipe);
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
    wait_semaphore(&self->pipe.finished);
    zactor_destroy(&self->thread);
    sem_destroy(&self->pipe.started);
    sem_destroy(&self->pipe.finished);
    close(self->pipe.stop_fd);
    free(self);
    *actor = NULL;
}

bool zn_actor_ended(zn_actor *actor) {
    return atomic_load(&actor->pipe.ended);
}

static void finish_start(zn_actor_pipe *pipe, actor_start start) {
    ZN_ASSERT(pipe->start == START_PENDING);
    pipe->start = start;
    sem_post(&pipe->started);
    zsock_signal(pipe->socket, start == START_READY ? 0 : 1);
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
