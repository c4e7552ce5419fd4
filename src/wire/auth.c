/* SPDX-License-Identifier: MPL-2.0 */
/* ZAP (RFC 27): libzmq asks one REP socket of the process, at a fixed inproc name, for every
 * connection to a socket with a domain. One actor answers for all lists of the process; it runs
 * while there is one. czmq's zauth is not used: it knows one folder for all domains, does not name
 * the peer of a message to the socket's owner, which a revoked key needs, and aborts where another
 * handler is there.
 *
 * A key that its list does not have makes the list look at its folder at once, so that a key that
 * was added a moment ago is let in. Without a handler libzmq would let everybody in, so the handler
 * stands before a socket is bound and goes after it; allow_list.h demands that order. Questions
 * come from libzmq alone; a wrong one is a no. */
#include "wire/auth.h"

#include <czmq.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "wire/actor.h"
#include "wire/context.h"

#define ZAP_ENDPOINT "inproc://zeromq.zap.01"

enum {
    FRAMES_MAX = 8,
    FRAME_BYTES_MAX = 256,
    LISTS_MAX = 64,
    LOOK_MS = 500
};

/* Begin and end take `life_lock` for as long as they last, so that only one actor is there; the
 * lists are looked at under `lists_lock` by the actor too. */
static pthread_mutex_t life_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t lists_lock = PTHREAD_MUTEX_INITIALIZER;
static zn_allow_list *lists[LISTS_MAX];
static size_t list_count;
static zn_actor *actor;

/* A question in its parts: version, request, domain, address, identity, mechanism, credentials. */
typedef struct zap_question {
    char frames[FRAMES_MAX][FRAME_BYTES_MAX];
    size_t len[FRAMES_MAX];
    size_t count;
    bool whole; /* nothing was too long or too much */
} zap_question;

enum {
    FRAME_VERSION,
    FRAME_REQUEST,
    FRAME_DOMAIN,
    FRAME_ADDRESS,
    FRAME_MECHANISM = 5,
    FRAME_KEY,
    FRAMES_EXPECTED
};

/* ---- questions ---- */

static bool frame_is(const zap_question *question, size_t index, const char *text) {
    return question->len[index] == strlen(text) &&
           memcmp(question->frames[index], text, strlen(text)) == 0;
}

/* True if the key is in the list of the domain. */
static bool is_allowed(const zap_question *question, const zn_key *key) {
    bool allowed = false;
    pthread_mutex_lock(&lists_lock);
    for (size_t i = 0; i < list_count; i++) {
        if (frame_is(question, FRAME_DOMAIN, zn_allow_list_domain(lists[i]))) {
            allowed = zn_allow_list_has(lists[i], key);
            if (!allowed) {
                zn_allow_list_refresh(lists[i]);
                allowed = zn_allow_list_has(lists[i], key);
            }
        }
    }
    pthread_mutex_unlock(&lists_lock);
    return allowed;
}

/* Strangers may knock as often as they like; the log hears of one in a second. */
static void log_refusal(const zap_question *question, const char *key) {
    static uint64_t logged_ns; /* of the actor's thread alone */
    static uint64_t count;
    uint64_t now = zn_clock_ns();
    count++;
    if (logged_ns == 0 || now - logged_ns >= ZN_NS_PER_S) {
        zn_log(ZONDA_LOG_WARN, "peer-refused", "address=%.*s key=%s total=%llu text=\"%s\"",
               (int)question->len[FRAME_ADDRESS], question->frames[FRAME_ADDRESS], key,
               (unsigned long long)count, "the key is not allowed");
        logged_ns = now;
    }
}

static bool judge(const zap_question *question, char user[ZN_KEY_HEX + 1]) {
    zn_key key;
    bool readable = question->whole && question->count == FRAMES_EXPECTED &&
                    frame_is(question, FRAME_VERSION, "1.0") &&
                    frame_is(question, FRAME_MECHANISM, "CURVE") &&
                    question->len[FRAME_KEY] == sizeof key.bytes;
    if (!readable) {
        return false;
    }
    memcpy(key.bytes, question->frames[FRAME_KEY], sizeof key.bytes);
    zn_key_to_hex(&key, user);
    bool allowed = is_allowed(question, &key);
    if (!allowed) {
        log_refusal(question, user);
    }
    return allowed;
}

static bool receive(void *handle, zap_question *question) {
    *question = (zap_question){ .whole = true };
    zmq_msg_t part;
    zmq_msg_init(&part);
    bool got = zmq_msg_recv(&part, handle, ZMQ_DONTWAIT) >= 0;
    bool more = got;
    while (more) {
        size_t len = zmq_msg_size(&part);
        size_t at = question->count;
        if (at < FRAMES_MAX && len <= FRAME_BYTES_MAX) {
            memcpy(question->frames[at], zmq_msg_data(&part), len);
            question->len[at] = len;
            question->count++;
        } else {
            question->whole = false;
        }
        more = zmq_msg_more(&part) != 0 && zmq_msg_recv(&part, handle, 0) >= 0;
    }
    zmq_msg_close(&part);
    return got;
}

