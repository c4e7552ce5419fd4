/* SPDX-License-Identifier: MPL-2.0 */
/* What the handlers of control calls share. Nobody else includes this. */
#ifndef ZN_COORDINATOR_CONTROL_INTERNAL_H
#define ZN_COORDINATOR_CONTROL_INTERNAL_H

#include "coordinator/control.h"
#include "coordinator/explain.h"

/* A reply in the making. `error` is filled by a handler that fails. */
typedef struct zn_control_reply {
    zn_message message;
    zonda_error error;
    zn_failure failure;
    zn_failure stage_failure;
    zn_job_info job_info;
    void *list; /* what the message borrows; freed with the next reply */
    void *sublist;
} zn_control_reply;

typedef struct zn_history_page zn_history_page;

struct zn_control {
    zn_scheduler *scheduler;
    zn_clients *clients;
    char *work;
    char *blobs;
    char *events;
    uint64_t now_ns;
    zn_control_reply reply;
    zn_history_page *history;   /* what a HISTORY borrows; NULL: nobody has asked yet */
    zn_explanation explanation; /* what an EXPLANATION borrows; freed with the next reply */
};

/* Fills `reply->message` and returns OK, or fills `reply->error` and returns its code. */
typedef zonda_err zn_control_handler(zn_control *control, const zn_message *request,
                                     zn_control_reply *reply);

zn_control_handler zn_control_status;
zn_control_handler zn_control_results;
zn_control_handler zn_control_jobs;
zn_control_handler zn_control_workers;
zn_control_handler zn_control_explain;
zn_control_handler zn_control_history;
zn_control_handler zn_control_profile;

void zn_control_history_free(zn_history_page **page);

/* What lists say about a job. */
zn_job_info zn_control_job_info(const zn_live_job *job, uint64_t now_ns);

/* Finds a stage that was started. Errors: UNKNOWN_JOB, UNKNOWN_STAGE. */
zonda_err zn_control_find_stage(const zn_control *control, uint64_t job, uint64_t stage,
                                zn_live_stage **out, zonda_error *error);

#endif
