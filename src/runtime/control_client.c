/* SPDX-License-Identifier: MPL-2.0 */
/* The calling end of stage control. Every call is awaited: it ends with its own reply, with a
 * refusal, or with an error that says which call, to whom, and how long was waited. A request that
 * is sent again keeps its number, so the coordinator answers it from its record instead of doing it
 * twice. A reply with another number belongs to an earlier call that was given up; it is dropped,
 * and because a REQ socket waits for one reply per request, the request is sent again at once.
 *
 * Waiting is done in short slices, so that a cancel flag that a signal handler sets is seen soon
 * even where the signal goes to another thread. Used by executions, by results that are read later,
 * and by the tools of the command line. */
#include "runtime/control_client.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "wire/channel.h"

enum {
    SLICE_MS = 50,
    STRAY_REPLIES_MAX = 16 /* in one call; more is not an accident of timing */
};

struct zn_control_client {
    zn_channel *channel;
    uint64_t id;
    uint64_t last_request;
    uint32_t timeout_ms;
    uint32_t retry_ms;
    bool answered; /* something has answered in this session */
    bool refused;  /* the last call was answered by a REFUSAL */
    zn_message reply;
};

zn_control_client *zn_control_client_new(const char *endpoint,
                                         const zn_control_client_options *options,
                                         zonda_error *error) {
    const zn_keys *keys = options == NULL ? NULL : options->keys;
    zn_channel *channel = zn_channel_connect_watched(ZN_CHANNEL_REQ, endpoint, keys, error);
    if (channel == NULL) {
        return NULL;
    }
    zn_control_client *client = ZN_NEW(zn_control_client);
    client->channel = channel;
    client->id = zn_random_id();
    client->timeout_ms = options == NULL ? 0 : options->timeout_ms;
    client->timeout_ms = client->timeout_ms == 0 ? ZN_CALL_TIMEOUT_MS : client->timeout_ms;
    client->retry_ms = options == NULL ? 0 : options->retry_ms;
    client->retry_ms = client->retry_ms == 0 ? ZN_CALL_RETRY_MS : client->retry_ms;
    return client;
}

void zn_control_client_destroy(zn_control_client **client) {
    if (client == NULL || *client == NULL) {
        return;
    }
    zn_channel_destroy(&(*client)->channel);
    free(*client);
    *client = NULL;
}

uint64_t zn_control_client_id(const zn_control_client *client) {
    return client->id;
}

const char *zn_control_client_endpoint(const zn_control_client *client) {
    return zn_channel_endpoint(client->channel);
}

uint32_t zn_control_client_timeout_ms(const zn_control_client *client) {
    return client->timeout_ms;
}

bool zn_control_client_was_refused(const zn_control_client *client) {
    return client->refused;
}

/* One call under way. */
typedef struct call_state {
    const zn_call *call;
    uint64_t started_ns;
    uint64_t deadline_ns;
    uint64_t resend_ns; /* when to send (again) */
    unsigned strays;
} call_state;

static const char *call_name(const call_state *state) {
    return zn_message_name(state->call->request->number);
}

static zonda_err give_up(const zn_control_client *client, const call_state *state,
                         zonda_error *error) {
    zonda_err code = client->answered ? ZONDA_ERR_TIMEOUT : ZONDA_ERR_UNREACHABLE;
    return zn_error_set(error, code, "%s to %s: no answer in %.1f s", call_name(state),
                        zn_control_client_endpoint(client),
                        (double)(zn_clock_ns() - state->started_ns) / (double)ZN_NS_PER_S);
}

/* Sends the request if it is time to. A socket that takes nothing is tried again in the next
 * slice. */
static void send_if_due(zn_control_client *client, call_state *state) {
    uint64_t now = zn_clock_ns();
    if (now < state->resend_ns) {
        return;
    }
    zn_channel_reset(client->channel);
    if (zn_channel_send(client->channel, NULL, state->call->request, NULL) == ZONDA_OK) {
        state->resend_ns = now + client->retry_ms * ZN_NS_PER_MS;
    }
}

/* Whether `reply` belongs to this call. An unreadable request is refused with number 0. */
static bool is_ours(const zn_control_client *client, const zn_message *reply) {
    /* All replies begin with the request that they answer (message_table.h). */
    uint64_t request = reply->refusal.request;
    return request == client->last_request || (request == 0 && reply->number == ZN_MSG_REFUSAL);
}

