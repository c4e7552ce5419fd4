/* SPDX-License-Identifier: MPL-2.0 */
/* What makes a repeated control call harmless: the reply to the last call of each client. A client
 * has one call at a time, so one reply is enough. Calls that only read are not recorded, only their
 * numbers: a page of results for each of thousands of clients would be much memory for nothing. */
#include "coordinator/clients.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/alloc.h"
#include "coordinator/key_map.h"

typedef struct entry {
    zn_client client; /* first: an entry is its client */
    uint64_t id;
    TAILQ_ENTRY(entry) link;
} entry;

struct zn_clients {
    zn_key_map map;
    TAILQ_HEAD(entries, entry) entries; /* the latest caller last */
    size_t count_max;
};

zn_clients *zn_clients_new(size_t count_max) {
    zn_clients *clients = ZN_NEW(zn_clients);
    clients->count_max = count_max;
    TAILQ_INIT(&clients->entries);
    return clients;
}

static void forget_first(zn_clients *clients) {
    entry *first = TAILQ_FIRST(&clients->entries);
    TAILQ_REMOVE(&clients->entries, first, link);
    zn_key_map_remove(&clients->map, first->id);
    free(first);
}

zn_client *zn_clients_get(zn_clients *clients, uint64_t id) {
    entry *found = zn_key_map_get(&clients->map, id);
    if (found != NULL) {
        TAILQ_REMOVE(&clients->entries, found, link);
    } else {
        if (clients->map.count >= clients->count_max) {
            forget_first(clients);
        }
        found = ZN_NEW(entry);
        found->id = id;
        zn_key_map_put(&clients->map, id, found);
    }
    TAILQ_INSERT_TAIL(&clients->entries, found, link);
    return &found->client;
}

void zn_client_record(zn_client *client, uint64_t request, const zn_message *reply,
                      const zonda_error *refusal) {
    client->request = request;
    client->recorded = true;
    client->reply = *reply;
    if (reply->number == ZN_MSG_REFUSAL) {
        client->refusal = *refusal;
        zn_failure_from_error(&client->refusal, &client->failure);
        client->reply.refusal.failure = &client->failure;
    }
}

void zn_client_note(zn_client *client, uint64_t request) {
    client->request = request;
    client->recorded = false;
}

size_t zn_clients_count(const zn_clients *clients) {
    return clients->map.count;
}

void zn_clients_destroy(zn_clients **clients) {
    if (*clients == NULL) {
        return;
    }
    while (!TAILQ_EMPTY(&(*clients)->entries)) {
        forget_first(*clients);
    }
    zn_key_map_free(&(*clients)->map);
    free(*clients);
    *clients = NULL;
}
