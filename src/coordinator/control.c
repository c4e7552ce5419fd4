/* SPDX-License-Identifier: MPL-2.0 */
/* Control calls: who calls, which call it is, and the calls that change something. Every request
 * has one reply, at once. A call that was made before gets the same reply again (see clients.h), so
 * a lost reply never makes anything happen twice. Calls that only read are in control_queries.c. */
#include "coordinator/control.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "coordinator/control_internal.h"
#include "coordinator/scheduler_drain.h"
#include "coordinator/scheduler_drivers.h"

zn_control *zn_control_new(zn_scheduler *scheduler, const zn_control_endpoints *endpoints) {
    zn_control *control = ZN_NEW(zn_control);
    control->scheduler = scheduler;
    control->clients = zn_clients_new(ZN_CLIENTS_MAX);
    control->work = zn_strdup(endpoints->work);
    control->blobs = zn_strdup(endpoints->blobs);
    control->events = zn_strdup(endpoints->events);
    return control;
}

/* ---- the calls that change something ---- */

static zonda_err open_job(zn_control *control, const zn_message *request, zn_control_reply *reply) {
    zn_digest fingerprint;
    if (!zn_digest_from_bytes(request->open_job.fingerprint, &fingerprint)) {
        return zn_error_set(&reply->error, ZONDA_ERR_PROTOCOL, "OPEN_JOB without a fingerprint");
    }
    const zn_msg_open_job *open = &request->open_job;
    zn_scheduler *scheduler = control->scheduler;
    /* The reply to a call from before a restart is not recorded, but the job is there. */
    zn_live_job *job = zn_scheduler_opened_by(scheduler, open->client, open->request);
    bool known = job != NULL;
    zonda_err err = ZONDA_OK;
    if (!known && open->resume) {
        err = zn_scheduler_find_resumable(scheduler, control->now_ns, open, fingerprint, &job,
                                          &reply->error);
    }
    bool resumed = known ? job->former_count > 0 : job != NULL;
    if (err == ZONDA_OK && job == NULL) {
        err = zn_scheduler_open_job(scheduler, control->now_ns, open, fingerprint, &job,
                                    &reply->error);
    }
    if (err == ZONDA_OK) {
        reply->message.number = ZN_MSG_JOB_OPENED;
        reply->message.job_opened =
            (zn_msg_job_opened){ .request = open->request, .job = job->id, .resumed = resumed };
        if (!known) {
            zn_scheduler_own_job(scheduler, job, open,
                                 zn_clients_get(control->clients, open->client)->who);
        }
    }
    return err;
}

static zonda_err put_blob(zn_control *control, const zn_message *request, zn_control_reply *reply) {
    const zn_msg_put_blob *put = &request->put_blob;
    zn_live_job *job = NULL;
    zn_blob *blob = NULL;
    zn_digest digest;
    if (!zn_digest_from_bytes(put->digest, &digest)) {
        return zn_error_set(&reply->error, ZONDA_ERR_PROTOCOL, "PUT_BLOB without a digest");
    }
    zonda_err err = zn_scheduler_find_job(control->scheduler, put->job, &job, &reply->error);
    if (err == ZONDA_OK) {
        err = zn_live_job_apply(job, ZN_JOB_EVENT_START, &reply->error);
    }
    if (err == ZONDA_OK) {
        err = zn_live_job_blob(job, control->scheduler->blobs, put, digest, &blob, &reply->error);
    }
    if (err == ZONDA_OK && blob != NULL) {
        bool complete = zn_blob_complete(blob);
        err = zn_blob_append(blob, put->offset, put->bytes, &reply->error);
        bool something = put->bytes.len > 0 || put->size == 0 || zn_blob_received(blob) > 0;
        if (err != ZONDA_ERR_INVALID && something) {
            zn_note_blob(control->scheduler, job, put, complete);
        }
    }
    if (err == ZONDA_OK) {
        reply->message.number = ZN_MSG_BLOB_STORED;
        reply->message.blob_stored =
            (zn_msg_blob_stored){ .request = put->request,
                                  .received = blob != NULL ? zn_blob_received(blob) : 0 };
    }
    return err;
}

