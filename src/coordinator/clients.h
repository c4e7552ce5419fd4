/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_CLIENTS_H
#define ZN_COORDINATOR_CLIENTS_H

#include "wire/message.h"

/* The last call of each control client and, if it changed something, its reply. */
typedef struct zn_clients zn_clients;

typedef struct zn_client {
    uint64_t request;    /* the last one; 0: none yet */
    bool recorded;       /* `reply` answers it */
    zn_message reply;    /* borrows nothing but `refusal` */
    zonda_error refusal; /* text of a recorded REFUSAL */
    zn_failure failure;
    char who[ZN_NAME_BYTES_MAX + 32]; /* for people: what a driver said in HELLO; may be empty */
} zn_client;

/* Keeps at most `count_max` clients; the one that called least recently is forgotten. */
zn_clients *zn_clients_new(size_t count_max);

/* The client with this id, new if it is not known. Valid until the next call of this function. */
zn_client *zn_clients_get(zn_clients *clients, uint64_t id);

/* Records the reply to `request`. Only replies without lists, and REFUSALs (`refusal`). */
void zn_client_record(zn_client *client, uint64_t request, const zn_message *reply,
                      const zonda_error *refusal);

/* Notes a call whose reply is not worth keeping, because asking again does no harm. */
void zn_client_note(zn_client *client, uint64_t request);

size_t zn_clients_count(const zn_clients *clients);

void zn_clients_destroy(zn_clients **clients);

#endif
