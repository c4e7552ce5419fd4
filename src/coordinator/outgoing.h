/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_OUTGOING_H
#define ZN_COORDINATOR_OUTGOING_H

#include "coordinator/gate.h"
#include "coordinator/journal.h"
#include "coordinator/scheduler.h"

/* Everything that a coordinator sends, in order: nothing leaves before the notes that were made
 * before it are durable. Without a journal everything leaves at once. */
typedef struct zn_outgoing zn_outgoing;

typedef struct zn_outgoing_parts {
    zn_scheduler *scheduler;
    zn_journal *journal;    /* NULL: nothing is durable */
    uint64_t journal_bytes; /* that it had at the start */
    zn_gate *gate;
    zn_channel *control;
    zn_channel *work;
    zn_channel *events;
} zn_outgoing_parts;

/* The parts are borrowed. */
zn_outgoing *zn_outgoing_new(const zn_outgoing_parts *parts);

/* The reply to a call, which is copied if it has to wait. */
void zn_outgoing_reply(zn_outgoing *outgoing, const zn_message *reply);

/* Whether a reply waits: no other call may be taken before it has left. */
bool zn_outgoing_owes_reply(const zn_outgoing *outgoing);

/* Gives new notes to the journal and takes the letters of the scheduler; sends what may leave. A
 * worker that cannot be reached is news for the scheduler, which may decide more. */
void zn_outgoing_flush(zn_outgoing *outgoing);

/* The letters that wait are never sent. */
void zn_outgoing_destroy(zn_outgoing **outgoing);

#endif
