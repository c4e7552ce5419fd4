/* SPDX-License-Identifier: MPL-2.0 */
/* GET_PROFILE: a page of what was measured of a job. */
#include "coordinator/control_internal.h"

#include "base/alloc.h"

zonda_err zn_control_profile(zn_control *control, const zn_message *request,
                             zn_control_reply *reply) {
    const zn_msg_get_profile *get = &request->get_profile;
    zn_live_job *job = NULL;
    zonda_err err = zn_scheduler_find_job(control->scheduler, get->job, &job, &reply->error);
    if (err != ZONDA_OK) {
        return err;
    }
    reply->list = zn_calloc(ZN_PROFILE_PAGE_STAGES, sizeof(zn_stage_times));
    reply->message.number = ZN_MSG_JOB_PROFILE;
    zn_job_profile_page(job->profile, get, reply->list, &reply->message.job_profile);
    return ZONDA_OK;
}
