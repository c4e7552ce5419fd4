/* SPDX-License-Identifier: MPL-2.0 */
/* Inside the worker's shell only: its data, and what shell.c (set-up, loop, input) and
 * shell_actions.c (carrying out what the core wants) offer to each other. */
#ifndef ZN_WORKER_SHELL_STATE_H
#define ZN_WORKER_SHELL_STATE_H

#include "store/data_server.h"
#include "wire/channel.h"
#include "worker/relay.h"
#include "worker/scratch.h"
#include "worker/shell.h"
#include "worker/slot.h"
#include "worker/slot_manager.h"

typedef struct zn_shell_slot {
    zn_slot *slot; /* NULL: not running */
    bool known;    /* it has said HELLO: `peer` is its address */
    zn_peer peer;
} zn_shell_slot;

struct zn_shell {
    zn_worker_options options;
    zn_keys keys; /* if options.keys */
    uint32_t slot_count;
    uint64_t client;
    zn_scratch scratch;
    zn_data_server *data;
    zn_channel *control;
    zn_channel *work;  /* NULL until the coordinator was found */
    zn_channel *blobs; /* like work */
    zn_channel *slots_channel;
    zn_slot_board *boards;
    zn_shell_slot *slots;
    zn_relay *relay;
    zn_slot_manager *core;
    zn_outbox outbox;
    zn_poll_item *items;
    zn_slot_view *views;    /* of the slots, as of the last tick */
    uint64_t bad_messages;  /* ever */
    uint64_t bad_logged_ns; /* 0: never */
    const atomic_bool *drain;
    bool drain_told;
    bool stop_told;
    bool ended;
};

/* Carries out everything in the outbox, and what follows from it. */
void zn_shell_act(zn_shell *shell);

/* Gives the core one event, filling in the time, and carries out what it wants. */
void zn_shell_step(zn_shell *shell, zn_worker_event event);

void zn_shell_send_slot(zn_shell *shell, uint32_t slot, const zn_message *message);

#endif