static zonda_err start_stage(zn_control *control, const zn_message *request,
                             zn_control_reply *reply) {
    zn_live_stage *stage;
    zonda_err err = zn_scheduler_start_stage(control->scheduler, control->now_ns,
                                             &request->start_stage, &stage, &reply->error);
    if (err == ZONDA_OK) {
        reply->message.number = ZN_MSG_STAGE_STARTED;
        reply->message.stage_started =
            (zn_msg_stage_started){ .request = request->start_stage.request,
                                    .job = request->start_stage.job,
                                    .stage = stage->index,
                                    .total = stage->total,
                                    .completed = stage->results.task_count };
    }
    return err;
}

static void set_job_closing(zn_control_reply *reply, uint64_t request, uint64_t job,
                            uint64_t waiting) {
    reply->message.number = ZN_MSG_JOB_CLOSING;
    reply->message.job_closing =
        (zn_msg_job_closing){ .request = request, .job = job, .waiting = waiting };
}

static zonda_err cancel_job(zn_control *control, const zn_message *request,
                            zn_control_reply *reply) {
    const zn_msg_cancel_job *cancel = &request->cancel_job;
    uint64_t waiting;
    zonda_err err = zn_scheduler_cancel_job(control->scheduler, control->now_ns, cancel->job,
                                            cancel->reason, &waiting, &reply->error);
    if (err == ZONDA_OK) {
        set_job_closing(reply, cancel->request, cancel->job, waiting);
    }
    return err;
}

static zonda_err close_job(zn_control *control, const zn_message *request,
                           zn_control_reply *reply) {
    const zn_msg_close_job *close = &request->close_job;
    uint64_t waiting;
    zonda_err err = zn_scheduler_close_job(control->scheduler, control->now_ns, close->job,
                                           &waiting, &reply->error);
    if (err == ZONDA_OK) {
        set_job_closing(reply, close->request, close->job, waiting);
    }
    return err;
}

static zonda_err drain_worker(zn_control *control, const zn_message *request,
                              zn_control_reply *reply) {
    const zn_msg_drain_worker *drain = &request->drain_worker;
    zn_drain_status status;
    zonda_err err = zn_scheduler_drain_worker(control->scheduler, control->now_ns, drain->worker,
                                              drain->reason, &status, &reply->error);
    if (err == ZONDA_OK) {
        reply->message.number = ZN_MSG_WORKER_DRAINING;
        reply->message.worker_draining = (zn_msg_worker_draining){ .request = drain->request,
                                                                   .worker = drain->worker,
                                                                   .running = status.running,
                                                                   .results = status.results,
                                                                   .gone = status.gone };
    }
    return err;
}

/* Keeps who a driver is, for others who ask for its jobs. */
static void note_who(zn_control *control, const zn_msg_hello *hello) {
    if (hello->role == ZN_ROLE_DRIVER && hello->client != 0) {
        zn_client *client = zn_clients_get(control->clients, hello->client);
        snprintf(client->who, sizeof client->who, "process %llu on %.*s",
                 (unsigned long long)hello->pid, (int)hello->host.len,
                 hello->host.len > 0 ? (const char *)hello->host.data : "");
    }
}

static zonda_err hello(zn_control *control, const zn_message *request, zn_control_reply *reply) {
    note_who(control, &request->hello);
    reply->message.number = ZN_MSG_ENDPOINTS;
    reply->message.endpoints = (zn_msg_endpoints){ .request = request->hello.request,
                                                   .cluster = control->scheduler->config.cluster,
                                                   .work = zn_bytes_of_text(control->work),
                                                   .blobs = zn_bytes_of_text(control->blobs),
                                                   .events = zn_bytes_of_text(control->events) };
    return ZONDA_OK;
}

/* ---- every call ---- */

typedef struct call_kind {
    zn_message_number number;
    zn_control_handler *handle;
    bool recorded; /* its reply is kept, because doing it twice would not be the same */
} call_kind;

