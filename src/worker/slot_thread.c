/* SPDX-License-Identifier: MPL-2.0 */
/* A slot that is a thread of this process, for in-process clusters: it sees the C functions that
 * the program registered. It cannot be killed; a function that neither returns nor asks whether it
 * is cancelled holds up the end of the worker. */
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "wire/actor.h"
#include "worker/slot.h"
#include "worker/slot_loop.h"

typedef struct thread_slot {
    zn_slot base;
    zn_slot_options options;
    zn_actor *actor;
} thread_slot;

static bool is_stopping(void *context) {
    return zn_actor_stopping(context);
}

static void run_thread(zn_actor_pipe *pipe, void *context) {
    const thread_slot *slot = context;
    zn_slot_loop_options options = { .endpoint = slot->options.endpoint,
                                     .index = slot->options.index,
                                     .scratch = slot->options.scratch,
                                     .board = slot->options.board,
                                     .keys = slot->options.keys,
                                     .memory_bytes = slot->options.memory_bytes,
                                     .stop_fd = zn_actor_pipe_fd(pipe),
                                     .stopping = is_stopping,
                                     .context = pipe };
    zonda_error error = { 0 };
    zn_slot_loop *loop = zn_slot_loop_new(&options, &error);
    if (loop == NULL) {
        zn_actor_failed(pipe, &error);
        return;
    }
    zn_actor_ready(pipe);
    zn_slot_loop_run(loop);
    zn_slot_loop_destroy(&loop);
}

static void kill_thread(zn_slot *slot) {
    (void)slot;
}

static int thread_death_fd(const zn_slot *slot) {
    (void)slot;
    return -1;
}

static bool thread_is_dead(zn_slot *slot, zonda_error *how) {
    (void)slot;
    (void)how;
    return false;
}

static void quote_thread(zn_slot *slot, zonda_error *how) {
    (void)slot;
    (void)how;
}

static uint64_t thread_pid(const zn_slot *slot) {
    (void)slot;
    return (uint64_t)getpid();
}

static void destroy_thread(zn_slot *slot) {
    thread_slot *self = (thread_slot *)slot;
    zn_actor_stop(&self->actor);
    free(self);
}

static const zn_slot_ops THREAD_OPS = { kill_thread,  thread_death_fd, thread_is_dead,
                                        quote_thread, thread_pid,      destroy_thread };

zn_slot *zn_slot_start_thread(const zn_slot_options *options, zonda_error *error) {
    thread_slot *slot = ZN_NEW(thread_slot);
    slot->base.ops = &THREAD_OPS;
    slot->options = *options;
    slot->actor = zn_actor_start(run_thread, slot, error);
    if (slot->actor == NULL) {
        free(slot);
        return NULL;
    }
    return &slot->base;
}
