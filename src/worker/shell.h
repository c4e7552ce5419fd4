/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_SHELL_H
#define ZN_WORKER_SHELL_H

#include <stdatomic.h>

#include "wire/actor.h"
#include "worker/worker.h"

/* The I/O of a worker: sockets, slots, timers around the slot manager. Lives on the actor's thread
 * from set-up to end. */
typedef struct zn_shell zn_shell;

/* Binds, starts the data server; slots are started by the loop. Errors: INVALID, REFUSED, IO. */
zn_shell *zn_shell_new(const zn_worker_options *options, zonda_error *error);

/* Runs until the worker has left its cluster, which it does in order once `drain` is set.
 * `reason`: why, OK for a regular end. */
void zn_shell_run(zn_shell *shell, zn_actor_pipe *pipe, const atomic_bool *drain,
                  zonda_error *reason);

/* Ends slots and data server, removes the scratch folder. NULL-safe. */
void zn_shell_destroy(zn_shell **shell);

#endif
