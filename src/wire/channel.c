/* SPDX-License-Identifier: MPL-2.0 */
/* Sockets that speak messages. Everything above sees messages, peers and errors; ZeroMQ, frames and
 * MessagePack end here. Three rules:
 * - nothing blocks: sends and receives use DONTWAIT, waiting is zn_poll's;
 * - whatever comes in is taken off the socket completely before it is judged, so bad input never
 *   leaves a socket between two parts;
 * - a channel belongs to one thread at a time.
 * The socket is czmq's, because at exit czmq leaves the context alone while a socket is open, where
 * a bare one would make the process hang; the work is done on the libzmq handle behind it. */
#include "channel_def.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "wire/context.h"
#include "wire/endpoint.h"
#include "wire/handover.h"
#include "wire/socket_options.h"

enum {
    KEEP_BYTES = ZN_MIB
};

bool zn_peer_equal(const zn_peer *a, const zn_peer *b) {
    return a->len == b->len && memcmp(a->id, b->id, a->len) == 0;
}

static int socket_type(zn_channel_kind kind) {
    switch (kind) {
    case ZN_CHANNEL_REQ:
        return ZMQ_REQ;
    case ZN_CHANNEL_REP:
        return ZMQ_ROUTER; /* with envelopes of our own */
    case ZN_CHANNEL_DEALER:
        return ZMQ_DEALER;
    case ZN_CHANNEL_ROUTER:
        return ZMQ_ROUTER;
    case ZN_CHANNEL_PUB:
        return ZMQ_XPUB; /* which tells who subscribes */
    case ZN_CHANNEL_SUB:
        return ZMQ_SUB;
    }
    ZN_UNREACHABLE();
}

static zonda_err open_socket(zn_channel *channel, const char *endpoint, zonda_error *error) {
    if (!zn_context_has_room()) {
        return zn_error_set(error, ZONDA_ERR_LIMIT, "%s: no file descriptor is left for a socket",
                            endpoint);
    }
    channel->socket = zsock_new(socket_type(channel->kind));
    ZN_ASSERT(channel->socket != NULL);
    channel->handle = zsock_resolve(channel->socket);
    zn_socket_set_options(channel->handle, channel->kind, endpoint, channel->queue_max);
    if (zn_endpoint_is_loopback(endpoint)) {
        zn_framer_keep_plain(channel->framer);
    }
    return ZONDA_OK;
}

static zn_channel *new_channel(zn_channel_kind kind) {
    zn_context_init();
    zn_channel *channel = ZN_NEW(zn_channel);
    channel->kind = kind;
    channel->queue_max = ZN_SOCKET_HWM;
    channel->framer = zn_framer_new();
    channel->decoder = zn_decoder_new();
    zmq_msg_init(&channel->received);
    return channel;
}

/* libzmq removes whatever is at the path before it binds: a file that is not a socket, or the
 * socket of a process that still listens. Neither is ours to remove. */
static zonda_err check_ipc_path(const char *endpoint, zonda_error *error) {
    if (strncmp(endpoint, "ipc://", 6) != 0 || endpoint[6] == '@') {
        return ZONDA_OK;
    }
    const char *path = endpoint + 6;
    struct stat status;
    if (lstat(path, &status) != 0) {
        return ZONDA_OK;
    }
    if (!S_ISSOCK(status.st_mode)) {
        return zn_error_set(error, ZONDA_ERR_IO, "cannot bind %s: the file exists already",
                            endpoint);
    }
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    ZN_ASSERT(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) {
        return zn_error_set(error, ZONDA_ERR_IO, "cannot bind %s: %s", endpoint, strerror(errno));
    }
    int rc = connect(probe, (const struct sockaddr *)&address, sizeof address);
    bool taken = rc == 0 || errno == EAGAIN;
    close(probe);
    if (taken) {
        return zn_error_set(error, ZONDA_ERR_IO, "cannot bind %s: %s", endpoint,
                            strerror(EADDRINUSE));
    }
    return ZONDA_OK;
}

/* libzmq binds addresses and interfaces, not names; this one name is too usual to refuse. */
static char *without_localhost(const char *endpoint) {
    static const char name[] = "tcp://localhost:";
    if (strncmp(endpoint, name, sizeof name - 1) == 0) {
        return zn_format("tcp://127.0.0.1:%s", endpoint + sizeof name - 1);
    }
    return zn_strdup(endpoint);
}

