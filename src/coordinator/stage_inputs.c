/* SPDX-License-Identifier: MPL-2.0 */
/* Which earlier stages a stage reads. The driver says it with START_STAGE, and only after they are
 * complete; that is checked here, so that a stage never begins with a part of its rows. */
#include "coordinator/stage_inputs.h"

#include "base/alloc.h"

static zonda_err check_input(const zn_live_job *job, const zn_msg_start_stage *request,
                             const zn_stage_input *input, zonda_error *error) {
    unsigned long long index = request->stage;
    const zn_live_stage *stage = zn_live_job_stage(job, input->stage);
    if (stage == NULL || stage->state != ZN_STAGE_COMPLETE) {
        return zn_error_set(error, ZONDA_ERR_STAGE_MISMATCH,
                            "stage %llu reads stage %llu, which %s", index,
                            (unsigned long long)input->stage,
                            stage == NULL ? "was not started" : "is not complete");
    }
    if (input->first >= request->task_count) {
        return zn_error_set(error, ZONDA_ERR_STAGE_MISMATCH,
                            "task %llu of stage %llu is to read stage %llu, but there are %llu "
                            "tasks",
                            (unsigned long long)input->first, index,
                            (unsigned long long)input->stage,
                            (unsigned long long)request->task_count);
    }
    return ZONDA_OK;
}

zonda_err zn_stage_inputs_check(const zn_live_job *job, const zn_msg_start_stage *request,
                                zonda_error *error) {
    zonda_err err = ZONDA_OK;
    for (size_t i = 0; err == ZONDA_OK && i < request->inputs_count; i++) {
        err = check_input(job, request, &request->inputs[i], error);
    }
    return err;
}

void zn_stage_inputs_install(zn_live_stage *stage, const zn_msg_start_stage *request) {
    stage->input_count = request->inputs_count;
    stage->inputs = zn_memdup(request->inputs, request->inputs_count * sizeof *request->inputs);
}

zonda_err zn_stage_inputs_same(const zn_live_stage *stage, const zn_msg_start_stage *request,
                               zonda_error *error) {
    bool same = stage->input_count == request->inputs_count;
    for (size_t i = 0; same && i < stage->input_count; i++) {
        const zn_stage_input *a = &stage->inputs[i];
        const zn_stage_input *b = &request->inputs[i];
        same = a->stage == b->stage && a->first == b->first && a->by == b->by;
    }
    return same ? ZONDA_OK
                : zn_error_set(error, ZONDA_ERR_STAGE_MISMATCH,
                               "stage %u was started with other inputs than another START_STAGE "
                               "has",
                               stage->index);
}
