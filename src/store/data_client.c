/* SPDX-License-Identifier: MPL-2.0 */
/* The asking side of fetch. Readers ask for pieces; a connection has at most IN_FLIGHT_MAX requests
 * on the way, which is what the server queues for a peer, and the rest wait here in order. Answers
 * may come in any order, twice or late: each names its request, numbers are never used again, and
 * what belongs to no request is dropped. A request that its reader has forgotten keeps its place
 * until the answer comes or would be late, because until then the server may be busy with it.
 *
 * Nobody receives unless a reader waits. Then everything that has come is taken, for whoever it is.
 * Silence is answered by asking again, and, when it has lasted for the whole timeout, by giving the
 * connection up; what others had asked on it is asked again when they wait. The time in which
 * nobody waits does not count as silence. Who dies closes his connections and refuses new ones,
 * and who is frozen or cut off answers no pings: that is seen much sooner. Used by block readers.
 */
#include "store/data_client.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "wire/channel.h"

enum {
    CONNECTIONS_MAX = 64,
    KEEP_FREED_BYTES = 8 * ZN_MIB, /* answers on the way, which come and go all the time */
    IN_FLIGHT_MAX = 8,
    REFUSED_RETRY_MS = 50,           /* a key that is new may not be known everywhere yet: */
    REFUSED_MS_MAX = 2000,           /* a refusal counts when it has lasted for so long */
    GONE_MS = 2000,                  /* without a connection: nobody is there any more */
    RECEIVE_MAX = 4 * IN_FLIGHT_MAX, /* messages taken from one connection in a row */
};

/* A request that was sent. Free if its number is 0. */
typedef struct request {
    uint64_t number;
    uint64_t sent_ns;
    zn_piece *piece; /* NULL: forgotten */
} request;

struct zn_data_peer {
    char *endpoint;
    zn_channel *channel; /* NULL: not connected */
    size_t users;
    uint64_t used; /* when, by the client's count */
    request in_flight[IN_FLIGHT_MAX];
    zn_piece *first; /* queue of those that were not sent yet */
    zn_piece *last;
    uint64_t news_ns;    /* when an answer came the last time */
    uint64_t refused_ns; /* since when it refuses connections; 0: it does not */
    zonda_error oddity;  /* the last message that could not be sent or read */
};

struct zn_data_client {
    uint32_t timeout_ms;
    const zn_keys *keys;              /* NULL: none */
    bool (*cancelled)(void *context); /* may be NULL */
    void *context;
    zn_data_peer **peers;
    size_t count;
    size_t capacity;
    size_t connected;
    uint64_t requests;
    uint64_t uses;
};

zn_data_client *zn_data_client_new(uint32_t timeout_ms) {
    zn_data_client *client = ZN_NEW(zn_data_client);
    client->timeout_ms = timeout_ms;
    zn_alloc_keep_freed(KEEP_FREED_BYTES);
    return client;
}

void zn_data_client_set_keys(zn_data_client *client, const zn_keys *keys) {
    client->keys = keys;
}

void zn_data_client_set_cancel(zn_data_client *client, bool (*cancelled)(void *context),
                               void *context) {
    client->cancelled = cancelled;
    client->context = context;
}

static void free_peer(zn_data_peer *peer) {
    zn_channel_destroy(&peer->channel);
    free(peer->endpoint);
    free(peer);
}

void zn_data_client_destroy(zn_data_client **client) {
    zn_data_client *self = *client;
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < self->count; i++) {
        ZN_ASSERT(self->peers[i]->users == 0);
        free_peer(self->peers[i]);
    }
    free(self->peers);
    free(self);
    *client = NULL;
}

zn_data_peer *zn_data_client_use(zn_data_client *client, const char *endpoint) {
    size_t i = 0;
    while (i < client->count && strcmp(client->peers[i]->endpoint, endpoint) != 0) {
        i++;
    }
    if (i == client->count) {
        zn_data_peer *peer = ZN_NEW(zn_data_peer);
        peer->endpoint = zn_strdup(endpoint);
        ZN_GROW(client->peers, client->count, client->capacity);
        client->peers[client->count++] = peer;
    }
    client->peers[i]->users++;
    return client->peers[i];
}

static void append_piece(zn_data_peer *peer, zn_piece *piece) {
    piece->state = ZN_PIECE_QUEUED;
    piece->next = NULL;
    if (peer->first == NULL) {
        peer->first = piece;
    } else {
        peer->last->next = piece;
    }
    peer->last = piece;
}