static char *bound_endpoint(const zn_channel *channel) {
    char text[ZN_ENDPOINT_BYTES_MAX + 1];
    size_t size = sizeof text;
    int rc = zmq_getsockopt(channel->handle, ZMQ_LAST_ENDPOINT, text, &size);
    ZN_ASSERT(rc == 0);
    return zn_strdup(text);
}

zn_channel *zn_channel_bind(zn_channel_kind kind, const char *endpoint, zonda_error *error) {
    return zn_channel_bind_queue(kind, endpoint, ZN_SOCKET_HWM, error);
}

zn_channel *zn_channel_bind_queue(zn_channel_kind kind, const char *endpoint, int queue_max,
                                  zonda_error *error) {
    return zn_channel_bind_keyed(kind, endpoint, queue_max, NULL, NULL, error);
}

static bool is_inproc(const char *endpoint) {
    return strncmp(endpoint, "inproc://", 9) == 0;
}

/* Before it is bound, so that there is no moment in which it is open to everybody. */
static void lock_socket(zn_channel *channel, const char *endpoint, const zn_keys *keys,
                        zn_allow_list *allowed) {
    ZN_ASSERT((keys == NULL) == (allowed == NULL));
    if (keys != NULL && !is_inproc(endpoint)) {
        channel->keyed = true;
        channel->allowed = allowed;
        zn_socket_set_server_keys(channel->handle, keys, zn_allow_list_domain(allowed));
    }
}

static zonda_err bind_socket(zn_channel *channel, const char *address, const char *endpoint,
                             zonda_error *error) {
    if (zmq_bind(channel->handle, address) == 0) {
        return ZONDA_OK;
    }
    return zn_error_set(error, ZONDA_ERR_IO, "cannot bind %s: %s", endpoint,
                        errno == ENODEV ? "no such address or interface on this machine"
                                        : zmq_strerror(errno));
}

zn_channel *zn_channel_bind_keyed(zn_channel_kind kind, const char *endpoint, int queue_max,
                                  const zn_keys *keys, zn_allow_list *allowed, zonda_error *error) {
    if (zn_endpoint_check(endpoint, true, error) != ZONDA_OK ||
        check_ipc_path(endpoint, error) != ZONDA_OK) {
        return NULL;
    }
    zn_channel *channel = new_channel(kind);
    channel->queue_max = queue_max;
    channel->bound = true;
    char *address = without_localhost(endpoint);
    zonda_err code = open_socket(channel, address, error);
    if (code == ZONDA_OK) {
        lock_socket(channel, address, keys, allowed);
        code = bind_socket(channel, address, endpoint, error);
    }
    if (code == ZONDA_OK) {
        channel->endpoint = bound_endpoint(channel);
    } else {
        zn_channel_destroy(&channel);
    }
    free(address);
    return channel;
}

/* What of a connection is watched. */
enum {
    WATCH_BEGIN = 1,
    WATCH_LIFE = 2
};

static zonda_err connect_socket(zn_channel *channel, const zn_keys *keys, const zn_key *server,
                                unsigned watch, zonda_error *error) {
    const char *endpoint = channel->endpoint;
    zonda_err code = open_socket(channel, endpoint, error);
    channel->keyed = keys != NULL && !is_inproc(endpoint);
    if (code == ZONDA_OK && channel->keyed) {
        zn_socket_set_client_keys(channel->handle, keys, server);
    }
    if (code == ZONDA_OK && (watch & WATCH_LIFE) != 0) {
        zn_socket_set_pings(channel->handle);
    }
    if (code == ZONDA_OK && (watch & WATCH_BEGIN) != 0 && !is_inproc(endpoint)) {
        code = zn_handshake_watch(channel, error);
    }
    if (code == ZONDA_OK && zmq_connect(channel->handle, endpoint) != 0) {
        code = zn_error_set(error, ZONDA_ERR_INVALID, "cannot connect to %s: %s", endpoint,
                            zmq_strerror(errno));
    }
    return code;
}

static zn_channel *connect_channel(zn_channel_kind kind, const char *endpoint, const zn_keys *keys,
                                   unsigned watch, zonda_error *error) {
    if (zn_endpoint_check(endpoint, false, error) != ZONDA_OK) {
        return NULL;
    }
    zn_channel *channel = new_channel(kind);
    zn_key named;
    bool has_key = false;
    channel->endpoint = zn_endpoint_without_key(endpoint, &named, &has_key);
    const zn_key *server = has_key || keys == NULL ? &named : &keys->server;
    if (connect_socket(channel, keys, server, watch, error) != ZONDA_OK) {
        zn_channel_destroy(&channel);
    }
    return channel;
}

