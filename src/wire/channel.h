/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WIRE_CHANNEL_H
#define ZN_WIRE_CHANNEL_H

#include "base/limits.h"
#include "wire/allow_list.h"
#include "wire/message.h"

/* A socket that speaks messages: owns the socket, the framer and the decoder. One thread at a
 * time; it may be handed over before its first use. Sending never blocks. */
typedef struct zn_channel zn_channel;

typedef enum zn_channel_kind {
    ZN_CHANNEL_REQ,
    ZN_CHANNEL_REP,
    ZN_CHANNEL_DEALER,
    ZN_CHANNEL_ROUTER,
    ZN_CHANNEL_PUB,
    ZN_CHANNEL_SUB,
} zn_channel_kind;

/* Routing id of a ROUTER's peer. Plain data, comparable with zn_peer_equal. */
typedef struct zn_peer {
    uint8_t len;
    uint8_t id[255];
} zn_peer;

bool zn_peer_equal(const zn_peer *a, const zn_peer *b);

/* Binds; a port "*" is chosen by the system and zn_channel_endpoint says which.
 * Errors: INVALID (endpoint), IO (in use, no permission, …). */
zn_channel *zn_channel_bind(zn_channel_kind kind, const char *endpoint, zonda_error *error);

/* The same with at most `queue_max` messages that wait for a peer which does not read, for channels
 * that send much at once. */
zn_channel *zn_channel_bind_queue(zn_channel_kind kind, const char *endpoint, int queue_max,
                                  zonda_error *error);

/* The same for those alone whose keys `allowed` has; `keys` are our own. Both are borrowed,
 * `allowed` for the life of the channel; both NULL: for everybody. Over inproc there are no keys.
 * Receiving from somebody whose key is not allowed any more gives KEYS. */
zn_channel *zn_channel_bind_keyed(zn_channel_kind kind, const char *endpoint, int queue_max,
                                  const zn_keys *keys, zn_allow_list *allowed, zonda_error *error);

/* Connects; succeeds at once, also when nobody is there yet. SUB subscribes to everything.
 * Errors: INVALID (endpoint). */
zn_channel *zn_channel_connect(zn_channel_kind kind, const char *endpoint, zonda_error *error);

/* The same with keys (borrowed for the call; NULL: without). Only who has the secret of the key in
 * `endpoint` (endpoint.h), or else of `keys->server`, is talked to. */
zn_channel *zn_channel_connect_keyed(zn_channel_kind kind, const char *endpoint,
                                     const zn_keys *keys, zonda_error *error);

/* The same, for those who want to know why nobody answers: see zn_channel_refused. Errors: also
 * LIMIT and IO (it cannot be watched). */
zn_channel *zn_channel_connect_watched(zn_channel_kind kind, const char *endpoint,
                                       const zn_keys *keys, zonda_error *error);

/* The same, and the connection ends when nobody has answered there for ZN_WORKER_LOST_MS, as when
 * the peer is frozen or cut off. It is libzmq that answers, however busy its program is. */
zn_channel *zn_channel_connect_pinged(zn_channel_kind kind, const char *endpoint,
                                      const zn_keys *keys, zonda_error *error);

/* Closes without lingering; NULL-safe. */
void zn_channel_destroy(zn_channel **channel);

/* Where it is bound or connected, as others write it: "tcp://127.0.0.1:40001". Borrowed. */
const char *zn_channel_endpoint(const zn_channel *channel);

/* Sends one message. `to` is for ROUTER only, else NULL. Never blocks.
 * Errors: UNREACHABLE (ROUTER: that peer is gone; others: no peer, or its queue is full). */
zonda_err zn_channel_send(zn_channel *channel, const zn_peer *to, const zn_message *message,
                          zonda_error *error);

/* Memory for a binary of up to `bytes` bytes: if it is large and the message is not compressed, as
 * DATA is not, it is sent from there and not copied. Borrowed until such a message was sent, or
 * until the next call. */
uint8_t *zn_channel_room(zn_channel *channel, size_t bytes);

/* Receives one message if one is there. Sets `*got`. `from` (may be NULL) gets the routing id on a
 * ROUTER. The message is valid until the next call. On PROTOCOL, VERSION, CORRUPT and LIMIT the
 * bad message has been taken from the socket, `*got` is true, `from` is set, `message` is not (the
 * same for KEYS, see zn_channel_bind_keyed): on a
 * REP channel the caller must still send a reply. Messages with a wrong number of parts count as
 * PROTOCOL. */
zonda_err zn_channel_recv(zn_channel *channel, zn_peer *from, zn_message *message, bool *got,
                          zonda_error *error);

/* REQ only: forgets the outstanding request, so that the same one may be sent again (the socket
 * has REQ_RELAXED and REQ_CORRELATE). Closes and reopens the connection if nothing has answered or
 * taken the last one. */
void zn_channel_reset(zn_channel *channel);

/* SUB only: makes `id` (not 0) known to the publisher for as long as the connection stands. */
void zn_channel_announce(zn_channel *channel, uint64_t id);

/* PUB only: takes one notice of who subscribes; false if there is none. `*id` is who has announced
 * himself (`*present`) or has gone; 0: something else. */
bool zn_channel_presence(zn_channel *channel, uint64_t *id, bool *present);

/* Watches for closed connections of a bound channel; then zn_channel_peers_closed returns true
 * once per batch of closings. Poll it as ZN_POLL_MONITOR. */
zonda_err zn_channel_monitor(zn_channel *channel, zonda_error *error);
bool zn_channel_peers_closed(zn_channel *channel);

/* KEYS, with the likely reason, if since the last call the peer of a channel of
 * zn_channel_connect_watched or _pinged would not have us, or was found not to be who it should be.
 * `error` is permanent if our key is not allowed, and it is not tried again; otherwise it may be a
 * peer that was started again in a wrong way, and calling this now and then makes new connections.
 */
zonda_err zn_channel_refused(zn_channel *channel, zonda_error *error);

/* For how long no connection has stood, as far as zn_channel_refused has heard; 0 also if the
 * channel is not watched, or while somebody takes connections and ends them. */
uint64_t zn_channel_down_ms(const zn_channel *channel);

/* What zn_poll waits for: one of a channel, the monitor of a channel, or a file descriptor. */
typedef enum zn_poll_kind {
    ZN_POLL_CHANNEL,
    ZN_POLL_MONITOR,
    ZN_POLL_FD,
} zn_poll_kind;

typedef struct zn_poll_item {
    zn_poll_kind kind;
    zn_channel *channel;
    int fd;
    bool ready; /* out: readable */
} zn_poll_item;

/* Waits until one item is readable or `timeout_ms` is over (-1: for ever). Returns how many are
 * ready; 0 also when a signal came. */
size_t zn_poll(zn_poll_item *items, size_t count, int timeout_ms);

#endif