static void prepend_piece(zn_data_peer *peer, zn_piece *piece) {
    piece->state = ZN_PIECE_QUEUED;
    piece->next = peer->first;
    peer->first = piece;
    peer->last = peer->last == NULL ? piece : peer->last;
}

static void unlink_piece(zn_data_peer *peer, const zn_piece *piece) {
    zn_piece *before = NULL;
    for (zn_piece *at = peer->first; at != piece; at = at->next) {
        before = at;
    }
    if (before == NULL) {
        peer->first = piece->next;
    } else {
        before->next = piece->next;
    }
    peer->last = peer->last == piece ? before : peer->last;
}

/* Closes the connection. What was on the way waits again, so that nothing comes up later from the
 * queue of a connection that nobody uses. */
static void disconnect(zn_data_client *client, zn_data_peer *peer) {
    for (size_t i = 0; i < IN_FLIGHT_MAX; i++) {
        if (peer->in_flight[i].number != 0 && peer->in_flight[i].piece != NULL) {
            prepend_piece(peer, peer->in_flight[i].piece);
        }
        peer->in_flight[i] = (request){ 0 };
    }
    client->connected -= peer->channel != NULL ? 1 : 0;
    zn_channel_destroy(&peer->channel);
}

static void drop_peer(zn_data_client *client, zn_data_peer *peer) {
    size_t i = 0;
    while (client->peers[i] != peer) {
        i++;
    }
    client->peers[i] = client->peers[--client->count];
    free_peer(peer);
}

void zn_data_client_leave(zn_data_client *client, zn_data_peer **peer) {
    zn_data_peer *self = *peer;
    if (self != NULL && --self->users == 0) {
        ZN_ASSERT(self->first == NULL);
        if (self->channel == NULL) {
            drop_peer(client, self);
        }
    }
    *peer = NULL;
}

static void make_room(zn_data_client *client) {
    zn_data_peer *oldest = NULL;
    for (size_t i = 0; i < client->count; i++) {
        zn_data_peer *peer = client->peers[i];
        if (peer->channel != NULL && (oldest == NULL || peer->used < oldest->used)) {
            oldest = peer;
        }
    }
    if (client->connected == CONNECTIONS_MAX) {
        disconnect(client, oldest);
        if (oldest->users == 0) {
            drop_peer(client, oldest);
        }
    }
}

static bool connect_peer(zn_data_client *client, zn_data_peer *peer, zonda_error *error) {
    if (peer->channel == NULL) {
        make_room(client);
        peer->channel =
            zn_channel_connect_pinged(ZN_CHANNEL_DEALER, peer->endpoint, client->keys, error);
        client->connected += peer->channel != NULL ? 1 : 0;
    }
    return peer->channel != NULL;
}

static void fail_piece(const zn_data_peer *peer, zn_piece *piece, const zonda_error *cause) {
    piece->state = ZN_PIECE_FAILED;
    piece->failure = zn_memdup(cause, sizeof *cause);
    zn_error_prefix(piece->failure,
                    "segment %.*s at byte %" PRIu64 " on %s: ", (int)piece->segment.len,
                    (const char *)piece->segment.data, piece->offset, peer->endpoint);
}

/* A queue that is full takes the request later: it is asked for again after some silence. */
static void send_request(zn_data_peer *peer, request *sent) {
    zn_message message = { .number = ZN_MSG_FETCH };
    message.fetch.request = sent->number;
    message.fetch.segment = sent->piece->segment;
    message.fetch.offset = sent->piece->offset;
    message.fetch.length = sent->piece->length;
    sent->sent_ns = zn_clock_ns();
    zonda_error cause = { 0 };
    if (zn_channel_send(peer->channel, NULL, &message, &cause) != ZONDA_OK) {
        peer->oddity = cause;
    }
}

static bool too_late(const request *sent, uint64_t now) {
    return now - sent->sent_ns >= ZN_CALL_RETRY_MS * ZN_NS_PER_MS;
}

/* A place for one more request on the way, NULL if there is none. */
static request *free_request(zn_data_peer *peer) {
    for (size_t i = 0; i < IN_FLIGHT_MAX; i++) {
        if (peer->in_flight[i].number == 0) {
            return &peer->in_flight[i];
        }
    }
    return NULL;
}

