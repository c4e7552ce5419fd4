/* SPDX-License-Identifier: MPL-2.0 */
/* One worker: its registration, its credit, the tasks that it holds and the jobs of which it may
 * still have bodies, running attempts or segments. Everything of an epoch ends with the epoch; the
 * scheduler gives the tasks back to their stages.
 *
 * Invariants: `held` is the sum over the holdings; no holding is empty; a member has at most one
 * holding of a stage that is confirmed and one that is recalled; without an epoch all are recalled.
 */
#include "coordinator/member.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"

static const char *const state_names[ZN_MEMBER_STATES] = { "new",      "joined",  "asked",
                                                           "draining", "leaving", "gone" };
static const char *const event_names[ZN_MEMBER_EVENTS] = { "hello", "gap",  "leave",
                                                           "stop",  "lost", "drain" };

static const int next_state[ZN_MEMBER_STATES][ZN_MEMBER_EVENTS] = {
    /* HELLO, GAP, LEAVE, STOP, LOST, DRAIN */
    [ZN_MEMBER_NEW] = { ZN_MEMBER_JOINED, -1, -1, -1, -1, -1 },
    [ZN_MEMBER_JOINED] = { ZN_MEMBER_JOINED, ZN_MEMBER_ASKED, ZN_MEMBER_GONE, ZN_MEMBER_LEAVING,
                           ZN_MEMBER_GONE, ZN_MEMBER_DRAINING },
    [ZN_MEMBER_ASKED] = { ZN_MEMBER_JOINED, -1, -1, ZN_MEMBER_GONE, ZN_MEMBER_GONE,
                          ZN_MEMBER_ASKED },
    [ZN_MEMBER_DRAINING] = { ZN_MEMBER_DRAINING, ZN_MEMBER_ASKED, ZN_MEMBER_GONE, ZN_MEMBER_LEAVING,
                             ZN_MEMBER_GONE, ZN_MEMBER_DRAINING },
    [ZN_MEMBER_LEAVING] = { ZN_MEMBER_JOINED, -1, ZN_MEMBER_GONE, -1, ZN_MEMBER_GONE, -1 },
    [ZN_MEMBER_GONE] = { -1, -1, -1, -1, -1, -1 },
};

zn_member *zn_member_new(uint64_t id, uint64_t client) {
    zn_member *member = ZN_NEW(zn_member);
    member->id = id;
    member->client = client;
    return member;
}

int zn_member_next(int state, zn_member_event event) {
    ZN_ASSERT(state >= 0 && state < ZN_MEMBER_STATES && event < ZN_MEMBER_EVENTS);
    return next_state[state][event];
}

zonda_err zn_member_apply(zn_member *member, zn_member_event event, zonda_error *error) {
    int next = zn_member_next(member->state, event);
    if (next < 0) {
        return zn_error_set(error, ZONDA_ERR_REFUSED, "worker %llu is %s, which does not allow %s",
                            (unsigned long long)member->id, state_names[member->state],
                            event_names[event]);
    }
    member->state = next;
    return ZONDA_OK;
}

static void free_texts(zn_member *member) {
    free(member->host);
    free(member->data);
    free(member->folder);
    free(member->machine);
}

static char *text_of(zn_bytes bytes) {
    return zn_format("%.*s", (int)bytes.len, bytes.len > 0 ? (const char *)bytes.data : "");
}

void zn_member_begin(zn_member *member, const zn_msg_hello *hello, const zn_peer *peer,
                     uint64_t epoch, uint64_t now_ns) {
    free_texts(member);
    member->host = text_of(hello->host);
    member->data = text_of(hello->data);
    member->folder = text_of(hello->folder);
    member->machine = text_of(hello->machine);
    member->pid = hello->pid;
    member->slots = hello->slots > 0 ? (uint32_t)hello->slots : 1;
    member->peer = *peer;
    member->epoch = epoch;
    member->credit = 0;
    member->sent = 0;
    member->received = 0;
    member->acknowledged = 0;
    member->expected_beat = 0;
    member->heard_at_ns = now_ns;
    member->beat_at_ns = now_ns;
}

uint32_t zn_member_room(const zn_member *member) {
    bool open = member->state == ZN_MEMBER_JOINED && member->credit > member->held;
    return open ? member->credit - member->held : 0;
}

static zn_holding *find_holding(const zn_member *member, const zn_live_stage *stage,
                                bool recalled) {
    for (size_t i = 0; i < member->holding_count; i++) {
        if (member->holdings[i].stage == stage && member->holdings[i].recalled == recalled) {
            return &member->holdings[i];
        }
    }
    return NULL;
}

zn_holding *zn_member_holding(const zn_member *member, const zn_live_stage *stage) {
    return find_holding(member, stage, false);
}

const zn_holding *zn_member_next_holding(const zn_member *member, const zn_live_stage *stage,
                                         size_t *at) {
    while (*at < member->holding_count) {
        const zn_holding *holding = &member->holdings[(*at)++];
        if (holding->stage == stage) {
            return holding;
        }
    }
    return NULL;
}

