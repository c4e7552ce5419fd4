/* SPDX-License-Identifier: MPL-2.0 */
/* What `explain` and `status` know, as JSON for machines: the fields of the messages under their
 * own names, states and reasons as words. */
#include "cli/explain_json.h"

#include "base/assert.h"
#include "cli/cluster_call.h"
#include "record/json.h"
#include "record/value.h"

const char *zn_explain_reason_name(uint64_t code) {
    static const char *const names[] = {
        [ZN_WAIT_NO_WORKER] = "no-worker", [ZN_WAIT_NO_CREDIT] = "no-credit",
        [ZN_WAIT_BUSY] = "busy",           [ZN_WAIT_FAIR_SHARE] = "fair-share",
        [ZN_WAIT_NEW_STAGE] = "new-stage", [ZN_WAIT_HAND_OUT] = "hand-out",
        [ZN_WAIT_HELD] = "held",           [ZN_WAIT_SILENT] = "silent-worker",
        [ZN_WAIT_RETRIES] = "retries",     [ZN_WAIT_DRIVER] = "driver",
        [ZN_WAIT_ENDED] = "ended",         [ZN_WAIT_CLOSING] = "closing",
        [ZN_WAIT_STOPPING] = "stopping",   [ZN_WAIT_DISK_FULL] = "disk-full",
        [ZN_WAIT_BACKOFF] = "backoff",
    };
    const char *name = code < sizeof names / sizeof *names ? names[code] : NULL;
    return name != NULL ? name : "unknown";
}

const char *zn_explain_attempt_state(uint64_t state) {
    static const char *const names[] = { "unknown",   "pending", "held",
                                         "completed", "failed",  "dropped" };
    return state < sizeof names / sizeof *names ? names[state] : names[0];
}

static void put_number(zn_buf *out, const char *name, uint64_t value) {
    zn_put_text(out, name);
    zn_put_uint(out, value);
}

static void put_bytes(zn_buf *out, const char *name, zn_bytes text) {
    zn_put_text(out, name);
    zn_put_string(out, text);
}

static void put_word(zn_buf *out, const char *name, const char *text) {
    zn_put_text(out, name);
    zn_put_text(out, text);
}

/* A failure, or null where there is none. */
static void put_failure(zn_buf *out, const char *name, const zn_failure *failure, size_t count) {
    zn_put_text(out, name);
    if (count == 0) {
        zn_put_nil(out);
        return;
    }
    zn_put_map(out, failure->has_shard != 0 ? 9 : 8);
    put_word(out, "code", zonda_err_name(zn_err_from_number(failure->code)));
    put_bytes(out, "text", failure->text);
    put_bytes(out, "operator", failure->op);
    put_bytes(out, "file", failure->file);
    put_number(out, "line", failure->line);
    if (failure->has_shard != 0) {
        put_number(out, "shard", failure->shard);
    }
    put_number(out, "attempt", failure->attempt);
    put_number(out, "worker", failure->worker);
    put_bytes(out, "traceback", failure->traceback);
}

void zn_explain_put_job(zn_buf *out, const zn_job_info *job) {
    zn_put_map(out, 9);
    put_number(out, "job", job->job);
    put_bytes(out, "name", job->name);
    put_word(out, "state", zn_cluster_job_state(job->state));
    put_number(out, "stages", job->stages);
    put_number(out, "total", job->total);
    put_number(out, "completed", job->completed);
    put_number(out, "running", job->running);
    put_number(out, "retries", job->retries);
    put_number(out, "age_ms", job->age_ms);
}

void zn_explain_put_worker(zn_buf *out, const zn_worker_info *worker) {
    zn_put_map(out, 10);
    put_number(out, "worker", worker->worker);
    put_bytes(out, "host", worker->host);
    put_number(out, "pid", worker->pid);
    put_number(out, "slots", worker->slots);
    put_number(out, "epoch", worker->epoch);
    put_number(out, "running", worker->running);
    put_number(out, "completed", worker->completed);
    put_number(out, "silent_ms", worker->silent_ms);
    put_word(out, "state", zn_cluster_worker_state(worker->state));
    put_bytes(out, "reason", worker->reason);
}

static void put_stage(zn_buf *out, const zn_stage_info *stage) {
    zn_put_map(out, 11);
    put_number(out, "stage", stage->stage);
    put_bytes(out, "name", stage->name);
    put_word(out, "state", zn_cluster_stage_state(stage->state));
    put_number(out, "total", stage->total);
    put_number(out, "completed", stage->completed);
    put_number(out, "running", stage->running);
    put_number(out, "retries", stage->retries);
    put_number(out, "failures", stage->failures);
    put_number(out, "age_ms", stage->age_ms);
    put_number(out, "active_ms", stage->active_ms);
    put_failure(out, "failure", stage->failure, stage->failure_count);
}

static void put_reason(zn_buf *out, const zn_reason *reason) {
    zn_put_map(out, 3);
    put_word(out, "reason", zn_explain_reason_name(reason->code));
    zn_put_text(out, "blocking");
    zn_put_bool(out, reason->blocking != 0);
    put_bytes(out, "text", reason->text);
}

static void put_attempt(zn_buf *out, const zn_attempt_info *attempt) {
    zn_put_map(out, 9);
    put_word(out, "state", zn_explain_attempt_state(attempt->state));
    put_number(out, "first", attempt->first);
    put_number(out, "count", attempt->count);
    put_number(out, "attempt", attempt->attempt);
    put_number(out, "worker", attempt->worker);
    put_bytes(out, "host", attempt->host);
    put_number(out, "pid", attempt->pid);
    put_number(out, "age_ms", attempt->age_ms);
    put_failure(out, "failure", attempt->failure, attempt->failure_count);
}

void zn_explain_put(zn_buf *out, const zn_msg_explanation *explanation) {
    zn_put_map(out, 6);
    zn_put_text(out, "job");
    if (explanation->job_count > 0) {
        zn_explain_put_job(out, explanation->job);
    } else {
        zn_put_nil(out);
    }
    put_number(out, "called_ms", explanation->called_ms);
    put_failure(out, "failure", explanation->ended, explanation->ended_count);
    zn_put_text(out, "stages");
    zn_put_array(out, (uint32_t)explanation->stages_count);
    for (size_t i = 0; i < explanation->stages_count; i++) {
        put_stage(out, &explanation->stages[i]);
    }
    zn_put_text(out, "reasons");
    zn_put_array(out, (uint32_t)explanation->reasons_count);
    for (size_t i = 0; i < explanation->reasons_count; i++) {
        put_reason(out, &explanation->reasons[i]);
    }
    zn_put_text(out, "attempts");
    zn_put_array(out, (uint32_t)explanation->attempts_count);
    for (size_t i = 0; i < explanation->attempts_count; i++) {
        put_attempt(out, &explanation->attempts[i]);
    }
}

void zn_explain_print(zn_buf *value, FILE *out) {
    zn_buf text = { 0 };
    zonda_err code = zn_json_write(zn_buf_bytes(value), &text, NULL);
    ZN_ASSERT(code == ZONDA_OK); /* texts were checked as UTF-8 when they were received */
    fprintf(out, "%.*s\n", (int)text.len, (const char *)text.data);
    zn_buf_free(&text);
    zn_buf_free(value);
}
