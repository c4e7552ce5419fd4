/* SPDX-License-Identifier: MPL-2.0 */
/* zonda_execute: a dataset becomes a plan, a plan becomes a job, and the driver brings the job to
 * its end. What can be wrong without a cluster (the dataset, the plan, the name) is found before
 * anything is sent. On failure nothing stays open: the job is closed before the error comes out. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/body.h"
#include "runtime/cluster_state.h"
#include "runtime/trace.h"
#include "wire/text.h"

/* The plan with the cluster's shared data. */
static zn_plan *make_plan(const zonda_cluster *cluster, const zonda_dataset *dataset,
                          const zonda_execute_options *options, zonda_error *error) {
    zn_plan_shared *shared = zn_calloc(cluster->shared_count + 1, sizeof(*shared));
    for (size_t i = 0; i < cluster->shared_count; i++) {
        shared[i].name = cluster->shared[i].name;
        shared[i].value = zn_buf_bytes(&cluster->shared[i].value);
    }
    zn_plan_settings settings = { .shared = shared,
                                  .shared_count = cluster->shared_count,
                                  .lua_memory_bytes = options->lua_memory_bytes,
                                  .lua_instructions = options->lua_instructions,
                                  .profile = options->trace != NULL ? ZN_BODY_PROFILE_SPANS
                                             : options->profile     ? ZN_BODY_PROFILE_TIMES
                                                                    : ZN_BODY_PROFILE_NONE };
    zn_plan *plan = zn_plan_new_with(dataset, &settings, &zn_plan_files_local, error);
    free(shared);
    return plan;
}

/* The stage names, one after the other, cut to what a name may have. */
static char *name_of(const zn_plan *plan) {
    zn_buf all = { 0 };
    for (size_t i = 0; i < plan->stage_count && all.len <= ZN_NAME_BYTES_MAX; i++) {
        zn_buf_append_text(&all, i == 0 ? "" : "→");
        zn_buf_append_text(&all, plan->stages[i].name);
    }
    char name[ZN_NAME_BYTES_MAX + 1];
    zn_error_copy(name, sizeof name, (const char *)all.data, all.len);
    zn_buf_free(&all);
    return zn_strdup(name);
}

static zonda_err check_name(const char *name, zonda_error *error) {
    zn_bytes bytes = zn_bytes_of_text(name);
    if (bytes.len == 0 || bytes.len > ZN_NAME_BYTES_MAX || !zn_text_is_valid(bytes)) {
        return zn_error_set(error, ZONDA_ERR_INVALID,
                            "the name of a job must be UTF-8 of 1 to %u bytes",
                            (unsigned)ZN_NAME_BYTES_MAX);
    }
    return ZONDA_OK;
}

/* What the wire would not carry. */
static zonda_err check_options(const zonda_execute_options *options, zonda_error *error) {
    const uint32_t attempts[] = { options->user_attempts, options->infra_attempts,
                                  options->crash_attempts };
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        if (attempts[i] > ZN_ATTEMPTS_MAX) {
            return zn_error_set(error, ZONDA_ERR_INVALID, "a task may have %d attempts, not %u",
                                ZN_ATTEMPTS_MAX, attempts[i]);
        }
    }
    if (options->hang_ms > ZN_HANG_MS_MAX) {
        return zn_error_set(error, ZONDA_ERR_INVALID,
                            "an attempt may be without progress for %d ms at the most, not %u",
                            ZN_HANG_MS_MAX, options->hang_ms);
    }
    return options->name != NULL ? check_name(options->name, error) : ZONDA_OK;
}

/* Brings the job to where its result is there, or to its end; then what was measured is known. */
static zonda_err run(zonda_result *result, FILE *trace, zonda_error *error) {
    zonda_err err = zn_driver_run(&result->driver, error);
    zn_driver_profile(&result->driver);
    /* What the options point to is the caller's again. */
    result->driver.on_progress = NULL;
    result->driver.cancel = NULL;
    if (trace != NULL) {
        zonda_error problem = { 0 };
        zonda_err written = zn_trace_write(trace, result->options.trace, result->profile, &problem);
        if (err == ZONDA_OK && written != ZONDA_OK) {
            err = written;
            *error = problem;
        }
    }
    return err;
}

zonda_result *zonda_execute(zonda_cluster *cluster, const zonda_dataset *dataset,
                            const zonda_execute_options *options, zonda_error *error) {
    static const zonda_execute_options defaults;
    options = options == NULL ? &defaults : options;
    if (check_options(options, error) != ZONDA_OK) {
        return NULL;
    }
    zonda_error ignored;
    error = error == NULL ? &ignored : error;
    zn_plan *plan = make_plan(cluster, dataset, options, error);
    FILE *trace =
        plan != NULL && options->trace != NULL ? zn_trace_open(options->trace, error) : NULL;
    if (plan == NULL || (options->trace != NULL && trace == NULL)) {
        zn_plan_destroy(&plan);
        return NULL;
    }
    char *name = options->name != NULL ? zn_strdup(options->name) : name_of(plan);
    zonda_result *result = zn_result_new(cluster, plan, name, options);
    free(name);
    if (run(result, trace, error) != ZONDA_OK) {
        zonda_result_destroy(&result);
    }
    return result;
}
