/* SPDX-License-Identifier: MPL-2.0 */
/* Inside runtime only: what is known of where the time of an execution went. */
#ifndef ZN_RUNTIME_RUN_PROFILE_H
#define ZN_RUNTIME_RUN_PROFILE_H

#include <zonda/profile.h>

#include "base/profile.h"
#include "plan/plan.h"
#include "runtime/control_client.h"

/* A worker as the trace names it. */
typedef struct zn_profile_worker {
    uint64_t id;
    uint64_t pid;
    uint64_t slots;
    char *host;
} zn_profile_worker;

/* A stage as the driver sees it, and the time that slots had for it. */
typedef struct zn_profile_stage {
    uint64_t begin_ns; /* since 1970; 0: it was not started */
    uint64_t end_ns;   /* 0: it did not end */
    zonda_section sections[ZN_SECTIONS];
} zn_profile_stage;

typedef struct zn_run_profile {
    const zn_plan *plan; /* borrowed */
    uint64_t job;
    uint64_t begin_ns; /* since 1970 */
    uint64_t end_ns;
    zn_profile_stage *stages; /* as many as the plan has */
    zn_span_info *spans;
    size_t span_count;
    size_t span_capacity;
    uint64_t dropped;
    bool whole; /* everything that the coordinator has was collected */
    zn_profile_worker *workers;
    size_t worker_count;
} zn_run_profile;

/* Begins now. */
zn_run_profile *zn_run_profile_new(const zn_plan *plan);
void zn_run_profile_destroy(zn_run_profile **profile);

/* A message of the driver's was answered: notes when stages begin and end. */
void zn_run_profile_note(zn_run_profile *profile, const zn_message *reply);

/* Asks the coordinator for all that was measured of a job that is not closed yet, and for the names
 * of workers. What cannot be had is left out. */
void zn_run_profile_collect(zn_run_profile *profile, zn_control_client *control, uint64_t job);

#endif
