/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_JOB_PROFILE_H
#define ZN_COORDINATOR_JOB_PROFILE_H

#include "wire/message.h"

/* What the slots of a job have measured: times by stage, and spans up to a number. It is no part of
 * the state that survives a restart. */
typedef struct zn_job_profile zn_job_profile;

zn_job_profile *zn_job_profile_new(void);
void zn_job_profile_destroy(zn_job_profile **profile);

/* Adds what a worker sent of a stage that the job has. */
void zn_job_profile_add(zn_job_profile *profile, uint64_t worker, const zn_msg_profile *message);

/* The page that is asked for, borrowed until something is added. `stages` has room for
 * ZN_PROFILE_PAGE_STAGES. NULL: nothing was measured. */
void zn_job_profile_page(const zn_job_profile *profile, const zn_msg_get_profile *get,
                         zn_stage_times *stages, zn_msg_job_profile *out);

#endif
