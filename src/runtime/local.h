/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_RUNTIME_LOCAL_H
#define ZN_RUNTIME_LOCAL_H

#include <zonda/cluster.h>

/* A coordinator and workers with thread slots inside this process. */
typedef struct zn_local zn_local;

/* Starts them, on endpoints that nobody else in this process has. Options may be NULL. */
zn_local *zn_local_start(const zonda_local_options *options, zonda_error *error);

/* The control endpoint. Borrowed. */
const char *zn_local_endpoint(const zn_local *local);

/* Stops the workers, then the coordinator; returns when their threads have ended. NULL-safe. */
void zn_local_stop(zn_local **local);

#endif
