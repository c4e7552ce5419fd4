/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_SCHEDULER_OUTBOX_H
#define ZN_COORDINATOR_SCHEDULER_OUTBOX_H

#include "wire/channel.h"

typedef enum zn_letter_kind {
    ZN_LETTER_WORK,  /* to `peer` on the work socket */
    ZN_LETTER_EVENT, /* to everybody on the events socket */
} zn_letter_kind;

/* One thing that the scheduler wants sent. */
typedef struct zn_letter {
    zn_letter_kind kind;
    uint64_t epoch; /* of the worker that gets it; 0: of none */
    zn_peer peer;
    zn_message message;
    void *owned; /* what the message borrows, or NULL */
} zn_letter;

/* What the scheduler's steps append to and the shell empties. All zero is valid, empty. */
typedef struct zn_scheduler_outbox {
    zn_letter *letters;
    size_t count;
    size_t capacity;
} zn_scheduler_outbox;

/* Appends; `owned` (may be NULL) is freed with the letter. */
void zn_scheduler_outbox_send(zn_scheduler_outbox *outbox, uint64_t epoch, const zn_peer *peer,
                              const zn_message *message, void *owned);
void zn_scheduler_outbox_event(zn_scheduler_outbox *outbox, const zn_message *message);

/* Appends a REFUSAL of `error`, which is copied. */
void zn_scheduler_outbox_refuse(zn_scheduler_outbox *outbox, const zn_peer *peer, uint64_t request,
                                const zonda_error *error);

/* Empties it, keeping the memory. */
void zn_scheduler_outbox_clear(zn_scheduler_outbox *outbox);

void zn_scheduler_outbox_free(zn_scheduler_outbox *outbox);

#endif
