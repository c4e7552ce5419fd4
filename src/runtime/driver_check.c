/* SPDX-License-Identifier: MPL-2.0 */
/* What the driver believes of a reply. A status of zeros, of another stage or of another number of
 * tasks must never be taken for "finished": every number is compared with what was submitted, and
 * anything else ends the job with an error. These checks stand on their own, whatever the
 * coordinator promises. */
#include "runtime/driver_state.h"

#define LLU(number) ((unsigned long long)(number))

zonda_err zn_driver_check_stored(const zn_driver_core *core, const zn_msg_blob_stored *reply,
                                 zonda_error *error) {
    uint64_t size = core->plan->blobs[core->blob].bytes.len;
    bool progress = !core->blob_asked || reply->received > core->blob_offset;
    if (reply->received > size || !progress) {
        return zn_error_set(error, ZONDA_ERR_PROTOCOL,
                            "PUT_BLOB: the coordinator holds %llu of %llu bytes after %llu",
                            LLU(reply->received), LLU(size), LLU(core->blob_offset));
    }
    return ZONDA_OK;
}

static zonda_err check_stage(const zn_driver_core *core, const char *reply, uint64_t job,
                             uint64_t stage, uint64_t total, zonda_error *error) {
    if (job != core->job.value || stage != core->stage) {
        return zn_error_set(error, ZONDA_ERR_STAGE_MISMATCH,
                            "%s is about stage %llu of job %llu, not stage %u of job %llu", reply,
                            LLU(stage), LLU(job), core->stage, LLU(core->job.value));
    }
    uint64_t submitted = core->plan->stages[core->stage].task_count;
    if (total != submitted || total == 0) {
        return zn_error_set(error, ZONDA_ERR_STAGE_MISMATCH,
                            "%s of stage %u of job %llu says %llu tasks, %llu were submitted",
                            reply, core->stage, LLU(core->job.value), LLU(total), LLU(submitted));
    }
    return ZONDA_OK;
}

zonda_err zn_driver_check_started(const zn_driver_core *core, const zn_msg_stage_started *reply,
                                  zonda_error *error) {
    return check_stage(core, "STAGE_STARTED", reply->job, reply->stage, reply->total, error);
}

zonda_err zn_driver_check_status(const zn_driver_core *core, const zn_msg_status *reply,
                                 zonda_error *error) {
    zonda_err err = check_stage(core, "STATUS", reply->job, reply->stage, reply->total, error);
    if (err != ZONDA_OK) {
        return err;
    }
    bool known = reply->state >= ZN_STAGE_RUNNING && reply->state <= ZN_STAGE_CANCELLED;
    bool complete = reply->state == ZN_STAGE_COMPLETE;
    if (!known || reply->completed > reply->total ||
        (complete && reply->completed != reply->total)) {
        return zn_error_set(error, ZONDA_ERR_STAGE_MISMATCH,
                            "STATUS of stage %u of job %llu: state %llu with %llu of %llu tasks",
                            core->stage, LLU(core->job.value), LLU(reply->state),
                            LLU(reply->completed), LLU(reply->total));
    }
    return ZONDA_OK;
}

/* Tasks of a page follow each other without a gap, and each result says where its records are. */
static zonda_err check_page(const zn_driver_core *core, const zn_msg_results *reply,
                            zonda_error *error) {
    uint64_t next = core->next_result;
    for (size_t i = 0; i < reply->results_count; i++) {
        const zn_result *result = &reply->results[i];
        if (result->first != next || result->count == 0 || result->count > reply->total - next) {
            return zn_error_set(error, ZONDA_ERR_PROTOCOL,
                                "RESULTS of stage %u: tasks %llu+%llu where task %llu was due",
                                core->stage, LLU(result->first), LLU(result->count), LLU(next));
        }
        if (result->reference_count > 0 && (result->endpoint.len == 0 || result->records.len > 0)) {
            return zn_error_set(error, ZONDA_ERR_PROTOCOL,
                                "RESULTS of stage %u: task %llu has no place for its records",
                                core->stage, LLU(result->first));
        }
        next += result->count;
    }
    return ZONDA_OK;
}

zonda_err zn_driver_check_results(const zn_driver_core *core, const zn_msg_results *reply,
                                  zonda_error *error) {
    zonda_err err = check_stage(core, "RESULTS", reply->job, reply->stage, reply->total, error);
    if (err == ZONDA_OK) {
        err = check_page(core, reply, error);
    }
    if (err == ZONDA_OK && reply->results_count == 0 && core->stage_complete &&
        core->page_was_empty) {
        err = zn_error_set(error, ZONDA_ERR_PROTOCOL,
                           "RESULTS of stage %u: the stage is complete, but there is no result of "
                           "task %llu",
                           core->stage, LLU(core->next_result));
    }
    return err;
}
