/* SPDX-License-Identifier: MPL-2.0 */
/* What the driver does in a state: the other half of the driver core, which only reads what the
 * first half (driver_core.c) has decided. Asking twice gives the same action twice. */
#include <string.h>

#include "base/assert.h"
#include "runtime/driver_state.h"

uint64_t zn_driver_expected(zn_driver_state state) {
    static const uint64_t expected[ZN_DRIVER_STATES] = {
        [ZN_DRIVER_OPENING] = ZN_MSG_JOB_OPENED,     [ZN_DRIVER_PUTTING] = ZN_MSG_BLOB_STORED,
        [ZN_DRIVER_STARTING] = ZN_MSG_STAGE_STARTED, [ZN_DRIVER_CHECKING] = ZN_MSG_STATUS,
        [ZN_DRIVER_COLLECTING] = ZN_MSG_RESULTS,     [ZN_DRIVER_CANCELLING] = ZN_MSG_JOB_CLOSING,
        [ZN_DRIVER_CLOSING] = ZN_MSG_JOB_CLOSING,
    };
    return expected[state];
}

static void open_job(const zn_driver_core *core, zn_message *request) {
    request->number = ZN_MSG_OPEN_JOB;
    request->open_job = core->job_options;
    request->open_job.name = zn_bytes_of_text(core->name);
    request->open_job.fingerprint = zn_digest_bytes(&core->plan->fingerprint);
}

/* First asks what is there, with no bytes, unless the blob is so small that asking costs as much as
 * sending it; then sends what is missing, a chunk at a time. */
static void put_blob(const zn_driver_core *core, zn_message *request) {
    const zn_plan_blob *blob = &core->plan->blobs[core->blob];
    zn_bytes rest = { .data = blob->bytes.data + core->blob_offset,
                      .len = blob->bytes.len - core->blob_offset };
    rest.len = rest.len < ZN_BLOB_CHUNK_BYTES ? rest.len : ZN_BLOB_CHUNK_BYTES;
    bool asked = core->blob_asked || blob->bytes.len <= ZN_BLOB_UNASKED_BYTES_MAX;
    request->number = ZN_MSG_PUT_BLOB;
    request->put_blob = (zn_msg_put_blob){
        .job = core->job.value,
        .digest = zn_digest_bytes(&blob->digest),
        .size = blob->bytes.len,
        .offset = core->blob_offset,
        .bytes = asked ? rest : (zn_bytes){ 0 },
    };
}

static void start_stage(const zn_driver_core *core, zn_message *request) {
    const zn_plan_stage *stage = &core->plan->stages[core->stage];
    ZN_ASSERT(stage->task_count > 0);
    request->number = ZN_MSG_START_STAGE;
    request->start_stage = (zn_msg_start_stage){
        .job = core->job.value,
        .stage = core->stage,
        .fingerprint = zn_digest_bytes(&core->plan->fingerprint),
        .name = zn_bytes_of_text(stage->name),
        .task_count = stage->task_count,
        .body = zn_digest_bytes(&stage->body),
        .limit = stage->limit,
        .inputs = stage->inputs,
        .inputs_count = stage->input_count,
    };
}

static void get_status(const zn_driver_core *core, zn_message *request) {
    request->number = ZN_MSG_GET_STATUS;
    request->get_status = (zn_msg_get_status){ .job = core->job.value, .stage = core->stage };
}

static void collect_results(const zn_driver_core *core, zn_message *request) {
    request->number = ZN_MSG_COLLECT_RESULTS;
    request->collect_results = (zn_msg_collect_results){
        .job = core->job.value,
        .stage = core->stage,
        .first = core->next_result,
        .lost = core->tell_lost,
        .lost_count = core->tell_lost != NULL ? 1 : 0,
    };
}

static void cancel_job(const zn_driver_core *core, zn_message *request) {
    request->number = ZN_MSG_CANCEL_JOB;
    request->cancel_job = (zn_msg_cancel_job){
        .job = core->job.value,
        .reason = zn_bytes_of_text(zonda_err_text(core->failure.code)),
    };
}

static void close_job(const zn_driver_core *core, zn_message *request) {
    request->number = ZN_MSG_CLOSE_JOB;
    request->close_job = (zn_msg_close_job){ .job = core->job.value };
}

typedef void make_request(const zn_driver_core *core, zn_message *request);

static make_request *const requests[ZN_DRIVER_STATES] = {
    [ZN_DRIVER_OPENING] = open_job,           [ZN_DRIVER_PUTTING] = put_blob,
    [ZN_DRIVER_STARTING] = start_stage,       [ZN_DRIVER_CHECKING] = get_status,
    [ZN_DRIVER_COLLECTING] = collect_results, [ZN_DRIVER_CANCELLING] = cancel_job,
    [ZN_DRIVER_CLOSING] = close_job,
};

static const zn_driver_action_kind kinds[ZN_DRIVER_STATES] = {
    [ZN_DRIVER_OPENING] = ZN_DRIVER_CALL,       [ZN_DRIVER_PUTTING] = ZN_DRIVER_CALL,
    [ZN_DRIVER_STARTING] = ZN_DRIVER_CALL,      [ZN_DRIVER_CHECKING] = ZN_DRIVER_CALL,
    [ZN_DRIVER_WAITING] = ZN_DRIVER_WAIT,       [ZN_DRIVER_COLLECTING] = ZN_DRIVER_CALL,
    [ZN_DRIVER_DELIVERING] = ZN_DRIVER_DELIVER, [ZN_DRIVER_READY] = ZN_DRIVER_REST,
    [ZN_DRIVER_CANCELLING] = ZN_DRIVER_CALL,    [ZN_DRIVER_CLOSING] = ZN_DRIVER_CALL,
    [ZN_DRIVER_DRAINING] = ZN_DRIVER_WAIT,      [ZN_DRIVER_CLOSED] = ZN_DRIVER_END,
};

void zn_driver_core_next(const zn_driver_core *core, zn_driver_action *action) {
    memset(action, 0, sizeof *action);
    action->kind = kinds[core->state];
    if (action->kind == ZN_DRIVER_CALL) {
        requests[core->state](core, &action->request);
        action->expected = (zn_message_number)zn_driver_expected(core->state);
        action->hurried = core->hurried;
    } else if (action->kind == ZN_DRIVER_WAIT) {
        action->until_ns = core->due_ns;
    }
}
