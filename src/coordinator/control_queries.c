/* SPDX-License-Identifier: MPL-2.0 */
/* Control calls that ask: a stage's status, a page of its results, all jobs, all workers. They
 * change nothing but that results which are lost are made again when somebody asks for them.
 * Replies borrow from the scheduler's state, which does not change before they are sent. Every
 * reply fits into a frame, whatever the state is. */
#include "coordinator/control_internal.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "coordinator/lineage.h"

enum {
    RESULT_BYTES = 48,           /* of a result beside its texts, about */
    LIST_BYTES_MAX = 8 * ZN_MIB, /* of one reply with jobs */
    JOB_BYTES = 100,             /* of a job beside its name, about */
};

zonda_err zn_control_find_stage(const zn_control *control, uint64_t job_id, uint64_t index,
                                zn_live_stage **out, zonda_error *error) {
    zn_live_job *job = NULL;
    zonda_err err = zn_scheduler_find_job(control->scheduler, job_id, &job, error);
    if (err != ZONDA_OK) {
        return err;
    }
    zn_live_stage *stage = zn_live_job_stage(job, index);
    if (stage == NULL) {
        return zn_error_set(error, ZONDA_ERR_UNKNOWN_STAGE,
                            "stage %llu of job %llu was not started", (unsigned long long)index,
                            (unsigned long long)job_id);
    }
    *out = stage;
    return ZONDA_OK;
}

static uint64_t count_joined(const zn_scheduler *scheduler) {
    uint64_t count = 0;
    const zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        count += zn_member_is_registered(member) ? 1 : 0;
    }
    return count;
}

/* Why a stage has ended that is not complete. If another one took it along, which ran again because
 * its results were lost, then the driver, who waits for this one, is told of that other one. */
static const zonda_error *why_ended(const zn_live_stage *stage) {
    bool taken_along = stage->state == ZN_STAGE_CANCELLED && stage->job->ended != NULL;
    return taken_along ? stage->job->ended : stage->failure;
}

zonda_err zn_control_status(zn_control *control, const zn_message *request,
                            zn_control_reply *reply) {
    const zn_msg_get_status *get = &request->get_status;
    zn_live_stage *stage;
    zonda_err err = zn_control_find_stage(control, get->job, get->stage, &stage, &reply->error);
    if (err != ZONDA_OK) {
        return err;
    }
    zn_msg_status status = { .request = get->request,
                             .job = get->job,
                             .stage = get->stage,
                             .state = (uint64_t)stage->state,
                             .total = stage->total,
                             .completed = stage->results.task_count,
                             .running = zn_live_stage_running(stage),
                             .retries = stage->retries,
                             .workers = count_joined(control->scheduler),
                             .records_in = stage->records_in,
                             .records_out = stage->records_out,
                             .bytes_in = stage->bytes_in,
                             .bytes_out = stage->bytes_out,
                             .spreads = stage->spreads,
                             .spreads_count = stage->results.task_count > 0 ? ZN_SPREADS : 0,
                             .counters = stage->counters.items,
                             .counters_count = stage->counters.count };
    if (stage->failure != NULL) {
        zn_failure_from_error(why_ended(stage), &reply->stage_failure);
        status.failure = &reply->stage_failure;
        status.failure_count = 1;
    }
    reply->message.number = ZN_MSG_STATUS;
    reply->message.status = status;
    return ZONDA_OK;
}

/* ---- results ---- */

/* A page that is being filled. */
typedef struct result_page {
    zn_result *results;
    zn_reference *references; /* one per result, used or not */
    size_t count;
    size_t capacity;
    size_t bytes;
} result_page;

static void add_result(result_page *page, zn_task_run run, const zn_task_result *result,
                       const zn_member *holder) {
    if (page->count == page->capacity) {
        page->capacity = page->capacity == 0 ? 16 : page->capacity * 2;
        page->results = zn_realloc(page->results, page->capacity, sizeof(page->results[0]));
        page->references =
            zn_realloc(page->references, page->capacity, sizeof(page->references[0]));
    }
    zn_result *out = &page->results[page->count];
    *out = (zn_result){ .first = run.first,
                        .count = run.count,
                        .records_out = result->records_out,
                        .records = { .data = result->bytes, .len = result->len } };
    page->bytes += RESULT_BYTES + result->len;
    if (result->away) {
        const zn_result_home *home = zn_task_result_home(result);
        page->references[page->count] = (zn_reference){
            .segment = { .data = (const uint8_t *)home->segment, .len = home->segment_len },
            .offset = home->offset,
            .length = home->length,
        };
        out->reference_count = 1;
        out->worker = holder->id;
        out->attempt = home->attempt;
        out->endpoint = zn_bytes_of_text(holder->data);
        out->folder = zn_bytes_of_text(holder->folder);
        out->machine = zn_bytes_of_text(holder->machine);
        page->bytes += home->segment_len + out->endpoint.len + out->folder.len + out->machine.len;
    }
    page->count++;
}

/* Adds completed tasks from `first` on until a task is missing, a result is not with any worker
 * just now, or the page is full. */
static void fill_page(const zn_scheduler *scheduler, const zn_live_stage *stage, uint32_t first,
                      result_page *page) {
    zn_task_run run;
    while (page->count < ZN_OUTCOMES_MAX && page->bytes < ZN_BATCH_BYTES &&
           zn_task_set_next(&stage->results, first, &run) && run.first == first) {
        const zn_task_result *result = (const zn_task_result *)(uintptr_t)run.value;
        const zn_member *holder = NULL;
        if (result->away) {
            holder = zn_scheduler_holder(scheduler, zn_task_result_home(result)->holder);
        }
        if (result->away && holder == NULL) {
            return;
        }
        add_result(page, run, result, holder);
        first += run.count;
    }
}