zn_channel *zn_channel_connect(zn_channel_kind kind, const char *endpoint, zonda_error *error) {
    return connect_channel(kind, endpoint, NULL, 0, error);
}

zn_channel *zn_channel_connect_keyed(zn_channel_kind kind, const char *endpoint,
                                     const zn_keys *keys, zonda_error *error) {
    return connect_channel(kind, endpoint, keys, 0, error);
}

zn_channel *zn_channel_connect_watched(zn_channel_kind kind, const char *endpoint,
                                       const zn_keys *keys, zonda_error *error) {
    return connect_channel(kind, endpoint, keys, WATCH_BEGIN, error);
}

zn_channel *zn_channel_connect_pinged(zn_channel_kind kind, const char *endpoint,
                                      const zn_keys *keys, zonda_error *error) {
    return connect_channel(kind, endpoint, keys, WATCH_BEGIN | WATCH_LIFE, error);
}

/* Frees the port or path. libzmq leaves the file of an ipc socket behind. */
static void unbind(zn_channel *channel) {
    const char *path = channel->endpoint + 6;
    struct stat status;
    if (strncmp(channel->endpoint, "ipc://", 6) == 0 && lstat(path, &status) == 0 &&
        S_ISSOCK(status.st_mode)) {
        unlink(path);
    }
    zn_monitor_unbind(channel);
}

void zn_channel_destroy(zn_channel **channel) {
    if (channel == NULL || *channel == NULL) {
        return;
    }
    zn_channel *self = *channel;
    if (self->bound && self->endpoint != NULL) {
        unbind(self);
    }
    zn_monitor_close(self);
    zsock_destroy(&self->socket);
    zmq_msg_close(&self->received);
    zn_decoder_destroy(&self->decoder);
    zn_framer_destroy(&self->framer);
    zn_buf_free(&self->body);
    zn_buf_free(&self->frame);
    zn_room_destroy(&self->room);
    zn_buf_free(&self->envelope);
    free(self->endpoint);
    free(self);
    *channel = NULL;
}

const char *zn_channel_endpoint(const zn_channel *channel) {
    return channel->endpoint;
}

bool zn_channel_receive_part(zn_channel *channel, zmq_msg_t *part) {
    int rc = 0;
    do {
        rc = zmq_msg_recv(part, channel->handle, ZMQ_DONTWAIT);
    } while (rc < 0 && errno == EINTR);
    ZN_HANDOVER_TAKE(zmq_msg_data(part));
    return rc >= 0;
}

/* Takes the remaining parts of a message off the socket. Parts arrive together, so none is
 * missing. Returns how many there were. */
static size_t drop_parts(zn_channel *channel) {
    size_t count = 0;
    zmq_msg_t part;
    zmq_msg_init(&part);
    bool more = true;
    while (more && zn_channel_receive_part(channel, &part)) {
        count++;
        more = zmq_msg_more(&part) != 0;
    }
    zmq_msg_close(&part);
    return count;
}

static size_t drop_rest(zn_channel *channel) {
    return zmq_msg_more(&channel->received) != 0 ? drop_parts(channel) : 0;
}

/* Takes one whole message off the socket: the routing id to `from`, the body to `received`. `*got`
 * says whether there was any, the result how many parts came beside these. */
static size_t take_message(zn_channel *channel, zn_peer *from, bool *got) {
    if (channel->kind == ZN_CHANNEL_REP) {
        if (!zn_envelope_receive(channel, got)) {
            return *got ? 1 + drop_rest(channel) : 0;
        }
        zn_channel_receive_part(channel, &channel->received);
        return drop_rest(channel);
    }
    *got = zn_channel_receive_part(channel, &channel->received);
    if (!*got) {
        return 0;
    }
    if (channel->kind == ZN_CHANNEL_ROUTER) {
        size_t len = zmq_msg_size(&channel->received);
        ZN_ASSERT(len <= sizeof from->id);
        from->len = (uint8_t)len;
        memcpy(from->id, zmq_msg_data(&channel->received), len);
        if (zmq_msg_more(&channel->received) == 0) {
            return 1;
        }
        zn_channel_receive_part(channel, &channel->received);
    }
    return drop_rest(channel);
}

