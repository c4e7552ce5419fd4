/* SPDX-License-Identifier: MPL-2.0 */
/* Keeps a worker from being given more tasks of a stage than it will get round to soon. Workers say
 * how many tasks they take (CREDIT), but what they know is how long the tasks before took: a stage
 * of long tasks right behind one of short tasks, or beside one, would be dealt out by the
 * thousand and then wait in queues while slots elsewhere are idle.
 *
 * So a stage begins with one task per slot, and each worker may hold twice its part of what was
 * completed in the last tenth of a second or so: short tasks triple what is out with every round
 * trip, long tasks never get far beyond one per slot. */
#include "coordinator/stage_pace.h"

#include "base/clock.h"

#define WINDOW_NS (100 * ZN_NS_PER_MS)

enum {
    GROWTH = 2
};

/* The windows as they are now; what is too old counts no more. */
static zn_stage_pace turn(const zn_stage_pace *pace, uint64_t now_ns) {
    uint64_t age_ns = now_ns - pace->window_ns;
    if (age_ns < WINDOW_NS) {
        return *pace;
    }
    uint64_t before = age_ns < 2 * WINDOW_NS ? pace->tasks : 0;
    return (zn_stage_pace){ .window_ns = now_ns, .before = before };
}

void zn_stage_pace_note(zn_stage_pace *pace, uint64_t tasks, uint64_t now_ns) {
    *pace = turn(pace, now_ns);
    pace->tasks += tasks;
}

uint64_t zn_stage_pace_limit(const zn_stage_pace *pace, uint32_t slots, uint64_t slots_all,
                             uint64_t now_ns) {
    zn_stage_pace now = turn(pace, now_ns);
    uint64_t lately = now.tasks > now.before ? now.tasks : now.before;
    return slots + GROWTH * lately * slots / (slots_all > 0 ? slots_all : 1);
}