/* What the caller could not read, and what nobody has any more, is made again. */
static void mend_results(zn_control *control, const zn_msg_collect_results *collect,
                         zn_live_stage *stage) {
    zn_scheduler *scheduler = control->scheduler;
    scheduler->now_ns = control->now_ns;
    for (size_t i = 0; i < collect->lost_count; i++) {
        zn_lineage_lose_result(scheduler, stage->job, &collect->lost[i], NULL);
    }
    zn_lineage_ask(scheduler, stage);
}

zonda_err zn_control_results(zn_control *control, const zn_message *request,
                             zn_control_reply *reply) {
    const zn_msg_collect_results *collect = &request->collect_results;
    zn_live_stage *stage;
    zonda_err err =
        zn_control_find_stage(control, collect->job, collect->stage, &stage, &reply->error);
    if (err != ZONDA_OK) {
        return err;
    }
    if (stage->failure != NULL) {
        reply->error = *why_ended(stage);
        return reply->error.code;
    }
    mend_results(control, collect, stage);
    result_page page = { 0 };
    fill_page(control->scheduler, stage, (uint32_t)collect->first, &page);
    reply->list = page.results;
    reply->sublist = page.references;
    for (size_t i = 0; i < page.count; i++) {
        page.results[i].reference =
            page.results[i].reference_count > 0 ? &page.references[i] : NULL;
    }
    reply->message.number = ZN_MSG_RESULTS;
    reply->message.results = (zn_msg_results){ .request = collect->request,
                                               .job = collect->job,
                                               .stage = collect->stage,
                                               .total = stage->total,
                                               .results = page.results,
                                               .results_count = page.count };
    return ZONDA_OK;
}

/* ---- lists ---- */

zn_job_info zn_control_job_info(const zn_live_job *job, uint64_t now_ns) {
    zn_job_info info = { .job = job->id,
                         .name = zn_bytes_of_text(job->name),
                         .state = (uint64_t)job->state,
                         .stages = job->stage_count,
                         .age_ms = (now_ns - job->opened_ns) / ZN_NS_PER_MS };
    for (size_t i = 0; i < job->stage_count; i++) {
        info.total += job->stages[i]->total;
        info.completed += job->stages[i]->results.task_count;
        info.running += zn_live_stage_running(job->stages[i]);
        info.retries += job->stages[i]->retries;
    }
    return info;
}

zonda_err zn_control_jobs(zn_control *control, const zn_message *request, zn_control_reply *reply) {
    const zn_scheduler *scheduler = control->scheduler;
    /* The newest jobs that fit into one reply; there is room for all but absurd names. */
    size_t bytes = 0;
    size_t count = 0;
    zn_live_job *job = NULL;
    zn_live_job *oldest = NULL;
    TAILQ_FOREACH_REVERSE(job, &scheduler->jobs, zn_all_jobs, link) {
        bytes += JOB_BYTES + strlen(job->name);
        if (bytes > LIST_BYTES_MAX) {
            break;
        }
        oldest = job;
        count++;
    }
    zn_job_info *jobs = zn_calloc(count, sizeof(*jobs));
    size_t filled = 0;
    for (job = oldest; job != NULL; job = TAILQ_NEXT(job, link)) {
        jobs[filled++] = zn_control_job_info(job, control->now_ns);
    }
    reply->list = jobs;
    reply->message.number = ZN_MSG_JOBS;
    reply->message.jobs =
        (zn_msg_jobs){ .request = request->list_jobs.request, .jobs = jobs, .jobs_count = filled };
    return ZONDA_OK;
}

static uint64_t worker_state(const zn_member *member) {
    static const zn_worker_state states[ZN_MEMBER_STATES] = {
        [ZN_MEMBER_JOINED] = ZN_WORKER_THERE,
        [ZN_MEMBER_ASKED] = ZN_WORKER_AWAY,
        [ZN_MEMBER_DRAINING] = ZN_WORKER_DRAINING,
        [ZN_MEMBER_LEAVING] = ZN_WORKER_LEAVING,
    };
    return states[member->state];
}

static zn_worker_info worker_info(const zn_member *member, uint64_t now_ns) {
    const char *reason = member->drain_reason;
    return (zn_worker_info){ .worker = member->id,
                             .epoch = member->epoch,
                             .host = zn_bytes_of_text(member->host),
                             .pid = member->pid,
                             .slots = member->slots,
                             .running = member->held,
                             .completed = member->completed,
                             .silent_ms = (now_ns - member->heard_at_ns) / ZN_NS_PER_MS,
                             .state = worker_state(member),
                             .failed = member->failed,
                             .reason = zn_bytes_of_text(reason != NULL ? reason : "") };
}

zonda_err zn_control_workers(zn_control *control, const zn_message *request,
                             zn_control_reply *reply) {
    const zn_scheduler *scheduler = control->scheduler;
    zn_worker_info *workers = zn_calloc(zn_scheduler_worker_count(scheduler), sizeof(*workers));
    size_t count = 0;
    const zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        workers[count++] = worker_info(member, control->now_ns);
    }
    reply->list = workers;
    reply->message.number = ZN_MSG_WORKERS;
    reply->message.workers = (zn_msg_workers){ .request = request->list_workers.request,
                                               .workers = workers,
                                               .workers_count = count };
    return ZONDA_OK;
}