static const call_kind call_kinds[] = {
    { ZN_MSG_OPEN_JOB, open_job, true },
    { ZN_MSG_PUT_BLOB, put_blob, true },
    { ZN_MSG_START_STAGE, start_stage, true },
    { ZN_MSG_GET_STATUS, zn_control_status, false },
    { ZN_MSG_COLLECT_RESULTS, zn_control_results, false },
    { ZN_MSG_CANCEL_JOB, cancel_job, true },
    { ZN_MSG_CLOSE_JOB, close_job, true },
    { ZN_MSG_DRAIN_WORKER, drain_worker, true },
    { ZN_MSG_LIST_JOBS, zn_control_jobs, false },
    { ZN_MSG_LIST_WORKERS, zn_control_workers, false },
    { ZN_MSG_EXPLAIN, zn_control_explain, false },
    { ZN_MSG_LIST_HISTORY, zn_control_history, false },
    { ZN_MSG_GET_PROFILE, zn_control_profile, false },
};

static const call_kind *find_kind(zn_message_number number) {
    for (size_t i = 0; i < sizeof(call_kinds) / sizeof(call_kinds[0]); i++) {
        if (call_kinds[i].number == number) {
            return &call_kinds[i];
        }
    }
    return NULL;
}

/* Who calls and the number of the call. */
static void ids_of(const zn_message *message, uint64_t *client, uint64_t *request) {
#define ZN_IDS(NAME, name)                                                                         \
    case ZN_MSG_##NAME:                                                                            \
        *client = message->name.client;                                                            \
        *request = message->name.request;                                                          \
        return;
    switch (message->number) {
        ZN_IDS(OPEN_JOB, open_job)
        ZN_IDS(PUT_BLOB, put_blob)
        ZN_IDS(START_STAGE, start_stage)
        ZN_IDS(GET_STATUS, get_status)
        ZN_IDS(COLLECT_RESULTS, collect_results)
        ZN_IDS(CANCEL_JOB, cancel_job)
        ZN_IDS(CLOSE_JOB, close_job)
        ZN_IDS(DRAIN_WORKER, drain_worker)
        ZN_IDS(LIST_JOBS, list_jobs)
        ZN_IDS(LIST_WORKERS, list_workers)
        ZN_IDS(EXPLAIN, explain)
        ZN_IDS(LIST_HISTORY, list_history)
        ZN_IDS(GET_PROFILE, get_profile)
    default:
        *client = 0;
        *request = 0;
    }
#undef ZN_IDS
}

/* The job that a call of a driver is for; 0: none. */
static uint64_t job_of(const zn_message *message) {
    switch (message->number) {
    case ZN_MSG_PUT_BLOB:
        return message->put_blob.job;
    case ZN_MSG_START_STAGE:
        return message->start_stage.job;
    case ZN_MSG_GET_STATUS:
        return message->get_status.job;
    case ZN_MSG_COLLECT_RESULTS:
        return message->collect_results.job;
    case ZN_MSG_GET_PROFILE:
        return message->get_profile.job;
    case ZN_MSG_CANCEL_JOB:
        return message->cancel_job.job;
    case ZN_MSG_CLOSE_JOB:
        return message->close_job.job;
    default:
        return 0;
    }
}

/* Drops the reply before and begins a new one. */
static zn_control_reply *begin_reply(zn_control *control) {
    zn_control_reply *reply = &control->reply;
    free(reply->list);
    free(reply->sublist);
    zn_explanation_free(&control->explanation);
    *reply = (zn_control_reply){ 0 };
    return reply;
}

static const zn_message *make_refusal(zn_control_reply *reply, uint64_t request) {
    zn_failure_from_error(&reply->error, &reply->failure);
    reply->message = (zn_message){ .number = ZN_MSG_REFUSAL };
    reply->message.refusal =
        (zn_msg_refusal){ .request = request, .failure = &reply->failure, .failure_count = 1 };
    return &reply->message;
}

/* Whether the call may be handled; else the refusal or recorded reply is in `*answer`. */
static bool is_new_call(zn_client *client, uint64_t request, zn_control_reply *reply,
                        const zn_message **answer) {
    if (request < client->request) {
        zn_error_set(&reply->error, ZONDA_ERR_STALE, "call %llu comes after call %llu",
                     (unsigned long long)request, (unsigned long long)client->request);
        *answer = make_refusal(reply, request);
        return false;
    }
    if (request == client->request && client->recorded) {
        *answer = &client->reply;
        return false;
    }
    return true;
}

