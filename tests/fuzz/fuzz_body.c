/* SPDX-License-Identifier: MPL-2.0 */
/* Any value as the body of a stage, and the bytes behind it as the blob that it names, whatever the
 * digest. A body that is accepted is consistent; its operators are opened, and where they touch
 * nothing outside of the slot, its first and last task are run. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"
#include "ops/body.h"
#include "ops/stage_exec.h"
#include "wire/shape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    INSTRUCTIONS_MAX = 100000,
    ASKS_MAX = 2000 /* whether to end; then the answer is yes */
};

static zn_bytes blob;
static int asks;
static char folder[] = "/tmp/zonda-fuzz-body-XXXXXX";

static zonda_err give_blob(void *context, zn_digest digest, zn_bytes *out, zonda_error *error) {
    (void)context;
    (void)digest;
    (void)error;
    *out = blob;
    return ZONDA_OK;
}

static zonda_err give_results(void *context, zn_job_id job, zn_stage_id stage, uint64_t first,
                              const zn_msg_results **page, zonda_error *error) {
    (void)context;
    (void)job;
    (void)stage;
    (void)first;
    (void)page;
    return zn_error_set(error, ZONDA_ERR_UNKNOWN_STAGE, "there are no results");
}

static zonda_err refuse_commit(void *context, zn_attempt_id attempt, bool *granted,
                               zonda_error *error) {
    (void)context;
    (void)attempt;
    (void)error;
    *granted = false;
    return ZONDA_OK;
}

static bool answer_cancelled(void *context) {
    (void)context;
    return ++asks > ASKS_MAX;
}

static void check_ranges(const zn_body *body) {
    uint64_t tasks = 0;
    for (size_t i = 0; i < body->source_count; i++) {
        ZN_ASSERT(body->sources[i].first == tasks && body->sources[i].op < body->op_count);
        tasks += body->sources[i].tasks;
    }
    ZN_ASSERT(tasks == body->task_count);
    for (size_t i = 0; i < body->op_count; i++) {
        ZN_ASSERT(body->ops[i].next == ZN_BODY_END || body->ops[i].next < body->op_count);
        ZN_ASSERT(body->ops[i].first + body->ops[i].tasks <= body->task_count);
    }
}

static bool is_one_of(const char *name, const char *const *names) {
    while (*names != NULL && strcmp(name, *names) != 0) {
        names++;
    }
    return *names != NULL;
}

/* Whether running it leaves files, starts processes, or takes long. */
static bool may_run(const zn_body *body) {
    static const char *const outside[] = { "exec", "each", "read", "from_files", NULL };
    for (size_t i = 0; i < body->op_count; i++) {
        const zn_op_def *def = body->ops[i].def;
        if (def->op_class == ZN_OP_SINK || is_one_of(def->name, outside)) {
            return false;
        }
    }
    return body->folder.len == 0 && body->lua.instructions <= INSTRUCTIONS_MAX;
}

static void run(zn_stage_exec *stage, uint64_t task) {
    zn_outcome outcome = { 0 };
    asks = 0;
    if (zn_stage_exec_run(stage, task, 1, &outcome)) {
        ZN_ASSERT(outcome.first == task && outcome.count == 1);
    }
}

static void open_stage(const zn_body *body, zn_bytes bytes) {
    zn_memory memory = { .limit = 4 * ZN_MIB };
    zn_task_host host = { .scratch = folder,
                          .owner = "fuzz",
                          .machine = "fuzz",
                          .memory = &memory,
                          .blob = give_blob,
                          .results = give_results,
                          .commit = refuse_commit,
                          .cancelled = answer_cancelled };
    zonda_error error = { 0 };
    zn_stage_exec *stage = zn_stage_exec_new((zn_job_id){ 1 }, bytes, &host, &error);
    if (stage == NULL) {
        ZN_ASSERT(error.code != ZONDA_OK && error.text[0] != '\0');
        return;
    }
    if (may_run(body)) {
        run(stage, 0);
        run(stage, body->task_count - 1);
    }
    zn_stage_exec_destroy(&stage);
}

static void remove_folder(void) {
    char *command = zn_format("rm -rf %s", folder);
    if (system(command) != 0) {
        abort();
    }
    free(command);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (strchr(folder, 'X') != NULL) {
        ZN_ASSERT(mkdtemp(folder) != NULL);
        atexit(remove_folder);
    }
    zonda_error error = { 0 };
    size_t used = 0;
    zn_bytes bytes = { data, size };
    zn_body body;
    if (zn_shape_check(bytes, ZN_RECORD_DEPTH_MAX, &used, &error) == ZONDA_OK) {
        bytes.len = used;
    }
    blob = (zn_bytes){ data + bytes.len, size - bytes.len };
    if (zn_body_parse(bytes, &body, &error) != ZONDA_OK) {
        ZN_ASSERT(error.code == ZONDA_ERR_PLAN && error.text[0] != '\0');
        return 0;
    }
    check_ranges(&body);
    open_stage(&body, bytes);
    zn_body_free(&body);
    return 0;
}