static zonda_err take_refusal(zn_control_client *client, const call_state *state,
                              zonda_error *error) {
    const zn_msg_refusal *refusal = &client->reply.refusal;
    client->refused = true;
    if (refusal->failure_count == 0) {
        return zn_error_set(error, ZONDA_ERR_REFUSED, "%s to %s was refused without a reason",
                            call_name(state), zn_control_client_endpoint(client));
    }
    zonda_error failure;
    zn_failure_to_error(&refusal->failure[0], &failure);
    if (failure.code == ZONDA_OK) {
        failure.code = ZONDA_ERR_PROTOCOL;
    }
    /* A failure of a task says where it was; how it came here is of no interest then. */
    if (failure.op[0] == '\0' && !failure.has_shard) {
        zn_error_prefix(&failure, "%s to %s: ", call_name(state),
                        zn_control_client_endpoint(client));
    }
    if (error != NULL) {
        *error = failure;
    }
    return failure.code;
}

/* Judges what was received. `*done` stays false for a stray reply. */
static zonda_err take_reply(zn_control_client *client, call_state *state, bool *done,
                            zonda_error *error) {
    const zn_message *reply = &client->reply;
    const char *endpoint = zn_control_client_endpoint(client);
    client->answered = true;
    *done = is_ours(client, reply);
    if (!*done) {
        zn_log(ZONDA_LOG_DEBUG, "reply-stray", "call=%s awaited=%llu got=%llu", call_name(state),
               (unsigned long long)client->last_request,
               (unsigned long long)reply->refusal.request);
        state->resend_ns = 0;
        state->strays++;
        return state->strays <= STRAY_REPLIES_MAX
                   ? ZONDA_OK
                   : zn_error_set(error, ZONDA_ERR_PROTOCOL,
                                  "%s to %s: only replies to other calls come back",
                                  call_name(state), endpoint);
    }
    if (reply->number == ZN_MSG_REFUSAL) {
        return take_refusal(client, state, error);
    }
    if (reply->number != state->call->expected) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL, "%s to %s was answered with %s",
                            call_name(state), endpoint, zn_message_name(reply->number));
    }
    return ZONDA_OK;
}

static zonda_err refused(const call_state *state, zonda_error *problem, zonda_error *error) {
    zn_error_prefix(problem, "%s: ", call_name(state));
    if (error != NULL) {
        *error = *problem;
    }
    return problem->code;
}

/* Waits a slice for the reply. */
static zonda_err wait_slice(zn_control_client *client, call_state *state, bool *done,
                            zonda_error *error) {
    uint64_t now = zn_clock_ns();
    uint64_t until = state->resend_ns < state->deadline_ns ? state->resend_ns : state->deadline_ns;
    uint64_t wait_ms = until <= now ? 1 : (until - now) / ZN_NS_PER_MS + 1;
    zn_poll_item item = { .kind = ZN_POLL_CHANNEL, .channel = client->channel };
    zn_poll(&item, 1, wait_ms < SLICE_MS ? (int)wait_ms : SLICE_MS);
    bool got = false;
    zonda_error problem = { 0 };
    if (zn_channel_refused(client->channel, &problem) != ZONDA_OK &&
        (problem.permanent || !client->answered)) {
        return refused(state, &problem, error);
    }
    zonda_err err = zn_channel_recv(client->channel, NULL, &client->reply, &got, &problem);
    if (err != ZONDA_OK) {
        zn_error_prefix(&problem, "%s to %s: bad reply: ", call_name(state),
                        zn_control_client_endpoint(client));
        if (error != NULL) {
            *error = problem;
        }
        return err;
    }
    return got ? take_reply(client, state, done, error) : ZONDA_OK;
}

zonda_err zn_control_client_call(zn_control_client *client, const zn_call *call,
                                 const zn_message **reply, zonda_error *error) {
    uint32_t timeout_ms = call->timeout_ms == 0 ? client->timeout_ms : call->timeout_ms;
    /* All calls begin with the same two fields (message_table.h). */
    call->request->hello.client = client->id;
    call->request->hello.request = ++client->last_request;
    client->refused = false;
    call_state state = { .call = call, .started_ns = zn_clock_ns() };
    state.deadline_ns = state.started_ns + timeout_ms * ZN_NS_PER_MS;
    bool done = false;
    zonda_err err = ZONDA_OK;
    while (!done && err == ZONDA_OK) {
        if (call->cancel != NULL && *call->cancel != 0) {
            err = zn_error_set(error, ZONDA_ERR_CANCELLED, "%s to %s was interrupted",
                               call_name(&state), zn_control_client_endpoint(client));
        } else if (zn_clock_ns() >= state.deadline_ns) {
            err = give_up(client, &state, error);
        } else {
            send_if_due(client, &state);
            err = wait_slice(client, &state, &done, error);
        }
    }
    if (err == ZONDA_OK) {
        *reply = &client->reply;
    }
    return err;
}