static const zn_message *handle_call(zn_control *control, const call_kind *kind,
                                     const zn_message *message, zn_control_reply *reply) {
    uint64_t id;
    uint64_t request;
    ids_of(message, &id, &request);
    if (id == 0 || request == 0) {
        zn_error_set(&reply->error, ZONDA_ERR_PROTOCOL, "%s without a client and a request number",
                     zn_message_name(message->number));
        return make_refusal(reply, request);
    }
    zn_client *client = zn_clients_get(control->clients, id);
    const zn_message *answer = &reply->message;
    if (!is_new_call(client, request, reply, &answer)) {
        return answer;
    }
    if (zn_scheduler_driver_calls(control->scheduler, control->now_ns, id, job_of(message),
                                  &reply->error) != ZONDA_OK ||
        kind->handle(control, message, reply) != ZONDA_OK) {
        make_refusal(reply, request);
    }
    if (kind->recorded) {
        zn_client_record(client, request, &reply->message, &reply->error);
    } else {
        zn_client_note(client, request);
    }
    return &reply->message;
}

const zn_message *zn_control_call(zn_control *control, uint64_t now_ns, const zn_message *request) {
    zn_control_reply *reply = begin_reply(control);
    control->now_ns = now_ns;
    if (request->number == ZN_MSG_HELLO) {
        hello(control, request, reply);
        return &reply->message;
    }
    const call_kind *kind = find_kind(request->number);
    if (kind == NULL) {
        zn_error_set(&reply->error, ZONDA_ERR_PROTOCOL, "%s is not a control call",
                     zn_message_name(request->number));
        return make_refusal(reply, 0);
    }
    return handle_call(control, kind, request, reply);
}

const zn_message *zn_control_refuse(zn_control *control, const zonda_error *error) {
    zn_control_reply *reply = begin_reply(control);
    reply->error = *error;
    return make_refusal(reply, 0);
}

/* ---- bulk ---- */

static const zn_message *get_blob(zn_control *control, const zn_msg_get_blob *get,
                                  zn_control_reply *reply) {
    zn_msg_blob answer = { .digest = get->digest, .offset = get->offset };
    zn_digest digest;
    zn_blob *blob = NULL;
    if (zn_digest_from_bytes(get->digest, &digest)) {
        blob = zn_blob_store_find(control->scheduler->blobs, digest);
    }
    if (blob != NULL && zn_blob_complete(blob)) {
        zn_bytes all = zn_blob_bytes(blob);
        size_t offset = get->offset < all.len ? get->offset : all.len;
        size_t rest = all.len - offset;
        answer.found = 1;
        answer.size = all.len;
        answer.offset = offset;
        answer.bytes.data = all.data + offset;
        answer.bytes.len = rest < ZN_BLOB_CHUNK_BYTES ? rest : ZN_BLOB_CHUNK_BYTES;
    }
    reply->message = (zn_message){ .number = ZN_MSG_BLOB };
    reply->message.blob = answer;
    return &reply->message;
}

const zn_message *zn_control_bulk(zn_control *control, uint64_t now_ns, const zn_message *request) {
    zn_control_reply *reply = begin_reply(control);
    control->now_ns = now_ns;
    if (request->number == ZN_MSG_GET_BLOB) {
        return get_blob(control, &request->get_blob, reply);
    }
    uint64_t number = 0;
    if (request->number != ZN_MSG_COLLECT_RESULTS) {
        zn_error_set(&reply->error, ZONDA_ERR_PROTOCOL, "%s is not for the blobs socket",
                     zn_message_name(request->number));
        return make_refusal(reply, number);
    }
    number = request->collect_results.request;
    if (zn_control_results(control, request, reply) != ZONDA_OK) {
        return make_refusal(reply, number);
    }
    return &reply->message;
}

void zn_control_destroy(zn_control **control) {
    if (*control == NULL) {
        return;
    }
    begin_reply(*control);
    zn_clients_destroy(&(*control)->clients);
    zn_control_history_free(&(*control)->history);
    free((*control)->work);
    free((*control)->blobs);
    free((*control)->events);
    free(*control);
    *control = NULL;
}
