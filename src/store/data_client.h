/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_DATA_CLIENT_H
#define ZN_STORE_DATA_CLIENT_H

#include "base/buf.h"
#include "base/error.h"
#include "wire/kept.h"
#include "wire/keys.h"

/* The asking side of the data socket, shared by many readers: a connection per worker, kept for
 * reuse, and on each a few requests on the way at a time, whoever they are for. One thread. */
typedef struct zn_data_client zn_data_client;

/* A worker as users of its segments know it. */
typedef struct zn_data_peer zn_data_peer;

typedef enum zn_piece_state {
    ZN_PIECE_IDLE,   /* not asked for */
    ZN_PIECE_QUEUED, /* waits for its turn */
    ZN_PIECE_SENT,
    ZN_PIECE_HERE,
    ZN_PIECE_FAILED,
} zn_piece_state;

/* Some bytes of a segment that a reader wants. The reader owns it, sets the first three fields and
 * neither moves nor changes it between ask and the end of the wait, or forget. All zero is idle. */
typedef struct zn_piece {
    zn_bytes segment; /* borrowed, a valid name */
    uint64_t offset;
    uint32_t length;
    zn_piece_state state;
    zn_kept kept;         /* HERE: `length` bytes, which the reader may take over */
    zonda_error *failure; /* FAILED */
    struct zn_piece *next;
} zn_piece;

/* How long a worker may be silent. */
zn_data_client *zn_data_client_new(uint32_t timeout_ms);
/* Shows these to every worker, and expects the key that its endpoint names; borrowed for the life
 * of the client, NULL: none. */
void zn_data_client_set_keys(zn_data_client *client, const zn_keys *keys);
/* Asked now and then while a wait lasts; when it says so the wait ends with CANCELLED. */
void zn_data_client_set_cancel(zn_data_client *client, bool (*cancelled)(void *context),
                               void *context);
/* No peer may be in use any more. */
void zn_data_client_destroy(zn_data_client **client);

/* The worker at an endpoint, which has been checked; leave it when it is not asked any more.
 * Connects when there is something to ask. */
zn_data_peer *zn_data_client_use(zn_data_client *client, const char *endpoint);
/* NULL-safe, clears the pointer. */
void zn_data_client_leave(zn_data_client *client, zn_data_peer **peer);

/* Asks for an idle piece. Never blocks; failures are found by wait. */
void zn_data_client_ask(zn_data_client *client, zn_data_peer *peer, zn_piece *piece);

/* Waits until a piece that was asked for is HERE. Errors, which all name segment, offset and
 * endpoint: WORKER_LOST (silent for too long, or there is nobody), CORRUPT (it ends too early),
 * VERSION, LIMIT and INVALID (cannot connect), KEYS (it will not talk to us, or is not who it
 * should be), what the worker answered; and CANCELLED. The piece may be waited for again after
 * WORKER_LOST, VERSION and CANCELLED. */
zonda_err zn_data_client_wait(zn_data_client *client, zn_data_peer *peer, zn_piece *piece,
                              zonda_error *error);

/* The piece is idle again and has no memory. */
void zn_data_client_forget(zn_data_peer *peer, zn_piece *piece);

#endif
