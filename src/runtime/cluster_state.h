/* SPDX-License-Identifier: MPL-2.0 */
/* Inside runtime only: what is behind the public handles. */
#ifndef ZN_RUNTIME_CLUSTER_STATE_H
#define ZN_RUNTIME_CLUSTER_STATE_H

#include <zonda/cluster.h>

#include "plan/plan.h"
#include "runtime/control_client.h"
#include "runtime/driver.h"
#include "runtime/events.h"
#include "runtime/local.h"
#include "runtime/result_page.h"
#include "store/fetch.h"

/* A value that zonda_cluster_put was given. */
typedef struct zn_shared_value {
    char *name;
    zn_buf value;
} zn_shared_value;

struct zonda_cluster {
    zn_local *local; /* NULL: the cluster is elsewhere */
    bool keyed;
    zn_keys keys; /* if keyed */
    zn_control_client *control;
    zn_events *events; /* NULL: waits are not cut short */
    zn_fetcher *fetcher;
    zn_shared_value *shared; /* sorted by name, so that the same data gives the same plan */
    size_t shared_count;
    size_t shared_capacity;
    zonda_result *results; /* those that are open */
};

struct zonda_result {
    zonda_cluster *cluster; /* NULL: it was closed under us */
    zonda_result *previous;
    zonda_result *next;
    zn_plan *plan;
    zn_driver driver;
    zonda_execute_options options;
    zn_run_profile *profile; /* NULL: nothing is measured */
    zn_result_page page;     /* that zonda_result_next reads from */
};

/* Makes a result whose job is not opened yet, and links it to its cluster. Takes the plan. */
zonda_result *zn_result_new(zonda_cluster *cluster, zn_plan *plan, const char *name,
                            const zonda_execute_options *options);

/* Ends its job and lets go of its cluster, which is about to close. */
void zn_result_detach(zonda_result *result);

#endif