bool zn_member_holds(const zn_member *member, const zn_live_stage *stage, uint32_t task,
                     uint64_t *value) {
    const zn_holding *holding;
    for (size_t i = 0; (holding = zn_member_next_holding(member, stage, &i)) != NULL;) {
        if (zn_task_set_get(&holding->tasks, task, value)) {
            return true;
        }
    }
    return false;
}

static void add_run(zn_member *member, zn_live_stage *stage, bool recalled, zn_task_run run) {
    zn_holding *holding = find_holding(member, stage, recalled);
    if (holding == NULL) {
        ZN_GROW(member->holdings, member->holding_count, member->holding_capacity);
        holding = &member->holdings[member->holding_count++];
        *holding = (zn_holding){ .stage = stage, .recalled = recalled };
    }
    zn_task_set_insert(&holding->tasks, run);
    member->held += run.count;
}

void zn_member_hold(zn_member *member, zn_live_stage *stage, zn_task_run run, uint64_t now_ns) {
    run.value |= zn_held_since(now_ns);
    add_run(member, stage, false, run);
}

void zn_member_recall(zn_member *member) {
    for (size_t i = member->holding_count; i > 0; i--) {
        zn_holding *holding = &member->holdings[i - 1];
        if (holding->recalled || find_holding(member, holding->stage, true) == NULL) {
            holding->recalled = true;
            continue;
        }
        zn_holding moved = *holding;
        *holding = member->holdings[--member->holding_count];
        member->held -= (uint32_t)moved.tasks.task_count;
        zn_task_run run;
        while (zn_task_set_pop(&moved.tasks, UINT32_MAX, &run)) {
            add_run(member, moved.stage, true, run);
        }
        zn_task_set_free(&moved.tasks);
    }
}

bool zn_member_reclaim(zn_member *member, zn_live_stage *stage, zn_task_run run, zn_task_run *out) {
    zn_holding *holding = find_holding(member, stage, true);
    uint32_t end = run.first + run.count;
    uint32_t at = run.first;
    while (holding != NULL && at < end && zn_task_set_next(&holding->tasks, at, out) &&
           out->first < end) {
        if (zn_held_attempt(out->value) == run.value) {
            out->count = out->count < end - out->first ? out->count : end - out->first;
            zn_member_drop(member, holding, out->first, out->count);
            add_run(member, stage, false, *out);
            return true;
        }
        at = out->first + out->count;
    }
    return false;
}

void zn_member_drop(zn_member *member, zn_holding *holding, uint32_t first, uint32_t count) {
    zn_task_set_remove(&holding->tasks, first, count);
    member->held -= count;
    if (holding->tasks.task_count == 0) {
        zn_task_set_free(&holding->tasks);
        *holding = member->holdings[--member->holding_count];
    }
}

void zn_member_drop_task(zn_member *member, const zn_live_stage *stage, uint32_t task) {
    for (size_t i = 0; i < member->holding_count; i++) {
        zn_holding *holding = &member->holdings[i];
        if (holding->stage == stage && zn_task_set_get(&holding->tasks, task, NULL)) {
            zn_member_drop(member, holding, task, 1);
            return;
        }
    }
}

static size_t touched_place(const zn_member *member, uint64_t job) {
    size_t low = 0;
    size_t high = member->touched_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (member->touched[middle].job < job) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

zn_touched_job *zn_member_touched(const zn_member *member, uint64_t job) {
    size_t at = touched_place(member, job);
    return at < member->touched_count && member->touched[at].job == job ? &member->touched[at]
                                                                        : NULL;
}

void zn_member_touch(zn_member *member, uint64_t job) {
    if (zn_member_touched(member, job) != NULL) {
        return;
    }
    size_t at = touched_place(member, job);
    ZN_GROW(member->touched, member->touched_count, member->touched_capacity);
    memmove(&member->touched[at + 1], &member->touched[at],
            (member->touched_count - at) * sizeof(member->touched[0]));
    member->touched[at] = (zn_touched_job){ .job = job };
    member->touched_count++;
}

void zn_member_forget_job(zn_member *member, uint64_t job) {
    size_t at = touched_place(member, job);
    ZN_ASSERT(at < member->touched_count && member->touched[at].job == job);
    memmove(&member->touched[at], &member->touched[at + 1],
            (member->touched_count - at - 1) * sizeof(member->touched[0]));
    member->touched_count--;
}

void zn_member_destroy(zn_member **member) {
    if (*member == NULL) {
        return;
    }
    for (size_t i = 0; i < (*member)->holding_count; i++) {
        zn_task_set_free(&(*member)->holdings[i].tasks);
    }
    free((*member)->holdings);
    free((*member)->touched);
    free((*member)->drain_reason);
    free((*member)->last_failure);
    free_texts(*member);
    free(*member);
    *member = NULL;
}
