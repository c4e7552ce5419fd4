/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_OUTBOX_H
#define ZN_WORKER_OUTBOX_H

#include <stdbool.h>

#include "base/ids.h"
#include "wire/message.h"
#include "worker/arena.h"

typedef enum zn_action_kind {
    ZN_ACTION_SEND_CONTROL, /* replaces a request that was not answered */
    ZN_ACTION_SEND_WORK,
    ZN_ACTION_SEND_SLOT,    /* slot, message */
    ZN_ACTION_CANCEL_CHUNK, /* slot, sequence */
    ZN_ACTION_START_SLOT,   /* slot */
    ZN_ACTION_KILL_SLOT,    /* slot; answered by SLOT_DEAD */
    ZN_ACTION_REMOVE_JOB,   /* job: delete its segments */
    ZN_ACTION_FORGET_BLOBS, /* nothing needs a blob just now */
    ZN_ACTION_REMOVE_ALL,   /* another cluster: all segments are of no use */
    ZN_ACTION_END,          /* error: why; OK for a regular end */
} zn_action_kind;

typedef struct zn_action {
    zn_action_kind kind;
    uint32_t slot;
    uint64_t sequence;
    zn_job_id job;
    zonda_err code;
    zn_message message; /* its lists and texts live in the outbox or in the manager */
} zn_action;

/* What a core wants to be done, in order. All zero is a valid, empty one. */
typedef struct zn_outbox {
    zn_action *items;
    size_t count;
    size_t capacity;
    zn_arena arena;
} zn_outbox;

/* Adds an action and returns it to be filled in; valid until the next one is added. */
zn_action *zn_outbox_add(zn_outbox *outbox, zn_action_kind kind);

/* Adds a message to be sent; its number is set. */
zn_message *zn_outbox_send(zn_outbox *outbox, zn_action_kind kind, uint32_t slot,
                           zn_message_number number);

void zn_outbox_clear(zn_outbox *outbox);
void zn_outbox_free(zn_outbox *outbox);

#endif
