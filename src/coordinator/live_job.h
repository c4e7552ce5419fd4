/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_LIVE_JOB_H
#define ZN_COORDINATOR_LIVE_JOB_H

#include "coordinator/blob_store.h"
#include "coordinator/job_profile.h"
#include "coordinator/live_stage.h"

typedef enum zn_job_event {
    ZN_JOB_EVENT_START = 0, /* START_STAGE */
    ZN_JOB_EVENT_FAIL,      /* one of its stages failed */
    ZN_JOB_EVENT_CANCEL,    /* CANCEL_JOB */
    ZN_JOB_EVENT_CLOSE,     /* CLOSE_JOB */
    ZN_JOB_EVENTS,
} zn_job_event;

enum {
    ZN_JOB_STATES = 4, /* zn_job_state */
    ZN_FORMER_DRIVERS_MAX = 8
};

/* How its driver wants the job to be run. */
typedef struct zn_job_options {
    zn_retry_limits limits;
    bool backups;     /* slow tasks get a second attempt */
    uint64_t hang_ms; /* without progress an attempt is ended after this time; 0: never */
} zn_job_options;

/* A job as the coordinator has it. Open data; changed by the scheduler. */
typedef struct zn_live_job {
    uint64_t id;
    int state; /* zn_job_state */
    char *name;
    zn_digest fingerprint;
    zn_job_options options;
    uint64_t opened_ns;
    uint64_t client;    /* id of its driver; 0: unknown */
    uint64_t request;   /* number of the call that opened it */
    uint64_t called_ns; /* when its driver last called */
    uint64_t absent_ns; /* when the connection of its driver ended; 0: it has not */
    char *driver;       /* who that is, for people; NULL: unknown */
    bool detached;      /* it stays when its driver goes */
    uint64_t former[ZN_FORMER_DRIVERS_MAX]; /* drivers before this one, the last ones */
    size_t former_count;                    /* of all of them */
    zn_live_stage **stages;                 /* owned, ascending by index */
    size_t stage_count;
    size_t stage_capacity;
    zn_blob **blobs; /* one reference to each */
    size_t blob_count;
    size_t blob_capacity;
    uint32_t waiting;        /* workers that were told DONE and have not answered */
    zn_job_profile *profile; /* NULL: nothing was measured */
    zonda_error *ended;      /* why it failed or was cancelled; owned, NULL before that */

    /* The scheduler's book-keeping. */
    TAILQ_HEAD(, zn_live_stage) runnable;
    TAILQ_ENTRY(zn_live_job) link;
    TAILQ_ENTRY(zn_live_job) runnable_link;
} zn_live_job;

/* `fingerprint` is the one of `open`, which is copied from. */
zn_live_job *zn_live_job_new(uint64_t id, const zn_msg_open_job *open, zn_digest fingerprint,
                             uint64_t now_ns);

/* The state after `event`, or -1 if it is not legal in `state`. */
int zn_live_job_next(int state, zn_job_event event);

/* Changes the state. If that is not legal: the error that ended the job, or CLOSED. */
zonda_err zn_live_job_apply(zn_live_job *job, zn_job_event event, zonda_error *error);

/* The job is that of a driver, who called for it with the call `request`. */
void zn_live_job_own(zn_live_job *job, uint64_t client, uint64_t request);

/* The job failed (FAIL) or was cancelled (CANCEL) for a reason, which is copied. It is open. */
void zn_live_job_end(zn_live_job *job, zn_job_event event, const zonda_error *reason);

/* Why the other stages of a job end when one has failed, or all when it is closed. */
void zn_live_job_say_failed(const zn_live_stage *stage, const zonda_error *error,
                            zonda_error *reason);
void zn_live_job_say_closed(const zn_live_job *job, zonda_error *reason);

/* NULL if it was not started. */
zn_live_stage *zn_live_job_stage(const zn_live_job *job, uint64_t index);

/* Takes a stage whose index is new. */
void zn_live_job_add_stage(zn_live_job *job, zn_live_stage *stage);

/* Makes the job refer to a blob, if it does not yet. */
void zn_live_job_keep_blob(zn_live_job *job, zn_blob *blob);

/* Finds the blob of which `put` is a part or, if there are bytes for it, makes it; the job refers
 * to it then. `*out` is NULL if neither. Errors: INVALID (another size), LIMIT (no room). */
zonda_err zn_live_job_blob(zn_live_job *job, zn_blob_store *blobs, const zn_msg_put_blob *put,
                           zn_digest digest, zn_blob **out, zonda_error *error);

/* Releases its blobs and frees everything. */
void zn_live_job_destroy(zn_live_job **job, zn_blob_store *blobs);

#endif
