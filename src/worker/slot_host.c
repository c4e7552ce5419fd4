/* SPDX-License-Identifier: MPL-2.0 */
/* What a slot offers to the task that it runs: blobs, pages of results, the permission to publish.
 * Each is a request to the worker and a wait for its answer; what else comes meanwhile goes into
 * the inbox. A request is sent again after a silence, and given up only when the attempt is
 * cancelled: how long an answer may take is the coordinator's and the driver's affair. Pages are
 * copied, so that an answer to another call cannot overwrite them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/profile.h"
#include "worker/slot_state.h"

enum {
    WAIT_MS = 20 /* between looks at the cancel flag */
};

static const uint64_t RETRY_NS = ZN_CALL_RETRY_MS * ZN_NS_PER_MS;

typedef bool is_answer(zn_slot_loop *loop, const zn_message *request, const zn_message *message);

static zonda_err refuse_cancelled(zonda_error *error) {
    return zn_error_set(error, ZONDA_ERR_CANCELLED, "the attempt was cancelled");
}

static zonda_err wait_for_answer(zn_slot_loop *loop, const zn_message *request, is_answer *matches,
                                 zn_message *answer, zonda_error *error) {
    uint64_t sent_ns = 0;
    while (!zn_slot_loop_cancelled(loop)) {
        uint64_t now_ns = zn_clock_ns();
        zn_task_moves(&loop->waiting); /* who waits for others does not hang */
        if (sent_ns == 0 || now_ns - sent_ns >= RETRY_NS) {
            zn_slot_loop_send(loop, request);
            sent_ns = now_ns;
        }
        if (!zn_slot_loop_receive(loop, WAIT_MS, answer)) {
            continue;
        }
        if (matches(loop, request, answer)) {
            return ZONDA_OK;
        }
        zn_slot_inbox_put(loop, answer);
    }
    return refuse_cancelled(error);
}

/* Sends `request` until an answer comes; `answer` is valid until the next message is received. */
static zonda_err call(zn_slot_loop *loop, const zn_message *request, is_answer *matches,
                      zn_message *answer, zonda_error *error) {
    int before = zn_profile_enter(ZN_SECTION_WAITING);
    zonda_err code = wait_for_answer(loop, request, matches, answer, error);
    zn_profile_leave(before);
    return code;
}

/* ---- blobs ---- */

static bool same_digest(const zn_blob_assembly *blob, zn_bytes digest) {
    return zn_bytes_equal(zn_digest_bytes(&blob->digest), digest);
}

static void ask_for_parts(zn_slot_loop *loop, zn_blob_assembly *blob) {
    zn_message message = { .number = ZN_MSG_GET_BLOB };
    message.get_blob.digest = zn_digest_bytes(&blob->digest);
    while (zn_blob_assembly_next(blob, &message.get_blob.offset)) {
        zn_slot_loop_send(loop, &message);
    }
}

static zonda_err fetch(zn_slot_loop *loop, zn_blob_assembly *blob, zonda_error *error) {
    uint64_t heard_ns = zn_clock_ns();
    while (blob->state == ZN_BLOB_PARTIAL) {
        if (zn_slot_loop_cancelled(loop)) {
            return refuse_cancelled(error);
        }
        zn_task_moves(&loop->waiting);
        if (zn_clock_ns() - heard_ns >= RETRY_NS) {
            zn_blob_assembly_retry(blob);
            heard_ns = zn_clock_ns();
        }
        ask_for_parts(loop, blob);
        zn_message message;
        if (!zn_slot_loop_receive(loop, WAIT_MS, &message)) {
            continue;
        }
        if (message.number == ZN_MSG_BLOB && same_digest(blob, message.blob.digest)) {
            zn_blob_assembly_put(blob, &message.blob);
            heard_ns = zn_clock_ns();
        } else {
            zn_slot_inbox_put(loop, &message);
        }
    }
    if (blob->state == ZN_BLOB_MISSING) {
        char text[ZN_DIGEST_TEXT];
        return zn_error_set(error, ZONDA_ERR_UNKNOWN_BLOB, "there is no blob %s",
                            zn_digest_text(blob->digest, text));
    }
    return ZONDA_OK;
}