/* Sends as much of the queue as may be on the way. */
static void send_queued(zn_data_client *client, zn_data_peer *peer) {
    zonda_error error = { 0 };
    while (peer->first != NULL) {
        zn_piece *piece = peer->first;
        request *sent = free_request(peer);
        if (sent == NULL) {
            return;
        }
        unlink_piece(peer, piece);
        if (connect_peer(client, peer, &error)) {
            *sent = (request){ .number = ++client->requests, .piece = piece };
            piece->state = ZN_PIECE_SENT;
            send_request(peer, sent);
        } else {
            fail_piece(peer, piece, &error);
        }
    }
}

void zn_data_client_ask(zn_data_client *client, zn_data_peer *peer, zn_piece *piece) {
    ZN_ASSERT(piece->state == ZN_PIECE_IDLE && piece->length > 0);
    peer->used = ++client->uses;
    append_piece(peer, piece);
    send_queued(client, peer);
}

static void take_piece(const zn_data_peer *peer, zn_piece *piece, const zn_msg_data *data) {
    zonda_error cause = { 0 };
    if (data->failure_count > 0) {
        zn_failure_to_error(&data->failure[0], &cause);
        if (cause.code == ZONDA_OK) {
            zn_error_set(&cause, ZONDA_ERR_PROTOCOL, "a failure without a code");
        }
        fail_piece(peer, piece, &cause);
    } else if (data->bytes.len != piece->length) {
        zn_error_set(&cause, ZONDA_ERR_CORRUPT, "%zu bytes where %u should be", data->bytes.len,
                     piece->length);
        fail_piece(peer, piece, &cause);
    } else {
        zn_kept_take(&piece->kept, peer->channel, data->bytes);
        piece->state = ZN_PIECE_HERE;
    }
}

static void take_answer(zn_data_peer *peer, const zn_msg_data *data) {
    for (size_t i = 0; i < IN_FLIGHT_MAX; i++) {
        request *sent = &peer->in_flight[i];
        if (sent->number != 0 && sent->number == data->request) {
            if (sent->piece != NULL) {
                take_piece(peer, sent->piece, data);
            }
            *sent = (request){ 0 };
            peer->news_ns = zn_clock_ns();
            peer->refused_ns = 0;
            peer->oddity = (zonda_error){ 0 };
        }
    }
}

/* Takes the answers that are there. What is unreadable counts as silence; another version of the
 * protocol will not get better. */
static zonda_err receive(zn_data_client *client, zn_data_peer *peer) {
    bool got = peer->channel != NULL;
    for (size_t i = 0; i < RECEIVE_MAX && got; i++) {
        zn_message message;
        zonda_error cause = { 0 };
        zonda_err code = zn_channel_recv(peer->channel, NULL, &message, &got, &cause);
        if (code != ZONDA_OK) {
            peer->oddity = cause;
        } else if (got && message.number == ZN_MSG_DATA) {
            take_answer(peer, &message.data);
        }
        if (code == ZONDA_ERR_VERSION) {
            return code;
        }
    }
    send_queued(client, peer);
    return ZONDA_OK;
}

/* Goes on with peers that have more to ask than may be on the way. */
static void serve_others(zn_data_client *client, const zn_data_peer *peer) {
    for (size_t i = 0; i < client->count; i++) {
        if (client->peers[i] != peer && client->peers[i]->first != NULL &&
            client->peers[i]->channel != NULL) {
            receive(client, client->peers[i]);
        }
    }
}

/* Asks again for what has not come, and gives up waiting for what nobody wants. */
static void repeat_requests(zn_data_peer *peer) {
    uint64_t now = zn_clock_ns();
    for (size_t i = 0; i < IN_FLIGHT_MAX; i++) {
        request *sent = &peer->in_flight[i];
        if (sent->number == 0 || !too_late(sent, now)) {
            continue;
        }
        if (sent->piece != NULL) {
            send_request(peer, sent);
        } else {
            *sent = (request){ 0 };
        }
    }
}

static zonda_err give_up(zn_data_client *client, zn_data_peer *peer, const zn_piece *piece,
                         const char *what, uint64_t ms, zonda_error *error) {
    const char *cause = peer->oddity.text;
    zn_error_set(error, ZONDA_ERR_WORKER_LOST,
                 "segment %.*s at byte %" PRIu64 " on %s: no %s for %" PRIu64 " ms%s%s",
                 (int)piece->segment.len, (const char *)piece->segment.data, piece->offset,
                 peer->endpoint, what, ms, cause[0] != '\0' ? ", last problem: " : "", cause);
    disconnect(client, peer);
    return ZONDA_ERR_WORKER_LOST;
}

/* Connects again for a while where the key is not allowed (yet); then, and otherwise at once, says
 * why it does not work. */
