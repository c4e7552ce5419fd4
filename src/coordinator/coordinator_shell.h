/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_COORDINATOR_SHELL_H
#define ZN_COORDINATOR_COORDINATOR_SHELL_H

#include "coordinator/coordinator.h"
#include "wire/actor.h"

/* The sockets of a coordinator and the loop between them and the scheduler. One thread. */
typedef struct zn_coordinator_shell zn_coordinator_shell;

/* Binds all sockets. Options have been checked, `advertise` and the times are set. NULL and `error`
 * on failure: INVALID, IO. */
zn_coordinator_shell *zn_coordinator_shell_open(const zn_coordinator_options *options,
                                                zonda_error *error);

/* The control endpoint that others connect to. Borrowed. */
const char *zn_coordinator_shell_endpoint(const zn_coordinator_shell *shell);

/* Serves until the actor is stopped. Then, without a state directory, tells the workers and waits
 * shortly for them to leave. Errors: DISK_FULL, IO (the journal could not be written for long). */
zonda_err zn_coordinator_shell_run(zn_coordinator_shell *shell, zn_actor_pipe *pipe,
                                   zonda_error *error);

void zn_coordinator_shell_close(zn_coordinator_shell **shell);

#endif
