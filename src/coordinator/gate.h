/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_GATE_H
#define ZN_COORDINATOR_GATE_H

#include "coordinator/scheduler.h"
#include "wire/channel.h"

/* The keys of a coordinator and of those whom it lets in. NULL is a coordinator without keys. */
typedef struct zn_gate zn_gate;

/* Reads a folder that `zonda keygen` made. Errors: KEYS, UNSUPPORTED, LIMIT. */
zn_gate *zn_gate_new(const char *folder, zonda_error *error);

/* After the channels that it bound. NULL-safe, clears the pointer. */
void zn_gate_destroy(zn_gate **gate);

/* Binds a channel for those who are let in. Errors: as zn_channel_bind. */
zn_channel *zn_gate_bind(zn_gate *gate, zn_channel_kind kind, const char *endpoint,
                         zonda_error *error);

/* Tells one worker whom to let in. */
void zn_gate_tell(zn_gate *gate, zn_channel *work, const zn_peer *peer);

/* To be called often: tells all workers who is allowed if that has changed. */
void zn_gate_look(zn_gate *gate, const zn_scheduler *scheduler, zn_channel *work);

#endif
