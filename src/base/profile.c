/* SPDX-License-Identifier: MPL-2.0 */
/* A clock that is always in one place, so the times of all places add up to what has passed. Work
 * on blocks is measured each time. Records are too short for that: their work is cut into units,
 * which begin with the outermost section of a record, and after a short unit a random number of
 * units passes unmeasured, in the place MIXED. What MIXED has is divided like the short units that
 * were measured. Units that take long are all measured.
 *
 * Short tasks of neighbours become one span, and spans beyond the room are counted. One thread. */
#include "base/profile.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"

enum {
    UNIT = ZN_SECTIONS, /* places of a unit that is measured */
    MIXED = 2 * ZN_SECTIONS,
    PLACES,
    UNMEASURED = -1, /* what enter returns if leave has nothing to do */
    SKIPPED_MASK = 31
};

static const uint64_t SHORT_UNIT_NS = 8000;
static const uint64_t SHORT_TASK_NS = 100000;

struct zn_profile {
    uint64_t wall_ns; /* from the monotonic clock to the time since 1970 */
    uint64_t since_ns;
    int place;
    unsigned blocks;         /* sections of blocks that we are in, */
    unsigned records;        /* and of records */
    bool measured;           /* the unit is */
    uint32_t skip;           /* units that pass before the next one is measured */
    uint32_t random;         /* xorshift: not in step with anything that is periodic */
    uint64_t places[PLACES]; /* nanoseconds: of blocks and units that have ended, UNIT, MIXED */
    uint64_t short_[ZN_SECTIONS]; /* of all short units of the stage */
    /* The task that runs, and spans. */
    zn_span task;
    uint64_t task_ns;
    void (*full)(void *context);
    void *context;
    size_t span_count;
    uint64_t dropped;
    zn_span spans[ZN_PROFILE_SPANS];
};

_Thread_local zn_profile *zn_profile_here __attribute__((tls_model("initial-exec")));

zn_profile *zn_profile_new(void) {
    zn_profile *profile = ZN_NEW(zn_profile);
    profile->since_ns = zn_clock_ns();
    profile->wall_ns = zn_clock_wall_ns() - profile->since_ns;
    profile->random = 2463534242;
    return profile;
}

void zn_profile_destroy(zn_profile **profile) {
    free(*profile);
    *profile = NULL;
}

/* Returns the time. */
static uint64_t go_to(zn_profile *profile, int place) {
    uint64_t now = zn_clock_ns();
    profile->places[profile->place] += now - profile->since_ns;
    profile->since_ns = now;
    profile->place = place;
    return now;
}

void zn_profile_reset(zn_profile *profile, void (*full)(void *context), void *context) {
    memset(profile->places, 0, sizeof profile->places);
    memset(profile->short_, 0, sizeof profile->short_);
    profile->span_count = 0;
    profile->dropped = 0;
    profile->full = full;
    profile->context = context;
    profile->since_ns = zn_clock_ns();
    profile->place = ZN_SECTION_OTHER;
}

void zn_profile_rest(zn_profile *profile, zn_section section) {
    go_to(profile, (int)section);
}

/* ---- units ---- */

/* Whether it was a short one. */
static bool end_unit(zn_profile *profile) {
    uint64_t total = 0;
    uint64_t *unit = &profile->places[UNIT];
    for (int i = 0; i < ZN_SECTIONS; i++) {
        total += unit[i];
    }
    for (int i = 0; i < ZN_SECTIONS; i++) {
        profile->places[i] += unit[i];
        profile->short_[i] += total < SHORT_UNIT_NS ? unit[i] : 0;
        unit[i] = 0;
    }
    return total < SHORT_UNIT_NS;
}

static uint32_t next_random(zn_profile *profile) {
    uint32_t x = profile->random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return profile->random = x;
}

static void begin_unit(zn_profile *profile) {
    if (!profile->measured) {
        if (profile->skip > 0) {
            profile->skip--;
            return;
        }
        go_to(profile, UNIT + ZN_SECTION_OTHER);
        profile->measured = true;
        return;
    }
    go_to(profile, MIXED);
    if (end_unit(profile)) {
        profile->skip = next_random(profile) & SKIPPED_MASK;
        profile->measured = false;
    } else {
        profile->place = UNIT + ZN_SECTION_OTHER;
    }
}

int zn_profile_enter_slow(zn_section section) {
    zn_profile *profile = zn_profile_here;
    int before = profile->place;
    profile->blocks++;
    go_to(profile, (int)section);
    return before;
}

void zn_profile_leave_slow(int before) {
    zn_profile *profile = zn_profile_here;
    profile->blocks--;
    go_to(profile, before);
}

int zn_profile_enter_record_slow(zn_section section) {
    zn_profile *profile = zn_profile_here;
    if (profile->blocks > 0) {
        return UNMEASURED;
    }
    if (profile->records++ == 0) {
        begin_unit(profile);
    }
    int before = profile->place;
    if (profile->measured) {
        go_to(profile, UNIT + (int)section);
    }
    return before;
}

