/* SPDX-License-Identifier: MPL-2.0 */
/* Ids are one-field structs, so that the compiler refuses a mix-up. 0 is never a valid id of a
 * job, worker or epoch; stages and tasks count from 0. */
#ifndef ZN_BASE_IDS_H
#define ZN_BASE_IDS_H

#include <stdint.h>

typedef struct zn_job_id {
    uint64_t value;
} zn_job_id;

typedef struct zn_stage_id {
    uint32_t value;
} zn_stage_id;

typedef struct zn_worker_id {
    uint64_t value;
} zn_worker_id;

typedef struct zn_epoch {
    uint64_t value;
} zn_epoch;

/* (job, stage, task, attempt): the name of one try at a task, everywhere. */
typedef struct zn_attempt_id {
    zn_job_id job;
    zn_stage_id stage;
    uint64_t task;
    uint32_t attempt; /* from 1 */
} zn_attempt_id;

#endif
