/* SPDX-License-Identifier: MPL-2.0 */
/* The coordinator as others see it: checks the options, runs the shell on a thread of its own, and
 * hands out the endpoint. The sockets are opened and closed by that thread; the start waits until
 * they are bound or have failed to. */
#include "coordinator/coordinator.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "coordinator/coordinator_shell.h"
#include "wire/endpoint.h"

enum {
    INTERVAL_MS_MAX = 3600000
};

struct zn_coordinator {
    zn_coordinator_options options; /* texts are owned */
    char *bind;
    char *advertise;
    char *keys;
    char *state;
    zonda_error error; /* why it has ended by itself; its code is OK until the thread has ended */
    char *endpoint;    /* set by the thread before it is ready */
    zn_actor *actor;
};

static zonda_err check_options(const zn_coordinator_options *options, zonda_error *error) {
    if (options->bind == NULL) {
        return zn_error_set(error, ZONDA_ERR_INVALID, "a coordinator needs an endpoint to bind");
    }
    zonda_err err = zn_endpoint_check(options->bind, true, error);
    if (err != ZONDA_OK) {
        return err;
    }
    if (options->heartbeat_ms > INTERVAL_MS_MAX || options->lost_ms > INTERVAL_MS_MAX) {
        return zn_error_set(error, ZONDA_ERR_INVALID,
                            "heartbeats every %u ms and loss after %u ms: at most %d ms",
                            options->heartbeat_ms, options->lost_ms, INTERVAL_MS_MAX);
    }
    bool closed = options->keys != NULL || options->insecure;
    if (!closed && !zn_endpoint_is_loopback(options->bind)) {
        return zn_error_set(error, ZONDA_ERR_REFUSED,
                            "binding %s would let other machines in without keys; make keys with "
                            "`zonda keygen DIR` and say --keys DIR, or bind a loopback address, or "
                            "say --insecure if everybody on that network is trusted",
                            options->bind);
    }
    return ZONDA_OK;
}

static char *own_host_name(void) {
    char name[ZN_NAME_BYTES_MAX + 1];
    if (gethostname(name, sizeof(name)) != 0) {
        return zn_strdup("localhost");
    }
    name[sizeof(name) - 1] = '\0';
    return zn_strdup(name);
}

static void run_coordinator(zn_actor_pipe *pipe, void *context) {
    zn_coordinator *coordinator = context;
    zonda_error error;
    zn_coordinator_shell *shell = zn_coordinator_shell_open(&coordinator->options, &error);
    if (shell == NULL) {
        zn_actor_failed(pipe, &error);
        return;
    }
    coordinator->endpoint = zn_strdup(zn_coordinator_shell_endpoint(shell));
    zn_actor_ready(pipe);
    zn_coordinator_shell_run(shell, pipe, &coordinator->error);
    zn_coordinator_shell_close(&shell);
}

zn_coordinator *zn_coordinator_start(const zn_coordinator_options *options, zonda_error *error) {
    if (check_options(options, error) != ZONDA_OK) {
        return NULL;
    }
    zn_coordinator *coordinator = ZN_NEW(zn_coordinator);
    coordinator->bind = zn_strdup(options->bind);
    coordinator->advertise =
        options->advertise != NULL ? zn_strdup(options->advertise) : own_host_name();
    coordinator->keys = options->keys != NULL ? zn_strdup(options->keys) : NULL;
    coordinator->state = options->state != NULL ? zn_strdup(options->state) : NULL;
    coordinator->options = (zn_coordinator_options){
        .bind = coordinator->bind,
        .keys = coordinator->keys,
        .state = coordinator->state,
        .history_jobs = options->history_jobs > 0 ? options->history_jobs : ZN_HISTORY_JOBS,
        .advertise = coordinator->advertise,
        .insecure = options->insecure,
        .heartbeat_ms = options->heartbeat_ms > 0 ? options->heartbeat_ms : ZN_HEARTBEAT_MS,
        .lost_ms = options->lost_ms > 0 ? options->lost_ms : ZN_WORKER_LOST_MS,
        .drain_ms = options->drain_ms > 0 ? options->drain_ms : ZN_DRAIN_MS,
        .driver_grace_ms =
            options->driver_grace_ms > 0 ? options->driver_grace_ms : ZN_DRIVER_GRACE_MS,
    };
    coordinator->actor = zn_actor_start(run_coordinator, coordinator, error);
    if (coordinator->actor == NULL) {
        zn_coordinator_stop(&coordinator);
    }
    return coordinator;
}

const char *zn_coordinator_endpoint(const zn_coordinator *coordinator) {
    return coordinator->endpoint;
}

bool zn_coordinator_ended(const zn_coordinator *coordinator, zonda_error *error) {
    bool ended = zn_actor_ended(coordinator->actor);
    if (ended) {
        *error = coordinator->error;
    }
    return ended;
}

void zn_coordinator_stop(zn_coordinator **coordinator) {
    if (coordinator == NULL || *coordinator == NULL) {
        return;
    }
    zn_actor_stop(&(*coordinator)->actor);
    free((*coordinator)->bind);
    free((*coordinator)->advertise);
    free((*coordinator)->keys);
    free((*coordinator)->state);
    free((*coordinator)->endpoint);
    free(*coordinator);
    *coordinator = NULL;
}
