/* SPDX-License-Identifier: MPL-2.0 */
/* A worker for its owner: an actor with the shell inside. Options are copied and checked here;
 * everything else happens on the actor's thread. The end is announced on an eventfd, so that the
 * owner may wait for it with a time limit; `reason` is written before that and read after. */
#include "worker/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/machine_memory.h"
#include "wire/actor.h"
#include "wire/endpoint.h"
#include "worker/shell.h"

struct zn_worker {
    zn_worker_options options;
    char *texts[5]; /* that the options point to */
    zn_actor *actor;
    int ended_fd;
    atomic_bool drain;
    atomic_bool ended; /* `reason` is written */
    zonda_error reason;
};

static void run_worker(zn_actor_pipe *pipe, void *context) {
    zn_worker *worker = context;
    zonda_error error = { 0 };
    zn_shell *shell = zn_shell_new(&worker->options, &error);
    if (shell == NULL) {
        zn_actor_failed(pipe, &error);
        return;
    }
    zn_actor_ready(pipe);
    zn_shell_run(shell, pipe, &worker->drain, &worker->reason);
    zn_shell_destroy(&shell);
    atomic_store(&worker->ended, true);
    uint64_t one = 1;
    ssize_t written = write(worker->ended_fd, &one, sizeof one);
    ZN_ASSERT(written == (ssize_t)sizeof one);
}

static const char *keep_text(zn_worker *worker, size_t index, const char *text) {
    worker->texts[index] = text == NULL ? NULL : zn_strdup(text);
    return worker->texts[index];
}

static void copy_options(zn_worker *worker, const zn_worker_options *options) {
    worker->options = *options;
    worker->options.connect = keep_text(worker, 0, options->connect);
    worker->options.program = keep_text(worker, 1, options->program);
    worker->options.scratch = keep_text(worker, 2, options->scratch);
    worker->options.data_bind = keep_text(worker, 3, options->data_bind);
    worker->options.keys = keep_text(worker, 4, options->keys);
    if (options->slots == 0) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        worker->options.slots = processors < 1              ? 1
                                : processors > ZN_SLOTS_MAX ? ZN_SLOTS_MAX
                                                            : (uint32_t)processors;
    }
}

/* The share of a slot in the memory that is there. */
static void choose_memory(zn_worker_options *options) {
    if (options->memory_bytes == 0) {
        uint64_t slots = (uint64_t)options->slots * ((uint64_t)options->neighbours + 1);
        options->memory_bytes = zn_machine_memory_share(zn_machine_memory(""), slots);
    }
    zn_log(ZONDA_LOG_INFO, "worker-memory", "slots=%u slot_bytes=%llu", options->slots,
           (unsigned long long)options->memory_bytes);
}

static zonda_err check_options(const zn_worker_options *options, zonda_error *error) {
    if (options->connect == NULL) {
        return zn_error_set(error, ZONDA_ERR_INVALID, "no coordinator to connect to");
    }
    if (options->slots > ZN_SLOTS_MAX) {
        return zn_error_set(error, ZONDA_ERR_INVALID, "%u slots, at most %d are possible",
                            options->slots, ZN_SLOTS_MAX);
    }
    if (options->kind == ZN_SLOT_PROCESS &&
        (options->program == NULL || access(options->program, X_OK) != 0)) {
        return zn_error_set(error, ZONDA_ERR_IO, "the program of slots, %s, cannot be run: %s",
                            options->program == NULL ? "(none)" : options->program,
                            options->program == NULL ? "not given" : strerror(errno));
    }
    if (options->memory_bytes != 0 && options->memory_bytes < ZN_MEMORY_BYTES_MIN) {
        return zn_error_set(error, ZONDA_ERR_INVALID,
                            "a memory of %llu bytes for each slot is too small: at least %uM",
                            (unsigned long long)options->memory_bytes,
                            ZN_MEMORY_BYTES_MIN / ZN_MIB);
    }
    return zn_endpoint_check(options->connect, false, error);
}

static void free_worker(zn_worker *worker) {
    for (size_t i = 0; i < sizeof worker->texts / sizeof *worker->texts; i++) {
        free(worker->texts[i]);
    }
    if (worker->ended_fd >= 0) {
        close(worker->ended_fd);
    }
    free(worker);
}

zn_worker *zn_worker_start(const zn_worker_options *options, zonda_error *error) {
    if (check_options(options, error) != ZONDA_OK) {
        return NULL;
    }
    zn_worker *worker = ZN_NEW(zn_worker);
    copy_options(worker, options);
    choose_memory(&worker->options);
    worker->ended_fd = eventfd(0, EFD_CLOEXEC);
    if (worker->ended_fd < 0) {
        zn_error_set(error, ZONDA_ERR_IO, "eventfd: %s", strerror(errno));
    } else {
        worker->actor = zn_actor_start(run_worker, worker, error);
    }
    if (worker->actor == NULL) {
        free_worker(worker);
        return NULL;
    }
    return worker;
}

/* Milliseconds from now until `deadline_ns`, rounded up. */
static int left_ms(uint64_t deadline_ns) {
    uint64_t now_ns = zn_clock_ns();
    return now_ns >= deadline_ns ? 0 : (int)((deadline_ns - now_ns) / ZN_NS_PER_MS) + 1;
}

bool zn_worker_wait(zn_worker *worker, int timeout_ms, zonda_error *error) {
    uint64_t deadline_ns =
        zn_clock_ns() + (timeout_ms < 0 ? 0 : (uint64_t)timeout_ms * ZN_NS_PER_MS);
    struct pollfd item = { .fd = worker->ended_fd, .events = POLLIN };
    int ready = 0;
    do {
        ready = poll(&item, 1, timeout_ms < 0 ? -1 : left_ms(deadline_ns));
    } while (ready < 0 && errno == EINTR && timeout_ms >= 0 && left_ms(deadline_ns) > 0);
    if (ready <= 0 || !atomic_load(&worker->ended)) {
        return false;
    }
    if (error != NULL) {
        *error = worker->reason;
    }
    return true;
}

void zn_worker_drain(zn_worker *worker) {
    atomic_store(&worker->drain, true);
}

void zn_worker_stop(zn_worker **worker) {
    if (worker == NULL || *worker == NULL) {
        return;
    }
    zn_actor_stop(&(*worker)->actor);
    free_worker(*worker);
    *worker = NULL;
}
