/* SPDX-License-Identifier: MPL-2.0 */
/* What a slot measures of the stages that ask for it, and its way to the worker. One profile serves
 * all stages, one after the other. A PROFILE goes before the RESULT of the tasks that it is about,
 * so it has come when the stage is complete. Nothing is made before a stage asks, and what a slot
 * keeps does not grow. */
#include "worker/slot_profile.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/profile.h"
#include "ops/body.h"

struct zn_slot_profile {
    zn_profile *profile;
    zn_slot_loop *loop;
    uint64_t job;
    uint64_t stage;
    bool resting; /* between chunks of the stage */
    zn_span_info spans[ZN_PROFILE_SPANS];
};

static void send_when_full(void *context) {
    zn_slot_profile_send(context);
}

/* The profile of the stage, begun if the last one was of another. */
static zn_slot_profile *use(zn_slot_loop *loop, const zn_slot_stage *stage, uint64_t level) {
    zn_slot_profile *self = loop->profile;
    if (self == NULL) {
        self = loop->profile = ZN_NEW(zn_slot_profile);
        self->profile = zn_profile_new();
        self->loop = loop;
    }
    if (self->job != stage->job || self->stage != stage->stage) {
        bool spans = level >= ZN_BODY_PROFILE_SPANS;
        zn_profile_reset(self->profile, spans ? send_when_full : NULL, self);
        self->job = stage->job;
        self->stage = stage->stage;
    } else if (self->resting) {
        zn_profile_rest(self->profile, ZN_SECTION_OTHER);
    }
    self->resting = false;
    return self;
}

bool zn_slot_profile_run(zn_slot_loop *loop, const zn_slot_stage *stage, uint64_t task,
                         uint32_t attempt, zn_outcome *outcome) {
    uint64_t level = zn_stage_exec_profile(stage->exec);
    if (level == ZN_BODY_PROFILE_NONE) {
        return zn_stage_exec_run(stage->exec, task, attempt, outcome);
    }
    zn_slot_profile *self = use(loop, stage, level);
    zn_profile_begin_task(self->profile, task, attempt);
    bool reported = zn_stage_exec_run(stage->exec, task, attempt, outcome);
    uint64_t code = reported ? ZONDA_OK : ZONDA_ERR_CANCELLED;
    code = reported && outcome->failure_count > 0 ? outcome->failure[0].code : code;
    zn_profile_end_task(self->profile, code);
    return reported;
}

static size_t take_spans(zn_slot_profile *self, uint64_t *dropped) {
    const zn_span *spans = NULL;
    size_t count = zn_profile_spans(self->profile, &spans, dropped);
    for (size_t i = 0; i < count; i++) {
        self->spans[i] = (zn_span_info){ .kind = spans[i].kind,
                                         .first = spans[i].first,
                                         .count = spans[i].count,
                                         .attempt = spans[i].attempt,
                                         .start_ns = spans[i].start_ns,
                                         .duration_ns = spans[i].duration_ns,
                                         .bytes = spans[i].bytes,
                                         .code = spans[i].code };
    }
    return count;
}

void zn_slot_profile_send(zn_slot_profile *self) {
    if (self == NULL || self->resting || self->job == 0) {
        return;
    }
    uint64_t ns[ZN_SECTIONS];
    zn_section_time times[ZN_SECTIONS];
    zn_profile_take(self->profile, ns);
    for (uint32_t i = 0; i < ZN_SECTIONS; i++) {
        times[i] = (zn_section_time){ .section = i, .ns = ns[i] };
    }
    zn_message message = { .number = ZN_MSG_PROFILE };
    message.profile = (zn_msg_profile){ .job = self->job,
                                        .stage = self->stage,
                                        .slot = self->loop->options.index,
                                        .times = times,
                                        .times_count = ZN_SECTIONS,
                                        .spans = self->spans };
    message.profile.spans_count = take_spans(self, &message.profile.dropped);
    zn_slot_loop_send(self->loop, &message);
}

void zn_slot_profile_rest(zn_slot_profile *self) {
    if (self != NULL && !self->resting) {
        zn_profile_rest(self->profile, ZN_SECTION_WAITING);
        self->resting = true;
    }
}

void zn_slot_profile_destroy(zn_slot_profile **self) {
    if (*self == NULL) {
        return;
    }
    zn_profile_destroy(&(*self)->profile);
    free(*self);
    *self = NULL;
}
