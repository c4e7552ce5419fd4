/* SPDX-License-Identifier: MPL-2.0 */
/* The serving side of fetch. Every FETCH gets one DATA with bytes or with the reason why there are
 * none; the server keeps nothing about its peers, so readers may repeat, reorder and go away. It
 * never blocks on a peer: an answer that a peer's queue does not take is dropped, and the reader
 * asks again, so a peer that does not read holds a few MiB at the most. Peers are served in turn,
 * because a ROUTER takes messages from them in turn. What is no FETCH is dropped and counted, in a
 * log line per second at the most. Started by the worker. */
#include "store/data_server.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/segment.h"
#include "wire/actor.h"
#include "wire/channel.h"

enum {
    TURN_MESSAGES_MAX = 64,
    /* Pieces that may wait for a peer: twice what an honest one asks for at a time, because a queue
     * counts what has left it in steps of half its size. */
    QUEUE_MAX = 16,
    PIECE_BYTES = ZN_MIB,
    KEEP_FREED_BYTES = 8 * ZN_MIB /* answers on the way, which come and go all the time */
};

struct zn_data_server {
    zn_allow_list *allowed; /* NULL: everybody */
    zn_channel *channel;    /* of the actor, from its start to its end */
    zn_actor *actor;
    char *scratch;
    uint64_t dropped; /* since the last log line */
    uint64_t logged_ns;
};

static void drop(zn_data_server *server, const char *reason) {
    server->dropped++;
    uint64_t now = zn_clock_ns();
    if (server->logged_ns == 0 || now - server->logged_ns >= ZN_NS_PER_S) {
        zn_log(ZONDA_LOG_WARN, "data-dropped", "endpoint=%s count=%" PRIu64 " reason=\"%s\"",
               zn_channel_endpoint(server->channel), server->dropped, reason);
        server->logged_ns = now;
        server->dropped = 0;
    }
}

/* A queue may look full because libzmq looks only now and then how much has left it; polling makes
 * it look. */
static void send_reply(zn_data_server *server, const zn_peer *peer, const zn_message *reply) {
    zonda_error error = { 0 };
    zonda_err code = zn_channel_send(server->channel, peer, reply, &error);
    if (code != ZONDA_OK) {
        zn_poll_item item = { .kind = ZN_POLL_CHANNEL, .channel = server->channel };
        zn_poll(&item, 1, 0);
        code = zn_channel_send(server->channel, peer, reply, &error);
    }
    if (code != ZONDA_OK) {
        drop(server, error.text);
    }
}

static void answer(zn_data_server *server, const zn_peer *peer, const zn_msg_fetch *fetch) {
    zonda_error error = { 0 };
    zn_failure failure;
    size_t got = 0;
    size_t size = fetch->length < PIECE_BYTES ? (size_t)fetch->length : PIECE_BYTES;
    zn_message reply = { .number = ZN_MSG_DATA };
    reply.data.request = fetch->request;
    uint8_t *room = zn_channel_room(server->channel, size);
    if (zn_segment_read_at(server->scratch, fetch->segment, fetch->offset, room, size, &got,
                           &error) == ZONDA_OK) {
        reply.data.bytes = (zn_bytes){ room, got };
    } else {
        zn_failure_from_error(&error, &failure);
        reply.data.failure = &failure;
        reply.data.failure_count = 1;
    }
    send_reply(server, peer, &reply);
}

/* Answers what is there, up to a number; the rest waits in the socket. */
static void serve_turn(zn_data_server *server) {
    for (size_t i = 0; i < TURN_MESSAGES_MAX; i++) {
        zn_peer peer;
        zn_message message;
        bool got = false;
        zonda_error error = { 0 };
        zonda_err code = zn_channel_recv(server->channel, &peer, &message, &got, &error);
        if (!got) {
            return;
        }
        if (code != ZONDA_OK) {
            drop(server, error.text);
        } else if (message.number != ZN_MSG_FETCH) {
            drop(server, "not a FETCH");
        } else {
            answer(server, &peer, &message.fetch);
        }
    }
}

static void serve(zn_actor_pipe *pipe, void *context) {
    zn_data_server *server = context;
    zn_alloc_keep_freed(KEEP_FREED_BYTES);
    zn_actor_ready(pipe);
    while (!zn_actor_stopping(pipe)) {
        zn_poll_item items[] = {
            { .kind = ZN_POLL_CHANNEL, .channel = server->channel },
            { .kind = ZN_POLL_FD, .fd = zn_actor_pipe_fd(pipe) },
        };
        zn_poll(items, 2, -1);
        serve_turn(server);
    }
}

zn_data_server *zn_data_server_start(const char *bind, const char *scratch, zonda_error *error) {
    return zn_data_server_start_keyed(bind, scratch, NULL, error);
}

zn_data_server *zn_data_server_start_keyed(const char *bind, const char *scratch,
                                           const zn_keys *keys, zonda_error *error) {
    zn_data_server *server = ZN_NEW(zn_data_server);
    server->scratch = zn_strdup(scratch);
    server->allowed = keys != NULL ? zn_allow_list_new(NULL, error) : NULL;
    if (keys == NULL || server->allowed != NULL) {
        server->channel =
            zn_channel_bind_keyed(ZN_CHANNEL_ROUTER, bind, QUEUE_MAX, keys, server->allowed, error);
    }
    if (server->channel != NULL) {
        server->actor = zn_actor_start(serve, server, error);
    }
    if (server->actor == NULL) {
        zn_data_server_stop(&server);
    }
    return server;
}

void zn_data_server_allow(zn_data_server *server, zn_bytes keys) {
    if (server->allowed != NULL) {
        zn_allow_list_set(server->allowed, keys);
    }
}

const char *zn_data_server_endpoint(const zn_data_server *server) {
    return zn_channel_endpoint(server->channel);
}

void zn_data_server_stop(zn_data_server **server) {
    zn_data_server *self = *server;
    if (self == NULL) {
        return;
    }
    zn_actor_stop(&self->actor);
    zn_channel_destroy(&self->channel);
    zn_allow_list_destroy(&self->allowed);
    free(self->scratch);
    free(self);
    *server = NULL;
}
