/* SPDX-License-Identifier: MPL-2.0 */
/* EXPLAIN: finds what is asked for and puts the explanation into the reply. */
#include "coordinator/control_internal.h"

#include "base/clock.h"

static zonda_err find_place(const zn_control *control, const zn_msg_explain *explain,
                            zn_live_job **job, zn_live_stage **stage, zonda_error *error) {
    zonda_err err = zn_scheduler_find_job(control->scheduler, explain->job, job, error);
    if (err != ZONDA_OK || (explain->has_stage == 0 && explain->has_task == 0)) {
        return err;
    }
    err = zn_control_find_stage(control, explain->job, explain->stage, stage, error);
    if (err == ZONDA_OK && explain->has_task != 0 && explain->task >= (*stage)->total) {
        return zn_error_set(error, ZONDA_ERR_NOT_FOUND,
                            "stage %u of job %llu has %u tasks, numbered from 0; there is no task "
                            "%llu",
                            (*stage)->index, (unsigned long long)explain->job, (*stage)->total,
                            (unsigned long long)explain->task);
    }
    return err;
}

zonda_err zn_control_explain(zn_control *control, const zn_message *request,
                             zn_control_reply *reply) {
    const zn_msg_explain *explain = &request->explain;
    zn_live_job *job = NULL;
    zn_live_stage *stage = NULL;
    zonda_err err = find_place(control, explain, &job, &stage, &reply->error);
    if (err != ZONDA_OK) {
        return err;
    }
    uint32_t task = (uint32_t)explain->task;
    zn_explanation *found = &control->explanation;
    zn_explain(control->scheduler, control->now_ns, job, stage,
               explain->has_task != 0 ? &task : NULL, found);
    reply->job_info = zn_control_job_info(job, control->now_ns);
    reply->message.number = ZN_MSG_EXPLANATION;
    zn_msg_explanation *out = &reply->message.explanation;
    *out = (zn_msg_explanation){ .request = explain->request,
                                 .job = &reply->job_info,
                                 .job_count = 1,
                                 .called_ms = (control->now_ns - job->called_ns) / ZN_NS_PER_MS,
                                 .stages = found->stages,
                                 .stages_count = found->stage_count,
                                 .reasons = found->reasons,
                                 .reasons_count = found->reason_count,
                                 .attempts = found->attempts,
                                 .attempts_count = found->attempt_count };
    if (job->ended != NULL) {
        zn_failure_from_error(job->ended, &reply->stage_failure);
        out->ended = &reply->stage_failure;
        out->ended_count = 1;
    }
    return ZONDA_OK;
}