static zonda_err take_refusal(zn_data_client *client, zn_data_peer *peer, const zn_piece *piece,
                              const zonda_error *cause, zonda_error *error) {
    uint64_t now = zn_clock_ns();
    peer->refused_ns = peer->refused_ns == 0 ? now : peer->refused_ns;
    disconnect(client, peer);
    if (cause->permanent && now - peer->refused_ns < REFUSED_MS_MAX * ZN_NS_PER_MS) {
        zn_poll(NULL, 0, REFUSED_RETRY_MS);
        send_queued(client, peer);
        return ZONDA_OK;
    }
    peer->refused_ns = 0;
    return zn_error_set(error, cause->code, "segment %.*s at byte %" PRIu64 ": %s",
                        (int)piece->segment.len, (const char *)piece->segment.data, piece->offset,
                        cause->text);
}

/* What became of the connection. */
static zonda_err check_connection(zn_data_client *client, zn_data_peer *peer, const zn_piece *piece,
                                  zonda_error *error) {
    zonda_error cause = { 0 };
    if (peer->channel == NULL) {
        return ZONDA_OK;
    }
    if (zn_channel_refused(peer->channel, &cause) != ZONDA_OK) {
        return take_refusal(client, peer, piece, &cause, error);
    }
    uint64_t down_ms = zn_channel_down_ms(peer->channel);
    return down_ms >= GONE_MS ? give_up(client, peer, piece, "connection", down_ms, error)
                              : ZONDA_OK;
}

/* Waits for whatever comes from the peer and takes it. */
static zonda_err wait_for_news(zn_data_client *client, zn_data_peer *peer, const zn_piece *piece,
                               uint64_t since_ns, zonda_error *error) {
    uint64_t timeout_ns = client->timeout_ms * ZN_NS_PER_MS;
    uint64_t heard_ns = peer->news_ns > since_ns ? peer->news_ns : since_ns;
    uint64_t silent_ns = zn_clock_ns() - heard_ns;
    if (silent_ns >= timeout_ns) {
        return give_up(client, peer, piece, "data", client->timeout_ms, error);
    }
    if (client->cancelled != NULL && client->cancelled(client->context)) {
        return zn_error_set(error, ZONDA_ERR_CANCELLED, "the reading was cancelled");
    }
    uint64_t left_ms = (timeout_ns - silent_ns) / ZN_NS_PER_MS + 1;
    zn_poll_item item = { .kind = ZN_POLL_CHANNEL, .channel = peer->channel };
    if (zn_poll(&item, 1, (int)(left_ms < ZN_POLL_MS_MAX ? left_ms : ZN_POLL_MS_MAX)) == 0) {
        repeat_requests(peer);
    }
    zonda_err refused = check_connection(client, peer, piece, error);
    if (refused != ZONDA_OK) {
        return refused;
    }
    if (receive(client, peer) == ZONDA_ERR_VERSION) {
        if (error != NULL) {
            *error = peer->oddity;
        }
        return ZONDA_ERR_VERSION;
    }
    return ZONDA_OK;
}

zonda_err zn_data_client_wait(zn_data_client *client, zn_data_peer *peer, zn_piece *piece,
                              zonda_error *error) {
    uint64_t since_ns = zn_clock_ns();
    peer->used = ++client->uses;
    if (piece->state == ZN_PIECE_QUEUED) {
        unlink_piece(peer, piece);
        prepend_piece(peer, piece);
        send_queued(client, peer);
    }
    serve_others(client, peer);
    while (piece->state == ZN_PIECE_QUEUED || piece->state == ZN_PIECE_SENT) {
        zonda_err code = wait_for_news(client, peer, piece, since_ns, error);
        if (code != ZONDA_OK) {
            return code;
        }
    }
    if (piece->state == ZN_PIECE_FAILED) {
        if (error != NULL) {
            *error = *piece->failure;
        }
        return piece->failure->code;
    }
    return ZONDA_OK;
}

void zn_data_client_forget(zn_data_peer *peer, zn_piece *piece) {
    if (piece->state == ZN_PIECE_QUEUED) {
        unlink_piece(peer, piece);
    }
    for (size_t i = 0; i < IN_FLIGHT_MAX && piece->state == ZN_PIECE_SENT; i++) {
        if (peer->in_flight[i].piece == piece) {
            peer->in_flight[i].piece = NULL;
        }
    }
    zn_kept_free(&piece->kept);
    free(piece->failure);
    piece->failure = NULL;
    piece->state = ZN_PIECE_IDLE;
}
