/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_COORDINATOR_H
#define ZN_COORDINATOR_COORDINATOR_H

#include "base/error.h"

/* The coordinator: owns the state of jobs, stages, tasks and workers, on a thread of its own. */
typedef struct zn_coordinator zn_coordinator;

typedef struct zn_coordinator_options {
    const char *bind; /* control endpoint; the other sockets are its siblings */
    const char
        *advertise;    /* host name for others if `bind` is a wildcard; NULL: this host's name */
    const char *keys;  /* folder with coordinator.key and allowed/; NULL: without keys */
    const char *state; /* folder where the state is kept; NULL: it does not survive */
    bool insecure;     /* allow a bind that others than this machine can reach, without keys */
    uint32_t history_jobs;    /* that have ended and are remembered; 0: ZN_HISTORY_JOBS */
    uint32_t heartbeat_ms;    /* 0: ZN_HEARTBEAT_MS */
    uint32_t lost_ms;         /* 0: ZN_WORKER_LOST_MS */
    uint32_t drain_ms;        /* after which the results of a drained worker are made again by
                                 others; 0: ZN_DRAIN_MS */
    uint32_t driver_grace_ms; /* after which the jobs of a driver that has gone end; 0:
                                 ZN_DRIVER_GRACE_MS */
} zn_coordinator_options;

/* Binds all sockets and starts the thread. Options are copied. NULL and `error` on failure:
 * INVALID (endpoint), REFUSED (beyond loopback without keys or `insecure`), KEYS, IO (bind), STATE.
 */
zn_coordinator *zn_coordinator_start(const zn_coordinator_options *options, zonda_error *error);

/* The control endpoint that others connect to, with the port that was chosen. Borrowed. */
const char *zn_coordinator_endpoint(const zn_coordinator *coordinator);

/* Whether it has ended by itself, because it could not keep its journal any more, which `error`
 * then says. */
bool zn_coordinator_ended(const zn_coordinator *coordinator, zonda_error *error);

/* Without a state directory: tells the workers that the cluster ends (DONE, scope ALL), stops the
 * thread, frees everything. NULL-safe. */
void zn_coordinator_stop(zn_coordinator **coordinator);

#endif
