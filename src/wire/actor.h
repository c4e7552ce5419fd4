/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WIRE_ACTOR_H
#define ZN_WIRE_ACTOR_H

#include <stdbool.h>

#include "base/error.h"
#include "wire/channel.h"

/* A thread whose start and stop are handshakes. */
typedef struct zn_actor zn_actor;
typedef struct zn_actor_pipe zn_actor_pipe;

/* The body of an actor. It must call zn_actor_ready or zn_actor_failed exactly once, soon, and
 * after `failed` return. After `ready` it runs until zn_actor_stopping says true. */
typedef void zn_actor_body(zn_actor_pipe *pipe, void *context);

/* Starts the thread and waits for ready or failed. NULL and `error` on failure. */
zn_actor *zn_actor_start(zn_actor_body *body, void *context, zonda_error *error);

/* Asks the body to stop and waits until it has returned. NULL-safe, clears the pointer. */
void zn_actor_stop(zn_actor **actor);

/* Asks the body to stop, does not wait. zn_actor_stop must still follow. */
void zn_actor_ask_stop(zn_actor *actor);

/* True when the body has returned by itself. */
bool zn_actor_ended(zn_actor *actor);

/* For the body. */
void zn_actor_ready(zn_actor_pipe *pipe);
void zn_actor_failed(zn_actor_pipe *pipe, const zonda_error *error);

/* True once a stop was asked for; never blocks. */
bool zn_actor_stopping(zn_actor_pipe *pipe);

/* File descriptor to poll as ZN_POLL_FD; readable when a stop was asked for. */
int zn_actor_pipe_fd(zn_actor_pipe *pipe);

#endif
