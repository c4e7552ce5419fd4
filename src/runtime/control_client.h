/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_RUNTIME_CONTROL_CLIENT_H
#define ZN_RUNTIME_CONTROL_CLIENT_H

#include "base/error.h"
#include "wire/keys.h"
#include "wire/message.h"

/* A session of calls on a coordinator's control endpoint: one call at a time, each awaited. One
 * thread at a time. */
typedef struct zn_control_client zn_control_client;

typedef struct zn_control_client_options {
    uint32_t timeout_ms; /* of a call; 0: ZN_CALL_TIMEOUT_MS */
    uint32_t retry_ms;   /* silence after which the request is sent again; 0: ZN_CALL_RETRY_MS */
    const zn_keys *keys; /* borrowed for the call; NULL: none */
} zn_control_client_options;

/* Starts a session; succeeds at once, also when nobody is there yet. Options may be NULL.
 * Errors: INVALID (endpoint). */
zn_control_client *zn_control_client_new(const char *endpoint,
                                         const zn_control_client_options *options,
                                         zonda_error *error);
void zn_control_client_destroy(zn_control_client **client);

/* Where it calls. Borrowed. */
/* The random id that its calls carry. */
uint64_t zn_control_client_id(const zn_control_client *client);

const char *zn_control_client_endpoint(const zn_control_client *client);

uint32_t zn_control_client_timeout_ms(const zn_control_client *client);

/* How one call differs from others. */
typedef struct zn_call {
    zn_message *request;        /* its client and request numbers are filled in */
    zn_message_number expected; /* the reply wanted; REFUSAL may always come */
    const volatile int *cancel; /* not 0: stop waiting; may be NULL */
    uint32_t timeout_ms;        /* 0: the session's */
} zn_call;

/* Sends the request and waits for its reply, sending it again after every retry_ms of silence.
 * `*reply` is borrowed until the next call. Errors name the call and the endpoint: what the
 * coordinator refused with, UNREACHABLE (nothing has ever answered in this session), TIMEOUT,
 * KEYS (one side will not talk to the other: seen in seconds), CANCELLED (`cancel` was
 * set; the request may or may not have been served), PROTOCOL, VERSION, CORRUPT, LIMIT (the reply
 * cannot be used). */
zonda_err zn_control_client_call(zn_control_client *client, const zn_call *call,
                                 const zn_message **reply, zonda_error *error);

/* Whether the last error of a call came as a REFUSAL, so that the coordinator is known to be
 * there. */
bool zn_control_client_was_refused(const zn_control_client *client);

#endif