void zn_slot_host_offer(zn_slot_loop *loop, const zn_msg_blob *blob) {
    zn_digest digest;
    bool small = blob->size <= ZN_BLOB_UNASKED_BYTES_MAX;
    if (!small || blob->found == 0 || !zn_digest_from_bytes(blob->digest, &digest)) {
        return;
    }
    zn_blob_assembly *offer = &loop->offers[loop->offer_next];
    loop->offer_next = (loop->offer_next + 1) % ZN_SLOT_OFFERS_MAX;
    zn_blob_assembly_free(offer);
    zn_blob_assembly_init(offer, digest, ZN_BLOB_ALONE, NULL);
    zn_blob_assembly_put(offer, blob);
}

/* Moves what came unasked to `out`, if it is this blob. */
static bool take_offer(zn_slot_loop *loop, zn_digest digest, zn_blob_assembly *out) {
    for (size_t i = 0; i < ZN_SLOT_OFFERS_MAX; i++) {
        zn_blob_assembly *offer = &loop->offers[i];
        if (offer->state == ZN_BLOB_COMPLETE && zn_digest_equal(offer->digest, digest)) {
            *out = *offer;
            *offer = (zn_blob_assembly){ .state = ZN_BLOB_PARTIAL };
            return true;
        }
    }
    return false;
}

/* Fetches the blob, unless it is here. */
static zonda_err get_blob(zn_slot_loop *loop, zn_digest digest, zn_blob_assembly *out,
                          zonda_error *error) {
    if (take_offer(loop, digest, out)) {
        return ZONDA_OK;
    }
    zn_blob_assembly_init(out, digest, ZN_BLOB_FINDS, loop->options.scratch);
    int before = zn_profile_enter(ZN_SECTION_WAITING);
    zonda_err code = fetch(loop, out, error);
    zn_profile_leave(before);
    if (code != ZONDA_OK) {
        zn_blob_assembly_free(out);
    }
    return code;
}

zonda_err zn_slot_host_blob(zn_slot_loop *loop, uint64_t job, zn_digest digest, zn_bytes *out,
                            zonda_error *error) {
    zn_slot_blob *blob = loop->blobs;
    while (blob != NULL && (blob->job != job || !zn_digest_equal(blob->assembly.digest, digest))) {
        blob = blob->next;
    }
    if (blob == NULL) {
        zn_blob_assembly assembly;
        zonda_err code = get_blob(loop, digest, &assembly, error);
        if (code != ZONDA_OK) {
            return code;
        }
        blob = ZN_NEW(zn_slot_blob);
        *blob = (zn_slot_blob){ .job = job, .assembly = assembly, .next = loop->blobs };
        loop->blobs = blob;
    }
    *out = (zn_bytes){ .data = blob->assembly.data, .len = (size_t)blob->assembly.size };
    return ZONDA_OK;
}

void zn_slot_host_forget(zn_slot_loop *loop, uint64_t job) {
    zn_slot_blob **at = &loop->blobs;
    while (*at != NULL) {
        zn_slot_blob *blob = *at;
        if (blob->job != job) {
            at = &blob->next;
            continue;
        }
        *at = blob->next;
        zn_blob_assembly_free(&blob->assembly);
        free(blob);
    }
}

void zn_slot_host_free(zn_slot_loop *loop) {
    while (loop->blobs != NULL) {
        zn_slot_host_forget(loop, loop->blobs->job);
    }
    for (size_t i = 0; i < ZN_SLOT_OFFERS_MAX; i++) {
        zn_blob_assembly_free(&loop->offers[i]);
    }
    zn_arena_free(&loop->page_arena);
}

static zonda_err host_blob(void *context, zn_digest digest, zn_bytes *out, zonda_error *error) {
    zn_slot_stage *stage = context;
    return zn_slot_host_blob(stage->loop, stage->job, digest, out, error);
}

/* ---- results ---- */

static bool is_page(zn_slot_loop *loop, const zn_message *request, const zn_message *message) {
    (void)loop;
    return (message->number == ZN_MSG_RESULTS &&
            message->results.request == request->collect_results.request) ||
           (message->number == ZN_MSG_REFUSAL &&
            message->refusal.request == request->collect_results.request);
}

static void copy_page(zn_slot_loop *loop, const zn_msg_results *page) {
    zn_arena *arena = &loop->page_arena;
    zn_arena_reset(arena);
    loop->page = *page;
    size_t count = page->results_count;
    loop->page.results = zn_arena_take(arena, count * sizeof *page->results);
    for (size_t i = 0; i < count; i++) {
        zn_result *result = &loop->page.results[i];
        *result = page->results[i];
        result->records = zn_arena_copy(arena, result->records);
        result->endpoint = zn_arena_copy(arena, result->endpoint);
        result->folder = zn_arena_copy(arena, result->folder);
        result->machine = zn_arena_copy(arena, result->machine);
        if (result->reference_count > 0) {
            result->reference = zn_arena_take(arena, sizeof *result->reference);
            *result->reference = page->results[i].reference[0];
            result->reference->segment = zn_arena_copy(arena, result->reference->segment);
            result->reference_count = 1;
        }
    }
}

