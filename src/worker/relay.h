/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_RELAY_H
#define ZN_WORKER_RELAY_H

#include "base/digest.h"
#include "wire/message.h"

/* What slots want from the coordinator's blobs socket, asked once for all of them: blobs, which are
 * kept for the next slot, and pages of results. No I/O: messages leave through the two functions.
 */
typedef struct zn_relay zn_relay;

typedef struct zn_relay_options {
    uint32_t slots;
    uint64_t client;     /* random id of this worker */
    const char *scratch; /* folder in which slots find large blobs, borrowed; NULL: not */
    void *context;       /* for both functions */
    void (*to_coordinator)(void *context, const zn_message *message);
    void (*to_slot)(void *context, uint32_t slot, const zn_message *message);
} zn_relay_options;

zn_relay *zn_relay_new(const zn_relay_options *options);
void zn_relay_destroy(zn_relay **relay);

/* GET_BLOB or COLLECT_RESULTS from a slot. */
void zn_relay_slot_asked(zn_relay *relay, uint32_t slot, const zn_message *message,
                         uint64_t now_ns);

/* A TASK came whose slot will want this body: asks for it at once, unless it is here. */
void zn_relay_task_came(zn_relay *relay, const zn_msg_task *task, uint64_t now_ns);

/* A TASK goes to the slot next: the first one of a stage comes with its body, if that is here and
 * small, so that the slot need not ask. */
void zn_relay_task_goes(zn_relay *relay, uint32_t slot, const zn_msg_task *task);

/* BLOB, RESULTS or REFUSAL from the coordinator. */
void zn_relay_answered(zn_relay *relay, const zn_message *message, uint64_t now_ns);

/* The slot has died: it waits for nothing any more. */
void zn_relay_slot_dead(zn_relay *relay, uint32_t slot);

/* Asks again for what was not answered. */
void zn_relay_tick(zn_relay *relay, uint64_t now_ns);

/* The connection is a new one: nothing that was asked for will come. */
void zn_relay_reconnected(zn_relay *relay, uint64_t now_ns);

/* No job is open: gives back the memory of blobs that nobody waits for. */
void zn_relay_forget(zn_relay *relay);

#endif