/* Whether the sender may still be here: libzmq asks that at the beginning of a connection only.
 * What came without a key is nobody's. */
static zonda_err check_sender(zn_channel *channel, zonda_error *error) {
    if (channel->allowed == NULL) {
        return ZONDA_OK;
    }
    const char *user = zmq_msg_gets(&channel->received, "User-Id");
    zn_key key;
    if (user != NULL && strlen(user) == ZN_KEY_HEX && zn_key_from_hex(user, &key) &&
        zn_allow_list_has(channel->allowed, &key)) {
        return ZONDA_OK;
    }
    zn_error_set(error, ZONDA_ERR_KEYS, "the key %s is not allowed any more",
                 user == NULL || user[0] == '\0' ? "(none)" : user);
    if (error != NULL) {
        error->permanent = true;
    }
    return ZONDA_ERR_KEYS;
}

zonda_err zn_channel_recv(zn_channel *channel, zn_peer *from, zn_message *message, bool *got,
                          zonda_error *error) {
    zn_peer peer = { 0 };
    size_t odd_parts = take_message(channel, &peer, got);
    if (!*got) {
        return ZONDA_OK;
    }
    channel->awaiting = false;
    if (from != NULL) {
        *from = peer;
    }
    zonda_err refused = check_sender(channel, error);
    if (refused != ZONDA_OK) {
        return refused;
    }
    if (odd_parts > 0) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL, "a message with a wrong number of parts");
    }
    zn_bytes frame = { zmq_msg_data(&channel->received), zmq_msg_size(&channel->received) };
    zn_bytes body;
    zonda_err code = zn_framer_unpack(channel->framer, frame, &body, error);
    if (code == ZONDA_OK) {
        code = zn_decoder_decode(channel->decoder, body, message, error);
        if (code == ZONDA_OK && (unsigned)message->number >= ZN_NOTES_FIRST) {
            code = zn_error_set(error, ZONDA_ERR_PROTOCOL, "%s is not sent, only kept",
                                zn_message_name(message->number));
        }
    }
    return code;
}

void zn_channel_renew(zn_channel *channel) {
    ZN_ASSERT(!channel->bound);
    zmq_disconnect(channel->handle, channel->endpoint);
    int rc = zmq_connect(channel->handle, channel->endpoint);
    ZN_ASSERT(rc == 0);
    channel->awaiting = false;
}

void zn_channel_reset(zn_channel *channel) {
    ZN_ASSERT(channel->kind == ZN_CHANNEL_REQ);
    /* A new connection and not only a new request: the old one may be dead without knowing it, and
     * requests that were not delivered would wait in its queue. */
    if (channel->awaiting) {
        zn_channel_renew(channel);
    }
}

/* ---- presence ---- */

enum {
    PRESENCE_BYTES = 7 + 8
};

static const char presence_topic[] = "driver:";

/* No event begins like this, so the subscription gets nothing. */
static void put_presence(uint64_t id, uint8_t out[PRESENCE_BYTES]) {
    memcpy(out, presence_topic, sizeof presence_topic - 1);
    zn_put_u64(out + sizeof presence_topic - 1, id);
}

void zn_channel_announce(zn_channel *channel, uint64_t id) {
    ZN_ASSERT(channel->kind == ZN_CHANNEL_SUB);
    uint8_t topic[PRESENCE_BYTES];
    put_presence(id, topic);
    int rc = zmq_setsockopt(channel->handle, ZMQ_SUBSCRIBE, topic, sizeof topic);
    ZN_ASSERT(rc == 0);
}

bool zn_channel_presence(zn_channel *channel, uint64_t *id, bool *present) {
    ZN_ASSERT(channel->kind == ZN_CHANNEL_PUB);
    zn_peer nobody = { 0 };
    bool got = false;
    *id = 0;
    size_t odd_parts = take_message(channel, &nobody, &got);
    const uint8_t *bytes = got ? zmq_msg_data(&channel->received) : NULL;
    if (got && odd_parts == 0 && zmq_msg_size(&channel->received) == 1 + PRESENCE_BYTES &&
        memcmp(bytes + 1, presence_topic, sizeof presence_topic - 1) == 0) {
        *id = zn_get_u64(bytes + sizeof presence_topic);
        *present = bytes[0] == 1;
    }
    return got;
}