/* The user id goes along with every message of the connection. */
static void answer(void *handle, const zap_question *question) {
    char user[ZN_KEY_HEX + 1] = "";
    bool allowed = judge(question, user);
    const char *status = allowed ? "200" : "400";
    zmq_send(handle, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(handle, question->frames[FRAME_REQUEST], question->len[FRAME_REQUEST], ZMQ_SNDMORE);
    zmq_send(handle, status, 3, ZMQ_SNDMORE);
    zmq_send(handle, "", 0, ZMQ_SNDMORE);
    zmq_send(handle, user, allowed ? ZN_KEY_HEX : 0, ZMQ_SNDMORE);
    zmq_send(handle, "", 0, 0);
}

/* Who is not allowed any more should not have to wait for a stranger to come. */
static void refresh_lists(void) {
    pthread_mutex_lock(&lists_lock);
    for (size_t i = 0; i < list_count; i++) {
        zn_allow_list_refresh(lists[i]);
    }
    pthread_mutex_unlock(&lists_lock);
}

static void serve(void *handle, zn_actor_pipe *pipe) {
    zap_question *asked = ZN_NEW(zap_question);
    uint64_t look_ns = 0;
    while (!zn_actor_stopping(pipe)) {
        if (zn_clock_ns() >= look_ns) {
            refresh_lists();
            look_ns = zn_clock_ns() + LOOK_MS * ZN_NS_PER_MS;
        }
        zmq_pollitem_t items[] = { { .socket = handle, .events = ZMQ_POLLIN },
                                   { .fd = zn_actor_pipe_fd(pipe), .events = ZMQ_POLLIN } };
        (void)zmq_poll(items, 2, LOOK_MS);
        while (receive(handle, asked)) {
            answer(handle, asked);
        }
    }
    free(asked);
}

static void run(zn_actor_pipe *pipe, void *context) {
    (void)context;
    zonda_error error = { 0 };
    zsock_t *socket = zn_context_has_room() ? zsock_new(ZMQ_REP) : NULL;
    if (socket == NULL) {
        zn_error_set(&error, ZONDA_ERR_LIMIT, "no file descriptor is left to check keys");
        zn_actor_failed(pipe, &error);
        return;
    }
    void *handle = zsock_resolve(socket);
    int no_linger = 0;
    zmq_setsockopt(handle, ZMQ_LINGER, &no_linger, sizeof no_linger);
    if (zmq_bind(handle, ZAP_ENDPOINT) != 0) {
        zn_error_set(&error, ZONDA_ERR_KEYS,
                     "keys cannot be checked: another library of this process does that for "
                     "ZeroMQ (%s)",
                     zmq_strerror(errno));
        zn_actor_failed(pipe, &error);
    } else {
        zn_actor_ready(pipe);
        serve(handle, pipe);
        /* Closing frees the name later; the next list may be made now. */
        zmq_unbind(handle, ZAP_ENDPOINT);
    }
    zsock_destroy(&socket);
}

/* ---- lists ---- */

zonda_err zn_auth_add(zn_allow_list *list, zonda_error *error) {
    zonda_err code = ZONDA_OK;
    pthread_mutex_lock(&life_lock);
    if (list_count == LISTS_MAX) {
        code = zn_error_set(error, ZONDA_ERR_LIMIT,
                            "one process checks keys for at most %d clusters", LISTS_MAX);
    } else if (actor == NULL) {
        zonda_error reason = { 0 };
        actor = zn_actor_start(run, NULL, &reason);
        if (actor == NULL) {
            code = zn_error_set(error, reason.code, "%s", reason.text);
        }
    }
    if (code == ZONDA_OK) {
        pthread_mutex_lock(&lists_lock);
        lists[list_count++] = list;
        pthread_mutex_unlock(&lists_lock);
    }
    pthread_mutex_unlock(&life_lock);
    return code;
}

void zn_auth_remove(zn_allow_list *list) {
    pthread_mutex_lock(&life_lock);
    pthread_mutex_lock(&lists_lock);
    bool found = false;
    for (size_t i = 0; i < list_count; i++) {
        if (lists[i] == list) {
            lists[i] = lists[--list_count];
            found = true;
        }
    }
    pthread_mutex_unlock(&lists_lock);
    if (found && list_count == 0) {
        zn_actor_stop(&actor);
    }
    pthread_mutex_unlock(&life_lock);
}
