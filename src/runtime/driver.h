/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_RUNTIME_DRIVER_H
#define ZN_RUNTIME_DRIVER_H

#include <zonda/cluster.h>

#include "runtime/control_client.h"
#include "runtime/driver_core.h"
#include "runtime/events.h"
#include "runtime/run_profile.h"

/* Gets a checked page of results in order; the page is borrowed during the call. A code other than
 * OK ends the execution with it; but if it names a lost result, a page from that one on comes
 * later, when it has been made again. */
typedef zonda_err zn_driver_deliver(void *context, const zn_msg_results *page, zonda_error *error);

/* The shell around the core of one execution. Open struct; all but the last four borrowed. */
typedef struct zn_driver {
    zn_driver_core *core; /* owned by whoever made the struct */
    const zn_plan *plan;
    zn_control_client *control;
    zn_events *events; /* may be NULL */
    zn_driver_deliver *deliver;
    void *deliver_context;
    void (*on_progress)(void *context, const zonda_progress *progress); /* may be NULL */
    void *progress_context;
    const volatile int *cancel; /* may be NULL */
    zn_run_profile *profile;    /* of whoever made the struct; NULL: nothing is measured */
    bool profiled;              /* it was collected */
    bool stopped;               /* the core has been told of the cancellation */
    uint64_t progress_ns;       /* when it was last shown */
    const zn_message *reply;    /* the last one, until the next call */
} zn_driver;

/* Does what the core says until it rests (all stages complete, or the wanted page delivered) or has
 * ended. Returns the core's failure, also in `error`. */
zonda_err zn_driver_run(zn_driver *driver, zonda_error *error);

/* Collects what was measured, unless nothing is or it was done; the job is not closed yet. */
void zn_driver_profile(zn_driver *driver);

/* Lets the core collect and deliver the next page, if there is one. */
zonda_err zn_driver_want(zn_driver *driver, zonda_error *error);

/* A delivered result could not be read, as `error` says: lets the core have it made again and
 * deliver it once more. `error` gets what came of that. */
zonda_err zn_driver_unread(zn_driver *driver, zonda_error *error);

/* Closes the job and waits until no worker holds anything of it. */
void zn_driver_close(zn_driver *driver);

#endif