void zn_profile_leave_record_slow(int before) {
    zn_profile *profile = zn_profile_here;
    if (before == UNMEASURED) {
        return;
    }
    profile->records--;
    if (profile->measured) {
        go_to(profile, before);
    }
}

/* ---- tasks and spans ---- */

/* Sets `*span`, or counts it as dropped. The last place is kept for a task. */
static bool find_room(zn_profile *profile, size_t kept, zn_span **span) {
    if (profile->span_count + kept >= ZN_PROFILE_SPANS) {
        profile->full(profile->context);
    }
    if (profile->span_count + kept >= ZN_PROFILE_SPANS) {
        profile->dropped++;
        return false;
    }
    *span = &profile->spans[profile->span_count++];
    return true;
}

void zn_profile_begin_task(zn_profile *profile, uint64_t task, uint64_t attempt) {
    profile->blocks = 0;
    profile->records = 0;
    profile->skip = 0;
    profile->measured = false;
    profile->task_ns = go_to(profile, MIXED);
    profile->task = (zn_span){ .kind = ZN_SPAN_TASK,
                               .start_ns = profile->wall_ns + profile->task_ns,
                               .first = task,
                               .count = 1,
                               .attempt = attempt };
    zn_profile_here = profile;
}

/* Makes it a part of the span before, if both are of good, short tasks in a row. */
static bool join_task(zn_profile *profile, const zn_span *task) {
    if (profile->span_count == 0 || task->code != 0 || task->duration_ns >= SHORT_TASK_NS) {
        return false;
    }
    zn_span *last = &profile->spans[profile->span_count - 1];
    if (last->kind != ZN_SPAN_TASK || last->code != 0 || last->attempt != task->attempt ||
        last->first + last->count != task->first ||
        last->duration_ns / last->count >= SHORT_TASK_NS) {
        return false;
    }
    last->count++;
    last->duration_ns = task->start_ns + task->duration_ns - last->start_ns;
    return true;
}

void zn_profile_end_task(zn_profile *profile, uint64_t code) {
    zn_profile_here = NULL;
    uint64_t now = go_to(profile, ZN_SECTION_OTHER);
    end_unit(profile);
    profile->task.duration_ns = now - profile->task_ns;
    profile->task.code = code;
    zn_span *span = NULL;
    if (profile->full != NULL && !join_task(profile, &profile->task) &&
        find_room(profile, 0, &span)) {
        *span = profile->task;
    }
}

uint64_t zn_profile_open_span_slow(void) {
    return zn_profile_here->full == NULL ? 0 : zn_clock_ns();
}

void zn_profile_close_span_slow(zn_span_kind kind, uint64_t opened, uint64_t bytes) {
    zn_profile *profile = zn_profile_here;
    zn_span *span = NULL;
    ZN_ASSERT(kind < ZN_SPAN_KINDS);
    if (profile == NULL || !find_room(profile, 1, &span)) {
        return;
    }
    *span = profile->task;
    span->kind = kind;
    span->start_ns = profile->wall_ns + opened;
    span->duration_ns = zn_clock_ns() - opened;
    span->bytes = bytes;
}

/* ---- what came of it ---- */

/* Divides MIXED like the short units; what is left of the division is other. */
static void divide_mixed(zn_profile *profile) {
    uint64_t mixed = profile->places[MIXED];
    uint64_t total = 0;
    for (int i = 0; i < ZN_SECTIONS; i++) {
        total += profile->short_[i];
    }
    profile->places[MIXED] = 0;
    uint64_t left = mixed;
    for (int i = 0; i < ZN_SECTIONS && total > 0; i++) {
        double share = (double)profile->short_[i] / (double)total;
        uint64_t part = (uint64_t)((double)mixed * share);
        part = part < left ? part : left;
        profile->places[i] += part;
        left -= part;
    }
    profile->places[ZN_SECTION_OTHER] += left;
}

void zn_profile_take(zn_profile *profile, uint64_t ns[ZN_SECTIONS]) {
    go_to(profile, profile->place);
    divide_mixed(profile);
    memcpy(ns, profile->places, ZN_SECTIONS * sizeof *ns);
    memset(profile->places, 0, ZN_SECTIONS * sizeof *ns);
}

size_t zn_profile_spans(zn_profile *profile, const zn_span **spans, uint64_t *dropped) {
    size_t count = profile->span_count;
    *spans = profile->spans;
    *dropped = profile->dropped;
    profile->span_count = 0;
    profile->dropped = 0;
    return count;
}

const char *zn_section_name(uint64_t section) {
    static const char *const names[ZN_SECTIONS] = {
#define ZN_SECTION_TEXT(NAME, name, doc) #name,
        ZN_SECTION_TABLE(ZN_SECTION_TEXT)
#undef ZN_SECTION_TEXT
    };
    return section < ZN_SECTIONS ? names[section] : NULL;
}
