/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_CONTROL_H
#define ZN_COORDINATOR_CONTROL_H

#include "coordinator/clients.h"
#include "coordinator/scheduler.h"

/* Answers calls: one request, one reply. Without I/O, like the scheduler whose face it is. */
typedef struct zn_control zn_control;

/* What HELLO is answered with. Texts are copied. */
typedef struct zn_control_endpoints {
    const char *work;
    const char *blobs;
    const char *events;
} zn_control_endpoints;

/* The scheduler is borrowed. */
zn_control *zn_control_new(zn_scheduler *scheduler, const zn_control_endpoints *endpoints);

/* Answers a call on the control socket. Any message is safe; what is not a request is refused. The
 * reply is valid until the next call of one of these functions or step of the scheduler. */
const zn_message *zn_control_call(zn_control *control, uint64_t now_ns, const zn_message *request);

/* Answers GET_BLOB and COLLECT_RESULTS on the blobs socket. */
const zn_message *zn_control_bulk(zn_control *control, uint64_t now_ns, const zn_message *request);

/* The reply to something that could not be read. */
const zn_message *zn_control_refuse(zn_control *control, const zonda_error *error);

void zn_control_destroy(zn_control **control);

#endif
