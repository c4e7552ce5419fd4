/* SPDX-License-Identifier: MPL-2.0 */
/* One job: its stages, the blobs that they need, and how it ended. A job that ended (failed or
 * cancelled) stays until its driver closes it, so that the driver can learn why; while it closes it
 * waits for the workers. Which workers those are is known in member.h; `waiting` counts them. */
#include "coordinator/live_job.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

static const int next_state[ZN_JOB_STATES][ZN_JOB_EVENTS] = {
    /*                   START        FAIL           CANCEL            CLOSE */
    [ZN_JOB_OPEN] = { ZN_JOB_OPEN, ZN_JOB_FAILED, ZN_JOB_CANCELLED, ZN_JOB_CLOSING },
    [ZN_JOB_FAILED] = { -1, -1, ZN_JOB_FAILED, ZN_JOB_CLOSING },
    [ZN_JOB_CANCELLED] = { -1, -1, ZN_JOB_CANCELLED, ZN_JOB_CLOSING },
    [ZN_JOB_CLOSING] = { -1, -1, ZN_JOB_CLOSING, ZN_JOB_CLOSING },
};

zn_live_job *zn_live_job_new(uint64_t id, const zn_msg_open_job *open, zn_digest fingerprint,
                             uint64_t now_ns) {
    zn_bytes name = open->name;
    zn_live_job *job = ZN_NEW(zn_live_job);
    job->id = id;
    job->state = ZN_JOB_OPEN;
    job->name = zn_format("%.*s", (int)name.len, name.len > 0 ? (const char *)name.data : "");
    job->fingerprint = fingerprint;
    job->options = (zn_job_options){ .limits = zn_retry_limits_of(open),
                                     .backups = open->no_backups == 0,
                                     .hang_ms = open->hang_ms };
    job->opened_ns = now_ns;
    job->called_ns = now_ns;
    TAILQ_INIT(&job->runnable);
    return job;
}

int zn_live_job_next(int state, zn_job_event event) {
    ZN_ASSERT(state >= 0 && state < ZN_JOB_STATES && event < ZN_JOB_EVENTS);
    return next_state[state][event];
}

zonda_err zn_live_job_apply(zn_live_job *job, zn_job_event event, zonda_error *error) {
    int next = zn_live_job_next(job->state, event);
    if (next >= 0) {
        job->state = next;
        return ZONDA_OK;
    }
    if (job->ended != NULL) {
        if (error != NULL) {
            *error = *job->ended;
        }
        return job->ended->code;
    }
    return zn_error_set(error, ZONDA_ERR_CLOSED, "job %llu is being closed",
                        (unsigned long long)job->id);
}

static size_t place_of(const zn_live_job *job, uint64_t index) {
    size_t low = 0;
    size_t high = job->stage_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (job->stages[middle]->index < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

zn_live_stage *zn_live_job_stage(const zn_live_job *job, uint64_t index) {
    size_t at = place_of(job, index);
    return at < job->stage_count && job->stages[at]->index == index ? job->stages[at] : NULL;
}

void zn_live_job_add_stage(zn_live_job *job, zn_live_stage *stage) {
    size_t at = place_of(job, stage->index);
    ZN_ASSERT(at == job->stage_count || job->stages[at]->index != stage->index);
    ZN_GROW(job->stages, job->stage_count, job->stage_capacity);
    memmove(&job->stages[at + 1], &job->stages[at],
            (job->stage_count - at) * sizeof(job->stages[0]));
    job->stages[at] = stage;
    job->stage_count++;
}

void zn_live_job_keep_blob(zn_live_job *job, zn_blob *blob) {
    for (size_t i = job->blob_count; i > 0; i--) { /* the one in transfer is the newest */
        if (job->blobs[i - 1] == blob) {
            return;
        }
    }
    ZN_GROW(job->blobs, job->blob_count, job->blob_capacity);
    job->blobs[job->blob_count++] = blob;
    zn_blob_store_keep(blob);
}

zonda_err zn_live_job_blob(zn_live_job *job, zn_blob_store *blobs, const zn_msg_put_blob *put,
                           zn_digest digest, zn_blob **out, zonda_error *error) {
    zn_blob *blob = zn_blob_store_find(blobs, digest);
    if (blob != NULL) {
        if (zn_blob_size(blob) != put->size) {
            return zn_error_set(
                error, ZONDA_ERR_INVALID, "a blob of %llu bytes is known with a size of %llu",
                (unsigned long long)put->size, (unsigned long long)zn_blob_size(blob));
        }
        zn_live_job_keep_blob(job, blob);
    } else if (put->bytes.len > 0 || put->size == 0) {
        zonda_err err = zn_blob_store_add(blobs, digest, put->size, &blob, error);
        if (err != ZONDA_OK) {
            return err;
        }
        zn_live_job_keep_blob(job, blob);
        zn_blob_store_release(blobs, blob); /* only the job refers to it */
    }
    *out = blob;
    return ZONDA_OK;
}

void zn_live_job_own(zn_live_job *job, uint64_t client, uint64_t request) {
    if (job->client != 0 && job->client != client) {
        job->former[job->former_count++ % ZN_FORMER_DRIVERS_MAX] = job->client;
    }
    job->client = client;
    job->request = request;
}

void zn_live_job_end(zn_live_job *job, zn_job_event event, const zonda_error *reason) {
    zonda_err refused = zn_live_job_apply(job, event, NULL);
    ZN_ASSERT(refused == ZONDA_OK && job->ended == NULL);
    job->ended = zn_memdup(reason, sizeof(*reason));
}

void zn_live_job_say_failed(const zn_live_stage *stage, const zonda_error *error,
                            zonda_error *reason) {
    zn_error_set(reason, ZONDA_ERR_CANCELLED, "stage %u of the job failed: %.900s", stage->index,
                 error->text);
}

void zn_live_job_say_closed(const zn_live_job *job, zonda_error *reason) {
    zn_error_set(reason, ZONDA_ERR_CANCELLED, "job %llu was closed", (unsigned long long)job->id);
}

void zn_live_job_destroy(zn_live_job **job, zn_blob_store *blobs) {
    if (*job == NULL) {
        return;
    }
    for (size_t i = 0; i < (*job)->stage_count; i++) {
        zn_live_stage_destroy(&(*job)->stages[i]);
    }
    for (size_t i = 0; i < (*job)->blob_count; i++) {
        zn_blob_store_release(blobs, (*job)->blobs[i]);
    }
    zn_job_profile_destroy(&(*job)->profile);
    free((*job)->stages);
    free((*job)->blobs);
    free((*job)->ended);
    free((*job)->name);
    free((*job)->driver);
    free(*job);
    *job = NULL;
}