static zonda_err refused(const zn_msg_refusal *refusal, zonda_error *error) {
    zonda_error failure = { .code = ZONDA_ERR_INTERNAL };
    if (refusal->failure_count > 0) {
        zn_failure_to_error(&refusal->failure[0], &failure);
    }
    if (error != NULL) {
        *error = failure;
    }
    return failure.code;
}

static zonda_err host_results(void *context, zn_job_id job, zn_stage_id stage_id, uint64_t first,
                              const zn_msg_results **page, zonda_error *error) {
    zn_slot_stage *stage = context;
    zn_slot_loop *loop = stage->loop;
    zn_message request = { .number = ZN_MSG_COLLECT_RESULTS };
    request.collect_results = (zn_msg_collect_results){
        .request = ++loop->request, .job = job.value, .stage = stage_id.value, .first = first
    };
    zn_message answer;
    zonda_err code = call(loop, &request, is_page, &answer, error);
    if (code != ZONDA_OK) {
        return code;
    }
    if (answer.number == ZN_MSG_REFUSAL) {
        return refused(&answer.refusal, error);
    }
    copy_page(loop, &answer.results);
    *page = &loop->page;
    return ZONDA_OK;
}

/* ---- commit ---- */

static bool is_verdict(zn_slot_loop *loop, const zn_message *request, const zn_message *message) {
    (void)loop;
    const zn_msg_commit *commit = &request->commit;
    const zn_msg_committed *verdict = &message->committed;
    return message->number == ZN_MSG_COMMITTED && verdict->job == commit->job &&
           verdict->stage == commit->stage && verdict->task == commit->task &&
           verdict->attempt == commit->attempt;
}

static zonda_err host_commit(void *context, zn_attempt_id attempt, bool *granted,
                             zonda_error *error) {
    zn_slot_stage *stage = context;
    zn_slot_loop *loop = stage->loop;
    zn_message request = { .number = ZN_MSG_COMMIT };
    request.commit = (zn_msg_commit){ .epoch = loop->epoch,
                                      .job = attempt.job.value,
                                      .stage = attempt.stage.value,
                                      .task = attempt.task,
                                      .attempt = attempt.attempt };
    zn_message answer;
    zonda_err code = call(loop, &request, is_verdict, &answer, error);
    if (code == ZONDA_OK) {
        *granted = answer.committed.granted != 0;
    }
    return code;
}

static bool host_cancelled(void *context) {
    zn_slot_stage *stage = context;
    return zn_slot_loop_cancelled(stage->loop);
}

static void host_entered(void *context, const char *op, const char *function) {
    zn_slot_stage *stage = context;
    zn_slot_board_enter_function(stage->loop->options.board, op, function);
}

/* A slot that is a process works where the driver was when it made the plan, so that relative paths
 * mean the same. A thread shares the folder of its process, which is the driver's. */
static zonda_err host_enter(void *context, const char *folder, zonda_error *error) {
    zn_slot_stage *stage = context;
    zn_slot_loop *loop = stage->loop;
    if (!loop->options.own_process || (loop->folder != NULL && strcmp(loop->folder, folder) == 0)) {
        return ZONDA_OK;
    }
    if (chdir(folder) != 0) {
        return zn_error_set(error, ZONDA_ERR_IO,
                            "the job was started in %s, which its relative paths and commands need "
                            "and this worker cannot enter: %s",
                            folder, strerror(errno));
    }
    free(loop->folder);
    loop->folder = zn_strdup(folder);
    return ZONDA_OK;
}

void zn_slot_host_init(zn_slot_stage *stage) {
    stage->host =
        (zn_task_host){ .context = stage,
                        .scratch = stage->loop->options.scratch,
                        .owner = stage->owner,
                        .memory = &stage->loop->memory,
                        .machine = stage->loop->machine,
                        .keys = stage->loop->options.keys != NULL ? &stage->loop->keys : NULL,
                        .blob = host_blob,
                        .results = host_results,
                        .commit = host_commit,
                        .cancelled = host_cancelled,
                        .entered = host_entered,
                        .moves = &stage->loop->options.board->moves,
                        .enter = host_enter };
}
