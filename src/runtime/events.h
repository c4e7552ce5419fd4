/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_RUNTIME_EVENTS_H
#define ZN_RUNTIME_EVENTS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/ids.h"
#include "wire/keys.h"

/* Hints from a coordinator that a stage changed. They only cut waits short; without them everything
 * still works. One thread at a time. */
typedef struct zn_events zn_events;

/* Subscribes, and lets the coordinator know that the driver with this client id is there.
 * Errors: INVALID (endpoint). */
zn_events *zn_events_new(const char *endpoint, uint64_t client, const zn_keys *keys,
                         zonda_error *error);
void zn_events_destroy(zn_events **events);

/* Waits up to `wait_ns` for a hint about `job`; returns early, false, when a signal comes. Long
 * waits are cut to 50 ms, so that the caller can look at its cancel flag. `events` NULL: only
 * waits. */
bool zn_events_wait(zn_events *events, zn_job_id job, uint64_t wait_ns);

#endif
