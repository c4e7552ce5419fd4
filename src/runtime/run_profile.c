/* SPDX-License-Identifier: MPL-2.0 */
/* What was measured of an execution: stages by the driver itself, everything else by slots, fetched
 * from the coordinator before the job is closed, page by page. A profile is no result: that a part
 * of it cannot be had is no failure of the job, but is remembered and said in the trace. */
#include "runtime/run_profile.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

zn_run_profile *zn_run_profile_new(const zn_plan *plan) {
    zn_run_profile *profile = ZN_NEW(zn_run_profile);
    profile->plan = plan;
    profile->begin_ns = zn_clock_wall_ns();
    profile->stages = zn_calloc(plan->stage_count, sizeof *profile->stages);
    for (size_t i = 0; i < plan->stage_count; i++) {
        for (uint64_t k = 0; k < ZN_SECTIONS; k++) {
            profile->stages[i].sections[k].name = zn_section_name(k);
        }
    }
    return profile;
}

void zn_run_profile_destroy(zn_run_profile **profile) {
    zn_run_profile *self = *profile;
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < self->worker_count; i++) {
        free(self->workers[i].host);
    }
    free(self->workers);
    free(self->spans);
    free(self->stages);
    free(self);
    *profile = NULL;
}

void zn_run_profile_note(zn_run_profile *profile, const zn_message *reply) {
    uint64_t now_ns = zn_clock_wall_ns();
    size_t count = profile->plan->stage_count;
    if (reply->number == ZN_MSG_STAGE_STARTED && reply->stage_started.stage < count) {
        profile->stages[reply->stage_started.stage].begin_ns = now_ns;
    } else if (reply->number == ZN_MSG_STATUS && reply->status.stage < count &&
               reply->status.state != ZN_STAGE_RUNNING) {
        zn_profile_stage *stage = &profile->stages[reply->status.stage];
        stage->end_ns = stage->end_ns == 0 ? now_ns : stage->end_ns;
    }
}

/* Returns the number of the stage behind the page. */
static uint64_t add_times(zn_run_profile *profile, const zn_msg_job_profile *page) {
    uint64_t next = 0;
    for (size_t i = 0; i < page->stages_count; i++) {
        const zn_stage_times *from = &page->stages[i];
        for (size_t k = 0; k < from->times_count && from->stage < profile->plan->stage_count; k++) {
            const zn_section_time *time = &from->times[k];
            uint64_t section = time->section < ZN_SECTIONS ? time->section : ZN_SECTION_OTHER;
            profile->stages[from->stage].sections[section].ns += time->ns;
        }
        next = from->stage + 1;
    }
    return next;
}

static void add_spans(zn_run_profile *profile, const zn_msg_job_profile *page) {
    for (size_t i = 0; i < page->spans_count && profile->span_count < ZN_PROFILE_JOB_SPANS_MAX;
         i++) {
        ZN_GROW(profile->spans, profile->span_count, profile->span_capacity);
        profile->spans[profile->span_count++] = page->spans[i];
    }
    profile->dropped = page->dropped;
}

static zonda_err collect_pages(zn_run_profile *profile, zn_control_client *control, uint64_t job,
                               zonda_error *error) {
    uint64_t stage = 0;
    bool more = true;
    while (more) {
        zn_message request = { .number = ZN_MSG_GET_PROFILE };
        request.get_profile =
            (zn_msg_get_profile){ .job = job, .stage = stage, .span = profile->span_count };
        zn_call call = { .request = &request, .expected = ZN_MSG_JOB_PROFILE };
        const zn_message *reply = NULL;
        zonda_err err = zn_control_client_call(control, &call, &reply, error);
        if (err != ZONDA_OK) {
            return err;
        }
        size_t known = profile->span_count;
        uint64_t next = add_times(profile, &reply->job_profile);
        add_spans(profile, &reply->job_profile);
        more = next > stage || profile->span_count > known;
        stage = next > stage ? next : ZN_STAGES_MAX;
    }
    return ZONDA_OK;
}

static zonda_err collect_workers(zn_run_profile *profile, zn_control_client *control,
                                 zonda_error *error) {
    zn_message request = { .number = ZN_MSG_LIST_WORKERS };
    zn_call call = { .request = &request, .expected = ZN_MSG_WORKERS };
    const zn_message *reply = NULL;
    zonda_err err = zn_control_client_call(control, &call, &reply, error);
    if (err != ZONDA_OK || profile->workers != NULL) {
        return err;
    }
    const zn_msg_workers *list = &reply->workers;
    profile->workers = zn_calloc(list->workers_count + 1, sizeof *profile->workers);
    for (size_t i = 0; i < list->workers_count; i++) {
        const zn_worker_info *worker = &list->workers[i];
        profile->workers[profile->worker_count++] = (zn_profile_worker){
            .id = worker->worker,
            .pid = worker->pid,
            .slots = worker->slots,
            .host = zn_strndup((const char *)worker->host.data, worker->host.len),
        };
    }
    return ZONDA_OK;
}

void zn_run_profile_collect(zn_run_profile *profile, zn_control_client *control, uint64_t job) {
    zonda_error error = { 0 };
    profile->end_ns = zn_clock_wall_ns();
    profile->job = job;
    zonda_err err = job == 0 ? ZONDA_OK : collect_pages(profile, control, job, &error);
    if (err == ZONDA_OK) {
        err = collect_workers(profile, control, &error);
    }
    profile->whole = err == ZONDA_OK;
    if (err != ZONDA_OK) {
        zn_log(ZONDA_LOG_WARN, "profile-incomplete", "job=%llu text=\"%s\"",
               (unsigned long long)job, error.text);
    }
}
