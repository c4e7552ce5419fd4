/* SPDX-License-Identifier: MPL-2.0 */
/* Results: what an execution left to be read. A result keeps its job open, because workers keep the
 * records of large results until the job is closed; it asks for one page at a time, when the page
 * before it has been read. A result must not outlive its cluster, but if it does nothing bad
 * happens: the cluster closes the jobs of its results when it closes, and they only say CLOSED from
 * then on. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "runtime/cluster_state.h"

static void link_result(zonda_cluster *cluster, zonda_result *result) {
    result->cluster = cluster;
    result->next = cluster->results;
    if (result->next != NULL) {
        result->next->previous = result;
    }
    cluster->results = result;
}

static void unlink_result(zonda_result *result) {
    if (result->previous != NULL) {
        result->previous->next = result->next;
    } else {
        result->cluster->results = result->next;
    }
    if (result->next != NULL) {
        result->next->previous = result->previous;
    }
    result->previous = NULL;
    result->next = NULL;
    result->cluster = NULL;
}

/* Gives a record to the user who streams. */
static zonda_err stream_record(void *context, zn_bytes record, zonda_error *error) {
    zonda_result *result = context;
    if (result->options.cancel != NULL && *result->options.cancel != 0) {
        return zn_error_set(error, ZONDA_ERR_CANCELLED, "the execution was cancelled");
    }
    zonda_err err = result->options.on_record(result->options.context, record.data, record.len);
    if (err != ZONDA_OK) {
        zn_error_set(error, err, "on_record ended the execution: %s", zonda_err_text(err));
    }
    return err;
}

/* Takes a page from the driver: for the user at once, or to be read later. */
static zonda_err take_page(void *context, const zn_msg_results *page, zonda_error *error) {
    zonda_result *result = context;
    if (result->options.on_record != NULL) {
        return zn_page_walk(page, result->cluster->fetcher, &result->page.mark, stream_record,
                            result, error);
    }
    zn_result_page_keep(&result->page, page);
    return ZONDA_OK;
}

zonda_result *zn_result_new(zonda_cluster *cluster, zn_plan *plan, const char *name,
                            const zonda_execute_options *options) {
    zonda_result *result = ZN_NEW(zonda_result);
    result->plan = plan;
    result->options = *options;
    bool measured = options->profile || options->trace != NULL;
    result->profile = measured ? zn_run_profile_new(plan) : NULL;
    link_result(cluster, result);
    zn_driver_options core = {
        .name = name,
        .job = { .resume = options->name != NULL ? 1 : 0,
                 .detach = options->detach ? 1 : 0,
                 .user_attempts = options->user_attempts,
                 .infra_attempts = options->infra_attempts,
                 .crash_attempts = options->crash_attempts,
                 .no_backups = options->no_backups ? 1 : 0,
                 .hang_ms = options->hang_ms },
        .stream = options->on_record != NULL,
        .timeout_ns = zn_control_client_timeout_ms(cluster->control) * ZN_NS_PER_MS,
    };
    result->driver = (zn_driver){
        .core = zn_driver_core_new(plan, &core),
        .plan = plan,
        .control = cluster->control,
        .events = cluster->events,
        .deliver = take_page,
        .deliver_context = result,
        .on_progress = options->on_progress,
        .progress_context = options->context,
        .cancel = options->cancel,
        .profile = result->profile,
    };
    return result;
}

zonda_err zonda_result_next(zonda_result *result, const void **record, size_t *bytes, bool *got,
                            zonda_error *error) {
    if (result->cluster == NULL) {
        return zn_error_set(error, ZONDA_ERR_CLOSED, "the cluster of this result was closed");
    }
    zn_bytes next = { 0 };
    bool found = false;
    for (;;) {
        zonda_error problem = { 0 };
        zonda_err err =
            zn_result_page_next(&result->page, result->cluster->fetcher, &next, &found, &problem);
        if (err == ZONDA_OK && (found || zn_driver_core_drained(result->driver.core))) {
            break;
        }
        if (err == ZONDA_OK) {
            err = zn_driver_want(&result->driver, &problem);
        } else if (problem.has_lost) {
            err = zn_driver_unread(&result->driver, &problem);
        }
        if (err != ZONDA_OK) {
            if (error != NULL) {
                *error = problem;
            }
            return err;
        }
    }
    if (found) {
        *record = next.data;
        *bytes = next.len;
    }
    *got = found;
    return ZONDA_OK;
}

const zonda_counter *zonda_result_counters(const zonda_result *result, size_t *count) {
    const zn_counter_set *counters = zn_driver_core_counters(result->driver.core);
    *count = counters->count;
    return counters->items;
}

uint64_t zonda_result_job(const zonda_result *result) {
    return zn_driver_core_job(result->driver.core).value;
}

size_t zonda_result_stage_count(const zonda_result *result) {
    return result->plan->stage_count;
}

const char *zonda_result_stage_name(const zonda_result *result, size_t stage) {
    return stage < result->plan->stage_count ? result->plan->stages[stage].name : NULL;
}

const zonda_counter *zonda_result_stage_counters(const zonda_result *result, size_t stage,
                                                 size_t *count) {
    if (stage >= result->plan->stage_count) {
        *count = 0;
        return NULL;
    }
    const zn_counter_set *counters = zn_driver_core_stage_counters(result->driver.core, stage);
    *count = counters->count;
    return counters->items;
}

const zonda_section *zonda_result_sections(const zonda_result *result, size_t stage,
                                           size_t *count) {
    bool known = result->profile != NULL && stage < result->plan->stage_count;
    *count = known ? ZN_SECTIONS : 0;
    return known ? result->profile->stages[stage].sections : NULL;
}

uint64_t zonda_result_elapsed_ns(const zonda_result *result) {
    const zn_run_profile *profile = result->profile;
    return profile != NULL ? profile->end_ns - profile->begin_ns : 0;
}

uint64_t zonda_result_slots(const zonda_result *result) {
    uint64_t slots = 0;
    for (size_t i = 0; result->profile != NULL && i < result->profile->worker_count; i++) {
        slots += result->profile->workers[i].slots;
    }
    return slots;
}

double zonda_counter_mean(const zonda_counter *counter) {
    return counter->count == 0 ? 0 : (double)counter->sum / (double)counter->count;
}

void zn_result_detach(zonda_result *result) {
    bool failed = zn_driver_core_failure(result->driver.core)->code != ZONDA_OK;
    zn_driver_close(&result->driver);
    const zonda_error *failure = zn_driver_core_failure(result->driver.core);
    if (!failed && failure->code != ZONDA_OK) {
        zn_log(ZONDA_LOG_WARN, "job-close-failed", "code=%s text=\"%s\"",
               zonda_err_name(failure->code), failure->text);
    }
    zn_result_page_free(&result->page);
    unlink_result(result);
}

void zonda_result_destroy(zonda_result **result) {
    if (result == NULL || *result == NULL) {
        return;
    }
    zonda_result *self = *result;
    if (self->cluster != NULL) {
        zn_result_detach(self);
    }
    zn_driver_core_destroy(&self->driver.core);
    zn_run_profile_destroy(&self->profile);
    zn_plan_destroy(&self->plan);
    zn_result_page_free(&self->page);
    free(self);
    *result = NULL;
}
