/* SPDX-License-Identifier: MPL-2.0 */
/* What the slots of a job have measured. Times are sums, so they take the same memory whatever the
 * job does; spans beyond ZN_PROFILE_JOB_SPANS_MAX are counted and dropped. Messages of workers come
 * here as they are: sections of a newer version are kept by their numbers, up to the limit of a
 * message. Used by the scheduler and by GET_PROFILE. */
#include "coordinator/job_profile.h"

#include <stdlib.h>

#include "base/alloc.h"

typedef struct stage_sums {
    uint64_t stage;
    zn_section_time times[ZN_PROFILE_SECTIONS_MAX];
    size_t count;
} stage_sums;

struct zn_job_profile {
    stage_sums *stages; /* ascending by stage */
    size_t stage_count;
    size_t stage_capacity;
    zn_span_info *spans;
    size_t span_count;
    size_t span_capacity;
    uint64_t dropped;
};

zn_job_profile *zn_job_profile_new(void) {
    return ZN_NEW(zn_job_profile);
}

void zn_job_profile_destroy(zn_job_profile **profile) {
    if (*profile == NULL) {
        return;
    }
    free((*profile)->stages);
    free((*profile)->spans);
    free(*profile);
    *profile = NULL;
}

/* The first stage that is not before `stage`. */
static size_t place_of(const zn_job_profile *profile, uint64_t stage) {
    size_t at = profile->stage_count;
    while (at > 0 && profile->stages[at - 1].stage >= stage) { /* mostly the last one */
        at--;
    }
    return at;
}

static stage_sums *sums_of(zn_job_profile *profile, uint64_t stage) {
    size_t at = place_of(profile, stage);
    if (at == profile->stage_count || profile->stages[at].stage != stage) {
        ZN_GROW(profile->stages, profile->stage_count, profile->stage_capacity);
        for (size_t i = profile->stage_count; i > at; i--) {
            profile->stages[i] = profile->stages[i - 1];
        }
        profile->stages[at] = (stage_sums){ .stage = stage };
        profile->stage_count++;
    }
    return &profile->stages[at];
}

static void add_time(stage_sums *sums, const zn_section_time *time) {
    size_t i = 0;
    while (i < sums->count && sums->times[i].section != time->section) {
        i++;
    }
    if (i == ZN_PROFILE_SECTIONS_MAX) {
        return;
    }
    if (i == sums->count) {
        sums->times[sums->count++] = (zn_section_time){ .section = time->section };
    }
    sums->times[i].ns += time->ns;
}

void zn_job_profile_add(zn_job_profile *profile, uint64_t worker, const zn_msg_profile *message) {
    stage_sums *sums = sums_of(profile, message->stage);
    for (size_t i = 0; i < message->times_count; i++) {
        add_time(sums, &message->times[i]);
    }
    profile->dropped += message->dropped;
    for (size_t i = 0; i < message->spans_count; i++) {
        if (profile->span_count == ZN_PROFILE_JOB_SPANS_MAX) {
            profile->dropped += message->spans_count - i;
            return;
        }
        ZN_GROW(profile->spans, profile->span_count, profile->span_capacity);
        zn_span_info *span = &profile->spans[profile->span_count++];
        *span = message->spans[i];
        span->worker = worker;
        span->slot = message->slot;
        span->stage = message->stage;
    }
}

void zn_job_profile_page(const zn_job_profile *profile, const zn_msg_get_profile *get,
                         zn_stage_times *stages, zn_msg_job_profile *out) {
    *out = (zn_msg_job_profile){ .request = get->request, .job = get->job, .stages = stages };
    if (profile == NULL) {
        return;
    }
    out->dropped = profile->dropped;
    for (size_t i = place_of(profile, get->stage);
         i < profile->stage_count && out->stages_count < ZN_PROFILE_PAGE_STAGES; i++) {
        stage_sums *sums = &profile->stages[i];
        stages[out->stages_count++] = (zn_stage_times){ .stage = sums->stage,
                                                        .times = sums->times,
                                                        .times_count = sums->count };
    }
    if (get->span < profile->span_count) {
        size_t left = profile->span_count - (size_t)get->span;
        out->spans = &profile->spans[get->span];
        out->spans_count = left < ZN_PROFILE_PAGE_SPANS ? left : ZN_PROFILE_PAGE_SPANS;
    }
}
